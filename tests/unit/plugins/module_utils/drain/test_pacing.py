# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many evictions are under way behind a budget."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.pacing import Pace

Json = t.Dict[str, t.Any]  # noqa: UP006
KEY = ("n", "web")


def budget(allowed: int, *, name: str = "web", generation: int = 1) -> Json:
    return {
        "metadata": {"namespace": "n", "name": name, "generation": generation},
        "status": {"observedGeneration": 1, "disruptionsAllowed": allowed},
    }


def pace(*budgets: Json, gates: t.Mapping[str, tuple[str, str]] | None = None) -> Pace:
    gates = {"a": KEY, "b": KEY, "c": KEY} if gates is None else gates
    return Pace(gates, budgets, "7", patience_s=5.0, now=100.0)


def may(found: Pace, now: float = 100.0) -> str:
    return "".join(uid for uid in "abcx" if found.may_try(uid, now))


@pytest.mark.parametrize(
    ("budgets", "expected"),
    [
        ([budget(2)], "abcx"),
        ([budget(0)], "x"),
        # Its status is of an older spec.
        ([budget(2, generation=2)], "x"),
        # Deleted since.
        ([], "abcx"),
        ([budget(0, name="other")], "abcx"),
    ],
)
def test_what_the_status_allows(budgets: list[Json], expected: str) -> None:
    assert may(pace(*budgets)) == expected


def test_no_more_are_under_way_than_are_allowed() -> None:
    found = pace(budget(2))
    found.trying("a")
    assert may(found) == "abcx"
    found.trying("b")
    assert may(found) == "x"
    # An answer alone makes no room: the budget has paid for it.
    found.answered("a", 101, accepted=True, refused=False)
    assert may(found) == "x"
    # Its next status is exact again, but for what is still under way.
    found.seen(budget(1), 102)
    assert may(found) == "x"
    found.answered("b", 103, accepted=False, refused=False)
    assert may(found) == "abcx"


def test_a_refusal_is_newer_than_the_status() -> None:
    found = pace(budget(5))
    found.trying("a")
    found.answered("a", 101, accepted=False, refused=True)
    assert may(found) == "x"
    assert found.next_try("b") == 106
    found.seen(budget(1), 102)
    assert may(found) == "abcx" and found.next_try("b") is None


def test_silence_is_tried_with_one_pod() -> None:
    found = pace(budget(0))
    assert may(found, 104.9) == "x"
    assert may(found, 105.0) == "abcx"
    found.trying("b")
    assert may(found, 105.0) == "x"
    found.answered("b", 105.1, accepted=False, refused=True)
    assert may(found, 110.0) == "x" and may(found, 110.1) == "abcx"


def test_a_deleted_budget_holds_nothing_back() -> None:
    found = pace(budget(0))
    found.deleted(KEY)
    assert may(found) == "abcx" and not found.needed


def test_where_the_budgets_are() -> None:
    gates = {"a": ("n", "web"), "b": ("m", "db")}
    assert pace(budget(0), gates=gates).namespaces == {"n"}
    assert pace(gates={}).needed is False
