# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What the skew check knows of Kubernetes, as data: each rule with its source."""

from __future__ import annotations

import typing as t

RELEASES_SOURCE = "https://kubernetes.io/releases/"
SKEW_POLICY = "https://kubernetes.io/releases/version-skew-policy/"

# HA API servers of one cluster may differ by this many minors.
API_SERVER_SPREAD = 1

# kube-controller-manager and kube-scheduler: never newer than the API server, at most one minor older.
CONTROLLER_OLDER = 1


def kubelet_minors_older(kubelet_minor: int) -> int:
    """How many minors a kubelet (and a kube-proxy) may be behind the API server: 3 since 1.25, 2 before."""
    return 3 if kubelet_minor >= 25 else 2


# Minor of etcd that kubeadm of a Kubernetes minor deploys (cmd/kubeadm/app/constants/constants.go).
ETCD_SINCE: tuple[tuple[int, tuple[int, int]], ...] = ((22, (3, 5)), (34, (3, 6)), (37, (3, 7)))
ETCD_KNOWN_UNTIL = 37


def etcd_minor_for(kubernetes_minor: int) -> tuple[int, int] | None:
    """The etcd minor that comes with a Kubernetes minor; None where these rules do not know it."""
    found = None
    for since, minor in ETCD_SINCE:
        if kubernetes_minor >= since:
            found = minor
    return found if kubernetes_minor <= ETCD_KNOWN_UNTIL else None


class EtcdRule(t.NamedTuple):
    """From `before` to `after` every member must first be at `minimum` or newer.

    `bridge` is the tag of the image that brings members there.
    """

    before: tuple[int, int]
    after: tuple[int, int]
    minimum: str
    bridge: str
    why: str
    source: str


ETCD_RULES = (
    EtcdRule(
        (3, 5),
        (3, 6),
        "3.5.26",
        "3.5.26-0",
        "members that were removed can come back to life after the upgrade to 3.6",
        "https://etcd.io/blog/2025/zombie_members_upgrade/",
    ),
    EtcdRule(
        (3, 6),
        (3, 7),
        "3.6.11",
        "3.6.11-0",
        "older members do not work together with 3.7",
        "https://etcd.io/docs/v3.7/upgrades/upgrade_3_7/",
    ),
)


class EtcdFlagsRemoved(t.NamedTuple):
    """Flags that begin so stop etcd from starting from a minor of etcd on."""

    prefix: str
    since: tuple[int, int]
    source: str


ETCD_FLAGS_REMOVED = (
    EtcdFlagsRemoved("enable-v2", (3, 6), "https://etcd.io/docs/v3.6/upgrades/upgrade_3_6/"),
    EtcdFlagsRemoved("experimental-enable-v2v3", (3, 6), "https://etcd.io/docs/v3.6/upgrades/upgrade_3_6/"),
    EtcdFlagsRemoved("proxy", (3, 6), "https://etcd.io/docs/v3.6/upgrades/upgrade_3_6/"),
    EtcdFlagsRemoved("experimental-", (3, 7), "https://etcd.io/docs/v3.7/upgrades/upgrade_3_7/"),
)


def removed_etcd_flag(name: str, minor: tuple[int, int]) -> EtcdFlagsRemoved | None:
    """The first rule by which an etcd of `minor` does not start with a flag; None where there is none."""
    for rule in ETCD_FLAGS_REMOVED:
        if name.startswith(rule.prefix) and minor >= rule.since:
            return rule
    return None


class RemovedFlag(t.NamedTuple):
    """A flag that stops a program from starting from a minor on. A name that ends in ``*`` is a prefix."""

    component: str
    name: str
    since: int
    source: str

    def covers(self, flag: str) -> bool:
        return flag.startswith(self.name[:-1]) if self.name.endswith("*") else flag == self.name


_CHANGES = "https://github.com/kubernetes/kubernetes/blob/master/CHANGELOG/CHANGELOG-1.{}.md"


def _removed(component: str, since: int, *names: str) -> tuple[RemovedFlag, ...]:
    return tuple(RemovedFlag(component, name, since, _CHANGES.format(since)) for name in names)


