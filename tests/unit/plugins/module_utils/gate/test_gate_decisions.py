# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the gate makes of one look, and of several in a row."""

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import decisions, model
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.waiting import wait_until_good
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

V1354 = Version.parse("1.35.4")
READY = {"type": "Ready", "status": "True"}


def node(name: str, *, ready: bool = True, kubelet: str = "v1.35.4", control_plane: bool = False) -> dict[str, t.Any]:
    condition = READY if ready else {**READY, "status": "Unknown", "reason": "NodeStatusUnknown", "message": "gone"}
    labels = {"node-role.kubernetes.io/control-plane": ""} if control_plane else {}
    return {
        "metadata": {"name": name, "labels": labels},
        "status": {"conditions": [condition], "nodeInfo": {"kubeletVersion": kubelet}},
    }


def pod(name: str, on: str, *, ready: bool = True, phase: str = "Running", **more: t.Any) -> dict[str, t.Any]:
    return {
        "metadata": {"namespace": "kube-system", "name": name, **more},
        "spec": {"nodeName": on, "containers": [{"name": "main", "image": "registry.k8s.io/main:v1"}]},
        "status": {"phase": phase, "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def static(
    component: str, on: str, tag: str = "v1.35.4", *, ready: bool = True, command: tuple[str, ...] = ()
) -> dict[str, t.Any]:
    found = pod(
        f"{component}-{on}",
        on,
        ready=ready,
        labels={"component": component},
        annotations={model.MIRROR_ANNOTATION: "hash"},
    )
    found["spec"]["containers"] = [
        {"name": component, "image": f"registry.k8s.io/{component}:{tag}", "command": [component, *command]}
    ]
    return found


def server(on: str, readyz: dict[str, t.Any] | None = None, version: str = "v1.35.4") -> dict[str, t.Any]:
    return {
        "node": on,
        "address": "192.0.2.1:6443",
        "readyz": readyz or {"status": 200, "body": "ok"},
        "version": {"status": 200, "body": version},
    }


def control_plane_look() -> dict[str, t.Any]:
    stacked = ("--etcd-servers=https://127.0.0.1:2379",)
    return {
        "errors": {},
        "nodes": [node("c1", control_plane=True), node("c2", control_plane=True), node("w1")],
        "system_pods": [
            *(static(component, on) for component in model.VERSIONED_COMPONENTS[1:] for on in ("c1", "c2")),
            *(static("kube-apiserver", on, command=stacked) for on in ("c1", "c2")),
            *(static("etcd", on, "3.6.6-0") for on in ("c1", "c2")),
        ],
        "daemon_sets": [],
        "workloads": [],
        "heartbeats": {"c1": "t1", "c2": "t1", "w1": "t1"},
        "first_heartbeats": {"c1": "t0", "c2": "t0", "w1": "t0"},
        "api_servers": [server("c1"), server("c2")],
    }


def bad(look: dict[str, t.Any], condition: str, **wanted: t.Any) -> list[tuple[str, str]]:
    """Subject and what was seen of each check that is not met."""
    want = decisions.Wanted((condition,), version=wanted.pop("version", V1354), **wanted)
    return [(c["subject"], c["seen"]) for c in decisions.unmet(decisions.judge(want, t.cast("decisions.Look", look)))]


@pytest.mark.parametrize("condition", decisions.CONDITIONS)
@pytest.mark.parametrize("on", [None, "c1"])
def test_a_good_cluster_meets_everything(condition: str, on: str | None) -> None:
    assert bad(control_plane_look(), condition, node=on) == []


def kube_proxy(wanted: int, updated: int, available: int, **more: t.Any) -> dict[str, t.Any]:
    status = {"desiredNumberScheduled": wanted, "updatedNumberScheduled": updated, "numberAvailable": available}
    return {
        "metadata": {"namespace": "kube-system", "name": "kube-proxy", "generation": 2},
        "spec": {"updateStrategy": {"type": more.pop("strategy", "RollingUpdate")}},
        "status": {**status, "observedGeneration": 2, **more},
    }


@pytest.mark.parametrize(
    ("daemon_set", "held_by", "seen"),
    [
        (kube_proxy(3, 3, 3), "", None),
        (kube_proxy(3, 2, 3), "", "2 of 3 pods are updated, 3 available"),
        (kube_proxy(3, 3, 2), "", "3 of 3 pods are updated, 2 available"),
        (kube_proxy(3, 3, 3, observedGeneration=1), "", "not observed yet"),
        # With a pod that cannot become available, the DaemonSet controller replaces no other one.
        (kube_proxy(3, 0, 2), "node", None),
        (kube_proxy(3, 0, 1), "node", "0 of 3 pods are updated, 1 available"),
        (kube_proxy(3, 1, 2), "pod before", None),
        (kube_proxy(3, 1, 2), "pod", "1 of 3 pods are updated, 2 available"),
        (kube_proxy(3, 0, 3, strategy="OnDelete"), "", None),
    ],
)
def test_an_update_of_kube_proxy(daemon_set: dict[str, t.Any], held_by: str, seen: str | None) -> None:
    look = control_plane_look()
    look["daemon_sets"] = [daemon_set]
    if held_by == "node":
        look["nodes"][-1] = node("w1", ready=False)
    elif held_by:
        owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "kube-proxy", "uid": "u", "controller": True}
        look["system_pods"].append(pod("kube-proxy-x", "w1", ready=False, ownerReferences=[owner]))
        look["before"] = {"daemonset/kube-system/kube-proxy": ["w1"]} if held_by == "pod before" else {}
    found = bad(look, "kube_proxy_updated")
    assert found == ([("DaemonSet kube-system/kube-proxy", seen)] if seen else [])


