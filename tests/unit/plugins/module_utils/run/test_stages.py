# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._run.hooks import HOOKS
from ansible_collections.evergreen.kubeadm.plugins.module_utils._run.stages import (
    NONE,
    STAGES,
    Course,
    Groups,
    course,
    following,
    hooks_around,
)

Json = dict[str, t.Any]
PLANES, WORKERS = ["c1", "c2", "c3"], ["w1", "w2"]
EVERYONE = PLANES + WORKERS


def hop(control_plane: list[str], workers: list[str], **more: t.Any) -> Json:
    return {
        "from": "1.34.4",
        "to": "1.35.4",
        "control_plane": control_plane,
        "workers": workers,
        "kubelets": control_plane + workers,
        "kubelets_later": [],
        "apply_needed": False,
        **more,
    }


def nodes(*done: str) -> list[Json]:
    return [
        {
            "name": name,
            "role": "control_plane" if name in PLANES else "worker",
            "kubelet_version": "1.35.4" if name in done else "1.34.4",
        }
        for name in EVERYONE
    ]


def walked(plan: list[Json], cluster: list[Json], stage: str, here: list[str] | None = None) -> Course:
    return course(plan, cluster, stage, here=EVERYONE if here is None else here, members=PLANES)


def acted(members: list[str], nodes_: list[str], control_plane: list[str], workers: list[str]) -> Groups:
    return Groups(members, nodes_, control_plane, [], workers)


NOTHING = acted([], [], [], [])
WHOLE = acted(PLANES, EVERYONE, PLANES, WORKERS)
FRESH = [hop(PLANES, WORKERS, apply_needed=True)]
FIRST_DONE = [hop(PLANES[1:], WORKERS)]
PLANES_DONE = [hop([], WORKERS)]
WORKER_DONE = [hop([], ["w2"])]
ADDONS_LEFT = [hop(["c1"], [], apply_needed=True)]


@pytest.mark.parametrize(
    ("plan", "done", "stage", "expected", "stops"),
    [
        (FRESH, [], NONE, WHOLE, False),
        (FRESH, [], "plan", NOTHING, True),
        (FRESH, [], "backup", acted(PLANES, [], [], []), True),
        (FRESH, [], "prepare", acted(PLANES, EVERYONE, [], []), True),
        (FRESH, [], "control_plane_first", acted(PLANES, EVERYONE, ["c1"], []), True),
        (FRESH, [], "control_plane", acted(PLANES, EVERYONE, PLANES, []), True),
        (FRESH, [], "workers_first", acted(PLANES, EVERYONE, PLANES, ["w1"]), True),
        (FRESH, [], "hop", WHOLE, False),
        # A stage that is over is not walked again, and what follows it is not begun.
        (FIRST_DONE, ["c1"], "control_plane_first", NOTHING, True),
        (FIRST_DONE, ["c1"], "control_plane", acted(PLANES, [*PLANES[1:], *WORKERS], PLANES[1:], []), True),
        (PLANES_DONE, PLANES, "control_plane_first", NOTHING, True),
        (PLANES_DONE, PLANES, "control_plane", NOTHING, True),
        (PLANES_DONE, PLANES, "workers_first", acted(PLANES, WORKERS, [], ["w1"]), True),
        (WORKER_DONE, [*PLANES, "w1"], "workers_first", NOTHING, True),
        (WORKER_DONE, [*PLANES, "w1"], "hop", acted(PLANES, ["w2"], [], ["w2"]), False),
        # The first node was killed in the middle: kubeadm-config is moved, and the node is still in the plan.
        ([hop(PLANES, WORKERS)], [], "control_plane_first", acted(PLANES, EVERYONE, ["c1"], []), True),
        # All nodes are done and the addons are not.
        (ADDONS_LEFT, EVERYONE, "control_plane_first", acted(PLANES, ["c1"], ["c1"], []), False),
        # Nothing comes after the stage.
        ([hop(PLANES, [])], [], "control_plane", acted(PLANES, PLANES, PLANES, []), False),
        ([hop([], ["w2"])], [*PLANES], "workers_first", acted(PLANES, ["w2"], [], ["w2"]), False),
        ([], EVERYONE, "plan", NOTHING, False),
        ([], EVERYONE, NONE, NOTHING, False),
    ],
)
def test_course(plan: list[Json], done: list[str], stage: str, expected: Groups, stops: bool) -> None:
    found = walked(plan, nodes(*done), stage)
    assert (found.groups, found.stops) == (expected, stops)
    assert bool(found.message) == stops


