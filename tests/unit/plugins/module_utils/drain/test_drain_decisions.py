# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which pods a drain removes, what budgets allow, what answers mean, whose cordon it is."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.errors import ApiStatusError, ApiUnreachable
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain import answers, cordon, decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import Options, PodRecord
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.drain.objects import (
    TERMINATING,
    owned_by,
    pod,
)

Json = dict[str, t.Any]

NONE = Options()
ALL = Options(ignore_daemonsets=True, delete_emptydir_data=True, force=True)
WEB = owned_by("ReplicaSet")
AGENT = owned_by("DaemonSet", "agent")
MIRROR: Json = {"annotations": {"kubernetes.io/config.mirror": "x"}}


@pytest.mark.parametrize(
    ("found", "options", "decision", "reasons", "warnings"),
    [
        (pod(owners=WEB), NONE, "evict", ["movable"], 0),
        (pod(), NONE, "refuse", ["no controller would recreate it"], 0),
        (pod(), Options(force=True), "evict", ["movable"], 1),
        # An owner that is not the controller recreates nothing.
        (pod(owners=owned_by("ReplicaSet", controller=False)), NONE, "refuse", ["no controller would recreate it"], 0),
        (pod(owners=WEB, empty_dir=True), NONE, "refuse", ["it has emptyDir volumes, whose data would be lost"], 0),
        (pod(owners=WEB, empty_dir=True), Options(delete_emptydir_data=True), "evict", ["movable"], 1),
        # The options do not stand for each other, and all refusals are told.
        (pod(empty_dir=True), Options(delete_emptydir_data=True), "refuse", ["no controller would recreate it"], 1),
        (
            pod(empty_dir=True),
            NONE,
            "refuse",
            ["it has emptyDir volumes, whose data would be lost", "no controller would recreate it"],
            0,
        ),
        (pod(empty_dir=True), ALL, "evict", ["movable"], 2),
        # Finished pods lose nothing.
        (pod(phase="Succeeded", empty_dir=True), NONE, "evict", ["finished (Succeeded)"], 0),
        (pod(phase="Failed", owners=AGENT), NONE, "evict", ["finished (Failed)"], 0),
        (
            pod(owners=AGENT),
            NONE,
            "refuse",
            ["managed by DaemonSet agent, which would recreate it on the node"],
            0,
        ),
        (
            pod(owners=AGENT, empty_dir=True),
            Options(ignore_daemonsets=True),
            "skip",
            ["managed by DaemonSet agent, which would recreate it on the node"],
            0,
        ),
        # Its DaemonSet does not exist.
        (
            pod(owners=owned_by("DaemonSet", "lost")),
            Options(ignore_daemonsets=True),
            "refuse",
            ["its DaemonSet lost does not exist, so nothing would recreate it"],
            0,
        ),
        (pod(owners=owned_by("DaemonSet", "lost")), Options(force=True), "evict", ["movable"], 1),
        # Another API group's DaemonSet is a controller like any other.
        (pod(owners=owned_by("DaemonSet", "agent", "apps.kruise.io/v1")), NONE, "evict", ["movable"], 0),
        (pod(empty_dir=True, **MIRROR), NONE, "skip", ["a static pod, which only the kubelet can stop"], 0),
        (pod(empty_dir=True, **TERMINATING), NONE, "wait", ["terminating already"], 0),
        (pod(owners=WEB, **TERMINATING), Options(grace=60), "wait", ["terminating already"], 0),
        (
            pod(owners=WEB, **TERMINATING),
            Options(grace=0),
            "evict",
            ["terminating with 30 s of grace, 0 s are wanted"],
            0,
        ),
        (
            pod(owners=AGENT, **TERMINATING),
            Options(ignore_daemonsets=True),
            "skip",
            ["managed by DaemonSet agent, which would recreate it on the node"],
            0,
        ),
    ],
)
def test_classify(found: Json, options: Options, decision: str, reasons: list[str], warnings: int) -> None:
    record = decisions.classify(found, "w1", options, {("n", "agent")})
    assert (record.decision, record.reasons, len(record.warnings)) == (decision, reasons, warnings)


