# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What the skew check reads and what it says."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import Options
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.selectors import Requirement
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.decisions import Answer
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import CERTIFICATES
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version, VersionError

Json = dict[str, t.Any]

BLOCKER, WARNING, NOTE = "blocker", "warning", "note"
SEVERITIES = (BLOCKER, WARNING, NOTE)

# Where the pages are that are made from the catalogue.
PAGES = "https://github.com/evergreen-kubeadm/evergreen.kubeadm/blob/main/docs/findings"


class Finding(t.TypedDict):
    """One thing that an operator should know before the upgrade.

    `source` is where its rule is from, or empty; `page` is the address of the page about findings of this id.
    """

    id: str
    severity: str
    subject: str
    evidence: str
    remedy: str
    source: str
    page: str


def finding(id: str, severity: str, subject: str, evidence: str, remedy: str, source: str = "") -> Finding:
    return Finding(
        id=id,
        severity=severity,
        subject=subject,
        evidence=evidence,
        remedy=remedy,
        source=source,
        page=f"{PAGES}/{id}.md",
    )


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
    etcd_bridge: str = ""
    """The etcd.local.imageTag of kubeadm-config that etcd_bridge has set; empty where it set none."""
    budgets: list[Json] = field(default_factory=list)
    daemon_sets: set[tuple[str, str]] | None = None
    """Namespace and name of each; None where they could not be read."""
    jobs: dict[str, Json] = field(default_factory=dict)
    """Jobs that have pods, by ``namespace/name``."""
    surge_objects: dict[tuple[str, str, str], Json] = field(default_factory=dict)
    """What a move by a rollout is judged by, by kind, namespace and name; empty where none is wanted."""
    eviction_webhooks: list[str] = field(default_factory=list)
    """Names of validating webhooks that are about evictions alone."""
    leases: list[Json] = field(default_factory=list)
    """Leases of kube-system: those of the leaders, and those that API servers renew for themselves."""
    kube_proxy_config: Json | None = None
    """KubeProxyConfiguration out of the ConfigMap kube-proxy."""
    corefile: str | None = None
    system_labels: dict[str, str] = field(default_factory=dict)
    """Labels of the namespace kube-system."""
    definitions: list[Definition] = field(default_factory=list)
    volumes: list[Volume] = field(default_factory=list)
    removed_uses: list[RemovedUse] = field(default_factory=list)
    api_servers: list[ApiServerAnswer] = field(default_factory=list)
    api_services: list[Json] = field(default_factory=list)
    webhooks: list[Webhook] = field(default_factory=list)
    policies: dict[str, list[str]] = field(default_factory=dict)
    """ValidatingAdmissionPolicies with failurePolicy Fail that are bound to deny, and what of a run they match."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """What could not be read, and why."""


class ApiServerAnswer(t.TypedDict):
    """What one API server said when it was asked directly.

    `readyz` is as a gate has it. `error` is empty where it answered for its version and metrics.
    """

    node: str
    address: str
    readyz: Answer
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
    """One webhook with failurePolicy Fail.

    `service` answers it, or what is at `url`, of which there is no more to know.
    `ready` lists the nodes of the service's ready endpoints, one entry an endpoint.
    `covers_run` are the requests of a run, and of kubelets meanwhile, that its rules match.
    `covers_pods` is whether its rules match the creation of pods,
    `covers_service_cidrs` that of ServiceCIDRs, which API servers make for
    themselves. `namespaces` is its namespaceSelector; `narrowed` is whether
    other conditions leave objects out.
    """

    configuration: str
    name: str
    service: str
    url: str
    ready: list[str]
    covers_pods: bool
    covers_run: list[str]
    covers_service_cidrs: bool
    namespaces: Json
    narrowed: bool
    timeout_s: int


class Definition(t.TypedDict):
    """What counts of a CustomResourceDefinition.

    `versions` says of each version whether it is served. `service` is that of
    its conversion webhook, empty without one, `ready` as for a Webhook.
    """

    name: str
    versions: dict[str, bool]
    stored: list[str]
    service: str
    ready: list[str]


class Volume(t.TypedDict):
    """What counts of a PersistentVolume. `nodes` are the only ones that can mount it, where it names them."""

    name: str
    claim: str
    """``namespace/name``, or empty."""
    kind: str
    """The key of its source in the spec, such as ``csi`` or ``rbd``."""
    nodes: list[str]


class RemovedUse(t.TypedDict):
    """An object that somebody still writes in an API version that goes away."""

    api_version: str
    kind: str
    removed: int
    """The minor that serves it no longer."""
    where: str
    """The object, or the Helm release."""
    by: str
    """How it is known: a field manager, kubectl's annotation, or a Helm release."""


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
    emulated: dict[str, str] = field(default_factory=dict)
    """--emulated-version of the components that have it and kubeadm-config does not."""
    ready: bool = True
    cordoned: bool = False
    cordoned_by: Json | None = None
    stale_cordon_mark: bool = False
    """Whether it has the mark of a cordon of this tool that is not there any more."""
    tainted_by: str | None = None
    """The run whose soft taint it has, empty where that has no name; None without one."""
    labels: dict[str, str] = field(default_factory=dict)
    movable_pods: int = 0
    """How many pods a drain of it would move."""

    @property
    def is_control_plane(self) -> bool:
        return self.role == "control_plane"


