# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known to make an upgrade fail on the way from 1.32 over 1.33 to 1.34.

The API server of the control-plane node cannot be asked at its address, so its
version is that of its image; the objects are on a real one.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from pathlib import Path

import pytest

from control_plane import control_plane, remove, show, static_pod
from harness.cluster import Cluster
from harness.modules import run_module
from harness.node_folder import make_control_plane, put
from skew_place import CONFIG_MAPS, check, cluster_configuration

PLANE = "older-plane"
ETCD = f"pod/kube-system/etcd-{PLANE}"
HOOK = "older-hook"
HOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


@pytest.fixture(scope="module")
def older(cluster: Cluster) -> t.Iterator[Cluster]:
    try:
        nodes = {PLANE: ("v1.32.9", "127.0.0.1:1")}
        with control_plane(cluster, nodes, etcd="3.5.21-0", kubelet="v1.32.9"):
            cluster.apply(cluster_configuration({"kubernetesVersion": "v1.32.9"}))
            yield cluster
    finally:
        remove(cluster, f"{CONFIG_MAPS}/kubeadm-config")


def plan(cluster: Cluster, target: str, **options: t.Any) -> t.Any:
    return check(cluster, target, available_versions=["1.32.9", "1.33.13", target], **options)


def test_etcd_that_must_not_become_the_next_one(older: Cluster) -> None:
    """Before 3.5.26, members that were removed or were learners come back to life in 3.6."""
    here = ("etcd-bridge", "etcd"), ("etcd-before-3.6", ETCD)
    assert not set(here) & set(plan(older, "1.33.13").findings)
    bridged = plan(older, "1.34.4")
    assert bridged.findings[here[0]]["severity"] == "note"
    assert [hop["etcd_image_tag"] for hop in bridged.result["hops"]] == ["3.5.26-0", ""]
    refused = plan(older, "1.34.4", etcd_bridges={"3.5": ""})
    assert refused.findings[here[1]]["severity"] == "blocker"
    assert "3.5.21" in refused.findings[here[1]]["evidence"]
    show(older, static_pod("etcd", PLANE, "3.5.26-0"))
    try:
        assert not set(here) & set(plan(older, "1.34.4", etcd_bridges={"3.5": ""}).findings)
    finally:
        show(older, static_pod("etcd", PLANE, "3.5.21-0"))


@pytest.mark.parametrize(("target", "severity"), [("1.34.1", "blocker"), ("1.34.4", "note")])
def test_a_host_name_that_one_patch_of_kubeadm_takes_for_the_nodes(
    older: Cluster, tmp_path: Path, target: str, severity: str
) -> None:
    root, mark = tmp_path / "root", ("host-name-differs", f"node/{PLANE}")
    make_control_plane(root, tmp_path / "kubeadm", PLANE)
    assert mark not in plan(older, target, nodes=[run_module("kubeadm_info", {"root": str(root)})]).findings
    put(root, "etc/hostname", "machine-17\n")
    found = plan(older, target, nodes=[run_module("kubeadm_info", {"root": str(root)})]).findings[mark]
    assert (found["severity"], "machine-17" in found["evidence"]) == (severity, True)


@contextmanager
def webhook_for_everything(cluster: Cluster, **changes: t.Any) -> t.Iterator[None]:
    """It is asked about what has no namespace and is made, which here nobody does meanwhile; it has an endpoint."""
    hook = {
        "name": "everything.evergreen.test",
        "clientConfig": {"service": {"namespace": "default", "name": HOOK}},
        "rules": [
            {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["*"], "scope": "Cluster"}
        ],
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        **changes,
    }
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": HOOK, "namespace": "default", "labels": {"kubernetes.io/service-name": HOOK}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["192.0.2.1"], "conditions": {"ready": True}, "nodeName": PLANE}],
        "ports": [],
    }
    configuration = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": HOOK},
        "webhooks": [hook],
    }
    try:
        cluster.client.request("POST", SLICES, body=endpoints)
        cluster.apply(configuration)
        yield
    finally:
        remove(cluster, f"{HOOKS}/{HOOK}")
        remove(cluster, f"{SLICES}/{HOOK}")


def of_the_hook(found: t.Any) -> dict[str, str]:
    subject = f"webhook/{HOOK}/everything.evergreen.test"
    return {id: entry["severity"] for (id, where), entry in found.findings.items() if where == subject}


def test_a_webhook_that_stops_the_api_servers_of_1_33(older: Cluster) -> None:
    with webhook_for_everything(older):
        assert of_the_hook(plan(older, "1.33.13")) == {"webhook-blocks-service-cidr": "warning"}
        assert of_the_hook(plan(older, "1.32.10")) == {}
    left_out = {"name": "cidrs", "expression": "request.resource.resource != 'servicecidrs'"}
    with webhook_for_everything(older, matchConditions=[left_out]):
        assert of_the_hook(plan(older, "1.33.13")) == {}