@pytest.mark.parametrize(
    ("renewed", "seen"),
    [
        ("2026-01-31T12:00:00.123456Z", []),
        ("2026-01-31T12:00:00.122999Z", ["Lease renewed at 2026-01-31T12:00:00.122999Z, not since"]),
        (None, ["Lease renewed at never, not since"]),
    ],
)
def test_a_heartbeat_since_a_moment(renewed: str | None, seen: list[str]) -> None:
    """One that came before the first look counts as well."""
    look = control_plane_look()
    look["heartbeats"] = look["first_heartbeats"] = {"w1": renewed} if renewed else {}
    found = bad(look, "node_heartbeat", node="w1", heartbeat_after="2026-01-31T12:00:00.123Z")
    assert [text.partition(" 2026-01-31T12:00:00.123Z")[0] for _subject, text in found] == seen


@pytest.mark.parametrize("condition", [c for c in decisions.CONDITIONS if c != "workloads_ready"])
def test_what_could_not_be_read_is_not_met(condition: str) -> None:
    part = decisions.NEEDS[condition][0]
    found = bad({"errors": {part: "connection refused"}}, condition, node="c1")
    assert found == [("c1", f"could not be read: {part}: connection refused")]


@pytest.mark.parametrize(
    "condition",
    ["node_ready", "node_heartbeat", "kubelet_version", "control_plane_ready", "etcd_ready", "system_pods_ready"],
)
def test_a_node_that_is_not_there(condition: str) -> None:
    assert bad(control_plane_look(), condition, node="c9") == [("c9", "the cluster has no node of this name")]


def change(path: str, value: t.Any) -> t.Callable[[dict[str, t.Any]], None]:
    """Set a value at a path of keys and indices such as ``nodes.0.spec``."""

    def apply(look: dict[str, t.Any]) -> None:
        here: t.Any = look
        *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        for step in way:
            here = here[step]
        if value is KeyError:
            del here[last]
        else:
            here[last] = value

    return apply


def without(component: str, on: str) -> t.Callable[[dict[str, t.Any]], None]:
    def apply(look: dict[str, t.Any]) -> None:
        look["system_pods"] = [p for p in look["system_pods"] if p["metadata"]["name"] != f"{component}-{on}"]

    return apply


def replaced(new: dict[str, t.Any]) -> t.Callable[[dict[str, t.Any]], None]:
    def apply(look: dict[str, t.Any]) -> None:
        names = [p["metadata"]["name"] for p in look["system_pods"]]
        look["system_pods"][names.index(new["metadata"]["name"])] = new

    return apply


