# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What kubeadm itself writes into the static pods beside their flags, as data, and its mounts by the configuration.

Read in kubernetes 1.33.13, 1.34.4, 1.35.4 and 1.36.3, below cmd/kubeadm/app:
phases/controlplane/manifests.go and volumes.go, phases/etcd/local.go,
util/staticpod/utils.go and utils_linux.go, util/env.go and images/images.go.
"""

from __future__ import annotations

import posixpath
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._loose_data import dict_of, dicts_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._programs.used import CONFIG_KEYS
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.flags import configured_flags
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Json
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import CERTIFICATES

ETCD_DATA = "/var/lib/etcd"
FLEXVOLUMES = "/usr/libexec/kubernetes/kubelet-plugins/volume/exec"
SYSTEM_CERTIFICATES = "/etc/ssl/certs"
# Mounted by kube-apiserver and kube-controller-manager where the node has them.
MORE_CERTIFICATES = (
    *("/etc/pki/ca-trust", "/etc/pki/tls/certs", "/etc/ca-certificates"),
    *("/usr/share/ca-certificates", "/usr/local/share/ca-certificates"),
)

REQUESTS: dict[str, dict[str, str]] = {
    "kube-apiserver": {"cpu": "250m"},
    "kube-controller-manager": {"cpu": "200m"},
    "kube-scheduler": {"cpu": "100m"},
    "etcd": {"cpu": "100m", "memory": "100Mi"},
}

# None where it depends on a timeout that the cluster does not keep.
PROBES: dict[str, dict[str, int | None]] = {
    "livenessProbe": {"initialDelaySeconds": 10, "periodSeconds": 10, "timeoutSeconds": 15, "failureThreshold": 8},
    "readinessProbe": {"initialDelaySeconds": 0, "periodSeconds": 1, "timeoutSeconds": 15, "failureThreshold": 3},
    "startupProbe": {"initialDelaySeconds": 10, "periodSeconds": 10, "timeoutSeconds": 15, "failureThreshold": None},
}
PROBE_PATHS: dict[str, dict[str, str]] = {
    "kube-apiserver": {"livenessProbe": "/livez", "readinessProbe": "/readyz", "startupProbe": "/livez"},
    "kube-controller-manager": {"livenessProbe": "/healthz", "startupProbe": "/healthz"},
    "kube-scheduler": {"livenessProbe": "/livez", "readinessProbe": "/readyz", "startupProbe": "/livez"},
    "etcd": {"livenessProbe": "/livez", "readinessProbe": "/readyz", "startupProbe": "/readyz"},
}
# Of kubeadm before 1.33, which gave readinessProbes to kube-apiserver alone.
OLDER_PROBE_PATHS = frozenset({"/healthz", "/health", "/health?exclude=NOSPACE&serializable=true"}) | {
    "/health?serializable=false"
}

# The API server copies them from the node (admission plug-in PodTopologyLabels).
COPIED_LABELS = frozenset({"topology.kubernetes.io/zone", "topology.kubernetes.io/region"})
# Of the kubelet, of kubeadm, and of this collection.
OWN_PREFIXES = ("kubernetes.io/config.", "kubeadm.kubernetes.io/", "evergreen.kubeadm/")
# Admission notes in it that it gave the pod resources of a LimitRange.
LIMIT_RANGER = "kubernetes.io/limit-ranger"
PROBE_PORT = "probe-port"

# Fields of the pod that kubeadm writes, or leaves to the defaults of the API server; with that value.
POD_FIELDS: Json = {"hostNetwork": True, "priorityClassName": "system-node-critical"}
POD_DEFAULTS: Json = {"dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "terminationGracePeriodSeconds": 30}
POD_SECURITY: Json = {"seccompProfile": {"type": "RuntimeDefault"}}
# Fields that neither kubeadm nor the API server nor the kubelet writes.
POD_UNKNOWN = (
    *("dnsConfig", "hostAliases", "hostIPC", "hostPID", "hostname", "imagePullSecrets", "resources"),
    *("runtimeClassName", "setHostnameAsFQDN", "shareProcessNamespace", "subdomain", "topologySpreadConstraints"),
)
CONTAINER_UNKNOWN = ("envFrom", "lifecycle", "restartPolicy", "stdin", "tty", "volumeDevices", "workingDir")
# With this gate of kubeadm it writes user and group, which it makes on each node.
ROOTLESS = "RootlessControlPlane"


class Mount(t.NamedTuple):
    host: str
    """Path on the node; empty for a volume that is not of the node."""
    path: str
    """Path in the container."""
    read_only: bool


def part_of(config: Json, component: str) -> Json:
    """The part of a ClusterConfiguration about a component, or about etcd."""
    part = config
    for key in CONFIG_KEYS[component]:
        part = dict_of(part.get(key))
    return part


def may_be_proxy(component: str, name: str) -> bool:
    """Whether kubeadm takes the variable from its own environment, where it is set when kubeadm runs."""
    return component != "etcd" and name.lower().endswith("_proxy")


def own_mounts(component: str, config: Json) -> dict[str, Mount]:
    """The mounts that kubeadm writes without extraVolumes, by the names of their volumes."""
    certificates = str(config.get("certificatesDir") or CERTIFICATES)
    if component == "etcd":
        data = str(part_of(config, "etcd").get("dataDir") or ETCD_DATA)
        return {"etcd-data": _same(data, False), "etcd-certs": _same(f"{certificates}/etcd", False)}
    if component == "kube-scheduler":
        return {"kubeconfig": _same("/etc/kubernetes/scheduler.conf", True)}
    mounts = {"k8s-certs": _same(certificates, True), "ca-certs": _same(SYSTEM_CERTIFICATES, True)}
    if component == "kube-controller-manager":
        return {**mounts, "kubeconfig": _same("/etc/kubernetes/controller-manager.conf", True)}
    external = dict_of(dict_of(config.get("etcd")).get("external"))
    folders = _etcd_folders(external, certificates)
    return {**mounts, **{f"etcd-certs-{place}": _same(folder, True) for place, folder in enumerate(folders)}}


def optional_mounts(component: str, config: Json) -> dict[str, Mount]:
    """Mounts that kubeadm writes on some nodes, or in some versions."""
    if component not in ("kube-apiserver", "kube-controller-manager"):
        return {}
    mounts = {path[1:].replace("/", "-"): _same(path, True) for path in MORE_CERTIFICATES}
    if component == "kube-controller-manager":
        # Until 1.35.
        given = configured_flags(config, component).get("flex-volume-plugin-dir") or [FLEXVOLUMES]
        mounts["flexvolume-dir"] = _same(given[-1], False)
    return mounts


def extra_mounts(component: str, config: Json) -> dict[str, Mount]:
    """extraVolumes of a component; one with the name of kubeadm's own takes its place. etcd has none."""
    return {
        str(entry.get("name")): Mount(
            str(entry.get("hostPath") or ""), str(entry.get("mountPath") or ""), bool(entry.get("readOnly"))
        )
        for entry in dicts_of(part_of(config, component).get("extraVolumes"))
    }


def _same(path: str, read_only: bool) -> Mount:
    return Mount(path, path, read_only)


def _etcd_folders(external: Json, certificates: str) -> list[str]:
    """Folders of the client certificate for an external etcd that are not mounted for another reason."""
    folders: set[str] = set()
    for key in ("caFile", "certFile", "keyFile"):
        folder = posixpath.dirname(str(external.get(key) or ""))
        # kubeadm compares beginnings of names, not folders.
        if not folder or folder.startswith((*MORE_CERTIFICATES, SYSTEM_CERTIFICATES, certificates)):
            continue
        if not any(folder.startswith(other) for other in folders):
            folders = {other for other in folders if not other.startswith(folder)} | {folder}
    return sorted(folders)
