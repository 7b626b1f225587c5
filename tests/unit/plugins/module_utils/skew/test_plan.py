# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hops to a target, from whole and half-upgraded clusters."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    Host,
    NodeState,
    Request,
    version_or_none,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import drained_by, make_plan
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.state import left_to_do
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

V = Version.parse


def control(name: str, server: str, kubelet: str | None = None, **more: t.Any) -> NodeState:
    components: dict[str, Version | None] = {
        c: V(server) for c in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    }
    return NodeState(
        name, "control_plane", V(kubelet or server), V(server), components, etcd=version_or_none("3.6.6-0"), **more
    )


def worker(name: str, kubelet: str, **more: t.Any) -> NodeState:
    return NodeState(name, "worker", V(kubelet), **more)


def plan(
    states: list[NodeState],
    target: str,
    *,
    config: str | None = "1.34.4",
    kube_proxy: str | None = None,
    available: tuple[str, ...] = (),
    **request: t.Any,
) -> tuple[list[tuple[str, str, list[str], list[str], bool]], list[str]]:
    """Hops as (from, to, control plane, workers, apply needed), and ids of the problems."""
    made = make_plan(
        states,
        Request(V(target), available=[V(text) for text in available], **request),
        config=V(config) if config else None,
        kube_proxy=V(kube_proxy) if kube_proxy else None,
    )
    hops = [(h["from"], h["to"], h["control_plane"], h["workers"], h["apply_needed"]) for h in made.hops]
    return hops, [problem["id"] for problem in made.problems]


OLD = [control("c1", "1.34.4"), control("c2", "1.34.4"), worker("w1", "1.34.4"), worker("w2", "1.34.4")]


def test_one_minor() -> None:
    assert plan(OLD, "1.35.4") == ([("1.34.4", "1.35.4", ["c1", "c2"], ["w1", "w2"], True)], [])


def test_a_patch() -> None:
    assert plan(OLD, "1.34.5") == ([("1.34.4", "1.34.5", ["c1", "c2"], ["w1", "w2"], True)], [])


def test_nothing_to_do() -> None:
    assert plan(OLD, "1.34.4") == ([], [])


def test_the_inventory_orders_the_control_plane() -> None:
    hops, _problems = plan(OLD, "1.35.4", control_plane=["c2", "c1"])
    assert hops[0][2] == ["c2", "c1"]


def test_a_worker_that_is_in_no_inventory_is_left_alone() -> None:
    inventory = ["c1", "c2", "w1"]
    assert plan(OLD, "1.35.4", inventory=inventory) == ([("1.34.4", "1.35.4", ["c1", "c2"], ["w1"], True)], [])
    done = [control("c1", "1.35.4"), control("c2", "1.35.4"), worker("w1", "1.35.4"), worker("w2", "1.34.4")]
    assert plan(done, "1.35.4", config="1.35.4", inventory=inventory) == ([], [])


@pytest.mark.parametrize(
    ("states", "config", "expected"),
    [
        pytest.param(
            [control("c1", "1.34.4"), control("c2", "1.35.4", "1.34.4"), worker("w1", "1.34.4")],
            "1.35.4",
            (["c2", "c1"], ["w1"], False),
            id="a begun node comes first",
        ),
        pytest.param(
            [control("c1", "1.35.4"), control("c2", "1.34.4"), worker("w1", "1.34.4")],
            "1.35.4",
            (["c2"], ["w1"], False),
            id="done nodes are left out",
        ),
        pytest.param(
            [control("c1", "1.35.4"), control("c2", "1.35.4"), worker("w1", "1.35.4"), worker("w2", "1.34.4")],
            "1.35.4",
            ([], ["w2"], False),
            id="one worker left",
        ),
        pytest.param(
            [control("c1", "1.35.4"), control("c2", "1.35.4"), worker("w1", "1.35.4")],
            "1.34.4",
            (["c1"], [], True),
            id="killed before the configuration was uploaded",
        ),
        pytest.param(
            [control("c1", "1.35.4"), control("c2", "1.35.4"), worker("w1", "1.35.4", cordoned_by={"run": "r1"})],
            "1.35.4",
            ([], ["w1"], False),
            id="a node that a run left cordoned is not done",
        ),
    ],
)
def test_half_upgraded(states: list[NodeState], config: str, expected: tuple[t.Any, ...]) -> None:
    hops, problems = plan(states, "1.35.4", config=config)
    assert (problems, len(hops), hops[0][2:]) == ([], 1, expected)


