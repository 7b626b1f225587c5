# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The skew check on a half-upgraded cluster: API servers 1.35.4 and 1.34.4 on one etcd, nodes that lag, real budgets.

Other tests put their own nodes and budgets into the same cluster, so each
assertion is on subjects of this file.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.cordon import FIELD_MANAGER
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from control_plane import control_plane, remove, second_api_server
from etcd_cluster import run_module
from harness.cluster import Cluster
from harness.objects import budget, deployment, namespace, node
from harness.process import wait_for
from skew_place import CONFIG_MAPS, check, config_map

NEW, OLD, W1, W2, SHOP = "skew-plane-1", "skew-plane-2", "skew-worker-1", "skew-worker-2", "skew-shop"
OURS = {"evergreen.kubeadm/cordoned-by": '{"by": "evergreen.kubeadm", "run": "r1", "at": "2026-01-31T12:00:00.000Z"}'}


@pytest.fixture(scope="module")
def half_upgraded(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Cluster]:
    second, address = second_api_server(cluster, tmp_path_factory.mktemp("second"))
    second.start()
    nodes = {NEW: ("v1.35.4", address), OLD: ("v1.34.4", f"127.0.0.1:{cluster.port}")}
    config = {"apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "ClusterConfiguration", "kubernetesVersion": "v1.35.4"}
    try:
        with control_plane(cluster, nodes):
            cluster.apply(
                config_map("kubeadm-config", "ClusterConfiguration", config),
                config_map("kubelet-config", "kubelet", {"kind": "KubeletConfiguration", "failCgroupV1": False}),
                node(W1, annotations=OURS, kubelet_version="v1.34.4"),
                node(W2, kubelet_version="v1.31.9"),
            )
            ours = {"fieldManager": FIELD_MANAGER}
            cluster.client.patch(f"/api/v1/nodes/{W1}", {"spec": {"unschedulable": True}}, query=ours)
            cluster.client.patch(f"/api/v1/nodes/{W2}", {"spec": {"unschedulable": True}})
            wait_for("both API servers answer", lambda: _no_api_server_is_silent(cluster), 240)
            yield cluster
    finally:
        for path in (f"/api/v1/nodes/{W1}", f"/api/v1/nodes/{W2}", f"{CONFIG_MAPS}/kubeadm-config"):
            remove(cluster, path)
        remove(cluster, f"{CONFIG_MAPS}/kubelet-config")
        second.stop(kill=True)


def test_done_is_what_runs(half_upgraded: Cluster) -> None:
    found = check(half_upgraded)
    assert (found.result["current"], found.result["target"], found.result["changed"]) == ("1.34.4", "1.35.4", False)
    assert found.nodes[NEW]["api_server_version"] == "1.35.4"
    assert found.nodes[NEW]["left"] == ["kubelet v1.34.4"]
    assert found.nodes[OLD]["api_server_version"] == "1.34.4"
    assert found.nodes[OLD]["components"]["kube-scheduler"] == "1.34.4"
    assert not any(found.nodes[name]["done"] for name in (NEW, OLD, W1, W2))
    assert found.nodes[W1]["cordoned_by"]["run"] == "r1"
    (hop,) = found.result["hops"]
    assert (hop["from"], hop["to"], hop["apply_needed"]) == ("1.34.4", "1.35.4", False)
    assert hop["control_plane"] == [NEW, OLD]
    assert hop["etcd"] == {"from_minor": "3.6", "to_minor": "3.6"}
    assert {W1, W2} <= set(hop["workers"])


def test_the_order_of_the_workers(half_upgraded: Cluster) -> None:
    cluster = half_upgraded
    cluster.client.patch(f"/api/v1/nodes/{W2}", {"metadata": {"labels": {"skew-group": "first"}}})

    def ordered(**options: t.Any) -> list[str]:
        (hop,) = check(cluster, **options).result["hops"]
        return [name for name in hop["workers"] if name in (W1, W2)]

    # An earlier run has begun the first one, which counts inside a group.
    assert ordered(inventory_nodes=[W2, W1], worker_order="inventory") == [W1, W2]
    assert ordered(worker_groups=["skew-group=first"]) == [W2, W1]
    result = run_module(
        "skew_check", {**cluster.params, "kubernetes_version": "1.35.4", "worker_groups": ["skew-group = "]}
    )
    assert "failed" not in result, result
    result = run_module("skew_check", {**cluster.params, "kubernetes_version": "1.35.4", "worker_groups": ["a b"]})
    assert result["failed"] and "The label selector 'a b' cannot be read" in result["msg"]


def test_no_way_back(half_upgraded: Cluster) -> None:
    found = check(half_upgraded, "1.34.4")
    assert found.findings["downgrade", "cluster"]["severity"] == "blocker"
    assert (found.result["hops"], found.result["upgrade_needed"]) == ([], True)


def _no_api_server_is_silent(cluster: Cluster) -> bool:
    return not any(id == "api-server-not-asked" for id, _subject in check(cluster).findings)


def test_skew_cordons_and_inventory(half_upgraded: Cluster) -> None:
    found = check(half_upgraded, inventory_nodes=[NEW, OLD, W1, "ghost"], control_plane_nodes=[OLD, NEW])
    assert found.findings["kubelet-too-old", f"node/{W2}"]["severity"] == "blocker"
    assert found.findings["node-cordoned-by-run", f"node/{W1}"]["severity"] == "note"
    assert found.findings["node-cordoned", f"node/{W2}"]["severity"] == "warning"
    assert found.findings["inventory-node-not-in-cluster", "node/ghost"]["severity"] == "blocker"
    assert found.findings["cluster-node-not-in-inventory", f"node/{W2}"]["severity"] == "warning"
    assert ("kubeadm-config-missing", "configmap/kube-system/kubeadm-config") not in found.findings
    # The node that was begun goes first, whatever the inventory says.
    assert found.result["hops"][0]["control_plane"] == [NEW, OLD]


def test_a_chain_needs_the_versions_between(half_upgraded: Cluster) -> None:
    alone = check(half_upgraded, "1.37.0")
    assert "1.36" in alone.findings["intermediate-version-unknown", "cluster"]["evidence"]
    chained = check(half_upgraded, "1.37.0", available_versions=["1.35.4", "1.35.9", "1.36.1", "1.36.3"])
    assert [hop["to"] for hop in chained.result["hops"]] == ["1.35.4", "1.36.3", "1.37.0"]
    assert chained.findings["etcd-bridge", "etcd"]["severity"] == "note"
    assert [hop["etcd_image_tag"] for hop in chained.result["hops"]] == ["", "3.6.11-0", ""]
    refused = check(half_upgraded, "1.37.0", available_versions=["1.35.9", "1.36.3"], etcd_bridges={"3.6": ""})
    assert refused.findings["etcd-before-3.7", f"pod/kube-system/etcd-{OLD}"]["severity"] == "blocker"


def test_what_the_nodes_tell(half_upgraded: Cluster) -> None:
    told = {"info": {"node_name": W1, "cgroup_version": 1, "swap_on": True}}
    found = check(half_upgraded, nodes=[told])
    assert found.findings["cgroup-v1", f"node/{W1}"]["severity"] == "warning"  # kubelet-config allows it
    assert found.findings["swap-on", f"node/{W1}"]["severity"] == "warning"


def test_deprecated_apis_are_counted_by_the_server_that_was_asked(half_upgraded: Cluster) -> None:
    half_upgraded.client.get("/api/v1/componentstatuses")
    found = check(half_upgraded)
    entry = found.findings["deprecated-api-in-use", "componentstatuses.v1"]
    assert entry["severity"] == "note"
    assert OLD in entry["evidence"]
    assert NEW not in entry["evidence"]


def test_budgets_that_never_let_go(half_upgraded: Cluster) -> None:
    cluster = half_upgraded
    selector = {"kubernetes.io/hostname": W1}
    everywhere = [{"operator": "Exists"}]
    cluster.apply(namespace(SHOP))
    for name, replicas in (("lone", 1), ("twice", 2), ("fine", 2)):
        cluster.apply(deployment(name, SHOP, replicas, node_selector=selector, tolerations=everywhere))
    cluster.apply(
        budget("lone", SHOP, "lone", minAvailable=1),
        budget("twice-a", SHOP, "twice", maxUnavailable=1),
        budget("twice-b", SHOP, "twice", maxUnavailable=1),
        budget("fine", SHOP, "fine", maxUnavailable=1),
    )
    path = f"/apis/policy/v1/namespaces/{SHOP}/poddisruptionbudgets"

    def settled() -> bool:
        found = {b["metadata"]["name"]: b.get("status") or {} for b in cluster.client.list(path)}
        return found["lone"].get("currentHealthy") == 1 and found["fine"].get("disruptionsAllowed") == 1

    wait_for("the budgets are counted", settled)
    found = check(cluster)
    never = found.findings["budget-never-allows", f"poddisruptionbudget/{SHOP}/lone"]
    assert never["severity"] == "blocker"
    assert W1 in never["evidence"]
    overlap = found.findings["budgets-overlap", f"poddisruptionbudget/{SHOP}/twice-a+twice-b"]
    assert overlap["severity"] == "blocker"
    assert not [subject for _id, subject in found.findings if subject.endswith("/fine")]

    accepted = [{"id": "budget-never-allows", "subject": never["subject"], "reason": "a test shop"}]
    after = check(cluster, accepted_findings=accepted)
    assert ("budget-never-allows", never["subject"]) not in after.findings
    assert [(a["subject"], a["reason"]) for a in after.result["accepted"]] == [(never["subject"], "a test shop")]
    assert after.result["blockers"] == found.result["blockers"] - 1


def test_webhooks_and_api_services_that_are_down(half_upgraded: Cluster) -> None:
    cluster = half_upgraded
    hook = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "skew-hook"},
        "webhooks": [
            {
                "name": "hook.evergreen.test",
                "clientConfig": {"service": {"namespace": "default", "name": "nobody"}},
                "rules": [
                    {"apiGroups": ["evergreen.test"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["x"]}
                ],
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }
        ],
    }
    service = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1.skew.evergreen.test"},
        "spec": {
            "group": "skew.evergreen.test",
            "version": "v1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {"namespace": "default", "name": "nobody"},
        },
    }
    services = "/apis/apiregistration.k8s.io/v1/apiservices"
    try:
        cluster.apply(hook)
        cluster.client.request("POST", services, body=service)
        path = f"{services}/v1.skew.evergreen.test"
        wait_for("the APIService is judged", lambda: cluster.client.get(path).get("status", {}).get("conditions"))
        found = check(cluster)
        assert found.findings["webhook-down", "webhook/skew-hook/hook.evergreen.test"]["severity"] == "blocker"
        down = found.findings["api-service-unavailable", "apiservice/v1.skew.evergreen.test"]
        assert "Available=False" in down["evidence"]
    finally:
        remove(cluster, "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/skew-hook")
        remove(cluster, f"{services}/v1.skew.evergreen.test")