def test_a_refusal_names_every_pod_and_each_way_out() -> None:
    found = [pod("ok", owners=WEB), pod("bare"), pod("cache", owners=WEB, empty_dir=True), pod("ds", owners=AGENT)]
    records = [decisions.classify(each, "w1", NONE, {("n", "agent")}) for each in found]
    message, hint = decisions.refusal(records) or ("", "")
    assert message.startswith("3 pods may not be removed, so nothing was evicted: ")
    assert all(name in message for name in ("n/bare", "n/cache", "n/ds")) and "n/ok" not in message
    assert hint.endswith(": delete_emptydir_data, force, ignore_daemonsets.")
    assert decisions.refusal(records[:1]) is None


def status_error(
    status: int, message: str = "", *, cause: str = "", detail: str = "", retry_after: float | None = None
) -> ApiStatusError:
    body = {"details": {"causes": [{"reason": cause, "message": detail}]}} if cause else {}
    return ApiStatusError(status, "", message, body, retry_after)


NEEDS = "The disruption budget web needs 2 healthy pods and has 1 currently"
DENIED = 'admission webhook "w.example.com" denied the request: no'
RBAC = 'pods "p" is forbidden: User "u" cannot create resource "pods/eviction" in API group "" in the namespace "n"'


@pytest.mark.parametrize(
    ("error", "after_outage", "expected"),
    [
        (None, False, ("evicted", 0.0, None)),
        (status_error(404), False, ("gone", 0.0, None)),
        (
            status_error(409, "Precondition failed: UID in precondition: a, UID in object meta: b"),
            False,
            ("gone", 0, None),
        ),
        (status_error(409, "the object has been modified"), False, ("retry", 1.0, "api_server")),
        (status_error(429, cause="DisruptionBudget", detail=NEEDS), False, ("retry", 7.0, "budget")),
        (
            status_error(429, cause="DisruptionBudget", detail="still being processed", retry_after=10),
            False,
            ("retry", 10.0, "budget"),
        ),
        (status_error(429, "too many requests", retry_after=3), False, ("retry", 3.0, "flow_control")),
        (status_error(429, DENIED), False, ("retry", 7.0, "webhook")),
        (status_error(403, DENIED), False, ("failed", 0.0, "webhook")),
        (status_error(500, 'failed calling webhook "w.example.com": refused'), False, ("retry", 7.0, "webhook")),
        (status_error(403, "being terminated", cause="NamespaceTerminating"), False, ("retry", 7.0, "namespace")),
        (status_error(500, "This pod has more than one PodDisruptionBudget"), False, ("failed", 0.0, "budget")),
        (status_error(500, "etcdserver: leader changed"), False, ("retry", 0.5, "api_server")),
        (status_error(503), False, ("retry", 0.5, "api_server")),
        (status_error(500, "something broke"), False, ("failed", 0.0, "refused")),
        (status_error(403, RBAC), False, ("failed", 0.0, "refused")),
        (status_error(403, RBAC), True, ("retry", 0.5, "api_server")),
        (status_error(401), True, ("retry", 0.5, "api_server")),
        (status_error(401), False, ("failed", 0.0, "refused")),
        (ApiUnreachable("refused"), False, ("retry", 0.5, "api_server")),
        (ApiUnreachable("bad certificate", permanent=True), False, ("failed", 0.0, "api_server")),
    ],
)
def test_answers(
    error: ApiStatusError | ApiUnreachable | None, after_outage: bool, expected: tuple[str, float, str | None]
) -> None:
    verdict = answers.judge_answer(error, attempt=1, wait_sleep=7.0, after_outage=after_outage)
    assert (verdict.kind, verdict.after_s, (verdict.blocked_by or {}).get("kind")) == expected


def test_the_budget_that_says_no_is_named_with_its_numbers() -> None:
    block = answers.budget_block(status_error(429, cause="DisruptionBudget", detail=NEEDS))
    assert block == {"kind": "budget", "name": "web", "message": NEEDS, "healthy": 1, "needed": 2}


