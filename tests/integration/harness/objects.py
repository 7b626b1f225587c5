# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects that tests put into a cluster."""

from __future__ import annotations

import typing as t

from harness.cluster import FAKED, STOP_AFTER

Json = dict[str, t.Any]
IMAGE = "registry.k8s.io/pause:3.10.1"


def namespace(name: str) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def node(
    name: str,
    *,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    kubelet_version: str = "v1.34.4",
    faked: bool = True,
) -> Json:
    """A Node; kwok makes it Ready unless `faked` is false."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/hostname": name, **(labels or {})},
            "annotations": {**(FAKED if faked else {}), **(annotations or {})},
        },
        "status": {
            "allocatable": {"cpu": "64", "memory": "256Gi", "pods": "5000"},
            "capacity": {"cpu": "64", "memory": "256Gi", "pods": "5000"},
            "nodeInfo": {
                **dict.fromkeys(("architecture", "bootID", "containerRuntimeVersion", "kernelVersion"), "x"),
                **dict.fromkeys(("machineID", "operatingSystem", "osImage", "systemUUID"), "x"),
                "kubeletVersion": kubelet_version,
                "kubeProxyVersion": kubelet_version,
            },
        },
    }


def pod_spec(**spec: t.Any) -> Json:
    return {"containers": [{"name": "main", "image": IMAGE}], "terminationGracePeriodSeconds": 10, **spec}


def pod(
    name: str,
    in_namespace: str,
    *,
    on: str | None = None,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    owner: Json | None = None,
    stop_after: str | None = None,
    **spec: t.Any,
) -> Json:
    """A Pod, on the node `on` where that is given; `owner` is a controller reference."""
    metadata: Json = {"name": name, "namespace": in_namespace, "labels": labels or {}}
    metadata["annotations"] = {**({STOP_AFTER: stop_after} if stop_after else {}), **(annotations or {})}
    if owner:
        metadata["ownerReferences"] = [owner]
    if on:
        spec["nodeName"] = on
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec(**spec)}


def controlled(kind: str, api_version: str, name: str, in_namespace: str, spec: Json) -> Json:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": in_namespace},
        "spec": spec,
    }


def deployment(
    name: str,
    in_namespace: str,
    replicas: int,
    *,
    node_selector: dict[str, str],
    annotations: dict[str, str] | None = None,
    kind: str = "Deployment",
    **spec: t.Any,
) -> Json:
    """A Deployment (or ReplicaSet, StatefulSet, DaemonSet by `kind`) whose pods carry ``app: name``."""
    labels = {"app": name}
    return controlled(
        kind,
        "apps/v1",
        name,
        in_namespace,
        {
            **({} if kind == "DaemonSet" else {"replicas": replicas}),
            **({"serviceName": name} if kind == "StatefulSet" else {}),
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": annotations or {}},
                "spec": pod_spec(nodeSelector=node_selector, **spec),
            },
        },
    )


def budget(name: str, in_namespace: str, app: str, **spec: t.Any) -> Json:
    """A PodDisruptionBudget over ``app: app``; give ``minAvailable=`` or ``maxUnavailable=``."""
    return controlled(
        "PodDisruptionBudget",
        "policy/v1",
        name,
        in_namespace,
        {"selector": {"matchLabels": {"app": app}}, **spec},
    )
