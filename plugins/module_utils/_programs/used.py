# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Which flags and feature gates a cluster uses, by program: from manifests, kubelet flags and configurations. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._programs.asking import CONTROL_PLANE, Used

Json = dict[str, t.Any]
# The part of ClusterConfiguration that has a component's extraArgs.
CONFIG_KEYS = {
    "kube-apiserver": ("apiServer",),
    "kube-controller-manager": ("controllerManager",),
    "kube-scheduler": ("scheduler",),
    "etcd": ("etcd", "local"),
}


def gates_of(value: str) -> dict[str, bool]:
    """The value of ``--feature-gates``: ``A=true,kube:B=false``. What is neither true nor false is left out."""
    found = {}
    for part in value.split(","):
        name, equals, setting = part.strip().strip('"').rpartition(":")[2].partition("=")
        if equals and setting.strip().lower() in ("true", "false"):
            found[name.strip()] = setting.strip().lower() == "true"
    return found


def plain_gates(gates: t.Any) -> dict[str, bool]:
    """featureGates of a configuration; empty where it is no map of booleans."""
    if not isinstance(gates, dict):
        return {}
    return {str(name): value for name, value in gates.items() if isinstance(value, bool)}


def extra_args(part: t.Any) -> list[tuple[str, str]]:
    """extraArgs of a part of a ClusterConfiguration: a map up to v1beta3, a list of name and value from v1beta4 on."""
    found = (part if isinstance(part, dict) else {}).get("extraArgs") or {}
    if isinstance(found, dict):
        return [(str(name), _text(value)) for name, value in found.items()]
    return [(str(entry.get("name", "")), _text(entry.get("value", ""))) for entry in found if isinstance(entry, dict)]


def component_args(cluster_config: Json | None, component: str) -> list[tuple[str, str]]:
    """extraArgs of a component of the control plane, or of etcd, in a ClusterConfiguration."""
    part: t.Any = cluster_config
    for key in CONFIG_KEYS[component]:
        part = part.get(key) if isinstance(part, dict) else None
    return extra_args(part)


def _text(value: t.Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def used_by_cluster(
    *,
    static_pods: list[Json],
    kubelet_flags: list[Json],
    kubelet_configs: list[Json],
    cluster_config: Json,
    kube_proxy_config: Json,
) -> dict[str, Used]:
    """By program. `static_pods` and `kubelet_flags` are in the shape of kubeadm_info."""
    found = {
        "kubelet": _used([(str(f.get("name", "")), str(f.get("value", ""))) for f in kubelet_flags], kubelet_configs)
    }
    for component in CONTROL_PLANE:
        arguments = component_args(cluster_config, component)
        for pods in static_pods:
            pod = pods.get(component)
            arguments += [(name, str(value)) for name, value in ((pod or {}).get("flags") or {}).items()]
        found[component] = _used(arguments, [])
    found["kube-proxy"] = _used([], [kube_proxy_config])
    return found


def _used(arguments: list[tuple[str, str]], configs: list[Json]) -> Used:
    gates: set[tuple[str, bool]] = set()
    for name, value in arguments:
        if name == "feature-gates":
            gates.update(gates_of(value).items())
    for config in configs:
        gates.update(plain_gates(config.get("featureGates")).items())
    return Used(frozenset(name for name, _value in arguments if name), frozenset(gates))