def test_missing_rights_come_with_the_next_step() -> None:
    verdict = answers.judge_answer(status_error(403, RBAC), attempt=1, wait_sleep=5, after_outage=False)
    assert (verdict.blocked_by or {})["message"].endswith(
        "Grant the verb create on pods/eviction in the namespace n to the user u."
    )


NOTE = json.dumps({"by": cordon.BY, "run": "r1", "at": "2026-01-31T12:00:00Z"})


def node(*, cordoned: bool, note: str | None = None, manager: str | None = None) -> Json:
    metadata: Json = {"name": "w1", "resourceVersion": "7"}
    if note is not None:
        metadata["annotations"] = {cordon.ANNOTATION: note, "other": "x"}
    if manager:
        fields: Json = {"f:spec": {"f:unschedulable": {}}}
        metadata["managedFields"] = [{"manager": "kubelet", "fieldsV1": {}}, {"manager": manager, "fieldsV1": fields}]
    return {"metadata": metadata, "spec": {"unschedulable": True} if cordoned else {}}


@pytest.mark.parametrize(
    ("found", "ours", "only_own_uncordons", "uncordons"),
    [
        (node(cordoned=False), False, False, False),
        (node(cordoned=True), False, False, True),
        (node(cordoned=True, note=NOTE), True, True, True),
        (node(cordoned=True, note=NOTE, manager=cordon.FIELD_MANAGER), True, True, True),
        # Ours once, then uncordoned and cordoned again by hand.
        (node(cordoned=True, note=NOTE, manager="kubectl-cordon"), False, False, True),
        (node(cordoned=True, note="{broken"), True, True, True),
        # A note that was left on a schedulable node is removed.
        (node(cordoned=False, note=NOTE), False, True, True),
    ],
)
def test_whose_cordon(found: Json, ours: bool, only_own_uncordons: bool, uncordons: bool) -> None:
    assert cordon.is_ours(found) is ours
    for only_own, expected in ((True, only_own_uncordons), (False, uncordons)):
        patch = cordon.uncordon_patch(found, only_own=only_own)
        assert (patch is not None) is expected
        after = cordon.patched(found, patch)
        if patch:
            assert not cordon.is_cordoned(after) and cordon.note_of(after) is None
            assert cordon.uncordon_patch(after, only_own=only_own) is None
            assert patch["metadata"]["resourceVersion"] == "7"


def test_a_cordon_says_whose_it_is_and_is_made_once() -> None:
    patch = cordon.cordon_patch(node(cordoned=False), "r2", "2026-01-31T13:00:00Z")
    after = cordon.patched(node(cordoned=False), patch)
    assert cordon.describe(after) == {
        "node": "w1",
        "unschedulable": True,
        "by_us": True,
        "run": "r2",
        "at": "2026-01-31T13:00:00Z",
    }
    assert cordon.cordon_patch(after, "r3", "") is None
    assert cordon.cordon_patch(node(cordoned=True), "r3", "") is None


@pytest.mark.parametrize(
    ("found", "outcome", "blocked", "node_ready", "reason"),
    [
        (pod(), "untouched", None, True, "not evicted yet"),
        (pod(), "untouched", {"message": NEEDS}, True, NEEDS),
        (
            pod(**TERMINATING, finalizers=["x/y"]),
            "evicted",
            {"message": NEEDS},
            False,
            (
                "terminating, should be gone since 2026-01-31T12:00:00Z, has 30 s to stop, held by the finalizers x/y, "
                "its node is not Ready, so no kubelet confirms that it stopped"
            ),
        ),
    ],
)
def test_why_a_pod_is_left(found: Json, outcome: str, blocked: Json | None, node_ready: bool, reason: str) -> None:
    left = PodRecord(pod=found, node="w1", decision="evict", outcome=outcome, blocked_by=blocked)
    assert decisions.left_over([left], node_ready=node_ready) == [
        {"node": "w1", "namespace": "n", "name": "p", "reason": reason}
    ]