@pytest.mark.parametrize(
    ("stage", "workers", "expected", "stops"),
    [
        ("hop", WORKERS, WHOLE, True),
        ("workers_first", WORKERS, acted(PLANES, EVERYONE, PLANES, ["w1"]), True),
        # A hop without workers is walked, and the next one too.
        ("workers_first", [], acted(PLANES, PLANES, PLANES, []), False),
        ("control_plane", [], acted(PLANES, PLANES, PLANES, []), True),
        (NONE, WORKERS, WHOLE, False),
    ],
)
def test_course_of_several_hops(stage: str, workers: list[str], expected: Groups, stops: bool) -> None:
    found = walked([hop(PLANES, workers), hop(PLANES, WORKERS)], nodes(), stage)
    assert (found.groups, found.stops) == (expected, stops)
    assert ("1 more hop" in found.message) == stops


@pytest.mark.parametrize(
    ("here", "stage", "expected", "stops"),
    [
        (["w2"], "workers_first", acted([], ["w2"], [], ["w2"]), False),
        (WORKERS, "workers_first", acted([], WORKERS, [], ["w1"]), True),
        (["w2"], "control_plane", NOTHING, True),
        (["c1"], "control_plane_first", acted(["c1"], ["c1"], ["c1"], []), False),
        (["x"], NONE, NOTHING, False),
    ],
)
def test_a_limit_counts(here: list[str], stage: str, expected: Groups, stops: bool) -> None:
    found = walked(FRESH, nodes(), stage, here)
    assert (found.groups, found.stops) == (expected, stops)


@pytest.mark.parametrize(
    ("plan", "stage", "here", "expected"),
    [
        (FRESH, NONE, EVERYONE, ["control_plane", "workers", "hop"]),
        (FRESH, "control_plane_first", EVERYONE, []),
        (FRESH, "control_plane", EVERYONE, ["control_plane"]),
        (FRESH, "workers_first", EVERYONE, ["control_plane"]),
        (FIRST_DONE, "control_plane", EVERYONE, ["control_plane"]),
        (PLANES_DONE, NONE, EVERYONE, ["workers", "hop"]),
        (PLANES_DONE, "control_plane", EVERYONE, []),
        (FRESH, NONE, ["w1"], []),
        (FRESH, NONE, WORKERS, ["workers"]),
        (FRESH, "prepare", EVERYONE, []),
    ],
)
def test_completes(plan: list[Json], stage: str, here: list[str], expected: list[str]) -> None:
    assert walked(plan, nodes(), stage, here).completes == expected


LATER = [hop(PLANES, WORKERS, kubelets_later=["c1", "c2"])]
HALF = [hop(PLANES, WORKERS, kubelets=["c2", *WORKERS])]


@pytest.mark.parametrize(
    ("plan", "stage", "options", "kubelets", "again", "again_nodes"),
    [
        (FRESH, NONE, {}, PLANES, [], []),
        (HALF, NONE, {}, ["c2"], [], []),
        # Controllers make again what a drain moves.
        (FRESH, NONE, {"kubelets_last": True}, [], PLANES, PLANES),
        (FRESH, "control_plane_first", {"kubelets_last": True}, [], ["c1"], ["c1"]),
        # What can meet an older API server waits until there is none.
        (LATER, NONE, {}, ["c3"], ["c1", "c2"], ["c1", "c2"]),
        (LATER, "control_plane_first", {}, [], [], []),
        (LATER, "control_plane_first", {"kubelets_last": True}, [], [], []),
        (HALF, NONE, {"all_again": True}, ["c2"], [], PLANES),
        (LATER, "control_plane_first", {"all_again": True}, [], [], ["c1"]),
    ],
)
def test_kubelets_of_the_control_plane(
    plan: list[Json],
    stage: str,
    options: dict[str, bool],
    kubelets: list[str],
    again: list[str],
    again_nodes: list[str],
) -> None:
    found = course(plan, nodes(), stage, here=EVERYONE, members=PLANES, **options)
    assert (found.kubelets, found.kubelets_again) == (kubelets, again)
    assert found.groups.control_plane_again == again_nodes


