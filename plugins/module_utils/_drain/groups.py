# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""In which order the pods of a node go, and which of them a drain leaves alone or waits for. Pure.

The label is the one of Cluster API, and so is its precedence: what a pod says
of itself wins over the rules of the task, of which the first that fits counts
(kubernetes-sigs/cluster-api, docs/proposals/20240930-machine-drain-rules.md).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import Json, priority_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.selectors import Requirement, meets, parse
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError

LABEL = "cluster.x-k8s.io/drain"
EVICT, SKIP, WAIT_COMPLETED = "evict", "skip", "wait_completed"
_BY_LABEL = {"skip": SKIP, "wait-completed": WAIT_COMPLETED}

POD_RULES: dict[str, t.Any] = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "options": {
        "selector": {"type": "str", "default": ""},
        "namespaces": {"type": "list", "elements": "str"},
        "behaviour": {"type": "str", "choices": ["evict", "skip", "wait_completed"], "default": "evict"},
        "order": {"type": "int", "default": 0},
    },
}
"""The option of that name."""

Group = tuple[int, int]
"""Pods of a lower group go first."""


@dataclass(frozen=True)
class Rule:
    """What a task says about some pods; `namespaces` of None are all."""

    requirements: list[Requirement]
    text: str
    namespaces: tuple[str, ...] | None = None
    behaviour: str = EVICT
    order: int = 0

    def fits(self, pod: Json) -> bool:
        metadata = pod["metadata"]
        if self.namespaces is not None and metadata["namespace"] not in self.namespaces:
            return False
        return meets(self.requirements, metadata.get("labels") or {})


def read_rules(given: list[Json]) -> tuple[Rule, ...]:
    """The rules of the option ``pod_rules``, ``[{selector, namespaces, behaviour, order}]``."""
    rules = []
    for entry in given:
        behaviour, order = entry.get("behaviour") or EVICT, entry.get("order") or 0
        text = entry.get("selector") or ""
        if behaviour == SKIP and order:
            raise EvergreenError(
                f"The rule for {text or 'all pods'!r} has the behaviour skip and an order, which contradict each other."
            )
        namespaces = entry.get("namespaces")
        rules.append(Rule(parse(text), text, tuple(namespaces) if namespaces else None, behaviour, order))
    return tuple(rules)


@dataclass(frozen=True)
class Treatment:
    """What is done with a pod: `behaviour` and why, and the group that it goes with."""

    behaviour: str
    reason: str
    group: Group
    warning: str = ""


def treatment(pod: Json, rules: tuple[Rule, ...], *, by_priority: bool) -> Treatment:
    """What the pod's own label says, else the first rule that fits, else an eviction."""
    fitting = next((rule for rule in rules if rule.fits(pod)), None)
    order = fitting.order if fitting else 0
    group = (order, priority_of(pod) if by_priority else 0)
    value = (pod["metadata"].get("labels") or {}).get(LABEL)
    by_label = _BY_LABEL.get(value.lower()) if value else None
    if by_label:
        return Treatment(by_label, f"its label {LABEL} says {value}", group)
    warning = f"its label {LABEL} says {value}, which is neither skip nor wait-completed" if value else ""
    if fitting and fitting.behaviour != EVICT:
        return Treatment(fitting.behaviour, f"the rule for {fitting.text or 'all pods'} says so", group, warning)
    return Treatment(EVICT, "", group, warning)
