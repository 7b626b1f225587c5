# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Moves the one pod of a Deployment by a rollout: another one is Ready elsewhere before it stops."""

from __future__ import annotations

import contextlib
import typing as t
from collections import Counter

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import utc_now
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.io import Conflict, DrainApi
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import Json, PodRecord, controller_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.singletons import (
    Rollout,
    claim_names,
    is_alone,
    judge_move,
    restart_patch,
    revision_of,
    rollout_of,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline

POLL_S = 1.0
Name = tuple[str, str]
"""Namespace and name of a Deployment."""
Find = t.Callable[[str, str, str], t.Optional[Json]]
"""Reads an object by kind, namespace and name; None where there is none."""


class _Singleton(t.NamedTuple):
    """A pod to be moved, its Deployment, and the revision of its ReplicaSet."""

    record: PodRecord
    deployment: Name
    revision: str | None


class Surge:
    """Finds the singletons among the pods of a drain, and moves them."""

    def __init__(self, api: DrainApi, deadline: Deadline) -> None:
        self._api = api
        self._deadline = deadline
        self._found: list[_Singleton] = []

    def find(self, fresh: Sequence[PodRecord], every: Sequence[PodRecord]) -> None:
        """Decide ``surge`` for every singleton of `fresh` that can be moved so; the others say why not.

        `every` are all pods that are drained, by which a pod is seen to be not the only one.
        """
        self._found += singletons_among(fresh, every, self._api.find)

    def move(self, node: str) -> None:
        """Move all singletons of `node`, and wait until each has its new pod.

        Raises EvergreenError where a rollout is stuck, or the deadline passes. The old pod runs on then.
        """
        going = [each for each in self._found if each.record.node == node and not each.record.is_over]
        while going:
            going = [each for each in going if not self._is_moved(each)]
            if going:
                self._deadline.sleep(POLL_S)

    def _is_moved(self, singleton: _Singleton) -> bool:
        """Whether the new pod is there. Begins the rollout where none has made the pod an old one yet."""
        name = singleton.deployment
        deployment = self._api.find("Deployment", *name)
        if deployment is None:
            return True  # its pods go with it
        rollout = rollout_of(deployment)
        if rollout.state == "done":
            if revision_of(deployment) != singleton.revision:
                return True
            # Neither an earlier run nor somebody else has begun it.
            with contextlib.suppress(Conflict):
                self._api.patch_deployment(*name, restart_patch(deployment, utc_now()))
                singleton.record.attempts += 1
                singleton.record.surged_at = utc_now()
        elif rollout.state == "stuck" or self._deadline.expired():
            raise self._failed(singleton, rollout)
        return False

    def _failed(self, singleton: _Singleton, rollout: Rollout) -> EvergreenError:
        name, record = singleton.deployment, singleton.record
        message = f"the rollout that moves it has not come to its end: {rollout.reason}"
        record.outcome = "failed"
        record.blocked_by = {"kind": "rollout", "name": name[1], "message": message, "healthy": None, "needed": None}
        state = "is stuck" if rollout.state == "stuck" else f"is not done after {self._deadline.seconds:g} s"
        return EvergreenError(
            f"The rollout of Deployment {_text(name)}, which is to move its only pod, {state}: {rollout.reason}. "
            "The old pod still runs.",
            hint=f"See why the new pod does not become Ready (kubectl -n {name[0]} get pods), and run again; "
            f"kubectl -n {name[0]} rollout undo deployment/{name[1]} takes the rollout back.",
        )


def _text(name: Name) -> str:
    return f"{name[0]}/{name[1]}"


def singletons_among(fresh: Sequence[PodRecord], every: Sequence[PodRecord], find: Find) -> list[_Singleton]:
    """As `Surge.find`, with what `find` knows of ReplicaSets, Deployments and PersistentVolumeClaims."""
    owners = Counter(_owner_uid(record) for record in every)
    found = []
    for record in fresh:
        owner = controller_of(record.pod)
        if record.decision != "evict" or not owner or owner.get("kind") != "ReplicaSet":
            continue
        if owners[_owner_uid(record)] == 1 and (singleton := _singleton(record, owner, find)):
            found.append(singleton)
    return found


def _owner_uid(record: PodRecord) -> object:
    return (controller_of(record.pod) or {}).get("uid")


def _singleton(record: PodRecord, owner: Json, find: Find) -> _Singleton | None:
    namespace = record.pod["metadata"]["namespace"]
    replica_set = find("ReplicaSet", namespace, owner["name"])
    above = controller_of(replica_set) if replica_set else None
    if not replica_set or not above or above.get("kind") != "Deployment":
        return None
    deployment = find("Deployment", namespace, above["name"])
    if deployment is None:
        return None
    claims = [find("PersistentVolumeClaim", namespace, name) for name in claim_names(record.pod)]
    move = judge_move(record.pod, record.node, deployment, [claim for claim in claims if claim is not None])
    if move.by_rollout:
        record.decision, record.reasons = "surge", [move.reason]
        return _Singleton(record, (namespace, above["name"]), revision_of(replica_set))
    if is_alone(deployment):
        record.reasons.append(f"not moved by a rollout: {move.reason}")
    return None
