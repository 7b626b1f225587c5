# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every finding: when it is made, how severe it is, and when it is not made."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import findings_workloads
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.acceptance import accept
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.hosts import read_host
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Host, finding
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.cases import (
    NOW,
    budget,
    cluster,
    control_plane,
    decide,
    node,
    pod,
    said,
    static,
)

DAY = 86400


def test_nothing_wrong_nothing_said() -> None:
    verdict = decide(cluster(), inventory=["c1", "w1"], control_plane=["c1"])
    assert said(verdict) == []
    assert verdict["upgrade_needed"]
    assert verdict["current"] == "1.34.4"
    assert [n["done"] for n in verdict["nodes"]] == [False, False]


def test_at_the_target() -> None:
    verdict = decide(cluster(), "1.34.4")
    assert (verdict["upgrade_needed"], verdict["hops"], said(verdict)) == (False, [], [])
    assert all(n["done"] for n in verdict["nodes"])


OURS = {api.CORDON_ANNOTATION: '{"by": "evergreen.kubeadm", "run": "r1", "at": "t"}'}
TWO_PLANES: dict[str, t.Any] = {"nodes": [node("c1", control_plane=True), node("c2", control_plane=True)]}


@pytest.mark.parametrize(
    ("changes", "request_", "expected"),
    [
        pytest.param(
            {"nodes": [node("c1", control_plane=True), node("w1", ready="Unknown")]},
            {},
            ("blocker", "node-not-ready", "node/w1"),
            id="node not ready",
        ),
        pytest.param(
            {"nodes": [node("c1", control_plane=True), node("w1", "")]},
            {},
            ("blocker", "kubelet-version-unknown", "node/w1"),
            id="no kubelet version",
        ),
        pytest.param(
            {"nodes": [node("c1", control_plane=True), node("w1", unschedulable=True)]},
            {},
            ("warning", "node-cordoned", "node/w1"),
            id="cordoned by somebody",
        ),
        pytest.param(
            {"nodes": [node("c1", control_plane=True), node("w1", unschedulable=True, annotations=OURS)]},
            {},
            ("note", "node-cordoned-by-run", "node/w1"),
            id="cordoned by a run",
        ),
        pytest.param(
            {},
            {"inventory": ["c1", "w1", "w2"]},
            ("blocker", "inventory-node-not-in-cluster", "node/w2"),
            id="extra host",
        ),
        pytest.param(
            {}, {"inventory": ["c1"]}, ("warning", "cluster-node-not-in-inventory", "node/w1"), id="worker not listed"
        ),
        pytest.param(
            {}, {"inventory": ["w1"]}, ("blocker", "cluster-node-not-in-inventory", "node/c1"), id="plane not listed"
        ),
        pytest.param(
            {},
            {"inventory": ["c1", "w1"], "control_plane": ["c1", "w1"]},
            ("blocker", "role-differs", "node/w1"),
            id="role differs",
        ),
        pytest.param(
            {"pods": control_plane("c1")[:2] + control_plane("c1")[3:]},
            {},
            ("blocker", "static-pod-missing", "pod/kube-system/kube-scheduler-c1"),
            id="static pod missing",
        ),
        pytest.param(
            {"pods": [*control_plane("c1")[:3], static("etcd", "c1", "3.6.5-0", ready="False")]},
            {},
            ("blocker", "static-pod-not-ready", "pod/kube-system/etcd-c1"),
            id="static pod not ready",
        ),
        pytest.param(
            {**TWO_PLANES, "pods": [*control_plane("c1", "v1.34.4"), *control_plane("c2", "v1.36.3")]},
            {"target": "1.36.3", "available": ["1.35.4"]},
            ("blocker", "api-servers-too-far-apart", "cluster"),
            id="API servers too far apart",
        ),
        pytest.param(
            {"nodes": [node("c1", control_plane=True), node("w1", "v1.35.0")]},
            {},
            ("blocker", "kubelet-newer-than-api-server", "node/w1"),
            id="kubelet newer",
        ),
        pytest.param(
            {"nodes": [node("c1", control_plane=True), node("w1", "v1.30.9")]},
            {},
            ("blocker", "kubelet-too-old", "node/w1"),
            id="kubelet too old now",
        ),
        pytest.param(
            {"nodes": [node("c1", control_plane=True), node("w1", "v1.31.9")]},
            {},
            ("blocker", "kubelet-too-old-for-hop", "node/w1"),
            id="kubelet too old for the hop",
        ),
        pytest.param(
            {
                "pods": [
                    *control_plane("c1")[:1],
                    static("kube-controller-manager", "c1", "v1.35.0"),
                    *control_plane("c1")[2:],
                ]
            },
            {},
            ("blocker", "controller-skew", "node/c1"),
            id="controller newer than its API server",
        ),
        pytest.param(
            {"cluster_config": None},
            {},
            ("blocker", "kubeadm-config-missing", "configmap/kube-system/kubeadm-config"),
            id="no kubeadm-config",
        ),
        pytest.param(
            {"cluster_config": {"apiVersion": "kubeadm.k8s.io/v1beta4", "kubernetesVersion": "v1.33.1"}},
            {},
            ("note", "kubeadm-config-differs", "configmap/kube-system/kubeadm-config"),
            id="kubeadm-config differs",
        ),
        pytest.param(
            {"unreadable": {"poddisruptionbudgets": "forbidden"}},
            {},
            ("warning", "unreadable", "poddisruptionbudgets"),
            id="unreadable",
        ),
        pytest.param(
            {
                "api_servers": [
                    {
                        "node": "c1",
                        "address": "192.0.2.1:6443",
                        "version": "",
                        "deprecated": [],
                        "error": "/version: timed out",
                    }
                ]
            },
            {},
            ("warning", "api-server-not-asked", "node/c1"),
            id="API server not reached",
        ),
        pytest.param(
            {
                "pods": control_plane("c1", etcd=None),
                "cluster_config": {
                    "apiVersion": "kubeadm.k8s.io/v1beta4",
                    "kubernetesVersion": "v1.34.4",
                    "etcd": {"external": {"endpoints": ["https://e:2379"]}},
                },
            },
            {},
            ("note", "etcd-external", "etcd"),
            id="external etcd",
        ),
        pytest.param(
            {"api_services": [{"metadata": {"name": "v1.metrics"}, "status": {"conditions": []}}]},
            {},
            ("blocker", "api-service-unavailable", "apiservice/v1.metrics"),
            id="APIService down",
        ),
    ],
)
def test_cluster(changes: dict[str, t.Any], request_: dict[str, t.Any], expected: tuple[str, str, str]) -> None:
    assert said(decide(cluster(**changes), **request_)) == [expected]


