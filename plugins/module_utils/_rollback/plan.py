# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Which nodes are rolled back to a version, in which order, and what stands against it: pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _emulation
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.cut_off import CutOff
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.decisions import NotReady
from ansible_collections.evergreen.kubeadm.plugins.module_utils._plan.refusal import refusal
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.acceptance import Accepted, accept
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_cluster import (
    hosts_of_one_node,
    node_not_ready,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_rollback import (
    control_plane_findings,
    kubelet_findings,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_system_pods import (
    not_ready_before,
    system_pod_findings,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    BLOCKER,
    Cluster,
    Finding,
    Json,
    NodeState,
    finding,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.state import (
    config_version,
    node_states,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.summary import CLEARED, grouped
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version


@dataclass
class Request:
    """What is to be rolled back to `target`. `order` names the control-plane nodes as the upgrade takes them.

    `hosts` has the names of nodes by the hosts of the inventory, `kubelet_servers`
    the API server that the kubelet of a node is told, by node.
    """

    target: Version
    control_plane: bool = True
    kubelets: bool = False
    order: list[str] = field(default_factory=list)
    hosts: dict[str, str] = field(default_factory=dict)
    kubelet_servers: dict[str, str] = field(default_factory=dict)


class RollbackPlan(t.TypedDict):
    """`kubelets` are all that are rolled back, `workers` and `control_plane` the nodes in their order.

    `hops` is empty: a rollback has none. It is there for what reads the plan of an upgrade.
    """

    current: str | None
    target: str
    needed: bool
    cut_off: Json | None
    kubelets: list[str]
    workers: list[str]
    control_plane: list[str]
    config_needed: bool
    not_ready: NotReady
    image_repository: str
    hops: list[Json]
    nodes: list[Json]
    findings: list[Finding]
    accepted: list[Accepted]
    blockers: int
    refusal: str
    summary: list[str]


def make_plan(
    cluster: Cluster, request: Request, acceptances: list[Json], cut_off: CutOff | None = None, *, now: float
) -> RollbackPlan:
    """Plan the rollback and judge it. What is rolled back already is left out. `now` is in seconds since the epoch.

    An interrupted run has something left to do, be it only to release its lock.
    """
    states = node_states(cluster)
    planes = [state for state in states if state.is_control_plane]
    servers = [state.api_server for state in planes if state.api_server]
    findings: list[Finding] = hosts_of_one_node(request.hosts)
    hosts_of = {name: host for host, name in request.hosts.items()}
    if not servers:
        findings.append(
            finding(
                "control-plane-unknown",
                BLOCKER,
                "cluster",
                "no node with the label node-role.kubernetes.io/control-plane shows a kube-apiserver static pod",
                "Check that this is a cluster of kubeadm, and that the credentials may list nodes and pods.",
            )
        )
    elif request.control_plane:
        findings += control_plane_findings(
            cluster, states, request.target, kubelets=request.kubelets, kubelet_servers=request.kubelet_servers
        )
    elif request.kubelets:
        findings += kubelet_findings(request.target, max(servers))
    kubelets = _kubelets(states, request)
    back = _planes(planes, request)
    names = {state.name for state in planes}
    # What the upgrade broke is a reason for a rollback.
    findings += system_pod_findings(cluster, now, wait=False)
    nodes = {api.name_of(node): node for node in cluster.nodes}
    findings += [
        node_not_ready(nodes[state.name], of_run=False)
        for state in states
        if not state.ready and not state.is_control_plane and state.name not in kubelets
    ]
    kept, accepted = accept(findings, acceptances)
    config = config_version(cluster)
    config_needed = request.control_plane and config is not None and config != request.target
    needed = bool(kubelets or back or config_needed or cut_off)
    return RollbackPlan(
        current=str(max(servers)) if servers else None,
        target=str(request.target),
        needed=needed,
        cut_off=cut_off._asdict() if cut_off else None,
        kubelets=kubelets,
        workers=[name for name in kubelets if name not in names],
        control_plane=[*back, *(name for name in kubelets if name in names and name not in back)],
        config_needed=config_needed,
        not_ready=not_ready_before(cluster, kept, accepted, now),
        image_repository=str((cluster.cluster_config or {}).get("imageRepository") or ""),
        hops=[],
        nodes=[
            {
                "host": hosts_of.get(state.name, ""),
                **_node(state, left=state.name in (*kubelets, *back)),
                **_wanted(state, request.target if state.name in back else state.api_server),
            }
            for state in states
        ],
        findings=kept,
        accepted=accepted,
        blockers=sum(1 for entry in kept if entry["severity"] == BLOCKER),
        refusal=refusal(kept),
        summary=_summary(request, kubelets, back, kept, needed=needed, cut_off=cut_off),
    )


def _planes(planes: list[NodeState], request: Request) -> list[str]:
    """Nodes whose control plane is to be rolled back: those that have begun first, then the last of the upgrade."""
    if not request.control_plane:
        return []
    place = {name: number for number, name in enumerate(request.order)}

    def begun(state: NodeState) -> bool:
        return any(version == request.target for version in state.components.values())

    left = [
        state
        for state in planes
        if state.api_server != request.target
        or any(version != request.target for version in state.components.values())
        or any((_emulation.emulated_minor(value) or 0) >= request.target.minor for value in state.emulated.values())
    ]
    left.sort(key=lambda state: (place.get(state.name, len(place)), state.name), reverse=True)
    left.sort(key=lambda state: not begun(state))
    return [state.name for state in left]


def _kubelets(states: list[NodeState], request: Request) -> list[str]:
    """Nodes whose kubelets are to be rolled back, workers first; one that an earlier run left cordoned is not done."""
    if not request.kubelets:
        return []
    left = [
        state
        for state in states
        if state.cordoned_by is not None or (state.kubelet is not None and state.kubelet > request.target)
    ]
    return [state.name for state in sorted(left, key=lambda s: (s.is_control_plane, s.cordoned_by is None, s.name))]


def _wanted(state: NodeState, version: Version | None) -> Json:
    """What kubeadm_upgrade is told of a control-plane node; nothing where it has no API server.

    A component that emulates a minor before `version` goes on with that: the
    rollback to it stays possible.
    """
    if version is None or not state.is_control_plane:
        return {}
    return {
        "kubernetes_version": str(version),
        "extra_flags": {
            component: {_emulation.FLAG: value}
            for component, value in state.emulated.items()
            if (_emulation.emulated_minor(value) or version.minor) < version.minor
        },
    }


def _node(state: NodeState, *, left: bool) -> Json:
    """The keys of skew_check's nodes that its readers use."""
    return {
        "name": state.name,
        "role": state.role,
        "kubelet_version": str(state.kubelet) if state.kubelet else None,
        "api_server_version": str(state.api_server) if state.api_server and state.is_control_plane else None,
        "components": {name: str(version) if version else None for name, version in state.components.items()},
        "emulated": dict(state.emulated),
        "stale_cordon_mark": state.stale_cordon_mark,
        "done": not left,
    }


def _summary(
    request: Request,
    kubelets: list[str],
    planes: list[str],
    findings: list[Finding],
    *,
    needed: bool,
    cut_off: CutOff | None,
) -> list[str]:
    if not needed:
        lines = [f"Nothing to do: what is to be rolled back is at {request.target}."]
    else:
        parts = (("kubelets", kubelets), ("control plane", planes))
        said = "; ".join(f"{what} {', '.join(names) or 'none'}" for what, names in parts)
        lines = [f"rollback to {request.target}: {said}"]
    if cut_off and not kubelets and not planes:
        lines.append(f"{cut_off.told()}. {CLEARED}")
    for found in grouped(findings):
        subjects = ", ".join(found["subjects"])
        lines.append(f"{found['severity']} {found['id']} ({subjects}): {found['evidence']}. {found['remedy']}")
    return lines
