# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Findings on kubeadm's configuration, and on the way of etcd: pure."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    BLOCKER,
    NOTE,
    WARNING,
    Cluster,
    Finding,
    NodeState,
    Request,
    finding,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import Plan
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.state import (
    config_version,
    etcd_image_tag,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version


def config_findings(cluster: Cluster, states: list[NodeState], request: Request, plan: Plan) -> list[Finding]:
    return [*_config(cluster, states, request), *_etcd(cluster, states, plan)]


def _config(cluster: Cluster, states: list[NodeState], request: Request) -> list[Finding]:
    subject = "configmap/kube-system/kubeadm-config"
    if "kubeadm-config" in cluster.unreadable:
        return []
    if cluster.cluster_config is None:
        return [
            finding(
                "kubeadm-config-missing",
                BLOCKER,
                subject,
                "there is no ClusterConfiguration in the cluster, and kubeadm upgrade needs it",
                "On a control-plane node, with the cluster's settings in a file: "
                "kubeadm init phase upload-config kubeadm --config <file>",
                "https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-init-phase/",
            )
        ]
    found = []
    version = str(cluster.cluster_config.get("apiVersion", ""))
    if (
        version.endswith(("/v1beta1", "/v1beta2", "/v1beta3"))
        and request.target.minor >= rules.CONFIG_V1BETA3_REMOVED_IN
    ):
        found.append(
            finding(
                "kubeadm-config-version",
                BLOCKER,
                subject,
                f"{version}, which kubeadm {request.target.minor_text} cannot read any more",
                f"With kubeadm 1.{rules.CONFIG_V1BETA3_REMOVED_IN - 1}: kubeadm config migrate, then upload the result "
                "with: kubeadm init phase upload-config kubeadm --config <file>",
                rules.CONFIG_SOURCE,
            )
        )
    said = config_version(cluster)
    running = {s.api_server for s in states if s.is_control_plane and s.api_server}
    if said is not None and running and said not in running:
        told = ", ".join(sorted(v.tag for v in running))
        found.append(
            finding(
                "kubeadm-config-differs",
                NOTE,
                subject,
                f"kubernetesVersion is {said.tag}, the API servers run {told}",
                "Nothing: kubeadm upgrade apply writes it anew.",
            )
        )
    return found


def _etcd(cluster: Cluster, states: list[NodeState], plan: Plan) -> list[Finding]:
    members = {s.name: s.etcd for s in states if s.etcd}
    if not members:
        external = ((cluster.cluster_config or {}).get("etcd") or {}).get("external")
        if not external:
            return []
        return [
            finding(
                "etcd-external",
                NOTE,
                "etcd",
                f"external etcd at {', '.join(external.get('endpoints') or []) or 'unknown endpoints'}",
                "kubeadm does not upgrade it: bring it to a version that the target supports before. The run saves a "
                "snapshot of it, with the client certificate of kube-apiserver.",
                "https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-upgrade/",
            )
        ]
    found = []
    lowest = min(members.values())
    found += _etcd_path(cluster, lowest, plan)
    for rule in plan.etcd.uncrossed:
        minimum = Version.parse(rule.minimum)
        old = {name: version for name, version in members.items() if version < minimum}
        for name, version in sorted(old.items()):
            found.append(
                finding(
                    f"etcd-before-{rule.after[0]}.{rule.after[1]}",
                    BLOCKER,
                    f"pod/kube-system/etcd-{name}",
                    f"etcd {version} goes to {rule.after[0]}.{rule.after[1]}, which needs {rule.minimum} on every "
                    f"member before: {rule.why}",
                    f"Name an image of etcd {rule.minimum} or newer that your registry has in etcd_bridges "
                    "(preflight_etcd_bridges of the role preflight), and the run goes over it first. In a control "
                    "plane of mixed versions, bring its nodes to one version before.",
                    rule.source,
                )
            )
    return found


def _etcd_path(cluster: Cluster, lowest: Version, plan: Plan) -> list[Finding]:
    """What the run does about etcd that an operator would not expect."""
    found = [
        finding(
            "etcd-bridge",
            NOTE,
            "etcd",
            f"etcd {lowest} goes to {rule.after[0]}.{rule.after[1]} over the image {tag}: {rule.why}",
            "Nothing: the run sets etcd.local.imageTag in kubeadm-config for that and takes it out again. The registry "
            "must have the image; it is pulled before anything is changed.",
            rule.source,
        )
        for rule, tag in plan.etcd.bridged
    ]
    tag = etcd_image_tag(cluster)
    if plan.hops and tag not in ("", cluster.etcd_bridge):
        found.append(
            finding(
                "etcd-pinned",
                WARNING,
                "configmap/kube-system/kubeadm-config",
                f"etcd.local.imageTag is {tag}, so kubeadm leaves etcd at it whatever it is upgraded to",
                "Take etcd.local.imageTag out of the ClusterConfiguration, unless you keep this etcd on purpose: "
                "kubectl -n kube-system edit configmap kubeadm-config",
                "https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/",
            )
        )
    return found
