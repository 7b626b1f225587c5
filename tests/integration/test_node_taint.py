# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The soft taint of outdated nodes: a real scheduler keeps away from it, and other writers of taints lose nothing."""

from __future__ import annotations

import threading
import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.errors import ApiStatusError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.io import DrainApi
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.evictions import least_moves
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import NodeState, Request
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.worker_order import names_in_order
from ansible_collections.evergreen.kubeadm.plugins.module_utils._taint.decisions import EFFECT, KEY
from ansible_collections.evergreen.kubeadm.plugins.module_utils._taint.io import Tainting
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version
from drain_place import Place
from harness.modules import run_module
from harness.objects import IMAGE, deployment
from harness.process import wait_for

Json = dict[str, t.Any]

GPU: Json = {"key": "gpu", "value": "yes", "effect": "PreferNoSchedule"}
HARD: Json = {"key": KEY, "value": "theirs", "effect": "NoSchedule"}


def ours(run: str = "r1") -> Json:
    return {"key": KEY, "value": run, "effect": EFFECT}


@pytest.fixture
def three(place: Place) -> Place:
    """Three nodes, `third` among them."""
    place.add_node(place.second)
    place.add_node(third(place))
    return place


def third(place: Place) -> str:
    return f"{place.name}-c"


def taint(place: Place, *, check_mode: bool = False, auth: Json | None = None, **options: t.Any) -> Json:
    arguments = {**place.cluster.params, **(auth or {}), "timeout_s": 20, **options}
    return run_module("node_taint", arguments, check_mode=check_mode)


def taints(place: Place, name: str) -> list[Json]:
    """The taints of a node without their order and times."""
    found = place.node(name)["spec"].get("taints") or []
    return sorted(({key: each[key] for key in each if key != "timeAdded"} for each in found), key=str)


def set_taints(place: Place, name: str, *wanted: Json) -> None:
    place.cluster.client.patch(f"/api/v1/nodes/{name}", {"spec": {"taints": list(wanted) or None}})


def four_steps(place: Place, actions: list[tuple[str, str]], **options: t.Any) -> None:
    """Check, run, check again, run again; `actions` are those of the first two."""
    expected = [{"node": node, "action": action} for node, action in actions]
    names = [place.first, place.second, third(place)]
    before = [taints(place, name) for name in names]
    predicted = taint(place, check_mode=True, **options)
    assert [taints(place, name) for name in names] == before
    done = taint(place, **options)
    for result in (predicted, done):
        assert (result["changed"], _of(place, result)) == (bool(actions), expected), result
    assert done["diff"] == predicted["diff"]
    for check_mode in (True, False):
        again = taint(place, check_mode=check_mode, **options)
        assert (again["changed"], _of(place, again)) == (False, []), again


def _of(place: Place, result: Json) -> list[Json]:
    """Actions on the nodes of this test, by name: other tests have nodes too."""
    return sorted((each for each in result["actions"] if each["node"].startswith(place.name)), key=str)


def test_check_run_check_run(three: Place) -> None:
    first, second, last = three.first, three.second, third(three)
    set_taints(three, second, GPU, HARD)
    four_steps(three, [(first, "added"), (second, "added")], name=[first, second], run_id="r1")
    assert (taints(three, first), taints(three, last)) == ([ours()], [])
    assert taints(three, second) == sorted([GPU, HARD, ours()], key=str)

    # The next run names itself, and takes off what an earlier one left on nodes that are through.
    four_steps(
        three, [(first, "removed"), (second, "updated"), (last, "added")],
        name=[second, last], exclusive=True, run_id="r2",
    )  # fmt: skip
    assert (taints(three, first), taints(three, last)) == ([], [ours("r2")])

    # A run whose lock was taken over takes off its own alone.
    four_steps(three, [], state="absent", run_id="r1")
    four_steps(three, [(last, "removed")], name=[first, last], state="absent")
    assert taints(three, second) == sorted([GPU, HARD, ours("r2")], key=str)
    four_steps(three, [(second, "removed")], state="absent", run_id="r2")
    assert taints(three, second) == sorted([GPU, HARD], key=str)


def test_an_empty_list_and_exclusive_leave_none(three: Place) -> None:
    taint(three, name=[three.first, third(three)], run_id="r1")
    four_steps(three, [(three.first, "removed"), (third(three), "removed")], name=[], exclusive=True)
    assert not any(taints(three, name) for name in (three.first, three.second, third(three)))


