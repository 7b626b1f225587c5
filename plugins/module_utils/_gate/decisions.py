# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Whether the cluster, or one node, is as it must be before the next step: pure functions on one look at it."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.baseline import Before, subject_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.model import Json
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.decisions import NotReady
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import image_tag
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version, VersionError


class Answer(t.TypedDict, total=False):
    """What one request found: `status` and `body`, or `error` where no answer came."""

    status: int
    body: str
    error: str


class ApiServer(t.TypedDict):
    """One API server, asked directly."""

    node: str
    address: str | None
    readyz: Answer
    version: Answer


class Look(t.TypedDict, total=False):
    """What one look at the cluster found. A part that was not needed is absent.

    `errors` maps a part to why it could not be read, `before` is what was not ready when the upgrade began.
    """

    nodes: list[Json]
    before: NotReady
    system_pods: list[Json]
    daemon_sets: list[Json]
    workloads: list[Json]
    heartbeats: dict[str, str]
    first_heartbeats: dict[str, str]
    api_servers: list[ApiServer]
    errors: dict[str, str]


class Check(t.TypedDict):
    """One judgement. `name` is the condition, `subject` what it was judged on, `seen` what was there."""

    name: str
    subject: str
    ok: bool
    seen: str


class Wanted(t.NamedTuple):
    """What the gate waits for. `node` of None is every node; `version` of None is any version.

    `heartbeat_after` is a time by the clock of the node; empty is the first look of the gate.
    """

    conditions: tuple[str, ...]
    node: str | None = None
    version: Version | None = None
    workload_namespaces: tuple[str, ...] = ()
    ignored_workloads: frozenset[str] = frozenset()
    ignored_nodes: frozenset[str] = frozenset()
    heartbeat_after: str = ""


# Which parts of a Look each condition reads.
NEEDS: dict[str, tuple[str, ...]] = {
    "node_ready": ("nodes", "before"),
    "node_heartbeat": ("nodes", "before", "heartbeats"),
    "kubelet_version": ("nodes",),
    "control_plane_ready": ("nodes", "system_pods"),
    "etcd_ready": ("nodes", "system_pods"),
    "api_servers_ready": ("nodes", "system_pods", "api_servers"),
    "api_version": ("nodes", "system_pods", "api_servers"),
    "system_pods_ready": ("nodes", "before", "system_pods", "daemon_sets"),
    "kube_proxy_updated": ("nodes", "before", "system_pods", "daemon_sets"),
    "workloads_ready": ("workloads",),
}
CONDITIONS = tuple(NEEDS)
VERSIONED = ("kubelet_version", "api_version")


def judge(wanted: Wanted, look: Look) -> list[Check]:
    """Every condition on every subject that it concerns, in the order of the conditions."""
    checks: list[Check] = []
    if not wanted.node:
        # One that was not Ready keeps no upgrade from its end; its own gate does wait for it.
        wanted = wanted._replace(ignored_nodes=wanted.ignored_nodes | Before(look.get("before", {})).nodes())
    for name in wanted.conditions:
        failed = [f"{part}: {look['errors'][part]}" for part in NEEDS[name] if part in look.get("errors", {})]
        if failed:
            checks.append(_check(name, wanted.node or "cluster", False, f"could not be read: {'; '.join(failed)}"))
            continue
        found = _JUDGES[name](wanted, look)
        checks.extend(found or [_check(name, wanted.node or "cluster", False, "nothing to judge was found")])
    return checks


def unmet(checks: list[Check]) -> list[Check]:
    return [check for check in checks if not check["ok"]]


def sentence(checks: list[Check], limit: int = 10) -> str:
    """What is left and why, for the message of a timeout; the result holds those beyond `limit`."""
    bad = unmet(checks)
    told = "; ".join(f"{check['name']} of {check['subject']}: {check['seen']}" for check in bad[:limit])
    return told + (f"; and {len(bad) - limit} more" if len(bad) > limit else "")


def _check(name: str, subject: str, ok: bool, seen: str) -> Check:
    return Check(name=name, subject=subject, ok=ok, seen=seen)


