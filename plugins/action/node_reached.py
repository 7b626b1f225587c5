# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes a host that cannot be reached a failure; documented in plugins/modules/node_reached.py.

An action plugin, because only the controller knows of it. meta/runtime.yml has
it run the modules that a run uses on its nodes as well. In a run, they fail then
in place of being unreachable: Ansible has no rescue for that, and ends the
playbook where the host was alone in its batch. docs/decisions/0018 says more.
"""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action.normal import ActionModule as NormalAction

from ansible_collections.evergreen.kubeadm.plugins.module_utils._failure.reach import failure, unreached
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.journal import plain, plain_text

NAME = "node_reached"
PING = "ansible.builtin.ping"
# It is there while a run has something to end: its lock, its taints, its report.
RUN = "upgrade_run_id"
ARGUMENT_SPEC: dict[str, t.Any] = {"results": {"type": "list", "elements": "dict"}}


class ActionModule(NormalAction):
    """For its own module looks at a host or at results; runs any other module, and looks at how that ends."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        names = task_vars or {}
        host = plain_text(self._task.delegate_to or names.get("inventory_hostname", "The host"))
        own = self._task.action.rpartition(".")[2] == NAME
        try:
            if own:
                return self._look(host, names)
            return self.act(tmp, task_vars)
        except AnsibleConnectionFailure as error:
            if self._task.ignore_unreachable or not (own or RUN in names):
                raise
            # What is in it stays there: cleaning up would ask the host again, and fail once more.
            self._connection._shell.tmpdir = None
            return failure(host, str(error))

    def act(self, tmp: str | None, task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        """Run the module of the task."""
        return t.cast("dict[str, t.Any]", super().run(tmp, task_vars))

    def _look(self, host: str, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        _validated, options = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        if options["results"] is None:
            answer = self._execute_module(module_name=PING, module_args={}, task_vars=task_vars)
            return {**answer, "changed": False, "reached": True} if not answer.get("failed") else answer
        reason = unreached(plain(options["results"]))
        return {"changed": False, "reached": True} if reason is None else failure(host, reason)
