# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects as an API server sends them, and a cluster of them with nothing wrong."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import Options
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.cut_off import CutOff
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import coredns, decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Cluster, Host, Request
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version
from ansible_collections.evergreen.kubeadm.plugins.modules import skew_check
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.kubeadm.mirror import defaulted, mirror

NOW = 1_800_000_000.0


def node(
    name: str, kubelet: str = "v1.34.4", *, control_plane: bool = False, ready: str = "True", **spec: t.Any
) -> dict[str, t.Any]:
    labels = {"node-role.kubernetes.io/control-plane": ""} if control_plane else {}
    return {
        "metadata": {"name": name, "labels": labels, "annotations": spec.pop("annotations", {})},
        "spec": spec,
        "status": {
            "conditions": [{"type": "Ready", "status": ready, "reason": "KubeletReady"}],
            "nodeInfo": {"kubeletVersion": kubelet},
        },
    }


def static(component: str, on: str, tag: str, *flags: str, ready: str = "True") -> dict[str, t.Any]:
    """The mirror pod of what kubeadm wrote, with another tag and these flags alone."""
    made = defaulted(mirror(component, on))
    # Where an API server answers is up to the case.
    made["metadata"]["annotations"].pop(api.ENDPOINT_ANNOTATION, None)
    made["spec"]["containers"][0].update(image=f"registry.k8s.io/{component}:{tag}", command=[component, *flags])
    made["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}
    return made


def control_plane(on: str, tag: str = "v1.34.4", etcd: str | None = "3.6.5-0") -> list[dict[str, t.Any]]:
    pods = [
        static(
            "kube-apiserver", on, tag, "--etcd-servers=https://127.0.0.1:2379" if etcd else "--etcd-servers=https://e:2"
        ),
        static("kube-controller-manager", on, tag),
        static("kube-scheduler", on, tag),
    ]
    return [*pods, static("etcd", on, etcd)] if etcd else pods


def pod(name: str, on: str = "w1", labels: dict[str, t.Any] | None = None, **metadata: t.Any) -> dict[str, t.Any]:
    owner = {"kind": "CloneSet", "name": "cart", "controller": True}
    metadata = {"namespace": "shop", "name": name, "ownerReferences": [owner], **metadata}
    return {
        "metadata": {**metadata, "labels": labels or {"app": "cart"}},
        "spec": {"nodeName": on},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }


def budget(
    name: str = "cart", *, allowed: int = 0, healthy: int = 1, desired: int = 1, expected: int = 1, **spec: t.Any
) -> dict[str, t.Any]:
    return {
        "metadata": {"namespace": "shop", "name": name},
        "spec": {"selector": {"matchLabels": {"app": "cart"}}, **spec},
        "status": {
            "disruptionsAllowed": allowed,
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": expected,
        },
    }


def dns(image: str = "registry.k8s.io/coredns/coredns:v1.12.1", **spec: t.Any) -> dict[str, t.Any]:
    """As kubeadm writes it."""
    term = {"weight": 100, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname"}}
    container = {"name": "coredns", "image": image, "args": coredns.ARGUMENTS, "resources": coredns.RESOURCES}
    container.update(spec.pop("container", {}))
    whole = {
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [term]}},
        "nodeSelector": coredns.NODE_SELECTOR,
        "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
        "containers": [container],
        **spec,
    }
    return {"spec": {"replicas": 5, "template": {"spec": whole}}}


def cluster(**changes: t.Any) -> Cluster:
    """A cluster of 1.34.4 with nothing wrong."""
    parts: dict[str, t.Any] = {
        "nodes": [node("c1", control_plane=True), node("w1")],
        "pods": control_plane("c1"),
        "cluster_config": {"apiVersion": "kubeadm.k8s.io/v1beta4", "kubernetesVersion": "v1.34.4"},
        "kubelet_config": {},
        # Of no version that could be too old or too new.
        "kube_proxy": {"spec": {}},
        "coredns": dns(),
        **changes,
    }
    return Cluster(**parts)


def decide(
    found: Cluster,
    target: str = "1.35.4",
    hosts: list[Host] | None = None,
    accepted: list[t.Any] | None = None,
    programs: list[t.Any] | None = None,
    cut_off: CutOff | None = None,
    **request: t.Any,
) -> decisions.Verdict:
    available = [Version.parse(v) for v in request.pop("available", [])]
    return decisions.decide(
        found,
        hosts or [],
        Request(Version.parse(target), available, **request),
        accepted or [],
        now=NOW,
        programs=programs,
        cut_off=cut_off,
    )


def drain(**given: t.Any) -> Options:
    """The options of a drain, as the module reads them."""
    return skew_check.drain_options(given)


def said(verdict: decisions.Verdict) -> list[tuple[str, str, str]]:
    return [(f["severity"], f["id"], f["subject"]) for f in verdict["findings"]]