def _nodes(wanted: Wanted, look: Look, *, control_plane: bool = False) -> list[Json]:
    nodes = [n for n in look["nodes"] if wanted.node in (None, model.name_of(n))]
    nodes = [n for n in nodes if model.name_of(n) not in wanted.ignored_nodes]
    return [n for n in nodes if not control_plane or wanted.node or model.is_control_plane(n)]


def _absent(name: str, wanted: Wanted) -> list[Check]:
    return [_check(name, str(wanted.node), False, "the cluster has no node of this name")]


def _node_ready(wanted: Wanted, look: Look) -> list[Check]:
    nodes = _nodes(wanted, look)
    if not nodes and wanted.node:
        return _absent("node_ready", wanted)
    return [
        _check(
            "node_ready",
            model.name_of(node),
            model.is_true(node, "Ready"),
            "Ready" if model.is_true(node, "Ready") else model.why_not(node, "Ready"),
        )
        for node in nodes
    ]


def _node_heartbeat(wanted: Wanted, look: Look) -> list[Check]:
    """A node stays Ready for 40 s after its kubelet died; a Lease that moved while the gate looked does not lie."""
    checks = []
    for node in _nodes(wanted, look):
        name = model.name_of(node)
        first, now = look.get("first_heartbeats", {}).get(name), look["heartbeats"].get(name)
        after = wanted.heartbeat_after
        # Times of RFC 3339 in UTC, of different precision.
        renewed = now is not None and (now.rstrip("Z") > after.rstrip("Z") if after else now != first)
        seen = f"Lease renewed at {now or 'never'}" + ("" if renewed else f", not since {after or 'the gate began'}")
        checks.append(_check("node_heartbeat", name, renewed, seen))
    return checks or (_absent("node_heartbeat", wanted) if wanted.node else [])


def _kubelet_version(wanted: Wanted, look: Look) -> list[Check]:
    checks = [
        _versions(
            "kubelet_version", model.name_of(node), model.kubelet_version(node), wanted.version, "kubelet reports"
        )
        for node in _nodes(wanted, look)
    ]
    return checks or (_absent("kubelet_version", wanted) if wanted.node else [])


def _control_plane_ready(wanted: Wanted, look: Look) -> list[Check]:
    checks = []
    for node in _nodes(wanted, look, control_plane=True):
        name = model.name_of(node)
        for component in model.VERSIONED_COMPONENTS:
            pod = model.static_pods(look["system_pods"], component).get(name)
            checks.append(_static_pod("control_plane_ready", component, name, pod, wanted.version))
    return checks or (_absent("control_plane_ready", wanted) if wanted.node else [])


def _static_pod(name: str, component: str, node: str, pod: Json | None, version: Version | None) -> Check:
    subject = f"{component}-{node}"
    if pod is None:
        return _check(name, subject, False, "the kubelet shows no such static pod")
    tag = image_tag(model.pod_image(pod, component))
    trouble = model.pod_trouble(pod)
    if trouble:
        return _check(name, subject, False, f"{trouble}; image tag {tag or 'none'}")
    if version is not None and not _same(tag, version):
        return _check(name, subject, False, f"Ready with image tag {tag or 'none'}, expected {version.tag}")
    return _check(name, subject, True, f"Ready with image tag {tag or 'none'}")


def _etcd_ready(wanted: Wanted, look: Look) -> list[Check]:
    api_servers = model.static_pods(look["system_pods"], "kube-apiserver")
    members = model.static_pods(look["system_pods"], "etcd")
    if api_servers and not members and not model.has_stacked_etcd(api_servers.values()):
        return [_check("etcd_ready", wanted.node or "cluster", True, "etcd is external: no static pod to judge")]
    checks = [
        _static_pod("etcd_ready", "etcd", model.name_of(node), members.get(model.name_of(node)), None)
        for node in _nodes(wanted, look, control_plane=True)
    ]
    return checks or (_absent("etcd_ready", wanted) if wanted.node else [])


def _expected_api_servers(look: Look) -> dict[str, ApiServer | None]:
    """Every node that must have one: the labelled nodes, and those that show a static pod of it."""
    known: dict[str, ApiServer | None] = {server["node"]: server for server in look["api_servers"]}
    for node in look["nodes"]:
        if model.is_control_plane(node):
            known.setdefault(model.name_of(node), None)
    return known


