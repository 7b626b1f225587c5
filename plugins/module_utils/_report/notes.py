# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What the tasks of this collection's modules leave in the journal of a run. Pure.

A task is a part of a step; tasks of one step that follow each other on a host
are one step of the report.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.evergreen.kubeadm.plugins.module_utils._loose_data import dict_of, dicts_of

Json = dict[str, t.Any]

STEPS: dict[str, dict[str, str]] = {
    "etcd_snapshot": {"saved": "backup", "fetched": "fetch"},
    "node_packages": {"prepared": "prepare", "present": "packages"},
    "kubeadm_images": {"": "images"},
    "cluster_gate": {"": "gate"},
    "drain_node": {"": "drain", "drained": "drain", "uncordoned": "uncordon"},
    "kubeadm_upgrade": {"upgraded": "upgrade", "rolled_back": "rollback"},
}
"""The step by the module and its state."""


def step_of(module: str, options: Mapping[str, t.Any]) -> str:
    """The step that a task is a part of; empty where it is none."""
    if module == "cluster_gate" and not options.get("conditions"):
        return "gates"
    return STEPS.get(module, {}).get(str(options.get("state") or ""), "")


def end_of(module: str, answer: Mapping[str, t.Any]) -> tuple[str, Json]:
    """``(status, data)`` of the event that ends the step."""
    restarts = dict_of(dict_of(answer.get("swap")).get("restarts")) if module == "kubeadm_upgrade" else {}
    data: Json = {"restarts": restarts} if restarts else {}
    if not answer.get("failed"):
        return "finished", data
    said = {key: str(answer[name]) for key, name in (("message", "msg"), ("hint", "hint")) if answer.get(name)}
    return "failed", {**data, **said}


def besides(module: str, options: Mapping[str, t.Any], answer: Mapping[str, t.Any]) -> list[Json]:
    """Other events that the result of a task is worth: ``{event, name, data}``."""
    if step_of(module, options) == "drain":
        pods = [pod for pod in dicts_of(answer.get("pods")) if pod.get("evicted_at")]
        return [{"event": "evictions", "data": {"node": answer.get("node"), "pods": pods}}]
    if module == "kubelet_in_place" and answer.get("in_place"):
        data = {key: answer.get(key) for key in ("reason", "notes")}
        return [{"event": "note", "name": "in_place", "data": data}]
    return []
