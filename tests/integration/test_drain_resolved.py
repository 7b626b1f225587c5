# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refusals that others resolve while the drain waits: operators that see the cordon, webhooks that move pods."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from drain_place import Json, Place, blocks, pod_of
from harness import objects
from harness.process import wait_for
from harness.webhook import NAME, denying_evictions

CLUSTER, ROLE = "cnpg.io/cluster", "cnpg.io/instanceRole"


@pytest.fixture
def database(place: Place) -> Place:
    """A primary on the first node and its replica on the second, a budget over the primary alone, and another pod."""
    place.add_node(place.second)
    for name, node, role in (("orders-1", place.first, "primary"), ("orders-2", place.second, "replica")):
        place.bare(name, on=node, labels={CLUSTER: "orders", ROLE: role})
    place.bare("web", stop_after="1s")
    selector = {"matchLabels": {CLUSTER: "orders", ROLE: "primary"}}
    place.cluster.apply(
        objects.controlled(
            "PodDisruptionBudget", "policy/v1", "orders-primary", place.name, {"selector": selector, "minAvailable": 1}
        )
    )
    wait_for("the budget is computed", lambda: place.budget_status("orders-primary").get("expectedPods") == 1)
    assert place.budget_status("orders-primary")["disruptionsAllowed"] == 0
    return place


def switch_over(place: Place) -> None:
    # In the other order the drain may evict orders-1 between the two: with two primaries the budget allows one.
    place.label("orders-1", **{ROLE: "replica"})
    place.label("orders-2", **{ROLE: "primary"})


@pytest.mark.parametrize("way", ["the label moves", "the budget goes"])
def test_an_operator_that_acts_on_the_cordon_is_waited_for(database: Place, way: str) -> None:
    place = database

    def act() -> None:
        wait_for("the other pod is gone", lambda: "web" not in [pod["metadata"]["name"] for pod in place.pods()])
        switch_over(place) if way == "the label moves" else place.drop_budget("orders-primary")

    operator = place.operator(place.is_cordoned, act)
    # Whoever only asks again after wait_sleep is late.
    result = place.drain(force=True, wait_sleep=60, wait_timeout=45)
    operator.result()
    assert not result.get("failed") and result["totals"]["gone"] == 2, result
    assert [(entry["name"], entry["verdict"]) for entry in result["budgets"]] == [
        ("orders-primary", "can_never_succeed")
    ]
    primary = pod_of(result, "orders-1")
    assert pod_of(result, "web")["gone_at"] <= primary["evicted_at"]
    # Asked once in vain, for whoever acts on that, and once when it is free.
    assert primary["attempts"] == 2 and primary["blocked_by"]["name"] == "orders-primary", primary
    assert "orders-primary for orders-1" in str(result["warnings"])


def test_a_budget_that_nobody_moves_is_named_at_the_end(database: Place) -> None:
    result = database.drain(force=True, wait_timeout=4)
    assert result["failed"] and database.is_cordoned(), result
    assert pod_of(result, "web")["outcome"] == "gone" and database.stopping() == []
    told = f"let no pod go as they are: {database.name}/orders-primary for orders-1 (1 pods must be healthy and only 1"
    assert told in result["msg"]
    assert "An operator that looks after these pods usually sees the cordon" in result["msg"]
    assert [entry["name"] for entry in result["left"]] == ["orders-1"]
    assert blocks(result, "name") == {"orders-primary"}
    # Check mode tells it at once, and is no failure: nobody knows who will act.
    database.drain(state="uncordoned")
    foreseen = database.drain(force=True, check_mode=True)
    assert not foreseen.get("failed") and pod_of(foreseen, "orders-1")["outcome"] == "would_wait", foreseen
    assert "orders-primary for orders-1" in str(foreseen["warnings"])


MESSAGE = "the operator will roll the pod itself"


def rolled(place: Place, pods: set[str], after_s: float) -> None:
    """What the operator does: each pod that was annotated is stopped, some time later.

    It is when no eviction is under way: the budget refuses no pod that stops already, and a pod that is gone before
    the answer came counts as evicted.
    """
    time.sleep(after_s)
    for name in pods:
        place.cluster.delete(f"/api/v1/namespaces/{place.name}/pods/{name}")


@pytest.mark.parametrize("code", [500, 403, 429])
def test_a_webhook_that_denies_and_moves_the_pod_is_waited_for(place: Place, tmp_path: Path, code: int) -> None:
    place.bare("broker-0", labels={"app": "broker"})
    place.web(2)
    asked: list[str] = []
    with denying_evictions(
        place.cluster, place.name, tmp_path, times=1000, code=code, message=MESSAGE, only="broker", act=asked.append
    ):
        wait_for("the webhook is in force", lambda: place.dry_eviction("broker-0"))
        asked.clear()
        operator = place.operator(lambda: len(asked) >= 2, lambda: rolled(place, set(asked), 0.4))
        result = place.drain(force=True)
        operator.result()
    assert not result.get("failed") and result["totals"]["gone"] == 3, result
    broker = pod_of(result, "broker-0")
    # It was the operator that stopped it.
    assert broker["outcome"] == "gone" and broker["evicted_at"] is None, broker
    assert MESSAGE in broker["blocked_by"]["message"] and blocks(result, "name") == {NAME}
    assert place.pods(place.first) == []


def test_a_webhook_that_waits_for_the_eviction_gets_it_past_a_budget_that_allows_none(
    place: Place, tmp_path: Path
) -> None:
    """The budget refuses what the webhook lets pass, and the operator stops the pod for having been asked."""
    brokers = ["broker-0", "broker-1", "broker-2"]
    for name in brokers:
        place.bare(name, labels={"app": "broker"})
    place.budget("broker", 0, "broker", maxUnavailable=0)
    asked: list[str] = []
    with denying_evictions(place.cluster, place.name, tmp_path, times=0, only="broker", act=asked.append):

        def seen() -> bool:
            place.dry_eviction("broker-0")
            return bool(asked)

        wait_for("the webhook is in force", seen)
        asked.clear()
        operator = place.operator(lambda: set(brokers) <= set(asked), lambda: rolled(place, set(asked), 2))
        # One request for each, at once.
        result = place.drain(force=True, wait_sleep=60, wait_timeout=30)
        operator.result()
    assert not result.get("failed") and result["totals"]["gone"] == 3, result
    assert [pod["attempts"] for pod in result["pods"]] == [1, 1, 1] and result["totals"]["evicted"] == 0
    assert blocks(result, "name") == {"broker"}


def test_a_webhook_that_goes_on_denying_is_named_at_the_end(place: Place, tmp_path: Path) -> None:
    place.bare("broker-0", labels={"app": "broker"})
    place.web(2)
    with denying_evictions(place.cluster, place.name, tmp_path, times=1000, code=500, message=MESSAGE, only="broker"):
        wait_for("the webhook is in force", lambda: place.dry_eviction("broker-0"))
        foreseen: Json = place.drain(force=True, check_mode=True)
        result = place.drain(force=True, wait_timeout=4, max_parallel=1)
    assert {pod["name"]: pod["outcome"] for pod in foreseen["pods"]}["broker-0"] == "would_wait"
    assert result["failed"] and result["totals"]["gone"] == 2, result
    assert f'broker-0 (admission webhook "{NAME}" denied the request: {MESSAGE})' in result["msg"]
    assert place.is_cordoned() and "stays cordoned" in result["hint"]
    assert [pod["metadata"]["name"] for pod in place.pods(place.first)] == ["broker-0"]
