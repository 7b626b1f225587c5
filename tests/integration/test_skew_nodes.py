# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known to make upgrades fail on a node, done to one that real kubeadm made, and found.

kubeadm_info reads the folder that stands for the node, skew_check gets what it
told and the cluster of a real API server that has a Node of the same name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest

from control_plane import control_plane
from harness.cluster import Cluster
from harness.modules import run_module
from harness.node_folder import ADDRESS, FLAGS, install, make_control_plane, put
from harness.programs import program, scratch_folder
from skew_place import check, upgradable

PLANE, WORKER, OTHER = "known-plane", "known-worker", "known-other"
NODE = f"node/{PLANE}"
BALANCER = "balancer.example:6443"
KEYS = Path(__file__).resolve().parents[1] / "unit/plugins/module_utils/kubeadm/fixtures"
MANIFESTS = "etc/kubernetes/manifests"
# The four places that set flags of a kubelet.
PLACES = {
    FLAGS: 'KUBELET_KUBEADM_ARGS="{}"\n',
    "etc/default/kubelet": "KUBELET_EXTRA_ARGS={}\n",
    "etc/sysconfig/kubelet": "KUBELET_EXTRA_ARGS={}\n",
    "etc/systemd/system/kubelet.service.d/20-extra.conf": '[Service]\nEnvironment="KUBELET_EXTRA_ARGS={}"\n',
}

Found = tuple[str, str, str]


