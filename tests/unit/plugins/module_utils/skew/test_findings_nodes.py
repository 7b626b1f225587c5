# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings on machines, packages and the server of a kubelet, both ways."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.hosts import read_host
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Finding
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.cases import (
    NOW,
    cluster,
    control_plane,
    decide,
    node,
    static,
)

# NOW is 2027-01-15.
DAY, MIB = 86400, 2**20
CONFIG = {
    "apiVersion": "kubeadm.k8s.io/v1beta4",
    "controlPlaneEndpoint": "api.example:6443",
    "apiServer": {"extraArgs": [{"name": "shutdown-delay-duration", "value": "20s"}]},
}
SERVER_FLAGS = ("--etcd-servers=https://e:2379", "--shutdown-delay-duration=20s")


def judged(
    info: dict[str, t.Any],
    target: str = "1.35.4",
    available: tuple[str, ...] = (),
    on: str = "w1",
    at: str = "v1.34.4",
) -> list[Finding]:
    """Of one node in a cluster of three control-plane nodes and a worker, all at one version."""
    planes = {"c1": "192.0.2.1", "c2": "192.0.2.2", "c3": "192.0.2.3"}
    pods = []
    for name, address in planes.items():
        pods.append(static("kube-apiserver", name, at, *SERVER_FLAGS, f"--advertise-address={address}"))
        pods += [static(part, name, at) for part in ("kube-controller-manager", "kube-scheduler")]
    host = read_host({"info": {"node_name": on, **info}})
    assert host is not None
    found = cluster(
        nodes=[*(node(name, at, control_plane=True) for name in planes), node("w1", at)],
        pods=pods,
        cluster_config={**CONFIG, "kubernetesVersion": at},
    )
    return decide(found, target, [host], available=available)["findings"]


def said(findings: list[Finding]) -> list[tuple[str, str]]:
    assert all(entry["subject"].startswith("node/") for entry in findings)
    return [(entry["severity"], entry["id"]) for entry in findings]


def program(version: str, *, held: bool = True) -> dict[str, t.Any]:
    return {"version": version, "package": {"version": f"{version}-1.1", "held": held, "held_by": ""}}


ALL_134 = {name: program("1.34.4") for name in ("kubeadm", "kubelet", "kubectl")}
SOURCE = "/etc/apt/sources.list.d/kubernetes.list"


def repository(minor: str = "1.34", **parts: t.Any) -> dict[str, t.Any]:
    url = f"https://pkgs.k8s.io/core:/stable:/v{minor}/deb/"
    return {"file": SOURCE, "url": url, "enabled": True, "minor": minor, "legacy": False, "keys": [], **parts}


def key(expires: str, **parts: t.Any) -> dict[str, t.Any]:
    return {"file": "/etc/apt/k.asc", "fingerprint": "DE15B144234654DA9A296436", "expires": expires, **parts}


CLEAN: dict[str, t.Any] = {
    **ALL_134,
    "kubelet": {**program("1.34.4"), "running_version": "1.34.4", "client_cn": "system:node:w1", "empty_variables": []},
    "hostname": "w1",
    "role": "worker",
    "kernel": "6.1.0-40-amd64",
    "cgroup_version": 2,
    "swap_on": False,
    "time": NOW - 5,
    "clock": {"synchronised": True, "max_error_s": 0.02, "asked_at": NOW - 5.5},
    "disk": {
        "/": {"free_bytes": 9000 * MIB, "inodes_free": 900_000, "inodes_total": 1_000_000},
        "/var/lib/containerd": {"free_bytes": 9000 * MIB, "inodes_free": 0, "inodes_total": 0},
    },
    "container_runtime": {"name": "containerd", "version": "2.1.4"},
    "kubelet_conf_server": "https://api.example:6443",
    "kubeadm_tmp_bytes": 3 * MIB,
    "repositories": [repository(keys=[key("2027-12-29T00:00:00Z")])],
}


PAUSE = "registry.internal.example/pause:3.9"


def runtime(image: str = PAUSE, *, pinned: bool | None) -> dict[str, t.Any]:
    return {"name": "containerd", "version": "2.1.4", "sandbox": {"image": image, "pinned": pinned}}


