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
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import (
    CORDON_TAINT,
    Options,
    PodRecord,
    scheduled_at,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.model import is_evictable
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
        (pod(owners=WEB, grace=3600), Options(wait_timeout=900), "evict", ["movable"], 1),
        (pod(owners=WEB, grace=900), Options(wait_timeout=900), "evict", ["movable"], 0),
        # The task's own grace period counts, and without any time nobody waits.
        (pod(owners=WEB, grace=3600), Options(wait_timeout=900, grace=60), "evict", ["movable"], 0),
        (pod(owners=WEB), Options(wait_timeout=900, grace=1800), "evict", ["movable"], 1),
        (pod(owners=WEB, grace=3600), Options(wait_timeout=0), "evict", ["movable"], 0),
        (pod(phase="Failed", grace=3600), Options(wait_timeout=900), "evict", ["finished (Failed)"], 0),
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


EVERYTHING: list[Json] = [{"operator": "Exists"}]
CAME_LATER = "it came after the cordon, whose taint it tolerates"


@pytest.mark.parametrize(
    ("found", "options", "decision"),
    [
        (pod(owners=WEB, tolerations=EVERYTHING), NONE, "returns"),
        (pod(owners=WEB, tolerations=[{"key": CORDON_TAINT, "operator": "Exists"}]), NONE, "returns"),
        (pod(owners=WEB, tolerations=[{"key": CORDON_TAINT, "effect": "NoSchedule"}]), NONE, "returns"),
        # It was on its way when the node was cordoned.
        (pod(owners=WEB), NONE, "evict"),
        (pod(owners=WEB, tolerations=[{"operator": "Exists", "effect": "NoExecute"}]), NONE, "evict"),
        (pod(owners=WEB, tolerations=[{"key": "node-role.kubernetes.io/control-plane"}]), NONE, "evict"),
        (pod(), NONE, "refuse"),
        # It stays, so nobody has to agree to its loss.
        (pod(tolerations=EVERYTHING), NONE, "returns"),
        (pod(owners=WEB, tolerations=EVERYTHING, empty_dir=True), NONE, "returns"),
        (pod(owners=owned_by("DaemonSet", "agent", "apps.kruise.io/v1alpha1"), tolerations=EVERYTHING), ALL, "returns"),
        (pod(owners=AGENT, tolerations=EVERYTHING), NONE, "refuse"),
        (pod(owners=AGENT, tolerations=EVERYTHING), ALL, "skip"),
        (pod(tolerations=EVERYTHING, phase="Succeeded"), NONE, "evict"),
        (pod(owners=WEB, tolerations=EVERYTHING, **TERMINATING), NONE, "wait"),
        (pod(owners=WEB, tolerations=EVERYTHING, labels={"cluster.x-k8s.io/drain": "skip"}), NONE, "skip"),
        (
            pod(owners=WEB, tolerations=EVERYTHING, labels={"cluster.x-k8s.io/drain": "wait-completed"}),
            NONE,
            "wait_completed",
        ),
    ],
)
def test_what_comes_after_the_cordon(found: Json, options: Options, decision: str) -> None:
    record = decisions.classify(found, "w1", options, {("n", "agent")}, after_cordon=True)
    assert record.decision == decision
    if decision == "returns":
        assert record.reasons == [CAME_LATER] and not record.leaves
        assert decisions.refusal([record]) is None
    # What was there when the node was cordoned is evicted, whatever it tolerates.
    there = decisions.classify({**found, "metadata": found["metadata"]}, "w1", ALL, {("n", "agent")})
    assert there.decision != "returns"


def test_a_pod_that_returns_is_told_with_what_keeps_it() -> None:
    digest = {"labels": {"pod-template-hash": "abc"}}
    found = pod(owners=owned_by("ReplicaSet", "operator-abc"), tolerations=EVERYTHING, **digest)
    kept = decisions.classify(found, "w1", NONE, set(), after_cordon=True)
    assert kept.warnings == [f"left on the cordoned node, of Deployment n/operator: {CAME_LATER}"]
    alone = decisions.classify(pod(tolerations=EVERYTHING), "w1", NONE, set(), after_cordon=True)
    assert alone.warnings == [f"left on the cordoned node, without a controller: {CAME_LATER}"]


def test_a_workload_that_comes_back_twice_is_evicted_no_more() -> None:
    """Of a controller that binds its pods to the node itself, which needs no toleration."""

    def came(*found: tuple[str, str]) -> list[PodRecord]:
        return [
            decisions.classify(pod(name, owners=owned_by("Gang", owner)), "w1", NONE, set(), after_cordon=True)
            for name, owner in found
        ]

    # Three pods of one workload in one look are one return.
    first = came(("a-1", "a"), ("a-2", "a"), ("a-3", "a"), ("b-1", "b"))
    counts = decisions.count_returns(first, {})
    assert [record.decision for record in first] == ["evict"] * 4
    second = came(("a-4", "a"), ("c-1", "c"))
    counts = decisions.count_returns(second, counts)
    assert [record.decision for record in second] == ["returns", "evict"]
    assert second[0].reasons == ["its workload came back 2 times although the node is cordoned"]
    assert "of Gang n/a" in second[0].warnings[0]
    third = came(("b-2", "b"))
    decisions.count_returns(third, counts)
    assert third[0].decision == "returns"


def test_a_rollout_is_the_same_workload_and_another_node_is_not() -> None:
    def came(node: str, revision: str) -> PodRecord:
        found = pod(owners=owned_by("ReplicaSet", f"web-{revision}"), labels={"pod-template-hash": revision})
        return decisions.classify(found, node, NONE, set(), after_cordon=True)

    counts = decisions.count_returns([came("w1", "aaa"), came("w2", "aaa")], {})
    again, elsewhere = came("w1", "bbb"), came("w3", "bbb")
    decisions.count_returns([again, elsewhere], counts)
    assert (again.decision, elsewhere.decision) == ("returns", "evict")


def test_pods_that_nobody_controls_are_bounded_too() -> None:
    counts: dict[decisions.Workload, int] = {}
    seen = []
    for number in range(4):
        record = decisions.classify(pod(f"p{number}"), "w1", ALL, set(), after_cordon=True)
        counts = decisions.count_returns([record], counts)
        seen.append(record.decision)
    assert seen == ["evict", "returns", "returns", "returns"]


@pytest.mark.parametrize(
    ("api_version", "is_one"),
    [
        ("apps/v1", True),
        ("apps.kruise.io/v1alpha1", False),
        ("apps.kruise.io/v1", False),
        ("extensions/v1beta1", False),
    ],
)
def test_plan_and_drain_agree_on_what_a_daemonset_is(api_version: str, is_one: bool) -> None:
    found = pod(owners=owned_by("DaemonSet", "agent", api_version))
    assert is_evictable(found) is not is_one
    assert decisions.classify(found, "w1", ALL, {("n", "agent")}).decision == ("skip" if is_one else "evict")


def status_error(
    status: int,
    message: str = "",
    *,
    cause: str = "",
    detail: str = "",
    retry_after: float | None = None,
    of: str = "",
) -> ApiStatusError:
    body: Json = {"details": {"causes": [{"reason": cause, "message": detail}]}} if cause else {}
    if of:
        body = {"kind": "Status", "details": {"name": "p", "kind": of}}
    return ApiStatusError(status, "", message, body, retry_after)


NEEDS = "The disruption budget web needs 2 healthy pods and has 1 currently"
DENIED = 'admission webhook "w.example.com" denied the request: no'
RBAC = 'pods "p" is forbidden: User "u" cannot create resource "pods/eviction" in API group "" in the namespace "n"'


@pytest.mark.parametrize(
    ("error", "after_outage", "expected"),
    [
        (None, False, ("evicted", 0.0, None)),
        (status_error(404, 'pods "p" not found', of="pods"), False, ("gone", 0.0, None)),
        # Of a load balancer, of an API server without that path, of another kind.
        (status_error(404, "<html>404 Not Found</html>"), False, ("retry", 7.0, "api_server")),
        (status_error(404, "the server could not find the requested resource"), False, ("retry", 7.0, "api_server")),
        (status_error(404, 'nodes "p" not found', of="nodes"), False, ("retry", 7.0, "api_server")),
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
        # A webhook may move the pod itself, whatever status it denies with.
        (status_error(403, DENIED), False, ("retry", 7.0, "webhook")),
        (status_error(500, DENIED), False, ("retry", 7.0, "webhook")),
        (status_error(400, DENIED), False, ("retry", 7.0, "webhook")),
        (status_error(404, DENIED), False, ("retry", 7.0, "webhook")),
        (status_error(409, DENIED), False, ("retry", 7.0, "webhook")),
        (status_error(429, DENIED, retry_after=20), False, ("retry", 20.0, "webhook")),
        (status_error(500, 'failed calling webhook "w.example.com": refused'), False, ("retry", 7.0, "webhook")),
        (status_error(403, "being terminated", cause="NamespaceTerminating"), False, ("retry", 7.0, "namespace")),
        (status_error(500, "This pod has more than one PodDisruptionBudget"), False, ("retry", 7.0, "budget")),
        (status_error(500, "etcdserver: leader changed"), False, ("retry", 0.5, "api_server")),
        (status_error(503), False, ("retry", 0.5, "api_server")),
        (status_error(500, "something broke"), False, ("retry", 7.0, "api_server")),
        (status_error(422, "ValidatingAdmissionPolicy 'p' denied request: no"), False, ("failed", 0.0, "refused")),
        (status_error(400, "bad request"), False, ("failed", 0.0, "refused")),
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


@pytest.mark.parametrize(
    ("wait_sleep", "pauses"),
    [(5.0, [5.0, 10.0, 20.0, 30.0, 30.0]), (0.0, [0.5, 1.0, 2.0, 4.0, 8.0]), (60.0, [60.0] * 5)],
)
def test_a_webhook_that_goes_on_denying_is_asked_less_and_less(wait_sleep: float, pauses: list[float]) -> None:
    found = [
        answers.judge_answer(
            status_error(500, DENIED), attempt=attempt, wait_sleep=wait_sleep, after_outage=False
        ).after_s
        for attempt in range(1, 6)
    ]
    assert found == pauses


def test_the_budget_that_says_no_is_named_with_its_numbers() -> None:
    block = answers.budget_block(status_error(429, cause="DisruptionBudget", detail=NEEDS))
    assert block == {"kind": "budget", "name": "web", "message": NEEDS, "healthy": 1, "needed": 2}


def test_missing_rights_come_with_the_next_step() -> None:
    verdict = answers.judge_answer(status_error(403, RBAC), attempt=1, wait_sleep=5, after_outage=False)
    assert (verdict.blocked_by or {})["message"].endswith(
        "Grant the verb create on pods/eviction in the namespace n to the user u."
    )


NOTE = json.dumps({"by": cordon.BY, "run": "r1", "at": "2026-01-31T12:00:00Z"})


CORDONED_AT = "2026-01-31T12:00:01Z"


def node(*, cordoned: bool, note: str | None = None, manager: str | None = None) -> Json:
    metadata: Json = {"name": "w1", "resourceVersion": "7"}
    if note is not None:
        metadata["annotations"] = {cordon.ANNOTATION: note, "other": "x"}
    if manager:
        fields: Json = {"f:spec": {"f:unschedulable": {}}}
        metadata["managedFields"] = [
            {"manager": "kubelet", "fieldsV1": {}, "time": "2026-01-31T13:00:00Z"},
            {"manager": manager, "fieldsV1": fields, "time": CORDONED_AT},
        ]
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


@pytest.mark.parametrize(
    ("found", "since"),
    [
        (node(cordoned=True, note=NOTE, manager=cordon.FIELD_MANAGER), CORDONED_AT),
        # Whoever else did it has evicted nothing, and without managedFields nobody knows when it was.
        (node(cordoned=True, manager="kubectl-cordon"), ""),
        (node(cordoned=True, note=NOTE, manager="kubectl-cordon"), ""),
        (node(cordoned=True, note=NOTE), ""),
        (node(cordoned=False, note=NOTE, manager=cordon.FIELD_MANAGER), ""),
    ],
)
def test_since_when_a_node_is_cordoned_by_us(found: Json, since: str) -> None:
    assert cordon.since(found) == since


def condition(kind: str, at: str, status: str = "True") -> Json:
    return {"type": kind, "status": status, "lastTransitionTime": at}


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([condition("Ready", "c"), condition("PodScheduled", "b")], "b"),
        # Its controller bound it to the node, or the scheduler has not yet.
        ([condition("Ready", "c")], "a"),
        ([condition("PodScheduled", "b", "False")], "a"),
    ],
)
def test_when_a_pod_came_to_its_node(conditions: list[Json], expected: str) -> None:
    assert scheduled_at(pod(conditions=conditions, creationTimestamp="a")) == expected


@pytest.mark.parametrize(
    ("at", "after"),
    [("2026-01-31T12:00:00Z", False), (CORDONED_AT, True), ("2026-01-31T12:00:02Z", True), ("", False)],
)
def test_whether_a_pod_came_after_a_cordon_of_ours(at: str, after: bool) -> None:
    found = pod(conditions=[condition("PodScheduled", at)])
    assert decisions.came_after(found, CORDONED_AT) is after
    assert not decisions.came_after(found, "")


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
