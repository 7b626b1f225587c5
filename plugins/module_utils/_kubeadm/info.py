# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Everything that an upgrade wants to know of a node, as one dict: the result of kubeadm_info."""

from __future__ import annotations

import os
import platform
import re
import shlex
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import utc_at
from ansible_collections.evergreen.kubeadm.plugins.module_utils._images.cri import ImageService, RuntimeAway
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import kubelet as kubelet_text
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import kubelet_config, manifests
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import node as node_paths
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.clock import kernel_clock
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.edits import static_pod_edits
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.kubeconfig import Kubeconfig
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import CONTROL_PLANE_COMPONENTS, SOCKETS
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.repositories import read_repositories
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import etcd_servers

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import JsonDict, StaticPod
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node

_CERTIFICATE_FILES = (
    "/etc/kubernetes/admin.conf",
    "/etc/kubernetes/super-admin.conf",
    "/etc/kubernetes/controller-manager.conf",
    "/etc/kubernetes/scheduler.conf",
    "/etc/kubernetes/kubelet.conf",
    "/var/lib/kubelet/pki/kubelet.crt",
)
_DEFAULT_SOCKETS = ("/run/containerd/containerd.sock", "/var/run/crio/crio.sock", "/var/run/cri-dockerd.sock")
# Where kubeadm's check SystemVerification looks for the configuration of the kernel, and the module that would show it.
_KERNEL_CONFIGS = (
    *("/proc/config.gz", "/boot/config-{}", "/usr/src/linux-{}/.config", "/usr/src/linux/.config"),
    *("/usr/lib/modules/{}/config", "/usr/lib/ostree-boot/config-{}", "/usr/lib/kernel/config-{}"),
    *("/usr/src/linux-headers-{}/.config", "/lib/modules/{}/build/.config"),
    *(f"/lib/modules/{{}}/kernel/kernel/configs.ko{ending}" for ending in ("", ".gz", ".xz", ".zst")),
)
# Certificate authorities of kubeadm, by their paths without the ending.
_AUTHORITIES = ("ca", "front-proxy-ca", "etcd/ca")
_SANDBOX = re.compile(r"""^\s*sandbox(?:_image)?\s*=\s*["']([^"']+)["']""", re.MULTILINE)
_SECRET_KUBELET_KEYS = ("staticPodURLHeader",)


def collect(node: Node, now: float | None = None, asked_at: float | None = None, patches: str = "") -> JsonDict:
    """Read the node. `now` is the node's clock, and what certificates are measured against.

    `asked_at` is the clock of whoever asks, read before. Both are seconds since the epoch.
    `patches` is the folder of kubeadm's patches.
    """
    moment = time.time() if now is None else now
    # Commands are slow (a Go program takes 50 to 100 ms to say its version), files are not.
    with ThreadPoolExecutor(max_workers=7) as pool:
        versions = {
            "kubeadm": pool.submit(node.version_of, "kubeadm", "version", "-o", "short"),
            "kubelet": pool.submit(node.version_of, "kubelet", "--version"),
            "kubectl": pool.submit(node.version_of, "kubectl", "version", "--client"),
        }
        edits = pool.submit(lambda: static_pod_edits(node, patches, versions["kubeadm"].result()))
        running = pool.submit(_running_kubelet, node)
        runtime = pool.submit(_runtime, node)
        rpm = pool.submit(_rpm_packages, node)
        info = _from_files(node, moment, patches)
        info["clock"]["asked_at"] = asked_at
        packages = {**_dpkg_packages(node), **rpm.result()}
        for name, version in versions.items():
            info[name].update(version=version.result(), package=packages.get(name))
        info["kubelet"].update(running.result())
        info["packages"] = packages
        info["container_runtime"] = runtime.result()
        info["static_pod_edits"] = edits.result()
    return info


