# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evictions per pod, and how many an upgrade in place makes at the least."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.compose import compose
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.evictions import (
    evictions,
    least_moves,
    per_hop,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.page import page

Json = dict[str, t.Any]


def cluster(*nodes: Json) -> dict[str, Json]:
    return {node["name"]: node for node in nodes}


def plane(name: str, movable: int | None = 0, **more: t.Any) -> Json:
    return {"name": name, "role": "control_plane", "movable_pods": movable, **more}


def worker(name: str, movable: t.Any = 0, **more: t.Any) -> Json:
    return {"name": name, "role": "worker", "movable_pods": movable, **more}


THREE = cluster(plane("cp1", 2), worker("w1", 3), worker("w2", 4), worker("w3", 5))
CORDONED = {"cordoned": True, "cordoned_by": None}
BEGUN = {"cordoned": True, "cordoned_by": {"run": "r1"}}


@pytest.mark.parametrize(
    ("drained", "nodes", "least"),
    [
        # 2 + 3 + 4 + 5, and the 3 of the first worker again.
        pytest.param(["cp1", "w1", "w2", "w3"], THREE, 17, id="a whole hop"),
        pytest.param(["cp1", "w3", "w2", "w1"], THREE, 19, id="the fullest first"),
        pytest.param(["cp1"], THREE, 2, id="no worker"),
        pytest.param([], THREE, 0, id="nothing"),
        pytest.param(["w2", "w3"], THREE, 9, id="w1 was upgraded before and takes them all"),
        pytest.param(["w1", "w2"], THREE, 7, id="a run that did not come to w3, where they may be"),
        pytest.param(
            ["w1", "w2"], cluster(worker("w1", 1), worker("w2", 2), worker("w3", 9, **CORDONED)), 4,
            id="one that somebody cordoned takes none",
        ),
        pytest.param(
            ["w1", "w2"], cluster(worker("w1", 1), worker("w2", 2), worker("w3", 9, **BEGUN)), 3,
            id="one that an earlier run cordoned does",
        ),
        pytest.param(
            ["w1", "w2"], cluster(worker("w1", 4, **CORDONED), worker("w2", 2)), 10,
            id="they go from a cordoned one to one that is yet to be drained",
        ),
        pytest.param(["cp1", "w1"], cluster(plane("cp1", 1), worker("w1", 5)), 6, id="the only worker gets them back"),
        pytest.param(
            ["cp1", "cp2"], cluster(plane("cp1", 3), plane("cp2", 5)), 11, id="without workers the control plane counts"
        ),
        pytest.param(["w1", "w2"], cluster(worker("w1", "3"), worker("w2", "4")), 10, id="numbers in texts"),
        pytest.param(["w1", "w2"], cluster(worker("w1", 3), worker("w2", None)), None, id="pods that are not known"),
        pytest.param(["w9"], THREE, None, id="a node that is not known"),
    ],
)  # fmt: skip
def test_least_moves(drained: list[str], nodes: dict[str, Json], least: int | None) -> None:
    assert least_moves(drained, nodes) == least


def event(kind: str, host: str = "cp1", **data: t.Any) -> Json:
    return {"time": "2026-01-31T12:00:00Z", "host": host, "event": kind, "data": data}


def planned(nodes: dict[str, Json], **more: t.Any) -> Json:
    return event("plan", nodes=list(nodes.values()), **more)


def hop(to: str = "1.35.4") -> Json:
    return event("hop", **{"from": "1.34.4", "to": to})


def pod(name: str, uid: str | None, evicted: str | None = "T", namespace: str = "shop") -> Json:
    return {"namespace": namespace, "name": name, "uid": uid, "owner": None, "node": "w1", "evicted_at": evicted}


def drained(node: str, number: int, host: str | None = None, **more: t.Any) -> Json:
    """The end of a drain that evicted so many pods."""
    pods = [pod(f"{node}-{index}", f"{node}-{index}-{more.get('turn', 0)}") for index in range(number)]
    return event("evictions", host or node, pods=pods, **({"node": node} if host else {}))


WHOLE = [drained("cp1", 2), drained("w1", 3), drained("w2", 6), drained("w3", 6)]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([planned(THREE), hop(), *WHOLE], (14, 17, 1.214, 1.214), id="as few as can be"),
        pytest.param([planned(THREE), *WHOLE], (14, 17, 1.214, 1.214), id="a journal without hops"),
        pytest.param(
            [planned(THREE), hop(), drained("cp1", 2), drained("w1", 3), drained("w2", 8), drained("w3", 9)],
            (14, 22, 1.571, 1.214),
            id="more than that",
        ),
        pytest.param([planned(THREE), hop(), drained("cp1", 2)], (2, 2, 1.0, 1.0), id="a run that ended early"),
        pytest.param(
            [planned(THREE), hop(), drained("w1", 3, host="10.0.0.1")], (3, 3, 1.0, 1.0), id="a host of another name"
        ),
        pytest.param(
            [planned(cluster(plane("cp1", None), worker("w1", None))), hop(), drained("w1", 2)], (2, 2, 1.0, None),
            id="a plan without the pods of each node",
        ),
        pytest.param([planned(THREE, movable_pods=20), hop(), *WHOLE], (20, 17, 0.85, 0.85), id="a number of all"),
        pytest.param([planned(THREE), hop()], (0, 0, 0.0, 0.0), id="nothing drained"),
        pytest.param([planned(cluster(worker("w1"))), hop(), drained("w1", 0)], (0, 0, 0.0, 0.0), id="an empty node"),
        pytest.param([], (0, 0, 0.0, 0.0), id="nothing"),
    ],
)  # fmt: skip
def test_evictions_beside_the_minimum(events: list[Json], expected: tuple[int, int, float, float | None]) -> None:
    found = evictions(events)
    assert (found["pods"], found["total"], found["per_pod"], found["minimum"]) == expected


