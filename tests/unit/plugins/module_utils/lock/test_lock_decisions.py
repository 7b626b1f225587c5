# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets the upgrade lock."""

from __future__ import annotations

import json
import typing as t
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock import decisions

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=timezone.utc)
IDENTITY = ("kube-system", "evergreen-kubeadm-upgrade")
PROCESS = {"host": "two", "boot_id": "b1", "pid_namespace": "pid:[4026531836]", "pid": 4711, "started": 800}
OTHER_PROCESS = {**PROCESS, "host": "one", "pid": 12}


def lease(
    holder: str | None, *, renewed_ago: float | None = 10, seconds: int | None = 60, **metadata: t.Any
) -> dict[str, t.Any]:
    spec: dict[str, t.Any] = {"leaseTransitions": 2}
    if holder is not None:
        spec["holderIdentity"] = holder
    if renewed_ago is not None:
        spec["renewTime"] = decisions.micro_time(NOW - timedelta(seconds=renewed_ago))
        spec["acquireTime"] = "2026-01-31T11:00:00.000000Z"
    if seconds is not None:
        spec["leaseDurationSeconds"] = seconds
    found = {"namespace": IDENTITY[0], "name": IDENTITY[1], "uid": "u1", "resourceVersion": "7", **metadata}
    return {"metadata": found, "spec": spec}


def held(
    found: dict[str, t.Any] | None, holder: str = "a@one", purpose: str | None = None, **more: t.Any
) -> decisions.Decision:
    return decisions.decide_held(
        found, identity=IDENTITY, holder=holder, lease_seconds=3600, purpose=purpose, now=NOW, **more
    )


@pytest.mark.parametrize(
    ("found", "action", "previous"),
    [
        pytest.param(None, "create", None, id="no lease"),
        pytest.param(lease("a@one"), "renew", None, id="own"),
        pytest.param(lease("a@one", renewed_ago=4000), "renew", None, id="own, expired, nobody took it"),
        pytest.param(lease(None), "acquire", None, id="a lease without a holder"),
        pytest.param(lease(""), "acquire", None, id="a lease with an empty holder"),
        pytest.param(lease("b@two"), "refuse", "b@two", id="somebody else's"),
        pytest.param(lease("b@two", renewed_ago=59.9), "refuse", "b@two", id="just not expired"),
        pytest.param(lease("b@two", renewed_ago=60), "take_over", "b@two", id="expired to the second"),
        pytest.param(lease("b@two", renewed_ago=None), "refuse", "b@two", id="without times it never expires"),
        pytest.param(lease("b@two", seconds=None), "refuse", "b@two", id="without duration it never expires"),
    ],
)
def test_held(found: dict[str, t.Any] | None, action: str, previous: str | None) -> None:
    decision = held(found)
    assert (decision.action, decision.previous_holder) == (action, previous)


@pytest.mark.parametrize(
    ("found", "holder_controller", "action", "reason"),
    [
        pytest.param(lease("b@two"), "alive", "refuse", None, id="held, alive"),
        pytest.param(lease("b@two"), "unknown", "refuse", None, id="held, unknown"),
        pytest.param(lease("b@two"), "gone", "take_over", "controller_gone", id="held, gone"),
        pytest.param(lease("b@two", renewed_ago=None), "gone", "take_over", "controller_gone", id="no expiry, gone"),
        pytest.param(lease("b@two", renewed_ago=60), "gone", "take_over", "expired", id="expired, gone"),
        pytest.param(lease("b@two", renewed_ago=60), "alive", "refuse", None, id="expired, alive"),
        pytest.param(lease("b@two", renewed_ago=60), "unknown", "take_over", "expired", id="expired, unknown"),
        pytest.param(lease("a@one"), "gone", "renew", None, id="own"),
        pytest.param(None, "unknown", "create", None, id="no lease"),
        pytest.param(lease(None), "gone", "acquire", None, id="nobody holds it"),
    ],
)
def test_the_controller_of_the_holder(
    found: dict[str, t.Any] | None, holder_controller: str, action: str, reason: str | None
) -> None:
    decision = held(found, holder_controller=holder_controller)
    assert (decision.action, decision.reason) == (action, reason)


@pytest.mark.parametrize(
    ("found", "action", "previous"),
    [
        pytest.param(lease("a@one"), "renew", None, id="own"),
        pytest.param(lease("a@one", renewed_ago=4000), "renew", None, id="own, expired, nobody took it"),
        pytest.param(None, "lost", None, id="deleted"),
        pytest.param(lease(None), "lost", None, id="nobody holds it"),
        pytest.param(lease("b@two"), "lost", "b@two", id="taken over"),
        pytest.param(lease("b@two", renewed_ago=60), "lost", "b@two", id="taken over, and that one has expired"),
    ],
)
def test_renewed(found: dict[str, t.Any] | None, action: str, previous: str | None) -> None:
    decision = decisions.decide_renewed(
        found, identity=IDENTITY, holder="a@one", lease_seconds=3600, purpose=None, now=NOW
    )
    assert (decision.action, decision.previous_holder) == (action, previous)
    assert (decision.body is not None) == (action == "renew")