@pytest.mark.parametrize(
    ("condition", "on", "apply", "expected"),
    [
        ("node_ready", "c1", change("nodes.0", node("c1", ready=False)), "Ready=Unknown (NodeStatusUnknown: gone)"),
        ("node_ready", None, change("nodes.2", node("w1", ready=False)), "Ready=Unknown"),
        ("node_ready", "c1", change("nodes.0.status", {}), "no condition Ready is reported"),
        ("node_heartbeat", "w1", change("heartbeats.w1", "t0"), "not since the gate began"),
        ("node_heartbeat", "w1", change("heartbeats", {}), "renewed at never"),
        (
            "kubelet_version",
            "w1",
            change("nodes.2", node("w1", kubelet="v1.34.4")),
            "reports v1.34.4, expected v1.35.4",
        ),
        ("kubelet_version", "w1", change("nodes.2.status.nodeInfo", {}), "reports nothing, expected v1.35.4"),
        ("control_plane_ready", "c2", without("kube-scheduler", "c2"), "shows no such static pod"),
        (
            "control_plane_ready",
            "c2",
            replaced(static("kube-apiserver", "c2", "v1.34.4")),
            "Ready with image tag v1.34.4, expected v1.35.4",
        ),
        ("control_plane_ready", None, replaced(static("kube-scheduler", "c1", ready=False)), "phase Running"),
        ("etcd_ready", "c1", without("etcd", "c1"), "shows no such static pod"),
        ("etcd_ready", None, replaced(static("etcd", "c2", "3.6.6-0", ready=False)), "Ready=False"),
        (
            "api_servers_ready",
            "c1",
            change("api_servers.1.readyz", {"error": "connection refused"}),
            "no answer: connection refused",
        ),
        (
            "api_servers_ready",
            None,
            change("api_servers.0.readyz", {"status": 500, "body": "[+]ping ok\n[-]etcd failed: reason withheld\n"}),
            "/readyz: 500 [-]etcd failed: reason withheld",
        ),
        ("api_servers_ready", "w1", change("api_servers", [server("c1")]), "shows no kube-apiserver static pod"),
        ("api_version", "c1", change("api_servers.0", server("c1", version="v1.34.4")), "v1.34.4, expected v1.35.4"),
        ("api_version", "c1", change("api_servers.0.version", {"error": "timed out"}), "no answer: timed out"),
        ("api_version", "c1", change("api_servers", []), "shows no kube-apiserver static pod"),
        ("system_pods_ready", "c1", lambda x: x["system_pods"].append(pod("dns", "c1", ready=False)), "phase Running"),
        (
            "system_pods_ready",
            None,
            lambda x: x["system_pods"].append(pod("dns", "", ready=False, phase="Pending")),
            "phase Pending",
        ),
        (
            "system_pods_ready",
            "c1",
            lambda x: x["system_pods"][0]["metadata"].update(deletionTimestamp="now"),
            "is being deleted",
        ),
    ],
)
def test_one_thing_wrong(
    condition: str, on: str | None, apply: t.Callable[[dict[str, t.Any]], None], expected: str
) -> None:
    look = control_plane_look()
    apply(look)
    found = bad(look, condition, node=on)
    assert len(found) == 1, found
    assert expected in found[0][1]


@pytest.mark.parametrize(
    ("condition", "on", "apply"),
    [
        ("node_ready", "c1", change("nodes.2", node("w1", ready=False))),
        ("control_plane_ready", "c1", without("kube-scheduler", "c2")),
        ("api_version", "c1", change("api_servers.1", server("c2", version="v1.34.4"))),
        ("system_pods_ready", "c1", lambda look: look["system_pods"].append(pod("dns", "c2", ready=False))),
        ("system_pods_ready", "c1", lambda look: look["system_pods"].append(pod("job", "c1", phase="Succeeded"))),
        ("system_pods_ready", "c1", lambda look: look["system_pods"].append(pod("evicted", "c1", phase="Failed"))),
    ],
)
def test_what_does_not_concern(condition: str, on: str, apply: t.Callable[[dict[str, t.Any]], None]) -> None:
    look = control_plane_look()
    apply(look)
    assert bad(look, condition, node=on) == []