def test_a_half_upgraded_cluster_has_no_blockers() -> None:
    found = cluster(
        nodes=[node("c1", "v1.35.4", control_plane=True), node("c2", control_plane=True), node("w1")],
        pods=[*control_plane("c1", "v1.35.4", "3.6.6-0"), *control_plane("c2")],
        cluster_config={"apiVersion": "kubeadm.k8s.io/v1beta4", "kubernetesVersion": "v1.35.4"},
    )
    assert said(decide(found)) == [("warning", "kubelet-newer-than-api-server", "node/c1")]
    # Killed before the kubelet: not even that.
    found.nodes[0] = node("c1", "v1.34.4", control_plane=True)
    assert said(decide(found)) == []


CONFIG = {"apiVersion": "kubeadm.k8s.io/v1beta4", "kubernetesVersion": "v1.36.3"}
AT_136: dict[str, t.Any] = {
    "nodes": [node("c1", "v1.36.3", control_plane=True)],
    "pods": control_plane("c1", "v1.36.3", "3.6.11-0"),
    "cluster_config": CONFIG,
}
WITH_EXPERIMENT = {
    **AT_136,
    "pods": [*control_plane("c1", "v1.36.3", "3.6.11-0")[:3], static("etcd", "c1", "3.6.11-0", "--experimental-x=1")],
}
AT_133: dict[str, t.Any] = {
    "nodes": [node("c1", "v1.33.1", control_plane=True)],
    "pods": control_plane("c1", "v1.33.1", "3.5.24-0"),
    "cluster_config": {**CONFIG, "kubernetesVersion": "v1.33.1"},
}


