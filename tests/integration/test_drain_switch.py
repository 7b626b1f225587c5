# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with kubernetes.core.k8s_drain is right here, so that it pays to change the name in a task.

Each test shows the right behaviour in one respect. The numbers are only for
this file. That the options are the same is in test_drain_switch_names.py.
"""

from __future__ import annotations

import itertools
import threading
import time
import typing as t

import pytest
import yaml

from ansible_collections.evergreen.kubeadm.plugins.modules import drain_node
from drain_place import Json, Place, blocks, pod_of
from harness import objects
from harness.cluster import Cluster
from harness.modules import run_module
from harness.process import wait_for

# 1 to 4: budgets and time.


def test_1_an_eviction_that_a_budget_refuses_is_tried_again(place: Place) -> None:
    place.web(3)
    # Whoever asks for three evictions gets one and two refusals.
    place.budget("web", 1, maxUnavailable=1)
    drain = place.start_drain()
    wait_for("the one eviction is made", lambda: len(place.pods(place.first)) == 2)
    answer = place.dry_eviction(place.pods(place.first)[0]["metadata"]["name"])
    assert answer is not None and answer.status == 429
    place.add_node(place.second)
    result = drain.result()
    assert not result.get("failed") and result["totals"]["gone"] == 3, result


def test_2_a_failure_says_what_it_has_changed(place: Place) -> None:
    place.web(1)
    place.budget("web", 0, minAvailable=1)
    before = place.node()["metadata"]["resourceVersion"]
    place.bare("bare")
    for options in ({}, {"force": True, "wait_timeout": 3}):
        result = place.drain(**options)
        assert result["failed"]
        assert result["changed"] is place.is_cordoned() is result["cordons"][0]["changed"]
        assert result["cordons"][0]["unschedulable"] is place.is_cordoned()
        assert len(place.pods(place.first)) == (1 if options else 2)
    assert place.is_cordoned() and place.node()["metadata"]["resourceVersion"] != before
    # So the next run knows whose cordon it is.
    assert place.drain(state="uncordoned")["changed"] and not place.is_cordoned()


def test_3_a_timeout_is_a_failure(place: Place) -> None:
    place.bare("slow", stop_after="60s")
    result = place.drain(force=True, wait_timeout=2)
    assert result["failed"] and result["changed"]
    assert [(entry["namespace"], entry["name"]) for entry in result["left"]] == [(place.name, "slow")]
    assert result["totals"]["gone"] == 0 and pod_of(result, "slow")["gone_at"] is None
    assert f"{place.name}/slow" in result["msg"] and "2 s" in result["msg"]
    place.kill("slow")


def test_4_the_task_waits_without_being_told(place: Place) -> None:
    place.web(2, annotations={"evergreen.test/stop-after": "3s"})
    result = run_module("drain_node", {**place.cluster.params, "name": place.first})
    assert result["totals"]["gone"] == 2 and place.pods(place.first) == [], result
    assert result["duration_s"] >= 2.9


# 5 and 6: options that mean what they say.


def test_5_the_grace_period_reaches_the_pod_and_zero_is_one(place: Place) -> None:
    for name in ("asked", "shot"):
        place.bare(name, labels={"app": name}, stop_after="60s")
    result = place.drain(force=True, pod_selectors=["app=asked"], terminate_grace_period=37, wait_timeout=0)
    assert place.pod("asked")["metadata"]["deletionGracePeriodSeconds"] == 37, result
    result = place.drain(force=True, pod_selectors=["app=shot"], terminate_grace_period=0)
    assert not result.get("failed") and result["duration_s"] < 5, result
    # A pod's own grace period is shortened, when a second run wants it.
    result = place.drain(force=True, terminate_grace_period=0)
    assert not result.get("failed") and place.pods() == [], result


@pytest.mark.parametrize(("option", "missing"), [("delete_emptydir_data", "force"), ("force", "delete_emptydir_data")])
def test_6_one_option_does_not_stand_for_the_other(place: Place, option: str, missing: str) -> None:
    options: Json = {option: True}
    place.bare("both", volumes=[{"name": "data", "emptyDir": {}}])
    for check_mode in (True, False):
        result = place.drain(check_mode=check_mode, **options)
        assert result["failed"] and not result["changed"], result
        assert missing in result["hint"] and option not in result["hint"]
    assert place.stopping() == [] and len(place.pods()) == 1


# 7 and 8: which pods, and when.


def test_7_a_pod_that_waits_for_another_one_holds_nothing_up(place: Place) -> None:
    """A storage engine lets go when its user is gone; its name comes first in every list."""
    place.web(1, "a-engine")
    place.budget("a-engine", 0, "a-engine", minAvailable=1)
    place.bare("b-user", stop_after="1s")

    def release() -> None:
        wait_for("the user is gone", lambda: all(pod["metadata"]["name"] != "b-user" for pod in place.pods()))
        place.drop_budget("a-engine")

    controller = threading.Thread(target=release)
    controller.start()
    # Not even the last request that may be under way is used up by waiting.
    result = place.drain(force=True, max_parallel=1)
    controller.join()
    assert not result.get("failed") and result["totals"]["gone"] == 2, result
    engine = next(pod for pod in result["pods"] if pod["name"] != "b-user")
    assert pod_of(result, "b-user")["gone_at"] <= engine["evicted_at"]


def test_8_a_pod_is_known_by_its_uid_and_seen_to_go_at_once(place: Place) -> None:
    """A StatefulSet makes a pod of the same name elsewhere; the one that was here is gone all the same."""
    place.cluster.apply(objects.deployment("db", place.name, 2, node_selector=place.pool, kind="StatefulSet"))
    wait_for("both pods run", lambda: [bool(pod["status"].get("podIP")) for pod in place.pods()] == [True, True])
    old = {pod["metadata"]["uid"] for pod in place.pods()}
    place.add_node(place.second)
    # Whoever waits for names waits for ever, and whoever sleeps between looks a minute.
    result = place.drain(wait_sleep=60, wait_timeout=30)
    assert not result.get("failed") and {pod["uid"] for pod in result["pods"]} == old, result
    assert result["duration_s"] < 10
    again = wait_for("both run elsewhere", lambda: len(place.pods(place.second)) == 2 and place.pods(place.second))
    assert {pod["metadata"]["name"] for pod in again} == {"db-0", "db-1"}
    assert not old & {pod["metadata"]["uid"] for pod in again} and not place.stopping()


def test_8_a_clock_that_jumps_ends_no_wait(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.bare("p", stop_after="2s")
    real = time.time
    # The wall clock is an hour ahead of itself at each look.
    jumps = itertools.count(step=3600)
    monkeypatch.setattr(time, "time", lambda: real() + next(jumps))
    result = place.drain(force=True, wait_timeout=20)
    monkeypatch.undo()
    assert not result.get("failed") and 1.5 < result["duration_s"] < 10, result


# 9 and 10: DaemonSets, and what an answer means.


@pytest.fixture
def without_controllers(cluster: Cluster, place: Place) -> t.Iterator[Place]:
    """No garbage collector takes away pods without an owner, and no namespace ends. The node is there before."""
    cluster.controller_manager.stop()
    try:
        yield place
    finally:
        if not cluster.controller_manager.running():
            cluster.controller_manager.start()


def test_9_only_the_daemonset_that_controls_a_pod_and_exists_counts(without_controllers: Place) -> None:
    place = without_controllers
    (real,) = place.cluster.apply(
        objects.deployment("agent", place.name, 0, node_selector={"no": "node"}, kind="DaemonSet")
    )
    reference = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "uid": real["metadata"]["uid"]}
    owned = objects.pod("owned", place.name, on=place.first)
    owned["metadata"]["ownerReferences"] = [reference]
    lost = {**reference, "name": "lost", "uid": "00000000-0000-0000-0000-000000000001", "controller": True}
    place.cluster.apply(
        owned,
        objects.pod("controlled", place.name, on=place.first, owner={**reference, "controller": True}),
        objects.pod("orphan", place.name, on=place.first, owner=lost),
    )
    result = place.drain(ignore_daemonsets=True)
    assert result["failed"] and not result["changed"], result
    decisions = {pod["name"]: pod["decision"] for pod in result["pods"]}
    assert decisions == {"controlled": "skip", "owned": "refuse", "orphan": "refuse"}
    assert "DaemonSet lost does not exist" in result["msg"] and "force" in result["hint"]
    result = place.drain(ignore_daemonsets=True, force=True)
    assert not result.get("failed") and result["totals"]["gone"] == 2, result
    assert [pod["metadata"]["name"] for pod in place.pods()] == ["controlled"]


def test_9_the_end_of_a_namespace_is_waited_for(without_controllers: Place) -> None:
    """403 with the cause NamespaceTerminating: not even an eviction can be made there any more."""
    place = without_controllers
    place.bare("last")
    place.cluster.delete(f"/api/v1/namespaces/{place.name}")
    answer = wait_for("evictions are forbidden", lambda: place.dry_eviction("last"))
    assert answer.status == 403 and answer.has_cause("NamespaceTerminating"), answer
    predicted = place.drain(force=True, check_mode=True)
    assert pod_of(predicted, "last")["outcome"] == "would_wait", predicted
    result = place.drain(force=True, wait_timeout=3)
    assert result["failed"] and blocks(result, "kind") == {"namespace"}, result
    assert "being terminated" in result["left"][0]["reason"]
    drain = place.start_drain(force=True)
    time.sleep(1)
    assert place.stopping() == []
    place.cluster.controller_manager.start()
    result = drain.result()
    assert not result.get("failed") and result["totals"]["gone"] == 1, result


def test_10_a_node_that_is_not_there_is_an_error_of_its_own(cluster: Cluster, place: Place) -> None:
    result = run_module("drain_node", {**cluster.params, "name": "no-such-node"})
    assert result["failed"] and not result["changed"]
    assert "There is no node no-such-node" in result["msg"]
    # Something answers 404 to everything, and knows nothing of nodes.
    result = run_module("drain_node", {**cluster.params, "host": f"{cluster.url}/wrong", "name": place.first})
    assert result["failed"] and "There is no node" not in result["msg"], result["msg"]


# 11: what is returned.


def documented() -> dict[str, Json]:
    return t.cast("dict[str, Json]", yaml.safe_load(drain_node.RETURN))


def undocumented(found: Json, keys: dict[str, Json]) -> list[str]:
    """Keys of a result that the documentation does not have, or has and the result does not."""
    wrong = sorted(found.keys() ^ keys.keys())
    for name, entry in keys.items():
        if name not in found or "contains" not in entry or found[name] is None:
            continue
        for each in found[name] if isinstance(found[name], list) else [found[name]]:
            wrong.extend(f"{name}.{deeper}" for deeper in undocumented(each, entry["contains"]))
    return wrong


# What Ansible itself puts beside.
ANSIBLES = {"failed", "msg", "hint", "warnings", "invocation", "changed", "deprecations", "exception"}


def test_11_success_failure_and_prediction_are_told_in_the_same_data(place: Place) -> None:
    place.web(2)
    place.budget("web", 1, maxUnavailable=1)
    place.bare("bare", stop_after="1s")
    refused = place.drain()
    late = place.drain(force=True, wait_timeout=3)
    place.drain(state="uncordoned")
    wait_for("both pods are back", lambda: place.budget_status("web")["disruptionsAllowed"] == 1)
    place.add_node(place.second)
    predicted = place.drain(force=True, check_mode=True)
    done = place.drain(force=True)
    assert [each.get("failed", False) for each in (refused, late, predicted, done)] == [True, True, False, False]
    for result in (refused, late, predicted, done):
        assert undocumented({key: result[key] for key in result.keys() - ANSIBLES}, documented()) == []
        assert result["started"] <= result["finished"] and result["duration_s"] >= 0
        assert result["diff"]["before"].keys() == result["diff"]["after"].keys() == {place.first}
        assert sum(result["totals"][name] for name in ("evict", "wait", "skip", "refuse")) == len(result["pods"])
    assert pod_of(refused, "bare")["decision"] == "refuse"
    assert [entry["name"] for entry in late["budgets"]] == ["web"] and len(late["left"]) == 1
    assert {pod["outcome"] for pod in predicted["pods"]} == {"would_be_evicted"}
    # What was predicted is what was done.
    assert [(pod["name"], pod["decision"]) for pod in predicted["pods"]] == [
        (pod["name"], pod["decision"]) for pod in done["pods"]
    ]
    assert predicted["diff"]["after"][place.first]["pods"] == done["diff"]["after"][place.first]["pods"] == []
    assert {pod["outcome"] for pod in done["pods"]} == {"gone"} and not done["left"]


# 12: care for what others did, and for what cannot work.


def test_12_somebody_elses_cordon_stays_and_ones_own_of_an_earlier_run_goes(place: Place) -> None:
    place.web(1)
    place.cluster.kubectl("cordon", place.first)
    drained = place.drain(run_id="r1")
    assert not drained["cordoned_by_us"] and not drained["cordons"][0]["changed"]
    result = place.drain(state="uncordoned")
    assert not result["changed"] and place.is_cordoned() and result["warnings"]
    place.cluster.kubectl("uncordon", place.first)
    place.drain(run_id="r1")
    # Another run, from wherever: nothing of the first one is known but the cluster.
    assert place.drain(state="uncordoned", run_id="r2")["changed"] and not place.is_cordoned()


def test_12_a_budget_that_lets_none_go_is_told_before_anything_is_evicted(place: Place) -> None:
    place.web(2)
    place.web(1, "free")
    place.budget("web", 0, maxUnavailable=0)
    result = place.drain(check_mode=True)
    assert [(entry["name"], entry["verdict"]) for entry in result["budgets"]] == [("web", "can_never_succeed")]
    assert "maxUnavailable is 0" in str(result["warnings"]) and place.stopping() == [], result


def test_12_a_daemonset_pod_with_an_emptydir_needs_one_option(place: Place) -> None:
    volumes = [{"name": "data", "emptyDir": {}}]
    place.cluster.apply(
        objects.deployment("agent", place.name, 0, node_selector=place.pool, kind="DaemonSet", volumes=volumes)
    )
    wait_for("the DaemonSet has its pod", lambda: len(place.pods(place.first)) == 1)
    result = place.drain()
    # It stays, so its data is not lost, and nobody has to agree to that.
    assert result["failed"] and "delete_emptydir_data" not in result["hint"], result["hint"]
    result = place.drain(ignore_daemonsets=True)
    assert not result.get("failed") and result["totals"]["skip"] == 1, result
    assert len(place.pods(place.first)) == 1
