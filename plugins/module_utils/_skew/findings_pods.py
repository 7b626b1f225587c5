# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Findings on pods that a drain refuses, loses or cannot move. Pure.

Each is one pass over the pods, and one finding a namespace at most.
"""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.model import workload_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.folding import by_namespace, some, told
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    NOTE,
    WARNING,
    Cluster,
    Finding,
    Json,
    finding,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import Plan, drained_by

DRAIN_SOURCE = "https://kubernetes.io/docs/tasks/administer-cluster/safely-drain-node/"
LOCAL_SOURCE = "https://kubernetes.io/docs/concepts/storage/volumes/#local"
TAINT_SOURCE = "https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/"
SINGLETON_SOURCE = "https://kubernetes.io/docs/concepts/workloads/pods/disruptions/"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"


def pod_findings(cluster: Cluster, plan: Plan) -> list[Finding]:
    nodes = drained_nodes(plan)
    moved = [pod for pod in cluster.pods if api.node_of(pod) in nodes and api.is_evictable(pod)]
    return [
        *_refused(moved),
        *_pinned(cluster, moved),
        *_comes_back(moved),
        *_singletons(cluster, moved),
    ]


def drained_nodes(plan: Plan) -> set[str]:
    return {name for hop in plan.hops for name in drained_by(hop)}


def has_empty_dir(pod: Json) -> bool:
    return any("emptyDir" in volume for volume in (pod.get("spec") or {}).get("volumes") or [])


def _refused(moved: list[Json]) -> list[Finding]:
    found = []
    for namespace, pods in by_namespace(pod for pod in moved if api.controller_of(pod) is None):
        found.append(
            finding(
                "pod-unmanaged",
                WARNING,
                namespace,
                f"{told(pods)} without a controller: nothing would bring them back, so a drain refuses them",
                "Give them a controller, delete them, or set kubelet_drain_force: true (force of drain_node).",
                DRAIN_SOURCE,
            )
        )
    for namespace, pods in by_namespace(pod for pod in moved if has_empty_dir(pod)):
        found.append(
            finding(
                "pod-local-data",
                WARNING,
                namespace,
                f"{told(pods)} with emptyDir volumes, whose data an eviction deletes, so a drain refuses them",
                "If nothing in them must stay: kubelet_drain_delete_emptydir_data: true (delete_emptydir_data of "
                "drain_node).",
                DRAIN_SOURCE,
            )
        )
    return found


def _pinned(cluster: Cluster, moved: list[Json]) -> list[Finding]:
    """Pods with a volume that no other node can mount."""
    pinned = {volume["claim"]: volume for volume in cluster.volumes if len(volume["nodes"]) == 1 and volume["claim"]}
    if not pinned:
        return []
    bound = []
    for pod in moved:
        namespace = (pod.get("metadata") or {}).get("namespace", "")
        for volume in (pod.get("spec") or {}).get("volumes") or []:
            claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            if claim and f"{namespace}/{claim}" in pinned:
                bound.append(pod)
                break
    return [
        finding(
            "volume-pinned",
            WARNING,
            namespace,
            f"{told(pods)} with a volume that only their own node can mount: they are Pending from the drain of that "
            "node until it is uncordoned",
            "Be sure that their service bears one of them away, or leave them on the node (the label or a pod rule of "
            "drain_node with the behaviour skip).",
            LOCAL_SOURCE,
        )
        for namespace, pods in by_namespace(bound)
    ]


def _comes_back(moved: list[Json]) -> list[Finding]:
    return [
        finding(
            "pod-tolerates-everything",
            WARNING,
            namespace,
            f"{told(pods)} tolerate the taint of a cordoned node: once evicted they may be put on the same node again, "
            "and its drain does not end",
            f"Narrow the tolerations: without the key {UNSCHEDULABLE}, and not all keys (operator: Exists alone).",
            TAINT_SOURCE,
        )
        for namespace, pods in by_namespace(pod for pod in moved if tolerates(pod, UNSCHEDULABLE, "NoSchedule"))
    ]


def tolerates(pod: Json, key: str, effect: str, value: str = "") -> bool:
    """Whether a toleration of the pod matches the taint. Without a key it matches all, without an effect each."""
    return any(
        (not entry.get("key") or entry["key"] == key)
        and (not entry.get("effect") or entry["effect"] == effect)
        and (entry.get("operator") == "Exists" or (entry.get("key") == key and (entry.get("value") or "") == value))
        for entry in (pod.get("spec") or {}).get("tolerations") or []
    )


def _singletons(cluster: Cluster, moved: list[Json]) -> list[Finding]:
    """Workloads of which one pod serves, on a node that is drained."""
    serving: dict[tuple[str, str, str], int] = {}
    for pod in cluster.pods:
        workload = workload_of(pod)
        if workload and workload[0] in ("Deployment", "ReplicaSet", "StatefulSet") and api.is_true(pod, "Ready"):
            serving[workload] = serving.get(workload, 0) + 1
    alone = [pod for pod in moved if api.is_true(pod, "Ready") and serving.get(workload_of(pod) or ("", "", "")) == 1]
    found = []
    for namespace, pods in by_namespace(alone):
        names = {"/".join((workload_of(pod) or ("", "", ""))[::2]).lower() for pod in pods}
        found.append(
            finding(
                "workload-singleton",
                NOTE,
                namespace,
                f"{len(names)} workload{'s' if len(names) > 1 else ''} with one serving pod ({some(names)}), down from "
                "its eviction until the next one is ready",
                "Run two replicas, or let drain_node surge the Deployments among them "
                "(kubelet_drain_surge_singletons).",
                SINGLETON_SOURCE,
            )
        )
    return found


def images_of(pods: t.Iterable[Json]) -> dict[str, int]:
    """How many containers have each image."""
    found: dict[str, int] = {}
    for pod in pods:
        for container in (pod.get("spec") or {}).get("containers") or []:
            image = str(container.get("image", ""))
            found[image] = found.get(image, 0) + 1
    return found
