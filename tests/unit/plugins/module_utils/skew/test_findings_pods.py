# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that a drain refuses, loses or cannot move, and room for those that it moves."""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_capacity import quantity, requests_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_pods import tolerates, workload_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.folding import ALIKE_SHOWN, fold
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Volume, finding
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.cases import (
    budget,
    cluster,
    control_plane,
    decide,
    node,
    pod,
    said,
)

EVERYTHING = [{"operator": "Exists"}]
DAEMON = [{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "controller": True}]
CLAIM = {"name": "d", "persistentVolumeClaim": {"claimName": "data"}}


def with_spec(name: str, on: str = "w1", **spec: t.Any) -> dict[str, t.Any]:
    made = pod(name, on)
    made["spec"].update(spec)
    return made


def owned(name: str, kind: str, owner: str, on: str = "w1", ready: str = "True", **labels: str) -> dict[str, t.Any]:
    made = pod(name, on, labels or None, ownerReferences=[{"kind": kind, "name": owner, "controller": True}])
    made["status"]["conditions"][0]["status"] = ready
    return made


def volume(claim: str = "shop/data", *nodes: str) -> Volume:
    return Volume(name="v", claim=claim, kind="local", nodes=list(nodes))


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        pytest.param([pod("a")], [], id="a plain pod"),
        pytest.param([pod("a", ownerReferences=[])], [("warning", "pod-unmanaged", "namespace/shop")], id="bare"),
        pytest.param([pod("a", "elsewhere", ownerReferences=[])], [], id="bare, on a node that is not drained"),
        pytest.param(
            [with_spec("a", volumes=[{"name": "x", "emptyDir": {}}])],
            [("warning", "pod-local-data", "namespace/shop")],
            id="emptyDir",
        ),
        pytest.param([with_spec("a", volumes=[{"name": "x", "configMap": {}}])], [], id="other volumes"),
        pytest.param(
            [with_spec("a", tolerations=EVERYTHING)],
            [("warning", "pod-tolerates-everything", "namespace/shop")],
            id="tolerates everything",
        ),
        pytest.param(
            [{**with_spec("a", tolerations=EVERYTHING), "metadata": pod("a", ownerReferences=DAEMON)["metadata"]}],
            [],
            id="a DaemonSet's pod may",
        ),
        pytest.param(
            [with_spec("a", tolerations=[{"key": "dedicated", "operator": "Exists"}])], [], id="tolerates one thing"
        ),
        pytest.param(
            [owned("a", "StatefulSet", "db")], [("note", "workload-singleton", "namespace/shop")], id="singleton"
        ),
        pytest.param([owned("a", "StatefulSet", "db"), owned("b", "StatefulSet", "db", "w2")], [], id="two of them"),
        pytest.param(
            [owned("a", "StatefulSet", "db"), owned("b", "StatefulSet", "db", "w2", ready="False")],
            [("note", "workload-singleton", "namespace/shop")],
            id="two, of which one serves",
        ),
        pytest.param(
            [
                owned("a", "ReplicaSet", "web-1a2b", **{"pod-template-hash": "1a2b"}),
                owned("b", "ReplicaSet", "web-3c4d", **{"pod-template-hash": "3c4d"}),
            ],
            [],
            id="two ReplicaSets of one Deployment",
        ),
    ],
)
def test_pods(pods: list[dict[str, t.Any]], expected: list[t.Any]) -> None:
    assert said(decide(cluster(pods=[*control_plane("c1"), *pods]))) == expected


@pytest.mark.parametrize(
    ("volumes", "expected"),
    [
        ([], []),
        ([volume("shop/data", "w1")], [("warning", "volume-pinned", "namespace/shop")]),
        ([volume("shop/data", "w1", "w2")], []),
        ([volume("shop/data")], []),
        ([volume("shop/other", "w1")], []),
        ([volume("bank/data", "w1")], []),
    ],
)
def test_pinned_volumes(volumes: list[Volume], expected: list[t.Any]) -> None:
    pods = [*control_plane("c1"), with_spec("a", volumes=[CLAIM])]
    assert said(decide(cluster(pods=pods, volumes=volumes))) == expected


@pytest.mark.parametrize(
    ("toleration", "expected"),
    [
        ({"operator": "Exists"}, True),
        ({"operator": "Exists", "effect": "NoSchedule"}, True),
        ({"operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "k", "operator": "Exists"}, True),
        ({"key": "k", "value": "v"}, True),
        ({"key": "k", "operator": "Equal", "value": "w"}, False),
        ({"key": "other", "operator": "Exists"}, False),
        ({}, False),
    ],
)
def test_tolerations(toleration: dict[str, str], expected: bool) -> None:
    assert tolerates({"spec": {"tolerations": [toleration]}}, "k", "NoSchedule", "v") is expected


def test_the_deployment_is_told_by_the_hash_in_the_name() -> None:
    assert workload_of(owned("a", "ReplicaSet", "web-x-1a2b", **{"pod-template-hash": "1a2b"})) == (
        "Deployment",
        "shop",
        "web-x",
    )
    assert workload_of(owned("a", "ReplicaSet", "web-1a2b")) == ("ReplicaSet", "shop", "web-1a2b")
    assert workload_of(pod("a", ownerReferences=[])) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("250m", 0.25),
        ("2", 2),
        (1.5, 1.5),
        ("1Ki", 1024),
        ("1k", 1000),
        ("1Gi", 2**30),
        ("1e3", 1000),
        ("1E", 1e18),
        ("0.5Mi", 2**19),
        ("100u", 1e-4),
        ("x", 0),
        ("", 0),
        (None, 0),
    ],
)
def test_quantities(text: object, expected: float) -> None:
    assert quantity(text) == pytest.approx(expected)