def test_a_clean_node() -> None:
    assert judged(CLEAN) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"kernel": "4.18.0-553.el8.x86_64"}, [("warning", "kernel-too-old")]),
        ({"kernel": "5.4.0"}, []),
        ({"kernel": "5.3.18-150300"}, [("warning", "kernel-too-old")]),
        ({"kernel": ""}, []),
        ({"time": NOW - 8, "clock": {"asked_at": NOW - 5}}, [("warning", "clock-differs")]),
        ({"time": NOW - 5.5, "clock": {"asked_at": NOW - 5}}, []),
        ({"time": NOW + 3}, [("warning", "clock-differs")]),
        ({"time": NOW - 3600, "clock": {}}, []),
        ({"clock": {"synchronised": False}}, [("warning", "clock-not-synchronised")]),
        ({"clock": {"synchronised": None}}, []),
        (
            {"disk": {"/": {"free_bytes": 1, "inodes_free": 49_999, "inodes_total": 1_000_000}}},
            [("warning", "inodes-few")],
        ),
        ({"disk": {"/": {"free_bytes": 1, "inodes_free": 50_000, "inodes_total": 1_000_000}}}, []),
        ({"disk": {"/var/lib/containerd": {"free_bytes": 511 * MIB}}}, [("warning", "disk-too-small-for-images")]),
        ({"disk": {"/var/lib/containerd": {"free_bytes": 512 * MIB}}}, []),
        (
            {"role": "control_plane", "disk": {"/var/lib/containerd": {"free_bytes": 1000 * MIB}}},
            [("warning", "disk-too-small-for-images")],
        ),
        ({"kubeadm_tmp_bytes": 702 * MIB}, [("note", "upgrade-leftovers")]),
        ({"container_runtime": {"name": "cri-o", "version": "1.27.1"}}, [("note", "container-runtime-old")]),
        ({"container_runtime": {"name": "cri-o", "version": "1.34.0"}}, []),
        ({"container_runtime": runtime(pinned=True)}, []),
        ({"container_runtime": runtime(pinned=False)}, [("warning", "sandbox-image-not-pinned")]),
        ({"container_runtime": runtime(pinned=None)}, [("note", "sandbox-image-not-pinned")]),
        ({"container_runtime": runtime(image="", pinned=None)}, [("note", "sandbox-image-not-pinned")]),
        (
            {"package_sources_error": "E: Conflicting values set for option Signed-By regarding source x"},
            [("blocker", "package-sources-broken")],
        ),
        (
            {"foreign_manifests": [{"file": "/etc/kubernetes/manifests/x.yaml", "error": "it is not a Pod"}]},
            [("warning", "manifest-unreadable")],
        ),
        (
            {"foreign_manifests": [{"file": "/etc/kubernetes/manifests/x.bak", "error": "it is not a Pod"}]},
            [("blocker", "manifest-backup")],
        ),
    ],
)
def test_machine(changes: dict[str, t.Any], expected: list[tuple[str, str]]) -> None:
    assert said(judged({**CLEAN, **changes})) == expected


def test_an_image_of_sandboxes_that_is_not_pinned() -> None:
    (entry,) = judged({**CLEAN, "container_runtime": runtime(pinned=False)}, "1.35.4")
    assert f"ctr -n k8s.io images label {PAUSE} io.cri-containerd.pinned=pinned" in entry["remedy"]
    (entry,) = judged({**CLEAN, "container_runtime": {**runtime(pinned=False), "name": "cri-o"}}, "1.35.4")
    assert f'pinned_images = ["{PAUSE}"]' in entry["remedy"]
    # Until 1.34 the kubelet has a flag for it.
    assert judged({**CLEAN, "container_runtime": runtime(pinned=False)}, "1.34.9") == []


def test_a_clock_is_said_to_be_wrong_by_what_is_proven() -> None:
    (entry,) = judged({**CLEAN, "time": NOW - 65, "clock": {"asked_at": NOW - 5}})
    assert "at least 60.0 s behind" in entry["evidence"]


def test_empty_flags_as_kubeadm_info_names_them() -> None:
    kubelet = {**CLEAN["kubelet"], "empty_variables": ["/var/lib/kubelet/kubeadm-flags.env: KUBELET_KUBEADM_ARGS"]}
    assert said(judged({**CLEAN, "kubelet": kubelet}, "1.35.0")) == [("blocker", "kubelet-flags-empty")]


