# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must be true of the cluster when all faults are over and the upgrade has ended."""

from __future__ import annotations

import json
import typing as t

from lab import cluster, machines

if t.TYPE_CHECKING:
    from lab.config import Lab

Json = dict[str, t.Any]

LEFTOVERS = (
    "/etc/systemd/system/evergreen-kubeadm-swap.service",
    "/var/lib/evergreen-kubeadm/swap/swap.json",
    "/var/lib/evergreen-kubeadm/kubeadm-upgrade.json",
)


class Picture(t.NamedTuple):
    """What an upgrade must leave as it was."""

    replicas: dict[str, int]
    """Ready replicas of each workload."""
    flags: dict[str, list[str]]
    """Flags of the API server of each control-plane node."""
    taints: dict[str, list[Json]]
    cordoned: list[str]


def look(lab: Lab) -> Picture:
    nodes = json.loads(cluster.kubectl(lab, "get", "nodes", "-o", "json"))["items"]
    workloads = json.loads(
        cluster.kubectl(lab, "get", "deployments,statefulsets,daemonsets", "--all-namespaces", "-o", "json")
    )["items"]
    pods = json.loads(
        cluster.kubectl(lab, "get", "pods", "-n", "kube-system", "-l", "component=kube-apiserver", "-o", "json")
    )["items"]
    return Picture(
        {_name(item): item["status"].get("readyReplicas", item["status"].get("numberReady", 0)) for item in workloads},
        {pod["spec"]["nodeName"]: pod["spec"]["containers"][0]["command"] for pod in pods},
        {node["metadata"]["name"]: node["spec"].get("taints", []) for node in nodes},
        [node["metadata"]["name"] for node in nodes if node["spec"].get("unschedulable")],
    )


def problems(lab: Lab, before: Picture, version: str) -> list[str]:
    """What is not as it must be, in sentences; empty where all is well."""
    after = look(lab)
    found = [f"{name} runs {seen}" for name, seen in cluster.versions(lab).items() if seen != f"v{version}"]
    found += [f"{name} is cordoned" for name in after.cordoned]
    found += [f"{name} has taints {taints}" for name, taints in after.taints.items() if taints != before.taints[name]]
    found += [
        f"{name} has {after.replicas.get(name, 0)} ready replicas and had {count}"
        for name, count in before.replicas.items()
        if after.replicas.get(name, 0) != count
    ]
    found += [
        f"the API server of {name} has other flags: {sorted(set(words) ^ set(before.flags[name]))}"
        for name, words in after.flags.items()
        if set(words) != set(before.flags[name])
    ]
    leases = json.loads(cluster.kubectl(lab, "get", "leases", "-n", "kube-system", "-o", "json"))["items"]
    found += [
        f"the Lease {lease['metadata']['name']} is held"
        for lease in leases
        if lease["metadata"]["name"].startswith("evergreen") and lease["spec"].get("holderIdentity")
    ]
    for node in lab.nodes:
        for path in LEFTOVERS:
            if machines.execute(lab, node, "test", "-e", path, check=False).returncode == 0:
                found.append(f"{node.name} still has {path}")
    return found + cluster.problems(lab)


def _name(item: Json) -> str:
    return f"{item['kind']} {item['metadata']['namespace']}/{item['metadata']['name']}"