def test_external_etcd_has_no_pod_to_wait_for() -> None:
    look = control_plane_look()
    remote = ("--etcd-servers=https://etcd1.example:2379,https://etcd2.example:2379",)
    look["system_pods"] = [static("kube-apiserver", on, command=remote) for on in ("c1", "c2")]
    assert bad(look, "etcd_ready", node="c1") == []


@pytest.mark.parametrize(
    ("status", "generation", "selector", "has_pod", "expected"),
    [
        ((3, 3), 1, {}, False, 0),
        ((3, 2), 1, {}, False, 1),
        ((3, 2), 1, {}, True, 0),
        ((3, 2), 1, {"disk": "fast"}, False, 0),
        ((3, 3), 2, {}, True, 1),
    ],
)
def test_daemon_sets(
    status: tuple[int, int], generation: int, selector: dict[str, t.Any], has_pod: bool, expected: int
) -> None:
    look = control_plane_look()
    look["daemon_sets"] = [
        {
            "metadata": {"namespace": "kube-system", "name": "kube-proxy", "uid": "d1", "generation": generation},
            "spec": {"template": {"spec": {"nodeSelector": selector}}},
            "status": {
                "observedGeneration": 1,
                "desiredNumberScheduled": status[0],
                "currentNumberScheduled": status[1],
            },
        }
    ]
    if has_pod:
        owner = {"kind": "DaemonSet", "uid": "d1", "controller": True}
        look["system_pods"].append(pod("kube-proxy-x", "w1", ownerReferences=[owner]))
    assert len(bad(look, "system_pods_ready", node="w1")) == expected


def workload(
    kind: str, desired: int, available: int, *, conditions: list[t.Any] | None = None, generation: int = 1
) -> dict[str, t.Any]:
    return {
        "kind": kind,
        "metadata": {"namespace": "shop", "name": "cart", "generation": generation},
        "spec": {} if kind == "DaemonSet" else {"replicas": desired},
        "status": {
            "observedGeneration": 1,
            "desiredNumberScheduled": desired,
            "numberAvailable": available,
            "availableReplicas": available,
            "conditions": conditions or [],
        },
    }


@pytest.mark.parametrize(
    ("found", "wanted", "expected"),
    [
        (workload("Deployment", 2, 2), {}, True),
        (workload("Deployment", 2, 1), {}, False),
        (workload("Deployment", 4, 3, conditions=[{"type": "Available", "status": "True"}]), {}, True),
        (workload("StatefulSet", 2, 1, conditions=[{"type": "Available", "status": "True"}]), {}, False),
        (workload("DaemonSet", 3, 2), {}, False),
        (workload("DaemonSet", 0, 0), {}, True),
        (workload("Deployment", 2, 2, generation=2), {}, False),
        (workload("Deployment", 2, 0), {"ignored_workloads": frozenset({"shop/cart"})}, True),
        (workload("Deployment", 2, 0), {"workload_namespaces": ("other",)}, True),
        (workload("Deployment", 2, 0), {"workload_namespaces": ("shop",)}, False),
    ],
)
def test_workloads(found: dict[str, t.Any], wanted: dict[str, t.Any], expected: bool) -> None:
    assert (bad({"errors": {}, "workloads": [found]}, "workloads_ready", **wanted) == []) is expected


def test_the_message_names_what_is_left_and_stays_short() -> None:
    checks = [decisions.Check(name="node_ready", subject=f"n{i}", ok=False, seen="gone") for i in range(12)]
    text = decisions.sentence(checks, limit=2)
    assert text == "node_ready of n0: gone; node_ready of n1: gone; and 10 more"


GOOD = [decisions.Check(name="node_ready", subject="n", ok=True, seen="Ready")]
BAD = [decisions.Check(name="node_ready", subject="n", ok=False, seen="gone")]


@pytest.mark.parametrize(
    ("looks", "consecutive", "timeout", "ready", "taken"),
    [
        ([GOOD, GOOD], 2, 60, True, 2),
        ([GOOD, BAD, GOOD, GOOD], 2, 60, True, 4),
        ([BAD, BAD, GOOD], 1, 60, True, 3),
        ([GOOD], 2, 0, True, 1),
        ([BAD], 2, 0, False, 1),
    ],
)
def test_looks_in_a_row(looks: list[t.Any], consecutive: int, timeout: int, ready: bool, taken: int) -> None:
    left = copy.copy(looks)
    outcome = wait_until_good(lambda: left.pop(0), deadline=Deadline(timeout), consecutive=consecutive, interval_s=0)
    assert (outcome.ready, outcome.looks, left) == (ready, taken, [])


