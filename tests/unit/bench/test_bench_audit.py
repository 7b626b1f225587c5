# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A request counts once, for who made it."""

from __future__ import annotations

import json
import typing as t

import pytest

from bench.audit import AuditLog, count, policy, unlimited

if t.TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, t.Any]


def event(audit_id: str, user: str = "ours", verb: str = "get", stage: str = "ResponseComplete", **target: str) -> Json:
    return {
        "auditID": audit_id,
        "stage": stage,
        "verb": verb,
        "requestURI": "/readyz?verbose",
        "user": {"username": user},
        **({"objectRef": target} if target else {}),
    }


@pytest.mark.parametrize(
    ("events", "counted"),
    [
        pytest.param([], {}, id="nothing"),
        pytest.param(
            [event("1", resource="nodes"), event("2", resource="nodes")], {"ours": {"get nodes": 2}}, id="same request"
        ),
        pytest.param(
            [
                event("1", verb="watch", stage="ResponseStarted", resource="pods"),
                event("1", verb="watch", resource="pods"),
            ],
            {"ours": {"watch pods": 1}},
            id="both stages of a watch",
        ),
        pytest.param(
            [event("1", verb="create", resource="pods", subresource="eviction"), event("2", resource="pods")],
            {"ours": {"create pods/eviction": 1, "get pods": 1}},
            id="kinds",
        ),
        pytest.param([event("1")], {"ours": {"get /readyz": 1}}, id="no object"),
        pytest.param(
            [event("1", resource="pods"), event("2", user="theirs", resource="pods")],
            {"ours": {"get pods": 1}, "theirs": {"get pods": 1}},
            id="two users",
        ),
    ],
)
def test_count(events: list[Json], counted: dict[str, dict[str, int]]) -> None:
    assert count(events, set()) == counted


def test_end_of_a_watch_that_was_counted_before() -> None:
    seen: set[str] = set()
    count([event("1", verb="watch", stage="ResponseStarted", resource="pods")], seen)
    assert count([event("1", verb="watch", resource="pods"), event("2", resource="pods")], seen) == {
        "ours": {"get pods": 1}
    }


def test_log_is_read_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    log = AuditLog(path)
    assert log.take() == {}
    first, second = (json.dumps(event(each, resource="pods")) for each in "12")
    path.write_text(f"{first}\n{second[:30]}")
    assert log.take() == {"ours": {"get pods": 1}}
    assert log.take() == {}
    with path.open("a") as file:
        file.write(f"{second[30:]}\n")
    assert log.take() == {"ours": {"get pods": 1}}


def test_policy_leaves_others_out() -> None:
    rules = policy(["b", "a"])["rules"]
    assert rules == [{"level": "Metadata", "users": ["a", "b"]}, {"level": "None"}]


def test_lists_without_a_limit_are_found() -> None:
    asked = [
        ("list", "/api/v1/pods?limit=500"),
        ("list", "/api/v1/pods?limit=500&continue=abc"),
        ("list", "/api/v1/nodes"),
        ("list", "/api/v1/secrets?labelSelector=limit%3D1"),
        ("get", "/api/v1/nodes/a"),
        ("watch", "/api/v1/pods?watch=true"),
    ]
    events = [{"verb": verb, "requestURI": address} for verb, address in asked]
    assert unlimited(events) == ["/api/v1/nodes", "/api/v1/secrets"]
