# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Findings on an upgrade that can be taken back: whether it can be, and how far it is. Pure."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _emulation
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.flags import configured_flags
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    BLOCKER,
    NOTE,
    Cluster,
    Finding,
    NodeState,
    Request,
    finding,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import Plan
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.way_back import SOAKING, minor_to_keep, way_back

CONFIGURED = (_emulation.FLAG, "min-compatibility-version")


def way_back_findings(cluster: Cluster, states: list[NodeState], request: Request, plan: Plan) -> list[Finding]:
    planes = [state for state in states if state.is_control_plane]
    if plan.current is None:
        return []
    if request.rollback_safe:
        return [*_impossible(cluster, planes, request, plan), *_etcd_waits(planes, request, plan)]
    if request.finalize:
        return _too_early(planes, request)
    return _not_finalized(states, request)


def _not_finalized(states: list[NodeState], request: Request) -> list[Finding]:
    back = way_back(states, request.target)
    if not back["nodes"]:
        return []
    whole = "the control plane emulates" if back["state"] == SOAKING else f"{', '.join(back['nodes'])} emulate"
    return [
        finding(
            "upgrade-not-finalized",
            BLOCKER,
            "cluster",
            f"{whole} {back['minor']}: an upgrade that can be taken back has begun and has not ended",
            "Say which way it is to go: upgrade_finalize=true ends it, upgrade_rollback_safe=true goes on with its "
            "first part, playbooks/rollback.yml takes it back.",
            _emulation.SOURCE,
        )
    ]


def _too_early(planes: list[NodeState], request: Request) -> list[Finding]:
    late = [
        f"{state.name} ({state.api_server.tag if state.api_server else 'unknown'})"
        for state in planes
        if state.api_server != request.target
    ]
    if not late:
        return []
    return [
        finding(
            "finalize-too-early",
            BLOCKER,
            "cluster",
            f"API servers that are not at {request.target.tag}: {', '.join(late)}",
            "Finalizing ends an upgrade whose first part is done everywhere. Run that with upgrade_rollback_safe=true, "
            "or upgrade in one go without either option.",
            _emulation.SOURCE,
        )
    ]


def _impossible(cluster: Cluster, planes: list[NodeState], request: Request, plan: Plan) -> list[Finding]:
    """Why an upgrade to the target could not be taken back."""
    target, minor = request.target, minor_to_keep(planes)
    if minor is None or not plan.etcd.stages:
        return []
    found: list[tuple[str, str, str]] = []
    kubernetes_hops = [stage for stage in plan.etcd.stages if not stage.only_etcd]
    if len(kubernetes_hops) > 1:
        versions = ", ".join(stage.to.tag for stage in kubernetes_hops)
        found.append(
            (
                "cluster",
                f"the way to {target.tag} has {len(kubernetes_hops)} hops ({versions}), and the way back is one",
                "Upgrade to the next version of the way, finalize, then go on.",
            )
        )
    elif minor != target.minor:
        if minor < _emulation.OLDEST:
            found.append(
                (
                    "cluster",
                    f"nothing emulates 1.{minor}; 1.{_emulation.OLDEST} is the oldest minor that a newer one emulates",
                    "Upgrade without upgrade_rollback_safe. The way back is then a restore of etcd.",
                )
            )
        found += [
            (
                f"{component} --{name}",
                "set in the extraArgs of kubeadm-config, where it stands against the flag of this upgrade",
                "Take it out of kubeadm-config, or upgrade without upgrade_rollback_safe.",
            )
            for component in _emulation.COMPONENTS
            for name in CONFIGURED
            if name in configured_flags(cluster.cluster_config, component)
        ]
        found += [
            (
                f"node/{state.name}",
                f"at {target.minor_text} and not emulating 1.{minor}, so that newer things may be stored: "
                + ", ".join(ahead),
                "Go on without upgrade_rollback_safe. The way back is now a restore of etcd.",
            )
            for state in planes
            if (ahead := _ahead(state, target.minor))
        ]
    return [
        finding("rollback-not-possible", BLOCKER, subject, evidence, remedy, _emulation.SOURCE)
        for subject, evidence, remedy in found
    ]


def _ahead(state: NodeState, minor: int) -> list[str]:
    """Components that have the features of the target already."""
    return [
        component
        for component, version in state.components.items()
        if version is not None and version.minor >= minor and component not in state.emulated
    ]


def _etcd_waits(planes: list[NodeState], request: Request, plan: Plan) -> list[Finding]:
    members = [state.etcd for state in planes if state.etcd]
    steps = [stage.step for stage in plan.etcd.stages if stage.step and not stage.only_etcd]
    if not members or not steps or steps[-1]["from_minor"] == steps[-1]["to_minor"]:
        return []
    return [
        finding(
            "etcd-waits-for-finalize",
            NOTE,
            "etcd",
            f"stays at {min(members)} until the upgrade is finalized, since etcd {steps[-1]['to_minor']} cannot become "
            f"{steps[-1]['from_minor']} again by its image",
            "Nothing. Finalizing upgrades etcd, then there is no way back but a restore.",
            "https://etcd.io/docs/latest/downgrades/",
        )
    ]
