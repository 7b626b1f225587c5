# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges the failure of a node; documented in plugins/modules/upgrade_failure.py.

An action plugin, because it needs nothing but its arguments, and because the
node may be away.
"""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.evergreen.kubeadm.plugins.module_utils._failure import decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.journal import plain, plain_text

ARGUMENT_SPEC: dict[str, t.Any] = {
    "task": {"type": "str", "default": ""},
    "result": {"type": "dict", "default": {}},
    "can_be_spared": {"type": "bool", "required": True},
    "others": {"type": "list", "elements": "str", "default": []},
    "max_failed_workers": {"type": "int", "default": 0},
    "telling": {"type": "list", "elements": "dict", "default": []},
    "folder": {"type": "str", "default": ""},
}


class ActionModule(ActionBase):
    """Works on the controller, whatever host the task is for."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        answer: dict[str, t.Any] = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        host = plain_text((task_vars or {}).get("inventory_hostname", "localhost"))
        failed = decisions.read(host, plain_text(options["task"]), plain(options["result"]))
        others = [plain_text(each) for each in options["others"]]
        verdict = decisions.judge(
            failed, can_be_spared=options["can_be_spared"], others=others, budget=options["max_failed_workers"]
        )
        said = decisions.says(failed, plain(options["telling"]))
        answer.update(
            changed=False,
            action=verdict.action,
            reason=verdict.reason,
            cause=failed.message,
            hint=failed.hint,
            says=said,
            sentence=decisions.sentence(failed, verdict, said, plain_text(options["folder"])),
        )
        return answer
