# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""How often pods were evicted, and how often they must be at the least. Pure.

An upgrade in place empties each node once. The pods of its first worker can
only go to nodes that are yet to be emptied, so they move twice; every other
pod can go to a node that is through, and moves once.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.evergreen.kubeadm.plugins.module_utils._loose_data import dicts_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.events import count, data_of, node_of_host

Json = dict[str, t.Any]
Nodes = Mapping[str, Json]


def least_moves(drained: Sequence[str], nodes: Nodes) -> int | None:
    """How many moves the drains of `drained`, in this order, make at the least; None where that cannot be told.

    `nodes` are all nodes of the cluster by name, as they were before, with
    `role`, `movable_pods`, `cordoned` and `cordoned_by`. A worker that was not
    drained, such as one that an earlier run has upgraded, can take the pods
    of the first one for good. Without workers the control plane stands for
    them.
    """
    movable = movable_pods(drained, nodes)
    if movable is None:
        return None
    role = "worker" if any(node.get("role") == "worker" for node in nodes.values()) else "control_plane"
    emptied = [name for name in drained if nodes[name].get("role") == role]
    others = {name for name, node in nodes.items() if node.get("role") == role and takes_pods(node)} - {*emptied[:1]}
    moves_twice = bool(others) and others <= {*emptied}
    return movable + ((movable_pods(emptied[:1], nodes) or 0) if moves_twice else 0)


def movable_pods(names: Sequence[str], nodes: Nodes) -> int | None:
    """The movable pods on the nodes `names`; None where those of one of them are not known."""
    counts = [count(nodes.get(name, {}).get("movable_pods")) for name in names]
    return None if None in counts else sum(each or 0 for each in counts)


def takes_pods(node: Mapping[str, t.Any]) -> bool:
    """Whether pods can come to the node: a cordon of an earlier run ends with this one, that of somebody else stays."""
    return not node.get("cordoned") or node.get("cordoned_by") is not None


def per_hop(events: Sequence[Json]) -> list[Json]:
    """``{pods, total, per_pod, minimum}`` of each hop; see `evictions`."""
    return [_figures(moves_of(part), _drained(part, nodes), nodes) for nodes, part in parts_of(events)]


def evictions(events: Sequence[Json]) -> Json:
    """``{pods, total, per_pod, minimum, moves}``.

    `total` counts the pods that were evicted, each by its UID. `pods` is the
    number of movable pods at the start of the run where the journal has it,
    on the nodes that were drained; else the distinct pods of the moves by
    namespace and name, by which a replacement under a new name counts as
    another pod. `minimum` is what `per_pod` would be with the least moves;
    None where the journal does not have the pods of each node.
    """
    parts = parts_of(events) or [(_nodes_of(events), list(events))]
    leasts = [least_moves(_drained(part, nodes), nodes) for nodes, part in parts]
    drained = list(dict.fromkeys(name for nodes, part in parts for name in _drained(part, nodes)))
    moves = moves_of(events)
    pods = _told(events)
    if pods is None:
        pods = movable_pods(drained, _nodes_of(events)) if drained else None
    least = None if None in leasts else sum(each or 0 for each in leasts)
    return {**_ratios(moves, pods, least), "moves": moves}


def parts_of(events: Sequence[Json]) -> list[tuple[Nodes, list[Json]]]:
    """For each hop, the nodes of the newest plan before it and the events from its beginning to that of the next."""
    begins = [index for index, event in enumerate(events) if event.get("event") == "hop"]
    ends = [*begins[1:], len(events)]
    return [(_nodes_of(list(reversed(events[:begin]))), list(events[begin:end])) for begin, end in zip(begins, ends)]


def moves_of(events: Sequence[Json]) -> list[Json]:
    """The evicted pods, each once: a drain that was run again may tell them twice."""
    moves: dict[tuple[object, ...], Json] = {}
    for event in events:
        if event.get("event") != "evictions":
            continue
        for pod in dicts_of(data_of(event).get("pods")):
            if pod.get("evicted_at"):
                identity = (
                    (pod["uid"],) if pod.get("uid") else (pod.get("namespace"), pod.get("name"), pod["evicted_at"])
                )
                moves.setdefault(
                    identity, {key: pod.get(key) for key in ("namespace", "name", "owner", "node", "evicted_at")}
                )
    return list(moves.values())


def _figures(moves: Sequence[Json], drained: Sequence[str], nodes: Nodes) -> Json:
    return _ratios(moves, movable_pods(drained, nodes), least_moves(drained, nodes))


def _ratios(moves: Sequence[Json], pods: int | None, least: int | None) -> Json:
    number = len({(move["namespace"], move["name"]) for move in moves}) if pods is None else pods
    return {
        "pods": number,
        "total": len(moves),
        "per_pod": round(len(moves) / number, 3) if number else 0.0,
        "minimum": None if least is None else round(least / number, 3) if number else 0.0,
    }


def _told(events: Sequence[Json]) -> int | None:
    """The number of movable pods where an event tells it for the whole run."""
    for event in events:
        key = {"plan": "movable_pods", "evictions": "workload_pods"}.get(str(event.get("event")))
        found = count(data_of(event).get(key)) if key else None
        if found is not None:
            return found
    return None


def _drained(events: Sequence[Json], nodes: Nodes) -> list[str]:
    """The nodes whose drains ended, in their order."""
    return list(
        dict.fromkeys(
            str(data_of(event).get("node") or node_of_host(str(event.get("host")), nodes))
            for event in events
            if event.get("event") == "evictions"
        )
    )


def _nodes_of(events: Sequence[Json]) -> Nodes:
    """The nodes of the first plan in `events`, by name."""
    for event in events:
        if event.get("event") == "plan":
            return {str(node.get("name")): node for node in dicts_of(data_of(event).get("nodes"))}
    return {}
