# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What the skew check reads and what it says."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version, VersionError

Json = dict[str, t.Any]

BLOCKER, WARNING, NOTE = "blocker", "warning", "note"
SEVERITIES = (BLOCKER, WARNING, NOTE)


class Finding(t.TypedDict):
    """One thing that an operator should know before the upgrade. `source` is where its rule is from, or empty."""

    id: str
    severity: str
    subject: str
    evidence: str
    remedy: str
    source: str


def finding(id: str, severity: str, subject: str, evidence: str, remedy: str, source: str = "") -> Finding:
    return Finding(id=id, severity=severity, subject=subject, evidence=evidence, remedy=remedy, source=source)


@dataclass
class Cluster:
    """What the API told, as the JSON that it sent. Parts that could not be read are empty and named in `unreadable`."""

    nodes: list[Json] = field(default_factory=list)
    pods: list[Json] = field(default_factory=list)
    """Pods of all namespaces."""
    cluster_config: Json | None = None
    """ClusterConfiguration out of the ConfigMap kubeadm-config; None where there is none."""
    kubelet_config: Json | None = None
    """KubeletConfiguration out of the ConfigMap kubelet-config."""
    kube_proxy: Json | None = None
    """The DaemonSet of kube-proxy; None where the cluster has none."""
    coredns: Json | None = None
    """The Deployment of CoreDNS."""
    budgets: list[Json] = field(default_factory=list)
    api_servers: list[ApiServerAnswer] = field(default_factory=list)
    api_services: list[Json] = field(default_factory=list)
    webhooks: list[Webhook] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    """What could not be read, and why."""


class ApiServerAnswer(t.TypedDict):
    """What one API server said when it was asked directly. `error` is empty where it answered."""

    node: str
    address: str
    version: str
    deprecated: list[DeprecatedApi]
    error: str


class DeprecatedApi(t.TypedDict):
    """One sample of ``apiserver_requested_deprecated_apis``."""

    group: str
    version: str
    resource: str
    subresource: str
    removed_release: str


class Webhook(t.TypedDict):
    """One webhook with failurePolicy Fail that a Service of the cluster answers.

    `ready` lists the nodes of its ready endpoints, one entry an endpoint.
    `covers_pods` is whether its rules match the creation of pods.
    """

    configuration: str
    name: str
    service: str
    ready: list[str]
    covers_pods: bool


@dataclass
class NodeState:
    """How far one node is. A version of None is not known."""

    name: str
    role: str
    """``control_plane`` or ``worker``."""
    kubelet: Version | None
    api_server: Version | None = None
    components: dict[str, Version | None] = field(default_factory=dict)
    """Of kube-apiserver, kube-controller-manager and kube-scheduler: the image tag of the static pod."""
    etcd: Version | None = None
    ready: bool = True
    cordoned: bool = False
    cordoned_by: Json | None = None

    @property
    def is_control_plane(self) -> bool:
        return self.role == "control_plane"


@dataclass
class Host:
    """What kubeadm_info found on one node. Everything may be unknown: None, or empty."""

    name: str
    cgroup_version: int | None = None
    swap_on: bool | None = None
    free_bytes: dict[str, int] = field(default_factory=dict)
    """Free space by path."""
    etcd_bytes: int | None = None
    """Size of etcd's database."""
    certificates: list[Json] = field(default_factory=list)
    """``{path, not_after}``; `not_after` in seconds since the epoch."""
    kubelet_flags: list[Json] = field(default_factory=list)
    """``{name, value, file}``."""
    empty_variables: list[str] = field(default_factory=list)
    """Variables of kubelet flags that are set to nothing."""
    kubelet_client: str | None = None
    """Common name of the kubelet's client certificate."""
    instance_config: bool | None = None
    """Whether /var/lib/kubelet/instance-config.yaml is there."""
    external_ca: bool | None = None
    runtime_name: str = ""
    runtime_version: str = ""
    foreign_manifests: list[str] = field(default_factory=list)
    """Files beside kubeadm's own manifests."""
    api_references: dict[str, list[str]] = field(default_factory=dict)
    """Static pod manifests that name API objects, and the objects."""


@dataclass
class Request:
    """What the operator asked for."""

    target: Version
    available: list[Version] = field(default_factory=list)
    workers: str = "each_hop"
    inventory: list[str] | None = None
    """Names of all nodes that the run will touch; None where it was not told."""
    control_plane: list[str] | None = None


def version_or_none(text: str | None) -> Version | None:
    """The version, or None for what is none. The ``-0`` that ends the tags of etcd images is not a pre-release."""
    if not text:
        return None
    base, dash, rest = text.partition("-")
    try:
        return Version.parse(base if dash and rest.isdigit() else text)
    except VersionError:
        return None
