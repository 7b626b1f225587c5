# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Pods that nothing stands in for while they move, and how long they took to start. Pure."""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Mapping, Sequence

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import seconds_between
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Json


class Singleton(t.TypedDict):
    """One pod that is down while it moves; see RETURN of skew_check."""

    pod: str
    owner: str | None
    node: str
    times: int
    comes_back: bool
    start_s: float | None
    down_s: float | None
    grace_s: float


def singletons(pods: Sequence[Json], times: Mapping[str, int]) -> list[Singleton]:
    """The only pod of its controller, or one without, on nodes that are drained (so often, in `times`).

    Pods of Jobs are work that is done once, and none that others wait for.
    """
    owned = Counter(_owner_key(pod) for pod in pods if api.is_evictable(pod))
    found = []
    for pod in pods:
        if api.node_of(pod) not in times or not api.is_evictable(pod):
            continue
        owner = api.controller_of(pod)
        if owner is not None and (owned[_owner_key(pod)] > 1 or owner.get("kind") == "Job"):
            continue
        start_s = start_of(pod)
        spec = pod.get("spec") or {}
        found.append(
            Singleton(
                pod=api.qualified(pod),
                owner=f"{owner.get('kind')}/{owner.get('name')}" if owner else None,
                node=api.node_of(pod),
                times=times[api.node_of(pod)],
                comes_back=owner is not None,
                start_s=start_s,
                down_s=start_s if owner is not None else None,
                # The pod of a StatefulSet is made anew only when the old one has ended.
                grace_s=float(spec.get("terminationGracePeriodSeconds") or 0) if _waits_for_its_end(owner) else 0.0,
            )
        )
    return sorted(found, key=lambda each: (-(each["down_s"] or 0.0), each["pod"]))


def start_of(pod: Json) -> float | None:
    """Seconds from when the pod was scheduled to when it was Ready; None where that cannot be told.

    A pod with a container that was started again may have become Ready anew long after its start.
    """
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    if any(status.get("restartCount", 0) for status in statuses) or not api.is_true(pod, "Ready"):
        return None
    seconds = seconds_between(_since(pod, "PodScheduled"), _since(pod, "Ready"))
    return None if seconds is None or seconds < 0 else seconds


def _since(pod: Json, kind: str) -> str | None:
    return (api.condition(pod, kind) or {}).get("lastTransitionTime")


def _owner_key(pod: Json) -> t.Any:
    owner = api.controller_of(pod) or {}
    namespace = (pod.get("metadata") or {}).get("namespace")
    return owner.get("uid") or (namespace, owner.get("kind"), owner.get("name"))


def _waits_for_its_end(owner: Json | None) -> bool:
    return (owner or {}).get("kind") == "StatefulSet"