REMOVED_FLAGS = (
    *_removed("kubelet", 27, "container-runtime", "master-service-namespace"),
    *_removed("kubelet", 31, "keep-terminated-pod-volumes", "iptables-masquerade-bit", "iptables-drop-bit"),
    *_removed("kubelet", 34, "cloud-config"),
    *_removed("kubelet", 35, "pod-infra-container-image"),
    *_removed("kubelet", 37, "containerd", "containerd-namespace", "boot-id-file", "machine-id-file"),
    *_removed("kubelet", 37, "storage-driver-*", "global-housekeeping-interval", "log-cadvisor-usage"),
    *_removed("kubelet", 37, "event-storage-*", "application-metrics-count-limit", "container-hints"),
    *_removed("kubelet", 37, "enable-load-reader"),
    *_removed("kube-apiserver", 33, "cloud-config", "cloud-provider"),
    *_removed("kube-controller-manager", 27, "pod-eviction-timeout", "enable-taint-manager"),
    *_removed("kube-controller-manager", 31, "volume-host-*"),
    *_removed("kube-controller-manager", 31, "horizontal-pod-autoscaler-upscale-delay"),
    *_removed("kube-controller-manager", 31, "horizontal-pod-autoscaler-downscale-delay"),
    *_removed("kube-controller-manager", 37, "concurrent-service-syncs"),
)


def removed_flag(component: str, name: str, minor: int) -> RemovedFlag | None:
    """The rule by which a component of `minor` does not start with a flag; None where there is none."""
    for rule in REMOVED_FLAGS:
        if rule.component == component and rule.covers(name) and minor >= rule.since:
            return rule
    return None


FEATURE_GATES_SOURCE = "https://kubernetes.io/docs/reference/command-line-tools-reference/feature-gates/"
ADMISSION_SOURCE = "https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/"
KUBELET_CONFIG_SOURCE = "https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/"
# The kubelet compares its policies with these files (pkg/kubelet/cm/cpumanager and memorymanager, state).
KUBELET_STATE_SOURCE = (
    "https://kubernetes.io/docs/tasks/administer-cluster/cpu-management-policies/#changing-the-cpu-manager-policy"
)

# kubeadm of exactly this minor takes the flag out of its own file; that of no other minor does
# (https://github.com/kubernetes/kubernetes/pull/133779, /pull/135807).
STRIPPED_BY_KUBEADM = {"pod-infra-container-image": 35}
KUBEADM_FLAGS_FILE = "/var/lib/kubelet/kubeadm-flags.env"

CGROUP_V1_FAILS_SINCE = 35
CGROUP_V1_SOURCE = "https://github.com/kubernetes/kubernetes/pull/134744"

CONFIG_V1BETA3_REMOVED_IN = 37
CONFIG_SOURCE = "https://github.com/kubernetes/kubernetes/pull/136016"

STATIC_POD_REFERENCES_REFUSED_SINCE = 34
STATIC_POD_REFERENCES_SOURCE = "https://github.com/kubernetes/kubernetes/pull/131837"

# kubeadm of exactly this version fails on the empty text that it leaves itself; the next patch reads it
# (https://github.com/kubernetes/kubernetes/pull/136131).
EMPTY_FLAGS_BREAK_IN = ("1.35.0",)
# kubeadm of this minor ends with an error where the file is missing or begins with anything else.
FLAGS_FILE_NEEDED_IN = 35
FLAGS_FILE_BEGINS = "KUBELET_KUBEADM_ARGS="
FLAGS_FILE_SOURCE = "https://github.com/kubernetes/kubernetes/pull/133779"
EMPTY_FLAGS_SOURCE = "https://github.com/kubernetes/kubernetes/issues/136127"

INSTANCE_CONFIG_NEEDED_SINCE = 37
INSTANCE_CONFIG_SOURCE = "https://github.com/kubernetes/kubernetes/pull/138645"

KUBELET_CLIENT_SOURCE = "https://github.com/kubernetes/kubeadm/issues/2352"
BACKUP_MANIFEST_SOURCE = "https://github.com/kubernetes/kubernetes/issues/129364"
KUBEADM_STATIC_PODS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
BACKUP_ENDINGS = (".bak", ".backup", ".old", ".orig", ".save", ".rpmsave", ".dpkg-old", "~")

