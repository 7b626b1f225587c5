# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings on budgets, deprecated APIs and webhooks, both ways."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.cases import (
    budget,
    cluster,
    control_plane,
    decide,
    drain,
    node,
    pod,
    said,
)

DAEMON = [{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "controller": True}]
PAIR = "poddisruptionbudget/shop/cart+cart2"


@pytest.mark.parametrize(
    ("budgets", "pods", "expected"),
    [
        pytest.param([budget(maxUnavailable=1, allowed=1)], [pod("a")], [], id="lets go"),
        pytest.param([budget(minAvailable=1)], [pod("a")], ["budget-never-allows"], id="one of one"),
        pytest.param(
            [budget(maxUnavailable=0, expected=3, desired=3, healthy=3)], [pod("a")], ["budget-never-allows"], id="0"
        ),
        pytest.param(
            [budget(maxUnavailable="0%", expected=3, desired=3, healthy=3)],
            [pod("a")],
            ["budget-never-allows"],
            id="0%",
        ),
        pytest.param(
            [budget(minAvailable=2, expected=3, desired=2, healthy=2)],
            [pod("a")],
            ["budget-used-up"],
            id="used up for now",
        ),
        pytest.param([budget(minAvailable=1)], [], [], id="no pods"),
        pytest.param([budget(minAvailable=1)], [pod("a", on="elsewhere")], [], id="pods on nodes that are not touched"),
        pytest.param([budget(minAvailable=1)], [pod("a", ownerReferences=DAEMON)], [], id="pods of a DaemonSet stay"),
        pytest.param([budget(minAvailable=1)], [pod("a", labels={"app": "x"})], [], id="other pods"),
        pytest.param(
            [budget(allowed=1), budget("cart2", allowed=1)],
            [pod("a"), pod("b")],
            ["budgets-overlap"],
            id="two on one pod",
        ),
    ],
)
def test_budgets(budgets: list[t.Any], pods: list[t.Any], expected: list[str]) -> None:
    verdict = decide(cluster(budgets=budgets, pods=[*control_plane("c1"), *pods]))
    assert [f["id"] for f in verdict["findings"]] == expected


def unready(name: str, **metadata: t.Any) -> dict[str, t.Any]:
    made = pod(name, **metadata)
    made["status"]["conditions"][0]["status"] = "False"
    return made


def stale(made: dict[str, t.Any]) -> dict[str, t.Any]:
    made["metadata"]["generation"], made["status"]["observedGeneration"] = 2, 1
    return made


def deployment(**spec: t.Any) -> dict[tuple[str, str, str], dict[str, t.Any]]:
    """What a move by a rollout is judged by: a Deployment with one replica, and its ReplicaSet."""
    owner = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart", "controller": True}]
    return {
        ("ReplicaSet", "shop", "cart-1a"): {"metadata": {"name": "cart-1a", "ownerReferences": owner}},
        ("Deployment", "shop", "cart"): {"metadata": {"name": "cart"}, "spec": {"replicas": 1, **spec}},
    }


SET = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "cart-1a", "uid": "rs", "controller": True}]
LONE = pod("a", ownerReferences=SET)
NEVER = ("blocker", "budget-never-allows", "poddisruptionbudget/shop/cart")
MAYBE = ("warning", "budget-never-allows", "poddisruptionbudget/shop/cart")
ROLLING, RECREATE = deployment(), deployment(strategy={"type": "Recreate"})
ONE_OF_ONE = budget(minAvailable=1)
# The options are those of a drain.
RULE = {"selector": "app=cart", "behaviour": "skip"}


