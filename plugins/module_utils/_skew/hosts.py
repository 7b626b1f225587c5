# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Results of kubeadm_info as Hosts: pure, and tolerant, since every key is optional."""

from __future__ import annotations

import typing as t
from datetime import datetime

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Host, Json


def read_host(result: Json) -> Host | None:
    """A Host from what kubeadm_info returned, or from the `info` in it; None where it names no node."""
    info = result.get("info") if isinstance(result.get("info"), dict) else result
    info = t.cast("Json", info)
    name = info.get("node_name") or info.get("hostname")
    if not name:
        return None
    kubelet, etcd = _dict(info.get("kubelet")), _dict(info.get("etcd"))
    runtime = _dict(info.get("container_runtime"))
    foreign = [entry for entry in info.get("foreign_manifests") or [] if isinstance(entry, dict)]
    manifests = [*_dict(info.get("static_pods")).values(), *foreign]
    return Host(
        name=str(name),
        cgroup_version=info.get("cgroup_version"),
        swap_on=info.get("swap_on"),
        free_bytes={
            path: int(disk["free_bytes"])
            for path, disk in _dict(info.get("disk")).items()
            if isinstance(disk, dict) and "free_bytes" in disk
        },
        etcd_bytes=etcd.get("db_bytes") if etcd.get("present") else None,
        certificates=[
            {"path": entry["path"], "not_after": moment}
            for entry in info.get("certificates") or []
            if "path" in entry and (moment := _epoch(entry.get("not_after"))) is not None
        ],
        kubelet_flags=list(kubelet.get("flags") or []),
        empty_variables=list(kubelet.get("empty_variables") or []),
        kubelet_client=kubelet.get("client_cn") or None,
        instance_config=kubelet.get("instance_config_present"),
        external_ca=info.get("external_ca"),
        runtime_name=str(runtime.get("name") or ""),
        runtime_version=str(runtime.get("version") or ""),
        foreign_manifests=[str(entry.get("file", "")) for entry in foreign],
        api_references={
            str(entry.get("file", "")): list(entry["api_references"])
            for entry in manifests
            if isinstance(entry, dict) and entry.get("api_references")
        },
    )


def _dict(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _epoch(value: object) -> float | None:
    """Seconds since the epoch, of a number or of RFC 3339 in UTC."""
    if isinstance(value, (int, float)):
        return float(value)
    try:
        return datetime.fromisoformat(str(value).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None
