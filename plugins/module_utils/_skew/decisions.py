# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The whole judgement of the skew check on what was read: pure."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.acceptance import Accepted, accept
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_cluster import cluster_findings
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_config import config_findings
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_hosts import host_findings
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_workloads import workload_findings
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    BLOCKER,
    Cluster,
    Finding,
    Host,
    Json,
    NodeState,
    Request,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import Hop, make_plan
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.state import (
    addon_versions,
    config_version,
    left_to_do,
    node_states,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.summary import summary
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version


class Verdict(t.TypedDict):
    """The keys of the module's result that are decided here; see its RETURN."""

    current: str | None
    target: str
    upgrade_needed: bool
    hops: list[Hop]
    nodes: list[Json]
    unfinished: list[str]
    addons: dict[str, str | None]
    findings: list[Finding]
    accepted: list[Accepted]
    blockers: int
    summary: list[str]


def decide(cluster: Cluster, hosts: list[Host], request: Request, acceptances: list[Json], *, now: float) -> Verdict:
    """Plan the hops and judge the findings. `now` is in seconds since the epoch."""
    states = node_states(cluster)
    addons = addon_versions(cluster)
    plan = make_plan(states, request, config=config_version(cluster), kube_proxy=addons.get("kube-proxy"))
    findings = [
        *plan.problems,
        *cluster_findings(cluster, states, request, plan),
        *config_findings(cluster, states, request, plan),
        *host_findings(hosts, states, request, plan, cluster.kubelet_config, now),
        *workload_findings(cluster, request, plan),
    ]
    kept, accepted = accept(findings, acceptances)
    needed = bool(plan.hops or plan.problems)
    nodes = [_node(state, request.target) for state in states]
    return Verdict(
        current=str(plan.current) if plan.current else None,
        target=str(request.target),
        upgrade_needed=needed,
        hops=plan.hops,
        nodes=nodes,
        unfinished=[node["name"] for node in nodes if not node["done"]],
        addons={name: _text(version) for name, version in addons.items()},
        findings=kept,
        accepted=accepted,
        blockers=sum(1 for entry in kept if entry["severity"] == BLOCKER),
        summary=summary(str(request.target), plan.hops, kept, needed=needed),
    )


def _node(state: NodeState, target: Version) -> Json:
    left = left_to_do(state, target)
    return {
        "name": state.name,
        "role": state.role,
        "kubelet_version": _text(state.kubelet),
        "api_server_version": _text(state.api_server) if state.is_control_plane else None,
        "components": {name: _text(version) for name, version in state.components.items()},
        "etcd_version": _text(state.etcd),
        "ready": state.ready,
        "cordoned": state.cordoned,
        "cordoned_by": state.cordoned_by,
        "done": not left,
        "left": left,
    }


def _text(version: Version | None) -> str | None:
    return str(version) if version else None
