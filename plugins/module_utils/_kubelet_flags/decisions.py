# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Flags that a kubelet has until they are taken out or the node boots: the files for it. Pure.

kubeadm's unit starts the kubelet with $KUBELET_EXTRA_ARGS last, and systemd
takes the value of the last EnvironmentFile= that sets a variable. So one more
file, named by a drop-in below /run, overrides what the node sets, and is gone
with the next boot whatever happens to the run that put it there.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import VERBOSITY, logs_less

VARIABLE = "KUBELET_EXTRA_ARGS"
DROP_IN = "/run/systemd/system/kubelet.service.d/99-evergreen-kubeadm.conf"
ENVIRONMENT = "/run/evergreen-kubeadm/kubelet.env"
BASE = "/run/evergreen-kubeadm/kubelet-extra-args"
"""What the variable was before, so that what is added to it is never added twice."""

_KNOWN = re.compile(r"^\s+(?:-\w, )?--([a-z0-9][a-z0-9-]*)", re.MULTILINE)
_SHORT = re.compile(r"^\s+-(\w), --", re.MULTILINE)


def split(words: t.Iterable[str], help_text: str) -> tuple[list[str], list[str]]:
    """The words whose flags ``kubelet --help`` names, and the names of the others."""
    there = known(help_text)
    names = [(word, _name(word)) for word in words]
    return [word for word, name in names if name in there], [name for _word, name in names if name not in there]


def known(help_text: str) -> set[str]:
    """The names of flags in what ``kubelet --help`` prints, those of one letter with them."""
    return set(_KNOWN.findall(help_text)) | set(_SHORT.findall(help_text))


def words(flags: t.Mapping[str, str]) -> list[str]:
    """The flags as words of a command line."""
    return [f"{'-' if len(name) == 1 else '--'}{name}={value}" for name, value in sorted(flags.items())]


def raised(added: t.Sequence[str], verbosity: int, command: t.Sequence[str], configured: str = "") -> list[str]:
    """The words that are added, with the level of the log where the kubelet itself logs less.

    `command` is the kubelet's command line without what was added for a time,
    and `configured` the level in its configuration, which a flag overrides.
    """
    own = {"command": [f"--{VERBOSITY}={configured}", *command[1:]] if configured else list(command)}
    if not verbosity or not logs_less(own, verbosity):
        return list(added)
    return [*(word for word in added if _name(word) != VERBOSITY), f"-{VERBOSITY}={verbosity}"]


def without(command: t.Sequence[str], added: t.Sequence[str]) -> list[str]:
    """A command line without what was added to it, which is last."""
    first = len(command) - len(added)
    return list(command[:first] if added and list(command[first:]) == list(added) else command)


def in_use(command: t.Sequence[str], wanted: t.Sequence[str]) -> bool:
    """Whether a command line has these words, and no later one of the same flag."""
    last = {_name(word): word for word in command[1:] if word.startswith("-")}
    return all(last.get(_name(word)) == word for word in wanted)


def drop_in() -> str:
    return f"# Of evergreen.kubeadm, for the time of an upgrade.\n[Service]\nEnvironmentFile=-{ENVIRONMENT}\n"


def environment(base: str, added: t.Sequence[str]) -> str:
    """The environment file, as systemd.exec(5) reads it."""
    value = " ".join(filter(None, [base.strip(), *added]))
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{VARIABLE}="{escaped}"\n'


def added(text: str, base: str) -> list[str]:
    """The words that an environment file adds to `base`; none where the file is empty."""
    value = re.sub(r"\\(.)", r"\1", text.partition('"')[2].rpartition('"')[0])
    return value[len(base.strip()) :].split()


def variable(environ: bytes) -> str:
    """The value of the variable in /proc/PID/environ."""
    prefix = f"{VARIABLE}=".encode()
    found = [entry[len(prefix) :] for entry in environ.split(b"\0") if entry.startswith(prefix)]
    return found[-1].decode("utf-8", "replace") if found else ""


def hindrance(running: str, installed: str) -> str:
    """Why the kubelet must not be restarted now, in a sentence; empty where it may be.

    A restart runs the installed program. Where that is another version, it would be an upgrade without a drain.
    """
    if not running:
        return "No kubelet runs."
    if running != installed:
        return f"Kubelet {running} runs and {installed or 'none'} is installed: a restart would change its version."
    return ""


def _name(word: str) -> str:
    return word.lstrip("-").partition("=")[0]
