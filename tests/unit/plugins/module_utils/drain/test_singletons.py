# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which single pods a rollout can move, and how far a rollout is."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.singletons import (
    claim_names,
    judge_move,
    restart_patch,
    revision_of,
    rollout_of,
)
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.drain.objects import UNREADY, owned_by, pod

Json = dict[str, t.Any]
WEB = owned_by("ReplicaSet")


def deployment(replicas: int | None = 1, *, template: Json | None = None, **spec: t.Any) -> Json:
    spec = {"replicas": replicas, "template": template or {}, **spec}
    return {"metadata": {"namespace": "n", "name": "web", "generation": 2, "resourceVersion": "9"}, "spec": spec}


def rolling(surge: object, unavailable: object) -> Json:
    return {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}}


def claim(*modes: str) -> Json:
    return {"metadata": {"name": "data"}, "spec": {"accessModes": list(modes)}, "status": {}}


def with_ports(**spec: t.Any) -> Json:
    found = pod(owners=WEB)
    found["spec"].update(spec)
    return found


@pytest.mark.parametrize(
    ("found", "of", "claims", "reason"),
    [
        (pod(), deployment(), [], ""),
        (pod(), deployment(None), [], ""),
        (pod(), deployment(**rolling("25%", "25%")), [], ""),
        (pod(), deployment(**rolling(1, 0)), [], ""),
        (pod(), deployment(), [claim("ReadWriteMany")], ""),
        (pod(), deployment(), [claim("ReadWriteOnce", "ReadOnlyMany")], ""),
        (pod(), deployment(2), [], "wants 2 replicas"),
        (pod(), deployment(0), [], "wants 0 replicas"),
        (pod(conditions=UNREADY), deployment(), [], "not Ready"),
        (pod(), deployment(paused=True), [], "paused"),
        (pod(), deployment(strategy={"type": "Recreate"}), [], "Recreate"),
        (pod(), deployment(**rolling(0, 1)), [], "maxSurge"),
        (pod(), deployment(**rolling("0%", "25%")), [], "maxSurge"),
        (pod(), deployment(**rolling(1, 1)), [], "maxUnavailable"),
        (pod(), deployment(**rolling(1, "100%")), [], "maxUnavailable"),
        (pod(), deployment(), [claim("ReadWriteOnce")], "volume data can be attached to one node only"),
        (pod(), deployment(), [claim("ReadWriteMany"), claim("ReadWriteOncePod")], "one node only"),
        (with_ports(hostNetwork=True), deployment(), [], "ports of the node"),
        (with_ports(containers=[{"ports": [{"containerPort": 80, "hostPort": 80}]}]), deployment(), [], "ports"),
        (with_ports(containers=[{"ports": [{"containerPort": 80}]}]), deployment(), [], ""),
        (pod(), deployment(template={"spec": {"nodeSelector": {"kubernetes.io/hostname": "w1"}}}), [], "binds it"),
        (pod(), deployment(template={"spec": {"nodeSelector": {"kubernetes.io/hostname": "w2"}}}), [], ""),
    ],
)
def test_who_is_moved_by_a_rollout(found: Json, of: Json, claims: list[Json], reason: str) -> None:
    move = judge_move(found, "w1", of, claims)
    assert move.by_rollout is (reason == "")
    assert reason in move.reason


def status(observed: int = 2, condition: Json | None = None, **counts: int) -> Json:
    conditions = [condition] if condition else []
    return {**deployment(), "status": {"observedGeneration": observed, "conditions": conditions, **counts}}


LATE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "too late"}
QUOTA = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}


@pytest.mark.parametrize(
    ("found", "state", "reason"),
    [
        (status(replicas=1, updatedReplicas=1, availableReplicas=1), "done", ""),
        (status(1, replicas=1, updatedReplicas=1, availableReplicas=1), "going_on", "not observed"),
        (status(replicas=2, updatedReplicas=1, availableReplicas=1), "going_on", "1 of 1 new pods exist"),
        # The old pod still counts until it stops, so the new one is not known to be available.
        (status(replicas=2, updatedReplicas=1, availableReplicas=2), "going_on", "old and new, 2 are available"),
        (status(replicas=1, availableReplicas=1), "going_on", "0 of 1"),
        (status(condition=LATE, replicas=2, updatedReplicas=1), "stuck", "too late"),
        (status(condition=QUOTA, replicas=1, availableReplicas=1), "stuck", "exceeded quota"),
        (status(condition=LATE, replicas=1, updatedReplicas=1, availableReplicas=1), "done", ""),
        ({**deployment(), "status": {}}, "going_on", "not observed"),
    ],
)
def test_how_far_a_rollout_is(found: Json, state: str, reason: str) -> None:
    rollout = rollout_of(found)
    assert rollout.state == state and reason in rollout.reason


def test_a_rollout_begins_only_from_what_was_read() -> None:
    patch = restart_patch(deployment(), "2026-01-31T12:00:00.000Z")
    assert patch["metadata"] == {"resourceVersion": "9"}
    annotations = patch["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"kubectl.kubernetes.io/restartedAt": "2026-01-31T12:00:00.000Z"}


def test_revision() -> None:
    assert revision_of({"metadata": {}}) is None
    assert revision_of({"metadata": {"annotations": {"deployment.kubernetes.io/revision": "3"}}}) == "3"


def test_claims_of_a_pod() -> None:
    found = pod("db-0")
    found["spec"]["volumes"] += [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}},
        {"name": "scratch", "ephemeral": {}},
    ]
    assert claim_names(found) == ["data-db-0", "db-0-scratch"]