@pytest.fixture(scope="module")
def made(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[tuple[Cluster, Path]]:
    """The cluster, and the folder of its control-plane node, in which nothing is wrong."""
    place = tmp_path_factory.mktemp("node")
    make_control_plane(place / "root", place / "kubeadm", PLANE)
    with upgradable(cluster, PLANE, WORKER, {"controlPlaneEndpoint": BALANCER}):
        yield cluster, place / "root"


@pytest.fixture
def node(made: tuple[Cluster, Path], tmp_path: Path) -> Path:
    """A copy to do something to."""
    return Path(shutil.copytree(made[1], tmp_path / "root", symlinks=True))


def told(root: Path) -> dict[str, t.Any]:
    info = run_module("kubeadm_info", {"root": str(root)})
    assert "failed" not in info, info
    return info


def found(cluster: Cluster, root: Path, target: str = "1.35.4", **options: t.Any) -> list[Found]:
    """Findings on the node itself, as (id, severity, evidence)."""
    result = check(cluster, target, nodes=[told(root)], **options).result
    return [(f["id"], f["severity"], f["evidence"]) for f in result["findings"] if f["subject"] == NODE]


@pytest.mark.parametrize("target", ["1.35.4", "1.38.0"])
def test_nothing_is_wrong(made: tuple[Cluster, Path], target: str) -> None:
    cluster, root = made
    available = ["1.34.4", "1.35.4", "1.36.3", "1.37.2", "1.38.0"]
    assert found(cluster, root, target, available_versions=available) == []


def backup(root: Path) -> None:
    shutil.copy(root / MANIFESTS / "etcd.yaml", root / MANIFESTS / "etcd.yaml.bak")
    # Of an editor; the kubelet passes over it.
    put(root, f"{MANIFESTS}/.etcd.yaml.swp", "kind: Pod\n")


def copy(root: Path) -> None:
    """Its name ends as that of any manifest."""
    shutil.copy(root / MANIFESTS / "etcd.yaml", root / MANIFESTS / "etcd-copy.yaml")


def no_flags_file(root: Path) -> None:
    (root / FLAGS).unlink()


def comment_before_flags(root: Path) -> None:
    put(root, FLAGS, '# ours\nKUBELET_KUBEADM_ARGS="--v=2"\n')


def other_identity(root: Path) -> None:
    shutil.copy(root / "etc/kubernetes/admin.conf", root / "etc/kubernetes/kubelet.conf")


def other_host_name(root: Path) -> None:
    put(root, "etc/hostname", "Known-Plane.example\n")


def external_ca(root: Path) -> None:
    (root / "etc/kubernetes/pki/ca.key").unlink()


def external_etcd_ca(root: Path) -> None:
    (root / "etc/kubernetes/pki/etcd/ca.key").unlink()


def leftovers(root: Path) -> None:
    copy = put(root, "etc/kubernetes/tmp/kubeadm-backup-etcd-2026-01-31/etcd/member/snap/db")
    os.truncate(copy, 200 * 2**20)


def large_etcd(root: Path) -> None:
    """A file with as much as is free, all of it a hole."""
    free = os.statvfs(root)
    os.truncate(root / "var/lib/etcd/member/snap/db", free.f_bavail * free.f_frsize)


def cgroup_v1(root: Path) -> None:
    shutil.rmtree(root / "sys/fs/cgroup")


def expire(place: Path, name: str) -> None:
    """A certificate of yesterday, with a key of its own."""
    new = ("-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-subj", f"/CN={name}")
    for command in (
        ("req", "-new", *new, "-out", f"{name}.csr"),
        ("x509", "-req", "-in", f"{name}.csr", "-signkey", f"{name}.key", "-days", "-1", "-out", f"{name}.crt"),
    ):
        subprocess.run(["openssl", *command], cwd=place, check=True, capture_output=True)


def expired_certificate(root: Path) -> None:
    expire(root / "etc/kubernetes/pki", "apiserver")


def expired_kubelet_certificate(root: Path) -> None:
    """As the kubelet signs it itself, once: nothing here verifies it."""
    place = root / "var/lib/kubelet/pki"
    place.mkdir(parents=True)
    expire(place, "kubelet")


def edited_kubelet(root: Path) -> None:
    put(root, "var/lib/kubelet/config.yaml", "kind: KubeletConfiguration\nmaxPods: 250\nsystemReserved: {cpu: 500m}\n")


def edited_policy(root: Path) -> None:
    put(root, "var/lib/kubelet/config.yaml", "kind: KubeletConfiguration\ncpuManagerPolicy: static\n")
    put(root, "var/lib/kubelet/cpu_manager_state", '{"policyName":"static","defaultCpuSet":"0-1","checksum":1}')


def no_admin_conf(root: Path) -> None:
    (root / "etc/kubernetes/admin.conf").unlink()


def no_kernel_configuration(root: Path) -> None:
    (root / "proc/config.gz").unlink()
    put(root, "proc/sys/kernel/osrelease", "6.1.0-own\n")


def expired_repository_key(root: Path) -> None:
    """The one that the community signed with until October 2024."""
    key = "etc/apt/keyrings/kubernetes.asc"
    put(root, key, (KEYS / "kubernetes-release-key-2022-08.asc").read_text())
    address = "https://pkgs.k8s.io/core:/stable:/v1.34/deb/"
    put(root, "etc/apt/sources.list.d/kubernetes.list", f"deb [signed-by=/{key}] {address} /\n")


def old_containerd(root: Path) -> None:
    """A program that says the version as containerd does."""
    socket = "unix:///run/containerd/containerd.sock"
    put(root, "var/lib/kubelet/instance-config.yaml", f"containerRuntimeEndpoint: {socket}\n")
    said = "containerd github.com/containerd/containerd v1.7.27 05044ec0a9a75232cad458027ca83437aae3f4da"
    put(root, "usr/bin/containerd", f"#!/bin/sh\necho {said}\n").chmod(0o755)


@pytest.mark.parametrize(
    ("harm", "id", "severity", "words"),
    [
        (backup, "manifest-backup", "blocker", "etcd.yaml.bak"),
        (copy, "manifest-backup", "blocker", "etcd-copy.yaml"),
        (no_flags_file, "kubelet-flags-file", "blocker", "is missing"),
        (comment_before_flags, "kubelet-flags-file", "blocker", "does not begin with"),
        (other_identity, "kubelet-client-certificate", "blocker", "kubernetes-admin"),
        (other_host_name, "host-name-differs", "note", "Known-Plane.example"),
        (external_ca, "external-ca", "warning", "cannot renew the certificates of ca ("),
        (external_etcd_ca, "external-ca", "warning", "cannot renew the certificates of etcd/ca ("),
        (leftovers, "upgrade-leftovers", "note", "200 MiB"),
        (large_etcd, "disk-too-small", "blocker", "twice its size"),
        (cgroup_v1, "cgroup-v1", "blocker", "1.35"),
        (expired_certificate, "certificate-expired", "blocker", "/etc/kubernetes/pki/apiserver.crt"),
        (expired_kubelet_certificate, "certificate-expired", "note", "nothing that is known here verifies it"),
        (edited_kubelet, "kubelet-config-differs", "warning", "maxPods 250 becomes 110; systemReserved.cpu 500m goes"),
        (edited_policy, "kubelet-config-differs", "blocker", "cpuManagerPolicy static becomes none"),
        (no_admin_conf, "admin-conf-missing", "blocker", "/etc/kubernetes/admin.conf"),
        (no_kernel_configuration, "kernel-config-unreadable", "blocker", "/boot/config-6.1.0-own"),
        (expired_repository_key, "repository-key-expired", "warning", "234654DA9A296436"),
        (old_containerd, "container-runtime-old", "note", "containerd 1.7.27"),
    ],
)
def test_found(
    made: tuple[Cluster, Path], node: Path, harm: t.Callable[[Path], None], id: str, severity: str, words: str
) -> None:
    harm(node)
    ((*mark, evidence),) = found(made[0], node)
    assert mark == [id, severity]
    assert words in evidence


def test_a_kubelet_that_was_installed_before_the_control_plane(made: tuple[Cluster, Path], node: Path) -> None:
    """The old process still runs; whatever restarts it next makes it newer than the API server."""
    install(node, "1.35.4", "kubelet")
    marks = {id: (severity, evidence) for id, severity, evidence in found(made[0], node)}
    assert set(marks) == {"kubelet-not-restarted", "packages-differ"}
    assert {severity for severity, _evidence in marks.values()} == {"warning"}
    assert "runs 1.34.4 and 1.35.4 is installed" in marks["kubelet-not-restarted"][1]


def test_flags_that_are_set_to_nothing(made: tuple[Cluster, Path], node: Path) -> None:
    """The first kubeadm of 1.35 fails on it; what a later one makes of it is in test_kubeadm_upgrade.py."""
    put(node, FLAGS, 'KUBELET_KUBEADM_ARGS=""\n')
    assert found(made[0], node, "1.34.5") == []
    assert found(made[0], node, "1.35.4") == []
    ((id, severity, evidence),) = found(made[0], node, "1.35.0")
    assert (id, severity) == ("kubelet-flags-empty", "blocker")
    assert "KUBELET_KUBEADM_ARGS" in evidence


def test_a_runtime_that_the_target_does_not_take(made: tuple[Cluster, Path], node: Path) -> None:
    old_containerd(node)
    available = ["1.35.4", "1.36.3", "1.37.2", "1.38.0"]
    ((id, severity, evidence),) = found(made[0], node, "1.38.0", available_versions=available)
    assert (id, severity) == ("container-runtime-old", "blocker")
    assert "1.38" in evidence


def test_a_flag_that_is_gone_in_each_of_its_places(made: tuple[Cluster, Path], node: Path) -> None:
    """kubeadm 1.35 takes it out of its own file, and out of no other."""
    for path, text in PLACES.items():
        put(node, path, text.format("--pod-infra-container-image=registry.k8s.io/pause:3.10.1"))
    flags = found(made[0], node)
    assert {id for id, _severity, _evidence in flags} == {"kubelet-flag-removed"}
    severity_of = {path: severity for path in PLACES for _id, severity, told in flags if f"/{path};" in told}
    assert severity_of == {path: "warning" if path == FLAGS else "blocker" for path in PLACES}


@pytest.mark.skipif(os.geteuid() != 0, reason="target_programs is for root")
@pytest.mark.parametrize("flag", ["network-plugin", "pod-infra-container-image"])
def test_a_flag_that_the_targets_kubelet_does_not_know(made: tuple[Cluster, Path], node: Path, flag: str) -> None:
    put(node, "etc/default/kubelet", f"KUBELET_EXTRA_ARGS=--{flag}=x\n")
    with scratch_folder() as scratch:
        asked = run_module(
            "target_programs",
            {
                "kubernetes_version": "1.35.4",
                "binaries": {"kubelet": str(program("1.35.4", "kubelet"))},
                "kubelet_flags": told(node)["info"]["kubelet"]["flags"],
                "scratch": str(scratch),
                "images": "never",
                "download": False,
            },
        )
    ((id, severity, evidence),) = found(made[0], node, programs=[asked])
    assert (id, severity) == ("kubelet-flag-removed", "blocker")
    assert f"--{flag} in /etc/default/kubelet" in evidence
    assert "was asked" in evidence


def test_flags_in_a_file_that_a_drop_in_names(made: tuple[Cluster, Path], node: Path) -> None:
    put(node, "etc/systemd/system/kubelet.service.d/20-own.conf", "[Service]\nEnvironmentFile=-/etc/own/kubelet.env\n")
    put(node, "etc/own/kubelet.env", "KUBELET_ARGS=--pod-infra-container-image=registry.k8s.io/pause:3.10.1\n")
    ((id, severity, evidence),) = found(made[0], node)
    assert (id, severity) == ("kubelet-flag-removed", "blocker")
    assert "/etc/own/kubelet.env" in evidence


def test_a_kubelet_that_asks_the_balancer_while_api_servers_differ(made: tuple[Cluster, Path], node: Path) -> None:
    cluster, root = made
    kubelet = node / "etc/kubernetes/kubelet.conf"
    kubelet.write_text(kubelet.read_text().replace(f"https://{ADDRESS}:6443", f"https://{BALANCER}"))
    assert found(cluster, node) == []  # one API server alone does not differ from any
    with control_plane(cluster, {OTHER: ("v1.34.4", f"localhost:{cluster.port}")}):
        assert found(cluster, root) == []
        ((id, severity, evidence),) = found(cluster, node)
    assert (id, severity) == ("kubelet-server-not-local", "note")
    assert f"https://{BALANCER}" in evidence
