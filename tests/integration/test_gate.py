# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate on real API servers: passes on evidence only, waits for it, and says what is missing."""

from __future__ import annotations

import threading
import time
import typing as t
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.decisions import NAME, NAMESPACE
from ansible_collections.evergreen.kubeadm.plugins.modules import cluster_gate, upgrade_lock
from control_plane import PODS, control_plane, remove, second_api_server, show, static_pod, task
from etcd_cluster import run_module
from harness.cluster import NEVER_READY, Cluster
from harness.objects import deployment, node, pod
from harness.process import free_ports, wait_for
from skew_place import check


def gate(cluster: Cluster, *conditions: str, check_mode: bool = False, **options: t.Any) -> dict[str, t.Any]:
    params = {
        **cluster.params,
        "conditions": list(conditions),
        "kubernetes_version": "1.34.4",
        "timeout_s": 10,
        "interval_s": 0.1,
        **options,
    }
    return cluster_gate.pass_gate(task(cluster_gate.ARGUMENT_SPEC, params, check_mode=check_mode))


def stopped(cluster: Cluster, *conditions: str, **options: t.Any) -> EvergreenError:
    with pytest.raises(EvergreenError) as failed:
        gate(cluster, *conditions, **{"timeout_s": 1, **options})
    return failed.value


@contextmanager
def meanwhile(after_s: float, act: t.Callable[[], t.Any]) -> t.Iterator[None]:
    timer = threading.Timer(after_s, act)
    timer.start()
    try:
        yield
    finally:
        timer.join()


@pytest.fixture
def plane(cluster: Cluster, unique: str) -> t.Iterator[str]:
    """The name of a control-plane node whose API server is the real one."""
    name = f"plane-{unique}"
    with control_plane(cluster, {name: ("v1.34.4", f"127.0.0.1:{cluster.port}")}):
        yield name


@pytest.fixture
def worker(cluster: Cluster, unique: str) -> t.Iterator[str]:
    name = f"worker-{unique}"
    cluster.apply(node(name, faked=False))
    yield name
    remove(cluster, f"/api/v1/nodes/{name}")


def set_ready(cluster: Cluster, name: str, status: str, kubelet: str = "v1.34.4") -> None:
    conditions = [{"type": "Ready", "status": status, "reason": "Test", "message": "set by the test"}]
    cluster.client.patch(
        f"/api/v1/nodes/{name}/status",
        {"status": {"conditions": conditions, "nodeInfo": {"kubeletVersion": kubelet}}},
    )


def test_a_good_control_plane_node_passes(cluster: Cluster, plane: str) -> None:
    conditions = (
        *("node_ready", "kubelet_version", "control_plane_ready", "etcd_ready", "api_servers_ready"),
        *("api_version", "system_pods_ready"),
    )
    result = gate(cluster, *conditions, node=plane, consecutive=3)
    assert (result["ready"], result["changed"], result["looks"]) == (True, False, 3)
    assert {check["name"] for check in result["checks"]} == set(conditions)
    assert all(check["ok"] for check in result["checks"])
    assert gate(cluster, *conditions[2:6], timeout_s=0)["looks"] == 1


def test_a_timeout_names_each_thing_that_is_missing(cluster: Cluster, plane: str) -> None:
    begun = time.monotonic()
    error = stopped(cluster, "node_ready", "kubelet_version", "api_version", node=plane, kubernetes_version="1.35.4")
    assert 1 <= time.monotonic() - begun < 5
    assert f"kubelet_version of {plane}: kubelet reports v1.34.4, expected v1.35.4" in error.message
    assert "/version says v1.34.4, expected v1.35.4" in error.message
    assert "node_ready" not in error.message
    assert [check["ok"] for check in error.result["checks"]] == [True, False, False]


def test_it_waits_for_a_node_to_become_ready(cluster: Cluster, worker: str) -> None:
    set_ready(cluster, worker, "False")
    assert "Ready=False (Test: set by the test)" in stopped(cluster, "node_ready", node=worker).message
    with meanwhile(0.5, lambda: set_ready(cluster, worker, "True", "v1.35.4")):
        result = gate(cluster, "node_ready", "kubelet_version", node=worker, kubernetes_version="1.35.4")
    assert result["ready"]
    assert result["looks"] > 2


