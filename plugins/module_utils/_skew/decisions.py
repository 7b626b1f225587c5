# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The whole judgement of the skew check on what was read: pure."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.cut_off import CutOff, lock_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.decisions import NotReady, is_left
from ansible_collections.evergreen.kubeadm.plugins.module_utils._plan.refusal import refusal
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.acceptance import Accepted, accept
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.changes import release_changes
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.drains import foresee
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_addons import addon_findings
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_capacity import capacity_findings
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_cluster import cluster_findings
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_config import config_findings
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_control_plane import (
    control_plane_findings,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_etcd import (
    backup_findings,
    etcd_findings,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_hosts import host_findings
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_objects import object_findings
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_pods import pod_findings
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_programs import program_findings
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_static_pods import static_pod_findings
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_system_pods import (
    not_ready_before,
    system_pod_findings,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_way_back import way_back_findings
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_workloads import workload_findings
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.folding import fold
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
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.programs import read_programs
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.state import (
    absent_addons,
    addon_versions,
    config_version,
    etcd_image_tag,
    left_to_do,
    node_states,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.summary import summary
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.targets import target_findings
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.way_back import WayBack, way_back
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version


class Verdict(t.TypedDict):
    """The keys of the module's result that are decided here; see its RETURN."""

    current: str | None
    target: str
    upgrade_needed: bool
    cut_off: Json | None
    hops: list[Hop]
    nodes: list[Json]
    unfinished: list[str]
    way_back: WayBack
    not_ready: NotReady
    addons: dict[str, str | None]
    image_repository: str
    findings: list[Finding]
    accepted: list[Accepted]
    blockers: int
    refusal: str
    summary: list[str]


def decide(
    cluster: Cluster,
    hosts: list[Host],
    request: Request,
    acceptances: list[Json],
    *,
    now: float,
    programs: list[Json] | None = None,
    cut_off: CutOff | None = None,
) -> Verdict:
    """Plan the hops and judge the findings. `now` is in seconds since the epoch.

    `programs` are results of target_programs. A run that was cut off has
    something left to do, be it only to give its lock back.
    """
    states = node_states(cluster)
    addons = addon_versions(cluster)
    plan = make_plan(
        states,
        request,
        config=config_version(cluster),
        kube_proxy=addons.get("kube-proxy"),
        etcd_pinned=etcd_image_tag(cluster) not in ("", cluster.etcd_bridge),
        absent_addons=absent_addons(cluster),
        hosts=hosts,
    )
    drains = foresee(cluster, plan.hops, request)
    target_programs = read_programs(programs or [], request.target)
    findings = [
        *plan.problems,
        *target_findings(request, plan.hops, plan.problems),
        *cluster_findings(cluster, states, request, plan),
        *system_pod_findings(cluster, now),
        *config_findings(cluster, states, request, plan),
        *host_findings(hosts, states, request, plan, cluster, now),
        *program_findings(cluster, hosts, states, request, plan, target_programs),
        *workload_findings(cluster, request, plan, drains),
        *static_pod_findings(hosts, request, plan, target_programs),
        *control_plane_findings(cluster, request),
        *etcd_findings(cluster, states, request),
        *backup_findings(request, plan),
        *object_findings(cluster),
        *pod_findings(cluster, drains, now),
        *capacity_findings(cluster, drains),
        *addon_findings(cluster, request, plan),
        *release_changes(cluster, plan),
        *way_back_findings(cluster, states, request, plan),
    ]
    kept, accepted = accept(findings, acceptances)
    not_ready = not_ready_before(cluster, kept, accepted, now)
    kept = fold(kept)
    leftovers = [state.name for state in states if state.tainted_by is not None]
    unfinished = is_left(lock_of(cluster.leases))
    needed = bool(plan.hops or plan.problems or leftovers or cut_off or unfinished)
    hosts_of = {name: host for host, name in request.inventory_hosts.items()}
    nodes = [{"host": hosts_of.get(state.name, ""), **_node(state, request.target)} for state in states]
    return Verdict(
        current=str(plan.current) if plan.current else None,
        target=str(request.target),
        upgrade_needed=needed,
        cut_off=cut_off._asdict() if cut_off else None,
        hops=plan.hops,
        nodes=nodes,
        unfinished=[node["name"] for node in nodes if not node["done"]],
        image_repository=str((cluster.cluster_config or {}).get("imageRepository") or ""),
        way_back=way_back(states, request.target),
        not_ready=not_ready,
        addons={name: _text(version) for name, version in addons.items()},
        findings=kept,
        accepted=accepted,
        blockers=sum(1 for entry in kept if entry["severity"] == BLOCKER),
        refusal=refusal(kept),
        summary=summary(
            str(request.target),
            plan.hops,
            kept,
            needed=needed,
            nodes=nodes,
            leftovers=leftovers,
            cut_off=cut_off,
            unfinished=unfinished,
        ),
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
        "stale_cordon_mark": state.stale_cordon_mark,
        "tainted_by": state.tainted_by,
        "movable_pods": state.movable_pods,
        "done": not left,
        "left": left,
    }


def _text(version: Version | None) -> str | None:
    return str(version) if version else None
