# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is measured."""

from __future__ import annotations

from dataclasses import dataclass

# How long a pod takes to stop, whoever asks it to.
STOP_AFTER = "1s"
# How long one drain may take, for all tools.
TIMEOUT_S = 900

OURS = "drain_node"
MODULE = "drain_node module process"
KUBECTL = "kubectl drain"
K8S_DRAIN = "kubernetes.core.k8s_drain"
TOOLS = (OURS, MODULE, KUBECTL, K8S_DRAIN)
# What a playbook takes that drains nothing: what no drain by a playbook of its own can take less than.
NOTHING = "a playbook of one ping"


@dataclass(frozen=True)
class Case:
    """A node with `pods` pods of one Deployment, drained while one other node can take them."""

    name: str
    pods: int
    max_unavailable: str | int | None = None
    """Of a PodDisruptionBudget over all of them; None is no budget."""
    crowded: bool = False
    """In a cluster that has NODES nodes and at least PODS pods in all."""
    repetitions: int | None = None
    """At most so many, where one takes minutes."""


# Of the crowded cluster, the two nodes and the pods of the case included.
NODES = 1000
PODS = 10000

CASES = (
    Case("1 pod", 1),
    Case("110 pods", 110),
    Case("110 pods, budget 10 %", 110, max_unavailable="10%"),
    Case("110 pods, budget 2 pods", 110, max_unavailable=2),
    Case("10 pods, 1,000 nodes", 10, crowded=True),
    Case("110 pods, 1,000 nodes", 110, crowded=True),
)


def key_of(case: Case) -> str:
    """The case on a command line and in the names of objects: ``110-pods-budget-10``."""
    words = "".join(letter if letter.isalnum() else " " for letter in case.name.replace(",0", "0")).split()
    return "-".join(words)


def rotated(tools: tuple[str, ...], by: int) -> tuple[str, ...]:
    """The order of a repetition: each tool is first, second and so on in turn, so that drift hits all alike."""
    cut = by % len(tools)
    return tools[cut:] + tools[:cut]