@pytest.mark.parametrize(
    ("states", "config", "request_", "expected"),
    [
        pytest.param(OLD, "1.34.4", {}, [("1.35.4", "c1"), ("1.36.3", "c1")], id="every hop has its own"),
        pytest.param(
            [control("c1", "1.35.4", "1.34.4"), control("c2", "1.34.4")],
            "1.35.4",
            {"control_plane": ["c1", "c2"]},
            [("1.35.4", "c1"), ("1.36.3", "c1")],
            id="the first of the inventory goes on",
        ),
        pytest.param(
            [control("c1", "1.34.4"), control("c2", "1.35.4", "1.34.4")],
            "1.35.4",
            {"control_plane": ["c1", "c2"]},
            [("1.35.4", None), ("1.36.3", "c1")],
            id="another one goes on",
        ),
        pytest.param(
            [control("c1", "1.36.3"), worker("w1", "1.35.4")], "1.36.3", {}, [("1.36.3", None)], id="only workers left"
        ),
    ],
)
def test_who_applies(
    states: list[NodeState], config: str, request_: dict[str, t.Any], expected: list[tuple[str, str | None]]
) -> None:
    request = Request(V("1.36.3"), available=[V("1.35.4")], **request_)
    made = make_plan(states, request, config=V(config), kube_proxy=None)
    assert [(hop["to"], hop["applies_on"]) for hop in made.hops] == expected


def test_nobody_applies_in_a_hop_of_etcd_alone() -> None:
    request = Request(V("1.34.4"), control_plane=["c1"])
    made = make_plan(members("1.33.13", "3.5.24-0"), request, config=V("1.33.13"), kube_proxy=None)
    assert [(hop["to"], hop["applies_on"]) for hop in made.hops] == [("1.33.13", None), ("1.34.4", "c1")]


@pytest.mark.parametrize(("kube_proxy", "hops"), [("1.34.4", 1), ("1.35.4", 0), (None, 0)])
def test_addons_left_behind_are_work(kube_proxy: str | None, hops: int) -> None:
    states = [control("c1", "1.35.4"), worker("w1", "1.35.4")]
    found, _problems = plan(states, "1.35.4", config="1.35.4", kube_proxy=kube_proxy)
    assert len(found) == hops
    if hops:
        assert found[0][2:] == (["c1"], [], True)


AVAILABLE = ("1.34.4", "1.35.1", "1.35.4", "1.36.0-rc.1", "1.36.3", "1.37.0", "1.38.0")


def test_a_chain_takes_the_newest_patch_of_each_minor_between() -> None:
    hops, problems = plan(OLD, "1.37.0", available=AVAILABLE)
    assert problems == []
    assert [(hop[0], hop[1]) for hop in hops] == [("1.34.4", "1.35.4"), ("1.35.4", "1.36.3"), ("1.36.3", "1.37.0")]
    assert all(hop[2:] == (["c1", "c2"], ["w1", "w2"], True) for hop in hops)


@pytest.mark.parametrize(
    ("current", "available", "expected"),
    [
        ("1.34.4", ("1.34.7", "1.34.9", "1.35.4"), ["1.34.9", "1.35.4", "1.36.3"]),
        ("1.34.9", ("1.34.7", "1.34.9", "1.35.4"), ["1.35.4", "1.36.3"]),
        ("1.34.4", ("1.35.4",), ["1.35.4", "1.36.3"]),
    ],
)
def test_the_newest_patch_of_the_present_minor_first(
    current: str, available: tuple[str, ...], expected: list[str]
) -> None:
    hops, _problems = plan([control("c1", current)], "1.36.3", available=available, patch_first=True)
    assert [hop[1] for hop in hops] == expected
    hops, _problems = plan([control("c1", current)], "1.36.3", available=available)
    assert [hop[1] for hop in hops] == ["1.35.4", "1.36.3"]