@pytest.mark.parametrize(
    ("kubeadm", "kubelet", "kubectl", "running", "expected"),
    [
        ("1.34.4", "1.34.4", "1.34.4", "1.34.4", []),
        # Prepared by a run.
        ("1.35.4", "1.34.4", "1.35.4", "1.34.4", []),
        ("1.35.4", "1.34.4", "1.34.4", "1.34.4", []),
        # Killed between the package and the restart.
        ("1.35.4", "1.35.4", "1.35.4", "1.34.4", [("warning", "kubelet-not-restarted")]),
        ("1.34.4", "1.34.4", "1.33.1", "1.34.4", [("warning", "packages-differ")]),
        (
            "1.34.4",
            "1.35.0",
            "1.34.4",
            "1.34.4",
            [("warning", "kubelet-not-restarted"), ("warning", "packages-differ")],
        ),
        ("1.35.9", "1.34.4", "1.35.4", "1.34.4", [("blocker", "package-newer-than-target")]),
        (
            "1.35.4",
            "1.34.4",
            "1.36.0",
            "1.34.4",
            [("blocker", "package-newer-than-target"), ("warning", "packages-differ")],
        ),
        ("", "", "", "1.34.4", []),
    ],
)
def test_packages(kubeadm: str, kubelet: str, kubectl: str, running: str, expected: list[tuple[str, str]]) -> None:
    changes = {
        "kubeadm": program(kubeadm),
        "kubelet": {**CLEAN["kubelet"], **program(kubelet), "running_version": running},
        "kubectl": program(kubectl),
    }
    assert said(judged({**CLEAN, **changes})) == expected


def test_a_package_is_compared_with_the_next_hop() -> None:
    changes = {"kubeadm": program("1.36.3"), "kubectl": program("1.36.3")}
    assert ("blocker", "package-newer-than-target") in said(judged({**CLEAN, **changes}, "1.36.3", ("1.35.4",)))


def test_holds() -> None:
    changes = {"kubeadm": program("1.34.4", held=False), "kubectl": {"version": "1.34.4", "package": None}}
    (entry,) = judged({**CLEAN, **changes})
    assert said([entry]) == [("note", "packages-not-held")]
    assert entry["evidence"].startswith("not held: kubeadm;")


@pytest.mark.parametrize(
    ("repositories", "expected"),
    [
        ([], []),
        ([repository("1.34")], []),
        ([repository("1.35")], []),
        ([repository("1.31")], [("warning", "repository-of-another-minor")]),
        ([repository("1.31"), repository("1.34")], []),
        ([repository("1.31", enabled=False)], []),
        ([repository(""), repository("", legacy=True)], [("warning", "repository-legacy")]),
        ([repository("", legacy=True, enabled=False)], []),
        ([repository(keys=[key("2026-12-29T14:59:44Z")])], [("warning", "repository-key-expired")]),
        ([repository(keys=[key("2027-02-01T00:00:00Z")])], [("note", "repository-key-expires-soon")]),
        ([repository(keys=[key("")])], []),
        ([repository(keys=[key("2029-01-01T00:00:00Z", revoked=True)])], [("warning", "repository-key-expired")]),
        # One file of a key for two repositories is one finding.
        (
            [repository(keys=[key("2026-12-29T14:59:44Z")]), repository("1.35", keys=[key("2026-12-29T14:59:44Z")])],
            [("warning", "repository-key-expired")],
        ),
    ],
)
def test_repositories(repositories: list[dict[str, t.Any]], expected: list[tuple[str, str]]) -> None:
    assert said(judged({**CLEAN, "repositories": repositories})) == expected


@pytest.mark.parametrize(
    ("hostname", "target", "expected"),
    [
        ("W1", "1.35.4", []),
        ("w1.example", "1.35.4", [("note", "host-name-differs")]),
        ("w1.example", "1.34.5", [("note", "host-name-differs")]),
    ],
)
def test_host_name(hostname: str, target: str, expected: list[tuple[str, str]]) -> None:
    assert said(judged({**CLEAN, "hostname": hostname}, target)) == expected


@pytest.mark.parametrize(
    ("hostname", "target", "broken"),
    [
        ("w1.example", "1.34.1", True),
        ("w1", "1.34.1", False),
        ("w1.example", "1.34.2", False),
    ],
)
def test_one_patch_looks_for_the_node_by_the_name_of_its_host(hostname: str, target: str, broken: bool) -> None:
    found = judged({"hostname": hostname}, target, at="v1.34.0")
    assert (("blocker", "host-name-differs") in said(found)) is broken


def plane(server: str) -> dict[str, t.Any]:
    return {
        "hostname": "c1",
        "role": "control_plane",
        "kubelet_conf_server": server,
        "static_pods": {"kube-apiserver": {"flags": {"advertise-address": "192.0.2.1"}, "api_references": []}},
    }


