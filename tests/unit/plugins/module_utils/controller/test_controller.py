# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the process that controls a run is still there."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._controller import (
    Sight,
    complete,
    judge,
    parse_stat,
)

PLACE = {"host": "one", "boot_id": "b1", "pid_namespace": "pid:[4026531836]"}
IDENTITY = {**PLACE, "pid": 4711, "started": 800}
THERE = Sight(True, 800)
ABSENT = Sight(False)


@pytest.mark.parametrize(
    ("identity", "place", "sight", "expected"),
    [
        pytest.param(IDENTITY, PLACE, THERE, "alive", id="the same process"),
        pytest.param(IDENTITY, PLACE, ABSENT, "gone", id="no such process"),
        pytest.param(IDENTITY, PLACE, Sight(True, 801), "gone", id="the identifier was used again"),
        pytest.param(IDENTITY, PLACE, Sight(True, None), "unknown", id="there, and its start is hidden"),
        pytest.param(IDENTITY, {**PLACE, "host": "two"}, ABSENT, "unknown", id="another host"),
        pytest.param(
            IDENTITY, {**PLACE, "boot_id": "b2"}, ABSENT, "unknown", id="another boot, or a host of that name"
        ),
        pytest.param(IDENTITY, {**PLACE, "pid_namespace": "pid:[1]"}, ABSENT, "unknown", id="another container"),
        pytest.param(IDENTITY, {}, ABSENT, "unknown", id="a system that does not say where one is"),
        pytest.param({}, PLACE, ABSENT, "unknown", id="an empty identity"),
        pytest.param({}, {}, ABSENT, "unknown", id="nothing known on either side"),
        pytest.param(None, PLACE, ABSENT, "unknown", id="no identity"),
        pytest.param("4711", PLACE, ABSENT, "unknown", id="no dict"),
    ],
)
def test_judge(identity: object, place: dict[str, str], sight: Sight, expected: str) -> None:
    assert judge(identity, place, sight) == expected


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"host": ""}, id="an empty host"),
        pytest.param({"boot_id": None}, id="no boot"),
        pytest.param({"pid_namespace": 7}, id="a namespace that is no text"),
        pytest.param({"pid": 0}, id="pid 0, the own group to kill(2)"),
        pytest.param({"pid": -1}, id="pid -1, everybody to kill(2)"),
        pytest.param({"pid": 1 << 40}, id="a pid that no system has"),
        pytest.param({"pid": "4711"}, id="a pid that is text"),
        pytest.param({"pid": True}, id="a pid that is true"),
        pytest.param({"started": None}, id="no start"),
    ],
)
def test_a_damaged_identity_says_nothing(changes: dict[str, t.Any]) -> None:
    assert complete({**IDENTITY, **changes}) == {}
    assert judge({**IDENTITY, **changes}, PLACE, ABSENT) == "unknown"


def test_other_keys_are_left_out() -> None:
    assert complete({**IDENTITY, "more": 1}) == IDENTITY


def stat(name: str, state: str, started: str = "546910") -> str:
    return f"14924 ({name}) {state} 1 14924 14924 0 -1 4194560 9 0 0 0 1 2 0 0 20 0 1 0 {started} 5 6 7\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(stat("ansible-playboo", "S"), Sight(True, 546910), id="sleeping"),
        pytest.param(stat("ansible-playboo", "T"), Sight(True, 546910), id="stopped by Ctrl-Z"),
        pytest.param(stat("a) R (b", "R"), Sight(True, 546910), id="a name with parentheses"),
        pytest.param(stat("ansible-playboo", "Z"), Sight(False), id="ended, not waited for"),
        pytest.param(stat("ansible-playboo", "X"), Sight(False), id="dead"),
        pytest.param("14924 (sleep) S 1 2", Sight(True), id="cut"),
        pytest.param(stat("sleep", "S", "-"), Sight(True), id="a start that is no number"),
        pytest.param("", Sight(True), id="empty"),
    ],
)
def test_parse_stat(text: str, expected: Sight) -> None:
    assert parse_stat(text) == expected