def test_a_node_that_was_begun_is_ended_in_the_first_hop() -> None:
    states = [
        control("c1", "1.35.4"),
        worker("w1", "1.34.4", cordoned_by={"run": "r1"}),
        worker("w2", "1.35.4", cordoned_by={"run": "r1"}),
        worker("w3", "1.34.4"),
    ]
    hops, _problems = plan(states, "1.37.0", available=AVAILABLE, config="1.35.4", workers="last_hop")
    assert [(hop[1], hop[3]) for hop in hops] == [("1.36.3", ["w1", "w2"]), ("1.37.0", ["w1", "w2", "w3"])]


def test_only_kubelets_that_are_behind_are_restarted() -> None:
    states = [
        control("c1", "1.34.4", "1.35.4"),
        control("c2", "1.34.4", "1.35.4", cordoned_by={"run": "r1"}),
        control("c3", "1.34.4"),
    ]
    made = make_plan(states, Request(V("1.35.4")), config=V("1.34.4"), kube_proxy=None)
    assert made.hops[0]["control_plane"] == ["c1", "c2", "c3"]
    assert made.hops[0]["kubelets"] == ["c2", "c3"]


@pytest.mark.parametrize(
    ("target", "wanted", "expected"),
    [
        ("1.34.5", True, [["c1", "w1"]]),
        ("1.34.5", False, [[]]),
        ("1.35.4", True, [[]]),
    ],
)
def test_only_a_patch_is_replaced_in_place(target: str, wanted: bool, expected: list[list[str]]) -> None:
    states = [control("c1", "1.34.4"), worker("w1", "1.34.4"), worker("w2", "1.33.9")]
    made = make_plan(states, Request(V(target), patch_without_drain=wanted), config=V("1.34.4"), kube_proxy=None)
    assert [hop["in_place"] for hop in made.hops] == expected
    assert [drained_by(hop) for hop in made.hops] == [[n for n in ("c1", "w1", "w2") if n not in expected[0]]]


def test_in_place_goes_by_the_versions_of_the_hop_before() -> None:
    states = [control("c1", "1.34.4"), worker("w1", "1.34.4"), worker("w2", "1.34.5")]
    request = Request(V("1.35.4"), available=[V("1.34.5")], patch_first=True, patch_without_drain=True)
    made = make_plan(states, request, config=V("1.34.4"), kube_proxy=None)
    assert [(hop["to"], hop["kubelets"], hop["in_place"]) for hop in made.hops] == [
        ("1.34.5", ["c1", "w1"], ["c1", "w1"]),
        ("1.35.4", ["c1", "w1", "w2"], []),
    ]


def members(server: str, *etcd: str) -> list[NodeState]:
    states = [control(f"c{number}", server) for number in range(1, len(etcd) + 1)]
    for state, tag in zip(states, etcd):
        state.etcd = version_or_none(tag)
    return states


@pytest.mark.parametrize(
    ("states", "config", "request_", "expected"),
    [
        pytest.param(
            members("1.33.13", "3.5.24-0", "3.5.24-0"),
            "1.33.13",
            {},
            [("1.33.13", ["c1", "c2"], "3.5.26-0", []), ("1.34.4", ["c1", "c2"], "", ["c1", "c2"])],
            id="a hop of its own",
        ),
        pytest.param(
            members("1.33.13", "3.5.24-0", "3.5.27-0"),
            "1.33.13",
            {"etcd_bridges": {"3.5": "3.5.27-0"}},
            [("1.33.13", ["c1"], "3.5.27-0", []), ("1.34.4", ["c1", "c2"], "", ["c1", "c2"])],
            id="half bridged, by another image",
        ),
        pytest.param(
            members("1.33.13", "3.5.26-0", "3.5.27-0"),
            "1.33.13",
            {},
            [("1.34.4", ["c1", "c2"], "", ["c1", "c2"])],
            id="new enough",
        ),
        pytest.param(
            members("1.32.9", "3.5.24-0"),
            "1.32.9",
            {"available": [V("1.33.13")]},
            [("1.33.13", ["c1"], "3.5.26-0", ["c1"]), ("1.34.4", ["c1"], "", ["c1"])],
            id="in the hop before",
        ),
        pytest.param(
            members("1.33.9", "3.5.24-0"),
            "1.33.9",
            {"available": [V("1.33.13")], "patch_first": True},
            [("1.33.13", ["c1"], "3.5.26-0", ["c1"]), ("1.34.4", ["c1"], "", ["c1"])],
            id="in the hop to the newest patch",
        ),
        pytest.param(
            members("1.33.13", "3.5.24-0"),
            "1.32.0",
            {},
            [("1.34.4", ["c1"], "", ["c1"])],
            id="not where kubeadm-config is elsewhere",
        ),
        pytest.param(
            members("1.33.13", "3.5.24-0"),
            "1.33.13",
            {"etcd_bridges": {"3.5": "3.5.25-0"}},
            [("1.34.4", ["c1"], "", ["c1"])],
            id="not by an image that is too old",
        ),
    ],
)
def test_etcd_bridges(
    states: list[NodeState], config: str, request_: dict[str, t.Any], expected: list[tuple[t.Any, ...]]
) -> None:
    made = make_plan(states, Request(V("1.34.4"), **request_), config=V(config), kube_proxy=None)
    assert [(h["to"], h["control_plane"], h["etcd_image_tag"], h["kubelets"]) for h in made.hops] == expected
    bridges = any(hop[2] for hop in expected)
    old = any(state.etcd and state.etcd < V("3.5.26") for state in states)
    assert (bool(made.etcd.bridged), bool(made.etcd.uncrossed)) == (bridges, old and not bridges)


