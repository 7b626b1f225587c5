# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known to make upgrades fail in the control plane and its addons, done to a real API server, and found.

Each is silent before. Those of nodes are in test_skew_nodes.py, those of etcd
in test_skew_etcd.py, those on the way from older versions in
test_skew_older.py, those of workloads in test_skew.py and test_skew_objects.py.
"""

from __future__ import annotations

import os
import typing as t
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from control_plane import remove, show, static_pod
from harness.cluster import Cluster
from harness.modules import run_module
from harness.objects import deployment, node
from harness.process import wait_for
from harness.programs import kubeadm, program, scratch_folder
from skew_place import CONFIG_MAPS, check, configured, upgradable

PLANE, WORKER, OTHER, EAGER = "failures-plane", "failures-worker", "failures-other", "failures-eager"
CONFIG = "configmap/kube-system/kubeadm-config"
DAEMONSETS = "/apis/apps/v1/namespaces/kube-system/daemonsets"
DEPLOYMENTS = "/apis/apps/v1/namespaces/kube-system/deployments"
CHAIN = ["1.34.4", "1.35.4", "1.36.3", "1.37.2"]
SCHEDULER = f"pod/kube-system/kube-scheduler-{PLANE}"


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> t.Iterator[Cluster]:
    with upgradable(cluster, PLANE, WORKER, {}):
        yield cluster


def about(cluster: Cluster, subject: str, target: str = "1.35.4", **options: t.Any) -> dict[str, str]:
    """Severities of the findings on a subject, by their ids."""
    found = check(cluster, target, **options).findings
    return {id: entry["severity"] for (id, where), entry in found.items() if where == subject}


def test_nothing_is_wrong(place: Cluster) -> None:
    ours = (PLANE, WORKER, "kubeadm-config", "kube-proxy", "coredns", "etcd --", "kube-apiserver --")
    for target in ("1.35.4", "1.37.2"):
        found = check(place, target, available_versions=CHAIN).findings
        assert [mark for mark in found if any(name in mark[1] for name in ours)] == []


@contextmanager
def shown(cluster: Cluster, component: str, *flags: str, **options: t.Any) -> t.Iterator[None]:
    """A static pod of the control-plane node as it would be after an edit of its manifest."""
    tag = "3.6.5-0" if component == "etcd" else "v1.34.4"
    show(cluster, static_pod(component, PLANE, tag, flags=flags, **options))
    try:
        yield
    finally:
        show(cluster, static_pod(component, PLANE, tag))


# -- manifests, flags and gates


def test_arguments_that_the_next_etcd_does_not_know(place: Cluster) -> None:
    name = "experimental-compaction-batch-limit"
    with configured(place, {"etcd": {"local": {"extraArgs": [{"name": name, "value": "500"}]}}}):
        assert about(place, f"etcd --{name}", "1.36.3", available_versions=CHAIN) == {}
        found = about(place, f"etcd --{name}", "1.37.2", available_versions=CHAIN)
    assert found == {"flag-removed": "blocker"}


def test_a_static_pod_that_is_not_ready(place: Cluster) -> None:
    with shown(place, "etcd", ready=False):
        found = about(place, f"pod/kube-system/etcd-{PLANE}")
    assert found == {"static-pod-not-ready": "blocker"}


def test_a_configuration_that_the_targets_kubeadm_cannot_read(place: Cluster) -> None:
    with configured(place, {"apiVersion": "kubeadm.k8s.io/v1beta3"}):
        assert about(place, CONFIG, "1.36.3", available_versions=CHAIN) == {}
        assert about(place, CONFIG, "1.37.2", available_versions=CHAIN) == {"kubeadm-config-version": "blocker"}


@pytest.mark.skipif(os.geteuid() != 0, reason="target_programs is for root")
def test_a_feature_gate_that_is_gone(place: Cluster) -> None:
    """An API server of 1.34.4 starts with this gate, one of 1.35.4 does not."""
    gate = "StatefulSetAutoDeletePVC"
    subject = f"kube-apiserver --feature-gates={gate}"
    extra = [{"name": "feature-gates", "value": f"{gate}=true"}]
    with scratch_folder() as scratch, configured(place, {"apiServer": {"extraArgs": extra}}):
        options = {"kubeconfig": str(place.kubeconfig), "scratch": str(scratch), "images": "never", "download": False}
        asked = {
            version: run_module(
                "target_programs",
                {
                    **options,
                    "kubernetes_version": version,
                    "binaries": {"kube-apiserver": str(program(version, "kube-apiserver"))},
                },
            )
            for version in ("1.34.4", "1.35.4")
        }
        assert about(place, subject, "1.34.4", programs=list(asked.values())) == {}
        found = about(place, subject, programs=list(asked.values()))
    assert found == {"feature-gate-unknown": "blocker"}


# -- versions


def test_a_kubelet_that_is_newer_than_the_api_server(place: Cluster) -> None:
    place.apply(node(EAGER, kubelet_version="v1.35.4"))
    path = f"/api/v1/nodes/{EAGER}"
    try:
        wait_for("the node is ready", lambda: place.client.get(path)["status"].get("conditions"))
        found = check(place).findings["kubelet-newer-than-api-server", f"node/{EAGER}"]
    finally:
        remove(place, path)
    assert found["severity"] == "blocker"
    assert "kubelet v1.35.4 is newer than the API server v1.34.4" in found["evidence"]
    assert not [id for id, _subject in check(place).findings if id == "kubelet-newer-than-api-server"]


def test_one_component_that_the_upgrade_left_out(place: Cluster) -> None:
    """kubeadm had said that it succeeded; the image says something else."""
    subject = f"node/{PLANE}"
    assert check(place, "1.34.4").nodes[PLANE]["done"]
    show(place, static_pod("kube-scheduler", PLANE, "v1.32.9"))
    try:
        found = check(place, "1.34.4")
    finally:
        show(place, static_pod("kube-scheduler", PLANE, "v1.34.4"))
    assert found.nodes[PLANE]["left"] == ["kube-scheduler v1.32.9"]
    assert found.findings["controller-skew", subject]["severity"] == "blocker"


# -- addons


def kube_proxy(tag: str) -> dict[str, t.Any]:
    image = f"registry.k8s.io/kube-proxy:{tag}"
    made = deployment("kube-proxy", "kube-system", 0, kind="DaemonSet", node_selector={"nobody": "has-this"})
    made["spec"]["template"]["spec"]["containers"] = [{"name": "kube-proxy", "image": image}]
    return made


@pytest.mark.parametrize(
    ("tag", "expected", "left"),
    [
        ("v1.34.4", {}, False),
        # What kubeadm leaves behind when it skips the addons.
        ("v1.33.13", {}, True),
        ("v1.30.14", {"kube-proxy-too-old": "blocker"}, True),
        ("v1.35.4", {"kube-proxy-newer-than-api-server": "blocker"}, False),
    ],
)
def test_kube_proxy(place: Cluster, tag: str, expected: dict[str, str], left: bool) -> None:
    """`left` is whether a cluster that is otherwise at 1.34.4 is not done, and kubeadm is to bring its addons there."""
    for name in (PLANE, WORKER):
        assert check(place, "1.34.4").nodes[name]["done"]
    place.apply(kube_proxy(tag))
    try:
        found = check(place, "1.34.4")
        assert about(place, "daemonset/kube-system/kube-proxy") == expected
    finally:
        remove(place, f"{DAEMONSETS}/kube-proxy")
    assert any(hop["apply_needed"] for hop in found.result["hops"]) == left


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("registry.k8s.io/coredns/coredns:v1.12.1", {}),
        ("registry.k8s.io/coredns/coredns:v1.12.1-hardened.2", {"coredns-version-unknown": "blocker"}),
        ("mirror.example/dns/coredns:v1.12.1", {"addon-image-differs": "warning"}),
    ],
)
def test_coredns(place: Cluster, tmp_path: Path, image: str, expected: dict[str, str]) -> None:
    """kubeadm's own Deployment, with another image."""
    text = kubeadm("1.34.4", tmp_path, "addon", "coredns", "--print-manifest", "--kubeconfig", str(tmp_path / "none"))
    made = {each["kind"]: each for each in yaml.safe_load_all(text) if each}
    made["Deployment"]["spec"]["replicas"] = 0
    made["Deployment"]["spec"]["template"]["spec"]["containers"][0]["image"] = image
    try:
        place.apply(made["ConfigMap"], made["Deployment"])
        assert about(place, "deployment/kube-system/coredns") == expected
    finally:
        remove(place, f"{CONFIG_MAPS}/coredns")
        remove(place, f"{DEPLOYMENTS}/coredns")
