# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The program that a timer of the node runs: it saves a backup, then removes old ones, as a file says.

The file is JSON, ``{"saved": {...}, "pruned": {...}}`` with options of
etcd_snapshot; without ``pruned``, or with null, nothing is removed.
"""

from __future__ import annotations

import json
import sys
import time
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import actions


class ProgramError(EvergreenError):
    """A file of options that cannot be used."""


def main(arguments: t.Sequence[str]) -> int:
    """The exit code: 0 where everything was done, 1 where something was not, which is said on stderr."""
    try:
        wanted = read(arguments)
        begin = time.monotonic()
        saved = actions.saved(options("saved", wanted["saved"]), False)
        _say(
            f"Saved and verified {saved['path']}: revision {saved['revision']}, {saved['keys']} keys, {saved['size']} "
            f"bytes, SHA-256 {saved['sha256']}, in {time.monotonic() - begin:.1f} s."
        )
        for warning in actions.warnings(saved):
            _say(f"WARNING: {warning}")
    except EvergreenError as error:
        return _fail(str(error))
    try:
        if wanted.get("pruned"):
            pruned = actions.pruned(options("pruned", wanted["pruned"]), False)
            _say(f"Kept {len(pruned['kept'])} snapshots, removed {len(pruned['pruned'])}.")
    except EvergreenError as error:
        return _fail(f"The snapshot is good, but old ones could not be removed: {error}")
    return 0


def read(arguments: t.Sequence[str]) -> dict[str, t.Any]:
    """What the file named by the one argument asks for. Raises ProgramError."""
    if len(arguments) != 1:
        raise ProgramError("Name one file of options.")
    path = arguments[0]
    try:
        with open(path, encoding="utf-8") as file:
            wanted = json.load(file)
    except (OSError, ValueError) as error:
        raise ProgramError(f"The options in {path} could not be read: {error}.") from None
    if not isinstance(wanted, dict) or not isinstance(wanted.get("saved"), dict):
        raise ProgramError(f'{path} is not {{"saved": {{...}}, "pruned": {{...}}}}.')
    return wanted


def options(state: str, given: t.Any) -> dict[str, t.Any]:
    """The options of a state, with the module's defaults for what is not given. Raises ProgramError."""
    if not isinstance(given, dict):
        raise ProgramError(f"The options for {state} are no object.")
    unknown = sorted(set(given) - set(actions.OPTIONS))
    if unknown:
        raise ProgramError(f"The options for {state} have {', '.join(unknown)}, which etcd_snapshot does not know.")
    return {
        name: _value(f"{name} of {state}", given.get(name, spec.get("default")), spec)
        for name, spec in actions.OPTIONS.items()
    }


_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "path": (str,),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "list": (list,),
}
"""What JSON has for each type of an argument spec."""


def _value(name: str, value: t.Any, spec: t.Mapping[str, t.Any]) -> t.Any:
    if value is None:
        return None
    kind = spec["type"]
    # True is a number to Python.
    if not isinstance(value, _KINDS[kind]) or (isinstance(value, bool) and kind != "bool"):
        raise ProgramError(f"{name} is {value!r}, which is no {kind}.")
    if "choices" in spec and value not in spec["choices"]:
        raise ProgramError(f"{name} is {value!r}, which is none of {', '.join(spec['choices'])}.")
    return value


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _fail(line: str) -> int:
    sys.stderr.write(line + "\n")
    return 1
