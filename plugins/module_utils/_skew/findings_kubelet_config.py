# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""A node's kubelet configuration beside what kubeadm writes in its place: pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.kubelet_config import merged, patched
from ansible_collections.evergreen.kubeadm.plugins.module_utils._loose_data import dict_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    BLOCKER,
    NOTE,
    WARNING,
    Finding,
    Host,
    Json,
    finding,
)

FILE = "/var/lib/kubelet/config.yaml"
# No settings; and headers of the kubelet for another server, which kubeadm_info leaves out.
_IGNORED = ("apiVersion", "kind", "staticPodURLHeader")
# kubeadm itself sets these where the ConfigMap does not, some by the node or by the networks of the cluster.
_DEFAULTED = (
    *("authentication", "authorization", "cgroupDriver", "clusterDNS", "clusterDomain", "healthzBindAddress"),
    *("healthzPort", "resolvConf", "rotateCertificates", "staticPodPath"),
)
# What the kubelet takes where nothing is set, and where a plain false is nothing.
_DEFAULTS: Json = {
    "cpuManagerPolicy": "none",
    "memoryManagerPolicy": "None",
    "topologyManagerPolicy": "none",
    "maxPods": 110,
    "serverTLSBootstrap": False,
    "protectKernelDefaults": False,
}
# The kubelet writes these policies into a file, and does not start with another one than is there.
_STATES = {
    "cpuManagerPolicy": "/var/lib/kubelet/cpu_manager_state",
    "memoryManagerPolicy": "/var/lib/kubelet/memory_manager_state",
}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:h|ms|m|s|us|ns))+")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


class _Change(t.NamedTuple):
    field: str
    before: object
    after: object


def config_after(host: Host, of_cluster: Json | None) -> Json:
    """What the node's kubelet has once kubeadm wrote its file from the ConfigMap: patches and drop-ins are in it."""
    return merged(patched(of_cluster or {}, host.kubelet_patches), host.kubelet_drop_ins)


def kubelet_config_findings(host: Host, subject: str, of_cluster: Json | None) -> list[Finding]:
    """For a node whose file kubeadm is to write."""
    if of_cluster is None or not host.kubelet_config:
        return []
    after = merged(config_after(host, of_cluster), host.instance_config_values)
    changes = _changes(merged(host.kubelet_config, host.kubelet_drop_ins), after, _flags(host))
    refused = _refused(host, changes, after)
    if not changes and not refused:
        return []
    lost = [change for change in changes if not _empty(change.before)]
    told = "; ".join(_told(change) for change in [*lost, *(c for c in changes if c not in lost)])
    patches = "worker_patches" if host.role == "worker" else "control_plane_patches"
    keep = (
        f"To keep them on this node: put them into the file kubeletconfiguration.yaml in a folder on {host.name} and "
        f"name that folder in {patches}. To have them on all nodes: kubectl -n kube-system edit configmap "
        "kubelet-config"
    )
    evidence = f"{FILE} is not as kubeadm writes it from the ConfigMap kubelet-config, and the run does so: {told}"
    if refused:
        files = " ".join(_STATES[name] for name in refused)
        return [
            finding(
                "kubelet-config-differs",
                BLOCKER,
                subject,
                f"{evidence}. The kubelet does not start with another {' or '.join(refused)} than it has in {files}",
                f"{keep}. To change it: kubectl drain {host.name}; there, systemctl stop kubelet, set it in {FILE}, "
                f"rm {files}, systemctl start kubelet; kubectl uncordon {host.name}",
                rules.KUBELET_STATE_SOURCE,
            )
        ]
    return [
        finding(
            "kubelet-config-differs",
            WARNING if lost else NOTE,
            subject,
            evidence,
            keep if lost else "Nothing: the settings of the ConfigMap come into force on this node with the upgrade.",
            rules.KUBELET_CONFIG_SOURCE,
        )
    ]


def _refused(host: Host, changes: list[_Change], after: Json) -> list[str]:
    """Policies that the kubelet would not start with: by its state file, or where that is not known, by its file."""
    if host.manager_states is None:
        return [change.field for change in changes if change.field in _STATES]
    flags = _flags(host)
    return [
        name
        for name, policy in sorted(host.manager_states.items())
        if name in _STATES and name not in flags and policy != after.get(name, _DEFAULTS[name])
    ]


def _flags(host: Host) -> set[str]:
    """Fields that a flag of the kubelet sets whatever its file says."""
    names = {str(entry.get("name")) for entry in host.kubelet_flags}
    keys = {*host.kubelet_config, *_STATES}
    return {key for key in keys if re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", key).lower() in names}


def _changes(before: Json, after: Json, by_flag: set[str]) -> list[_Change]:
    found = []
    for key in sorted({*before, *after}):
        if key in _IGNORED or key in by_flag or (key in _DEFAULTED and key not in after):
            continue
        default = _DEFAULTS.get(key)
        found += _compare(key, before.get(key, default), after.get(key, default))
    return found


def _compare(field: str, before: t.Any, after: t.Any) -> list[_Change]:
    if (_empty(before) and _empty(after)) or _plain(before) == _plain(after):
        return []
    if isinstance(before, dict) or isinstance(after, dict):
        old, new = dict_of(before), dict_of(after)
        return [
            change for key in sorted({*old, *new}) for change in _compare(f"{field}.{key}", old.get(key), new.get(key))
        ]
    return [_Change(field, before, after)]


def _empty(value: t.Any) -> bool:
    """Whether it says nothing: kubeadm writes many zeros into the file. A false may be meant."""
    if isinstance(value, bool):
        return False
    if isinstance(value, dict):
        return all(_empty(entry) for entry in value.values())
    return value in (None, "", "0", "0s", 0, [])


def _plain(value: t.Any) -> t.Any:
    """Durations as seconds, other scalars as text: 5m is 5m0s, and a number may be quoted."""
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    text = str(value)
    if isinstance(value, str) and _DURATION.fullmatch(text):
        return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)(h|ms|m|s|us|ns)", text))
    return value if isinstance(value, (bool, dict)) else text


def _told(change: _Change) -> str:
    """Nothing in a KubeletConfiguration is secret but what `_IGNORED` leaves out."""
    before, after = (str(value).lower() if isinstance(value, bool) else str(value) for value in change[1:])
    if _empty(change.after):
        return f"{change.field} {before[:100]} goes"
    if _empty(change.before):
        return f"{change.field} {after[:100]} comes"
    return f"{change.field} {before[:100]} becomes {after[:100]}"
