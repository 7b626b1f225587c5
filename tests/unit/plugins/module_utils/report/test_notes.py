# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._report import notes

Json = dict[str, t.Any]


@pytest.mark.parametrize(
    ("module", "options", "step"),
    [
        ("etcd_snapshot", {"state": "saved"}, "backup"),
        ("etcd_snapshot", {"state": "pruned"}, ""),
        ("node_packages", {"state": "prepared"}, "prepare"),
        ("node_packages", {"state": "present"}, "packages"),
        ("cluster_gate", {"conditions": ["node_ready"], "gates": [{}]}, "gate"),
        ("cluster_gate", {"gates": [{}]}, "gates"),
        ("drain_node", {}, "drain"),
        ("drain_node", {"state": "uncordoned"}, "uncordon"),
        ("kubeadm_upgrade", {"state": "rolled_back"}, "rollback"),
        ("kubeadm_upgrade", {"state": "waiting"}, ""),
        ("upgrade_lock", {"state": "renewed"}, ""),
    ],
)
def test_step_of(module: str, options: Json, step: str) -> None:
    assert notes.step_of(module, options) == step


@pytest.mark.parametrize(
    ("module", "answer", "expected"),
    [
        ("cluster_gate", {"ready": True}, ("finished", {})),
        ("cluster_gate", {"failed": True, "msg": "m", "hint": "h"}, ("failed", {"message": "m", "hint": "h"})),
        ("kubeadm_upgrade", {"swap": {"restarts": {"etcd": 1}}}, ("finished", {"restarts": {"etcd": 1}})),
        (
            "kubeadm_upgrade",
            {"failed": True, "msg": "put back", "swap": {"restarts": {"etcd": 2}}},
            ("failed", {"message": "put back", "restarts": {"etcd": 2}}),
        ),
        # On a worker.
        ("kubeadm_upgrade", {"swap": None}, ("finished", {})),
    ],
)
def test_end_of(module: str, answer: Json, expected: tuple[str, Json]) -> None:
    assert notes.end_of(module, answer) == expected


def test_what_a_drain_moved() -> None:
    pods = [{"name": "a", "evicted_at": "2026-01-31T12:00:00Z"}, {"name": "b", "evicted_at": None}]
    assert notes.besides("drain_node", {"name": "w1"}, {"node": "w1", "pods": pods}) == [
        {"event": "evictions", "data": {"node": "w1", "pods": pods[:1]}}
    ]
    assert notes.besides("drain_node", {"state": "uncordoned"}, {"node": "w1", "pods": []}) == []


def test_a_node_that_keeps_its_pods() -> None:
    answer = {"in_place": True, "reason": "only the patch changes", "notes": [], "running_version": "1.35.3"}
    (note,) = notes.besides("kubelet_in_place", {}, answer)
    assert (note["name"], note["data"]) == ("in_place", {"reason": "only the patch changes", "notes": []})
    assert notes.besides("kubelet_in_place", {}, {**answer, "in_place": False}) == []