class Package(t.NamedTuple):
    """An installed package or program of Kubernetes."""

    version: Version
    held: bool | None
    """None where it came from no package."""


@dataclass
class Host:
    """What kubeadm_info found on one node. Everything may be unknown: None, or empty."""

    name: str
    cgroup_version: int | None = None
    swap_on: bool | None = None
    hostname: str = ""
    role: str = ""
    kernel: str = ""
    """Release of the running kernel."""
    kernel_config: bool | None = None
    """Whether its configuration is where kubeadm looks for it."""
    time: float | None = None
    """The node's clock when it was read, seconds since the epoch."""
    clock_synchronised: bool | None = None
    asked_at: float | None = None
    """The controller's clock before the node was read."""
    free_bytes: dict[str, int] = field(default_factory=dict)
    """Free space by path."""
    inodes: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Free inodes and all, by path; a file system that does not count them is not there."""
    leftover_bytes: int = 0
    """Size of /etc/kubernetes/tmp."""
    etcd_bytes: int | None = None
    """Size of etcd's database."""
    certificates: list[Json] = field(default_factory=list)
    """``{path, not_after}``; `not_after` in seconds since the epoch."""
    certificates_used: set[str] = field(default_factory=set)
    """Values of the flags of all static pods: a certificate that is none of them is used by none."""
    external_etcd: bool = False
    """Whether it is a control-plane node without an etcd of its own."""
    kubelet_flags: list[Json] = field(default_factory=list)
    """``{name, value, file}``."""
    empty_variables: list[str] = field(default_factory=list)
    """Names of variables of kubelet flags that are set to nothing."""
    flags_file: str = ""
    """``args`` where kubeadm-flags.env begins with kubeadm's variable, ``other``, ``missing``; empty is unknown."""
    kubelet_config: Json = field(default_factory=dict)
    """The kubelet's config.yaml."""
    kubelet_drop_ins: Json = field(default_factory=dict)
    """What the files of its --config-dir lay over that, together."""
    kubelet_patches: list[Json] = field(default_factory=list)
    """kubeadm's patches of it that the run gives, ``{type, patch}``."""
    kubelet_running: str = ""
    """Version of the running kubelet."""
    admin_conf: bool | None = None
    """Whether /etc/kubernetes/admin.conf is there."""
    kubelet_server: str = ""
    """The API server that kubelet.conf names."""
    advertise_address: str = ""
    """Of this node's own API server; empty on workers."""
    packages: dict[str, Package] = field(default_factory=dict)
    repositories: list[Json] = field(default_factory=list)
    """As kubeadm_info returns them."""
    package_sources_error: str = ""
    kubelet_client: str | None = None
    """Common name of the kubelet's client certificate."""
    kubelet_groups: list[str] | None = None
    """Its organizations."""
    manager_states: dict[str, str] | None = None
    """Policies in the state files of the kubelet's CPU and memory managers, by the fields that set them."""
    instance_config: bool | None = None
    """Whether /var/lib/kubelet/instance-config.yaml is there."""
    instance_config_values: Json = field(default_factory=dict)
    """What is in it, which kubeadm lays over every configuration that it writes."""
    ca_keys_missing: list[str] = field(default_factory=list)
    """Certificate authorities of kubeadm whose key is elsewhere; empty on workers."""
    certificates_dir: str = CERTIFICATES
    runtime_name: str = ""
    runtime_version: str = ""
    runtime_socket: str = ""
    """Where the kubelet finds the runtime, with ``unix://``."""
    runtime_sockets: list[str] | None = None
    """Of the sockets that runtimes usually have, those that are there."""
    proxies: dict[str, list[str]] = field(default_factory=dict)
    """Names of proxy variables, as kubeadm_info returns them."""
    static_pod_edits: Json = field(default_factory=dict)
    """``{error, pods}``, as kubeadm_info returns it; empty where nobody asked kubeadm."""
    sandbox: Json | None = None
    """``{image, pinned}``; None where nobody asked."""
    foreign_manifests: list[str] = field(default_factory=list)
    """Files beside kubeadm's own manifests."""
    foreign_pods: dict[str, str] = field(default_factory=dict)
    """The names of the pods in them, by file."""
    broken_manifests: dict[str, str] = field(default_factory=dict)
    """Manifests of kubeadm and others that cannot be read as a pod, and why."""
    api_references: dict[str, list[str]] = field(default_factory=dict)
    """Static pod manifests that name API objects, and the objects."""