def _from_files(node: Node, moment: float, patches: str) -> JsonDict:
    pods, foreign = node.static_pods()
    client = node.kubelet_client()
    flags, empty = node.kubelet_flags()
    data_dir = pods["etcd"].flags.get("data-dir", "/var/lib/etcd") if "etcd" in pods else ""
    pki = node.certificates_dir()
    keys_missing = _ca_keys_missing(node, pki, stacked="etcd" in pods)
    return {
        "node_name": node.node_name(),
        "hostname": node.hostname(),
        "role": "control_plane" if node.is_control_plane() else "worker",
        "kubeadm": {},
        "kubectl": {},
        "kubelet": {
            "flags": [asdict(flag) for flag in flags],
            "empty_variables": empty,
            "kubeadm_flags_file": _flags_file(node.read(node_paths.KUBELET_FLAGS)),
            "config": _without_secrets(node.yaml(node_paths.KUBELET_CONFIG)),
            "drop_ins": _without_secrets(node.kubelet_drop_ins(flags)),
            "patches": [
                {**patch, "patch": _without_secrets(patch["patch"])}
                for name in (node.names(patches) if patches else [])
                for patch in kubelet_config.patches_of(name, node.read(f"{patches}/{name}") or "")
            ],
            "manager_states": node.manager_states(),
            "config_written": node.modified(node_paths.KUBELET_CONFIG),
            "instance_config": node.yaml(node_paths.KUBELET_INSTANCE_CONFIG),
            "instance_config_present": node.exists(node_paths.KUBELET_INSTANCE_CONFIG),
            "client_cn": client.subject_cn if client else "",
            "client_o": client.subject_o if client else [],
        },
        "admin_conf": node.exists("/etc/kubernetes/admin.conf"),
        "kubelet_conf_server": _server(node, "/etc/kubernetes/kubelet.conf"),
        "static_pods": {component: _pod(pod) for component, pod in pods.items()},
        "proxy_variables": _proxies(pods),
        "foreign_manifests": [_pod(pod) for pod in foreign],
        "etcd": {
            "present": "etcd" in pods,
            "external": etcd_servers(pods["kube-apiserver"].flags)
            if "kube-apiserver" in pods and "etcd" not in pods
            else [],
            "data_dir": data_dir,
            "db_bytes": _size(node, f"{data_dir}/member/snap/db") if data_dir else 0,
        },
        "cgroup_version": 2 if node.exists("/sys/fs/cgroup/cgroup.controllers") else 1,
        "swap_on": len((node.read("/proc/swaps") or "").strip().splitlines()) > 1,
        "kernel": _kernel(node),
        "kernel_config": any(node.exists(path.format(_kernel(node))) for path in _KERNEL_CONFIGS),
        "architecture": platform.machine(),
        "os": _os(node),
        "disk": _disks(node, data_dir or "/var/lib/etcd"),
        "certificates_dir": pki,
        "certificates": _certificates(node, pki, moment),
        "external_ca": None if keys_missing is None else "ca" in keys_missing,
        "ca_keys_missing": keys_missing,
        "package_manager": _package_manager(node),
        "repositories": read_repositories(node),
        "package_sources_error": _package_sources_error(node),
        "kubeadm_tmp_bytes": node.tree_bytes(node_paths.KUBEADM_TMP),
        "kubeadm_tmp": node.names(node_paths.KUBEADM_TMP),
        "time": moment,
        "clock": _clock(node),
    }


def _kernel(node: Node) -> str:
    return (node.read("/proc/sys/kernel/osrelease") or platform.release()).strip()


def _flags_file(text: str | None) -> str:
    if text is None:
        return "missing"
    return "args" if text.lstrip().startswith("KUBELET_KUBEADM_ARGS=") else "other"


def _clock(node: Node) -> JsonDict:
    # Another file system is not this machine's, and may be older than its clock.
    return kernel_clock() if node.root == Path("/") else {"synchronised": None, "max_error_s": None}


