# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Findings on pods that a drain refuses, loses or cannot move. Pure.

Each is one pass over the pods, and mostly one finding a namespace at most. What
a drain does with a pod is judged by the drain itself.
"""

from __future__ import annotations

import math
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import parse_time
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.decisions import outlasts
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.groups import LABEL
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import (
    CORDON_TAINT,
    SAFE_VOLUMES_ANNOTATION,
    tolerates_cordon,
    workload_of,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.drains import Drains
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.folding import by_namespace, some, told
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    BLOCKER,
    NOTE,
    WARNING,
    Cluster,
    Finding,
    Json,
    finding,
)

DRAIN_SOURCE = "https://kubernetes.io/docs/tasks/administer-cluster/safely-drain-node/"
LOCAL_SOURCE = "https://kubernetes.io/docs/concepts/storage/volumes/#local"
TAINT_SOURCE = "https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/"
SINGLETON_SOURCE = "https://kubernetes.io/docs/concepts/workloads/pods/disruptions/"
FINALIZER_SOURCE = "https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/"
GRACE_SOURCE = "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination"
LIFECYCLE_SOURCE = "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy"
JOB_SOURCE = "https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-backoff-failure-policy"
INDEX_FAILURES = "batch.kubernetes.io/job-index-failure-count"


def pod_findings(cluster: Cluster, drains: Drains, now: float) -> list[Finding]:
    return [
        *_refused(drains),
        *_terminating(drains, now),
        *_slow_to_stop(drains, now),
        *_never_completed(drains),
        *_jobs(cluster, drains),
        *_pinned(cluster, drains.moved),
        *_comes_back(drains.moved),
        *_singletons(cluster, [record.pod for record in drains.records if record.decision == "evict"]),
    ]


def _refused(drains: Drains) -> list[Finding]:
    """What is lost with a pod: a drain refuses it, and the plan with it, unless an option says that it may be."""
    stops = "so the drain of their nodes refuses them, and the upgrade would stop there"
    found = []
    severity = NOTE if drains.options.force else BLOCKER
    for namespace, pods in by_namespace(drains.needs.get("force", [])):
        found.append(
            finding(
                "pod-unmanaged",
                severity,
                namespace,
                f"{told(pods)} without a controller that would make them again, "
                + (stops if severity == BLOCKER else "evicted all the same (kubelet_drain_force)"),
                "Give them a controller, or delete them where nobody needs them. -e kubelet_drain_force=true "
                f"evicts all such pods, and they are gone then. {_stays(pods[0])}",
                DRAIN_SOURCE,
            )
        )
    severity = NOTE if drains.options.delete_emptydir_data else BLOCKER
    for namespace, pods in by_namespace(drains.needs.get("delete_emptydir_data", [])):
        volumes = [entry["name"] for entry in pods[0]["spec"]["volumes"] if "emptyDir" in entry]
        found.append(
            finding(
                "pod-local-data",
                severity,
                namespace,
                f"{told(pods)} with emptyDir volumes, whose data an eviction deletes, "
                + (stops if severity == BLOCKER else "as kubelet_drain_delete_emptydir_data allows"),
                "Where nothing in them must stay: -e kubelet_drain_delete_emptydir_data=true, which deletes the "
                "data of all evicted pods. For one pod alone, here and in its template: "
                f"kubectl {_named(pods[0], 'annotate')} --overwrite {SAFE_VOLUMES_ANNOTATION}={','.join(volumes)}. "
                f"{_stays(pods[0])}",
                DRAIN_SOURCE,
            )
        )
    daemons = [] if drains.options.ignore_daemonsets else drains.needs.get("ignore_daemonsets", [])
    found += [
        finding(
            "pod-of-daemonset",
            BLOCKER,
            namespace,
            f"{told(pods)} of DaemonSets, which a drain can only leave where they are, and "
            f"kubelet_drain_ignore_daemonsets is off, {stops}",
            "Leave them on the node: -e kubelet_drain_ignore_daemonsets=true, which is the default.",
            DRAIN_SOURCE,
        )
        for namespace, pods in by_namespace(daemons)
    ]
    return found


def _stays(pod: Json) -> str:
    return (
        f"To leave one on its node: kubectl {_named(pod, 'label')} --overwrite {LABEL}=skip, or a rule of "
        "kubelet_drain_pod_rules with the behaviour skip."
    )


def _named(pod: Json, verb: str) -> str:
    """The arguments of kubectl that name the pod, so that the command can be run as it stands."""
    metadata = pod.get("metadata") or {}
    return f"-n {metadata.get('namespace')} {verb} pod {metadata.get('name')}"


def _terminating(drains: Drains, now: float) -> list[Finding]:
    """Pods that should be gone and are not. A drain waits for them as for any other."""
    found = []
    for record in drains.records:
        pod, over = record.pod, _overdue(record.pod, now)
        if not record.leaves or over is None or over <= 0:
            continue
        timeout = drains.options.wait_timeout
        metadata = pod["metadata"]
        finalizers = metadata.get("finalizers") or []
        since = f"{told([pod])} on {record.node} should be gone since {metadata['deletionTimestamp']}"
        if finalizers:
            # One that has been waited for longer than a whole drain waits will not go by itself.
            severity, held = BLOCKER if over > timeout else WARNING, f"held by the finalizers {', '.join(finalizers)}"
            remedy = (
                f"See why the controller of {finalizers[0]} does not take it off. Where that controller is gone: "
                f'kubectl {_named(pod, "patch")} --type=merge -p \'{{"metadata":{{"finalizers":null}}}}\'.'
            )
        elif over > timeout:
            severity, held = WARNING, "and no finalizer holds it: its kubelet has not confirmed that it stopped"
            remedy = (
                "See the log of the kubelet of that node. Where the pod's containers are stopped: kubectl "
                f"{_named(pod, 'delete')} --force --grace-period=0."
            )
        else:
            continue
        found.append(
            finding(
                "pod-stuck-terminating",
                severity,
                f"pod/{api.qualified(pod)}",
                f"{since}, {held}. The drain waits for it, and ends after {timeout} s (kubelet_drain_timeout_s)",
                remedy,
                FINALIZER_SOURCE,
            )
        )
    return found


def _overdue(pod: Json, now: float) -> float | None:
    """Seconds since the end of the grace period of a pod that terminates; None for one that does not."""
    moment = parse_time((pod.get("metadata") or {}).get("deletionTimestamp"))
    return None if moment is None else now - moment.timestamp()


def _slow_to_stop(drains: Drains, now: float) -> list[Finding]:
    timeout = drains.options.wait_timeout
    slow: dict[str, float] = {}
    pods = []
    for record in drains.records:
        over = _overdue(record.pod, now)
        if over is not None:
            seconds = -over if record.leaves and -over > timeout else 0.0
        else:
            late = record.decision in ("evict", "surge") and outlasts(record.pod, drains.options)
            seconds = float(record.pod["spec"]["terminationGracePeriodSeconds"]) if late else 0.0
        if seconds:
            slow[record.key] = seconds
            pods.append(record.pod)
    return [
        finding(
            "pod-grace-too-long",
            WARNING,
            namespace,
            f"{told(found)} may take up to {longest:.0f} s to stop, and a drain ends after {timeout} s "
            "(kubelet_drain_timeout_s): where one of them needs that long, the upgrade stops at its node",
            f"-e kubelet_drain_timeout_s={math.ceil(longest) + 60}, or stop these pods before the upgrade.",
            GRACE_SOURCE,
        )
        for namespace, found in by_namespace(pods)
        for longest in [max(slow[api.qualified(pod)] for pod in found)]
    ]


def _never_completed(drains: Drains) -> list[Finding]:
    """Pods that a drain waits for and whose containers are started again each time that they end."""
    waited = [
        record.pod
        for record in drains.records
        if record.decision == "wait_completed"
        and not record.is_over
        and (record.pod.get("spec") or {}).get("restartPolicy", "Always") == "Always"
    ]
    return [
        finding(
            "pod-never-completes",
            BLOCKER,
            namespace,
            f"{told(pods)} with restartPolicy Always, which the drain is told to wait for until they have ended",
            f"Take the behaviour wait_completed off their rule in kubelet_drain_pod_rules, or their label: "
            f"kubectl {_named(pods[0], 'label')} {LABEL}-.",
            LIFECYCLE_SOURCE,
        )
        for namespace, pods in by_namespace(waited)
    ]


def _jobs(cluster: Cluster, drains: Drains) -> list[Finding]:
    """Pods of Jobs that fail with them."""
    last = []
    for pod in drains.moved:
        owner = api.controller_of(pod) or {}
        job = cluster.jobs.get(f"{pod['metadata'].get('namespace')}/{owner.get('name')}")
        if owner.get("kind") == "Job" and job is not None and not _repeats(job, pod):
            last.append(pod)
    return [
        finding(
            "job-not-repeatable",
            WARNING,
            namespace,
            f"{told(pods)} of Jobs that make no further pod (backoffLimit): with the eviction the Job has failed, and "
            "its work is lost",
            "Begin the upgrade when they are done, or let the drain wait for them: kubectl "
            f"{_named(pods[0], 'label')} --overwrite {LABEL}=wait-completed, or a rule of kubelet_drain_pod_rules with "
            "the behaviour wait_completed; kubelet_drain_timeout_s must be as long as they need.",
            JOB_SOURCE,
        )
        for namespace, pods in by_namespace(last)
    ]


def _repeats(job: Json, pod: Json) -> bool:
    """Whether the Job makes another pod in place of one that is evicted, which counts as a failure of it."""
    spec, status = job.get("spec") or {}, job.get("status") or {}
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or []:
        conditions = [entry.get("type") for entry in rule.get("onPodConditions") or []]
        if rule.get("action") == "Ignore" and "DisruptionTarget" in conditions:
            return True
    if spec.get("backoffLimitPerIndex") is not None:
        failed = api.annotations_of(pod).get(INDEX_FAILURES) or "0"
        if int(failed) >= int(spec["backoffLimitPerIndex"]):
            return False
    limit = spec.get("backoffLimit")
    return int(status.get("failed") or 0) < (6 if limit is None else int(limit))


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
            NOTE,
            namespace,
            f"{told(pods)} tolerate the taint of a cordoned node: once evicted they may be put on the same node again. "
            "The drain leaves what comes back where it is, as it does with the pods of DaemonSets",
            f"Nothing for the upgrade. Without the key {CORDON_TAINT} in their tolerations, and without operator: "
            "Exists for all keys, they would move.",
            TAINT_SOURCE,
        )
        for namespace, pods in by_namespace(pod for pod in moved if tolerates_cordon(pod))
    ]


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
