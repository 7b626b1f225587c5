# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The options by which a run went past a protection. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._loose_data import dict_of

Json = dict[str, t.Any]

BYPASSES = {
    "upgrade_without_backup": "The run saves no backup of etcd before it changes anything.",
    "kubelet_drain_delete_emptydir_data": "The data of emptyDir volumes on drained nodes is lost.",
    "kubelet_drain_force": "Pods without a controller are evicted and not made again.",
    "kubelet_patch_without_drain": "Kubelets that only change their patch are replaced with the pods on their nodes.",
    "kubelet_drain_disable_eviction": "Pods are deleted past their budgets.",
    "control_plane_ignore_preflight_errors": "These checks of kubeadm do not stop the upgrade.",
    "worker_ignore_preflight_errors": "These checks of kubeadm do not stop the upgrade.",
    "rollback_accepted_findings": "These findings do not stop the rollback.",
    "upgrade_finalize": "The upgrade cannot be taken back any more, except by a restore.",
    "upgrade_max_failed_workers": "The run goes on without so many workers that fail.",
    "preflight_accepted_findings": "These findings do not stop the upgrade.",
}
"""What each option of the playbooks gives up."""


def bypasses(options: object) -> list[Json]:
    """``{name, reason}`` of each option that is set, with its `value` where that says more than yes.

    `options` are those that ``run_started`` of the journal holds; anything else counts as none.
    """
    given = dict_of(options)
    found: list[Json] = []
    for name, reason in BYPASSES.items():
        value = given.get(name)
        if value:
            found.append({"name": name, "reason": reason, **({} if value is True else {"value": value})})
    return found