@pytest.mark.parametrize(
    ("each", "found", "options", "objects", "expected"),
    [
        pytest.param(ONE_OF_ONE, LONE, {}, {}, [NEVER], id="never"),
        pytest.param(ONE_OF_ONE, LONE, {"surge_singletons": True}, ROLLING, [], id="moved by a rollout"),
        pytest.param(ONE_OF_ONE, LONE, {"surge_singletons": True}, RECREATE, [NEVER], id="cannot be moved so"),
        pytest.param(ONE_OF_ONE, LONE, {"disable_eviction": True}, {}, [], id="deleted past budgets"),
        pytest.param(ONE_OF_ONE, LONE, {"pod_rules": [RULE]}, {}, [], id="stays on the node"),
        pytest.param(
            budget(minAvailable=1, healthy=0, unhealthyPodEvictionPolicy="AlwaysAllow"),
            unready("a", ownerReferences=SET),
            {},
            {},
            [],
            id="not ready, which always may go",
        ),
        pytest.param(
            budget(minAvailable=1, healthy=0), unready("a", ownerReferences=SET), {}, {}, [NEVER], id="not ready"
        ),
        pytest.param(
            budget(minAvailable=1, healthy=1, expected=2, desired=1),
            unready("a", ownerReferences=SET),
            {},
            {},
            [],
            id="not ready, and enough others are",
        ),
        pytest.param(
            stale(budget(minAvailable=1)),
            LONE,
            {},
            {},
            [("warning", "budget-used-up", "poddisruptionbudget/shop/cart")],
            id="its numbers are old",
        ),
    ],
)
def test_budgets_are_judged_as_the_drain_judges_them(
    each: dict[str, t.Any], found: dict[str, t.Any], options: t.Any, objects: t.Any, expected: list[t.Any]
) -> None:
    given = cluster(budgets=[each], pods=[*control_plane("c1"), found], surge_objects=objects)
    told = [entry for entry in said(decide(given, drain=drain(**options))) if entry[1] != "workload-singleton"]
    assert told == expected


def test_nodes_that_are_drained_in_two_hops_count_once() -> None:
    """w1 with w3 in the first hop, and with w2 in the second one."""
    nodes = [node("c1", "v1.33.4", control_plane=True), node("w1", "v1.33.4"), node("w2", "v1.34.4")]
    given = cluster(
        nodes=[*nodes, node("w3", "v1.33.4")],
        pods=[*control_plane("c1", "v1.33.4"), pod("a"), pod("b", "w2")],
        budgets=[budget(maxUnavailable=1, allowed=1, healthy=2, expected=2)],
        cluster_config={"apiVersion": "kubeadm.k8s.io/v1beta4", "kubernetesVersion": "v1.33.4"},
    )
    places = ["c1", "w1", "w2", "w3"]
    verdict = decide(
        given, available=["1.34.4", "1.35.4"], worker_serial=["2"], worker_order="inventory", places=places
    )
    assert [hop["to"] for hop in verdict["hops"]] == ["1.34.4", "1.35.4"]
    assert "budgets-overlap" not in [found["id"] for found in verdict["findings"]]


def wants(**labels: str) -> dict[str, t.Any]:
    """A budget that wants the one pod with these labels."""
    return budget(minAvailable=1, selector={"matchLabels": labels})


