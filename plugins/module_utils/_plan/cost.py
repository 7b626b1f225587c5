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

from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._plan.durations import estimate
from ansible_collections.evergreen.kubeadm.plugins.module_utils._plan.singletons import Singleton, singletons
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_workloads import (
    PodIndex,
    allows_none,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Cluster, Json, NodeState

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
    pool_label: str | None = None,
    soft_taint: bool = False,
    backup: bool = True,
    journals: Sequence[Sequence[Json]] = (),
) -> Cost:
    """What `hops` cost; `backup` is whether etcd is backed up before each.

    `journals` are those of earlier runs, from which the seconds of each step are measured.
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
        budgets=budgets_that_hold_up(cluster.budgets, pods),
        singletons=singletons(cluster.pods, times),
        time=estimate(hops, journals, backup=backup),
    )


def drained_by(hop: Mapping[str, t.Any]) -> list[str]:
    """The nodes that a hop drains, in their order: those whose kubelets it upgrades without their pods."""
    kubelets = set(hop["kubelets"]) - set(hop.get("in_place") or ())
    return [name for name in (*hop["control_plane"], *hop["workers"]) if name in kubelets]


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


def budgets_that_hold_up(budgets: Sequence[Json], pods: Sequence[Json]) -> list[BudgetCost]:
    """Budgets over `pods` that never let one go, let none go now, or let a node's pods go in turns only."""
    index = PodIndex(list(pods))
    found = []
    for budget in budgets:
        its_pods = index.matching(_namespace(budget), (budget.get("spec") or {}).get("selector"))
        state, why = _held_up(budget, its_pods) if its_pods else ("", "")
        if state:
            found.append(BudgetCost(budget=api.qualified(budget), state=state, pods=len(its_pods), why=why))
    return sorted(found, key=lambda each: ((NEVER, WAITS, IN_TURN).index(each["state"]), each["budget"]))


def _held_up(budget: Json, pods: Sequence[Json]) -> tuple[str, str]:
    never = allows_none(budget)
    if never:
        return NEVER, never
    status = budget.get("status") or {}
    allowed = status.get("disruptionsAllowed", 0)
    if not allowed:
        if not status.get("expectedPods", 0):
            return "", ""
        return WAITS, f"{status.get('currentHealthy', 0)} of {status.get('desiredHealthy', 0)} wanted pods are healthy"
    node, most = Counter(map(api.node_of, pods)).most_common(1)[0]
    if most <= allowed:
        return "", ""
    turns = math.ceil(most / allowed)
    return IN_TURN, f"{most} of its pods are on {node} and {allowed} may be away at once: {turns} turns"


def _namespace(budget: Json) -> str:
    return str((budget.get("metadata") or {}).get("namespace", ""))
