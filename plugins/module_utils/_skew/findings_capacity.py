# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Whether the pods of the nodes that are away at a time find room elsewhere. Pure.

An estimate: by requests, node selectors and taints. Affinity, spread and
volumes are not looked at. Without room in total there is none for certain.
"""

from __future__ import annotations

import functools
import re
import typing as t
from decimal import Decimal

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import tolerates
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.drains import Drains
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.folding import some
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    WARNING,
    Cluster,
    Finding,
    Json,
    finding,
)

SOURCE = "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/"
# CPUs, bytes of memory, pods: what nearly every cluster's scheduler decides by.
RESOURCES = ("cpu", "memory", "pods")
_QUANTITY = re.compile(r"^([+-]?[0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?$")
_POWERS = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}

Amounts = tuple[float, float, float]
Entry = tuple[Amounts, Json]
"""A pod, and what it asks for."""


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


def capacity_findings(cluster: Cluster, drains: Drains) -> list[Finding]:
    """For the batches of nodes whose pods ask for most."""
    nodes = {api.name_of(node): node for node in cluster.nodes}
    moved: dict[str, list[Entry]] = {}
    for pod in drains.moved:
        moved.setdefault(api.node_of(pod), []).append((requests_of(pod), pod))
    if not moved:
        return []
    taken: dict[str, Amounts] = {}
    for pod in cluster.pods:
        if api.node_of(pod) in nodes and not api.is_finished(pod):
            taken[api.node_of(pod)] = _plus(taken.get(api.node_of(pod)), requests_of(pod))
    free = {
        name: _free(node, taken.get(name))
        for name, node in nodes.items()
        if api.is_true(node, "Ready") and not api.is_cordoned(node)
    }
    found = []
    for batch in _largest(drains.batches, moved):
        rest = {name: amounts for name, amounts in free.items() if name not in batch}
        others = {name: amounts for name, amounts in rest.items() if amounts is not None}
        # A node that does not tell what it has may have room.
        if len(others) == len(rest):
            found += _judge(batch, [entry for name in batch for entry in moved.get(name, [])], others, nodes)
    return found


def _largest(batches: list[list[str]], moved: dict[str, list[Entry]]) -> list[list[str]]:
    """Those whose pods ask for most of each resource."""
    sums = [_sum(amounts for name in batch for amounts, _pod in moved.get(name, [])) for batch in batches]
    places = {max(range(len(batches)), key=lambda at: sums[at][resource]) for resource in range(len(RESOURCES))}
    return [batches[place] for place in sorted(places)]


def _judge(batch: list[str], pods: list[Entry], free: dict[str, Amounts], nodes: dict[str, Json]) -> list[Finding]:
    whose = "its" if len(batch) == 1 else "their"
    needed, offered = _sum(amounts for amounts, _pod in pods), _sum(free.values())
    short = [place for place in range(len(RESOURCES)) if needed[place] > offered[place]]
    if short:
        told = ", ".join(f"{_said(place, needed)} of {_said(place, offered)}" for place in short)
        why = f"{whose} {len(pods)} movable pods ask for more than is free on all other nodes: {told}"
    else:
        homeless = _first_fit(pods, free, nodes)
        if not homeless:
            return []
        why = f"of {whose} {len(pods)} movable pods {len(homeless)} find no node with room for them: {some(homeless)}"
    serial = "" if len(batch) == 1 else ", or upgrade fewer workers at a time (upgrade_worker_serial)"
    return [
        finding(
            "capacity-short",
            WARNING,
            f"node/{some(batch)}",
            f"{why}. They would be Pending while {'it is' if len(batch) == 1 else 'these nodes are'} away",
            "Add a node for the time of the upgrade, scale something down, or lower requests that are too high"
            f"{serial}.",
            SOURCE,
        )
    ]


def _first_fit(pods: list[Entry], free: dict[str, Amounts], nodes: dict[str, Json]) -> list[str]:
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