def test_a_heartbeat_must_come_while_it_looks(cluster: Cluster, worker: str) -> None:
    set_ready(cluster, worker, "True")
    path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"

    def beat(stamp: str) -> None:
        cluster.client.patch(f"{path}/{worker}", {"spec": {"renewTime": stamp}})

    body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": worker}, "spec": {}}
    wait_for("the namespace of node leases", lambda: cluster.client.get("/api/v1/namespaces/kube-node-lease"))
    cluster.client.request("POST", path, body=body)
    beat("2026-01-31T12:00:00.000000Z")
    assert "not since the gate began" in stopped(cluster, "node_heartbeat", node=worker).message
    with meanwhile(0.5, lambda: beat("2026-01-31T12:00:10.000000Z")):
        assert gate(cluster, "node_heartbeat", node=worker)["ready"]


def test_static_pods_must_be_ready_and_of_the_version(cluster: Cluster, plane: str) -> None:
    show(cluster, static_pod("kube-scheduler", plane, "v1.33.1"))
    show(cluster, static_pod("kube-controller-manager", plane, "v1.34.4", ready=False))
    message = stopped(cluster, "control_plane_ready", node=plane).message
    assert f"kube-scheduler-{plane}: Ready with image tag v1.33.1, expected v1.34.4" in message
    assert f"kube-controller-manager-{plane}: phase Running, container kube-controller-manager" in message
    remove(cluster, f"{PODS}/etcd-{plane}")
    assert "shows no such static pod" in stopped(cluster, "etcd_ready", node=plane).message


def test_system_pods_of_the_node(cluster: Cluster, plane: str) -> None:
    cluster.apply(pod(f"dns-{plane}", "kube-system", on=plane, annotations={NEVER_READY: "yes"}))
    assert f"kube-system/dns-{plane}" in stopped(cluster, "system_pods_ready", node=plane).message
    remove(cluster, f"{PODS}/dns-{plane}")
    assert gate(cluster, "system_pods_ready", node=plane)["ready"]


LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{NAME}"


@pytest.fixture
def exporter(cluster: Cluster, worker: str) -> t.Iterator[str]:
    """A pod of kube-system on the worker that has not been ready for months."""
    name = f"exporter-{worker}"
    cluster.apply(pod(name, "kube-system", on=worker))
    conditions = [{"type": "Ready", "status": "False", "lastTransitionTime": "2025-11-02T08:00:00Z"}]
    cluster.client.patch(f"{PODS}/{name}/status", {"status": {"phase": "Pending", "conditions": conditions}})
    yield name
    remove(cluster, f"{PODS}/{name}")
    remove(cluster, LEASE)


def test_what_was_broken_before_the_upgrade_is_not_waited_for(cluster: Cluster, exporter: str, worker: str) -> None:
    set_ready(cluster, worker, "True")
    subject = f"pod/kube-system/{exporter}"

    def lock(state: str, run: str, **options: t.Any) -> t.Any:
        params = {**cluster.params, "state": state, "holder": run, **options}
        return upgrade_lock.settle(task(upgrade_lock.ARGUMENT_SPEC, params))

    assert exporter in stopped(cluster, "system_pods_ready", node=worker).message
    found = check(cluster, "1.34.4")
    assert found.findings["system-pod-not-ready", subject]["severity"] == "warning"
    assert found.result["not_ready"][subject] == [worker]

    assert not lock("held", "a@one", not_ready=found.result["not_ready"])["resumed"]
    assert gate(cluster, "system_pods_ready", node=worker)["ready"]
    # Broken by the upgrade.
    cluster.apply(pod(f"proxy-{worker}", "kube-system", on=worker))
    broken = {"type": "Ready", "status": "False", "lastTransitionTime": "2025-11-02T08:00:00Z"}
    cluster.client.patch(f"{PODS}/proxy-{worker}/status", {"status": {"phase": "Running", "conditions": [broken]}})
    try:
        message = stopped(cluster, "system_pods_ready", node=worker).message
        assert f"proxy-{worker}" in message and exporter not in message
        # The run fails, and another one is begun elsewhere.
        lock("released", "a@one", unfinished=True)
        found = check(cluster, "1.34.4")
        assert found.findings["system-pod-not-ready", f"pod/kube-system/proxy-{worker}"]["severity"] == "blocker"
        assert lock("held", "b@two", not_ready=found.result["not_ready"])["resumed"]
        message = stopped(cluster, "system_pods_ready", node=worker).message
        assert f"proxy-{worker}" in message and exporter not in message
    finally:
        remove(cluster, f"{PODS}/proxy-{worker}")
    assert gate(cluster, "system_pods_ready", node=worker)["ready"]
    # The upgrade is done.
    lock("released", "b@two")
    assert exporter in stopped(cluster, "system_pods_ready", node=worker).message


