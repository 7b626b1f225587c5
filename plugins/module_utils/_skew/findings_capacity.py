# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Whether the pods of the largest node find room while it is away. Pure.

An estimate: by requests, node selectors and taints. Affinity, spread and
volumes are not looked at. Without room in total there is none for certain.
"""

from __future__ import annotations

import functools
import re
import typing as t
from decimal import Decimal

from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_pods import drained_nodes, tolerates
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.folding import some
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    WARNING,
    Cluster,
    Finding,
    Json,
    finding,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import Plan

SOURCE = "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/"
# CPUs, bytes of memory, pods: what nearly every cluster's scheduler decides by.
RESOURCES = ("cpu", "memory", "pods")
_QUANTITY = re.compile(r"^([+-]?[0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?$")
_POWERS = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}

Amounts = tuple[float, float, float]


def quantity(text: object) -> float:
    """A resource quantity such as ``250m``, ``1Gi`` or ``1e3``; 0 for what is none."""
    return _quantity(str(text).strip())


@functools.lru_cache(maxsize=4096)
def _quantity(text: str) -> float:
    found = _QUANTITY.match(text)
    if not found:
        return 0.0
    number, suffix = Decimal(found[1]), found[2] or ""
    if suffix in _BINARY:
        return float(number * 1024 ** _BINARY[suffix])
    if suffix in _POWERS:
        return float(number.scaleb(_POWERS[suffix]))
    return float(Decimal(found[1] + suffix))


def requests_of(pod: Json) -> Amounts:
    """What the scheduler counts for a pod.

    The sum of its containers and of its sidecars, or of its largest init
    container where that is more, and its overhead; what the pod itself
    requests goes before.
    https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers
    """
    spec = pod.get("spec") or {}
    whole = (spec.get("resources") or {}).get("requests") or {}
    overhead = spec.get("overhead") or {}
    found = []
    for resource in RESOURCES[:2]:
        running = sum(_request(container, resource) for container in spec.get("containers") or [])
        sidecars = first = 0.0
        for container in spec.get("initContainers") or []:
            if container.get("restartPolicy") == "Always":
                sidecars += _request(container, resource)
            else:
                first = max(first, sidecars + _request(container, resource))
        needed = quantity(whole[resource]) if resource in whole else max(running + sidecars, first)
        found.append(needed + quantity(overhead.get(resource, 0)))
    return found[0], found[1], 1.0


def _request(container: Json, resource: str) -> float:
    requests = (container.get("resources") or {}).get("requests")
    return quantity(requests[resource]) if requests and resource in requests else 0.0


def capacity_findings(cluster: Cluster, plan: Plan) -> list[Finding]:
    drained = drained_nodes(plan)
    nodes = {api.name_of(node): node for node in cluster.nodes}
    taken: dict[str, Amounts] = {}
    moved: dict[str, list[tuple[Amounts, Json]]] = {}
    for pod in cluster.pods:
        node = api.node_of(pod)
        if node not in nodes or api.is_finished(pod):
            continue
        amounts = requests_of(pod)
        taken[node] = _plus(taken.get(node), amounts)
        if node in drained and api.is_evictable(pod):
            moved.setdefault(node, []).append((amounts, pod))
    if not moved:
        return []
    free = {
        name: _free(node, taken.get(name))
        for name, node in nodes.items()
        if api.is_true(node, "Ready") and not api.is_cordoned(node)
    }
    found = []
    for name in sorted(_largest(moved)):
        others = {other: amounts for other, amounts in free.items() if other != name and amounts is not None}
        if any(amounts is None for other, amounts in free.items() if other != name):
            continue  # A node that does not tell what it has may have room.
        found += _judge(name, moved[name], others, nodes)
    return found


def _largest(moved: dict[str, list[tuple[Amounts, Json]]]) -> set[str]:
    """The nodes whose pods ask for most of each resource."""
    sums = {name: _sum(amounts for amounts, _pod in pods) for name, pods in moved.items()}
    return {max(sorted(sums), key=lambda name: sums[name][place]) for place in range(len(RESOURCES))}


def _judge(
    name: str, pods: list[tuple[Amounts, Json]], free: dict[str, Amounts], nodes: dict[str, Json]
) -> list[Finding]:
    needed, offered = _sum(amounts for amounts, _pod in pods), _sum(free.values())
    short = [place for place in range(len(RESOURCES)) if needed[place] > offered[place]]
    if short:
        told = ", ".join(f"{_said(place, needed)} of {_said(place, offered)}" for place in short)
        why = f"its {len(pods)} movable pods ask for more than is free on all other nodes: {told}"
    else:
        homeless = _first_fit(pods, free, nodes)
        if not homeless:
            return []
        why = f"of its {len(pods)} movable pods {len(homeless)} find no node with room for them: {some(homeless)}"
    return [
        finding(
            "capacity-short",
            WARNING,
            f"node/{name}",
            f"{why}. They would be Pending while it is away",
            "Add a node for the time of the upgrade, scale something down, or lower requests that are too high.",
            SOURCE,
        )
    ]


def _first_fit(pods: list[tuple[Amounts, Json]], free: dict[str, Amounts], nodes: dict[str, Json]) -> list[str]:
    """Names of pods that found no place, the largest first put on the first node that can take them."""
    left = dict(sorted(free.items(), key=lambda item: (-item[1][0], -item[1][1], item[0])))
    homeless = []
    for amounts, pod in sorted(pods, key=lambda entry: (-entry[0][0], -entry[0][1], api.qualified(entry[1]))):
        place = next((n for n, room in left.items() if _fits(amounts, room) and _may_run(pod, nodes[n])), None)
        if place is None:
            homeless.append(api.qualified(pod))
        else:
            room = left[place]
            left[place] = (room[0] - amounts[0], room[1] - amounts[1], room[2] - amounts[2])
    return homeless


def _may_run(pod: Json, node: Json) -> bool:
    labels = api.labels(node)
    selector = (pod.get("spec") or {}).get("nodeSelector") or {}
    if any(labels.get(key) != value for key, value in selector.items()):
        return False
    return all(
        taint.get("effect") == "PreferNoSchedule"
        or tolerates(pod, str(taint.get("key")), str(taint.get("effect")), str(taint.get("value") or ""))
        for taint in (node.get("spec") or {}).get("taints") or []
    )


def _free(node: Json, taken: Amounts | None) -> Amounts | None:
    """What a node has left; None where it does not tell."""
    has = (node.get("status") or {}).get("allocatable") or {}
    if any(resource not in has for resource in RESOURCES):
        return None
    used = taken or (0.0, 0.0, 0.0)
    left = [max(0.0, quantity(has[resource]) - used[place]) for place, resource in enumerate(RESOURCES)]
    return left[0], left[1], left[2]


def _fits(amounts: Amounts, room: Amounts) -> bool:
    return all(amount <= space for amount, space in zip(amounts, room))


def _plus(one: Amounts | None, other: Amounts) -> Amounts:
    return other if one is None else (one[0] + other[0], one[1] + other[1], one[2] + other[2])


def _sum(many: t.Iterable[Amounts]) -> Amounts:
    total: Amounts = (0.0, 0.0, 0.0)
    for amounts in many:
        total = _plus(total, amounts)
    return total


def _said(place: int, amounts: Amounts) -> str:
    if RESOURCES[place] == "memory":
        return f"{amounts[place] / 2**30:.1f} GiB of memory"
    return f"{amounts[place]:.1f} CPUs" if RESOURCES[place] == "cpu" else f"{amounts[place]:.0f} pods"
