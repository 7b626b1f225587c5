# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What PodDisruptionBudgets will do to a drain."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain import budgets
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.drain.objects import (
    TERMINATING,
    UNREADY,
    pod,
    record,
)

Json = dict[str, t.Any]


def budget(allowed: int, healthy: int, desired: int, expected: int, *, name: str = "b", **spec: t.Any) -> Json:
    return {
        "metadata": {"namespace": "n", "name": name, "generation": 1},
        "spec": {"selector": {}, **spec},
        "status": {
            "observedGeneration": 1,
            "disruptionsAllowed": allowed,
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": expected,
        },
    }


CHANGED = budget(0, 3, 3, 3)
CHANGED["metadata"]["generation"] = 2
SYNC_FAILED = budget(0, 0, 0, 0)
SYNC_FAILED["status"]["conditions"] = [{"type": "DisruptionAllowed", "reason": "SyncFailed", "message": "no scale"}]


@pytest.mark.parametrize(
    ("found", "ready", "verdict", "reason"),
    [
        (budget(2, 4, 2, 4), 2, "free", "2 disruptions are allowed"),
        (budget(1, 3, 2, 3), 2, "will_wait", "1 of 2 needed"),
        (budget(0, 1, 1, 1, minAvailable=1), 1, "can_never_succeed", "1 pods must be healthy and only 1 are expected"),
        (budget(0, 0, 0, 0, minAvailable=1), 1, "will_wait", "0 of 0 expected pods are healthy and 0 must stay so"),
        (budget(0, 3, 3, 3, maxUnavailable=0), 1, "can_never_succeed", "maxUnavailable is 0"),
        (budget(0, 3, 2, 3, maxUnavailable="0%"), 1, "can_never_succeed", "maxUnavailable is 0%"),
        (
            budget(0, 2, 2, 3, maxUnavailable="10%"),
            1,
            "will_wait",
            "2 of 3 expected pods are healthy",
        ),
        (CHANGED, 1, "will_wait", "not computed yet"),
        (SYNC_FAILED, 1, "can_never_succeed", "no scale"),
        (budget(0, 0, 1, 1), 0, "free", "not Ready"),
    ],
)
def test_verdict_of_one_budget(found: Json, ready: int, verdict: str, reason: str) -> None:
    """`ready` pods that are Ready are to be evicted; without any, one that is not, behind AlwaysAllow."""
    assert not ready or bool(budgets.allows_none(found)) is (verdict == "can_never_succeed")
    pods = [pod(f"p{number}") for number in range(ready)]
    if not pods:
        pods = [pod("p", conditions=UNREADY)]
        found["spec"]["unhealthyPodEvictionPolicy"] = "AlwaysAllow"
    seen = budgets.judge(found, pods)
    assert seen.verdict == verdict and reason in seen.reason


@pytest.mark.parametrize(
    ("found", "pods", "advice"),
    [
        (budget(1, 2, 1, 2), [pod("a")], ""),
        (budget(0, 3, 3, 3, maxUnavailable=0), [pod("a")], "Raise maxUnavailable"),
        (budget(0, 3, 3, 3), [pod("a")], "one replica more"),
        (budget(0, 1, 1, 1), [pod("a")], "surge_singletons"),
        (SYNC_FAILED, [pod("a")], "controllers that can be scaled"),
        (budget(0, 2, 2, 3), [pod("a")], "Mend the 1 pods that are not healthy."),
        (budget(0, 1, 2, 3), [pod("a"), pod("b", conditions=UNREADY)], "AlwaysAllow the budget lets those of them go"),
    ],
)
def test_what_helps(found: Json, pods: list[Json], advice: str) -> None:
    told = budgets.judge(found, pods).advice
    assert advice in told and bool(advice) == bool(told)


def test_surging_is_no_way_for_more_than_one() -> None:
    assert "surge" not in budgets.judge(budget(0, 3, 3, 3), [pod("a")]).advice


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, None),
        ({"app": "web"}, "web"),
        ({"app": "db"}, "db"),
        ({"app": "web", "tier": "x"}, None),
        ({"tier": "x"}, "b"),
    ],
)
def test_the_one_budget_of_a_pod(labels: Json, expected: str | None) -> None:
    there = [
        budget(1, 2, 1, 2, name=name, selector={"matchLabels": selector})
        for name, selector in (("web", {"app": "web"}), ("db", {"app": "db"}), ("b", {"tier": "x"}))
    ]
    found = budgets.gate_of(pod(labels=labels), there)
    assert (found["metadata"]["name"] if found else None) == expected


@pytest.mark.parametrize(
    ("found", "member", "expected"),
    [
        (budget(0, 1, 1, 1), pod(), True),
        (budget(0, 1, 2, 2), pod(conditions=UNREADY), True),
        (budget(0, 2, 2, 3), pod(conditions=UNREADY), False),
        (budget(0, 0, 0, 3), pod(conditions=UNREADY), True),
        (budget(0, 0, 2, 3, unhealthyPodEvictionPolicy="AlwaysAllow"), pod(conditions=UNREADY), False),
        (budget(0, 0, 2, 3, unhealthyPodEvictionPolicy="AlwaysAllow"), pod(), True),
    ],
)
def test_whether_a_pod_takes_from_the_budget(found: Json, member: Json, expected: bool) -> None:
    assert budgets.needs_disruption(found, member) is expected


def test_analysis_counts_only_pods_that_budgets_protect() -> None:
    web: Json = {"selector": {"matchLabels": {"app": "web"}}}
    records = [
        record(pod("a", labels={"app": "web"})),
        record(pod("b", labels={"app": "web"}, phase="Pending")),
        record(pod("c", labels={"app": "web"}, phase="Succeeded")),
        record(pod("d", labels={"app": "web"}, **TERMINATING), "wait"),
        record(pod("e", labels={"app": "db"})),
    ]
    (entry,) = budgets.analyse([budget(1, 2, 1, 2, **web)], records)
    assert (entry["pods"], entry["verdict"]) == (["a"], "free")
    assert budgets.stuck([entry]) is None
    other = budget(1, 2, 1, 2, name="c")
    other["metadata"]["namespace"] = "elsewhere"
    assert budgets.analyse([other], records) == []


def test_two_budgets_for_a_pod_never_let_it_go() -> None:
    both = [budget(1, 2, 1, 2, name="x"), budget(1, 2, 1, 2, name="y")]
    entries = budgets.analyse(both, [record(pod("a"))])
    assert [entry["verdict"] for entry in entries] == ["can_never_succeed"] * 2
    message, _hint = budgets.stuck(entries) or ("", "")
    assert "n/x for a (pod a has the budgets x and y" in message


def test_a_budget_that_lets_none_go_is_told_with_its_pods_and_what_moves_it() -> None:
    """The budget over the one primary of a database, which its operator moves when it sees the cordon."""
    role: Json = {"cnpg.io/cluster": "orders", "cnpg.io/instanceRole": "primary"}
    primary = budget(0, 1, 1, 1, name="orders-primary", minAvailable=1, selector={"matchLabels": role})
    message, hint = budgets.stuck(budgets.analyse([primary], [record(pod("orders-1", labels=role))])) or ("", "")
    assert message == (
        "These budgets let no pod go as they are: n/orders-primary for orders-1 "
        "(1 pods must be healthy and only 1 are expected to exist)."
    )
    assert hint.startswith(budgets.OPERATORS_WAY) and "Run one replica more" in hint
    # The label has moved.
    moved = record(pod("orders-1", labels={**role, "cnpg.io/instanceRole": "replica"}))
    assert budgets.analyse([primary], [moved]) == []