def test_uncordon_takes_it_off(place: Place) -> None:
    set_taints(place, place.first, GPU)
    taint(place, name=[place.first], run_id="r1")
    uncordon = {**place.cluster.params, "name": [place.first], "state": "uncordoned"}
    for check_mode, changed, left in (
        (True, True, [GPU, ours()]),
        (False, True, [GPU]),
        (True, False, [GPU]),
        (False, False, [GPU]),
    ):
        result = run_module("drain_node", uncordon, check_mode=check_mode)
        assert result["changed"] is changed, result
        assert taints(place, place.first) == sorted(left, key=str)


def test_what_cannot_be(place: Place) -> None:
    for options, said in (
        ({"state": "present"}, "name"),
        ({"name": [place.first, " "]}, "one of them is empty"),
        ({"name": [place.first, "no-such-node"], "exclusive": True}, "no nodes no-such-node"),
        ({"name": [place.first, "no-such-node"]}, "no node no-such-node"),
        ({"name": [place.first], "run_id": "no label value"}, "no label value"),
    ):
        for check_mode in (True, False):
            result = taint(place, check_mode=check_mode, **options)
            assert result["failed"] and not result.get("changed") and said in result["msg"], result
            assert taints(place, place.first) == []


def test_rights(place: Place) -> None:
    rule = {"apiGroups": [""], "resources": ["nodes"]}
    auth = place.user({**rule, "verbs": ["get", "list", "patch"]})
    assert taint(place, auth=auth, name=[place.first], exclusive=True)["changed"]
    reader = place.user({**rule, "verbs": ["get", "list"]})
    for check_mode in (True, False):
        result = taint(place, auth=reader, check_mode=check_mode, state="absent", name=[place.first])
        assert result["failed"] and "Grant the verb patch on nodes" in result["msg"], result


class Raced(DrainApi):
    """Another client is faster, so many times: it gives the node a taint of its own before each patch."""

    def __init__(self, place: Place, deadline: Deadline, times: int) -> None:
        super().__init__(place.cluster.client, deadline)
        self._place = place
        self.left = times

    def patch_node(self, name: str, patch: Json, what: str, *, dry_run: bool = False) -> Json:
        if self.left:
            self.left -= 1
            present = self._place.node(name)["spec"].get("taints") or []
            others = [each for each in present if each["key"] != "raced"]
            set_taints(self._place, name, *others, {**GPU, "key": "raced", "value": str(self.left)})
        return super().patch_node(name, patch, what, dry_run=dry_run)


@pytest.mark.parametrize("check_mode", [False, True])
def test_somebody_else_is_faster(place: Place, check_mode: bool) -> None:
    deadline = Deadline(20)
    api = Raced(place, deadline, times=3)
    work = Tainting(api, deadline, run="r1", check_mode=check_mode)
    work.settle("present", [place.first], exclusive=False)
    theirs = {**GPU, "key": "raced", "value": "0"}
    assert api.left == 0
    assert taints(place, place.first) == sorted([theirs] if check_mode else [theirs, ours()], key=str)
    assert work.result()["actions"] == [{"node": place.first, "action": "added"}]


def test_somebody_else_is_always_faster(place: Place) -> None:
    deadline = Deadline(1)
    work = Tainting(Raced(place, deadline, times=1000), deadline, run="r1", check_mode=False)
    with pytest.raises(EvergreenError, match="changed by others all the time"):
        work.settle("present", [place.first], exclusive=False)
    assert [each["key"] for each in taints(place, place.first)] == ["raced"]
    assert work.result()["changed"] is False


