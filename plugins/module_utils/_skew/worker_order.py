# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The order in which the workers of a hop are upgraded: pure.

The pods of the first worker come to nodes that are yet to be drained and move
again; those of all others can go to an upgraded node. So the node with the
fewest pods is the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.selectors import Requirement, meets
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import NodeState, Request

INVENTORY = "inventory"


def names_in_order(workers: Iterable[NodeState], request: Request) -> list[str]:
    """Group by group; in each, what an earlier run has begun, then as the request says, then by name."""
    places = {name: place for place, name in enumerate(request.places)}

    def key(state: NodeState) -> tuple[int, bool, int, str]:
        by_inventory = request.worker_order == INVENTORY
        rank = places.get(state.name, len(places)) if by_inventory else state.movable_pods
        return group_of(state, request.worker_groups), state.cordoned_by is None, rank, state.name

    return [state.name for state in sorted(workers, key=key)]


def group_of(state: NodeState, groups: Sequence[list[Requirement]]) -> int:
    """The place of the first of `groups` that the labels of the node meet; behind them all where they meet none."""
    for place, requirements in enumerate(groups):
        if meets(requirements, state.labels):
            return place
    return len(groups)