def test_kubeadm_config_missing(half_upgraded: Cluster) -> None:
    cluster = half_upgraded
    kept = cluster.client.get(f"{CONFIG_MAPS}/kubeadm-config")
    remove(cluster, f"{CONFIG_MAPS}/kubeadm-config")
    try:
        found = check(cluster)
    finally:
        kept["metadata"] = {"name": "kubeadm-config", "namespace": "kube-system"}
        cluster.apply({**kept, "apiVersion": "v1", "kind": "ConfigMap"})
    assert found.findings["kubeadm-config-missing", "configmap/kube-system/kubeadm-config"]["severity"] == "blocker"


def test_an_acceptance_cannot_make_a_way(half_upgraded: Cluster) -> None:
    with pytest.raises(EvergreenError):
        check(half_upgraded, "1.33.1", accepted_findings=[{"id": "downgrade", "reason": "I dare"}])


def test_the_module_itself(half_upgraded: Cluster) -> None:
    options = {**half_upgraded.params, "kubernetes_version": "1.35.4"}
    planned = run_module("skew_check", options)
    assert planned["upgrade_needed"]
    assert not planned["changed"]
    failed = run_module("skew_check", {**options, "fail_on_blockers": True})
    assert failed["failed"]
    assert "stand in the way of 1.35.4" in failed["msg"]
    assert failed["hops"] == planned["hops"]
