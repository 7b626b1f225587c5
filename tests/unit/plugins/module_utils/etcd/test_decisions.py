# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import decisions, model
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import Member, Seen, Status, View


def status(member_id: int, **changes: object) -> Status:
    values: dict = {
        "member_id": member_id,
        "version": "3.6.5",
        "leader": 1,
        "revision": 100,
        "raft_term": 4,
        "raft_index": 5000,
        "raft_applied_index": 5000,
        "db_size": 1 << 20,
    }
    return Status(**{**values, **changes})


def seen(
    member_id: int, *, learner: bool = False, failure: str = "", read_failure: str = "", **changes: object
) -> Seen:
    member = Member(member_id, f"cp{member_id}", (f"https://10.0.0.{member_id}:2379",), learner)
    return Seen(member, None if failure else status(member_id, **changes), failure, read_failure)


def view(*members: Seen, local: int = 1, failure: str = "") -> View:
    return View(members=members, local_id=local, failure=failure)


def bad(checks: list) -> list[tuple[str, str]]:
    return [(check.name, check.seen) for check in checks if not check.ok]


GOOD = (seen(1), seen(2), seen(3))


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        pytest.param(view(*GOOD), [], id="good"),
        pytest.param(view(seen(1)), [], id="a cluster of one"),
        pytest.param(view(failure="refused"), [("cluster", "refused")], id="no list"),
        pytest.param(view(seen(1), seen(2), seen(3, failure="timed out")), [("member cp3", "timed out")], id="dead"),
        pytest.param(
            view(
                seen(1),
                seen(
                    2,
                    learner=True,
                ),
            ),
            [("member cp2", "it is a learner")],
            id="learner by the list",
        ),
        pytest.param(
            view(seen(1), seen(2), Seen(Member(3, ""), failure="it has never started")),
            [("member (not started, id 3)", "it has never started")],
            id="never started",
        ),
        pytest.param(
            view(seen(1), seen(2, raft_applied_index=3999)),
            [("member cp2", "it is 1001 raft entries behind (allowed are 1000)")],
            id="behind",
        ),
        pytest.param(view(seen(1), seen(2, raft_applied_index=4000)), [], id="just not behind"),
        pytest.param(
            view(seen(1), seen(2, read_failure="no quorum")),
            [("member cp2", "a read through it failed: no quorum")],
            id="no read",
        ),
        pytest.param(
            view(seen(1), seen(2, leader=0)), [("member cp2", "it knows no leader")], id="one without a leader"
        ),
        pytest.param(
            view(seen(1), seen(2, leader=3), seen(3)),
            [("member cp2", "it follows 3, while cp1 leads")],
            id="follows another",
        ),
        pytest.param(
            view(seen(1), seen(2, raft_term=3)),
            [("member cp2", "it is in term 3, the leader in term 4")],
            id="an older term",
        ),
        pytest.param(
            view(seen(1), seen(2, leader=2, raft_term=5)),
            [
                ("leader", "cp1 and cp2 each say that they lead"),
                ("member cp1", "it follows 1, while cp2 leads; it is in term 4, the leader in term 5"),
            ],
            id="two leaders, the newer term counts",
        ),
        pytest.param(
            view(seen(1, leader=0), seen(2, leader=0)),
            [
                ("leader", "no member leads"),
                ("member cp1", "it knows no leader"),
                ("member cp2", "it knows no leader"),
            ],
            id="no leader at all",
        ),
        pytest.param(
            view(seen(1), seen(2, errors=("memberID:2 alarm:NOSPACE",))),
            [("alarms", "NOSPACE on cp2")],
            id="alarm",
        ),
        pytest.param(view(seen(1), seen(2, version="")), [("member cp2", "it reports no version")], id="no version"),
    ],
)
def test_health(observed: View, expected: list) -> None:
    assert bad(decisions.health_checks(observed, max_index_gap=1000)) == expected


@pytest.mark.parametrize(
    ("expected_members", "expected"),
    [
        (["cp3", "cp1", "cp2"], []),
        ([], []),
        (["cp1", "cp2"], [("expected_members", "not expected: cp3")]),
        (["cp1", "cp2", "cp3", "cp4"], [("expected_members", "not members: cp4")]),
        (["cp1", "cp2", "cp4"], [("expected_members", "not members: cp4; not expected: cp3")]),
    ],
)
def test_the_names_of_the_members(expected_members: list[str], expected: list) -> None:
    checks = decisions.health_checks(view(*GOOD), max_index_gap=10, expected_members=expected_members)
    assert bad(checks) == expected


