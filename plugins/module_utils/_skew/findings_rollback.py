# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Findings on the rollback of a control plane or of kubelets: pure."""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _emulation
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._rollback.decisions import FINALIZED, Refusal, why_not
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    BLOCKER,
    Cluster,
    Finding,
    NodeState,
    finding,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.state import addon_versions, system_pods
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import image_tag
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version


def _refusals(cluster: Cluster, target: Version) -> list[tuple[str, str, Refusal]]:
    """(node, component, why) of the running components that cannot be rolled back to `target`."""
    pods = system_pods(cluster)
    found = []
    for name in _emulation.COMPONENTS:
        for node, pod in api.static_pods(pods, name).items():
            emulated = api.flag(api.pod_arguments(pod), _emulation.FLAG)
            refusal = why_not(image_tag(api.pod_image(pod, name)), emulated, target)
            if refusal:
                found.append((node, name, refusal))
    return sorted(found, key=lambda each: each[0])


def control_plane_findings(
    cluster: Cluster,
    states: list[NodeState],
    target: Version,
    *,
    kubelets: bool,
    kubelet_servers: t.Mapping[str, str],
) -> list[Finding]:
    """What stands against a control plane at `target`.

    With `kubelets` these are rolled back as well: workers first, that of a
    control-plane node together with its control plane.
    """
    found: list[Finding] = []
    for node, name, refusal in _refusals(cluster, target):
        final = refusal.id == FINALIZED
        found.append(
            finding(
                "rollback-finalized" if final else "rollback-version",
                BLOCKER,
                f"pod/kube-system/{name}-{node}",
                refusal.why,
                "Restore the snapshot of the time before, or finalize the other nodes."
                if final
                else "Give the version that the control plane had before the upgrade.",
                _emulation.SOURCE if final else rules.SKEW_POLICY,
            )
        )
    several = sum(1 for state in states if state.is_control_plane) > 1
    for state in states:
        if state.kubelet is None or state.kubelet.minor <= target.minor:
            continue
        if not kubelets:
            remedy = "Set rollback_kubelets=true, so that the kubelets are rolled back first."
        elif several and state.is_control_plane and not _is_local(cluster, state.name, kubelet_servers):
            # It would reach the API servers of other nodes that are rolled back before its own.
            remedy = (
                "Roll the kubelets back first, in a run of its own with rollback_kubelets=true and "
                "rollback_control_plane=false."
            )
        else:
            continue
        found.append(
            finding(
                "rollback-kubelet-newer",
                BLOCKER,
                f"node/{state.name}",
                f"its kubelet is {state.kubelet.tag}, newer than {target.tag}",
                remedy,
                rules.SKEW_POLICY,
            )
        )
    deployed = rules.etcd_minor_for(target.minor)
    found += [
        finding(
            "rollback-etcd-newer",
            BLOCKER,
            f"pod/kube-system/etcd-{state.name}",
            f"is {state.etcd}, and kubeadm of {target.minor_text} deploys {deployed[0]}.{deployed[1]}",
            "Restore the snapshot of the time before; or accept this where you know that it goes well.",
            "https://etcd.io/docs/latest/downgrades/",
        )
        for state in states
        if deployed and state.etcd and (state.etcd.major, state.etcd.minor) > deployed
    ]
    proxy = addon_versions(cluster).get("kube-proxy")
    if proxy is not None and proxy.minor > target.minor:
        found.append(
            finding(
                "rollback-addon-newer",
                BLOCKER,
                "daemonset/kube-system/kube-proxy",
                f"is {proxy.tag}, newer than {target.tag}",
                "Take its image back first, and wait until it is rolled out.",
                rules.SKEW_POLICY,
            )
        )
    return found


def _is_local(cluster: Cluster, node: str, kubelet_servers: t.Mapping[str, str]) -> bool:
    """Whether the kubelet of a control-plane node asks the API server of that node alone."""
    pod = api.static_pods(system_pods(cluster), "kube-apiserver").get(node)
    own = urlsplit(f"//{api.advertise_address(pod) or ''}").hostname if pod else None
    return own is not None and urlsplit(kubelet_servers.get(node, "")).hostname in (
        own,
        "localhost",
        "127.0.0.1",
        "::1",
    )


def kubelet_findings(target: Version, newest: Version) -> list[Finding]:
    """Where kubelets go back alone. The policy counts from the newest API server that a kubelet can reach."""
    if newest.minor - target.minor <= rules.kubelet_minors_older(target.minor):
        return []
    return [
        finding(
            "rollback-kubelet-too-old",
            BLOCKER,
            "cluster",
            f"kubelets of {target.tag} with an API server of {newest.tag}",
            "Choose a version that the version skew policy allows.",
            rules.SKEW_POLICY,
        )
    ]