@pytest.mark.parametrize(
    ("changes", "target", "expected"),
    [
        (AT_133, "1.34.4", [("note", "etcd-bridge", "etcd")]),
        (
            {**AT_133, "cluster_config": {"kubernetesVersion": "v1.33.2", "apiVersion": "kubeadm.k8s.io/v1beta4"}},
            "1.34.4",
            [
                ("blocker", "etcd-before-3.6", "pod/kube-system/etcd-c1"),
                ("note", "kubeadm-config-differs", "configmap/kube-system/kubeadm-config"),
            ],
        ),
        (
            {
                **AT_133,
                "cluster_config": {
                    **CONFIG,
                    "kubernetesVersion": "v1.33.1",
                    "etcd": {"local": {"imageTag": "3.5.24-0"}},
                },
            },
            "1.34.4",
            [("warning", "etcd-pinned", "configmap/kube-system/kubeadm-config")],
        ),
        (
            {
                **AT_133,
                "pods": control_plane("c1", "v1.33.1", "3.5.27-0"),
                "cluster_config": {
                    **CONFIG,
                    "kubernetesVersion": "v1.33.1",
                    "etcd": {"local": {"imageTag": "3.5.27-0"}},
                },
                "etcd_bridge": "3.5.27-0",
            },
            "1.34.4",
            [],
        ),
        (AT_133, "1.33.9", []),
        ({**AT_133, "pods": control_plane("c1", "v1.33.1", "3.5.26-0")}, "1.34.4", []),
        (AT_136, "1.37.0", []),
        (
            {**AT_136, "pods": control_plane("c1", "v1.36.3", "3.6.8-0")},
            "1.37.0",
            [("note", "etcd-bridge", "etcd")],
        ),
        (
            {**AT_136, "cluster_config": {**CONFIG, "apiVersion": "kubeadm.k8s.io/v1beta3"}},
            "1.37.0",
            [("blocker", "kubeadm-config-version", "configmap/kube-system/kubeadm-config")],
        ),
        ({**AT_136, "cluster_config": {**CONFIG, "apiVersion": "kubeadm.k8s.io/v1beta3"}}, "1.36.4", []),
        (
            {
                **WITH_EXPERIMENT,
                "cluster_config": {
                    **CONFIG,
                    "etcd": {"local": {"extraArgs": [{"name": "experimental-x", "value": "1"}]}},
                    "controllerManager": {"extraArgs": [{"name": "concurrent-service-syncs", "value": "2"}]},
                },
            },
            "1.37.0",
            [
                ("blocker", "flag-removed", "etcd --experimental-x"),
                ("blocker", "flag-removed", "kube-controller-manager --concurrent-service-syncs"),
            ],
        ),
        (
            {
                **AT_136,
                "pods": [
                    *control_plane("c1", "v1.36.3", "3.6.11-0")[:1],
                    static("kube-controller-manager", "c1", "v1.36.3", "--concurrent-service-syncs=2"),
                    *control_plane("c1", "v1.36.3", "3.6.11-0")[2:],
                ],
            },
            "1.37.0",
            [("warning", "flag-removed", "kube-controller-manager --concurrent-service-syncs")],
        ),
        (
            {
                **WITH_EXPERIMENT,
                "cluster_config": {**CONFIG, "etcd": {"local": {"extraArgs": {"experimental-x": "1"}}}},
            },
            "1.36.4",
            [],
        ),
        (
            {
                **AT_133,
                "pods": [
                    *control_plane("c1", "v1.33.1", "3.5.26-0")[:3],
                    static("etcd", "c1", "3.5.26-0", "--enable-v2=false"),
                ],
                "cluster_config": {
                    **AT_133["cluster_config"],
                    "etcd": {"local": {"extraArgs": [{"name": "enable-v2", "value": "false"}]}},
                },
            },
            "1.34.4",
            [("blocker", "flag-removed", "etcd --enable-v2")],
        ),
    ],
)
def test_versions(changes: dict[str, t.Any], target: str, expected: list[t.Any]) -> None:
    found = [entry for entry in said(decide(cluster(**changes), target)) if entry[1] != "release-change"]
    assert found == expected


def host(**info: t.Any) -> Host:
    found = read_host({"changed": False, "info": {"node_name": "w1", **info}})
    assert found is not None
    return found


FLAG = {"name": "pod-infra-container-image", "value": "pause:3.10", "file": "/var/lib/kubelet/kubeadm-flags.env"}
MIB = 2**20


