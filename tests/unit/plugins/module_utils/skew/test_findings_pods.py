# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that a drain refuses, loses or cannot move, and room for those that it moves."""

from __future__ import annotations

import time
import typing as t
from datetime import datetime, timezone

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import tolerates, workload_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_capacity import quantity, requests_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.folding import ALIKE_SHOWN, fold
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Volume, finding
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.cases import (
    NOW,
    budget,
    cluster,
    control_plane,
    decide,
    drain,
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


def pending(made: dict[str, t.Any]) -> dict[str, t.Any]:
    made["status"] = {"phase": "Pending"}
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
        pytest.param([pod("a", ownerReferences=[])], [("blocker", "pod-unmanaged", "namespace/shop")], id="bare"),
        pytest.param([pod("a", "elsewhere", ownerReferences=[])], [], id="bare, on a node that is not drained"),
        pytest.param(
            [with_spec("a", volumes=[{"name": "x", "emptyDir": {}}])],
            [("blocker", "pod-local-data", "namespace/shop")],
            id="emptyDir",
        ),
        pytest.param([with_spec("a", volumes=[{"name": "x", "configMap": {}}])], [], id="other volumes"),
        pytest.param(
            [with_spec("a", tolerations=EVERYTHING)],
            [("note", "pod-tolerates-everything", "namespace/shop")],
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


def scratch(*volumes: dict[str, t.Any], **annotations: str) -> dict[str, t.Any]:
    """A pod with emptyDir volumes of these kinds, v0 and so on."""
    made = with_spec("a", volumes=[{"name": f"v{place}", "emptyDir": kind} for place, kind in enumerate(volumes)])
    made["metadata"]["annotations"] = {
        f"cluster-autoscaler.kubernetes.io/{key}": text for key, text in annotations.items()
    }
    return made


BARE = pod("a", ownerReferences=[])
SKIP = {"pod_rules": [{"selector": "app=cart", "behaviour": "skip"}]}
MEMORY = {"medium": "Memory"}
SAFE = "safe-to-evict-local-volumes"


@pytest.mark.parametrize(
    ("found", "options", "expected"),
    [
        pytest.param(BARE, {}, ("blocker", "pod-unmanaged"), id="a bare pod"),
        pytest.param(BARE, {"force": True}, ("note", "pod-unmanaged"), id="a bare pod, by force"),
        pytest.param(BARE, SKIP, None, id="a bare pod that stays"),
        pytest.param(
            pod("a", labels={"app": "cart", "cluster.x-k8s.io/drain": "skip"}, ownerReferences=[]), {}, None, id="label"
        ),
        pytest.param(scratch({}), {}, ("blocker", "pod-local-data"), id="emptyDir"),
        pytest.param(scratch({}), {"delete_emptydir_data": True}, ("note", "pod-local-data"), id="emptyDir may go"),
        pytest.param(scratch({}), {"force": True}, ("blocker", "pod-local-data"), id="force is about something else"),
        pytest.param(scratch({}), SKIP, None, id="emptyDir that stays"),
        pytest.param(scratch(MEMORY), {}, None, id="in memory"),
        pytest.param(scratch(MEMORY, {}), {}, ("blocker", "pod-local-data"), id="one in memory, one not"),
        pytest.param(scratch({}, {}, **{SAFE: "v0, v1"}), {}, None, id="both said to be safe"),
        pytest.param(scratch({}, {}, **{SAFE: "v0"}), {}, ("blocker", "pod-local-data"), id="one said to be safe"),
        pytest.param(pod("a", ownerReferences=DAEMON), {}, None, id="of a DaemonSet"),
        pytest.param(
            pod("a", ownerReferences=DAEMON),
            {"ignore_daemonsets": False},
            ("blocker", "pod-of-daemonset"),
            id="of a DaemonSet, which may not stay",
        ),
    ],
)
def test_what_a_drain_refuses(
    found: dict[str, t.Any], options: dict[str, t.Any], expected: tuple[str, str] | None
) -> None:
    verdict = decide(cluster(pods=[*control_plane("c1"), found]), drain=drain(**options))
    assert said(verdict) == ([(*expected, "namespace/shop")] if expected else [])


def test_a_pod_of_a_daemon_set_that_is_gone() -> None:
    pods = [*control_plane("c1"), pod("a", ownerReferences=DAEMON)]
    assert said(decide(cluster(pods=pods, daemon_sets={("shop", "agent")}))) == []
    assert said(decide(cluster(pods=pods, daemon_sets=set()))) == [("blocker", "pod-unmanaged", "namespace/shop")]


def test_remedies_are_commands_and_options() -> None:
    (found,) = decide(cluster(pods=[*control_plane("c1"), scratch({}, MEMORY)]))["findings"]
    assert "-e kubelet_drain_delete_emptydir_data=true" in found["remedy"]
    assert (
        f"kubectl -n shop annotate pod a --overwrite cluster-autoscaler.kubernetes.io/{SAFE}=v0,v1." in found["remedy"]
    )
    assert "kubectl -n shop label pod a --overwrite cluster.x-k8s.io/drain=skip" in found["remedy"]
    (found,) = decide(cluster(pods=[*control_plane("c1"), BARE]))["findings"]
    assert "-e kubelet_drain_force=true" in found["remedy"]


def test_only_what_the_run_drains_counts() -> None:
    pods = [*control_plane("c1"), BARE]
    assert said(decide(cluster(pods=pods), places=["c1"])) == []
    assert said(decide(cluster(pods=pods), places=["c1", "w1"])) == [("blocker", "pod-unmanaged", "namespace/shop")]
    # A kubelet that is replaced with its pods on the node.
    assert said(decide(cluster(pods=pods), "1.34.5", patch_without_drain=True)) == []
    # A first part of an upgrade that can be taken back drains nothing.
    verdict = decide(cluster(pods=pods), rollback_safe=True)
    assert "pod-unmanaged" not in [found["id"] for found in verdict["findings"]]


def leaving(seconds: float, **metadata: t.Any) -> dict[str, t.Any]:
    """A pod whose grace period was over so many seconds ago."""
    moment = datetime.fromtimestamp(NOW - seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return pod("a", deletionTimestamp=moment, **metadata)


HELD = {"finalizers": ["example.com/cleanup"]}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(leaving(-20), [], id="leaves in time"),
        pytest.param(leaving(5), [], id="a moment late"),
        pytest.param(leaving(5, **HELD), [("warning", "pod-stuck-terminating", "pod/shop/a")], id="held for a moment"),
        pytest.param(leaving(901, **HELD), [("blocker", "pod-stuck-terminating", "pod/shop/a")], id="held for long"),
        pytest.param(
            leaving(901), [("warning", "pod-stuck-terminating", "pod/shop/a")], id="late, and nothing holds it"
        ),
        pytest.param(leaving(-901), [("warning", "pod-grace-too-long", "namespace/shop")], id="still has long"),
        pytest.param(leaving(901, **HELD, ownerReferences=DAEMON), [], id="of a DaemonSet"),
        pytest.param(
            with_spec("a", terminationGracePeriodSeconds=3600),
            [("warning", "pod-grace-too-long", "namespace/shop")],
            id="an hour to stop",
        ),
        pytest.param(with_spec("a", terminationGracePeriodSeconds=900), [], id="as long as the drain"),
        pytest.param(
            pending(with_spec("a", terminationGracePeriodSeconds=3600)),
            [("warning", "pod-grace-too-long", "namespace/shop")],
            id="an hour to stop, and just starting",
        ),
    ],
)
def test_pods_that_do_not_go(found: dict[str, t.Any], expected: list[t.Any]) -> None:
    assert said(decide(cluster(pods=[*control_plane("c1"), found]))) == expected


def test_what_does_not_go_is_told_with_its_figures() -> None:
    (found,) = decide(cluster(pods=[*control_plane("c1"), leaving(901, **HELD)]))["findings"]
    assert "example.com/cleanup" in found["evidence"]
    assert 'kubectl -n shop patch pod a --type=merge -p \'{"metadata":{"finalizers":null}}\'' in found["remedy"]
    long = with_spec("a", terminationGracePeriodSeconds=3600)
    (found,) = decide(cluster(pods=[*control_plane("c1"), long]))["findings"]
    assert "3600 s" in found["evidence"] and "900 s (kubelet_drain_timeout_s)" in found["evidence"]
    assert "-e kubelet_drain_timeout_s=3660" in found["remedy"]
    assert said(decide(cluster(pods=[*control_plane("c1"), long]), drain=drain(wait_timeout=3660))) == []


WAIT = {"pod_rules": [{"selector": "app=cart", "behaviour": "wait_completed"}]}
NIGHT = [{"apiVersion": "batch/v1", "kind": "Job", "name": "night", "controller": True}]


@pytest.mark.parametrize(
    ("restart", "expected"),
    [
        ({"restartPolicy": "Never"}, []),
        ({"restartPolicy": "Always"}, ["pod-never-completes"]),
        ({}, ["pod-never-completes"]),
    ],
)
def test_pods_that_a_drain_waits_for(restart: dict[str, str], expected: list[str]) -> None:
    verdict = decide(cluster(pods=[*control_plane("c1"), with_spec("a", **restart)]), drain=drain(**WAIT))
    assert [(found["id"], found["severity"]) for found in verdict["findings"]] == [(id, "blocker") for id in expected]


IGNORED = {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]}
EXIT_CODES = {"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1]}}]}


@pytest.mark.parametrize(
    ("spec", "failed", "repeats"),
    [
        ({"backoffLimit": 0}, 0, False),
        ({"backoffLimit": 6}, 0, True),
        ({}, 5, True),
        ({}, 6, False),
        ({"backoffLimit": 0, "podFailurePolicy": IGNORED}, 0, True),
        ({"backoffLimit": 0, "podFailurePolicy": EXIT_CODES}, 0, False),
        ({"backoffLimit": 2147483647, "backoffLimitPerIndex": 0}, 0, False),
        ({"backoffLimit": 2147483647, "backoffLimitPerIndex": 1}, 0, True),
    ],
)
def test_jobs_that_cannot_be_repeated(spec: dict[str, t.Any], failed: int, repeats: bool) -> None:
    job = {"metadata": {"namespace": "shop", "name": "night"}, "spec": spec, "status": {"failed": failed}}
    found = cluster(pods=[*control_plane("c1"), pod("a", ownerReferences=NIGHT)], jobs={"shop/night": job})
    verdict = decide(found)
    assert said(verdict) == ([] if repeats else [("warning", "job-not-repeatable", "namespace/shop")])
    assert said(decide(found, drain=drain(pod_rules=[{"selector": "app=cart", "behaviour": "skip"}]))) == []


def test_a_daemon_set_of_another_group_comes_back() -> None:
    kruise = [{"apiVersion": "apps.kruise.io/v1beta1", "kind": "DaemonSet", "name": "agent", "controller": True}]
    found = pod("a", ownerReferences=kruise)
    found["spec"]["tolerations"] = EVERYTHING
    assert said(decide(cluster(pods=[*control_plane("c1"), found]))) == [
        ("note", "pod-tolerates-everything", "namespace/shop")
    ]


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


@pytest.mark.parametrize(
    ("serial", "expected"),
    [
        (["1"], []),
        (["2"], ["node/w1, w2"]),
        (["50%"], ["node/w1, w2"]),
        (["1", "3"], ["node/w2, w3, w4"]),
        (["0"], ["node/w1, w2, w3 and 1 more"]),
    ],
)
def test_room_while_several_workers_are_away(serial: list[str], expected: list[str]) -> None:
    workers = [sized(f"w{number}") for number in (1, 2, 3, 4)]
    # Each has 2.5 of 4 CPUs in use: the pods of one node find room on three others, those of two on two do not.
    pods = [
        with_spec(f"{on}-{cpu}", on=on, containers=[asks(cpu)])
        for on in ("w1", "w2", "w3", "w4")
        for cpu in ("1", "1500m")
    ]
    verdict = decide(cluster(nodes=[PLANE, *workers], pods=[*control_plane("c1"), *pods]), worker_serial=serial)
    found = [entry for entry in verdict["findings"] if entry["id"] == "capacity-short"]
    assert [entry["subject"] for entry in found] == expected
    assert all("upgrade_worker_serial" in entry["remedy"] for entry in found)


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