@pytest.mark.parametrize(
    ("found", "part"),
    [(None, "nobody holds it"), (lease("b@two"), "held by b@two since 2026-01-31T11:00:00.000000Z")],
    ids=["nobody", "somebody"],
)
def test_loss_says_whose_it_is_now(found: dict[str, t.Any] | None, part: str) -> None:
    message, hint = decisions.loss(decisions.describe(found), identity=IDENTITY, holder="a@one")
    assert "kube-system/evergreen-kubeadm-upgrade is no longer held by a@one" in message
    assert part in message
    assert "start this one again" in hint


def test_every_update_names_the_version_that_was_read() -> None:
    for found in (lease("a@one"), lease(None), lease("b@two", renewed_ago=60)):
        body = held(found).body
        assert body is not None
        assert body["metadata"]["resourceVersion"] == "7"


def test_take_over_counts_a_transition_and_starts_anew() -> None:
    body = held(lease("b@two", renewed_ago=60)).body
    assert body is not None
    assert body["spec"] == {
        "holderIdentity": "a@one",
        "leaseDurationSeconds": 3600,
        "acquireTime": "2026-01-31T12:00:00.000000Z",
        "renewTime": "2026-01-31T12:00:00.000000Z",
        "leaseTransitions": 3,
    }


def test_renewal_keeps_since_when_it_is_held() -> None:
    body = held(lease("a@one")).body
    assert body is not None
    assert body["spec"]["acquireTime"] == "2026-01-31T11:00:00.000000Z"
    assert body["spec"]["renewTime"] == "2026-01-31T12:00:00.000000Z"
    assert body["spec"]["leaseTransitions"] == 2


@pytest.mark.parametrize(
    ("holder", "given", "expected"),
    [
        ("a@one", None, "old purpose"),
        ("a@one", "new purpose", "new purpose"),
        ("b@two", None, None),
        ("b@two", "new purpose", "new purpose"),
    ],
)
def test_purpose_stays_with_its_holder(holder: str, given: str | None, expected: str | None) -> None:
    found = lease("a@one", renewed_ago=60, annotations={decisions.PURPOSE_ANNOTATION: "old purpose", "other": "kept"})
    body = held(found, holder=holder, purpose=given).body
    assert body is not None
    assert body["metadata"]["annotations"].get(decisions.PURPOSE_ANNOTATION) == expected
    assert body["metadata"]["annotations"]["other"] == "kept"


@pytest.mark.parametrize(
    ("found", "holder", "given", "expected"),
    [
        pytest.param(None, "a@one", OTHER_PROCESS, OTHER_PROCESS, id="created"),
        pytest.param(None, "a@one", None, {}, id="created, none given"),
        pytest.param(None, "a@one", {}, {}, id="created, an empty one given"),
        pytest.param("recorded", "b@two", None, PROCESS, id="renewed, kept"),
        pytest.param("recorded", "b@two", {}, PROCESS, id="renewed, kept where it is not known now"),
        pytest.param("recorded", "b@two", OTHER_PROCESS, OTHER_PROCESS, id="renewed, from another process"),
        pytest.param("recorded", "a@one", OTHER_PROCESS, OTHER_PROCESS, id="taken over"),
        pytest.param("recorded", "a@one", None, {}, id="taken over: that of the last holder goes"),
    ],
)
def test_controller_stays_with_its_holder(
    found: str | None, holder: str, given: dict[str, t.Any] | None, expected: dict[str, t.Any]
) -> None:
    annotations = {decisions.CONTROLLER_ANNOTATION: json.dumps(PROCESS)}
    body = held(
        lease("b@two", renewed_ago=60, annotations=annotations) if found else None, holder=holder, controller=given
    ).body
    assert decisions.recorded_controller(body) == expected
    assert decisions.describe(body)["controller"] == (expected or None)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '{"pid": 4711}'])
def test_an_annotation_that_cannot_be_read_says_nothing(text: str) -> None:
    assert decisions.recorded_controller(lease("b@two", annotations={decisions.CONTROLLER_ANNOTATION: text})) == {}


