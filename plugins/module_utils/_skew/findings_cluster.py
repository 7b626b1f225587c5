# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Findings on nodes, control plane and versions: pure."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.decisions import readiness
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
    version_or_none,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import Plan
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.state import (
    addon_versions,
    system_pods,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version


def cluster_findings(cluster: Cluster, states: list[NodeState], request: Request, plan: Plan) -> list[Finding]:
    found = []
    for part, why in sorted(cluster.unreadable.items()):
        found.append(
            finding(
                "unreadable",
                WARNING,
                part,
                why,
                "Give the credentials the right to read it, or check it by hand: what it would show is not known.",
            )
        )
    found += _nodes(cluster, states, request)
    found += _inventory(states, request)
    found += _static_pods(cluster, states)
    found += _skew(states, plan)
    found += _addons(cluster, states)
    found += _direct(cluster)
    return found


def _nodes(cluster: Cluster, states: list[NodeState], request: Request) -> list[Finding]:
    found = []
    nodes = {api.name_of(node): node for node in cluster.nodes}
    for state in states:
        subject = f"node/{state.name}"
        if not state.ready:
            # Where no host was read, the run may be of every node.
            of_run = state.is_control_plane or state.name in (request.places or [state.name])
            found.append(node_not_ready(nodes[state.name], of_run=of_run))
        if state.kubelet is None:
            found.append(
                finding(
                    "kubelet-version-unknown",
                    BLOCKER,
                    subject,
                    f"the kubelet reports the version {api.kubelet_version(nodes[state.name]) or 'nothing'!r}",
                    "Check that the kubelet of this node runs and is a release of Kubernetes.",
                )
            )
        found += _vendor_builds(cluster, state, subject, api.kubelet_version(nodes[state.name]))
        if state.cordoned_by is not None:
            run = state.cordoned_by
            found.append(
                finding(
                    "node-cordoned-by-run",
                    NOTE,
                    subject,
                    f"cordoned by run {run.get('run', 'unknown')} at {run.get('at', 'an unknown time')}",
                    "Nothing: this run takes the node up again and uncordons it.",
                )
            )
        elif state.cordoned:
            found.append(
                finding(
                    "node-cordoned",
                    WARNING,
                    subject,
                    "cordoned, and not by this tool",
                    f"It stays cordoned after the upgrade. If that is not meant: kubectl uncordon {state.name}",
                )
            )
    return found


def node_not_ready(node: Json, *, of_run: bool) -> Finding:
    """Of a node that the run touches, or of one that it leaves alone and does not wait for."""
    name = api.name_of(node)
    see = f"See: kubectl describe node {name}; and on the node: journalctl -u kubelet."
    return finding(
        "node-not-ready",
        BLOCKER if of_run else WARNING,
        f"node/{name}",
        api.why_not(node, "Ready"),
        see if of_run else f"Nothing for this run, which leaves the node alone and does not wait for it. {see}",
    )


def _vendor_builds(cluster: Cluster, state: NodeState, subject: str, kubelet: str) -> list[Finding]:
    """Programs of the node with a suffix that no release of the community has."""
    said = next((answer["version"] for answer in cluster.api_servers if answer["node"] == state.name), "")
    texts = {"kubelet": kubelet, "kube-apiserver": said}
    builds = [
        f"{name} {text}" for name, text in texts.items() if (v := version_or_none(text)) and v.build and not v.pre
    ]
    if not builds:
        return []
    return [
        finding(
            "vendor-build",
            WARNING,
            subject,
            f"{', '.join(builds)}: no release of the community. It counts as the version before the suffix",
            "Upgrade it by the means of its vendor. A run of this collection puts packages and images of the community "
            "in its place where they are newer.",
            rules.RELEASES_SOURCE,
        )
    ]


def hosts_of_one_node(hosts: Mapping[str, str]) -> list[Finding]:
    """Nodes that several hosts of the inventory say to be: a run would act on one of them, and take it for all."""
    by_node: dict[str, list[str]] = {}
    for host, node in hosts.items():
        by_node.setdefault(node, []).append(host)
    return [
        finding(
            "inventory-hosts-of-one-node",
            BLOCKER,
            f"node/{node}",
            f"the hosts {', '.join(sorted(names)[:-1])} and {max(names)} of the inventory are this one node",
            "Leave one of them in the inventory. Where they are machines of their own, one is a copy of the other: "
            "reset it with kubeadm, and join it under a name of its own.",
        )
        for node, names in sorted(by_node.items())
        if len(names) > 1
    ]


def _inventory(states: list[NodeState], request: Request) -> list[Finding]:
    found = hosts_of_one_node(request.inventory_hosts)
    roles = {state.name: state.role for state in states}
    for name in request.inventory or []:
        if name not in roles:
            found.append(
                finding(
                    "inventory-node-not-in-cluster",
                    BLOCKER,
                    f"node/{name}",
                    "the inventory has this host, the cluster has no node of this name",
                    "Correct the inventory, or tell the node's name where it differs from the host's.",
                )
            )
    for state in states:
        if request.inventory is not None and state.name not in request.inventory:
            found.append(
                finding(
                    "cluster-node-not-in-inventory",
                    BLOCKER if state.is_control_plane else WARNING,
                    f"node/{state.name}",
                    f"the cluster has this {state.role.replace('_', '-')} node, the inventory does not",
                    "Add it to the inventory, or it stays at its version and may fall out of the skew policy.",
                )
            )
        if request.control_plane is None or state.name not in (request.inventory or [state.name]):
            continue
        if state.is_control_plane != (state.name in request.control_plane):
            found.append(
                finding(
                    "role-differs",
                    BLOCKER,
                    f"node/{state.name}",
                    f"a {state.role.replace('_', '-')} node of the cluster; the inventory says otherwise",
                    "Correct the groups of the inventory, or the label node-role.kubernetes.io/control-plane.",
                )
            )
    return found


def _static_pods(cluster: Cluster, states: list[NodeState]) -> list[Finding]:
    found = []
    pods = system_pods(cluster)
    servers = api.static_pods(pods, "kube-apiserver")
    components = [*api.VERSIONED_COMPONENTS]
    if api.has_stacked_etcd(servers.values()) or api.static_pods(pods, "etcd"):
        components.append("etcd")
    for component in components:
        shown = api.static_pods(pods, component)
        for state in states:
            if not state.is_control_plane:
                continue
            subject = f"pod/kube-system/{component}-{state.name}"
            remedy = (
                f"On {state.name}: crictl ps -a --name {component}; crictl logs <container>; journalctl -u kubelet."
            )
            if state.name not in shown:
                found.append(
                    finding("static-pod-missing", BLOCKER, subject, "the node shows no such static pod", remedy)
                )
                continue
            trouble = api.pod_trouble(shown[state.name])
            if trouble:
                found.append(finding("static-pod-not-ready", BLOCKER, subject, trouble, remedy))
    return found


def _skew(states: list[NodeState], plan: Plan) -> list[Finding]:
    """The version skew policy, on what runs now and on the first hop."""
    servers = {s.name: s.api_server for s in states if s.is_control_plane and s.api_server}
    if not servers:
        return []
    found = []
    oldest, newest = min(servers.values()), max(servers.values())
    if oldest.minors_to(newest) > rules.API_SERVER_SPREAD:
        told = ", ".join(f"{name} {version.tag}" for name, version in sorted(servers.items()))
        found.append(_skewed("api-servers-too-far-apart", "cluster", told, "Upgrade the oldest API server first."))
    first = plan.hops[0] if plan.hops else None
    next_server = Version.parse(first["to"]) if first else newest
    for state in states:
        kubelet = state.kubelet
        if kubelet is None:
            continue
        subject = f"node/{state.name}"
        if _newer(kubelet, oldest):
            found.append(_kubelet_newer(state, kubelet, oldest))
        allowed = rules.kubelet_minors_older(kubelet.minor)
        if kubelet.minors_to(newest) > allowed:
            evidence = f"kubelet {kubelet.tag} is more than {allowed} minors older than the API server {newest.tag}"
            found.append(_skewed("kubelet-too-old", subject, evidence, "Upgrade this node now."))
        elif first and kubelet.minors_to(next_server) > allowed and not state.is_control_plane:
            evidence = f"kubelet {kubelet.tag} would be more than {allowed} minors older than {next_server.tag}"
            remedy = f"Upgrade this node to {oldest} before the control plane goes on."
            found.append(_skewed("kubelet-too-old-for-hop", subject, evidence, remedy))
        found += _controllers(state)
    return found


def _kubelet_newer(state: NodeState, kubelet: Version, oldest: Version) -> Finding:
    """No blocker on a control-plane node beside its own new API server: an unfinished upgrade looks like that."""
    evidence = f"kubelet {kubelet.tag} is newer than the API server {oldest.tag}"
    subject = f"node/{state.name}"
    if state.is_control_plane and state.api_server is not None and not _newer(kubelet, state.api_server):
        return finding(
            "kubelet-newer-than-api-server",
            WARNING,
            subject,
            f"{evidence} of another node; its own runs {state.api_server.tag}",
            "Nothing beyond this upgrade: it brings the other API servers to this version first. Until then the server "
            "in /etc/kubernetes/kubelet.conf should be the node's own API server.",
            rules.SKEW_POLICY,
        )
    remedy = "Upgrade the control plane first, or put the older kubelet back on this drained node."
    return _skewed("kubelet-newer-than-api-server", subject, evidence, remedy)


def _controllers(state: NodeState) -> list[Finding]:
    """kubeadm points kube-controller-manager and kube-scheduler at the API server of their own node."""
    found = []
    for component, version in state.components.items():
        if component == "kube-apiserver" or version is None or state.api_server is None:
            continue
        if _newer(version, state.api_server) or version.minors_to(state.api_server) > rules.CONTROLLER_OLDER:
            evidence = f"{component} {version.tag} beside kube-apiserver {state.api_server.tag}"
            remedy = f"Run on {state.name}: kubeadm upgrade node; it brings the static pods of the node together."
            found.append(_skewed("controller-skew", f"node/{state.name}", evidence, remedy))
    return found


def _addons(cluster: Cluster, states: list[NodeState]) -> list[Finding]:
    proxy = addon_versions(cluster).get("kube-proxy")
    servers = [s.api_server for s in states if s.is_control_plane and s.api_server]
    if proxy is None or not servers:
        return []
    subject = "daemonset/kube-system/kube-proxy"
    allowed = rules.kubelet_minors_older(proxy.minor)
    if _newer(proxy, min(servers)):
        evidence = f"kube-proxy {proxy.tag} is newer than the API server {min(servers).tag}"
        return [_skewed("kube-proxy-newer-than-api-server", subject, evidence, "Upgrade the control plane.")]
    if proxy.minors_to(max(servers)) > allowed:
        evidence = f"kube-proxy {proxy.tag} is more than {allowed} minors older than {max(servers).tag}"
        remedy = "On a control-plane node: kubeadm upgrade node phase addon kube-proxy"
        return [_skewed("kube-proxy-too-old", subject, evidence, remedy)]
    return []


def _direct(cluster: Cluster) -> list[Finding]:
    """The gates of a run wait until each answers, and ask them from where the plan does."""
    found = []
    for answer in cluster.api_servers:
        subject, address = f"node/{answer['node']}", answer["address"] or "an unknown address"
        ready, seen = readiness(answer["readyz"])
        if not ready:
            found.append(
                finding(
                    "api-server-not-asked",
                    BLOCKER,
                    subject,
                    f"the API server at {address} is not seen to be ready, {seen}",
                    "A run waits until each API server is ready, and asks each at its own address. Where this host "
                    "cannot reach it: upgrade_api_host with a host that can, such as a control-plane node, or "
                    "upgrade_ssh_tunnel through one. Where it can, see the log of that API server.",
                )
            )
        elif answer["error"]:
            found.append(
                finding(
                    "api-server-not-asked",
                    WARNING,
                    subject,
                    f"the API server at {address} gave no usable answer: {answer['error']}",
                    "Give the credentials the right to read /version and /metrics: the deprecated APIs that were "
                    "asked of this server are not known.",
                )
            )
    return found


def _newer(version: Version, than: Version) -> bool:
    """Newer as the skew policy means it: by minor. Patches of one minor go together in any order."""
    return (version.major, version.minor) > (than.major, than.minor)


def _skewed(id: str, subject: str, evidence: str, remedy: str) -> Finding:
    return finding(id, BLOCKER, subject, evidence, remedy, rules.SKEW_POLICY)