@pytest.mark.parametrize(
    ("observed", "follower", "expected"),
    [
        pytest.param(view(*GOOD), False, [], id="the leader"),
        pytest.param(view(*GOOD), True, ["follower"], id="the leader where a follower is wanted"),
        pytest.param(view(*GOOD, local=2), True, [], id="a follower"),
        pytest.param(view(seen(1), seen(2), seen(3, failure="dead")), False, [], id="another is dead"),
        pytest.param(view(failure="refused"), False, ["member_answers"], id="no answer"),
        pytest.param(view(*GOOD, local=9), False, ["member_answers"], id="not in its own list"),
        pytest.param(
            view(seen(1, failure="gone"), seen(2)), False, ["member_answers"], id="gone between two questions"
        ),
        pytest.param(view(seen(1), seen(2, learner=True), local=2), False, ["not_learner"], id="learner by the list"),
        pytest.param(
            view(seen(1), Seen(Member(2, "cp2"), status(2, learner=True)), local=2),
            False,
            ["not_learner"],
            id="learner",
        ),
        pytest.param(view(seen(1), seen(2, raft_applied_index=10), local=2), False, ["not_lagging"], id="behind"),
        pytest.param(
            view(seen(1, leader=0, read_failure="no leader")),
            False,
            ["has_leader", "linearizable_read"],
            id="no quorum",
        ),
        pytest.param(view(seen(1, errors=("memberID:1 alarm:NOSPACE",))), False, [], id="full, but whole"),
        pytest.param(
            view(seen(1, errors=("memberID:2 alarm:CORRUPT ",))), False, ["no_corruption_alarm"], id="corrupt"
        ),
    ],
)
def test_whether_a_snapshot_is_taken(observed: View, follower: bool, expected: list[str]) -> None:
    checks = decisions.snapshot_checks(observed, max_index_gap=1000, require_follower=follower)
    assert [name for name, _seen in bad(checks)] == expected


@pytest.mark.parametrize(
    ("observed", "target", "possible", "note"),
    [
        pytest.param(view(*GOOD, local=2), "", True, "cp2 does not lead", id="a follower already"),
        pytest.param(view(seen(1)), "", True, "only voting member", id="alone"),
        pytest.param(view(seen(1), seen(2, learner=True)), "", True, "only voting member", id="beside a learner"),
        pytest.param(view(*GOOD), "cp2", True, "cp2", id="equal: by name"),
        pytest.param(
            view(seen(1), seen(2, raft_applied_index=4990), seen(3, raft_applied_index=4995)),
            "cp3",
            True,
            "least behind",
            id="the one least behind",
        ),
        pytest.param(view(seen(1), seen(2, failure="dead"), seen(3)), "cp3", True, "cp3", id="not the dead one"),
        pytest.param(view(seen(1), seen(2, failure="dead")), "", False, "cp2: dead", id="nobody is fit"),
        pytest.param(view(seen(1, leader=0), seen(2, leader=0)), "", False, "election", id="an election goes on"),
        pytest.param(view(failure="refused"), "", False, "refused", id="no answer"),
        pytest.param(view(seen(1, failure="gone"), seen(2)), "", False, "gone", id="the own member gives no status"),
    ],
)
def test_who_leads_instead(observed: View, target: str, possible: bool, note: str) -> None:
    found = decisions.decide_transfer(observed, max_index_gap=1000)
    assert (found.target.name if found.target else "", found.possible) == (target, possible)
    assert note in found.note


@pytest.mark.parametrize(
    ("observed", "name", "why"),
    [
        pytest.param(view(*GOOD), "cp3", "follows", id="of equal followers the last"),
        pytest.param(view(*GOOD, local=3), "cp3", "follows", id="whoever asks"),
        pytest.param(
            view(seen(1, leader=3), seen(2, leader=3), seen(3, leader=3)), "cp2", "follows", id="the last one leads"
        ),
        pytest.param(view(seen(1), seen(2), seen(3, raft_applied_index=4995)), "cp2", "0 raft entries", id="nearer"),
        pytest.param(view(seen(1), seen(2, failure="dead"), seen(3, read_failure="x")), "cp1", "leads", id="no other"),
        pytest.param(view(seen(1), seen(2, learner=True)), "cp1", "leads", id="never a learner"),
        pytest.param(view(seen(1), seen(2, raft_applied_index=3000)), "cp1", "leads", id="too far behind"),
        pytest.param(view(seen(1)), "cp1", "leads", id="alone"),
        pytest.param(view(failure="refused"), "", "no member", id="no answer"),
    ],
)
def test_who_a_snapshot_is_saved_from(observed: View, name: str, why: str) -> None:
    found = decisions.snapshot_source(observed, max_index_gap=1000)
    assert found.name == name
    assert why in found.why