# How the role kubelet drains where it is told nothing else.
DRAIN = Options(ignore_daemonsets=True, wait_timeout=900)


@dataclass
class Repository:
    """Where the run has packages from, and what became of asking there."""

    url: str = ""
    """Of a minor, with ``{minor}`` in its place; empty where the run names none on the nodes."""
    key_fingerprint: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    """Why a node had no answer when it asked what is offered, empty where it had one; none where nobody asked."""


@dataclass
class Request:
    """What the operator asked for."""

    target: Version
    available: list[Version] = field(default_factory=list)
    repository: Repository | None = None
    """None where it was not told."""
    workers: str = "each_hop"
    worker_order: str = "emptiest"
    """Or ``inventory``: that of `places`."""
    worker_groups: list[list[Requirement]] = field(default_factory=list)
    """Label selectors; the workers that meet the first come first, those that meet none last."""
    places: list[str] = field(default_factory=list)
    """Names of the nodes of the run in the order of the inventory; empty where they are not known."""
    patch_first: bool = False
    """Whether the newest patch of the present minor is a hop of its own."""
    patch_without_drain: bool = False
    """Whether a kubelet that changes its patch alone is replaced with its pods on the node."""
    etcd_bridges: dict[str, str] = field(default_factory=dict)
    """Image tags by the etcd minor that they bridge from (``3.5``), in place of those of `rules`; empty for none."""
    etcd_images: dict[str, str] = field(default_factory=dict)
    """Tags of the etcd image that kubeadm of a Kubernetes version deploys, where it was asked."""
    inventory: list[str] | None = None
    """Names of all nodes that the run will touch; None where it was not told."""
    inventory_hosts: dict[str, str] = field(default_factory=dict)
    """Names of nodes by the hosts of the inventory that are to be them."""
    control_plane: list[str] | None = None
    first_control_plane: str | None = None
    """The first control-plane node of the inventory; where it is not told, the first of `control_plane`."""
    etcd_members: list[Json] = field(default_factory=list)
    """Results of etcd_member, one of each control-plane node."""
    backups: dict[str, Json] = field(default_factory=dict)
    """Results of etcd_snapshot in check mode, by the control-plane node."""
    without_backup: bool = False
    """Whether the run saves no backup."""
    addons: list[Json] = field(default_factory=list)
    """Entries for the table of addons that the operator adds."""
    rollback_safe: bool = False
    """Whether the control plane is to emulate the minor before, and the rest to wait."""
    finalize: bool = False
    """Whether an upgrade that can be taken back is to be ended, after which it cannot."""
    drain: Options = DRAIN
    """How the run drains."""
    worker_serial: list[str] = field(default_factory=lambda: ["1"])
    """How many workers are upgraded at a time, as Ansible's ``serial``."""
    skip_phases: list[str] = field(default_factory=list)
    """Phases of kubeadm that the run leaves out."""
    ignored_checks: dict[str, list[str]] = field(default_factory=dict)
    """Preflight checks of kubeadm that the run ignores, by the role of a node."""

    def skips(self, phase: str) -> bool:
        """Whether the run leaves out a phase of kubeadm, by itself or with the one that it is a part of."""
        return bool({phase, phase.partition("/")[0]} & set(self.skip_phases))

    def ignores(self, check: str, role: str) -> bool:
        """Whether kubeadm is to pass over a check on nodes of the role; the case of a name is nothing to it."""
        return check.lower() in (name.strip().lower() for name in self.ignored_checks.get(role, []))


def version_or_none(text: str | None) -> Version | None:
    """The version, or None for what is none. The ``-0`` that ends the tags of etcd images is not a pre-release."""
    if not text:
        return None
    base, dash, rest = text.partition("-")
    try:
        return Version.parse(base if dash and rest.isdigit() else text)
    except VersionError:
        return None
