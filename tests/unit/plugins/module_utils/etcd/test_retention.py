# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which backups are kept, and how many are verified to decide it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import EtcdError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.retention import Backup, Decision, Rules, decide

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)


def backups(text: str) -> list[Backup]:
    """``a5 a1 b3- ...``: a label and an age in days; ``-`` behind it where the snapshot is gone."""
    return [
        Backup(
            word.rstrip("-"),
            word[0],
            NOW - timedelta(days=float(word[1:].rstrip("-"))),
            complete=not word.endswith("-"),
        )
        for word in text.split()
    ]


def decided(text: str, rules: Rules, broken: str = "") -> tuple[Decision, list[str]]:
    """The decision, and the names of the backups that had to be verified for it."""
    verified: dict[str, bool] = {}
    while True:
        decision = decide(backups(text), rules, now=NOW, verified=verified)
        if decision.verify is None:
            return decision, list(verified)
        assert decision.verdicts is None
        assert decision.verify.name not in verified
        verified[decision.verify.name] = decision.verify.name not in broken.split()


@pytest.mark.parametrize(
    ("there", "rules", "broken", "kept", "looked"),
    [
        pytest.param("", Rules(3), "", "", "", id="nothing there"),
        pytest.param("a1 a2 a3", Rules(3), "", "a1 a2 a3", "", id="as many as are kept: nothing is verified"),
        pytest.param("a1 a2 a3 a4", Rules(3), "", "a1 a2 a3", "a1", id="one too many"),
        pytest.param("a3 a1 a4 a2", Rules(3), "", "a1 a2 a3", "a1", id="in any order"),
        pytest.param("a1 a9 a11", Rules(None, 10), "", "a1 a9", "a1", id="by age"),
        pytest.param("a1 a10 a10.1", Rules(None, 10), "", "a1 a10", "a1", id="to the very day"),
        pytest.param("a1 a9 a11", Rules(1, 10), "", "a1 a9", "a1", id="age keeps more than count"),
        pytest.param("a20 a21 a22", Rules(2, 10), "", "a20 a21", "a20", id="count keeps more than age"),
        pytest.param("a20 a21", Rules(None, 10), "", "a20", "a20", id="all too old: the newest that verifies stays"),
        pytest.param("a1 a2 a3", Rules(1), "a1", "a1 a2", "a1 a2", id="the newest is broken"),
        pytest.param(
            "a1 a2 a3 a4", Rules(1), "a1 a2", "a1 a3", "a1 a2 a3", id="two broken: one of them was not to stay"
        ),
        pytest.param(
            "a1 a2 a3 a4", Rules(3), "a1", "a1 a2 a3", "a1 a2", id="a kept one verifies: no more is looked at"
        ),
        pytest.param("a1 a2 a3", Rules(1), "a1 a2 a3", "a1 a2 a3", "a1 a2 a3", id="none verifies: all stay"),
        pytest.param("a1 b2 a3 b4", Rules(1), "", "a1 b2", "a1 b2", id="labels by themselves"),
        pytest.param("a1 a3 b2 b4", Rules(1), "a1 a3", "a1 b2 a3", "a1 a3 b2", id="one label is unproven"),
        pytest.param("a1 b20", Rules(None, 10), "", "a1 b20", "b20", id="an old label keeps its last one"),
        pytest.param("a-1 a20", Rules(None, 10), "", "a-1", "a-1", id="a clock that went ahead"),
        pytest.param("a1 a2- a3", Rules(1), "", "a1", "a1", id="what lost its snapshot goes"),
        pytest.param("a1- a2 a3", Rules(1), "", "a1 a2", "a2", id="and holds no place before it goes"),
        pytest.param("a1- a2-", Rules(None, 0.5), "", "a1 a2", "", id="no snapshot at all: nothing goes"),
    ],
)
def test_what_is_kept(there: str, rules: Rules, broken: str, kept: str, looked: str) -> None:
    decision, verified = decided(there, rules, broken)
    assert decision.verdicts is not None
    assert len(decision.verdicts) == len(there.split())
    assert [verdict.backup.name for verdict in decision.verdicts if verdict.keep] == kept.split()
    assert verified == looked.split()


def test_the_newest_first_with_reasons() -> None:
    decision, _verified = decided("a1 a40 a20 a30", Rules(1, 25), "a1 a20")
    assert decision.verdicts is not None
    assert [(verdict.backup.name, verdict.keep, verdict.reason) for verdict in decision.verdicts] == [
        ("a1", True, "keep_last=1: 0 newer, 1.0 days old, does not verify"),
        ("a20", True, "keep_days=25: 1 newer, 20.0 days old, does not verify"),
        ("a30", True, "the newest snapshot that verifies"),
        ("a40", False, "no rule keeps it: 3 newer, 40.0 days old"),
    ]
    unproven, _verified = decided("a1 a2 b1 b2", Rules(1), "a1 a2")
    assert unproven.unproven == ("a",)


@pytest.mark.parametrize(
    ("last", "days"), [(None, None), (0, None), (-1, 3), (None, 0), (None, -1), (1, float("nan")), (1, float("inf"))]
)
def test_rules_that_are_none(last: int | None, days: float | None) -> None:
    with pytest.raises(EtcdError, match="keep_"):
        Rules(last, days)
