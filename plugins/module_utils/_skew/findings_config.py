# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Findings on kubeadm's configuration, etcd and the flags of the control plane: pure."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    BLOCKER,
    NOTE,
    WARNING,
    Cluster,
    Finding,
    Json,
    NodeState,
    Request,
    finding,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import Plan
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.state import (
    config_version,
    system_pods,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version


def config_findings(cluster: Cluster, states: list[NodeState], request: Request, plan: Plan) -> list[Finding]:
    return [
        *_config(cluster, states, request),
        *_etcd(cluster, states, plan),
        *_control_plane_flags(cluster, request),
    ]


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
                "kubeadm does not upgrade it. Bring it to a version that the target supports before.",
                "https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-upgrade/",
            )
        ]
    found = []
    lowest = min(members.values())
    ahead = [rules.etcd_minor_for(Version.parse(hop["to"]).minor) for hop in plan.hops]
    for rule in rules.ETCD_RULES:
        crosses = any(minor is not None and minor >= rule.after for minor in ahead)
        if not crosses or (lowest.major, lowest.minor) != rule.before:
            continue
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
                    f"Set etcd.local.imageTag to {rule.minimum}-0 or newer in kubeadm-config and run on each "
                    "control-plane node: kubeadm upgrade node phase control-plane. Or accept it once you are sure that "
                    "the members are exactly the control-plane nodes and none is a learner.",
                    rule.source,
                )
            )
    prefix, since, source = rules.ETCD_FLAG_PREFIX_REMOVED
    if any(minor is not None and minor >= since for minor in ahead):
        for argument in _extra_args((cluster.cluster_config or {}).get("etcd", {}).get("local") or {}):
            if argument.startswith(prefix):
                found.append(
                    _flag_removed(
                        "etcd", argument, f"etcd {since[0]}.{since[1]} does not start with it", BLOCKER, source
                    )
                )
    return found


def _control_plane_flags(cluster: Cluster, request: Request) -> list[Finding]:
    """Removed flags in kubeadm-config stop the new pod; those in a manifest only are lost, kubeadm writes it anew."""
    found = []
    pods = system_pods(cluster)
    keys = {
        "kube-apiserver": "apiServer",
        "kube-controller-manager": "controllerManager",
        "kube-scheduler": "scheduler",
    }
    for component, key in keys.items():
        configured = _extra_args((cluster.cluster_config or {}).get(key) or {})
        in_use: set[str] = set()
        for pod in api.static_pods(pods, component).values():
            in_use.update(word[2:].split("=")[0] for word in api.pod_arguments(pod) if word.startswith("--"))
        for name in sorted(in_use | set(configured)):
            for rule in rules.REMOVED_FLAGS:
                if rule.component != component or not rule.covers(name) or request.target.minor < rule.since:
                    continue
                why = f"removed in 1.{rule.since}"
                if name in configured:
                    found.append(_flag_removed(component, name, f"{why}, set in kubeadm-config", BLOCKER, rule.source))
                else:
                    told = f"{why}, set in the static pod and not in kubeadm-config"
                    found.append(_flag_removed(component, name, told, WARNING, rule.source))
    return found


def _flag_removed(component: str, name: str, why: str, severity: str, source: str) -> Finding:
    return finding(
        "flag-removed",
        severity,
        f"{component} --{name}",
        why,
        "Take it out of the extraArgs of kubeadm-config, and out of the patches that you give to kubeadm.",
        source,
    )


def _extra_args(part: Json) -> list[str]:
    """Names of extraArgs: a map up to v1beta3, a list of name and value from v1beta4 on."""
    found = part.get("extraArgs") or {}
    return [str(entry.get("name", "")) for entry in found] if isinstance(found, list) else list(found)
