# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the workers of a hop."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.selectors import parse
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import NodeState, Request
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.state import node_states
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.worker_order import group_of, names_in_order
from ansible_collections.evergreen.kubeadm.plugins.module_utils._taint.decisions import EFFECT, KEY
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.cases import (
    cluster,
    control_plane,
    decide,
    node,
    pod,
)

OLD = Version.parse("1.34.4")
BATCH, SHOP = {"pool": "batch"}, {"pool": "shop", "zone": "a"}


def worker(name: str, pods: int = 0, labels: dict[str, str] | None = None, *, begun: bool = False) -> NodeState:
    note = {"run": "r1"} if begun else None
    return NodeState(name, "worker", OLD, cordoned_by=note, labels=labels or {}, movable_pods=pods)


def order(workers: list[NodeState], *groups: str, **request: t.Any) -> list[str]:
    wanted = Request(OLD, worker_groups=[parse(selector) for selector in groups], **request)
    return names_in_order(workers, wanted)


@pytest.mark.parametrize(
    ("workers", "groups", "request_", "expected"),
    [
        pytest.param([worker("b"), worker("a"), worker("c")], [], {}, "abc", id="by name where all are alike"),
        pytest.param([worker("a", 3), worker("b", 1), worker("c", 2)], [], {}, "bca", id="the emptiest first"),
        pytest.param([worker("a", 3), worker("b", 0), worker("c", 9, begun=True)], [], {}, "cba", id="begun first"),
        pytest.param(
            [worker("a", 1, SHOP), worker("b", 5, BATCH), worker("c", 0), worker("d", 2, BATCH)],
            ["pool=batch"],
            {},
            "dbca",
            id="the others after the group",
        ),
        pytest.param(
            [worker("a", 1, SHOP), worker("b", 5, BATCH), worker("c", 0), worker("d", 2, BATCH)],
            ["pool=shop", "pool in (batch, night)"],
            {},
            "adbc",
            id="groups in the order that was given",
        ),
        pytest.param(
            [worker("a", 0, SHOP), worker("b", 5, SHOP, begun=True), worker("c", 9, BATCH), worker("d", 10, BATCH)],
            ["pool=batch"],
            {},
            "cdba",
            id="begun first in its group",
        ),
        pytest.param(
            [worker("a", 1, SHOP), worker("b", 2, SHOP)],
            ["zone=b", "zone=a", "pool=shop"],
            {},
            "ab",
            id="a group of nobody, and one that is met later",
        ),
        pytest.param(
            [worker("a", 0), worker("b", 9), worker("c", 3)],
            [],
            {"worker_order": "inventory", "places": ["c", "b", "a"]},
            "cba",
            id="the inventory's order, whatever is on them",
        ),
        pytest.param(
            [worker("a"), worker("z"), worker("b", begun=True), worker("c", labels=BATCH)],
            ["pool=batch"],
            {"worker_order": "inventory", "places": ["z"]},
            "cbza",
            id="the inventory inside a group, unknown ones last",
        ),
        pytest.param(
            [worker("a", 2), worker("b", 1)], [], {"places": ["a", "b"]}, "ba", id="the inventory is not asked for"
        ),
        pytest.param([], ["pool=batch"], {}, "", id="no worker"),
    ],
)
def test_order(workers: list[NodeState], groups: list[str], request_: dict[str, t.Any], expected: str) -> None:
    assert order(workers, *groups, **request_) == list(expected)


@pytest.mark.parametrize(("labels", "group"), [(BATCH, 1), (SHOP, 0), ({}, 2), ({"zone": "a", "pool": "batch"}, 0)])
def test_group_of(labels: dict[str, str], group: int) -> None:
    assert group_of(worker("a", labels=labels), [parse("zone=a"), parse("pool=batch")]) == group


def test_a_plan_takes_the_pods_that_a_drain_moves() -> None:
    daemon = pod(
        "d", "w2", ownerReferences=[{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "controller": True}]
    )
    pods = [pod("a", "w1"), pod("b", "w1"), daemon, pod("c", "w3")]
    nodes = [node("c1", control_plane=True), node("w1"), node("w2"), node("w3")]
    found = cluster(nodes=nodes, pods=[*control_plane("c1"), *pods])
    assert {state.name: state.movable_pods for state in node_states(found)} == {"c1": 0, "w1": 2, "w2": 0, "w3": 1}
    verdict = decide(found)
    assert verdict["hops"][0]["workers"] == ["w2", "w3", "w1"]
    assert [entry["movable_pods"] for entry in verdict["nodes"]] == [0, 2, 0, 1]
    ordered = decide(found, worker_order="inventory", places=["w1", "w2", "w3"])
    assert ordered["hops"][0]["workers"] == ["w1", "w2", "w3"]


@pytest.mark.parametrize(("taints", "needed"), [([], False), ([{"key": KEY, "effect": EFFECT, "value": "r1"}], True)])
def test_a_soft_taint_that_was_left_is_to_be_taken_off(taints: list[t.Any], needed: bool) -> None:
    verdict = decide(cluster(nodes=[node("c1", control_plane=True), node("w1", taints=taints)]), "1.34.4")
    assert (verdict["upgrade_needed"], verdict["hops"], verdict["unfinished"]) == (needed, [], [])
    assert [entry["tainted_by"] for entry in verdict["nodes"]] == [None, "r1" if needed else None]
