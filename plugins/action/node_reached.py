# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes a host that cannot be reached a failure; documented in plugins/modules/node_reached.py.

An action plugin, because only the controller knows of it. meta/runtime.yml has
it run the modules that a run uses on its nodes as well. In a run, they fail then
in place of being unreachable: Ansible has no rescue for that, and ends the
playbook where the host was alone in its batch. docs/decisions/0018 says more.
In a run it also notes in the journal when a step of these modules begins and how
it ends, so that no task has to. Modules that ask the API run in this process where
they can (docs/decisions/0026).
"""

from __future__ import annotations

import importlib
import json
import sys
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible.utils.display import Display

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import utc_now
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import ModuleBody, outcome
from ansible_collections.evergreen.kubeadm.plugins.module_utils._failure.reach import failure, unreached
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report import notes
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.journal import (
    append,
    entry,
    plain,
    plain_text,
    untagged,
)

COLLECTION = "ansible_collections.evergreen.kubeadm"
NAME = "node_reached"
PING = "ansible.builtin.ping"
# It is there while a run has something to end: its lock, its taints, its report.
RUN = "upgrade_run_id"
# What the task registered that opened the journal of the run.
OPENED = "upgrade_opened"
ARGUMENT_SPEC: dict[str, t.Any] = {"results": {"type": "list", "elements": "dict"}}


class Call:
    """What a module's body asks of an AnsibleModule."""

    def __init__(self, params: dict[str, t.Any], check_mode: bool) -> None:
        self.params = params
        self.check_mode = check_mode
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


class ActionModule(NormalAction):
    """For its own module looks at a host or at results; runs any other module, and looks at how that ends."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        names = task_vars or {}
        module = self._task.action.rpartition(".")[2]
        options = self._task.args
        step = notes.step_of(module, options)
        if step:
            self._note(names, {"event": "step", "name": step})
        answer = self._reach(tmp, names, own=module == NAME)
        if step:
            status, data = notes.end_of(module, answer)
            self._note(names, {"event": "step", "name": step, "status": status, "data": data})
        for note in notes.besides(module, options, answer):
            self._note(names, note)
        return answer

    def _reach(self, tmp: str | None, names: dict[str, t.Any], *, own: bool) -> dict[str, t.Any]:
        host = plain_text(self._task.delegate_to or names.get("inventory_hostname", "The host"))
        try:
            if own:
                return self._look(host, names)
            return self.act(tmp, names)
        except AnsibleConnectionFailure as error:
            if self._task.ignore_unreachable or not (own or RUN in names):
                raise
            # What is in it stays there: cleaning up would ask the host again, and fail once more.
            self._connection._shell.tmpdir = None
            return failure(host, str(error))

    def _note(self, names: dict[str, t.Any], note: dict[str, t.Any]) -> None:
        """Add a line to the journal of the run, where there is one. A full disk of the controller ends no upgrade."""
        opened = names.get(OPENED)
        path = plain_text(opened.get("path") or "") if isinstance(opened, dict) and not opened.get("failed") else ""
        if not path or self._task.check_mode or self._task.async_val:
            return
        try:
            append(path, entry(time=utc_now(), host=names["inventory_hostname"], **note))
        except OSError as error:
            Display().warning(f"The journal {path} could not be written: {error}.")

    def act(self, tmp: str | None, task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        """Run the module of the task."""
        body = self._body(task_vars or {})
        if body is None:
            return t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
        answer: dict[str, t.Any] = ActionBase.run(self, tmp, task_vars)
        validated = ArgumentSpecValidator(**body.spec).validate(untagged(self._task.args))
        if validated.error_messages:
            said = remove_values(validated.errors.msg, validated._no_log_values)
            raise AnsibleActionFail(f"{self._task.action}: {said}")
        call = Call(validated.validated_parameters, self._task.check_mode)
        # As it would be if it had come from a process of its own.
        found = json.loads(json.dumps(outcome(call, body.act, timed=body.timed)))
        if call.warnings:
            found["warnings"] = call.warnings
        return {**answer, **remove_values(found, validated._no_log_values)}

    def _body(self, names: dict[str, t.Any]) -> ModuleBody | None:
        """What the module does, where this very Python would run it on this machine, and nothing is asked beside.

        A process of its own costs a second of a processor each time, most of it
        for imports. docs/decisions/0026 has the figures.
        """
        host = self._task.delegate_to
        known = names.get("ansible_delegated_vars", {}).get(host, {}) if host else names
        if (
            self._connection.transport != "local"
            or self._connection.become
            or self._task.async_val
            or any(self._task.environment or ())
            or self._task.args.get("ssh_tunnel")
            or self._templar.template(known.get("ansible_python_interpreter")) != sys.executable
        ):
            return None
        module = f"{COLLECTION}.plugins.modules.{self._task.action.rpartition('.')[2]}"
        return getattr(importlib.import_module(module), "BODY", None)

    def _look(self, host: str, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        _validated, options = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        if options["results"] is None:
            answer = self._execute_module(module_name=PING, module_args={}, task_vars=task_vars)
            return {**answer, "changed": False, "reached": True} if not answer.get("failed") else answer
        reason = unreached(plain(options["results"]))
        return {"changed": False, "reached": True} if reason is None else failure(host, reason)