@pytest.mark.parametrize(
    ("images", "tags"),
    [
        ({}, ["3.6.11-0", ""]),
        ({"1.36.3": "3.6.8-0"}, ["3.6.11-0", ""]),
        ({"1.36.3": "3.6.12-0"}, ["", ""]),
    ],
)
def test_what_kubeadm_deploys_decides_on_the_bridge(images: dict[str, str], tags: list[str]) -> None:
    request = Request(V("1.37.0"), available=[V("1.36.3")], etcd_images=images)
    made = make_plan(members("1.35.4", "3.6.6-0"), request, config=V("1.35.4"), kube_proxy=None)
    assert [hop["etcd_image_tag"] for hop in made.hops] == tags


def test_a_pinned_etcd_stays() -> None:
    made = make_plan(
        members("1.33.13", "3.5.24-0"), Request(V("1.34.4")), config=V("1.33.13"), kube_proxy=None, etcd_pinned=True
    )
    assert [hop["etcd"] for hop in made.hops] == [{"from_minor": "3.5", "to_minor": "3.5"}]
    assert (made.etcd.bridged, made.etcd.uncrossed) == ([], [])


@pytest.mark.parametrize(
    ("kubelet", "target", "workers_in"),
    [
        ("1.34.4", "1.36.3", ["1.36.3"]),
        ("1.34.4", "1.37.0", ["1.37.0"]),
        # n-3: a kubelet of 1.33 may not meet an API server of 1.37.
        ("1.33.0", "1.37.0", ["1.36.3", "1.37.0"]),
        ("1.34.4", "1.38.0", ["1.37.0", "1.38.0"]),
    ],
)
def test_workers_in_the_last_hop_only_as_far_as_skew_allows(kubelet: str, target: str, workers_in: list[str]) -> None:
    states = [control("c1", "1.34.4"), worker("w1", kubelet)]
    hops, problems = plan(states, target, available=AVAILABLE, workers="last_hop")
    assert problems == []
    assert [hop[1] for hop in hops if hop[3]] == workers_in


def test_a_begun_hop_of_a_chain_is_ended_with_its_own_version() -> None:
    states = [control("c1", "1.35.1"), control("c2", "1.34.4"), worker("w1", "1.34.4")]
    hops, problems = plan(states, "1.36.3", available=AVAILABLE, config="1.35.1")
    assert problems == []
    assert hops == [
        ("1.34.4", "1.35.1", ["c2"], ["w1"], False),
        ("1.35.1", "1.36.3", ["c1", "c2"], ["w1"], True),
    ]


def test_a_worker_that_is_ahead_waits_for_the_chain() -> None:
    states = [control("c1", "1.34.4"), worker("w1", "1.35.4")]
    hops, _problems = plan(states, "1.36.3", available=AVAILABLE)
    assert [(hop[1], hop[3]) for hop in hops] == [("1.35.4", []), ("1.36.3", ["w1"])]


