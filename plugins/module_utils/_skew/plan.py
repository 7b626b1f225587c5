# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The hops from where the cluster is to the target: pure.

The control plane goes one minor at a time, also with a single API server
(https://kubernetes.io/releases/version-skew-policy/). A half-upgraded cluster
is a normal input: what is done already is left out.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.in_place import obstacle
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.applying import applies_on
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.etcd_path import (
    EtcdPath,
    EtcdStep,
    Stage,
    etcd_path,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    BLOCKER,
    Finding,
    Host,
    NodeState,
    Request,
    finding,
    version_or_none,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.state import left_to_do
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.way_back import (
    flags_for,
    minor_to_keep,
    soak_left,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.worker_order import names_in_order
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

# Without a plan there is nothing that an acceptance could let through.
NO_PLAN = (
    *("control-plane-unknown", "downgrade", "other-major", "intermediate-version-unknown"),
    *("upgrade-not-finalized", "finalize-too-early", "rollback-not-possible"),
    *("rollback-version", "rollback-finalized"),
)


# `from` is a word of the language, so that this type needs the functional form.
Hop = t.TypedDict(
    "Hop",
    {
        "from": str,
        "to": str,
        "control_plane": list[str],
        "workers": list[str],
        "kubelets": list[str],
        "in_place": list[str],
        "kubelets_later": list[str],
        "apply_needed": bool,
        "applies_on": t.Optional[str],
        "etcd": t.Optional[EtcdStep],
        "etcd_image_tag": str,
        "rollback_safe": bool,
        "extra_flags": dict[str, dict[str, str]],
        "absent_addons": list[str],
    },
)


@dataclass
class Plan:
    """`current` is the oldest API server's version. Without hops and problems nothing is to be done."""

    current: Version | None
    hops: list[Hop] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)
    etcd: EtcdPath = field(default_factory=EtcdPath)


def make_plan(
    states: list[NodeState],
    request: Request,
    *,
    config: Version | None,
    kube_proxy: Version | None,
    etcd_pinned: bool = False,
    absent_addons: t.Sequence[str] = (),
    hosts: t.Sequence[Host] = (),
) -> Plan:
    """Plan the hops. `config` is the version in kubeadm-config, `kube_proxy` that of the addon; None is unknown.

    `etcd_pinned` says that kubeadm-config names an etcd image that this tool did not set, `absent_addons` are those of
    kubeadm that the cluster does not have. Of `hosts`, those whose kubelet may meet any API server get theirs last.
    """
    servers = [s.api_server for s in states if s.is_control_plane and s.api_server]
    if not servers:
        return Plan(None, problems=[_no_servers()])
    lowest, highest = min(servers), max(servers)
    chain, problems = _chain(lowest, highest, request)
    if problems:
        return Plan(lowest, problems=problems)
    members = [state.etcd for state in states if state.etcd]
    path = etcd_path(
        min(members, default=None),
        chain,
        before=lowest if lowest == highest and config in (None, lowest) else None,
        bridges=request.etcd_bridges,
        images=request.etcd_images,
        pinned=etcd_pinned,
    )
    hops = _hops(states, path, request, lowest, config, kube_proxy)
    elsewhere = {host.name for host in hosts if asks_elsewhere(host)}
    for hop in hops:
        to = Version.parse(hop["to"])
        if to.minor >= rules.ADDON_PHASES_SINCE:
            hop["absent_addons"] = list(absent_addons)
        if to.minor != Version.parse(hop["from"]).minor:
            hop["kubelets_later"] = [
                name for name in hop["control_plane"] if name in hop["kubelets"] and name in elsewhere
            ]
    return Plan(lowest, hops=hops, etcd=path)


def _chain(lowest: Version, highest: Version, request: Request) -> tuple[list[Version], list[Finding]]:
    target = request.target
    if target.major != lowest.major:
        return [], [_problem("other-major", f"API server {lowest.tag}, target {target.tag}", "Choose a target of 1.x.")]
    if target < highest:
        return [], [
            _problem(
                "downgrade",
                f"an API server runs {highest.tag}, newer than the target {target.tag}",
                f"Choose {highest} or newer; a control plane cannot go back to an older version. "
                "To go back to the state before, restore the etcd snapshot of that time.",
            )
        ]
    chain, missing = [], []
    first = lowest.minor if request.patch_first and lowest.minor == highest.minor else lowest.minor + 1
    for minor in range(first, target.minor):
        # A hop that an earlier run has begun is ended with the version that it began with.
        offered = [v for v in request.available if (v.major, v.minor) == (target.major, minor) and not v.pre]
        if minor == lowest.minor:
            chain += [max(offered)] if offered and max(offered) > lowest else []
        elif highest.minor == minor:
            chain.append(highest)
        elif offered:
            chain.append(max(offered))
        else:
            missing.append(f"{target.major}.{minor}")
    if missing:
        return [], [
            _problem(
                "intermediate-version-unknown",
                f"from {lowest.tag} to {target.tag} the control plane passes through {', '.join(missing)}, "
                "and available_versions names no version of it",
                "Upgrade to the newest patch of the next minor first, or give the plan what your package repositories "
                "offer: available_versions (preflight_available_versions of the role preflight).",
            )
        ]
    return [*chain, target], []


def _hops(
    states: list[NodeState],
    path: EtcdPath,
    request: Request,
    lowest: Version,
    config: Version | None,
    kube_proxy: Version | None,
) -> list[Hop]:
    order = {name: place for place, name in enumerate(request.control_plane or [])}
    kubelets = {state.name: state.kubelet for state in states}
    hops: list[Hop] = []
    before = lowest
    for place, stage in enumerate(path.stages):
        to, last = stage.to, place == len(path.stages) - 1
        if stage.only_etcd:
            hops.append(_etcd_hop(states, order, stage))
            continue
        if request.rollback_safe:
            hops += _rollback_safe_hop(states, order, stage, before, config, request)
            before = to
            continue
        following = None if last else path.stages[place + 1].to
        control_plane = [
            state
            for state in states
            if state.is_control_plane
            and (left_to_do(state, to) if last else _is_behind(state, kubelets, to) or _was_begun(state, to, not hops))
        ]
        # Nodes that an earlier run has begun come first, then the order of the inventory.
        control_plane.sort(key=lambda s: (s.api_server != to, order.get(s.name, len(order)), s.name))
        behind = [
            state
            for state in states
            if not state.is_control_plane
            and (request.inventory is None or state.name in request.inventory)
            and (
                _worker_goes(state, kubelets[state.name], to, following, request.workers)
                or _was_begun(state, to, not hops)
            )
        ]
        workers = names_in_order(behind, request)
        servers = [s.api_server for s in states if s.is_control_plane]
        addon_behind = kube_proxy is not None and kube_proxy < to and all(server == to for server in servers)
        # In the first part of an upgrade that can be taken back, kubeadm left out what is not of the control plane.
        held_back = last and any(state.emulated for state in states)
        apply_needed = (config is None or config < to) or (last and addon_behind) or held_back
        names = [state.name for state in control_plane]
        if apply_needed and not names:
            names = [_first(states, order)]
        if names or workers:
            restarted = [
                state.name
                for state in states
                if state.name in (*names, *workers) and (kubelets[state.name] != to or state.cordoned_by is not None)
            ]
            hops.append(
                {
                    "from": str(before),
                    "to": str(to),
                    "control_plane": names,
                    "workers": workers,
                    "kubelets": restarted,
                    "in_place": _in_place(restarted, kubelets, to) if request.patch_without_drain else [],
                    "kubelets_later": [],
                    "apply_needed": apply_needed,
                    "applies_on": applies_on(names, request, apply_needed=apply_needed, before=before, to=to),
                    "etcd": stage.step,
                    "etcd_image_tag": stage.image_tag,
                    "rollback_safe": False,
                    "extra_flags": {},
                    "absent_addons": [],
                }
            )
        before = to
        kubelets.update({name: to for name in (*names, *workers) if (kubelets[name] or to) <= to})
    return hops


def asks_elsewhere(host: Host) -> bool:
    """Whether the kubelet of a control-plane node reaches the API by another address than its own API server's.

    A load balancer may hand it to an API server of an older minor, which its next version must not meet.
    """
    asked = urlsplit(host.kubelet_server).hostname
    return bool(asked and host.advertise_address) and asked not in (
        host.advertise_address,
        "localhost",
        "127.0.0.1",
        "::1",
    )


def drained_by(hop: t.Mapping[str, t.Any]) -> list[str]:
    """The nodes that a hop drains, in their order: those whose kubelets it upgrades without their pods."""
    kubelets = set(hop["kubelets"]) - set(hop.get("in_place") or ())
    return [name for name in (*hop["control_plane"], *hop["workers"]) if name in kubelets]


def _in_place(names: list[str], kubelets: dict[str, Version | None], to: Version) -> list[str]:
    """Those of `names` whose kubelets change their patch alone. The node itself is asked once more in its turn."""
    return [name for name in names if (now := kubelets[name]) is not None and not obstacle(now, to)]


def _etcd_hop(states: list[NodeState], order: dict[str, int], stage: Stage) -> Hop:
    """A hop of etcd alone, from one image tag to another of the same Kubernetes version."""
    bridge = version_or_none(stage.image_tag)
    members = [s for s in states if s.is_control_plane and (s.etcd is None or bridge is None or s.etcd < bridge)]
    members.sort(key=lambda s: (order.get(s.name, len(order)), s.name))
    return {
        "from": str(stage.to),
        "to": str(stage.to),
        "control_plane": [state.name for state in members],
        "workers": [],
        "kubelets": [],
        "in_place": [],
        "kubelets_later": [],
        "apply_needed": False,
        "applies_on": None,
        "etcd": stage.step,
        "etcd_image_tag": stage.image_tag,
        "rollback_safe": False,
        "extra_flags": {},
        "absent_addons": [],
    }


def _rollback_safe_hop(
    states: list[NodeState],
    order: dict[str, int],
    stage: Stage,
    before: Version,
    config: Version | None,
    request: Request,
) -> list[Hop]:
    """The hop of the control plane alone, which then emulates the minor before; none where that is done.

    etcd stays as it is, since there is no way back from its next minor.
    """
    minor = minor_to_keep(states)
    planes = [s for s in states if s.is_control_plane and soak_left(s, stage.to, minor or stage.to.minor)]
    planes.sort(key=lambda s: (s.api_server != stage.to, order.get(s.name, len(order)), s.name))
    apply_needed = config is None or config < stage.to
    if not planes and not apply_needed:
        return []
    names = [state.name for state in planes] or [_first(states, order)]
    return [
        {
            "from": str(before),
            "to": str(stage.to),
            "control_plane": names,
            "workers": [],
            "kubelets": [],
            "in_place": [],
            "kubelets_later": [],
            "apply_needed": apply_needed,
            "applies_on": applies_on(names, request, apply_needed=apply_needed, before=before, to=stage.to),
            "etcd": None,
            "etcd_image_tag": "",
            "rollback_safe": True,
            "extra_flags": flags_for(minor, stage.to),
            "absent_addons": [],
        }
    ]


def _was_begun(state: NodeState, to: Version, first_hop: bool) -> bool:
    """Whether an earlier run left the node cordoned: what it began is ended before anything else."""
    return first_hop and state.cordoned_by is not None and (state.kubelet is None or state.kubelet <= to)


def _is_behind(state: NodeState, kubelets: dict[str, Version | None], to: Version) -> bool:
    versions = [*state.components.values(), state.api_server, kubelets[state.name]]
    return any(version is None or version < to for version in versions)


def _worker_goes(
    state: NodeState, kubelet: Version | None, to: Version, following: Version | None, policy: str
) -> bool:
    """Whether a worker is upgraded in the hop to `to`; `following` is the next hop's version, None in the last hop."""
    if kubelet is not None and kubelet > to:
        return False
    if following is None:
        return bool(left_to_do(state, to)) if kubelet == state.kubelet else kubelet != to
    if policy == "each_hop":
        return kubelet is None or kubelet < to
    # Only where the control plane of the next hop would leave this kubelet too far behind.
    return kubelet is None or following.minor - kubelet.minor > rules.kubelet_minors_older(kubelet.minor)


def _first(states: list[NodeState], order: dict[str, int]) -> str:
    return min((s.name for s in states if s.is_control_plane), key=lambda name: (order.get(name, len(order)), name))


def _problem(id: str, evidence: str, remedy: str) -> Finding:
    return finding(id, BLOCKER, "cluster", evidence, remedy, rules.SKEW_POLICY)


def _no_servers() -> Finding:
    return finding(
        "control-plane-unknown",
        BLOCKER,
        "cluster",
        "no node with the label node-role.kubernetes.io/control-plane shows a kube-apiserver static pod",
        "Check that this is a cluster of kubeadm, and that the credentials may list nodes and the pods of kube-system.",
    )
