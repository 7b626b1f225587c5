# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Whether the one pod of a Deployment can be moved by a rollout, and how far that rollout is. Pure.

An eviction stops the pod first and starts another one later. A rollout of a
Deployment whose strategy allows a surge starts the other one first
(https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment).
"""

from __future__ import annotations

import math
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import Json, is_ready

# The number of the template that a Deployment is at, and that a ReplicaSet is of.
REVISION = "deployment.kubernetes.io/revision"
# What `kubectl rollout restart` sets, so that tools which compare a cluster with a repository know it.
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
HOSTNAME = "kubernetes.io/hostname"
SHARED_MODES = {"ReadWriteMany", "ReadOnlyMany"}


class Move(t.NamedTuple):
    """`by_rollout` says whether the pod is moved so, and `reason` why, or why not."""

    by_rollout: bool
    reason: str


def judge_move(pod: Json, node: str, deployment: Json, claims: t.Sequence[Json]) -> Move:
    """Whether a rollout of `deployment` replaces `pod`, its only one, without a gap.

    `claims` are the PersistentVolumeClaims that the pod uses.
    """
    spec = deployment.get("spec") or {}
    if not is_alone(deployment):
        return Move(False, f"its Deployment wants {replicas_of(deployment)} replicas")
    if not is_ready(pod):
        return Move(False, "it is not Ready, so there is nothing to keep up")
    obstacle = _by_strategy(spec) or _by_ports(pod) or _by_volumes(claims) or _by_node(spec.get("template") or {}, node)
    if obstacle:
        return Move(False, obstacle)
    return Move(True, "the only Ready pod of its Deployment, moved by a rollout")


def replicas_of(deployment: Json) -> int:
    """How many pods it wants; 1 where it does not say."""
    replicas = (deployment.get("spec") or {}).get("replicas")
    return 1 if replicas is None else int(replicas)


def is_alone(deployment: Json) -> bool:
    """Whether it wants one pod."""
    return replicas_of(deployment) == 1


def _by_strategy(spec: Json) -> str:
    strategy = spec.get("strategy") or {}
    if spec.get("paused"):
        return "its Deployment is paused"
    if strategy.get("type") == "Recreate":
        return "the strategy of its Deployment is Recreate"
    rolling = strategy.get("rollingUpdate") or {}
    if _resolved(rolling.get("maxSurge", "25%"), round_up=True) < 1:
        return "maxSurge of its Deployment is 0"
    if _resolved(rolling.get("maxUnavailable", "25%"), round_up=False) > 0:
        return "maxUnavailable of its Deployment lets a rollout stop it first"
    return ""


def _by_ports(pod: Json) -> str:
    spec = pod.get("spec") or {}
    ports = [port for container in spec.get("containers") or [] for port in container.get("ports") or []]
    if spec.get("hostNetwork") or any(port.get("hostPort") for port in ports):
        return "it uses ports of the node, at whose address its clients look for it"
    return ""


def _by_volumes(claims: t.Sequence[Json]) -> str:
    for claim in claims:
        modes = set(
            (claim.get("status") or {}).get("accessModes") or (claim.get("spec") or {}).get("accessModes") or ()
        )
        if not modes & SHARED_MODES:
            return f"its volume {claim['metadata']['name']} can be attached to one node only"
    return ""


def _by_node(template: Json, node: str) -> str:
    if ((template.get("spec") or {}).get("nodeSelector") or {}).get(HOSTNAME) == node:
        return "its nodeSelector binds it to this node"
    return ""


def _resolved(value: object, *, round_up: bool) -> int:
    """A number of pods, or a percentage of the one replica."""
    text = str(value)
    if not text.endswith("%"):
        return int(text)
    share = int(text[:-1]) / 100
    return math.ceil(share) if round_up else math.floor(share)


def claim_names(pod: Json) -> list[str]:
    """Names of the PersistentVolumeClaims that a pod uses, those of its ephemeral volumes included."""
    names = []
    for volume in (pod.get("spec") or {}).get("volumes") or []:
        if "persistentVolumeClaim" in volume:
            names.append(volume["persistentVolumeClaim"]["claimName"])
        elif "ephemeral" in volume:
            names.append(f"{pod['metadata']['name']}-{volume['name']}")
    return names


def restart_patch(deployment: Json, at: str) -> Json:
    """The merge patch that begins a rollout; the resourceVersion makes it fail where the Deployment has changed."""
    template = {"metadata": {"annotations": {RESTARTED_AT: at}}}
    return {
        "metadata": {"resourceVersion": deployment["metadata"]["resourceVersion"]},
        "spec": {"template": template},
    }


def revision_of(of: Json) -> str | None:
    """The revision of a Deployment or a ReplicaSet; None where no controller has set it yet."""
    return (of["metadata"].get("annotations") or {}).get(REVISION)


class Rollout(t.NamedTuple):
    """`state` is ``done``, ``going_on`` or ``stuck``, and `reason` says what the last two are about."""

    state: str
    reason: str = ""


def rollout_of(deployment: Json) -> Rollout:
    """How far a Deployment is, as its status says. It is done when every pod is of the newest template and available.

    Pods of older templates that are stopping do not count.
    """
    metadata, status = deployment["metadata"], deployment.get("status") or {}
    if (status.get("observedGeneration") or 0) < (metadata.get("generation") or 0):
        return Rollout("going_on", "the rollout is not observed yet")
    wanted = replicas_of(deployment)
    updated, available = status.get("updatedReplicas") or 0, status.get("availableReplicas") or 0
    if updated >= wanted and available >= wanted and (status.get("replicas") or 0) <= updated:
        return Rollout("done")
    reason = f"{updated} of {wanted} new pods exist, and of all pods, old and new, {available} are available"
    for condition in status.get("conditions") or []:
        failing = condition.get("type") == "ReplicaFailure" and condition.get("status") == "True"
        late = condition.get("type") == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded"
        if failing or late:
            return Rollout("stuck", condition.get("message") or reason)
    return Rollout("going_on", reason)