# Until then the kubelet spares the image of --pod-infra-container-image, from then on what the runtime has pinned.
PINNED_SANDBOX_NEEDED_SINCE = 35
PINNED_SANDBOX_SOURCE = "https://github.com/kubernetes/kubernetes/pull/133779"

RUNTIME_CONFIG_NEEDED_SINCE = 38
RUNTIME_CONFIG_SOURCE = "https://github.com/kubernetes/kubernetes/pull/139121"
# The oldest version of a runtime that has the call RuntimeConfig, by which the kubelet learns the cgroup driver.
RUNTIME_CONFIG_IN = {"containerd": "2.0.0", "cri-o": "1.28.0"}

# kubeadm copies etcd's data directory to /etc/kubernetes/tmp before it changes etcd, and keeps the copy
# (https://github.com/kubernetes/kubernetes/issues/125357). Twice its size leaves as much for etcd itself.
ETCD_COPY_FACTOR = 2
ETCD_COPY_SOURCE = "https://github.com/kubernetes/kubernetes/issues/125357"

# Of one version, unpacked: kube-apiserver, kube-controller-manager, kube-scheduler, kube-proxy, etcd, CoreDNS and pause
# on a control-plane node; kube-proxy, CoreDNS and pause on a worker. With the packages that are downloaded beside them.
IMAGES_BYTES = {"control_plane": 1536 * 2**20, "worker": 512 * 2**20}
IMAGES_SOURCE = "https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/install-kubeadm/"

# The kubelet's own threshold of nodefs.inodesFree, below which it evicts pods.
INODES_FREE_SHARE = 0.05
INODES_SOURCE = (
    "https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#hard-eviction-thresholds"
)

# From this size on, what earlier upgrades left behind is worth a word.
LEFTOVERS_BYTES = 100 * 2**20

# The oldest kernel that kubeadm of a minor takes for supported (k8s.io/system-validators, which its go.mod names).
KERNEL_SINCE: tuple[tuple[int, tuple[int, int]], ...] = ((32, (4, 19)), (34, (5, 4)))
KERNEL_SOURCE = "https://github.com/kubernetes/system-validators/blob/v1.9.1/validators/types_unix.go"
# kubeadm upgrade makes the check SystemVerification since this minor (https://github.com/kubernetes/kubeadm/issues/3114).
SYSTEM_VERIFICATION = "SystemVerification"
SYSTEM_VERIFIED_SINCE = 33
# From this minor on an old kernel is a warning of the check (k8s.io/system-validators v1.10).
OLD_KERNEL_WARNS_SINCE = 34


def kernel_minimum(kubernetes_minor: int) -> tuple[int, int] | None:
    """Of a Kubernetes minor; None where these rules do not know it."""
    found = None
    for since, kernel in KERNEL_SINCE:
        if kubernetes_minor >= since:
            found = kernel
    return found


# etcd warns when the clocks of two members differ by more.
CLOCK_TOLERANCE_S = 1.0
CLOCK_SOURCE = "https://github.com/etcd-io/etcd/blob/main/server/etcdserver/api/rafthttp/probing_status.go"

# kubeadm upgrade node of exactly this version looks for the Node under the host's name; fixed in the next patch.
HOSTNAME_BREAKS_IN = ("1.34.1",)
HOSTNAME_SOURCE = "https://github.com/kubernetes/kubeadm/issues/3244"

CRI_SOCKET = "kubeadm.alpha.kubernetes.io/cri-socket"
# kubeadm writes the kubelet's instance-config.yaml since then, takes the annotation away, and does without it. From the
# second minor on it asks the runtime on workers, too; from the third on it looks for one where both are missing.
CRI_SOCKET_LOCAL_SINCE = 34
CRI_SOCKET_ASKED_ON_WORKERS_SINCE = 35
CRI_SOCKET_DETECTED_SINCE = 36
CRI_SOCKET_SOURCE = (
    "https://kubernetes.io/docs/tasks/administer-cluster/migrating-from-dockershim/change-runtime-containerd/"
)

