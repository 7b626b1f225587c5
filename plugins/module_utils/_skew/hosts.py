# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Results of kubeadm_info as Hosts: pure, and tolerant, since every key is optional. And what the plan has for one."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import parse_time
from ansible_collections.evergreen.kubeadm.plugins.module_utils._loose_data import dict_of, dicts_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    Host,
    Json,
    Package,
    version_or_none,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import Plan
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import CERTIFICATES
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version


def read_host(result: Json) -> Host | None:
    """A Host from what kubeadm_info returned, or from the `info` in it; None where it names no node."""
    info = result.get("info") if isinstance(result.get("info"), dict) else result
    info = t.cast("Json", info)
    name = info.get("node_name") or info.get("hostname")
    if not name:
        return None
    kubelet, etcd = dict_of(info.get("kubelet")), dict_of(info.get("etcd"))
    runtime = dict_of(info.get("container_runtime"))
    foreign = [entry for entry in info.get("foreign_manifests") or [] if isinstance(entry, dict)]
    own = dict_of(info.get("static_pods"))
    manifests = [entry for entry in (*own.values(), *foreign) if isinstance(entry, dict)]
    disks = {path: disk for path, disk in dict_of(info.get("disk")).items() if isinstance(disk, dict)}
    clock = dict_of(info.get("clock"))
    return Host(
        name=str(name),
        cgroup_version=info.get("cgroup_version"),
        swap_on=info.get("swap_on"),
        hostname=str(info.get("hostname") or ""),
        role=str(info.get("role") or ""),
        kernel=str(info.get("kernel") or ""),
        kernel_config=info.get("kernel_config"),
        time=_epoch(info.get("time")),
        clock_synchronised=clock.get("synchronised"),
        asked_at=_epoch(clock.get("asked_at")),
        free_bytes={path: int(disk["free_bytes"]) for path, disk in disks.items() if "free_bytes" in disk},
        inodes={
            path: (int(disk.get("inodes_free") or 0), int(disk["inodes_total"]))
            for path, disk in disks.items()
            if disk.get("inodes_total")
        },
        leftover_bytes=int(info.get("kubeadm_tmp_bytes") or 0),
        etcd_bytes=etcd.get("db_bytes") if etcd.get("present") else None,
        certificates=[
            {"path": entry["path"], "not_after": moment}
            for entry in info.get("certificates") or []
            if "path" in entry and (moment := _epoch(entry.get("not_after"))) is not None
        ],
        certificates_used={
            str(value) for entry in manifests for value in dict_of(entry.get("flags")).values() if value
        },
        external_etcd=info.get("role") == "control_plane" and etcd.get("present") is False,
        kubelet_flags=list(kubelet.get("flags") or []),
        # kubeadm_info puts the file before the name.
        empty_variables=[str(entry).rpartition(" ")[2] for entry in kubelet.get("empty_variables") or []],
        flags_file=str(kubelet.get("kubeadm_flags_file") or ""),
        kubelet_config=dict_of(kubelet.get("config")),
        kubelet_drop_ins=dict_of(kubelet.get("drop_ins")),
        kubelet_patches=dicts_of(kubelet.get("patches")),
        kubelet_running=str(kubelet.get("running_version") or ""),
        admin_conf=info.get("admin_conf"),
        kubelet_server=str(info.get("kubelet_conf_server") or ""),
        advertise_address=str(dict_of(dict_of(own.get("kube-apiserver")).get("flags")).get("advertise-address") or ""),
        packages=_packages(info),
        repositories=[entry for entry in info.get("repositories") or [] if isinstance(entry, dict)],
        package_sources_error=str(info.get("package_sources_error") or ""),
        kubelet_client=kubelet.get("client_cn") or None,
        kubelet_groups=kubelet.get("client_o"),
        manager_states=dict_of(kubelet["manager_states"]) if "manager_states" in kubelet else None,
        instance_config=kubelet.get("instance_config_present"),
        instance_config_values=dict_of(kubelet.get("instance_config")),
        ca_keys_missing=_keys_missing(info),
        certificates_dir=str(info.get("certificates_dir") or CERTIFICATES),
        runtime_name=str(runtime.get("name") or ""),
        runtime_version=str(runtime.get("version") or ""),
        runtime_socket=str(runtime.get("socket") or ""),
        runtime_sockets=runtime.get("sockets"),
        proxies={key: [str(name) for name in names] for key, names in dict_of(info.get("proxy_variables")).items()},
        static_pod_edits=dict_of(info.get("static_pod_edits")),
        sandbox=dict_of(runtime.get("sandbox")) or None,
        foreign_manifests=[str(entry.get("file", "")) for entry in foreign],
        foreign_pods={str(entry.get("file", "")): str(entry.get("name") or "") for entry in foreign},
        broken_manifests={str(entry.get("file", "")): str(entry["error"]) for entry in manifests if entry.get("error")},
        api_references={
            str(entry.get("file", "")): list(entry["api_references"])
            for entry in manifests
            if entry.get("api_references")
        },
    )


def versions_ahead(plan: Plan, name: str) -> list[Version]:
    """The versions that a node goes through, in their order; empty where nothing is left to do on it."""
    return [Version.parse(hop["to"]) for hop in plan.hops if name in hop["control_plane"] or name in hop["workers"]]


def _keys_missing(info: Json) -> list[str]:
    """A result of before the key `ca_keys_missing` tells of the cluster's authority alone."""
    missing = info.get("ca_keys_missing")
    if isinstance(missing, list):
        return [str(name) for name in missing]
    return ["ca"] if info.get("external_ca") else []


def _packages(info: Json) -> dict[str, Package]:
    found = {}
    for name in ("kubeadm", "kubelet", "kubectl"):
        program = dict_of(info.get(name))
        version = version_or_none(str(program.get("version") or ""))
        if version is not None:
            package = dict_of(program.get("package"))
            found[name] = Package(version, bool(package.get("held")) if package else None)
    return found


def _epoch(value: object) -> float | None:
    """Seconds since the epoch, of a number or of RFC 3339 in UTC."""
    if isinstance(value, (int, float)):
        return float(value)
    found = parse_time(value)
    return found.timestamp() if found else None
