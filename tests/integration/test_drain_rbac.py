# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/rbac/drain_node.yml is enough for drain_node, and nothing in it is too much."""

from __future__ import annotations

import typing as t

import pytest

from drain_place import Json, Place
from harness import objects
from harness.cluster import path_of
from harness.process import wait_for
from rbac_place import Right, demand, documents, may, may_all, rights, roles, token, without

DOCUMENTS = documents("drain_node.yml")
ROLES = roles("drain_node.yml")
BASE, DELETE = ROLES["evergreen-drain-node"], ROLES["evergreen-drain-node-delete"]
ACCOUNT = "evergreen-drain-node"
RIGHTS = [right for rule in BASE for right in rights(rule)]


@pytest.fixture
def busy(place: Place) -> Place:
    """A node with something for every right of the file: a budget, a DaemonSet, pods that take a while to stop."""
    place.web(2, annotations={"evergreen.test/stop-after": "1s"})
    place.cluster.apply(objects.deployment("agent", place.name, 0, node_selector=place.pool, kind="DaemonSet"))
    wait_for("the DaemonSet has its pod", lambda: len(place.pods(place.first)) == 3)
    place.budget("web", 1, maxUnavailable=1)
    return place


def drain(place: Place, auth: Json, **options: t.Any) -> Json:
    """A drain that finds out soon when its budget changes, or not before its end."""
    return place.drain(**{"auth": auth, "ignore_daemonsets": True, "wait_sleep": 60, "wait_timeout": 25, **options})


def untouched(place: Place) -> bool:
    return not place.is_cordoned() and not place.stopping() and len(place.pods(place.first)) == 3


def test_the_service_account_of_the_file_can_do_all_of_it(busy: Place) -> None:
    cluster = busy.cluster
    cluster.apply(*DOCUMENTS)
    user = f"system:serviceaccount:kube-system:{ACCOUNT}"
    wait_for("the binding is in force", lambda: may_all(cluster, user, BASE))
    try:
        auth = token(cluster, ACCOUNT)
        for state, cordoned in (("cordoned", True), ("uncordoned", False)):
            result = busy.drain(auth=auth, state=state)
            assert result["changed"] and busy.is_cordoned() is cordoned, result
            assert not busy.drain(auth=auth, state=state)["changed"]
        predicted = drain(busy, auth, check_mode=True)
        assert not predicted.get("failed") and predicted["changed"], predicted
        assert untouched(busy)
        busy.add_node(busy.second)
        result = drain(busy, auth)
        assert not result.get("failed") and result["totals"]["gone"] == 2, (result.get("msg"), result)
        assert auth["api_key"] not in str(result)
        # An optional role is not bound, and what it is for is refused.
        assert not may(cluster, user, "delete", "pods", "")
    finally:
        for document in reversed(DOCUMENTS):
            cluster.delete(path_of(document))


BEFORE_ANY_EVICTION = [right for right in RIGHTS if right.verb != "watch" and right.resource != "pods/eviction"]


@pytest.mark.parametrize("missing", BEFORE_ANY_EVICTION, ids=str)
def test_a_missing_right_is_named_and_nothing_is_changed(busy: Place, missing: Right) -> None:
    auth = busy.user(*without(BASE, missing))
    result = drain(busy, auth)
    assert result["failed"] and not result["changed"], result
    assert demand(missing) in result["msg"]
    assert untouched(busy)


@pytest.mark.parametrize("missing", BEFORE_ANY_EVICTION, ids=str)
def test_check_mode_finds_the_missing_right_too(busy: Place, missing: Right) -> None:
    result = drain(busy, busy.user(*without(BASE, missing)), check_mode=True)
    assert result.get("failed") and demand(missing) in result["msg"], result
    assert untouched(busy)


