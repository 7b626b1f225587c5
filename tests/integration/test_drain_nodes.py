# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several nodes in one task of drain_node."""

from __future__ import annotations

import pytest

from drain_place import Place, pod_of
from harness.process import wait_for
from skew_place import check


@pytest.fixture
def two(place: Place) -> Place:
    """A pod of its own on each of two nodes, and a third node to go to."""
    place.web(2)
    place.add_node(place.second)
    place.web(2, "other", on=place.second)
    place.add_node(f"{place.name}-c")
    return place


def test_two_nodes_in_one_task(two: Place) -> None:
    names = [two.first, two.second]
    predicted = two.drain(name=names, check_mode=True)
    result = two.drain(name=[*names, two.first], run_id="r1")
    for each in (predicted, result):
        assert each["nodes"] == names and each["node"] is None and each["changed"]
        assert {cordon["node"]: cordon["by_us"] for cordon in each["cordons"]} == dict.fromkeys(names, True)
        assert sorted(pod["node"] for pod in each["pods"]) == [two.first] * 2 + [two.second] * 2
        assert list(each["diff"]["after"]) == names
    assert result["totals"]["gone"] == 4, result
    # Both are cordoned before the first eviction, so that no pod moves twice.
    assert two.pods(two.first) == two.pods(two.second) == []
    wait_for("web runs on the third node", lambda: len(two.pods(f"{two.name}-c")) == 2)
    # One after the other.
    gone = {node: [pod["gone_at"] for pod in result["pods"] if pod["node"] == node] for node in names}
    started = [pod["evicted_at"] for pod in result["pods"] if pod["node"] == two.second]
    assert max(gone[two.first]) <= min(started)

    result = two.drain(name=names, state="uncordoned")
    assert result["changed"] and not any(map(two.is_cordoned, names))


def test_a_node_that_somebody_uncordoned_is_not_drained_for_the_mark_that_is_left(two: Place) -> None:
    cluster, path = two.cluster, f"/api/v1/nodes/{two.first}"

    def plan() -> tuple[bool, bool, bool]:
        (node,) = (each for each in check(cluster, "1.34.4").result["nodes"] if each["name"] == two.first)
        return node["cordoned_by"] is not None, node["done"], node["stale_cordon_mark"]

    assert two.drain(state="cordoned", run_id="r1")["changed"]
    assert plan() == (True, False, False)
    for by_hand in (None, True):
        cluster.client.patch(path, {"spec": {"unschedulable": by_hand}}, query={"fieldManager": "kubectl-cordon"})
        assert plan() == (False, True, by_hand is None)
    cluster.client.patch(path, {"spec": {"unschedulable": None}}, query={"fieldManager": "kubectl-cordon"})
    assert two.drain(state="uncordoned", only_own=True)["changed"]
    assert plan() == (False, True, False)


def test_a_refusal_on_the_second_node_leaves_the_first_alone(two: Place) -> None:
    two.bare("bare", on=two.second)
    names = [two.first, two.second]
    for check_mode in (True, False):
        result = two.drain(name=names, check_mode=check_mode)
        assert result["failed"] and not result["changed"], result
        assert f"{two.name}/bare on {two.second}" in result["msg"]
    assert not two.stopping() and not any(map(two.is_cordoned, names))
    # A node that is not there is found before anything is evicted, and what was cordoned is given back.
    result = two.drain(name=[*names, "no-such-node"], force=True)
    assert result["failed"] and "no node no-such-node" in result["msg"]
    assert not result["changed"] and not two.stopping() and not any(map(two.is_cordoned, names))


def test_a_timeout_on_the_first_node_leaves_the_pods_of_the_second(two: Place) -> None:
    two.bare("stuck", stop_after="60s")
    names = [two.first, two.second]
    result = two.drain(name=names, wait_timeout=4, force=True)
    assert result["failed"] and two.first in result["msg"], result
    left = {(entry["node"], entry["name"]) for entry in result["left"]}
    assert (two.first, "stuck") in left and sum(node == two.second for node, _name in left) == 2
    assert pod_of(result, "stuck")["outcome"] == "evicted"
    assert {pod["outcome"] for pod in result["pods"] if pod["node"] == two.second} == {"untouched"}
    assert len(two.pods(two.second)) == 2 and all(map(two.is_cordoned, names))
    two.kill("stuck")