@pytest.mark.parametrize(
    ("on", "server", "target", "expected"),
    [
        ("c1", "https://192.0.2.1:6443", "1.35.4", []),
        ("c1", "https://127.0.0.1:6443", "1.35.4", []),
        ("c1", "https://api.example:6443", "1.35.4", [("note", "kubelet-server-not-local")]),
        ("c1", "https://192.0.2.2:6443", "1.35.4", [("note", "kubelet-server-not-local")]),
        # A patch brings no API server of another minor.
        ("c1", "https://api.example:6443", "1.34.5", []),
        ("w1", "https://api.example:6443", "1.35.4", []),
        ("w1", "https://192.0.2.3:6443", "1.35.4", []),
        ("w1", "https://localhost:6443", "1.35.4", []),
        ("w1", "https://192.0.2.9:6443", "1.35.4", [("warning", "kubelet-server-unknown")]),
        ("w1", "", "1.35.4", []),
    ],
)
def test_kubelet_server(on: str, server: str, target: str, expected: list[tuple[str, str]]) -> None:
    info = plane(server) if on == "c1" else {**CLEAN, "kubelet_conf_server": server}
    assert said(judged(info, target, on=on)) == expected


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ({"environment": [], "static_pods": [], "differing": []}, ""),
        ({"environment": ["NO_PROXY"], "static_pods": ["NO_PROXY"], "differing": []}, ""),
        (
            {"environment": [], "static_pods": ["HTTPS_PROXY", "NO_PROXY"]},
            "HTTPS_PROXY, NO_PROXY the static pods have, and the environment of kubeadm has not",
        ),
        ({"environment": ["http_proxy"], "static_pods": []}, "http_proxy the environment of kubeadm has, and"),
        ({"environment": ["a_proxy"], "static_pods": ["a_proxy"], "differing": ["a_proxy"]}, "a_proxy have another"),
    ],
)
@pytest.mark.parametrize("target", ["1.34.4", "1.35.4"])
def test_proxies_of_kubeadm_and_of_the_static_pods(names: dict[str, t.Any], told: str, target: str) -> None:
    plane = read_host({"node_name": "c1", "role": "control_plane", "proxy_variables": names})
    found = decide(cluster(), target, [plane] if plane else [])["findings"]
    expected = [("note", "proxy-variables")] if told and target == "1.35.4" else []
    assert [(entry["severity"], entry["id"]) for entry in found] == expected
    assert all(told in entry["evidence"] for entry in found)


EL8, EL9 = "4.18.0-553.el8_10.x86_64", "5.14.0-611.el9"
NEITHER: dict[str, list[str]] = {}
BOTH = {"control_plane": ["SystemVerification"], "worker": ["systemverification"]}


@pytest.mark.parametrize(
    ("info", "versions", "ignored", "expected"),
    [
        # kubeadm 1.33 is the one that makes an error of it in an upgrade.
        ({"kernel": EL8}, "1.32.9 1.33.8", NEITHER, [("blocker", "kernel-too-old", "in the hop to 1.33.8")]),
        ({"kernel": EL8}, "1.32.9 1.33.8 1.34.4", NEITHER, [("blocker", "kernel-too-old", "in the hop to 1.33.8")]),
        ({"kernel": EL8}, "1.32.9 1.33.8 1.34.4", BOTH, [("warning", "kernel-too-old", "in the hop to 1.33.8")]),
        ({"kernel": EL8}, "1.31.9 1.32.9", NEITHER, [("warning", "kernel-too-old", "1.32 supports")]),
        ({"kernel": EL8}, "1.33.8 1.34.4", NEITHER, [("warning", "kernel-too-old", "1.34 supports 5.4")]),
        ({"kernel": EL9}, "1.32.9 1.33.8 1.34.4", NEITHER, []),
        ({"kernel": EL9, "kernel_config": True}, "1.33.8 1.34.4", NEITHER, []),
        ({"kernel": EL9, "kernel_config": False}, "1.31.9 1.32.9", NEITHER, []),
        (
            {"kernel": EL9, "kernel_config": False},
            "1.32.9 1.33.8 1.34.4",
            NEITHER,
            [("blocker", "kernel-config-unreadable", f"/boot/config-{EL9}")],
        ),
        (
            {"kernel": EL9, "kernel_config": False},
            "1.33.8 1.34.4",
            BOTH,
            [("note", "kernel-config-unreadable", "in the hop to 1.34.4")],
        ),
        # It is done already.
        ({"kernel": EL9, "kernel_config": False}, "1.34.4 1.34.4", NEITHER, []),
    ],
)
@pytest.mark.parametrize("role", ["control_plane", "worker"])
def test_what_kubeadm_verifies_of_the_kernel(
    info: dict[str, t.Any], versions: str, ignored: dict[str, list[str]], expected: list[t.Any], role: str
) -> None:
    before, *between, target = versions.split()
    name = "c1" if role == "control_plane" else "w1"
    etcd = "3.6.5-0" if before.startswith("1.34") else "3.5.26-0"
    seen = cluster(
        nodes=[node("c1", f"v{before}", control_plane=True), node("w1", f"v{before}")],
        pods=control_plane("c1", f"v{before}", etcd),
        cluster_config={"apiVersion": "kubeadm.k8s.io/v1beta4", "kubernetesVersion": f"v{before}"},
    )
    told = read_host({"node_name": name, "role": role, **info})
    findings = decide(seen, target, [told] if told else [], available=between, ignored_checks=ignored)["findings"]
    found = [entry for entry in findings if entry["subject"] == f"node/{name}"]
    assert [(entry["severity"], entry["id"]) for entry in found] == [each[:2] for each in expected]
    for entry, (severity, _id, words) in zip(found, expected):
        assert words in entry["evidence"]
        option = f"{role}_ignore_preflight_errors: [SystemVerification]"
        assert (option in entry["remedy"]) is (severity == "blocker")


