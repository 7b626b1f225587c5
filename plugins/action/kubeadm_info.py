# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a node, and refuses a name that no Node can have; documented in plugins/modules/kubeadm_info.py.

An action plugin, because the node itself cannot be asked whether what it says
is to be believed: its name is used in paths of the API, and in other tasks.
"""

from __future__ import annotations

import contextlib
import importlib
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.action.node_reached import COLLECTION
from ansible_collections.evergreen.kubeadm.plugins.action.node_reached import ActionModule as NodeAction
from ansible_collections.evergreen.kubeadm.plugins.module_utils._node_name import is_node_name
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.journal import plain_text

# Ansible loads this plugin before it forks a process for the first task of a run. What is imported here the processes
# of all later tasks have; otherwise each that asks the API would import it again.
SHARED = ("ansible.module_utils.basic", "kubernetes", f"{COLLECTION}.plugins.module_utils._api.auth")
for name in SHARED:
    with contextlib.suppress(ImportError):
        importlib.import_module(name)


class ActionModule(NodeAction):
    """Runs the module of the same name. Where that fails, the result says nothing of the node."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        answer = super().run(tmp, task_vars)
        info = answer.pop("info", None)
        if answer.get("failed") or answer.get("skipped") or answer.get("unreachable"):
            return answer
        name = info.get("node_name") if isinstance(info, dict) else None
        if not is_node_name(name):
            host = plain_text((task_vars or {}).get("inventory_hostname", "The host"))
            return {
                "failed": True,
                "changed": False,
                "msg": f"{host} says that the name of its Node is {plain_text(name)[:100]!r}, and no Node can have "
                "that name. See the client certificate in its /etc/kubernetes/kubelet.conf, or its host name.",
            }
        return {**answer, "info": info}