def _api_servers_ready(wanted: Wanted, look: Look) -> list[Check]:
    """All of them, whatever node the gate is for: the next step may take one away."""
    del wanted
    checks = []
    for node, server in sorted(_expected_api_servers(look).items()):
        if server is None:
            checks.append(_check("api_servers_ready", node, False, "the node shows no kube-apiserver static pod"))
            continue
        checks.append(_check("api_servers_ready", _subject(server), *readiness(server["readyz"])))
    return checks


def _api_version(wanted: Wanted, look: Look) -> list[Check]:
    checks = []
    for node, server in sorted(_expected_api_servers(look).items()):
        if wanted.node not in (None, node):
            continue
        if server is None:
            checks.append(_check("api_version", node, False, "the node shows no kube-apiserver static pod"))
            continue
        answer = server["version"]
        if answer.get("status") != 200:
            checks.append(_check("api_version", _subject(server), False, f"/version: {_told(answer)}"))
        else:
            checks.append(
                _versions("api_version", _subject(server), answer.get("body", ""), wanted.version, "/version says")
            )
    return checks


def _subject(server: ApiServer) -> str:
    return f"{server['node']} ({server['address'] or 'address unknown'})"


def readiness(readyz: Answer) -> tuple[bool, str]:
    """Whether an API server that gives this answer is ready, and what it said."""
    return readyz.get("status") == 200, f"/readyz: {_told(readyz)}"


def _told(answer: Answer) -> str:
    if "error" in answer:
        return f"no answer: {answer['error']}"
    body = " ".join(answer.get("body", "").split())
    # A verbose answer of a server that is not ready lists each check; the failed ones start with [-].
    bad = [part for part in answer.get("body", "").split("\n") if part.startswith("[-]")]
    text = ", ".join(bad) if bad else body[:200]
    return f"{answer.get('status')} {text}".strip()


def _system_pods_ready(wanted: Wanted, look: Look) -> list[Check]:
    checks = []
    nodes = {model.name_of(node): node for node in _nodes(wanted, look)}
    if wanted.node and not nodes:
        return _absent("system_pods_ready", wanted)
    before = Before(look.get("before", {}))
    for pod in look["system_pods"]:
        concerned = model.node_of(pod) in nodes or (not wanted.node and not model.node_of(pod))
        # A finished pod does not come back; its controller, where it has one, made another.
        # A pod that leaves is replaced, except a static pod, whose kubelet must show it again.
        gone = model.is_finished(pod) or model.is_terminating(pod)
        if not concerned or (gone and not model.is_mirror(pod)):
            continue
        trouble = model.pod_trouble(pod)
        known = bool(trouble) and before.has(pod)
        seen = f"not ready before the upgrade either: {trouble}" if known else trouble or "Ready"
        checks.append(_check("system_pods_ready", model.qualified(pod), known or not trouble, seen))
    for daemon_set in look["daemon_sets"]:
        checks.extend(_daemon_set(daemon_set, nodes, look["system_pods"]))
    subject = wanted.node or "cluster"
    return checks or [_check("system_pods_ready", subject, True, "no pods of kube-system here")]


def _daemon_set(daemon_set: Json, nodes: dict[str, Json], pods: list[Json]) -> list[Check]:
    """A node without its pod, where the DaemonSet itself says that one is missing and may want it here.

    Only the controller knows the whole rule of where a DaemonSet's pods
    belong, so its own count decides, and the node selector narrows it.
    """
    status, metadata = daemon_set.get("status") or {}, daemon_set.get("metadata") or {}
    subject = f"DaemonSet {model.qualified(daemon_set)}"
    if status.get("observedGeneration", 0) < metadata.get("generation", 0):
        return [_check("system_pods_ready", subject, False, "its last change has not been observed yet")]
    missing = status.get("desiredNumberScheduled", 0) - status.get("currentNumberScheduled", 0)
    if missing <= 0:
        return []
    template = ((daemon_set.get("spec") or {}).get("template") or {}).get("spec") or {}
    selector = template.get("nodeSelector") or {}
    holders = {
        model.node_of(pod)
        for pod in pods
        if (model.controller_of(pod) or {}).get("uid") == metadata.get("uid") and not model.is_terminating(pod)
    }
    return [
        _check("system_pods_ready", subject, False, f"no pod on {name}; {missing} of its pods missing in the cluster")
        for name, node in nodes.items()
        if name not in holders and selector.items() <= model.labels(node).items()
    ]


