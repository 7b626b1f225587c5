# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""How far each node is, by the evidence of the API: pure."""

from __future__ import annotations

from collections import Counter

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _emulation
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._programs.used import component_args
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    Cluster,
    Json,
    NodeState,
    version_or_none,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import image_tag
from ansible_collections.evergreen.kubeadm.plugins.module_utils._taint.decisions import run_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version


def system_pods(cluster: Cluster) -> list[Json]:
    return [pod for pod in cluster.pods if (pod.get("metadata") or {}).get("namespace") == "kube-system"]


def node_states(cluster: Cluster) -> list[NodeState]:
    """One state a node, control plane first, then by name.

    The version of an API server is what it said itself; where it could not be
    asked, the image tag of its static pod.
    """
    pods = system_pods(cluster)
    static = {component: api.static_pods(pods, component) for component in (*api.VERSIONED_COMPONENTS, "etcd")}
    movable = Counter(api.node_of(pod) for pod in cluster.pods if api.is_evictable(pod))
    said = {answer["node"]: version_or_none(answer["version"]) for answer in cluster.api_servers}
    states = []
    for node in cluster.nodes:
        name = api.name_of(node)
        tags = {
            component: version_or_none(image_tag(api.pod_image(static[component][name], component)))
            for component in static
            if name in static[component]
        }
        control_plane = api.is_control_plane(node)
        states.append(
            NodeState(
                name=name,
                role="control_plane" if control_plane else "worker",
                kubelet=version_or_none(api.kubelet_version(node)),
                api_server=said.get(name) or tags.get("kube-apiserver"),
                components={c: tags.get(c) for c in api.VERSIONED_COMPONENTS} if control_plane else {},
                etcd=tags.get("etcd"),
                emulated=_emulated(cluster, {c: static[c][name] for c in _emulation.COMPONENTS if name in static[c]}),
                ready=api.is_true(node, "Ready"),
                cordoned=api.is_cordoned(node),
                cordoned_by=api.cordoned_by(node),
                stale_cordon_mark=api.has_stale_mark(node),
                tainted_by=run_of(node),
                labels=api.labels(node),
                movable_pods=movable[name],
            )
        )
    return sorted(states, key=lambda state: (not state.is_control_plane, state.name))


def _emulated(cluster: Cluster, pods: dict[str, Json]) -> dict[str, str]:
    """--emulated-version of a node's components, without those that an operator set in kubeadm-config."""
    found = {}
    for component, pod in pods.items():
        value = api.flag(api.pod_arguments(pod), _emulation.FLAG)
        configured = (name for name, _value in component_args(cluster.cluster_config, component))
        if value and _emulation.FLAG not in configured:
            found[component] = value
    return found


def left_to_do(state: NodeState, target: Version) -> list[str]:
    """What of the node is not at `target`, such as ``kubelet v1.34.4``; empty where the node is done.

    A node that a run of this tool cordoned is not done before it is uncordoned.
    """
    left = []
    if state.is_control_plane:
        for component, version in state.components.items():
            if version != target:
                left.append(f"{component} {version.tag if version else 'unknown'}")
        left += [f"{component} emulates {value}" for component, value in state.emulated.items()]
        if state.components.get("kube-apiserver") == target and state.api_server != target:
            left.append(f"kube-apiserver answers with {state.api_server.tag if state.api_server else 'no version'}")
    if state.kubelet != target:
        left.append(f"kubelet {state.kubelet.tag if state.kubelet else 'unknown'}")
    if state.cordoned_by is not None:
        left.append("still cordoned by an earlier run")
    return left


def addon_versions(cluster: Cluster) -> dict[str, Version | None]:
    """Image tags of kube-proxy and CoreDNS; an addon that the cluster does not have is absent."""
    found = {}
    for name, workload in (("kube-proxy", cluster.kube_proxy), ("coredns", cluster.coredns)):
        if workload is not None:
            template = (workload.get("spec") or {}).get("template") or {}
            found[name] = version_or_none(image_tag(api.pod_image(template, name)))
    return found


def absent_addons(cluster: Cluster) -> list[str]:
    """Addons of kubeadm that the cluster is known not to have."""
    workloads = {"coredns": cluster.coredns, "kube-proxy": cluster.kube_proxy}
    return [name for name, found in workloads.items() if found is None and name not in cluster.unreadable]


def config_version(cluster: Cluster) -> Version | None:
    """The version that kubeadm-config says, which kubeadm sets once the first control-plane node is through."""
    return version_or_none(str((cluster.cluster_config or {}).get("kubernetesVersion", "")))


def etcd_image_tag(cluster: Cluster) -> str:
    """The etcd.local.imageTag of kubeadm-config; empty where kubeadm takes its own."""
    local = ((cluster.cluster_config or {}).get("etcd") or {}).get("local") or {}
    return str(local.get("imageTag") or "")