@pytest.mark.parametrize(
    ("states", "target", "available", "problem"),
    [
        (OLD, "1.34.3", (), "downgrade"),
        (OLD, "1.33.9", (), "downgrade"),
        ([control("c1", "1.35.4"), control("c2", "1.34.4")], "1.34.9", (), "downgrade"),
        (OLD, "1.36.3", (), "intermediate-version-unknown"),
        (OLD, "1.36.3", ("1.36.3",), "intermediate-version-unknown"),
        (OLD, "1.37.0", ("1.35.4",), "intermediate-version-unknown"),
        (OLD, "1.37.0", ("1.35.4", "1.36.0-rc.1"), "intermediate-version-unknown"),
        (OLD, "2.0.0", (), "other-major"),
        ([worker("w1", "1.34.4")], "1.35.4", (), "control-plane-unknown"),
    ],
)
def test_refused(states: list[NodeState], target: str, available: tuple[str, ...], problem: str) -> None:
    assert plan(states, target, available=available) == ([], [problem])


def test_the_problem_names_the_minors_that_are_missing() -> None:
    made = make_plan(OLD, Request(V("1.37.0")), config=None, kube_proxy=None)
    assert "1.35, 1.36" in made.problems[0]["evidence"]


@pytest.mark.parametrize(
    ("state", "left"),
    [
        (control("c1", "1.35.4"), []),
        (control("c1", "1.35.4", "1.34.4"), ["kubelet v1.34.4"]),
        (
            control("c1", "1.34.4", "1.35.4"),
            ["kube-apiserver v1.34.4", "kube-controller-manager v1.34.4", "kube-scheduler v1.34.4"],
        ),
        (worker("w1", "1.35.3"), ["kubelet v1.35.3"]),
        (NodeState("w1", "worker", None), ["kubelet unknown"]),
        (worker("w1", "1.35.4", cordoned_by={"run": "r"}), ["still cordoned by an earlier run"]),
        (worker("w1", "1.35.4", cordoned=True), []),
    ],
)
def test_left_to_do(state: NodeState, left: list[str]) -> None:
    assert left_to_do(state, V("1.35.4")) == left


def test_a_new_image_with_the_old_process_is_not_done() -> None:
    state = control("c1", "1.35.4")
    state.api_server = V("1.34.4")
    assert left_to_do(state, V("1.35.4")) == ["kube-apiserver answers with v1.34.4"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3.6.6-0", "3.6.6"),
        ("3.5.24-12", "3.5.24"),
        ("v1.36.0-rc.1", "1.36.0-rc.1"),
        ("latest", None),
        ("", None),
        (None, None),
    ],
)
def test_version_or_none(text: str | None, expected: str | None) -> None:
    found = version_or_none(text)
    assert (str(found) if found else None) == expected


@pytest.mark.parametrize(
    ("minor", "etcd"), [(33, (3, 5)), (34, (3, 6)), (36, (3, 6)), (37, (3, 7)), (38, None), (21, None)]
)
def test_etcd_minor(minor: int, etcd: tuple[int, int] | None) -> None:
    assert rules.etcd_minor_for(minor) == etcd


@pytest.mark.parametrize(
    ("server", "target", "expected"),
    [
        ("https://api.example:6443", "1.35.4", [["c1"]]),
        ("https://192.0.2.1:6443", "1.35.4", [[]]),
        ("https://127.0.0.1:6443", "1.35.4", [[]]),
        ("", "1.35.4", [[]]),
        # No API server is of an older minor then.
        ("https://api.example:6443", "1.34.5", [[]]),
    ],
)
def test_a_kubelet_that_may_meet_an_older_api_server_comes_later(
    server: str, target: str, expected: list[list[str]]
) -> None:
    hosts = [
        Host("c1", kubelet_server=server, advertise_address="192.0.2.1"),
        Host("c2", kubelet_server="https://192.0.2.2:6443", advertise_address="192.0.2.2"),
        Host("w1", kubelet_server="https://api.example:6443"),
    ]
    made = make_plan(OLD, Request(V(target)), config=V("1.34.4"), kube_proxy=None, hosts=hosts)
    assert [hop["kubelets_later"] for hop in made.hops] == expected