def test_the_deadline_ends_a_wait_that_never_gets_good() -> None:
    outcome = wait_until_good(lambda: BAD, deadline=Deadline(0.05), consecutive=2, interval_s=0.01)
    assert not outcome.ready
    assert outcome.looks > 1
    assert outcome.checks == BAD


@pytest.mark.parametrize(
    ("annotation", "command", "host_ip", "expected"),
    [
        ("192.0.2.1:6443", ["--advertise-address=192.0.2.9"], "192.0.2.8", "192.0.2.1:6443"),
        (None, ["--advertise-address=192.0.2.9", "--secure-port=8443"], "192.0.2.8", "192.0.2.9:8443"),
        (None, [], "192.0.2.8", "192.0.2.8:6443"),
        (None, [], "2001:db8::1", "[2001:db8::1]:6443"),
        (None, [], None, None),
    ],
)
def test_advertise_address(
    annotation: str | None, command: list[t.Any], host_ip: str | None, expected: str | None
) -> None:
    found = static("kube-apiserver", "c1", command=tuple(command))
    if annotation:
        found["metadata"]["annotations"][model.ENDPOINT_ANNOTATION] = annotation
    found["status"]["hostIP"] = host_ip
    assert model.advertise_address(found) == expected
    # One that was put before the API server's container has flags of its own.
    found["spec"]["containers"].insert(0, {"name": "proxy", "command": ["proxy", "--secure-port=1"]})
    assert model.advertise_address(found) == expected


@pytest.mark.parametrize(
    ("selector", "labels", "expected"),
    [
        (None, {"app": "a"}, False),
        ({}, {"app": "a"}, True),
        ({"matchLabels": {"app": "a"}}, {"app": "a", "x": "y"}, True),
        ({"matchLabels": {"app": "a"}}, {"app": "b"}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]}, {"app": "b"}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]}, {}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, {}, False),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, {}, True),
    ],
)
def test_selectors(selector: dict[str, t.Any] | None, labels: dict[str, t.Any], expected: bool) -> None:
    assert model.matches_selector(selector, labels) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ('{"by": "evergreen.kubeadm", "run": "r1", "at": "t"}', {"by": "evergreen.kubeadm", "run": "r1", "at": "t"}),
        ("r1", {"run": "r1"}),
        ("7", {"run": "7"}),
    ],
)
def test_who_cordoned(text: str | None, expected: dict[str, t.Any] | None) -> None:
    found = node("w1")
    if text is not None:
        found["metadata"]["annotations"] = {model.CORDON_ANNOTATION: text}
    found["spec"] = {"unschedulable": True}
    assert model.cordoned_by(found) == expected
    assert not model.has_stale_mark(found)


@pytest.mark.parametrize(
    ("spec", "setters"),
    [
        pytest.param({}, [], id="uncordoned by hand"),
        pytest.param({"unschedulable": True}, ["kubectl-cordon"], id="and cordoned by hand"),
    ],
)
def test_the_mark_of_a_cordon_that_is_over(spec: dict[str, t.Any], setters: list[str]) -> None:
    found = node("w1")
    found["metadata"]["annotations"] = {model.CORDON_ANNOTATION: '{"run": "r1"}'}
    fields = {"f:spec": {"f:unschedulable": {}}}
    found["metadata"]["managedFields"] = [{"manager": name, "fieldsV1": fields} for name in setters]
    found["spec"] = spec
    assert model.cordoned_by(found) is None
    assert model.has_stale_mark(found) is not bool(spec)


def test_nodes_that_are_left_out() -> None:
    look = control_plane_look()
    look["nodes"] = [node("c1", ready=False), node("c2", ready=False)]
    assert [subject for subject, _seen in bad(look, "node_ready")] == ["c1", "c2"]
    assert [subject for subject, _seen in bad(look, "node_ready", ignored_nodes=frozenset({"c1"}))] == ["c2"]