def test_an_api_server_that_cannot_be_reached_stops_the_plan(cluster: Cluster, unique: str) -> None:
    name = f"far-{unique}"
    with control_plane(cluster, {name: ("v1.34.4", f"127.0.0.1:{free_ports(1)[0]}")}):
        found = check(cluster).findings["api-server-not-asked", f"node/{name}"]
        assert found["severity"] == "blocker" and "upgrade_ssh_tunnel" in found["remedy"]
        assert found["evidence"].partition("/readyz: ")[2] in stopped(cluster, "api_servers_ready").message


def test_workloads(cluster: Cluster, fresh_namespace: str, plane: str) -> None:
    selector = {"kubernetes.io/hostname": plane}
    cluster.apply(deployment("web", fresh_namespace, 2, node_selector=selector))
    options: dict[str, t.Any] = {"workload_namespaces": [fresh_namespace]}
    assert gate(cluster, "workloads_ready", **options)["ready"]
    cluster.apply(deployment("stuck", fresh_namespace, 1, node_selector={"no": "such-node"}))
    error = stopped(cluster, "workloads_ready", **options)
    assert f"Deployment {fresh_namespace}/stuck: 0 of 1 available" in error.message
    assert gate(cluster, "workloads_ready", ignore_workloads=[f"{fresh_namespace}/stuck"], **options)["ready"]
    remove(cluster, f"/apis/apps/v1/namespaces/{fresh_namespace}/deployments/stuck")


def test_every_api_server_is_asked_by_itself(cluster: Cluster, unique: str, tmp_path: Path) -> None:
    """The second one is really down, then really starts, and really is of another version."""
    second, address = second_api_server(cluster, tmp_path)
    one, two = f"plane-{unique}-1", f"plane-{unique}-2"
    nodes = {one: ("v1.34.4", f"127.0.0.1:{cluster.port}"), two: ("v1.35.4", address)}
    try:
        with control_plane(cluster, nodes):
            error = stopped(cluster, "api_servers_ready", node=one)
            assert f"api_servers_ready of {two} ({address}): /readyz: no answer" in error.message
            assert error.message.count("api_servers_ready of") == 1
            with meanwhile(0.2, second.start):
                waited = gate(
                    cluster, "api_servers_ready", "api_version", node=two, kubernetes_version="1.35.4", timeout_s=60
                )
            assert waited["looks"] > 2
            assert gate(cluster, "api_version", node=one)["ready"]
            mixed = stopped(cluster, "api_version", kubernetes_version="1.35.4")
            assert f"{one} (127.0.0.1:{cluster.port}): /version says v1.34.4" in mixed.message
            assert two not in mixed.message
    finally:
        second.stop(kill=True)


def test_an_api_that_is_away_is_a_bad_look_until_the_deadline(cluster: Cluster, tmp_path: Path) -> None:
    nobody = f"https://127.0.0.1:{free_ports(1)[0]}"
    kubeconfig = tmp_path / "away.conf"
    kubeconfig.write_text(cluster.kubeconfig.read_text().replace(cluster.url, nobody))
    error = stopped(cluster, "node_ready", "api_servers_ready", kubeconfig=str(kubeconfig))
    assert error.message.count("could not be read") == 2
    assert nobody in error.message
    assert error.result["looks"] > 1


def test_check_mode_looks_once_and_does_not_fail(cluster: Cluster, worker: str) -> None:
    result = gate(cluster, "kubelet_version", node=worker, kubernetes_version="1.35.4", check_mode=True)
    assert (result["ready"], result["looks"]) == (False, 1)


@pytest.mark.parametrize(
    "options",
    [
        {"conditions": []},
        {"conditions": ["api_version"], "kubernetes_version": None},
        {"conditions": ["node_ready"], "consecutive": 0},
        {"conditions": ["node_ready"], "kubernetes_version": "1.35"},
    ],
)
def test_options_that_make_no_sense(cluster: Cluster, options: dict[str, t.Any]) -> None:
    with pytest.raises(EvergreenError):
        gate(cluster, **options)


def test_the_module_itself(cluster: Cluster, worker: str) -> None:
    options = {**cluster.params, "conditions": ["kubelet_version"], "node": worker, "interval_s": 0.1}
    passed = run_module("cluster_gate", {**options, "kubernetes_version": "1.34.4"})
    assert (passed["ready"], passed["changed"]) == (True, False)
    failed = run_module("cluster_gate", {**options, "kubernetes_version": "1.35.4", "timeout_s": 1})
    assert failed["failed"]
    assert "expected v1.35.4" in failed["msg"]
    assert failed["checks"][0]["ok"] is False