def _ca_keys_missing(node: Node, pki: str, *, stacked: bool) -> list[str] | None:
    """Authorities whose certificate is here without the key, which kubeadm takes for managed by somebody else.

    A worker never has a key, so there it says nothing: None. Beside an external
    etcd, kubeadm has no certificates of etcd's authority to renew.
    """
    if not node.is_control_plane():
        return None
    return [
        name
        for name in _AUTHORITIES
        if (stacked or name != "etcd/ca") and node.exists(f"{pki}/{name}.crt") and not node.exists(f"{pki}/{name}.key")
    ]


def _pod(pod: StaticPod) -> JsonDict:
    return {key: value for key, value in asdict(pod).items() if key not in ("component", "proxies")}


def _proxies(pods: dict[str, StaticPod]) -> JsonDict:
    """Names alone: a value may have a password in it."""
    here = manifests.proxy_variables(os.environ)
    kept = manifests.copied_proxies([pods[name].proxies for name in CONTROL_PLANE_COMPONENTS if name in pods])
    return {
        "environment": sorted(here),
        "static_pods": sorted(kept),
        "differing": sorted(name for name in {*here} & {*kept} if here[name] != kept[name]),
    }


def _without_secrets(config: t.Any) -> t.Any:
    """A KubeletConfiguration, or a patch of one."""
    if isinstance(config, list):
        return [entry for entry in config if not any(key in str(entry) for key in _SECRET_KUBELET_KEYS)]
    return {key: value for key, value in config.items() if key not in _SECRET_KUBELET_KEYS}


def _running_kubelet(node: Node) -> JsonDict:
    pid = node.kubelet_pid()
    started = node.process_started(pid) if pid else None
    return {
        "running": pid is not None,
        "running_version": node.kubelet_running_version(pid) if pid else "",
        "started_epoch": started,
        "running_since": utc_at(started) if started else "",
    }


def _server(node: Node, path: str) -> str:
    try:
        return Kubeconfig.parse(node.read(path) or "", path).server
    except ValueError:
        return ""


def _size(node: Node, path: str) -> int:
    try:
        return node.path(path).stat().st_size
    except OSError:
        return 0


def _os(node: Node) -> dict[str, str]:
    values: dict[str, str] = {}
    text = node.read("/etc/os-release") or node.read("/usr/lib/os-release") or ""
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            try:
                values[key.strip()] = " ".join(shlex.split(value))
            except ValueError:
                values[key.strip()] = value.strip()
    return {key: values.get(key.upper(), "") for key in ("id", "version_id", "pretty_name")}


def _disks(node: Node, etcd: str) -> dict[str, dict[str, int]]:
    disks: dict[str, dict[str, int]] = {}
    for path in ("/", etcd, "/var/lib/containerd", "/var/lib/containers", "/var/lib/kubelet", "/etc/kubernetes"):
        try:
            stat, device = os.statvfs(node.path(path)), os.stat(node.path(path)).st_dev
        except OSError:
            continue
        disks[path] = {
            "total_bytes": stat.f_blocks * stat.f_frsize,
            "free_bytes": stat.f_bavail * stat.f_frsize,
            "inodes_free": stat.f_favail,
            "inodes_total": stat.f_files,
            "device": device,
        }
    return disks


