# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What a drain knows: its options, what it reads from pods, and its record of each pod."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.groups import Group, Rule

Json = dict[str, t.Any]

MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
# The names of local volumes whose data may be lost, as the cluster autoscaler reads them.
SAFE_VOLUMES_ANNOTATION = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
# The taint of a cordoned node, with the effect NoSchedule.
CORDON_TAINT = "node.kubernetes.io/unschedulable"


@dataclass(frozen=True)
class Options:
    """How pods are removed; `wait_timeout` and `wait_sleep` in seconds, `grace` of None is the pod's own."""

    ignore_daemonsets: bool = False
    delete_emptydir_data: bool = False
    force: bool = False
    disable_eviction: bool = False
    grace: int | None = None
    wait_timeout: int = 600
    wait_sleep: float = 5.0
    max_parallel: int = 10
    pod_selector: str = ""
    rules: tuple[Rule, ...] = ()
    by_priority: bool = False
    surge_singletons: bool = False
    wait_for_volume_detach: bool = False
    unreachable_timeout: int | None = None


@dataclass
class PodRecord:
    """One pod of a node, and what became of it. Times are UTC as ``utc_now`` writes them.

    `decision` is ``evict``, ``surge`` (its Deployment starts another one elsewhere first), ``wait`` (it is
    terminating already), ``wait_completed`` (it ends by itself), ``skip``, ``returns`` (it comes back although the
    node is cordoned) or ``refuse``.
    `outcome` is ``untouched``, ``evicted`` (and not gone yet), ``gone``, ``completed``, ``abandoned`` (its kubelet
    is unreachable) or ``failed``; in check mode ``would_be_evicted``, ``would_be_surged`` or ``would_wait``.
    """

    pod: Json
    node: str
    decision: str
    group: Group = (0, 0)
    reasons: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    outcome: str = "untouched"
    attempts: int = 0
    surged_at: str | None = None
    """When the rollout that moves it was begun."""
    evicted_at: str | None = None
    gone_at: str | None = None
    blocked_by: Json | None = None

    @property
    def leaves(self) -> bool:
        """Whether the drain is to see the pod off, in whatever way."""
        return self.decision in ("evict", "surge", "wait", "wait_completed")

    @property
    def is_over(self) -> bool:
        """Whether nothing has to be waited for any more."""
        return self.outcome in ("gone", "completed", "abandoned")

    @property
    def uid(self) -> str:
        return uid_of(self.pod)

    @property
    def key(self) -> str:
        return key_of(self.pod)

    def as_result(self) -> Json:
        metadata = self.pod["metadata"]
        return {
            "node": self.node,
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "owner": owner_of(self.pod),
            "decision": self.decision,
            "order": self.group[0],
            "reason": "; ".join(self.reasons),
            "warnings": list(self.warnings),
            "outcome": self.outcome,
            "attempts": self.attempts,
            "surged_at": self.surged_at,
            "evicted_at": self.evicted_at,
            "gone_at": self.gone_at,
            "blocked_by": self.blocked_by,
        }


def uid_of(pod: Json) -> str:
    return str(pod["metadata"]["uid"])


def key_of(pod: Json) -> str:
    """``namespace/name``, as messages name a pod."""
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def controller_of(pod: Json) -> Json | None:
    """The owner reference that is the controller; other owners do not recreate the pod."""
    for reference in pod["metadata"].get("ownerReferences") or []:
        if reference.get("controller"):
            return t.cast("Json", reference)
    return None


def owner_of(pod: Json) -> str | None:
    """``Kind/name`` of the controller."""
    controller = controller_of(pod)
    return f"{controller['kind']}/{controller['name']}" if controller else None


