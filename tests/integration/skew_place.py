# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that skew_check plans an upgrade of: one control-plane node of 1.34.4, and the API server that is there."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from types import SimpleNamespace

import yaml

from ansible_collections.evergreen.kubeadm.plugins.modules import skew_check
from control_plane import control_plane, remove, task
from harness.cluster import Cluster
from harness.objects import node
from harness.process import wait_for

TARGET = "1.35.4"
CONFIG_MAPS = "/api/v1/namespaces/kube-system/configmaps"


def config_map(name: str, key: str, value: dict[str, t.Any] | str) -> dict[str, t.Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "kube-system"},
        "data": {key: value if isinstance(value, str) else yaml.safe_dump(value)},
    }


def check(cluster: Cluster, target: str = TARGET, auth: dict[str, t.Any] | None = None, **options: t.Any) -> t.Any:
    """The result, with findings as ``{(id, subject): finding}`` and nodes by name."""
    params = {**cluster.params, **(auth or {}), "kubernetes_version": target, **options}
    result = skew_check.check(task(skew_check.ARGUMENT_SPEC, params))
    return SimpleNamespace(
        result=result,
        findings={(f["id"], f["subject"]): f for f in result["findings"]},
        nodes={n["name"]: n for n in result["nodes"]},
    )


def cluster_configuration(config: dict[str, t.Any]) -> dict[str, t.Any]:
    whole = {"apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "ClusterConfiguration", "kubernetesVersion": "v1.34.4"}
    # There are none here unless a test makes them.
    whole |= {"proxy": {"disabled": True}, "dns": {"disabled": True}}
    return config_map("kubeadm-config", "ClusterConfiguration", {**whole, **config})


@contextmanager
def configured(cluster: Cluster, config: dict[str, t.Any]) -> t.Iterator[None]:
    """Another configuration of kubeadm, and the one of `upgradable` with nothing more in it afterwards."""
    cluster.apply(cluster_configuration(config))
    try:
        yield
    finally:
        cluster.apply(cluster_configuration({}))


@contextmanager
def upgradable(cluster: Cluster, plane: str, worker: str, config: dict[str, t.Any]) -> t.Iterator[None]:
    """A control-plane node, a worker, and the configuration that kubeadm keeps."""
    try:
        with control_plane(cluster, {plane: ("v1.34.4", f"127.0.0.1:{cluster.port}")}):
            cluster.apply(
                cluster_configuration(config),
                config_map("kubelet-config", "kubelet", {"kind": "KubeletConfiguration"}),
                node(worker),
            )
            path = f"/api/v1/nodes/{worker}"
            wait_for("the worker is ready", lambda: cluster.client.get(path)["status"].get("conditions"))
            yield
    finally:
        for path in (f"/api/v1/nodes/{worker}", f"{CONFIG_MAPS}/kubeadm-config", f"{CONFIG_MAPS}/kubelet-config"):
            remove(cluster, path)