KUBELET_SERVER_SOURCE = "https://github.com/kubernetes/kubernetes/issues/127316"
PACKAGES_SOURCE = "https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-upgrade/"
APT_SOURCES_SOURCE = "https://manpages.debian.org/bookworm/apt/sources.list.5.en.html"
REPOSITORY_SOURCE = "https://kubernetes.io/blog/2023/08/15/pkgs-k8s-io-introduction/"
REPOSITORY_KEY_SOURCE = "https://github.com/kubernetes/release/issues/3818"
REPOSITORY_KEY_SOON_DAYS = 30

CERTIFICATE_SOON_DAYS = 30
CA_SOON_DAYS = 180
CERTIFICATE_SOURCE = "https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-certs/"
# What kubeadm upgrade renews, by the authority that signs it (cmd/kubeadm/app/phases/certs/certlist.go, and
# phases/certs/renewal). One whose key is not on the node it leaves out.
SIGNED_BY = {
    "ca": (
        *("apiserver", "apiserver-kubelet-client", "admin.conf", "super-admin.conf"),
        *("controller-manager.conf", "scheduler.conf"),
    ),
    "front-proxy-ca": ("front-proxy-client",),
    "etcd/ca": ("etcd/server", "etcd/peer", "etcd/healthcheck-client", "apiserver-etcd-client"),
}

# `kubeadm upgrade apply` has phases that can be skipped since then, and looks no more for the ConfigMap of an addon
# before it deploys it (https://github.com/kubernetes/kubernetes/pull/126032).
ADDON_PHASES_SINCE = 32
# The first version that leaves an addon out which kubeadm-config disables; those before looked for the ConfigMap alone.
ADDON_DISABLED_SINCE = "1.32.1"
ADDON_SOURCE = "https://github.com/kubernetes/kubeadm/issues/3137"

# Feature gates of kubeadm itself, in featureGates of the ClusterConfiguration, with the first and the last minor that
# know them (cmd/kubeadm/app/features/features.go, read up to KUBEADM_GATES_KNOWN_UNTIL).
KUBEADM_GATES: dict[str, tuple[int, int]] = {
    "PublicKeysECDSA": (19, 99),
    "RootlessControlPlane": (22, 99),
    "UnversionedKubeletConfigMap": (22, 25),
    "EtcdLearnerMode": (27, 32),
    "UpgradeAddonsBeforeControlPlane": (28, 30),
    "WaitForAllControlPlaneComponents": (30, 34),
    "ControlPlaneKubeletLocalMode": (31, 35),
    "NodeLocalCRISocket": (32, 36),
}
KUBEADM_GATES_KNOWN_UNTIL = 36
KUBEADM_GATES_SOURCE = "https://github.com/kubernetes/kubernetes/blob/master/cmd/kubeadm/app/features/features.go"


def kubeadm_knows_gate(name: str, minor: int) -> bool:
    """Whether kubeadm of a minor knows a gate of its own; of a newer kubeadm than was read, True where it may."""
    if name not in KUBEADM_GATES:
        return minor > KUBEADM_GATES_KNOWN_UNTIL
    return KUBEADM_GATES[name][0] <= minor <= KUBEADM_GATES[name][1]


# Controllers that act on nodes and pods by themselves, by the last part of their images' names, and what they do.
RIVALS = {
    "kured": "reboots nodes, and drains and uncordons them for that",
    "cluster-autoscaler": "drains and deletes nodes that have little to do",
    "descheduler": "evicts pods to balance them",
}
RIVALS_SOURCES = {
    "kured": "https://kured.dev/docs/operation/",
    "cluster-autoscaler": "https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md",
    "descheduler": "https://sigs.k8s.io/descheduler",
}

ADMIN_CONF_SOURCE = "https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-init-phase/"
PROXY_SOURCE = "https://github.com/kubernetes/kubernetes/blob/master/cmd/kubeadm/app/util/env.go"

BUDGET_SOURCE = "https://kubernetes.io/docs/tasks/run-application/configure-pdb/"
TWO_BUDGETS_SOURCE = "https://github.com/kubernetes/kubernetes/issues/75957"
DEPRECATED_SOURCE = "https://kubernetes.io/docs/reference/using-api/deprecation-guide/"
WEBHOOK_SOURCE = "https://github.com/kubernetes/kubernetes/issues/137356"