PRIMARY = {"cnpg.io/cluster": "orders", "cnpg.io/instanceRole": "primary"}
MASTER = {"cluster-name": "billing", "spilo-role": "master"}
STATEFUL = [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "billing", "controller": True}]
CUSTOM = [{"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "name": "orders", "controller": True}]
# Storage keeps its budget until the volumes have moved. Nothing makes the pod again elsewhere, so it needs force, too.
STORAGE = [{"apiVersion": "longhorn.io/v1beta2", "kind": "InstanceManager", "name": "im"}]
IN = {"matchExpressions": [{"key": "redis/role", "operator": "In", "values": ["leader"]}]}
NONE_AWAY = {"maxUnavailable": 0, "expected": 3, "desired": 3, "healthy": 3}


@pytest.mark.parametrize(
    ("each", "labels", "owner", "webhooks", "expected", "told"),
    [
        pytest.param(wants(**PRIMARY), PRIMARY, CUSTOM, [], MAYBE, "cnpg.io/instanceRole=primary", id="CloudNativePG"),
        pytest.param(wants(**MASTER), MASTER, STATEFUL, [], MAYBE, "spilo-role=master", id="Zalando's"),
        pytest.param(
            budget(minAvailable=1, selector=IN),
            {"redis/role": "leader"},
            STATEFUL,
            [],
            MAYBE,
            "redis/role=leader",
            id="In",
        ),
        pytest.param(wants(app="x"), {"app": "x"}, CUSTOM, [], MAYBE, "Cluster.postgresql.cnpg.io", id="custom owner"),
        pytest.param(
            wants(app="x"),
            {"app": "x"},
            STORAGE,
            [],
            MAYBE,
            "InstanceManager.longhorn.io",
            id="no controller",
        ),
        pytest.param(
            budget(**NONE_AWAY), {"app": "cart"}, STATEFUL, ["drain.kafka.example"], MAYBE, "drain.kafka", id="webhook"
        ),
        pytest.param(budget(**NONE_AWAY), {"app": "cart"}, STATEFUL, [], NEVER, "maxUnavailable is 0", id="nobody"),
        pytest.param(
            wants(role="worker"), {"role": "worker"}, STATEFUL, [], NEVER, "1 pods must be", id="another role"
        ),
    ],
)
def test_budgets_that_an_operator_may_let_go(
    each: dict[str, t.Any], labels: dict[str, str], owner: list[t.Any], webhooks: list[str], expected: t.Any, told: str
) -> None:
    pods = [*control_plane("c1"), pod("a", labels=labels, ownerReferences=owner)]
    verdict = decide(cluster(budgets=[each], pods=pods, eviction_webhooks=webhooks))
    (found,) = [entry for entry in verdict["findings"] if entry["id"] == "budget-never-allows"]
    assert (found["severity"], found["id"], found["subject"]) == expected
    assert told in found["evidence"]
    assert ("900 s" in found["evidence"]) is (expected == MAYBE)


@pytest.mark.parametrize(
    ("each", "change"),
    [
        (ONE_OF_ONE, '{"spec":{"maxUnavailable":null,"minAvailable":0}}'),
        (budget(**NONE_AWAY), '{"spec":{"maxUnavailable":null,"minAvailable":2}}'),
    ],
)
def test_the_remedy_of_a_budget_is_a_command(each: dict[str, t.Any], change: str) -> None:
    verdict = decide(cluster(budgets=[each], pods=[*control_plane("c1"), LONE]))
    (found,) = [entry for entry in verdict["findings"] if entry["id"] == "budget-never-allows"]
    assert f"kubectl -n shop patch poddisruptionbudget cart --type=merge -p '{change}'" in found["remedy"]
    assert ("kubelet_drain_surge_singletons=true" in found["remedy"]) is (each is ONE_OF_ONE)


def test_a_budget_with_pods_of_its_own_and_shared_ones() -> None:
    """On w1 it covers a pod alone, on w2 one together with another budget."""
    nodes = [node("c1", control_plane=True), node("w1"), node("w2")]
    pods = [*control_plane("c1"), pod("a"), pod("b", "w2", labels={"app": "cart", "tier": "x"})]
    both = [budget(maxUnavailable=0), budget("x", allowed=1, selector={"matchLabels": {"tier": "x"}})]
    verdict = decide(cluster(nodes=nodes, pods=pods, budgets=both))
    assert said(verdict) == [NEVER, ("blocker", "budgets-overlap", "poddisruptionbudget/shop/cart+x")]


def test_two_budgets_are_one_finding_that_names_them() -> None:
    pods = [*control_plane("c1"), *(pod(f"p{i}") for i in range(5))]
    verdict = decide(cluster(budgets=[budget(allowed=1), budget("cart2", allowed=1)], pods=pods))
    assert [f["subject"] for f in verdict["findings"]] == [PAIR]
    assert "shop/p0, shop/p1, shop/p2 and 2 more" in verdict["findings"][0]["evidence"]


def test_a_broken_budget() -> None:
    broken = budget()
    broken["status"]["conditions"] = [
        {"type": "DisruptionAllowed", "status": "False", "reason": "SyncFailed", "message": "no scale"}
    ]
    verdict = decide(cluster(budgets=[broken], pods=[*control_plane("c1"), pod("a")]))
    assert [(f["id"], f["severity"]) for f in verdict["findings"]] == [("budget-broken", "blocker")]


@pytest.mark.parametrize("phase", ["Pending", "Succeeded", "Failed"])
def test_budgets_do_not_protect_what_does_not_run(phase: str) -> None:
    idle = pod("a")
    idle["status"]["phase"] = phase
    assert not api.is_evictable(idle)


@pytest.mark.parametrize(
    ("removed", "severity"), [("1.35", "blocker"), ("1.34", "blocker"), ("1.36", "note"), ("", "note")]
)
def test_deprecated_apis(removed: str, severity: str) -> None:
    sample = {
        "group": "flowcontrol.apiserver.k8s.io",
        "version": "v1beta3",
        "resource": "flowschemas",
        "subresource": "",
        "removed_release": removed,
    }
    answer = {
        "node": "c1",
        "address": "a",
        "readyz": {"status": 200},
        "version": "v1.34.4",
        "deprecated": [sample],
        "error": "",
    }
    verdict = decide(cluster(api_servers=[answer]))
    assert said(verdict) == [(severity, "deprecated-api-in-use", "flowschemas.v1beta3.flowcontrol.apiserver.k8s.io")]


def webhook(**changes: t.Any) -> dict[str, t.Any]:
    """One that answers from two nodes and covers nothing that matters."""
    return {
        "configuration": "c",
        "name": "n",
        "service": "a/b",
        "url": "",
        "ready": ["w1", "w2"],
        "covers_pods": False,
        "covers_run": [],
        "covers_service_cidrs": False,
        "namespaces": {},
        "narrowed": False,
        "timeout_s": 10,
        **changes,
    }


@pytest.mark.parametrize(
    ("ready", "covers_pods", "expected"),
    [
        ([], False, [("blocker", "webhook-down")]),
        (["w1", "w1"], True, [("warning", "webhook-on-one-node")]),
        (["w1", "w2"], True, []),
        (["w1"], False, []),
    ],
)
def test_webhooks(ready: list[str], covers_pods: bool, expected: list[t.Any]) -> None:
    verdict = decide(cluster(webhooks=[webhook(ready=ready, covers_pods=covers_pods)]))
    assert [(f["severity"], f["id"]) for f in verdict["findings"]] == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"covers_run": ["nodes"], "ready": ["w1"]}, ["webhook-on-one-node"]),
        ({"covers_run": ["leases"], "ready": ["w1", "w1"]}, ["webhook-on-one-node"]),
        ({"covers_run": ["pods/eviction"], "ready": ["w1", "c1"]}, []),
        ({"url": "https://x/v", "service": "", "ready": [], "covers_run": ["nodes"]}, ["webhook-by-url"]),
        ({"url": "https://x/v", "service": "", "ready": [], "covers_pods": True}, ["webhook-by-url"]),
        ({"url": "https://x/v", "service": "", "ready": []}, []),
    ],
)
def test_webhooks_that_a_run_meets(changes: dict[str, t.Any], expected: list[str]) -> None:
    findings = decide(cluster(webhooks=[webhook(**changes)]))["findings"]
    assert [(entry["severity"], entry["id"]) for entry in findings] == [("warning", id) for id in expected]
    for entry in findings:
        assert all(what in entry["evidence"] for what in changes.get("covers_run", []))


