# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings on certificates: of each, who uses it and what renews it."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Cluster, Finding
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.cases import (
    NOW,
    cluster,
    control_plane,
    decide,
    node,
    pod,
    static,
)
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.test_findings_hosts import host

DAY = 86400
PKI = "/etc/kubernetes/pki"
SERVING = "/var/lib/kubelet/pki/kubelet.crt"
CLIENT = "/etc/kubernetes/kubelet.conf"


def metrics_server(*args: str) -> dict[str, t.Any]:
    made = pod("metrics-server-1", namespace="kube-system")
    image = "registry.k8s.io/metrics-server/metrics-server:v0.8.0"
    made["spec"]["containers"] = [{"name": "metrics-server", "image": image, "args": ["--secure-port=10250", *args]}]
    return made


def findings(path: str, days: int, seen: Cluster | None = None, **info: t.Any) -> list[Finding]:
    """Without others than those on certificates."""
    certificates = [{"path": path, "not_after": NOW + days * DAY}]
    # A target that needs nothing: expiry does not wait for an upgrade.
    found = decide(seen or cluster(), "1.34.4", [host(certificates=certificates, **info)])["findings"]
    return [entry for entry in found if entry["id"].startswith("certificate")]


def verdicts(path: str, days: int, seen: Cluster | None = None, **info: t.Any) -> list[tuple[str, str]]:
    return [(entry["severity"], entry["id"]) for entry in findings(path, days, seen, **info)]


OVER, SOON = "certificate-expired", "certificate-expires-soon"
PLANE = {"role": "control_plane"}
STATIC_POD = {"file": "/etc/kubernetes/manifests/kube-apiserver.yaml", "flags": {"tls-cert-file": f"{PKI}/own.crt"}}


@pytest.mark.parametrize(
    ("path", "days", "info", "expected"),
    [
        (f"{PKI}/apiserver.crt", -1, {}, [("blocker", OVER)]),
        (f"{PKI}/apiserver.crt", 29, {}, [("warning", SOON)]),
        (f"{PKI}/apiserver.crt", 31, {}, []),
        ("/etc/kubernetes/admin.conf", -1, PLANE, [("blocker", OVER)]),
        ("/etc/kubernetes/super-admin.conf", -1, PLANE, [("note", OVER)]),
        (f"{PKI}/etcd/server.crt", -1, {**PLANE, "etcd": {"present": True}}, [("blocker", OVER)]),
        (f"{PKI}/etcd/ca.crt", 100, {}, [("warning", SOON)]),
        (f"{PKI}/ca.crt", -1, {"role": "worker"}, [("blocker", OVER)]),
        (f"{PKI}/ca.crt", 200, {}, []),
        # Left over: the copy of before a renewal, a control plane's on a worker, etcd's of before it moved out.
        (f"{PKI}/apiserver-2024.crt", -1, PLANE, [("note", OVER)]),
        (f"{PKI}/apiserver-2024.crt", 5, PLANE, []),
        (f"{PKI}/apiserver.crt", -1, {"role": "worker"}, [("note", OVER)]),
        ("/etc/kubernetes/admin.conf", -1, {"role": "worker"}, [("note", OVER)]),
        (f"{PKI}/etcd/server.crt", -1, {**PLANE, "etcd": {"present": False}}, [("note", OVER)]),
        # kubeadm did not make it, and a static pod is started with it.
        (f"{PKI}/own.crt", -1, {**PLANE, "static_pods": {"kube-apiserver": STATIC_POD}}, [("blocker", OVER)]),
        (f"{PKI}/own.crt", 5, {**PLANE, "static_pods": {"kube-apiserver": STATIC_POD}}, [("warning", SOON)]),
        (CLIENT, -1, {"role": "worker"}, [("blocker", OVER)]),
        (CLIENT, 5, {"role": "worker"}, [("warning", SOON)]),
        (SERVING, -700, {"role": "worker"}, [("note", OVER)]),
        (SERVING, 5, {"role": "worker"}, [("note", SOON)]),
        (SERVING, 300, {"role": "worker"}, []),
        (SERVING, -700, {"kubelet": {"config": {"serverTLSBootstrap": True}}}, []),
        (SERVING, 5, {"kubelet": {"drop_ins": {"serverTLSBootstrap": True}}}, []),
        (SERVING, -700, {"kubelet": {"flags": [{"name": "rotate-server-certificates", "value": "true"}]}}, []),
        (SERVING, -700, {"kubelet": {"config": {"tlsCertFile": "/etc/own.crt"}}}, []),
    ],
)
def test_who_uses_it(path: str, days: int, info: dict[str, t.Any], expected: list[t.Any]) -> None:
    assert verdicts(path, days, **info) == expected