@pytest.mark.parametrize(
    ("info", "target", "kubelet_config", "expected"),
    [
        ({}, "1.35.4", {}, []),
        ({"cgroup_version": 1}, "1.35.4", {}, [("blocker", "cgroup-v1")]),
        ({"cgroup_version": 1}, "1.35.4", {"failCgroupV1": False}, [("warning", "cgroup-v1")]),
        ({"cgroup_version": 1}, "1.34.9", {}, []),
        ({"cgroup_version": 2}, "1.35.4", {}, []),
        ({"swap_on": True}, "1.35.4", {}, [("warning", "swap-on")]),
        ({"swap_on": True}, "1.35.4", {"failSwapOn": False}, [("note", "swap-on")]),
        ({"swap_on": False}, "1.35.4", {}, []),
        (
            {"etcd": {"present": True, "db_bytes": 100 * MIB}, "disk": {"/": {"free_bytes": 199 * MIB}}},
            "1.35.4",
            {},
            [("blocker", "disk-too-small")],
        ),
        (
            {"etcd": {"present": True, "db_bytes": 100 * MIB}, "disk": {"/": {"free_bytes": 200 * MIB}}},
            "1.35.4",
            {},
            [],
        ),
        ({"disk": {"/": {"free_bytes": 1}}, "etcd": {"present": False, "db_bytes": 0}}, "1.35.4", {}, []),
        ({"kubelet": {"flags": [FLAG]}}, "1.35.4", {}, [("warning", "kubelet-flag-removed")]),
        ({"kubelet": {"flags": [FLAG]}}, "1.34.9", {}, []),
        (
            {"kubelet": {"flags": [{**FLAG, "file": "/etc/default/kubelet"}]}},
            "1.35.4",
            {},
            [("blocker", "kubelet-flag-removed")],
        ),
        (
            {"kubelet": {"empty_variables": ["KUBELET_KUBEADM_ARGS"]}},
            "1.35.0",
            {},
            [("blocker", "kubelet-flags-empty")],
        ),
        ({"kubelet": {"empty_variables": ["KUBELET_KUBEADM_ARGS"]}}, "1.35.4", {}, []),
        ({"kubelet": {"kubeadm_flags_file": "args"}}, "1.35.4", {}, []),
        ({"kubelet": {"kubeadm_flags_file": "missing"}}, "1.35.4", {}, [("blocker", "kubelet-flags-file")]),
        ({"kubelet": {"kubeadm_flags_file": "other"}}, "1.35.4", {}, [("blocker", "kubelet-flags-file")]),
        ({"kubelet": {"kubeadm_flags_file": "missing"}}, "1.34.9", {}, []),
        ({"kubelet": {"empty_variables": ["KUBELET_EXTRA_ARGS"]}}, "1.35.4", {}, []),
        ({"kubelet": {"client_cn": "system:node:w1", "client_o": ["system:nodes"]}}, "1.35.4", {}, []),
        (
            {"kubelet": {"client_cn": "system:node:w1", "client_o": ["system:masters"]}},
            "1.35.4",
            {},
            [("blocker", "kubelet-client-certificate")],
        ),
        ({"kubelet": {"client_cn": "system:node:x"}}, "1.35.4", {}, [("blocker", "kubelet-client-certificate")]),
        ({"external_ca": True}, "1.35.4", {}, [("warning", "external-ca")]),
        (
            {"container_runtime": {"name": "containerd", "version": "1.7.27"}},
            "1.35.4",
            {},
            [("note", "container-runtime-old")],
        ),
        ({"container_runtime": {"name": "containerd", "version": "2.1.4"}}, "1.35.4", {}, []),
        (
            {"foreign_manifests": [{"file": "/etc/kubernetes/manifests/etcd.yaml.bak", "api_references": []}]},
            "1.35.4",
            {},
            [("blocker", "manifest-backup")],
        ),
        (
            {"foreign_manifests": [{"file": "/etc/kubernetes/manifests/vip.yaml", "api_references": ["secret/x"]}]},
            "1.35.4",
            {},
            [("blocker", "static-pod-references")],
        ),
        ({"foreign_manifests": [{"file": "/etc/kubernetes/manifests/vip.yaml"}]}, "1.35.4", {}, []),
    ],
)
def test_hosts(info: dict[str, t.Any], target: str, kubelet_config: dict[str, t.Any], expected: list[t.Any]) -> None:
    verdict = decide(cluster(kubelet_config=kubelet_config), target, [host(**info)])
    assert [(f["severity"], f["id"]) for f in verdict["findings"]] == expected
    assert all(f["subject"] == "node/w1" for f in verdict["findings"])