@pytest.mark.parametrize(
    ("free", "ok"), [(350 << 20, False), ((356 << 20) - 1, False), (356 << 20, True), (1 << 40, True)]
)
def test_free_space(free: int, ok: bool) -> None:
    assert decisions.space_check(free, 100 << 20, 256 << 20, "/b").ok is ok


@pytest.mark.parametrize(
    ("before", "after", "revision", "keys", "live", "expected"),
    [
        (10, 10, 10, 5, 5, []),
        (10, 20, 15, 5, 5, []),
        (10, 20, 15, 5, None, []),
        (10, 20, 9, 5, 5, ["revision"]),
        (10, 20, 21, 5, 5, ["revision"]),
        (10, 20, 15, 5, 6, ["keys"]),
    ],
)
def test_the_file_against_the_member(
    before: int, after: int, revision: int, keys: int, live: int | None, expected: list[str]
) -> None:
    checks = decisions.live_checks(before=before, after=after, revision=revision, keys=keys, live_keys=live)
    assert [name for name, _seen in bad(checks)] == expected


def test_numbers_of_both_routes_are_read() -> None:
    """The gateway writes 64-bit numbers as strings, etcdctl as numbers; zero values are left out by both."""
    gateway = {
        "header": {"cluster_id": "13455796455940752355", "member_id": "443629905751424238", "revision": "7"},
        "version": "3.6.5",
        "dbSize": "20480",
        "leader": "443629905751424238",
        "raftIndex": "5",
        "raftTerm": "2",
        "raftAppliedIndex": "5",
    }
    etcdctl = {
        key: {name: int(text) for name, text in value.items()} if isinstance(value, dict) else value
        for key, value in gateway.items()
    }
    etcdctl.update(dbSize=20480, leader=443629905751424238, raftIndex=5, raftTerm=2, raftAppliedIndex=5)
    assert model.status_from_json(gateway) == model.status_from_json(etcdctl)
    assert model.status_from_json(gateway).leader == model.status_from_json(gateway).member_id
    assert model.status_from_json({}).leader == 0


def test_alarms_are_named_once() -> None:
    errors = ("etcdserver: no leader", "memberID:7 alarm:NOSPACE ", "memberID:8  alarm:CORRUPT")
    found = model.alarms_of([status(1, errors=errors), status(2, errors=errors)])
    assert [(alarm.kind, alarm.member_id) for alarm in found] == [("CORRUPT", 8), ("NOSPACE", 7)]


def test_rows_hold_what_a_dead_member_cannot_say() -> None:
    rows = decisions.member_rows(view(seen(1), seen(2, failure="dead")))
    assert [(row["name"], row["leader"], row["local"], row["problem"]) for row in rows] == [
        ("cp1", True, True, ""),
        ("cp2", False, False, "dead"),
    ]
    assert "version" in rows[0]
    assert "version" not in rows[1]


def test_rows_hold_the_hash_or_why_there_is_none() -> None:
    hashed = dataclasses.replace(seen(1), kv_hash=model.KvHash(5, 100, 90))
    silent = dataclasses.replace(seen(2), hash_failure="timed out")
    first, second = decisions.member_rows(view(hashed, silent))
    assert (first["hash"], first["hash_revision"], first["hash_compact_revision"]) == (5, 100, 90)
    assert "hash" not in second
    assert second["hash_problem"] == "timed out"


def test_alarms_name_their_member() -> None:
    raised = view(dataclasses.replace(seen(1), status=status(1, errors=("memberID:1 alarm:NOSPACE ",))), seen(2))
    assert decisions.alarm_rows(raised) == [{"alarm": "NOSPACE", "member": "cp1"}]
    assert decisions.alarm_rows(view(seen(1), seen(2))) == []