def test_without_the_right_to_evict_nothing_is_changed(busy: Place) -> None:
    missing = Right("create", "pods/eviction", "")
    auth = busy.user(*without(BASE, missing))
    for check_mode in (True, False):
        result = drain(busy, auth, check_mode=check_mode)
        assert result["failed"] and demand(missing) in result["msg"], result
        assert result["totals"]["evicted"] == 0 and not busy.stopping()
        # What is said to have been changed is what is different now.
        assert result["changed"] is busy.is_cordoned()
        assert untouched(busy), f"check_mode={check_mode}: {result['msg']}"


def test_without_a_watch_of_pods_the_missing_right_is_named(busy: Place) -> None:
    missing = Right("watch", "pods", "")
    auth = busy.user(*without(BASE, missing))
    busy.add_node(busy.second)
    result = drain(busy, auth)
    assert demand(missing) in f"{result.get('msg')} {result.get('warnings')}", result
    # Either it cannot be done, and then it is not begun, or it is done all the same.
    if result.get("failed"):
        assert not result["changed"] and untouched(busy)
    else:
        assert result["totals"]["gone"] == 2


def test_without_a_watch_of_budgets_their_status_is_listed_again(busy: Place) -> None:
    auth = busy.user(*without(BASE, Right("watch", "poddisruptionbudgets", "policy")))
    busy.add_node(busy.second)
    # The second eviction is not allowed at first, and its next try would be after wait_sleep.
    result = drain(busy, auth, wait_sleep=60, wait_timeout=40)
    assert not result.get("failed") and result["totals"]["gone"] == 2, (result.get("msg"), result)


def test_the_node_alone_is_enough_to_cordon(place: Place) -> None:
    (nodes,) = (rule for rule in BASE if rule["resources"] == ["nodes"])
    auth = place.user(nodes)
    for state, cordoned in (("cordoned", True), ("uncordoned", False)):
        for check_mode in (True, False):
            assert place.drain(auth=auth, state=state, check_mode=check_mode)["changed"]
        assert place.is_cordoned() is cordoned


def test_the_role_to_delete_is_for_disable_eviction_alone(busy: Place) -> None:
    busy.budget("web", 0, maxUnavailable=0)
    without_it = busy.user(*BASE)
    result = drain(busy, without_it, disable_eviction=True)
    assert result["failed"] and demand(Right("delete", "pods", "")) in result["msg"], result
    assert not busy.stopping()
    busy.drain(state="uncordoned")
    # With it, the right to evict is not needed.
    auth = busy.user(*without(BASE, Right("create", "pods/eviction", "")), *DELETE)
    predicted = drain(busy, auth, disable_eviction=True, check_mode=True)
    assert {pod["outcome"] for pod in predicted["pods"] if pod["decision"] == "evict"} == {"would_be_evicted"}
    result = drain(busy, auth, disable_eviction=True)
    assert not result.get("failed") and result["totals"]["gone"] == 2, (result.get("msg"), result)


def test_surging_needs_its_role(place: Place) -> None:
    place.web(1)
    place.add_node(place.second)
    result = drain(place, place.user(*BASE), surge_singletons=True)
    assert result["failed"] and "Grant the verb get on replicasets" in result["msg"], result
    assert not place.is_cordoned() and len(place.pods(place.first)) == 1
    result = drain(place, place.user(*BASE, *ROLES["evergreen-drain-node-surge"]), surge_singletons=True)
    assert not result.get("failed") and result["totals"]["surge"] == result["totals"]["gone"] == 1, result


def test_waiting_for_volumes_needs_its_role(place: Place) -> None:
    place.web(1)
    place.add_node(place.second)
    auth = place.user(*BASE)
    result = drain(place, auth, wait_for_volume_detach=True, check_mode=True)
    assert result["failed"] and "Grant the verb list on volumeattachments" in result["msg"], result
    auth = place.user(*BASE, *ROLES["evergreen-drain-node-volumes"])
    result = drain(place, auth, wait_for_volume_detach=True)
    assert not result.get("failed") and result["totals"]["gone"] == 1, result
