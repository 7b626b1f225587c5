# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Findings on taking a control plane or kubelets back: pure."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _emulation
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._rollback.decisions import (
    FINALIZED,
    Component,
    why_not,
)
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


def running_components(cluster: Cluster) -> dict[str, dict[str, Component]]:
    """The running components by node and name."""
    pods = system_pods(cluster)
    found: dict[str, dict[str, Component]] = {}
    for name in _emulation.COMPONENTS:
        for node, pod in api.static_pods(pods, name).items():
            value = api.flag(api.pod_arguments(pod), _emulation.FLAG)
            tag = image_tag(api.pod_image(pod, name))
            flags = {_emulation.FLAG: value} if value else {}
            found.setdefault(node, {})[name] = Component(name, None, tag, flags)
    return found


def control_plane_findings(
    cluster: Cluster, states: list[NodeState], target: Version, *, kubelets: bool
) -> list[Finding]:
    """What stands against a control plane at `target`; with `kubelets` these go back before it."""
    found: list[Finding] = []
    for node, components in sorted(running_components(cluster).items()):
        refusals = [(name, refusal) for name, each in components.items() if (refusal := why_not(each, target))]
        for name, refusal in refusals:
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
    if not kubelets:
        newer = [s for s in states if s.kubelet is not None and s.kubelet.minor > target.minor]
        found += [
            finding(
                "rollback-kubelet-newer",
                BLOCKER,
                f"node/{state.name}",
                f"its kubelet is {state.kubelet.tag if state.kubelet else ''}, newer than {target.tag}",
                "Set rollback_kubelets=true, so that the kubelets go back first.",
                rules.SKEW_POLICY,
            )
            for state in newer
        ]
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
