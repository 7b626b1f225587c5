# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Readers of the API's JSON that the gate and the skew check share: pure, and tolerant of absent fields."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain import cordon
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import is_of_daemon_set

Json = dict[str, t.Any]

CONTROL_PLANE_LABELS = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
ENDPOINT_ANNOTATION = "kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint"
CORDON_ANNOTATION = cordon.ANNOTATION

# kubeadm labels each static pod that it writes with its component's name
# (kubernetes cmd/kubeadm/app/util/staticpod/utils.go, ComponentPod).
VERSIONED_COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")


def name_of(thing: Json) -> str:
    return str((thing.get("metadata") or {}).get("name", ""))


def qualified(thing: Json) -> str:
    """``namespace/name``."""
    return f"{(thing.get('metadata') or {}).get('namespace', '')}/{name_of(thing)}"


def annotations_of(thing: Json) -> dict[str, str]:
    return (thing.get("metadata") or {}).get("annotations") or {}


def labels(thing: Json) -> dict[str, str]:
    return (thing.get("metadata") or {}).get("labels") or {}


def is_terminating(thing: Json) -> bool:
    return bool((thing.get("metadata") or {}).get("deletionTimestamp"))


def is_control_plane(node: Json) -> bool:
    return any(label in labels(node) for label in CONTROL_PLANE_LABELS)


