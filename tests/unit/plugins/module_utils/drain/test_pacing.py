# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many evictions are under way behind a budget."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.pacing import Pace

Json = dict[str, t.Any]
KEY = ("n", "web")


def budget(
    allowed: int, *disrupted: str, name: str = "web", generation: int = 1, namespace: str = "n", **spec: t.Any
) -> Json:
    return {
        "metadata": {"namespace": namespace, "name": name, "generation": generation},
        "spec": {"selector": {"matchLabels": {"app": name}}, **spec},
        "status": {
            "observedGeneration": 1,
            "disruptionsAllowed": allowed,
            "disruptedPods": {f"pod-{uid}": "2026-01-01T00:00:00Z" for uid in disrupted},
        },
    }


def pod(uid: str, app: str = "web", namespace: str = "n", ready: bool = True) -> Json:
    return {
        "metadata": {"namespace": namespace, "name": f"pod-{uid}", "uid": uid, "labels": {"app": app}},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def pace(*budgets: Json, pods: t.Sequence[Json] | None = None) -> Pace:
    """Of three pods of web, and one that no budget has."""
    pods = [*map(pod, "abc"), pod("x", "free")] if pods is None else pods
    return Pace(pods, budgets, "7", patience_s=5.0, now=100.0)


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
    found.trying("a", "pod-a")
    assert may(found) == "abcx"
    found.trying("b", "pod-b")
    assert may(found) == "x"
    # An answer alone makes no room: the budget has paid for it.
    found.answered("a", 101, accepted=True, refused=False)
    assert may(found) == "x"
    # A status counts what it names, and what is still under way is not in it.
    found.seen(budget(1, "a"), 102)
    assert may(found) == "x"
    found.answered("b", 103, accepted=False, refused=False)
    assert may(found) == "abcx"


def test_a_status_made_before_the_eviction_does_not_count_it() -> None:
    found = pace(budget(1))
    found.trying("a", "pod-a")
    found.answered("a", 101, accepted=True, refused=False)
    found.seen(budget(1), 102)
    assert may(found) == "x"
    found.seen(budget(0, "a"), 103)
    found.seen(budget(1), 104)
    assert may(found) == "abcx"


def test_an_answer_may_come_after_the_status_that_counts_it() -> None:
    found = pace(budget(1))
    found.trying("a", "pod-a")
    found.seen(budget(0, "a"), 101)
    found.seen(budget(1), 102)
    found.answered("a", 103, accepted=True, refused=False)
    assert may(found, 103) == "abcx"


def test_a_pod_may_be_gone_before_its_answer() -> None:
    found = pace(budget(1))
    found.trying("a", "pod-a")
    found.settled("a")
    found.seen(budget(1), 101)
    assert may(found, 101) == "abcx"
    found.answered("a", 102, accepted=True, refused=False)
    assert may(found, 102) == "abcx"


def test_a_pod_that_no_budget_had_to_pay_for_holds_back_no_other() -> None:
    """An unhealthy pod may be evicted without a change of the status."""
    found = pace(budget(1))
    found.trying("a", "pod-a")
    found.answered("a", 101, accepted=True, refused=False)
    assert may(found) == "x"
    found.settled("a")
    assert may(found) == "abcx"


def test_a_refusal_is_newer_than_the_status() -> None:
    found = pace(budget(5))
    found.trying("a", "pod-a")
    found.answered("a", 101, accepted=False, refused=True)
    assert may(found) == "x"
    assert found.next_try("b") == 106
    found.seen(budget(1), 102)
    assert may(found) == "abcx" and found.next_try("b") is None


def test_a_refusal_is_not_newer_than_a_status_that_came_after_the_question() -> None:
    found = pace(budget(1))
    found.trying("a", "pod-a")
    found.seen(budget(1), 101)
    found.answered("a", 102, accepted=False, refused=True)
    assert may(found) == "abcx"
    # One try only: the next refusal is news.
    found.trying("a", "pod-a")
    found.answered("a", 103, accepted=False, refused=True)
    assert may(found) == "x"


def test_while_an_answer_is_awaited_there_is_no_moment_to_wait_for() -> None:
    found = pace(budget(1))
    found.trying("a", "pod-a")
    assert found.next_try("b") is None and found.knows("b") and not found.knows("x")
    assert may(found, 999) == "x"
    found.answered("a", 101, accepted=True, refused=False)
    assert found.next_try("b") == 105


def test_silence_is_tried_with_one_pod() -> None:
    found = pace(budget(0))
    assert may(found, 104.9) == "x"
    assert may(found, 105.0) == "abcx"
    found.trying("b", "pod-b")
    assert may(found, 105.0) == "x"
    found.answered("b", 105.1, accepted=False, refused=True)
    assert may(found, 110.0) == "x" and may(found, 110.1) == "abcx"


def test_a_deleted_budget_holds_nothing_back() -> None:
    found = pace(budget(0))
    found.deleted(KEY)
    assert may(found) == "abcx" and not found.needed


def test_where_the_budgets_are() -> None:
    pods = [pod("a"), pod("b", "db", "m"), pod("x", "free", "o")]
    found = [budget(0), budget(0, name="db", namespace="m"), budget(0, name="other", namespace="o")]
    assert pace(*found, pods=pods).namespaces == {"n", "m"}
    assert pace(found[0], pods=pods).namespaces == {"n"}
    assert pace(found[2], pods=pods).needed is False


def test_a_pod_whose_label_moves_has_another_budget_or_none() -> None:
    """An operator makes another pod the primary, once it sees the cordon."""
    found = pace(budget(0), budget(1, name="replica"))
    assert may(found) == "x"
    found.pod_seen(pod("a", "replica"))
    assert may(found) == "ax"
    found.trying("a", "pod-a")
    found.pod_seen(pod("b", "replica"))
    assert may(found) == "x"
    found.pod_seen(pod("b", "demoted"))
    assert may(found) == "bx"
    # And the other way round.
    found.pod_seen(pod("x"))
    assert may(found) == "b"


def test_a_try_is_not_owed_to_the_budget_that_the_pod_left() -> None:
    found = pace(budget(1))
    found.trying("a", "pod-a")
    assert may(found) == "x"
    found.pod_seen(pod("a", "demoted"))
    assert may(found) == "abcx"
    found.answered("a", 101, accepted=True, refused=False)
    assert may(found) == "abcx"


def test_a_budget_that_selects_others_lets_these_go() -> None:
    found = pace(budget(0))
    found.seen(budget(0, selector={"matchLabels": {"app": "else"}}), 101)
    assert may(found) == "abcx"
    found.seen(budget(0, selector={}), 102)
    assert may(found) == ""


def test_a_budget_that_is_new_holds_back() -> None:
    found = pace(budget(0), pods=[pod("a"), pod("b", "db")])
    assert may(found) == "bcx"
    found.seen(budget(0, name="db"), 101)
    assert may(found) == "cx"
    # With a second one of the same pod there is nothing to wait for.
    found.seen(budget(0, name="both", selector={}), 102)
    assert may(found) == "abcx"
    found.deleted(("n", "both"))
    assert may(found) == "cx"
    # What is elsewhere is of no interest, also to a list of this namespace alone.
    found.seen(budget(0, namespace="m", selector={}), 103)
    assert found.namespaces == {"n"} and may(found) == "cx"


def test_a_budget_that_lets_none_go_is_asked_once_for_each_of_its_pods() -> None:
    """A webhook that acts on the eviction, and an operator behind it, wait for nothing else."""
    found = pace(budget(0, maxUnavailable=0))
    assert may(found) == "abcx"
    for uid in "abc":
        found.trying(uid, f"pod-{uid}")
        found.answered(uid, 101, accepted=False, refused=True)
    assert may(found, 105) == "x"
    # From then on as any that is silent: one pod at a time.
    assert may(found, 106) == "abcx"
    found.trying("a", "pod-a")
    assert may(found, 106) == "x"


def test_a_pod_that_is_not_ready_takes_from_a_budget_as_soon_as_it_is() -> None:
    found = pace(budget(0, unhealthyPodEvictionPolicy="AlwaysAllow"), pods=[pod("a", ready=False), pod("b")])
    assert may(found) == "acx"
    found.pod_seen(pod("a"))
    assert may(found) == "cx"


def test_a_pod_that_ends_owes_nothing_though_budgets_count_it_no_more() -> None:
    found = pace(budget(1))
    found.trying("a", "pod-a")
    ending = pod("a")
    ending["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    found.pod_seen(ending)
    found.settled("a")
    assert may(found) == "abcx"
