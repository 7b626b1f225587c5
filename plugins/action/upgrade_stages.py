# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Says how far a run walks a hop; documented in plugins/modules/upgrade_stages.py.

An action plugin, because it decides on what a task before it has read.
"""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.evergreen.kubeadm.plugins.module_utils._report import journal
from ansible_collections.evergreen.kubeadm.plugins.module_utils._run import stages

ARGUMENT_SPEC: dict[str, t.Any] = {
    "hops": {"type": "list", "elements": "dict", "required": True},
    "nodes": {"type": "list", "elements": "dict", "required": True},
    "stop_after": {"type": "str", "choices": [stages.NONE, *stages.STAGES], "default": stages.NONE},
    "here": {"type": "list", "elements": "str", "required": True},
    "members": {"type": "list", "elements": "str", "default": []},
    "kubelets_last": {"type": "bool", "default": False},
    "all_again": {"type": "bool", "default": False},
    "hooks": {"type": "list", "elements": "str", "default": []},
}


class ActionModule(ActionBase):
    """Works on the controller, whatever host the task is for."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        given = journal.plain({key: options[key] for key in ARGUMENT_SPEC})
        found = stages.course(
            given["hops"],
            given["nodes"],
            given["stop_after"],
            **{key: given[key] for key in ("here", "members", "kubelets_last", "all_again")},
        )
        groups = found.groups._asdict()
        result.update(
            changed=False,
            stage=given["stop_after"],
            stops=found.stops,
            message=found.message,
            groups=groups,
            pairs=[[name, group] for group, names in groups.items() for name in names],
            completes=found.completes,
            kubelets=found.kubelets,
            kubelets_again=found.kubelets_again,
            hooks=stages.hooks_around(found, given["hooks"]),
        )
        return result