@pytest.mark.parametrize(
    ("found", "force", "action", "previous"),
    [
        pytest.param(None, False, "none", None, id="nothing to release"),
        pytest.param(None, True, "none", None, id="nothing to force"),
        pytest.param(lease("a@one"), False, "delete", "a@one", id="own"),
        pytest.param(lease(None), False, "delete", None, id="without holder"),
        pytest.param(lease("b@two"), False, "none", "b@two", id="somebody else's"),
        pytest.param(lease("b@two", renewed_ago=4000), False, "none", "b@two", id="somebody else's, expired"),
        pytest.param(lease("b@two"), True, "delete", "b@two", id="forced"),
    ],
)
def test_released(found: dict[str, t.Any] | None, force: bool, action: str, previous: str | None) -> None:
    decision = decisions.decide_released(found, holder="a@one", force=force)
    assert (decision.action, decision.previous_holder) == (action, previous)


def test_release_deletes_only_what_was_read() -> None:
    body = decisions.decide_released(lease("a@one"), holder="a@one", force=False).body
    assert body is not None
    assert body["preconditions"] == {"uid": "u1", "resourceVersion": "7"}


def test_refusal_says_who_since_when_until_when_and_what_to_do() -> None:
    found = lease("b@two", annotations={decisions.PURPOSE_ANNOTATION: "upgrade to 1.35.4"})
    message, hint = decisions.refusal(decisions.describe(found), identity=IDENTITY, now=NOW)
    for part in (
        "kube-system/evergreen-kubeadm-upgrade",
        "b@two",
        "upgrade to 1.35.4",
        "since 2026-01-31T11:00:00.000000Z",
        "expires at 2026-01-31T12:00:50.000000Z, in 50 s",
    ):
        assert part in message
    assert "kubectl -n kube-system delete lease evergreen-kubeadm-upgrade" in hint


def test_refusal_says_that_the_time_of_a_living_holder_is_over() -> None:
    found = lease("b@two", renewed_ago=90, annotations={decisions.CONTROLLER_ANNOTATION: json.dumps(PROCESS)})
    message, hint = decisions.refusal(decisions.describe(found), identity=IDENTITY, now=NOW, holder_controller="alive")
    assert "it expired 30 s ago" in message
    assert "is alive, so its lock is not taken" in message
    assert "end that process" in hint


@pytest.mark.parametrize(
    ("recorded", "holder_controller", "said", "advised"),
    [
        (PROCESS, "alive", "4711 on two, is alive", "next run that begins on two then takes the lock over at once"),
        (PROCESS, "unknown", "4711 on two; whether it is alive cannot be seen from here", "a run that begins on two"),
        (None, "unknown", "does not say which process", "once it has expired"),
    ],
)
def test_refusal_says_whether_the_controller_is_alive(
    recorded: dict[str, t.Any] | None, holder_controller: str, said: str, advised: str
) -> None:
    annotations = {decisions.CONTROLLER_ANNOTATION: json.dumps(recorded)} if recorded else {}
    state = decisions.describe(lease("b@two", annotations=annotations))
    message, hint = decisions.refusal(state, identity=IDENTITY, now=NOW, holder_controller=holder_controller)
    assert said in message
    assert advised in hint
    assert "kubectl -n kube-system delete lease evergreen-kubeadm-upgrade" in hint


def recorded(
    not_ready: dict[str, list[str]] | None, of: dict[str, t.Any] | None = None, holder: str = "a@one"
) -> t.Any:
    made = decisions.decide_held(
        of, identity=IDENTITY, holder=holder, lease_seconds=60, purpose=None, now=NOW, not_ready=not_ready
    )
    return made.body


def test_what_was_not_ready_outlives_the_run_that_failed() -> None:
    before = {"daemonset/kube-system/old": ["w1"]}
    body = recorded(before)
    assert decisions.not_ready_before(body) == (decisions.micro_time(NOW), before)
    renewed = recorded(None, body)
    assert decisions.not_ready_before(renewed) == (decisions.micro_time(NOW), before)
    left = decisions.decide_released(renewed, holder="a@one", force=False, unfinished=True)
    assert left.action == "leave" and left.body is not None
    assert decisions.describe(left.body)["holder"] is None
    resumed = recorded({}, {**left.body, "spec": {"acquireTime": "later"}}, "b@two")
    assert decisions.not_ready_before(resumed) == (decisions.micro_time(NOW), {}), "since when stays"
    assert decisions.decide_released(resumed, holder="b@two", force=False).action == "delete"


@pytest.mark.parametrize("text", [None, "", "null", "no JSON", "[]", '{"at": "t"}', '{"at": "t", "not_ready": [1]}'])
def test_a_lease_without_a_record(text: str | None) -> None:
    found = lease("a@one")
    found["metadata"]["annotations"] = {decisions.NOT_READY_ANNOTATION: text} if text is not None else None
    assert decisions.not_ready_before(found) is None
    assert decisions.decide_released(found, holder="a@one", force=False, unfinished=True).action == "delete"