def test_each_hop_counts_from_its_own_plan() -> None:
    # After the first hop w3 is empty, and is the first worker of the second: nothing has to move twice.
    later = cluster(plane("cp1", 2), worker("w1", 6), worker("w2", 6), worker("w3", 0))
    events = [
        planned(THREE), hop("1.35.4"), *WHOLE,
        planned(later), hop("1.36.3"), drained("cp1", 2, turn=2), drained("w3", 0), drained("w1", 6, turn=2),
        drained("w2", 7, turn=2),
    ]  # fmt: skip
    assert per_hop(events) == [
        {"pods": 14, "total": 17, "per_pod": 1.214, "minimum": 1.214},
        {"pods": 14, "total": 15, "per_pod": 1.071, "minimum": 1.0},
    ]
    # 17 + 14 of 14 pods at the least.
    whole = evictions(events)
    assert (whole["pods"], whole["total"], whole["per_pod"], whole["minimum"]) == (14, 32, 2.286, 2.214)

    report = compose([event("run_started", run_id="r1"), *events], [])
    assert [each["evictions"] for each in report["hops"]] == per_hop(events)
    shown = page(report)["evictions"]
    assert (shown["per_pod"], shown["minimum"]) == ("2.29", "2.21")
    assert [(each["to"], each["per_pod"], each["minimum"]) for each in shown["hops"]] == [
        ("v1.35.4", "1.21", "1.21"),
        ("v1.36.3", "1.07", "1.00"),
    ]


def test_a_page_of_one_hop_tells_it_once_and_what_is_not_known_is_a_dash() -> None:
    report = compose([event("run_started", run_id="r1"), hop(), drained("w1", 1)], [])
    shown = page(report)["evictions"]
    assert (shown["hops"], shown["per_pod"], shown["minimum"]) == ([], "1.00", "\N{EN DASH}")


@pytest.mark.parametrize(
    "movable, batches, expected",
    [
        (4, [[pod("a", "1"), pod("b", "2")], [pod("c", "3"), pod("d", "4"), pod("e", "5")]], (4, 5, 1.25)),
        ("4", [[pod("a", "1")]], (4, 1, 0.25)),  # a template made a text of it
        (None, [[pod("q-0", "1")], [pod("q-0", "2"), pod("q-1", "3")]], (2, 3, 1.5)),  # a StatefulSet's pod, twice
        (None, [[pod("a", "1")], [pod("a", "1")]], (1, 1, 1.0)),  # a drain that was run again says it twice
        (None, [[pod("a", None), pod("ds", None, evicted=None)]], (1, 1, 1.0)),  # a pod that stayed
        (None, [], (0, 0, 0.0)),
        (0, [[pod("a", "1")]], (0, 1, 0.0)),
    ],
)
def test_evictions(movable: t.Any, batches: list[list[Json]], expected: tuple[int, int, float]) -> None:
    events = [event("plan", **({"movable_pods": movable} if movable is not None else {}))]
    events += [event("evictions", "w1", pods=pods) for pods in batches]
    found = evictions(events)
    assert (found["pods"], found["total"], found["per_pod"]) == expected
    assert len(found["moves"]) == expected[1]


def test_evictions_take_the_number_of_pods_from_their_own_event_where_the_plan_has_none() -> None:
    found = evictions([event("evictions", "w1", pods=[pod("a", "1")], workload_pods=2)])
    assert (found["pods"], found["per_pod"]) == (2, 0.5)