FIRST, EACH = "pre_control_plane", "pre_control_plane_node"
DONE, ALL_DONE = "post_control_plane_node", "post_control_plane"
AROUND_PLANES = [([FIRST, EACH], [DONE]), ([EACH], [DONE]), ([EACH], [DONE, ALL_DONE])]


@pytest.mark.parametrize(
    ("plan", "stage", "options", "planes", "again"),
    [
        (FRESH, NONE, {}, AROUND_PLANES, []),
        (FRESH, "control_plane_first", {}, [([FIRST, EACH], [DONE])], []),
        # A node whose kubelet follows is done when it has come again.
        (
            LATER,
            NONE,
            {},
            [([FIRST, EACH], []), ([EACH], []), ([EACH], [DONE])],
            [([], [DONE]), ([], [DONE, ALL_DONE])],
        ),
        (LATER, "control_plane_first", {}, [([FIRST, EACH], [DONE])], []),
        # One that comes again without its kubelet is done before, and the control plane is not.
        (
            FRESH,
            NONE,
            {"all_again": True},
            [([FIRST, EACH], [DONE]), ([EACH], [DONE]), ([EACH], [DONE])],
            [([], []), ([], []), ([], [ALL_DONE])],
        ),
    ],
)
def test_hooks_around_the_control_plane(
    plan: list[Json], stage: str, options: dict[str, bool], planes: list[t.Any], again: list[t.Any]
) -> None:
    found = hooks_around(course(plan, nodes(), stage, here=EVERYONE, members=PLANES, **options), HOOKS)
    assert [(node["before"], node["after"]) for node in found["control_plane"].values()] == planes
    assert [(node["before"], node["after"]) for node in found["control_plane_again"].values()] == again


def test_hooks_around_workers() -> None:
    found = hooks_around(walked(FRESH, nodes(), NONE), HOOKS)["workers"]
    assert [node["before"] for node in found.values()] == [["pre_workers", "pre_worker"], ["pre_worker"]]


def test_hooks_that_nobody_asked_for() -> None:
    found = hooks_around(walked(FRESH, nodes(), NONE), ["pre_worker"])
    assert found["workers"]["w1"]["before"] == ["pre_worker"]
    assert found["control_plane"]["c1"] == {"before": [], "after": []}


def test_message() -> None:
    assert walked(FRESH, nodes(), "control_plane_first").message == (
        "Stopped after the stage control_plane_first of the hop 1.34.4 to 1.35.4, as upgrade_stop_after asks. Still to "
        "do: control plane c2, c3; workers w1, w2. To go on, run the same command again without upgrade_stop_after, or "
        "with upgrade_stop_after=control_plane."
    )


def test_every_stage_is_followed() -> None:
    assert [following(stage) for stage in STAGES] == [*STAGES[1:], "hop"]


def test_stages_in_turn_come_to_the_same_end() -> None:
    """Runs with each stage in its order act on every node once."""
    todo_planes, todo_workers, walked_ = list(PLANES), list(WORKERS), []
    for stage in (*STAGES, NONE):
        plan = (
            [hop(todo_planes, todo_workers, apply_needed=todo_planes == PLANES)] if todo_planes + todo_workers else []
        )
        found = walked(plan, nodes(*(name for name in EVERYONE if name not in todo_planes + todo_workers)), stage)
        new = [*found.groups.control_plane, *found.groups.workers]
        walked_ += new
        todo_planes = [name for name in todo_planes if name not in new]
        todo_workers = [name for name in todo_workers if name not in new]
        assert found.stops == bool(todo_planes + todo_workers)
    assert walked_ == EVERYONE