def kubelet_version(node: Json) -> str:
    """What the kubelet reports of itself, such as ``v1.35.4``; empty where it has not reported."""
    return str(((node.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion", ""))


def cordoned_by(node: Json) -> Json | None:
    """Who of this tool's runs cordoned the node, ``{by, run, at}``; None where none did.

    An annotation that is not JSON is still this tool's mark: it comes back as ``{"run": text}``.
    """
    if not cordon.is_ours(node):
        return None
    return cordon.note_of(node) or {"run": annotations_of(node)[cordon.ANNOTATION]}


def has_stale_mark(node: Json) -> bool:
    """Whether the node has the mark of a cordon that is not there any more."""
    return cordon.ANNOTATION in annotations_of(node) and not is_cordoned(node)


def is_cordoned(node: Json) -> bool:
    return bool((node.get("spec") or {}).get("unschedulable"))


def condition(thing: Json, kind: str) -> Json | None:
    """The entry of ``status.conditions`` of this type."""
    for entry in (thing.get("status") or {}).get("conditions") or []:
        if entry.get("type") == kind:
            return t.cast("Json", entry)
    return None


def is_true(thing: Json, kind: str) -> bool:
    return (condition(thing, kind) or {}).get("status") == "True"


def why_not(thing: Json, kind: str) -> str:
    """What the condition says of itself where it is not True."""
    entry = condition(thing, kind)
    if entry is None:
        return f"no condition {kind} is reported"
    said = ": ".join(str(entry[key]) for key in ("reason", "message") if entry.get(key))
    return f"{kind}={entry.get('status')}" + (f" ({said})" if said else "")


def is_mirror(pod: Json) -> bool:
    return MIRROR_ANNOTATION in annotations_of(pod)


def controller_of(pod: Json) -> Json | None:
    for owner in (pod.get("metadata") or {}).get("ownerReferences") or []:
        if owner.get("controller"):
            return t.cast("Json", owner)
    return None


def node_of(pod: Json) -> str:
    return str((pod.get("spec") or {}).get("nodeName") or "")


def phase_of(pod: Json) -> str:
    return str((pod.get("status") or {}).get("phase", "Unknown"))


def pod_trouble(pod: Json) -> str:
    """Why a pod does not serve; empty where it is Running and Ready.

    Names the container and its state, since ``ContainersNotReady`` alone tells nobody anything.
    """
    if is_terminating(pod):
        return "is being deleted"
    if is_true(pod, "Ready") and phase_of(pod) == "Running":
        return ""
    causes = []
    for status in (pod.get("status") or {}).get("containerStatuses") or []:
        if status.get("ready"):
            continue
        state = status.get("state") or {}
        kind = next(iter(state), "unknown")
        detail = state.get(kind) or {}
        said = detail.get("reason") or detail.get("message") or kind
        causes.append(f"container {status.get('name')} {said}, {status.get('restartCount', 0)} restarts")
    return f"phase {phase_of(pod)}, " + ("; ".join(causes) or why_not(pod, "Ready"))


def pod_image(pod: Json, container: str | None = None) -> str:
    """The image of the named container, else of the first."""
    containers = (pod.get("spec") or {}).get("containers") or []
    for entry in containers:
        if container is None or entry.get("name") == container or len(containers) == 1:
            return str(entry.get("image", ""))
    return ""


def pod_arguments(pod: Json) -> list[str]:
    """Command and arguments of the component's own container, which another one may stand before; else of the first."""
    containers = (pod.get("spec") or {}).get("containers") or []
    own = labels(pod).get("component")
    for entry in [*(each for each in containers if each.get("name") == own), *containers]:
        return [str(word) for word in [*(entry.get("command") or []), *(entry.get("args") or [])]]
    return []


def flag(arguments: list[str], name: str) -> str | None:
    """The value of ``--name=value`` or ``--name value``; the last one counts, as for the programs themselves."""
    found = None
    for position, word in enumerate(arguments):
        if word.startswith(f"--{name}="):
            found = word.split("=", 1)[1]
        elif word == f"--{name}":
            following = arguments[position + 1] if position + 1 < len(arguments) else ""
            found = "" if following.startswith("--") else following
    return found


def static_pods(pods: list[Json], component: str) -> dict[str, Json]:
    """Mirror pods of a control-plane component, by node name."""
    found = {}
    for pod in pods:
        if is_mirror(pod) and labels(pod).get("component") == component:
            found[node_of(pod)] = pod
    return found


def advertise_address(pod: Json) -> str | None:
    """``host:port`` at which this very API server answers; None where the pod does not tell.

    kubeadm writes it in an annotation of the static pod. Without it, the
    flags and the node's address say the same.
    """
    noted = annotations_of(pod).get(ENDPOINT_ANNOTATION)
    if noted:
        return noted
    arguments = pod_arguments(pod)
    host = flag(arguments, "advertise-address") or (pod.get("status") or {}).get("hostIP")
    if not host:
        return None
    port = flag(arguments, "secure-port") or "6443"
    with contextlib.suppress(ValueError):
        host = f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    return f"{host}:{port}"


def has_stacked_etcd(api_server_pods: t.Iterable[Json]) -> bool:
    """Whether etcd runs as a static pod beside each API server.

    kubeadm then lets the API server speak to the member on its own node only
    (cmd/kubeadm/app/phases/controlplane/manifests.go: ``https://127.0.0.1:2379``).
    """
    for pod in api_server_pods:
        servers = flag(pod_arguments(pod), "etcd-servers") or ""
        if re.search(r"//(?:127\.0\.0\.1|localhost|\[::1\]):", servers):
            return True
    return False


def is_finished(pod: Json) -> bool:
    return phase_of(pod) in ("Succeeded", "Failed")


def is_evictable(pod: Json) -> bool:
    """Whether a drain evicts the pod and a budget has a say in it.

    Mirror pods and those of DaemonSets stay; a budget does not protect pods
    that are finished, pending or leaving already (kubernetes
    pkg/registry/core/pod/storage/eviction.go).
    """
    return not (
        is_mirror(pod) or is_of_daemon_set(pod) or is_finished(pod) or phase_of(pod) == "Pending" or is_terminating(pod)
    )


def matches_selector(selector: Json | None, found: dict[str, str]) -> bool:
    """Whether labels match a LabelSelector: None matches nothing, ``{}`` everything.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#resources-that-support-set-based-requirements
    """
    if selector is None:
        return False
    if any(found.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for rule in selector.get("matchExpressions") or []:
        value = found.get(rule.get("key"))
        operator, values = rule.get("operator"), rule.get("values") or []
        satisfied = {
            "In": value is not None and value in values,
            "NotIn": value is None or value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }.get(operator, False)
        if not satisfied:
            return False
    return True