def _kube_proxy_updated(_wanted: Wanted, look: Look) -> list[Check]:
    """A pod that cannot become available holds up the update of the others. What did so before is not waited for."""
    found = next((each for each in look["daemon_sets"] if model.qualified(each) == "kube-system/kube-proxy"), None)
    spec, status = ((found or {}).get(part) or {} for part in ("spec", "status"))
    if found is None or (spec.get("updateStrategy") or {}).get("type") == "OnDelete":
        return [_check("kube_proxy_updated", "cluster", True, "no DaemonSet kube-proxy is being updated")]
    before = Before(look.get("before", {}))
    held = {model.name_of(node) for node in look["nodes"] if not model.is_true(node, "Ready")} | {
        model.node_of(pod)
        for pod in look["system_pods"]
        if subject_of(pod) == "daemonset/kube-system/kube-proxy" and model.pod_trouble(pod) and before.has(pod)
    }
    wanted = status.get("desiredNumberScheduled", 0)
    updated, available = status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0)
    observed = status.get("observedGeneration", 0) >= found["metadata"].get("generation", 0)
    seen = f"{updated} of {wanted} pods are updated, {available} available" if observed else "not observed yet"
    ok = observed and available >= wanted - len(held) and (bool(held) or updated >= wanted)
    return [_check("kube_proxy_updated", "DaemonSet kube-system/kube-proxy", ok, seen)]


def _workloads_ready(wanted: Wanted, look: Look) -> list[Check]:
    checks = []
    for workload in look["workloads"]:
        namespace = (workload.get("metadata") or {}).get("namespace", "")
        if wanted.workload_namespaces and namespace not in wanted.workload_namespaces:
            continue
        if model.qualified(workload) in wanted.ignored_workloads:
            continue
        seen, ok = _workload(workload)
        checks.append(_check("workloads_ready", f"{workload.get('kind')} {model.qualified(workload)}", ok, seen))
    return checks or [_check("workloads_ready", "cluster", True, "no workloads of these namespaces")]


def _workload(workload: Json) -> tuple[str, bool]:
    status, spec = workload.get("status") or {}, workload.get("spec") or {}
    if status.get("observedGeneration", 0) < (workload.get("metadata") or {}).get("generation", 0):
        return "its last change has not been observed yet", False
    if workload.get("kind") == "DaemonSet":
        desired, available = status.get("desiredNumberScheduled", 0), status.get("numberAvailable", 0)
    else:
        desired, available = spec.get("replicas", 1), status.get("availableReplicas", 0)
    # A Deployment that tolerates absent pods is available below its full count.
    ok = available >= desired or (workload.get("kind") == "Deployment" and model.is_true(workload, "Available"))
    return f"{available} of {desired} available", ok


def _versions(name: str, subject: str, found: str, version: Version | None, verb: str) -> Check:
    if version is None:
        return _check(name, subject, bool(found), f"{verb} {found or 'nothing'}")
    ok = _same(found, version)
    return _check(name, subject, ok, f"{verb} {found or 'nothing'}" + ("" if ok else f", expected {version.tag}"))


def _same(found: str, version: Version) -> bool:
    try:
        return Version.parse(found) == version
    except VersionError:
        return False


_JUDGES: dict[str, t.Callable[[Wanted, Look], list[Check]]] = {
    "node_ready": _node_ready,
    "node_heartbeat": _node_heartbeat,
    "kubelet_version": _kubelet_version,
    "control_plane_ready": _control_plane_ready,
    "etcd_ready": _etcd_ready,
    "api_servers_ready": _api_servers_ready,
    "api_version": _api_version,
    "system_pods_ready": _system_pods_ready,
    "kube_proxy_updated": _kube_proxy_updated,
    "workloads_ready": _workloads_ready,
}
