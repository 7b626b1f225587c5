# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What the hops of a plan cost: drains, moves of pods, budgets that hold a drain up, pods that are down. Pure."""

from __future__ import annotations

import math
import typing as t
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain import budgets
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._plan.durations import estimate
from ansible_collections.evergreen.kubeadm.plugins.module_utils._plan.singletons import Singleton, singletons
from ansible_collections.evergreen.kubeadm.plugins.module_utils._plan.words import some
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Cluster, Json, NodeState
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import drained_by

CONTROL_PLANE, WORKERS = "control plane", "workers"
NEVER, WAITS, IN_TURN = "never", "waits", "in_turn"


class HopCost(t.TypedDict):
    """How many nodes one hop takes away, one after the other."""

    to: str
    control_plane: int
    workers: int


class PoolCost(t.TypedDict):
    """A group of nodes. `drains` counts a node once for each hop that takes it away."""

    name: str
    nodes: int
    drains: int
    pods: int
    moves: int
    expected_moves: float


class BudgetCost(t.TypedDict):
    """A budget that holds a drain up. `state` is `never`, `waits` or `in_turn`."""

    budget: str
    state: str
    pods: int
    why: str


class Cost(t.TypedDict):
    """See RETURN of skew_check."""

    hops: list[HopCost]
    drains: int
    in_place: int
    pods: int
    moves: int
    expected_moves: float
    pools: list[PoolCost]
    budgets: list[BudgetCost]
    singletons: list[Singleton]
    time: Json


def cost_of(
    cluster: Cluster,
    states: Sequence[NodeState],
    hops: Sequence[Mapping[str, t.Any]],
    *,
    judged_budgets: Sequence[Json] = (),
    pool_label: str | None = None,
    soft_taint: bool = False,
    backup: bool = True,
    journals: Sequence[Sequence[Json]] = (),
) -> Cost:
    """What `hops` cost.

    `judged_budgets` are those of `foresee`; `backup` is whether etcd is backed up before each hop. `journals` are those
    of earlier runs, from which the seconds of each step are measured.
    """
    drained = [drained_by(hop) for hop in hops]
    times = Counter(name for names in drained for name in names)
    pods = [pod for pod in cluster.pods if api.node_of(pod) in times and api.is_evictable(pod)]
    pools = _pools(cluster, states, drained, Counter(map(api.node_of, pods)), pool_label, soft_taint)
    return Cost(
        hops=[
            HopCost(to=hop["to"], control_plane=len(hop["control_plane"]), workers=len(hop["workers"])) for hop in hops
        ],
        drains=sum(times.values()),
        in_place=sum(len(hop.get("in_place") or ()) for hop in hops),
        pods=len(pods),
        moves=sum(pool["moves"] for pool in pools),
        expected_moves=round(sum(pool["expected_moves"] for pool in pools), 1),
        pools=pools,
        budgets=budgets_that_hold_up(judged_budgets),
        singletons=singletons(cluster.pods, times),
        time=estimate(hops, journals, backup=backup),
    )


def _pools(
    cluster: Cluster,
    states: Sequence[NodeState],
    drained: Sequence[Sequence[str]],
    pods_on: Mapping[str, int],
    pool_label: str | None,
    soft_taint: bool,
) -> list[PoolCost]:
    labels = {api.name_of(node): api.labels(node) for node in cluster.nodes}
    members: dict[str, list[NodeState]] = {}
    for state in states:
        label = labels.get(state.name, {}).get(pool_label or "", "")
        name = CONTROL_PLANE if state.is_control_plane else label or WORKERS
        members.setdefault(name, []).append(state)
    made = []
    for name, group in members.items():
        names = {state.name for state in group}
        # A node that somebody cordoned takes no pods of others; one of an earlier run is uncordoned by this one.
        takers = {state.name for state in group if not state.cordoned or state.cordoned_by is not None}
        spread = {node: float(count) for node, count in pods_on.items() if node in names}
        least = expected = 0.0
        for hop in drained:
            order = [node for node in hop if node in names]
            # At the least, each pod that is on a node of this hop moves once, to a node that is through with it.
            least += sum(pods_on.get(node, 0) for node in order)
            moved, spread = moves_of(order, takers, spread, soft_taint=soft_taint)
            expected += moved
        made.append(
            PoolCost(
                name=name,
                nodes=len(group),
                drains=sum(1 for hop in drained for node in hop if node in names),
                pods=sum(pods_on.get(node, 0) for node in names),
                moves=round(least),
                expected_moves=round(expected, 1),
            )
        )
    return made


def moves_of(
    order: Sequence[str], takers: Iterable[str], pods_on: Mapping[str, float], *, soft_taint: bool = False
) -> tuple[float, dict[str, float]]:
    """How many moves the drains of `order` make, and where the pods are then.

    It takes the pods of a drained node to be spread evenly over the other
    nodes in `takers`, so a pod may come to a node that is yet to be drained
    and move again. With `soft_taint` they go to those alone that are not, as
    soon as there is one. Without another node they come back to their own.
    """
    takes = set(takers)
    here = {name: pods_on.get(name, 0.0) for name in {*takes, *order, *pods_on}}
    # Takers that are not drained in this hop, or not any more.
    through = takes.difference(order) if soft_taint else set()
    # What every taker, and every one of `through`, got so far, so that a drain does not have to add to each node.
    given = given_through = moved = 0.0
    for name in order:
        others = len(takes) - (name in takes)
        now = here[name] + (given if name in takes else 0.0)
        moved += now
        if through:
            given_through += now / len(through)
        elif others:
            given += now / others
        if through or others:
            # It got no share of its own pods, and what it had is gone.
            here[name] = -given if name in takes else 0.0
        if soft_taint and name in takes:
            through.add(name)
            here[name] -= given_through
    return moved, {
        name: count + (given if name in takes else 0.0) + (given_through if name in through else 0.0)
        for name, count in here.items()
    }


def budgets_that_hold_up(judged: Sequence[Json]) -> list[BudgetCost]:
    """Budgets that never let a pod go, let none go now, or let those of a batch of nodes go in turns only.

    `judged` are the entries of `Drains.budgets`; of those of one budget the worst counts, and the pods of all.
    """
    worst: dict[str, BudgetCost] = {}
    pods: dict[str, set[str]] = {}
    for entry in judged:
        name = f"{entry['namespace']}/{entry['name']}"
        pods.setdefault(name, set()).update(entry["pods"])
        state, why = _held_up(entry)
        cost = BudgetCost(budget=name, state=state, pods=len(entry["pods"]), why=why)
        if state and (name not in worst or _rank(cost) < _rank(worst[name])):
            worst[name] = cost
    for name, cost in worst.items():
        cost["pods"] = len(pods[name])
    return sorted(worst.values(), key=lambda each: (_rank(each)[0], each["budget"]))


def _rank(cost: BudgetCost) -> tuple[int, int]:
    return (NEVER, WAITS, IN_TURN).index(cost["state"]), -cost["pods"]


def _held_up(entry: Json) -> tuple[str, str]:
    if entry["verdict"] == budgets.NEVER:
        return NEVER, entry["reason"]
    allowed, most = entry["disruptions_allowed"], len(entry["pods"])
    if entry["verdict"] == budgets.FREE or 0 < most <= allowed:
        return "", ""
    if not allowed:
        return WAITS, entry["reason"]
    turns = math.ceil(most / allowed)
    return (
        IN_TURN,
        f"{most} of its pods are on {some(entry['nodes'], 3)} and {allowed} may be away at once: {turns} turns",
    )
