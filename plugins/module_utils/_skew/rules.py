# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What the skew check knows of Kubernetes, as data: each rule with its source."""

from __future__ import annotations

import typing as t

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
    """From `before` to `after` every member must first be at `minimum` or newer."""

    before: tuple[int, int]
    after: tuple[int, int]
    minimum: str
    why: str
    source: str


ETCD_RULES = (
    EtcdRule(
        (3, 5),
        (3, 6),
        "3.5.26",
        "members that were removed can come back to life after the upgrade to 3.6",
        "https://etcd.io/blog/2025/zombie_members_upgrade/",
    ),
    EtcdRule(
        (3, 6),
        (3, 7),
        "3.6.11",
        "older members do not work together with 3.7",
        "https://etcd.io/docs/v3.7/upgrades/upgrade_3_7/",
    ),
)
ETCD_FLAG_PREFIX_REMOVED = ("experimental-", (3, 7), "https://etcd.io/docs/v3.7/upgrades/upgrade_3_7/")


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

EMPTY_FLAGS_BREAK_IN = 35
EMPTY_FLAGS_SOURCE = "https://github.com/kubernetes/kubernetes/issues/136127"

INSTANCE_CONFIG_NEEDED_SINCE = 37
INSTANCE_CONFIG_SOURCE = "https://github.com/kubernetes/kubernetes/pull/138645"

KUBELET_CLIENT_SOURCE = "https://github.com/kubernetes/kubeadm/issues/2352"
BACKUP_MANIFEST_SOURCE = "https://github.com/kubernetes/kubernetes/issues/129364"
BACKUP_ENDINGS = (".bak", ".backup", ".old", ".orig", ".save", ".rpmsave", ".dpkg-old", "~")

RUNTIME_CONFIG_NEEDED_SINCE = 38
RUNTIME_CONFIG_SOURCE = "https://github.com/kubernetes/kubernetes/pull/139121"

# kubeadm copies etcd's data directory to /etc/kubernetes/tmp before it changes etcd, and keeps the copy
# (https://github.com/kubernetes/kubernetes/issues/125357). Twice its size leaves as much for etcd itself.
ETCD_COPY_FACTOR = 2
ETCD_COPY_SOURCE = "https://github.com/kubernetes/kubernetes/issues/125357"

CERTIFICATE_SOON_DAYS = 30
CA_SOON_DAYS = 180
CERTIFICATE_SOURCE = "https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-certs/"

BUDGET_SOURCE = "https://kubernetes.io/docs/tasks/run-application/configure-pdb/"
TWO_BUDGETS_SOURCE = "https://github.com/kubernetes/kubernetes/issues/75957"
DEPRECATED_SOURCE = "https://kubernetes.io/docs/reference/using-api/deprecation-guide/"
WEBHOOK_SOURCE = "https://github.com/kubernetes/kubernetes/issues/137356"
