# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What changes with a minor, where it concerns the cluster. Pure.

Only what an operator must act on or know, and what can be told from the API,
is here; what other findings say is not said again.
"""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.folding import some, told
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    NOTE,
    WARNING,
    Cluster,
    Finding,
    Json,
    finding,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import Hop, Plan
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.state import system_pods
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

# What of the cluster a change concerns, for the evidence; empty where it concerns nothing.
Concerns = t.Callable[[Cluster, Hop], str]


class Change(t.NamedTuple):
    minor: int
    severity: str
    what: str
    remedy: str
    source: str
    concerns: Concerns


def _volumes(*kinds: str) -> Concerns:
    """PersistentVolumes, and volumes in pods, of an in-tree kind."""

    def concerns(cluster: Cluster, _hop: Hop) -> str:
        volumes = [volume["name"] for volume in cluster.volumes if volume["kind"] in kinds]
        pods = [pod for pod in cluster.pods if any(_has_volume(pod, kind) for kind in kinds)]
        parts = []
        if volumes:
            parts.append(f"persistent volumes {some(volumes)}")
        if pods:
            parts.append(told(pods))
        return " and ".join(parts)

    return concerns


def _has_volume(pod: Json, kind: str) -> bool:
    return any(kind in volume for volume in (pod.get("spec") or {}).get("volumes") or [])


def _etcd_minor(to: str) -> Concerns:
    def concerns(_cluster: Cluster, hop: Hop) -> str:
        step = hop["etcd"]
        if step is None or step["from_minor"] == step["to_minor"] or step["to_minor"] != to:
            return ""
        return f"etcd {step['from_minor']}"

    return concerns


def _proxy_mode(mode: str) -> Concerns:
    def concerns(cluster: Cluster, _hop: Hop) -> str:
        return "kube-proxy's configuration" if (cluster.kube_proxy_config or {}).get("mode") == mode else ""

    return concerns


def _server_flag(name: str) -> Concerns:
    def concerns(cluster: Cluster, _hop: Hop) -> str:
        servers = api.static_pods(system_pods(cluster), "kube-apiserver")
        nodes = [node for node, pod in servers.items() if api.flag(api.pod_arguments(pod), name) is not None]
        return f"--{name} of the API servers on {some(nodes)}" if nodes else ""

    return concerns


def _labelled_volumes(cluster: Cluster, _hop: Hop) -> str:
    """Pods that ask for an SELinux label, with a volume that may be mounted with it."""
    pods = [
        pod
        for pod in cluster.pods
        if _asks_for_label(pod.get("spec") or {}) and _has_volume(pod, "persistentVolumeClaim")
    ]
    return told(pods) if pods else ""


def _asks_for_label(spec: Json) -> bool:
    return any(
        ((part.get("securityContext") or {}).get("seLinuxOptions") or {}).get("level")
        for part in (spec, *(spec.get("containers") or []))
    )


CHANGES = (
    Change(
        31,
        WARNING,
        "the in-tree volume plug-ins of CephFS and RBD are gone, and such volumes cannot be mounted",
        "Move the volumes to the Ceph CSI driver before.",
        "https://kubernetes.io/blog/2024/08/13/kubernetes-v1-31-release/",
        _volumes("cephfs", "rbd"),
    ),
    Change(
        33,
        WARNING,
        "gitRepo volumes are off by default, and pods that have one do not start",
        "Clone in an init container into an emptyDir, in place of the gitRepo volume.",
        "https://github.com/kubernetes/enhancements/issues/5040",
        _volumes("gitRepo"),
    ),
    Change(
        34,
        NOTE,
        "kubeadm brings etcd 3.6; once all members have it, etcd 3.5 cannot read the data any more",
        "Keep the snapshot of before. The way back is its restore.",
        "https://etcd.io/docs/v3.6/upgrades/upgrade_3_6/",
        _etcd_minor("3.6"),
    ),
    Change(
        35,
        NOTE,
        "the mode ipvs of kube-proxy is deprecated",
        "Nothing for this upgrade. Plan the move to the mode nftables, which needs a kernel of 5.13 or newer.",
        "https://github.com/kubernetes/enhancements/issues/5495",
        _proxy_mode("ipvs"),
    ),
    Change(
        36,
        WARNING,
        "kubeadm no longer supports flexVolume: it does not mount the directory of its drivers into "
        "kube-controller-manager",
        "Move the volumes to a CSI driver before.",
        "https://github.com/kubernetes/kubernetes/blob/master/CHANGELOG/CHANGELOG-1.36.md",
        _volumes("flexVolume"),
    ),
    Change(
        36,
        NOTE,
        "API servers no longer read WebhookAdmissionConfiguration of apiserver.config.k8s.io/v1alpha1",
        "Look into the file on each control-plane node: it must say apiserver.config.k8s.io/v1.",
        "https://github.com/kubernetes/kubernetes/pull/137379",
        _server_flag("admission-control-config-file"),
    ),
    Change(
        37,
        NOTE,
        "kubeadm brings etcd 3.7; once all members have it, etcd 3.6 cannot read the data any more",
        "Keep the snapshot of before. The way back is its restore.",
        "https://etcd.io/docs/v3.7/upgrades/upgrade_3_7/",
        _etcd_minor("3.7"),
    ),
    Change(
        37,
        NOTE,
        "volumes are mounted with the SELinux label of their pod: pods with different labels can no longer share one "
        "volume on one node",
        "Where SELinux enforces: let all pods of a volume have one label, or set seLinuxChangePolicy: Recursive.",
        "https://kubernetes.io/docs/tasks/configure-pod-container/security-context/#efficient-selinux-volume-relabeling",
        _labelled_volumes,
    ),
)


def release_changes(cluster: Cluster, plan: Plan) -> list[Finding]:
    found = []
    for hop in plan.hops:
        before, after = Version.parse(hop["from"]).minor, Version.parse(hop["to"]).minor
        for change in CHANGES:
            if not before < change.minor <= after:
                continue
            concerned = change.concerns(cluster, hop)
            if concerned:
                found.append(
                    finding(
                        "release-change",
                        change.severity,
                        f"1.{change.minor}",
                        f"{change.what}; this concerns {concerned}",
                        change.remedy,
                        change.source,
                    )
                )
    return found