@pytest.mark.parametrize(
    ("path", "days", "expected"),
    [
        ("/etc/kubernetes/pki/apiserver.crt", -1, [("blocker", "certificate-expired")]),
        ("/etc/kubernetes/pki/apiserver.crt", 29, [("warning", "certificate-expires-soon")]),
        ("/etc/kubernetes/pki/apiserver.crt", 31, []),
        ("/etc/kubernetes/pki/etcd/ca.crt", 100, [("warning", "certificate-expires-soon")]),
        ("/etc/kubernetes/pki/ca.crt", 200, []),
    ],
)
@pytest.mark.parametrize("as_text", [True, False])
def test_certificates(path: str, days: int, expected: list[t.Any], as_text: bool) -> None:
    from datetime import datetime, timezone

    moment: t.Any = NOW + days * DAY
    if as_text:
        moment = datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    verdict = decide(cluster(), hosts=[host(certificates=[{"path": path, "not_after": moment}])])
    assert [(f["severity"], f["id"]) for f in verdict["findings"]] == expected


def test_a_flag_that_no_kubeadm_on_the_way_takes_out_is_a_blocker() -> None:
    versions = ["1.35.4", "1.36.3"]
    by_hop = decide(cluster(), "1.36.3", [host(kubelet={"flags": [FLAG]})], available=versions)
    leap = decide(cluster(), "1.36.3", [host(kubelet={"flags": [FLAG]})], available=versions, workers="last_hop")
    assert [f["severity"] for f in by_hop["findings"]] == ["warning"]
    assert [f["severity"] for f in leap["findings"]] == ["blocker"]


@pytest.mark.parametrize("result", [{}, {"info": {}}, {"info": {"node_name": ""}}])
def test_a_result_without_a_name_is_no_host(result: dict[str, t.Any]) -> None:
    assert read_host(result) is None


DAEMON = [{"kind": "DaemonSet", "controller": True}]
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
    assert not findings_workloads.is_evictable(idle)


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
    answer = {"node": "c1", "address": "a", "version": "v1.34.4", "deprecated": [sample], "error": ""}
    verdict = decide(cluster(api_servers=[answer]))
    assert said(verdict) == [(severity, "deprecated-api-in-use", "flowschemas.v1beta3.flowcontrol.apiserver.k8s.io")]


def webhook(**changes: t.Any) -> dict[str, t.Any]:
    """One that answers from two nodes and covers nothing that matters."""
    return {
        "configuration": "c",
        "name": "n",
        "service": "a/b",
        "ready": ["w1", "w2"],
        "covers_pods": False,
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


@pytest.mark.parametrize(
    ("tag", "expected"),
    [("v1.34.4", []), ("v1.35.0", ["kube-proxy-newer-than-api-server"]), ("v1.30.0", ["kube-proxy-too-old"])],
)
def test_kube_proxy(tag: str, expected: list[str]) -> None:
    image = f"registry.k8s.io/kube-proxy:{tag}"
    proxy = {"spec": {"template": {"spec": {"containers": [{"name": "kube-proxy", "image": image}]}}}}
    verdict = decide(cluster(kube_proxy=proxy))
    assert [f["id"] for f in verdict["findings"]] == expected


FOUND = [
    finding("b", "note", "x", "e", "r"),
    finding("a", "blocker", "x", "e", "r"),
    finding("a", "blocker", "y", "e", "r"),
]


@pytest.mark.parametrize(
    ("acceptances", "kept", "accepted"),
    [
        ([], ["a/x", "a/y", "b/x"], []),
        ([{"id": "a", "reason": "known"}], ["b/x"], ["a/x", "a/y"]),
        ([{"id": "a", "subject": "y", "reason": "known"}], ["a/x", "b/x"], ["a/y"]),
        ([{"id": "z", "reason": "known"}], ["a/x", "a/y", "acceptance-unused/accepted_findings", "b/x"], []),
    ],
)
def test_acceptance(acceptances: list[t.Any], kept: list[str], accepted: list[str]) -> None:
    left, out = accept(FOUND, acceptances)
    assert [f"{f['id']}/{f['subject']}" for f in left] == kept
    assert [f"{f['id']}/{f['subject']}" for f in out] == accepted
    assert all(f["reason"] == "known" for f in out)


@pytest.mark.parametrize("acceptance", [{"id": "a", "reason": " "}, {"id": "downgrade", "reason": "I dare"}])
def test_acceptance_refused(acceptance: dict[str, t.Any]) -> None:
    with pytest.raises(EvergreenError):
        accept(FOUND, [acceptance])


def test_acceptance_counts_no_blockers() -> None:
    found = cluster(budgets=[budget(minAvailable=1)], pods=[*control_plane("c1"), pod("a")])
    assert decide(found)["blockers"] == 1
    verdict = decide(found, accepted=[{"id": "budget-never-allows", "reason": "test shop"}])
    assert (verdict["blockers"], len(verdict["accepted"])) == (0, 1)