@pytest.mark.parametrize(("ignored", "severity"), [(NEITHER, "blocker"), (BOTH, "warning")])
def test_a_control_group_of_version_1_that_is_allowed(ignored: dict[str, list[str]], severity: str) -> None:
    """The kubelet starts, and kubeadm's own check of it fails unless it is passed over."""
    told = read_host({"node_name": "w1", "role": "worker", "cgroup_version": 1})
    seen = cluster(kubelet_config={"failCgroupV1": False})
    (found,) = decide(seen, hosts=[told] if told else [], ignored_checks=ignored)["findings"]
    assert (found["severity"], found["id"]) == (severity, "cgroup-v1")
    assert "worker_ignore_preflight_errors: [SystemVerification]" in found["remedy"]


CRI = "kubeadm.alpha.kubernetes.io/cri-socket"
CONTAINERD, SHIM = "unix:///run/containerd/containerd.sock", "/var/run/dockershim.sock"
LOCAL = {"featureGates": {"NodeLocalCRISocket": True}}


@pytest.mark.parametrize(
    ("told", "role", "versions", "more", "expected"),
    [
        (CONTAINERD, "worker", "1.33.5 1.34.4", {}, ""),
        ("unix:///var/run/containerd/containerd.sock", "worker", "1.34.4 1.35.4", {}, ""),
        ("/run/containerd/containerd.sock", "control_plane", "1.34.4 1.35.4", {}, ""),
        (SHIM, "control_plane", "1.33.5 1.34.4", {}, "blocker"),
        # Until 1.34 no image is pulled there, and its kubeadm takes the annotation away.
        (SHIM, "worker", "1.33.5 1.34.4", {}, "warning"),
        (SHIM, "worker", "1.33.5 1.34.4 1.35.4", {}, "warning"),
        (SHIM, "worker", "1.34.4 1.35.4", {}, "blocker"),
        (SHIM, "worker", "1.34.4 1.34.4", {}, ""),
        # It may be there: a place that is not looked at, or two runtimes.
        ("unix:///opt/own.sock", "control_plane", "1.34.4 1.35.4", {}, "warning"),
        (
            "unix:///run/crio/crio.sock",
            "control_plane",
            "1.34.4 1.35.4",
            {"sockets": ["/run/crio/crio.sock"]},
            "warning",
        ),
        (SHIM, "control_plane", "1.34.4 1.35.4", {"sockets": None}, "warning"),
        (None, "worker", "1.32.9 1.33.5", {}, "blocker"),
        (None, "worker", "1.32.9 1.33.5", {"config": LOCAL, "instance": True}, ""),
        (None, "worker", "1.33.5 1.34.4", {"instance": False}, "blocker"),
        (None, "worker", "1.34.4 1.35.4", {"instance": True}, ""),
        (None, "worker", "1.34.4 1.35.4", {"instance": None}, ""),
        (None, "worker", "1.35.4 1.36.3", {"instance": False}, ""),
        (SHIM, "control_plane", "1.34.4 1.35.4", {"socket": ""}, ""),
    ],
)
def test_the_socket_that_kubeadm_is_told(
    told: str | None, role: str, versions: str, more: dict[str, t.Any], expected: str
) -> None:
    before, *between, target = versions.split()
    name = "c1" if role == "control_plane" else "w1"
    annotations = {} if told is None else {CRI: told}
    etcd = {"1.34": "3.6.5-0", "1.35": "3.6.6-0"}.get(before[:4], "3.5.26-0")
    seen = cluster(
        nodes=[
            node("c1", f"v{before}", control_plane=True, annotations=annotations),
            node("w1", f"v{before}", annotations=annotations),
        ],
        pods=control_plane("c1", f"v{before}", etcd),
        cluster_config={"kubernetesVersion": f"v{before}", **more.get("config", {})},
    )
    runtime = {
        "socket": more.get("socket", CONTAINERD),
        "sockets": more.get("sockets", ["/run/containerd/containerd.sock"]),
    }
    kubelet = {"instance_config_present": more.get("instance", True)}
    host = read_host({"node_name": name, "role": role, "container_runtime": runtime, "kubelet": kubelet})
    findings = decide(seen, target, [host] if host else [], available=between)["findings"]
    found = [entry for entry in findings if entry["id"] == "cri-socket-differs"]
    assert [(entry["severity"], entry["subject"]) for entry in found] == (
        [(expected, f"node/{name}")] if expected else []
    )
    assert all(entry["remedy"] == f"kubectl annotate node {name} --overwrite {CRI}={CONTAINERD}" for entry in found)