def workload_of(pod: Json) -> tuple[str, str, str] | None:
    """(kind, namespace, name) of what keeps the pod: the Deployment in place of its ReplicaSet.

    The name of a Deployment's ReplicaSet ends with the pods' template hash, so
    that no ReplicaSet has to be read.
    """
    owner = controller_of(pod)
    if owner is None:
        return None
    kind, name = str(owner.get("kind", "")), str(owner.get("name", ""))
    digest = (pod["metadata"].get("labels") or {}).get("pod-template-hash")
    if kind == "ReplicaSet" and digest and name.endswith(f"-{digest}"):
        kind, name = "Deployment", name[: -len(digest) - 1]
    return kind, str(pod["metadata"].get("namespace", "")), name


def is_of_daemon_set(pod: Json) -> bool:
    """Whether a DaemonSet of Kubernetes controls the pod: kubectl goes by kind and API group as well.

    Another group's (OpenKruise has one) is no object that could be looked up among them.
    """
    controller = controller_of(pod) or {}
    return controller.get("kind") == "DaemonSet" and controller.get("apiVersion") == "apps/v1"


def daemon_set_of(pod: Json) -> tuple[str, str] | None:
    """Namespace and name of the DaemonSet that controls the pod."""
    controller = controller_of(pod)
    if controller is None or not is_of_daemon_set(pod):
        return None
    return pod["metadata"]["namespace"], controller["name"]


def tolerates(pod: Json, key: str, effect: str, value: str = "") -> bool:
    """Whether a toleration of the pod matches the taint. Without a key it matches all, without an effect each."""
    return any(
        (not entry.get("key") or entry["key"] == key)
        and (not entry.get("effect") or entry["effect"] == effect)
        and (entry.get("operator") == "Exists" or (entry.get("key") == key and (entry.get("value") or "") == value))
        for entry in (pod.get("spec") or {}).get("tolerations") or []
    )


def tolerates_cordon(pod: Json) -> bool:
    """Whether the scheduler may put the pod on a cordoned node."""
    return tolerates(pod, CORDON_TAINT, "NoSchedule")


def scheduled_at(pod: Json) -> str:
    """When it was bound to its node, by the API server's clock; when it was made where nothing else is known."""
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "True":
            return str(condition.get("lastTransitionTime") or "")
    return str(pod["metadata"].get("creationTimestamp") or "")


def phase_of(pod: Json) -> str:
    return str((pod.get("status") or {}).get("phase") or "")


def is_finished(pod: Json) -> bool:
    return phase_of(pod) in ("Succeeded", "Failed")


def is_terminating(pod: Json) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def is_mirror(pod: Json) -> bool:
    return MIRROR_ANNOTATION in (pod["metadata"].get("annotations") or {})


def has_empty_dir(pod: Json) -> bool:
    """Whether it has an ``emptyDir`` with data that somebody may miss.

    One in memory is lost with each restart of the node, and what the pod's annotation names is said to be safe: both
    pass, as with the cluster autoscaler.
    """
    safe = (pod["metadata"].get("annotations") or {}).get(SAFE_VOLUMES_ANNOTATION) or ""
    names = {name.strip() for name in safe.split(",")}
    return any(
        "emptyDir" in volume
        and (volume["emptyDir"] or {}).get("medium") != "Memory"
        and volume.get("name") not in names
        for volume in (pod.get("spec") or {}).get("volumes") or []
    )


def priority_of(pod: Json) -> int:
    """``spec.priority``, which admission sets from the PriorityClass."""
    return int((pod.get("spec") or {}).get("priority") or 0)


def is_ready(of: Json) -> bool:
    """Whether the condition Ready of a pod or a node is True."""
    conditions = (of.get("status") or {}).get("conditions") or []
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def is_unreachable(node: Json) -> bool:
    """Whether the control plane hears nothing of the kubelet: the condition Ready is Unknown, or there is none."""
    conditions = (node.get("status") or {}).get("conditions") or []
    ready = next((each for each in conditions if each.get("type") == "Ready"), None)
    return ready is None or ready.get("status") == "Unknown"
