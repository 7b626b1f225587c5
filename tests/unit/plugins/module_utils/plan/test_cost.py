# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math
import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain import budgets
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import PodRecord
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._plan.cost import (
    budgets_that_hold_up,
    cost_of,
    moves_of,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._plan.singletons import singletons, start_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Cluster
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.state import node_states

Json = dict[str, t.Any]
CONTROL_PLANE = {"node-role.kubernetes.io/control-plane": ""}


def node(name: str, labels: dict[str, str] | None = None, *, cordoned: bool = False) -> Json:
    status = {"nodeInfo": {"kubeletVersion": "v1.34.4"}, "conditions": [{"type": "Ready", "status": "True"}]}
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": {"unschedulable": cordoned}, "status": status}


def pod(name: str, on: str, owner: str | None = "ReplicaSet/web", labels: Json | None = None, **status: t.Any) -> Json:
    metadata: Json = {"name": name, "namespace": "shop", "labels": labels or {"app": "web"}}
    if owner:
        kind, _slash, owner_name = owner.partition("/")
        metadata["ownerReferences"] = [
            {"apiVersion": "apps/v1", "kind": kind, "name": owner_name, "uid": owner, "controller": True}
        ]
    spec = {"nodeName": on, "terminationGracePeriodSeconds": 30}
    return {"metadata": metadata, "spec": spec, "status": {"phase": "Running", **status}}


def ready(scheduled: str, ready_at: str, restarts: int = 0) -> Json:
    conditions = [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": scheduled},
        {"type": "Ready", "status": "True", "lastTransitionTime": ready_at},
    ]
    return {"conditions": conditions, "containerStatuses": [{"name": "main", "restartCount": restarts}]}


@pytest.mark.parametrize(
    ("order", "takers", "pods", "moved", "after"),
    [
        (["a"], ["a", "b"], {"a": 4.0}, 4.0, {"a": 0.0, "b": 4.0}),
        # From a to b, and from b, with what it had, to a.
        (["a", "b"], ["a", "b"], {"a": 4.0, "b": 2.0}, 10.0, {"a": 6.0, "b": 0.0}),
        # a: 6 to b and c (3 each); b: 3 to a and c; c: 3 + 1.5 to a and b.
        (["a", "b", "c"], ["a", "b", "c"], {"a": 6.0}, 13.5, {"a": 3.75, "b": 2.25, "c": 0.0}),
        # A node alone gets its pods back.
        (["a"], ["a"], {"a": 4.0}, 4.0, {"a": 4.0}),
        # One that is cordoned gives and takes nothing, before its turn and after.
        (["a", "b"], ["b", "c"], {"a": 2.0, "b": 1.0}, 4.0, {"a": 0.0, "b": 0.0, "c": 3.0}),
        ([], ["a"], {"a": 4.0}, 0.0, {"a": 4.0}),
    ],
)
def test_moves(order: list[str], takers: list[str], pods: dict[str, float], moved: float, after: Json) -> None:
    seen, spread = moves_of(order, takers, pods)
    assert seen == pytest.approx(moved)
    assert spread == pytest.approx(after)
    assert sum(spread.values()) == pytest.approx(sum(pods.values()))


@pytest.mark.parametrize(
    ("order", "takers", "pods", "moved", "after"),
    [
        # The pods of the first one move twice, to b and c (1 each) and back to a; all others once.
        (["a", "b", "c"], ["a", "b", "c"], {"a": 2.0, "b": 4.0, "c": 6.0}, 14.0, {"a": 8.5, "b": 3.5, "c": 0.0}),
        (["a", "b"], ["a", "b"], {"a": 4.0, "b": 2.0}, 10.0, {"a": 6.0, "b": 0.0}),
        # A node that is not drained takes them all; what an earlier run has upgraded is one.
        (["a", "b"], ["a", "b", "c"], {"a": 2.0, "b": 3.0}, 5.0, {"a": 1.5, "b": 0.0, "c": 3.5}),
        (["a"], ["a"], {"a": 4.0}, 4.0, {"a": 4.0}),
        # One that is cordoned takes nothing when it is through.
        (["a", "b", "c"], ["b", "c"], {"a": 2.0, "b": 1.0, "c": 1.0}, 8.0, {"a": 0.0, "b": 4.0, "c": 0.0}),
        ([], ["a"], {"a": 4.0}, 0.0, {"a": 4.0}),
    ],
)
def test_moves_with_the_soft_taint(
    order: list[str], takers: list[str], pods: dict[str, float], moved: float, after: Json
) -> None:
    seen, spread = moves_of(order, takers, pods, soft_taint=True)
    assert seen == pytest.approx(moved)
    assert spread == pytest.approx(after)
    assert sum(spread.values()) == pytest.approx(sum(pods.values()))
    assert seen <= moves_of(order, takers, pods)[0]


def test_moves_of_many_nodes_are_quick_and_few() -> None:
    names = [f"n{number}" for number in range(5000)]
    moved, spread = moves_of(names, names, dict.fromkeys(names, 10.0))
    # A pod on the node at the share x of the order moves e^(1-x) times, which is e-1 times on the average.
    assert moved == pytest.approx(50_000 * (math.e - 1), rel=0.01)
    assert sum(spread.values()) == pytest.approx(50_000)


def test_pools_by_role_and_by_label() -> None:
    nodes = [node("cp", CONTROL_PLANE), node("w1", {"pool": "big"}), node("w2", {"pool": "big"}), node("w3")]
    daemon = pod("d", "w1", "DaemonSet/d")
    pods = [pod("a", "w1"), pod("b", "w1"), pod("c", "w2"), pod("d", "cp"), daemon, pod("e", "w3", phase="Succeeded")]
    cluster = Cluster(nodes=nodes, pods=pods)
    hops: list[Json] = [
        {"to": "1.35.4", "control_plane": ["cp"], "workers": [], "kubelets": ["cp"]},
        {"to": "1.36.3", "control_plane": ["cp"], "workers": ["w1", "w2", "w3"], "kubelets": ["w3", "w2", "w1", "cp"]},
    ]
    plain = cost_of(cluster, node_states(cluster), hops)
    assert [(p["name"], p["nodes"], p["drains"], p["pods"], p["moves"]) for p in plain["pools"]] == [
        ("control plane", 1, 2, 1, 2),
        ("workers", 3, 3, 3, 3),
    ]
    assert plain["hops"][1] == {"to": "1.36.3", "control_plane": 1, "workers": 3}
    assert (plain["drains"], plain["pods"], plain["moves"]) == (5, 4, 5)
    assert plain["expected_moves"] > plain["moves"]
    # The pods of the first worker (2) move twice.
    assert cost_of(cluster, node_states(cluster), hops, soft_taint=True)["expected_moves"] == plain["moves"] + 2
    labelled = cost_of(cluster, node_states(cluster), hops, pool_label="pool")
    assert [(p["name"], p["nodes"], p["pods"]) for p in labelled["pools"]] == [
        ("control plane", 1, 1),
        ("big", 2, 3),
        ("workers", 1, 0),
    ]


def test_a_node_whose_kubelet_stays_is_not_drained() -> None:
    cluster = Cluster(nodes=[node("cp", CONTROL_PLANE)], pods=[pod("a", "cp")])
    hop: Json = {"to": "1.33.13", "control_plane": ["cp"], "workers": [], "kubelets": []}
    cost = cost_of(cluster, node_states(cluster), [hop])
    assert (cost["drains"], cost["pods"], cost["moves"], cost["hops"][0]["control_plane"]) == (0, 0, 0, 1)


def test_a_kubelet_that_is_replaced_in_place_moves_no_pod() -> None:
    cluster = Cluster(nodes=[node("cp", CONTROL_PLANE), node("w1"), node("w2")], pods=[pod("a", "w1"), pod("b", "w2")])
    hop: Json = {"to": "1.34.5", "control_plane": ["cp"], "workers": ["w1", "w2"], "kubelets": ["cp", "w1", "w2"]}
    moved = cost_of(cluster, node_states(cluster), [hop])
    assert (moved["drains"], moved["in_place"], moved["pods"]) == (3, 0, 2)
    kept = cost_of(cluster, node_states(cluster), [{**hop, "in_place": ["cp", "w2"]}])
    assert (kept["drains"], kept["in_place"], kept["pods"], kept["moves"]) == (1, 2, 1, 1)
    assert kept["hops"][0]["workers"] == 2


def test_a_plan_without_hops_costs_nothing() -> None:
    cluster = Cluster(nodes=[node("cp", CONTROL_PLANE)], pods=[pod("a", "cp")])
    cost = cost_of(cluster, node_states(cluster), [])
    assert (cost["drains"], cost["pods"], cost["moves"], cost["singletons"], cost["time"]["seconds"]) == (
        0,
        0,
        0,
        [],
        0,
    )


def budget(selector: Json | None = None, **status: int) -> Json:
    wanted = {"matchLabels": {"app": "web"}} if selector is None else selector
    return {"metadata": {"name": "b", "namespace": "shop"}, "spec": {"selector": wanted}, "status": status}


def judged(each: Json, batch: list[str]) -> list[Json]:
    """What the drain says of the budget, where these nodes are drained together."""
    records = [PodRecord(made, api.node_of(made), "evict") for made in PODS if api.node_of(made) in batch]
    return [{**entry, "nodes": batch} for entry in budgets.analyse([each], records)]


READY = {"conditions": [{"type": "Ready", "status": "True"}]}
PODS = [
    pod("a", "w1", **READY),
    pod("b", "w1", **READY),
    pod("c", "w2", **READY),
    pod("x", "w2", labels={"app": "other"}, **READY),
]


@pytest.mark.parametrize(
    ("each", "state", "pods"),
    [
        (budget(disruptionsAllowed=2, expectedPods=3, currentHealthy=3, desiredHealthy=1), "", 0),
        (budget(disruptionsAllowed=1, expectedPods=3, currentHealthy=3, desiredHealthy=2), "in_turn", 3),
        (budget(disruptionsAllowed=0, expectedPods=3, currentHealthy=2, desiredHealthy=2), "waits", 3),
        (budget(disruptionsAllowed=0, expectedPods=3, currentHealthy=3, desiredHealthy=3), "never", 3),
        (budget({}, disruptionsAllowed=1, expectedPods=4, desiredHealthy=1), "in_turn", 4),
        (
            budget(
                {"matchExpressions": [{"key": "app", "operator": "In", "values": ["other"]}]},
                disruptionsAllowed=0,
                expectedPods=1,
                desiredHealthy=1,
            ),
            "never",
            1,
        ),
        (budget({"matchLabels": {"app": "none"}}, disruptionsAllowed=0, expectedPods=1, desiredHealthy=1), "", 0),
    ],
)
def test_budgets_that_hold_a_drain_up(each: Json, state: str, pods: int) -> None:
    found = budgets_that_hold_up([*judged(each, ["w1"]), *judged(each, ["w2"])])
    assert [(b["budget"], b["state"], b["pods"]) for b in found] == ([("shop/b", state, pods)] if state else [])


def test_turns_are_counted_on_the_fullest_node() -> None:
    each = budget(disruptionsAllowed=1, expectedPods=3, desiredHealthy=1)
    (found,) = budgets_that_hold_up([*judged(each, ["w2"]), *judged(each, ["w1"])])
    assert found["why"] == "2 of its pods are on w1 and 1 may be away at once: 2 turns"
    assert found["pods"] == 3


def test_turns_of_nodes_that_are_away_together() -> None:
    (found,) = budgets_that_hold_up(
        judged(budget(disruptionsAllowed=2, expectedPods=3, desiredHealthy=1), ["w1", "w2"])
    )
    assert found["why"] == "3 of its pods are on w1, w2 and 2 may be away at once: 2 turns"


def test_singletons() -> None:
    quick = ready("2026-01-31T12:00:00Z", "2026-01-31T12:00:04Z")
    slow = ready("2026-01-31T12:00:00Z", "2026-01-31T12:01:30Z")
    pods = [
        pod("db-0", "w1", "StatefulSet/db", **slow),
        pod("one", "w1", "ReplicaSet/one", **quick),
        pod("bare", "w1", None),
        pod("a", "w1", "ReplicaSet/two"),
        pod("b", "w2", "ReplicaSet/two"),
        pod("job", "w1", "Job/j"),
        pod("away", "w2", "ReplicaSet/away"),
    ]
    found = singletons(pods, {"w1": 2})
    assert [(s["pod"], s["times"], s["comes_back"], s["down_s"], s["grace_s"]) for s in found] == [
        ("shop/db-0", 2, True, 90.0, 30.0),
        ("shop/one", 2, True, 4.0, 0.0),
        ("shop/bare", 2, False, None, 0.0),
    ]


@pytest.mark.parametrize(
    ("status", "seconds"),
    [
        (ready("2026-01-31T12:00:00Z", "2026-01-31T12:00:07Z"), 7.0),
        (ready("2026-01-31T12:00:00Z", "2026-01-31T12:00:07Z", restarts=1), None),
        (ready("2026-01-31T12:00:07Z", "2026-01-31T12:00:00Z"), None),
        (ready("", "2026-01-31T12:00:07Z"), None),
        ({"conditions": [{"type": "Ready", "status": "False"}]}, None),
        ({}, None),
    ],
)
def test_start_is_measured_or_not_told(status: Json, seconds: float | None) -> None:
    assert start_of(pod("a", "w1", **status)) == seconds