@pytest.mark.parametrize(
    ("role", "there", "target", "expected"),
    [
        ("control_plane", False, "1.35.4", ["admin-conf-missing"]),
        ("control_plane", True, "1.35.4", []),
        ("control_plane", None, "1.35.4", []),
        ("control_plane", False, "1.34.4", []),
        ("worker", False, "1.35.4", []),
    ],
)
def test_kubeadms_own_kubeconfig(role: str, there: bool | None, target: str, expected: list[str]) -> None:
    told = read_host({"node_name": "c1" if role == "control_plane" else "w1", "role": role, "admin_conf": there})
    found = decide(cluster(), target, [told] if told else [])["findings"]
    assert [(entry["severity"], entry["id"]) for entry in found] == [("blocker", id) for id in expected]
    words = "kubeadm init phase kubeconfig admin --kubernetes-version v1.34.4 --cert-dir /etc/kubernetes/pki"
    assert all(words in entry["remedy"] for entry in found)


@pytest.mark.parametrize(
    ("kubelet", "target", "workers", "expected"),
    [
        ("v1.34.4-eks-1", "1.34.4", [], True),
        ("v1.34.4-gke.1042000", "1.34.3", [], True),
        ("v1.34.4+vmware.1", "1.34.4", [], True),
        ("v1.34.4-eks-1", "1.34.5", ["w1"], True),
        ("v1.34.4", "1.34.4", [], False),
        ("v1.34.5-rc.0", "1.34.5", ["w1"], False),
    ],
)
def test_a_vendors_build(kubelet: str, target: str, workers: list[str], expected: bool) -> None:
    """It counts as the release before the suffix, and is never upgraded to one that is older or the same."""
    verdict = decide(cluster(nodes=[node("c1", control_plane=True), node("w1", kubelet)]), target)
    assert [hop["workers"] for hop in verdict["hops"]] == ([workers] if workers else [])
    found = [entry for entry in verdict["findings"] if entry["subject"] == "node/w1"]
    assert [(entry["severity"], entry["id"]) for entry in found] == ([("warning", "vendor-build")] if expected else [])
    assert all(f"kubelet {kubelet}:" in entry["evidence"] for entry in found)


def test_an_api_server_of_a_vendor() -> None:
    said = {"node": "c1", "address": "", "version": "v1.34.4-eks-1", "deprecated": [], "error": ""}
    said["readyz"] = {"status": 200}
    verdict = decide(cluster(api_servers=[said]), "1.34.4")
    assert verdict["hops"] == []
    assert [(entry["id"], entry["subject"]) for entry in verdict["findings"]] == [("vendor-build", "node/c1")]
    assert "kube-apiserver v1.34.4-eks-1" in verdict["findings"][0]["evidence"]