@pytest.mark.parametrize("target", ["1.34.4", "1.35.4"])
def test_policies_that_may_refuse_a_run(target: str) -> None:
    verdict = decide(cluster(policies={"no-cordon": ["nodes", "leases"]}), target)
    expected = [("warning", "admission-policy-covers-run", "validatingadmissionpolicy/no-cordon")]
    assert said(verdict) == (expected if target == "1.35.4" else [])
    assert all("nodes, leases" in entry["evidence"] for entry in verdict["findings"])


SYSTEM = {"kubernetes.io/metadata.name": "kube-system"}
NOT_SYSTEM = {
    "matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system"]}]
}


@pytest.mark.parametrize(
    ("hook", "labels", "expected"),
    [
        ({"covers_pods": True}, SYSTEM, ["webhook-covers-system-pods"]),
        ({"covers_pods": True}, {}, []),
        ({"covers_pods": True, "namespaces": NOT_SYSTEM}, SYSTEM, []),
        ({"covers_pods": True, "narrowed": True}, SYSTEM, []),
        ({"covers_pods": False}, SYSTEM, []),
        ({"timeout_s": 30}, SYSTEM, ["webhook-slow"]),
        ({"timeout_s": 10}, SYSTEM, []),
    ],
)
def test_what_webhooks_cover(hook: dict[str, t.Any], labels: dict[str, str], expected: list[str]) -> None:
    verdict = decide(cluster(webhooks=[webhook(**hook)], system_labels=labels))
    assert [f["id"] for f in verdict["findings"]] == expected


@pytest.mark.parametrize(
    ("hook", "to", "expected"),
    [
        ({"covers_service_cidrs": True}, "1.33.5", ["webhook-blocks-service-cidr"]),
        ({"covers_service_cidrs": True}, "1.32.9", []),
        ({"covers_service_cidrs": True, "narrowed": True}, "1.33.5", []),
        ({}, "1.33.5", []),
    ],
)
def test_webhooks_on_the_way_to_service_cidrs(hook: dict[str, t.Any], to: str, expected: list[str]) -> None:
    old = {
        "nodes": [node("c1", "v1.32.4", control_plane=True), node("w1", "v1.32.4")],
        "pods": control_plane("c1", "v1.32.4", "3.5.24-0"),
        "cluster_config": {"apiVersion": "kubeadm.k8s.io/v1beta4", "kubernetesVersion": "v1.32.4"},
    }
    verdict = decide(cluster(**old, webhooks=[webhook(**hook)]), to)
    assert [f["id"] for f in verdict["findings"]] == expected
