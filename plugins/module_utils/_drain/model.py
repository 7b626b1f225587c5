# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What a drain knows: its options, what it reads from pods, and its record of each pod."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

Json = dict[str, t.Any]

MIRROR_ANNOTATION = "kubernetes.io/config.mirror"


@dataclass(frozen=True)
class Options:
    """How pods are removed; `wait_timeout` and `wait_sleep` in seconds, `grace` of None is the pod's own."""

    ignore_daemonsets: bool = False
    delete_emptydir_data: bool = False
    force: bool = False
    disable_eviction: bool = False
    wait_for_stuck_budgets: bool = False
    grace: int | None = None
    wait_timeout: int = 600
    wait_sleep: float = 5.0
    max_parallel: int = 10
    pod_selector: str = ""


@dataclass
class PodRecord:
    """One pod of a node, and what became of it. Times are UTC as ``utc_now`` writes them.

    `decision` is ``evict``, ``wait`` (it is terminating already), ``skip`` or ``refuse``.
    `outcome` is ``untouched``, ``evicted`` (and not gone yet), ``gone`` or ``failed``;
    in check mode ``would_be_evicted`` or ``would_wait``.
    """

    pod: Json
    node: str
    decision: str
    reasons: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    outcome: str = "untouched"
    attempts: int = 0
    evicted_at: str | None = None
    gone_at: str | None = None
    blocked_by: Json | None = None

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
            "reason": "; ".join(self.reasons),
            "warnings": list(self.warnings),
            "outcome": self.outcome,
            "attempts": self.attempts,
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


def daemon_set_of(pod: Json) -> tuple[str, str] | None:
    """Namespace and name of the DaemonSet that controls the pod, by kind and API group as kubectl judges it."""
    controller = controller_of(pod)
    if controller and controller.get("kind") == "DaemonSet" and controller.get("apiVersion") == "apps/v1":
        return pod["metadata"]["namespace"], controller["name"]
    return None


def phase_of(pod: Json) -> str:
    return str((pod.get("status") or {}).get("phase") or "")


def is_finished(pod: Json) -> bool:
    return phase_of(pod) in ("Succeeded", "Failed")


def is_terminating(pod: Json) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def is_mirror(pod: Json) -> bool:
    return MIRROR_ANNOTATION in (pod["metadata"].get("annotations") or {})


def has_empty_dir(pod: Json) -> bool:
    return any("emptyDir" in volume for volume in (pod.get("spec") or {}).get("volumes") or [])


def is_ready(of: Json) -> bool:
    """Whether the condition Ready of a pod or a node is True."""
    conditions = (of.get("status") or {}).get("conditions") or []
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def matches(selector: Json | None, labels: dict[str, str]) -> bool:
    """A label selector as policy/v1 reads it: an empty one selects all pods, none at all selects none."""
    if selector is None:
        return False
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for wanted in selector.get("matchExpressions") or []:
        key, operator, values = wanted["key"], wanted["operator"], wanted.get("values") or []
        met = {
            "In": key in labels and labels[key] in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }.get(operator, False)
        if not met:
            return False
    return True
