# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes one line of the run's journal; documented in plugins/modules/upgrade_journal.py.

An action plugin, because it runs some ten times a node: it needs no
connection, copies nothing and starts no interpreter, so a line costs
milliseconds where a delegated module would cost a second.
"""

from __future__ import annotations

import multiprocessing
import os
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.evergreen.kubeadm.plugins.module_utils._controller import observe
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import stopwatch
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report import journal

ARGUMENT_SPEC: dict[str, t.Any] = {
    "path": {"type": "path", "default": ""},
    "event": {"type": "str", "required": True, "choices": list(journal.EVENTS)},
    "name": {"type": "str"},
    "status": {"type": "str", "choices": list(journal.STATUSES)},
    "data": {"type": "dict", "default": {}},
}


class ActionModule(ActionBase):
    """Appends an entry to the journal, on the controller, whatever host the task is for."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        times = stopwatch()
        _validated, options = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        event = journal.plain_text(options["event"])
        if event == "step" and not (options["name"] or options["status"]):
            raise AnsibleActionFail("The event 'step' needs 'name' (a step begins) or 'status' (the last one ends).")
        line = journal.entry(
            time=times()["started"],
            host=(task_vars or {}).get("inventory_hostname", "localhost"),
            event=event,
            name=options["name"],
            status=options["status"],
            data=options["data"],
        )
        path = journal.plain_text(options["path"])
        if path and self._task.check_mode:
            obstacle = journal.obstacle(path)
            if obstacle:
                raise AnsibleActionFail(f"The journal {path} cannot be written: {obstacle}.")
        elif path:
            try:
                journal.append(path, line, fresh=event == "run_started")
            except OSError as error:
                raise AnsibleActionFail(f"The journal {path} cannot be written: {error}.") from error
        result.update(
            changed=False,
            path=path,
            entry=line,
            controller=observe(_controlling_process()),
            **times(),
        )
        return result


def _controlling_process() -> int:
    """The process that runs the play: tasks run in workers that it forked."""
    parent = multiprocessing.parent_process()
    return (parent.pid if parent else None) or os.getpid()