def test_two_writers_at_once_lose_nothing(place: Place) -> None:
    """Another client goes on changing its own taint, as node controllers do, while this tool's comes and goes."""
    stop, written, lost = threading.Event(), [0], []

    def write() -> None:
        while not stop.is_set():
            node = place.node()
            present = node["spec"].get("taints") or []
            last = f"v{written[0]}"
            if written[0] and [each["value"] for each in present if each["key"] == "other"] != [last]:
                lost.append(last)
            others = [each for each in present if each["key"] != "other"]
            wanted = [*others, {**GPU, "key": "other", "value": f"v{written[0] + 1}"}]
            metadata = {"resourceVersion": node["metadata"]["resourceVersion"]}
            try:
                place.cluster.client.patch(
                    f"/api/v1/nodes/{place.first}", {"metadata": metadata, "spec": {"taints": wanted}}
                )
            except ApiStatusError as error:
                assert error.status == 409
                continue
            written[0] += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for turn in range(10):
            assert taint(place, name=[place.first], run_id=f"r{turn}")["changed"]
            assert ours(f"r{turn}") in taints(place, place.first)
            assert taint(place, name=[place.first], state="absent")["changed"]
            assert KEY not in [each["key"] for each in taints(place, place.first)]
    finally:
        stop.set()
        writer.join()
    assert (lost, [each["key"] for each in taints(place, place.first)]) == ([], ["other"])
    assert written[0] > 10


@pytest.mark.parametrize("tainted", [True, False])
def test_pods_of_a_drained_node_go_to_the_upgraded_one(place: Place, tainted: bool) -> None:
    """The upgraded node is full of pods and the other outdated one is empty; without taints pods go there as well."""
    place.web(6)
    place.add_node(place.second)
    place.web(60, "busy", on=place.second)
    place.add_node(third(place))
    if tainted:
        result = taint(place, name=[place.first, third(place)], run_id="r1")
        assert [each["action"] for each in result["actions"]] == ["added", "added"]
    # Nothing is evicted by the taint.
    assert len(place.pods(place.first)) == 6
    assert place.drain(ignore_daemonsets=True)["totals"]["gone"] == 6
    wait_for("the pods run elsewhere", lambda: _web(place, place.second) + _web(place, third(place)) == 6)
    if tainted:
        assert (_web(place, place.second), _web(place, third(place))) == (6, 0)
    else:
        assert _web(place, third(place)) > 0
    # Upgraded and uncordoned: its taint goes, that of the node that is still outdated stays.
    result = taint(place, name=[place.first], state="absent")
    assert result["changed"] is tainted
    assert taints(place, third(place)) == ([ours()] if tainted else [])


@pytest.mark.parametrize("tainted", [True, False])
def test_all_workers_in_turn_make_the_least_moves(place: Place, tainted: bool) -> None:
    """Four workers, the emptiest first. That one has little room, so that without taints pods go to the others."""
    names = [place.first, place.second, third(place), f"{place.name}-d"]
    heavy = {"name": "main", "image": IMAGE, "resources": {"requests": {"cpu": "40", "memory": "160Gi"}}}
    selector = {"kubernetes.io/hostname": place.first}
    ballast = deployment("ballast", place.name, 1, kind="DaemonSet", node_selector=selector, containers=[heavy])
    place.cluster.apply(ballast)
    for name in names[1:]:
        place.add_node(name)
    for number in range(10):
        place.web(1, f"web{number}")
    states = [NodeState(name, "worker", None, movable_pods=_web(place, name)) for name in names]
    order = names_in_order(states, Request(Version.parse("1.35.4")))
    nodes = {each.name: {"role": "worker", "movable_pods": each.movable_pods} for each in states}
    least = least_moves(order, nodes)
    assert (order[0], least) == (place.first, 10 + states[0].movable_pods)
    if tainted:
        taint(place, name=order, exclusive=True, run_id="r1")
    moves = 0
    for name in order:
        moves += place.drain(name=[name], ignore_daemonsets=True)["totals"]["gone"]
        # As between drain and uncordon of a real node: the pods have found a place meanwhile, or they would come back.
        wait_for("all pods run", lambda: sum(_web(place, each) for each in names) == 10)
        taint(place, name=[name], state="absent")
        place.drain(name=[name], state="uncordoned")
    assert (moves == least) is tainted and moves >= least
    assert not any(taints(place, name) for name in names)


def test_where_all_nodes_are_tainted_pods_run_all_the_same(place: Place) -> None:
    place.web(2)
    place.add_node(place.second)
    taint(place, name=[place.first, place.second], run_id="r1")
    assert place.drain(ignore_daemonsets=True)["totals"]["gone"] == 2
    wait_for("the pods run on the other tainted node", lambda: _web(place, place.second) == 2)


def _web(place: Place, name: str) -> int:
    """The running pods of the test's workloads on a node, those of ``web`` and its like."""
    return sum(
        pod["metadata"]["labels"]["app"].startswith("web") and pod["status"].get("phase") == "Running"
        for pod in place.pods(name)
    )