def asks(cpu: str, memory: str = "0", **more: t.Any) -> dict[str, t.Any]:
    return {"resources": {"requests": {"cpu": cpu, "memory": memory}}, **more}


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        ({}, 0),
        ({"containers": [asks("1"), asks("500m"), {}]}, 1.5),
        ({"containers": [asks("1")], "initContainers": [asks("3")]}, 3),
        ({"containers": [asks("1")], "initContainers": [asks("1", restartPolicy="Always"), asks("3")]}, 4),
        ({"containers": [asks("1")], "initContainers": [asks("3"), asks("1", restartPolicy="Always")]}, 3),
        ({"containers": [asks("1")], "overhead": {"cpu": "250m"}}, 1.25),
        ({"containers": [asks("1")], "resources": {"requests": {"cpu": "5"}}}, 5),
    ],
)
def test_requests(spec: dict[str, t.Any], cpu: float) -> None:
    assert requests_of({"spec": spec})[0] == pytest.approx(cpu)


def sized(name: str, cpu: str = "4", memory: str = "8Gi", pods: str = "110", **spec: t.Any) -> dict[str, t.Any]:
    made = node(name, **spec)
    made["status"]["allocatable"] = {"cpu": cpu, "memory": memory, "pods": pods}
    return made


PLANE = {**sized("c1", taints=[{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}])}
PLANE["metadata"] = node("c1", control_plane=True)["metadata"]
BUSY = [with_spec(f"p{number}", containers=[asks("1", "1Gi")]) for number in range(3)]


@pytest.mark.parametrize(
    ("workers", "pods", "expected"),
    [
        pytest.param([sized("w1"), sized("w2")], BUSY, "", id="room enough"),
        pytest.param([sized("w1"), sized("w2", cpu="2")], BUSY, "shop/p2", id="too few CPUs on the one that may"),
        pytest.param([sized("w1"), sized("w2", unschedulable=True)], BUSY, "find no node", id="the other is cordoned"),
        pytest.param([sized("w1"), sized("w2"), node("w3")], BUSY * 9, "", id="a node that does not tell"),
        pytest.param([sized("w1"), sized("w2", pods="2")], BUSY, "find no node", id="too many pods"),
        pytest.param(
            [sized("w1"), sized("w2", cpu="2"), sized("w3", cpu="2", memory="1Gi")],
            [with_spec("big", containers=[asks("3")])],
            "shop/big",
            id="in total enough, on no node",
        ),
        pytest.param(
            [sized("w1"), sized("w2", cpu="1", memory="1Gi")],
            BUSY * 9,
            "ask for more than is free",
            id="far too little",
        ),
        pytest.param(
            [sized("w1"), sized("w2")],
            [with_spec("gpu", containers=[asks("1")], nodeSelector={"gpu": "yes"})],
            "shop/gpu",
            id="no other node of its selector",
        ),
        pytest.param(
            [sized("w1"), sized("w2", taints=[{"key": "k", "effect": "NoSchedule"}])],
            [with_spec("a", containers=[asks("1")], tolerations=[{"key": "k", "operator": "Exists"}])],
            "",
            id="a taint that it tolerates",
        ),
    ],
)
def test_room_for_the_largest_node(workers: list[t.Any], pods: list[t.Any], expected: str) -> None:
    verdict = decide(cluster(nodes=[PLANE, *workers], pods=[*control_plane("c1"), *pods]))
    found = [entry for entry in verdict["findings"] if entry["id"] == "capacity-short"]
    assert [entry["subject"] for entry in found] == (["node/w1"] if expected else [])
    assert not found or expected in found[0]["evidence"]


def large(namespaces: int) -> dict[str, t.Any]:
    """2,000 pods on 200 nodes, everything wrong with each, and a budget for each."""
    nodes = [PLANE, *(sized(f"w{number}") for number in range(200))]
    pods, budgets = control_plane("c1"), []
    for number in range(2000):
        made = with_spec(
            f"p{number}",
            f"w{number % 200}",
            containers=[asks("300m", "500Mi")],
            volumes=[{"name": "x", "emptyDir": {}}],
            tolerations=EVERYTHING,
        )
        namespace, labels = f"n{number % namespaces}", {"app": f"a{number}"}
        made["metadata"] = {"namespace": namespace, "name": f"p{number}", "labels": labels}
        wants = budget(f"b{number}", minAvailable=1)
        wants["metadata"]["namespace"] = namespace
        wants["spec"]["selector"] = {"matchLabels": labels}
        pods.append(made)
        budgets.append(wants)
    return {"nodes": nodes, "pods": pods, "budgets": budgets}


@pytest.mark.parametrize("namespaces", [1, 500])
def test_a_large_cluster_gives_tens_of_findings(namespaces: int) -> None:
    given = large(namespaces)
    begin = time.process_time()
    verdict = decide(cluster(**given))
    # Budgets times pods is four million here.
    assert time.process_time() - begin < 5
    assert len(verdict["findings"]) < 100
    ids = {entry["id"] for entry in verdict["findings"]}
    assert {"pod-unmanaged", "pod-local-data", "pod-tolerates-everything", "budget-never-allows"} <= ids


def test_many_alike_are_folded() -> None:
    few = [finding("a", "note", f"s{n}", "e", "r") for n in range(ALIKE_SHOWN)]
    assert fold(few) == few
    many = [finding("a", "note", f"s{n:03}", "e", "r") for n in range(500)] + [finding("b", "note", "x", "e", "r")]
    folded = fold(many)
    assert len(folded) == ALIKE_SHOWN + 1
    assert folded[-1]["id"] == "b"
    assert folded[-2]["subject"] == f"{500 - ALIKE_SHOWN + 1} more"
    assert "s019" in folded[-2]["evidence"]
