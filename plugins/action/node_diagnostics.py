# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Has a node say what it knows of a failure, and writes it down; documented in plugins/modules/node_diagnostics.py.

An action plugin, because the files are the controller's, and because a node
that cannot be reached must not end the play in which a failure is handled.
"""

from __future__ import annotations

import json
import os
import re
import typing as t
from datetime import datetime, timezone

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.evergreen.kubeadm.plugins.module_utils._artifacts import make_folder
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.telling import Source, Told, telling
from ansible_collections.evergreen.kubeadm.plugins.module_utils._redaction import redact
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.journal import plain, plain_text
from ansible_collections.evergreen.kubeadm.plugins.modules.node_diagnostics import ARGUMENT_SPEC

MODULE = "evergreen.kubeadm.node_diagnostics"
INDEX = "index.json"
MOST_FILES = 200


class ActionModule(ActionBase):
    """Runs the module of the same name on the host, and writes its texts to files on the controller."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        asked = {key: plain(value) for key, value in options.items() if key != "dest" and value is not None}
        host = plain_text((task_vars or {}).get("inventory_hostname", "the host"))
        dest = plain_text(options["dest"] or "")
        if ".." in dest.split("/"):
            raise AnsibleActionFail(f"dest is {dest!r}, and a folder with '..' in its path is refused.")
        found, texts, warnings = self._ask(asked, task_vars, host)
        folder = ""
        if dest and texts and not self._task.check_mode:
            folder = dest
            try:
                write_all(folder, texts, {key: found[key] for key in ("telling", "sources")})
            except OSError as error:
                warnings.append(f"The diagnostics of {host} could not be written to {folder}: {error}.")
                folder = ""
        if warnings:
            found["warnings"] = [*found.get("warnings", []), *warnings]
        result.update(found, changed=False, folder=folder)
        return result

    def _ask(
        self, asked: dict[str, t.Any], task_vars: dict[str, t.Any] | None, host: str
    ) -> tuple[dict[str, t.Any], dict[str, str], list[str]]:
        """The result of the module without its texts, the texts, and what was not as it was to be."""
        try:
            answer = self._execute_module(module_name=MODULE, module_args=asked, task_vars=task_vars)
        except AnsibleConnectionFailure as error:
            return unanswered(redact(str(error)), reached=False), {}, [f"{host} could not be reached."]
        except AnsibleError as error:
            return unanswered(redact(str(error)), reached=True), {}, [f"{host} could not be looked at."]
        if answer.get("failed") or answer.get("unreachable"):
            said = redact("\n".join(str(answer.get(key) or "") for key in ("msg", "module_stderr", "module_stdout")))
            return (
                unanswered(said, reached=not answer.get("unreachable")),
                {},
                [f"{host} could not be looked at: {str(answer.get('msg') or 'no reason given')[:300]}"],
            )
        kept = ("telling", "sources", "since", "started", "finished", "duration_s")
        found = {key: plain(answer[key]) for key in kept if key in answer}
        for key in ("telling", "sources"):
            found[key] = [each for each in found.get(key) or [] if isinstance(each, dict)]
        texts = {file_name(name): plain_text(text) for name, text in list((answer.get("texts") or {}).items())}
        texts.pop(INDEX, None)
        return {**found, "reached": True}, texts, []


def unanswered(said: str, *, reached: bool) -> dict[str, t.Any]:
    """The result for a node that gave no answer: what was said in its place may name the cause, as a full disk."""
    told = telling([Source("ansible", said)], datetime.now(timezone.utc))
    if not told and not reached:
        told = [Told("unreachable", "ansible", " ".join(said.split())[:400], "")]
    return {"reached": reached, "telling": [each.as_dict() for each in told], "sources": []}


def file_name(name: str) -> str:
    """A name that stays in its folder, whatever the node sent."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", plain_text(name)).lstrip(".")[:150] or "unnamed"


def write_all(folder: str, texts: dict[str, str], index: dict[str, t.Any]) -> None:
    """The texts as files that only their owner can read. Raises OSError."""
    make_folder(folder, 0o700)
    os.chmod(folder, 0o700)
    for name, text in [(INDEX, json.dumps(index, indent=1, ensure_ascii=False) + "\n"), *texts.items()][:MOST_FILES]:
        path = os.path.join(folder, name)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            os.fchmod(descriptor, 0o600)
            file.write(text)
