# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The stages of a hop, and where a run that is to stop after one of them stops. Pure.

A stage is over when the plan shows it, whoever did it: the plan has only the
nodes that are not done. So a run that is to stop after a stage which is over
does nothing, and the same run without the stop goes on from there.
"""

from __future__ import annotations

import typing as t
from collections.abc import Collection, Mapping, Sequence

from ansible_collections.evergreen.kubeadm.plugins.module_utils._plan.words import counted, some, steps_of

Json = dict[str, t.Any]

NONE = "none"
PLAN, BACKUP, PREPARE = "plan", "backup", "prepare"
FIRST_CONTROL_PLANE, CONTROL_PLANE, FIRST_WORKER, HOP = "control_plane_first", "control_plane", "workers_first", "hop"
STAGES = (PLAN, BACKUP, PREPARE, FIRST_CONTROL_PLANE, CONTROL_PLANE, FIRST_WORKER, HOP)
"""In the order in which a hop walks them."""
NAMES_TOLD = 5


class Groups(t.NamedTuple):
    """The nodes that each play of a hop acts on, in the order of the plan."""

    members: list[str]
    """Members of etcd, of which one is backed up."""
    nodes: list[str]
    """Those that are prepared."""
    control_plane: list[str]
    control_plane_again: list[str]
    """Those of the control plane that come once more after the last of it."""
    workers: list[str]


class Course(t.NamedTuple):
    """How far a run walks a hop. `groups` says who is acted on.

    `kubelets` are those of the control plane that are upgraded with their
    nodes, and `kubelets_again` those that follow when the nodes come again.
    `stops` is whether something of the plan is left to another run because of
    the stop, and `message` says what. `completes` names the parts of the hop
    that are whole when this run has walked its groups.
    """

    groups: Groups
    completes: list[str]
    stops: bool
    message: str
    kubelets: list[str]
    kubelets_again: list[str]


def course(
    hops: Sequence[Mapping[str, t.Any]],
    nodes: Sequence[Mapping[str, t.Any]],
    stop_after: str,
    *,
    here: Collection[str],
    members: Sequence[str],
    kubelets_last: bool = False,
    all_again: bool = False,
) -> Course:
    """How far the first of `hops` is walked.

    `nodes` are those of the cluster as skew_check returns them, `here` the
    names of the nodes that the run may act on, `members` those with a member
    of etcd. With `kubelets_last` no kubelet of the control plane is upgraded
    before its last node, and with `all_again` all its nodes come again.
    """
    if not hops:
        return Course(Groups([], [], [], [], []), [], stops=False, message="", kubelets=[], kubelets_again=[])
    hop = hops[0]
    control_plane = [name for name in hop["control_plane"] if name in here]
    workers = [name for name in hop["workers"] if name in here]
    # A hop that moves no workers has no first one to stop after.
    stage = NONE if stop_after == FIRST_WORKER and not hop["workers"] else stop_after
    kept = Groups(
        [], [], _planes_until(stage, control_plane, hop, nodes), [], _workers_until(stage, workers, hop, nodes)
    )
    if kept.control_plane or kept.workers or (stage == PREPARE and control_plane + workers):
        kept = kept._replace(nodes=control_plane + workers)
    if kept.nodes or (stage == BACKUP and control_plane + workers):
        kept = kept._replace(members=[name for name in members if name in here])
    left = [name for name in control_plane + workers if name not in (*kept.control_plane, *kept.workers)]
    stops = stage != NONE and (bool(left) or len(hops) > 1 or stage == PLAN)
    completes = [
        part
        for part, whole, done in (
            (CONTROL_PLANE, hop["control_plane"], kept.control_plane),
            ("workers", hop["workers"], kept.workers),
        )
        if done and done == whole
    ]
    if [*kept.control_plane, *kept.workers] == [*hop["control_plane"], *hop["workers"]]:
        completes.append(HOP)
    now = [name for name in kept.control_plane if name in hop["kubelets"]]
    # Those that may meet any API server wait for the last one, be it in another run.
    later = set(hop.get("kubelets_later") or ())
    again = [
        name for name in now if (kubelets_last or name in later) and (CONTROL_PLANE in completes or name not in later)
    ]
    now = [name for name in now if not kubelets_last and name not in later]
    kept = kept._replace(control_plane_again=kept.control_plane if all_again else again)
    return Course(kept, completes, stops, _message(stage, hops, kept) if stops else "", now, again)


def hooks_around(course: Course, asked: Collection[str]) -> dict[str, dict[str, dict[str, list[str]]]]:
    """The hooks before and after each node, of those that are `asked`: ``{group: {node: {before, after}}}``.

    A control-plane node whose kubelet follows is done when it has come again, and the control plane is when its last
    node is.
    """
    planes, again, workers = course.groups.control_plane, course.groups.control_plane_again, course.groups.workers
    last = (again or planes)[-1:] if CONTROL_PLANE in course.completes else []

    def those(*hooks: tuple[str, bool]) -> list[str]:
        return [hook for hook, is_due in hooks if is_due and hook in asked]

    return {
        "control_plane": {
            name: {
                "before": those(("pre_control_plane", name == planes[0]), ("pre_control_plane_node", True)),
                "after": those(
                    ("post_control_plane_node", name not in course.kubelets_again),
                    ("post_control_plane", not again and name in last),
                ),
            }
            for name in planes
        },
        "control_plane_again": {
            name: {
                "before": [],
                "after": those(
                    ("post_control_plane_node", name in course.kubelets_again), ("post_control_plane", name in last)
                ),
            }
            for name in again
        },
        "workers": {
            name: {"before": those(("pre_workers", name == workers[0]), ("pre_worker", True)), "after": []}
            for name in workers
        },
    }


def following(stage: str) -> str:
    """The stage after `stage`; after a hop comes the next one."""
    return STAGES[min(STAGES.index(stage) + 1, len(STAGES) - 1)]


def _planes_until(
    stage: str, names: list[str], hop: Mapping[str, t.Any], nodes: Sequence[Mapping[str, t.Any]]
) -> list[str]:
    if stage in (PLAN, BACKUP, PREPARE):
        return []
    if stage != FIRST_CONTROL_PLANE:
        return names
    # While kubeadm-config or the addons are behind, the first node has not been through `kubeadm upgrade apply`.
    is_over = not hop["apply_needed"] and any(
        node["role"] == "control_plane" and node["name"] not in hop["control_plane"] for node in nodes
    )
    return [] if is_over else names[:1]


def _workers_until(
    stage: str, names: list[str], hop: Mapping[str, t.Any], nodes: Sequence[Mapping[str, t.Any]]
) -> list[str]:
    if stage in (PLAN, BACKUP, PREPARE, FIRST_CONTROL_PLANE, CONTROL_PLANE):
        return []
    if stage != FIRST_WORKER:
        return names
    is_over = any(
        node["role"] == "worker" and node["name"] not in hop["workers"] and node["kubelet_version"] == hop["to"]
        for node in nodes
    )
    return [] if is_over else names[:1]


def _message(stage: str, hops: Sequence[Mapping[str, t.Any]], kept: Groups) -> str:
    """What is left, and how to go on."""
    hop = hops[0]
    left = []
    for label, key, done in (
        ("control plane", "control_plane", kept.control_plane),
        ("workers", "workers", kept.workers),
    ):
        names = [name for name in hop[key] if name not in done]
        if names:
            left.append(f"{label} {some(names, NAMES_TOLD)}")
    if len(hops) > 1:
        left.append(counted(len(hops) - 1, "more hop"))
    return (
        f"Stopped after the stage {stage} of the hop {steps_of(hop)}, as upgrade_stop_after asks. "
        f"Still to do: {'; '.join(left)}. To go on, run the same command again without upgrade_stop_after, "
        f"or with upgrade_stop_after={following(stage)}."
    )