@pytest.mark.parametrize(
    ("path", "days", "info", "words"),
    [
        (f"{PKI}/apiserver.crt", -1, PLANE, "kubeadm certs renew all"),
        (f"{PKI}/apiserver.crt", 5, PLANE, "The upgrade renews"),
        (f"{PKI}/apiserver.crt", 5, {**PLANE, "ca_keys_missing": ["ca"]}, "kubeadm cannot renew it"),
        (f"{PKI}/apiserver.crt", -5, {**PLANE, "ca_keys_missing": ["ca"]}, "kubeadm cannot renew it"),
        (f"{PKI}/front-proxy-ca.crt", 5, PLANE, "renews no certificate authority"),
        (CLIENT, -1, {}, "kubeadm kubeconfig user --org system:nodes --client-name system:node:w1"),
        (CLIENT, 5, {}, "rotateCertificates"),
        (SERVING, -1, {}, f"mv {SERVING} /var/lib/kubelet/pki/kubelet.key /root/ && systemctl restart kubelet"),
        (SERVING, 5, {}, "Neither kubeadm nor the upgrade renews it"),
    ],
)
def test_what_renews_it(path: str, days: int, info: dict[str, t.Any], words: str) -> None:
    (found,) = findings(path, days, **info)
    assert words in found["remedy"]
    assert "certs renew" not in found["remedy"] or path == f"{PKI}/apiserver.crt"


def verified_by(*flags: str) -> Cluster:
    pods = [entry for entry in control_plane("c1") if "kube-apiserver" not in entry["metadata"]["name"]]
    server = static("kube-apiserver", "c1", "v1.34.4", "--etcd-servers=https://127.0.0.1:2379", *flags)
    return cluster(nodes=[node("c1", control_plane=True), node("w1")], pods=[*pods, server])


@pytest.mark.parametrize("days", [-700, 5])
@pytest.mark.parametrize(
    ("seen", "severity", "words"),
    [
        (verified_by(), "note", "nothing that is known here"),
        (verified_by("--kubelet-certificate-authority=/ca.crt"), "warning", "--kubelet-certificate-authority"),
        (cluster(pods=[*control_plane("c1"), metrics_server()]), "warning", "kube-system/metrics-server-1"),
        (cluster(pods=[*control_plane("c1"), metrics_server("--kubelet-insecure-tls")]), "note", "nothing"),
        (cluster(pods=[*control_plane("c1"), metrics_server("--kubelet-insecure-tls=true")]), "note", "nothing"),
    ],
)
def test_a_serving_certificate_counts_where_something_verifies_it(
    days: int, seen: Cluster, severity: str, words: str
) -> None:
    (found,) = findings(SERVING, days, seen, role="worker")
    assert found["severity"] == severity
    assert words in found["evidence"]


def test_a_moment_as_text() -> None:
    moment = datetime.fromtimestamp(NOW - DAY, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    found = decide(cluster(), hosts=[host(certificates=[{"path": f"{PKI}/ca.crt", "not_after": moment}])])["findings"]
    assert [(entry["severity"], entry["id"]) for entry in found] == [("blocker", OVER)]