def _certificates(node: Node, pki: str, moment: float) -> list[JsonDict]:
    own = [
        f"{folder}/{name}" for folder in (pki, f"{pki}/etcd") for name in node.names(folder) if name.endswith(".crt")
    ]
    found = []
    for path in [*own, *_CERTIFICATE_FILES]:
        certificate = node.certificate(path)
        if certificate:
            found.append(
                {
                    "path": path,
                    "subject_cn": certificate.subject_cn,
                    "not_after": utc_at(certificate.not_after),
                    "days_left": int((certificate.not_after - moment) // 86400),
                }
            )
    return found


def runtime_endpoint(node: Node) -> str:
    """The socket at which the kubelet finds the container runtime, with ``unix://``; empty where none is seen."""
    endpoint = ""
    for path in (node_paths.KUBELET_INSTANCE_CONFIG, node_paths.KUBELET_CONFIG):
        endpoint = endpoint or str(node.yaml(path).get("containerRuntimeEndpoint") or "")
    if not endpoint:
        flags = [flag.value for flag in node.kubelet_flags()[0] if flag.name == "container-runtime-endpoint"]
        present = [f"unix://{socket}" for socket in _DEFAULT_SOCKETS if node.exists(socket)]
        endpoint = next(iter(flags + present), "")
    return endpoint


def _runtime(node: Node) -> JsonDict:
    endpoint = runtime_endpoint(node)
    name = "cri-o" if "crio" in endpoint else "containerd" if "containerd" in endpoint else ""
    version = ""
    if name:
        version = node.version_of("crio" if name == "cri-o" else "containerd", "--version")
    elif endpoint:
        version = node.version_of("crictl", "--runtime-endpoint", endpoint, "version")
    present = [path for path in SOCKETS if node.exists(path) or node.exists(f"/var{path}")]
    return {
        "name": name,
        "version": version,
        "socket": endpoint,
        "sockets": present,
        "sandbox": _sandbox(node, endpoint),
    }


def _sandbox(node: Node, endpoint: str) -> JsonDict | None:
    """The image of the pods' sandboxes, and whether it is pinned; empty and None where there was no answer.

    None where there is nobody to ask, as in the files of another machine.
    """
    if not endpoint or node.root != Path("/"):
        return None
    service, image = ImageService(endpoint), ""
    try:
        # containerd from 2.0 on does not tell it over CRI.
        image = service.sandbox_image() or configured_sandbox(node.output("containerd", "config", "dump"))
        return {"image": image, "pinned": service.pinned(image) if image else None}
    except RuntimeAway:
        return {"image": image, "pinned": None}


def configured_sandbox(dump: str) -> str:
    """The image of sandboxes in what ``containerd config dump`` prints, of any version of its configuration."""
    found = _SANDBOX.search(dump)
    return found[1] if found else ""


def _package_manager(node: Node) -> str:
    for command, name in (("apt-get", "apt"), ("zypper", "zypper"), ("dnf5", "dnf"), ("dnf", "dnf"), ("yum", "yum")):
        if node.find(command):
            return name
    return ""


def _package_sources_error(node: Node) -> str:
    """Why apt cannot read its own sources, without asking any of them; empty where it can."""
    if node.root != Path("/") or not node.find("apt-get"):
        return ""
    said = node.complaint("apt-get", "indextargets")
    return " ".join(line for line in said.splitlines() if line.startswith("E:"))


def _dpkg_packages(node: Node) -> dict[str, dict[str, object]]:
    return kubelet_text.dpkg_packages(node.read("/var/lib/dpkg/status") or "")


def _rpm_packages(node: Node) -> dict[str, dict[str, object]]:
    if not node.find("rpm") or not (node.exists("/var/lib/rpm") or node.exists("/usr/lib/sysimage/rpm")):
        return {}
    # rpm exits with the number of names that are not installed, and lists the others.
    query = ("-q", "--queryformat", "%{NAME}\t%{VERSION}-%{RELEASE}\n")
    listing = node.output("rpm", *query, *kubelet_text.PACKAGES, any_rc=True)
    excludes = [
        kubelet_text.exclude_lines(node.read(f"/etc/{folder}/{name}") or "")
        for folder in ("yum.repos.d", "dnf", ".")
        for name in node.names(f"/etc/{folder}")
        if name.endswith(".repo") or name in ("dnf.conf", "yum.conf")
    ]
    locks = {
        "versionlock": "\n".join(
            node.read(path) or ""
            for path in (
                "/etc/dnf/plugins/versionlock.list",
                "/etc/dnf/versionlock.toml",
                "/etc/yum/pluginconf.d/versionlock.list",
            )
        ),
        "zypper": node.read("/etc/zypp/locks") or "",
        "exclude": "\n".join(excludes),
    }
    return kubelet_text.rpm_packages(listing, locks)
