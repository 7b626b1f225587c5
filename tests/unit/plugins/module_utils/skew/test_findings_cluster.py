# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings on nodes, the control plane, kube-proxy and what the run is to touch: when each is made, and when not."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.cut_off import CutOff
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_cluster import hosts_of_one_node
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.cases import (
    cluster,
    control_plane,
    decide,
    node,
    said,
    static,
)


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


def test_at_the_target_after_a_run_that_was_cut_off() -> None:
    run = CutOff("r1", "2026-01-31T12:00:00.000000Z", "expired")
    verdict = decide(cluster(), "1.34.4", cut_off=run)
    assert (verdict["upgrade_needed"], verdict["hops"], said(verdict)) == (True, [], [])
    assert verdict["cut_off"] == {"run_id": "r1", "since": run.since, "reason": "expired"}
    assert verdict["summary"] == [f"{run.told()}. What it left is to be put back, and the lock to be released."]
    # What is to be upgraded says all the rest.
    assert decide(cluster(), cut_off=run)["summary"] == decide(cluster())["summary"]


def server(readyz: dict[str, t.Any], error: str = "") -> dict[str, t.Any]:
    return {
        "node": "c1",
        "address": "192.0.2.1:6443",
        "readyz": readyz,
        "version": "",
        "deprecated": [],
        "error": error,
    }


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
            {},
            {"inventory_hosts": {"c1": "c1", "w1": "w1", "alias": "w1"}},
            ("blocker", "inventory-hosts-of-one-node", "node/w1"),
            id="two hosts of one node",
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
            {"api_servers": [server({"error": "timed out"}, "/version: timed out")]},
            {},
            ("blocker", "api-server-not-asked", "node/c1"),
            id="API server not reached",
        ),
        pytest.param(
            {"api_servers": [server({"status": 500, "body": "[-]etcd failed"})]},
            {},
            ("blocker", "api-server-not-asked", "node/c1"),
            id="API server not ready",
        ),
        pytest.param(
            {"api_servers": [server({"status": 200}, "/metrics: 403")]},
            {},
            ("warning", "api-server-not-asked", "node/c1"),
            id="metrics not allowed",
        ),
        pytest.param(
            {"nodes": [node("c1", control_plane=True), node("w9", ready="Unknown")]},
            {
                "inventory": ["c1"],
                "places": ["c1"],
                "accepted": [{"id": "cluster-node-not-in-inventory", "reason": "r"}],
            },
            ("warning", "node-not-ready", "node/w9"),
            id="a worker that is not of the run is not ready",
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


@pytest.mark.parametrize(
    ("tag", "expected"),
    [("v1.34.4", []), ("v1.35.0", ["kube-proxy-newer-than-api-server"]), ("v1.30.0", ["kube-proxy-too-old"])],
)
def test_kube_proxy(tag: str, expected: list[str]) -> None:
    image = f"registry.k8s.io/kube-proxy:{tag}"
    proxy = {"spec": {"template": {"spec": {"containers": [{"name": "kube-proxy", "image": image}]}}}}
    verdict = decide(cluster(kube_proxy=proxy))
    assert [f["id"] for f in verdict["findings"]] == expected


def test_the_hosts_of_one_node_are_all_named() -> None:
    (found,) = hosts_of_one_node({"w1": "w1", "clone": "w1", "w1.example": "w1", "w2": "w2"})
    assert "clone, w1 and w1.example" in found["evidence"]
    assert hosts_of_one_node({"a": "w1", "b": "w2"}) == []
