# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What is looked at on a node that failed: a name for each source, and how it is read.

Nothing here asks the Kubernetes API, which may be what is away.
"""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _processes
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline, utc_now
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.pod_logs import (
    STATIC_POD,
    SYSTEM_POD,
    kept_logs,
    pod_logs,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.reading import (
    Part,
    Unreadable,
    output_of,
    tail_of,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import manifest, observe, waiting
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import (
    KUBELET_CONFIG,
    KUBELET_FLAGS,
    KUBELET_INSTANCE_CONFIG,
    MANIFESTS,
    Node,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._node_state import STATE

COMMAND_S = 15.0
ETCD_S = 10.0
LOG_LINES = 4000
LOGS_MOST = 24
RUNTIMES = ("containerd", "crio", "cri-docker", "docker")
_PROGRAMS = (
    "kubelet",
    "kubeadm",
    "kube-",
    "etcd",
    "containerd",
    "crio",
    "cri-dockerd",
    "dockerd",
    "haproxy",
    "keepalived",
)
_MOUNTS = (
    "/",
    "/etc/kubernetes",
    "/tmp",
    "/var",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/etcd",
    "/var/lib/kubelet",
    "/var/log",
)
LEAST_MIB = 32
LEAST_INODES = 64

Read = t.Callable[[int, Deadline], Part]


class Source(t.NamedTuple):
    """A name, which is also that of its file, and what reads the last bytes of it."""

    name: str
    read: Read


def sources(node: Node, minutes: int) -> list[Source]:
    """Everything that is looked at, the most telling first: what comes late is left out where time or room ends."""
    return [
        *(
            _file(f"kubeadm-upgrade.{stream}", node, f"{STATE}/kubeadm-upgrade.{stream}")
            for stream in ("stdout", "stderr")
        ),
        Source("disk.txt", lambda most, deadline: Part(disk_text(node), 0)),
        _journal("kubelet.log", node, minutes, ("kubelet",)),
        *pod_log_sources(node, minutes),
        _journal("swap.log", node, minutes, ("evergreen-kubeadm-swap",)),
        _journal("runtime.log", node, minutes, RUNTIMES),
        Source("etcd.txt", lambda most, deadline: Part(etcd_text(node, deadline), 0)),
        _command(
            "services.txt", node, "systemctl", "status", "--no-pager", "--full", "--lines=0", "kubelet", *RUNTIMES
        ),
        _command("containers.txt", node, "crictl", "ps", "--all"),
        Source("processes.txt", lambda most, deadline: Part(processes_text(node), 0)),
        Source("machine.txt", lambda most, deadline: Part(machine_text(node), 0)),
        _command("kernel.log", node, *_journalctl(minutes), "--dmesg", "--priority=warning"),
        Source("files.txt", lambda most, deadline: Part(files_text(node), 0)),
        *(_file(f"manifest-{name}", node, f"{MANIFESTS}/{name}") for name in _manifests(node)),
        _file("kubelet-config.yaml", node, KUBELET_CONFIG),
        _file("kubelet-instance-config.yaml", node, KUBELET_INSTANCE_CONFIG),
        _file("kubelet-flags.env", node, KUBELET_FLAGS),
        _command("kubelet-unit.txt", node, "systemctl", "cat", "--no-pager", "kubelet"),
        _file("kubeadm-upgrade.json", node, f"{STATE}/kubeadm-upgrade.json"),
    ]


def _file(name: str, node: Node, path: str) -> Source:
    return Source(name, lambda most, deadline: tail_of(str(node.path(path)), most))


def _command(name: str, node: Node, command: str, *arguments: str) -> Source:
    def read(most: int, deadline: Deadline) -> Part:
        program = node.find(command)
        if not program:
            raise Unreadable(f"{command} is not installed")
        return output_of([program, *arguments], most, COMMAND_S, deadline)

    return Source(name, read)


def _journalctl(minutes: int) -> list[str]:
    return ["journalctl", "--no-pager", "--output=short-iso", f"--since=-{minutes}min", f"--lines={LOG_LINES}"]


def _journal(name: str, node: Node, minutes: int, units: t.Sequence[str]) -> Source:
    return _command(name, node, *_journalctl(minutes), *(f"--unit={unit}" for unit in units))


def _manifests(node: Node) -> list[str]:
    return [name for name in node.names(MANIFESTS) if not node.path(f"{MANIFESTS}/{name}").is_dir()]


def pod_log_sources(node: Node, minutes: int) -> list[Source]:
    """The newest logs of the containers of static pods, of kube-proxy and of CoreDNS, also of pods that are gone."""
    oldest = time.time() - 60 * minutes
    logs = [log for log in [*pod_logs(node, STATIC_POD, SYSTEM_POD), *kept_logs(node)] if log.written >= oldest]
    return [
        _file(log.name, node, log.path) for log in sorted(logs, key=lambda log: log.written, reverse=True)[:LOGS_MOST]
    ]


def disk_text(node: Node) -> str:
    """Room and inodes of each file system that the node needs."""
    lines, seen = [], set()
    for path in _MOUNTS:
        try:
            device, found = os.stat(node.path(path)).st_dev, os.statvfs(node.path(path))
        except OSError:
            continue
        if device in seen:
            continue
        seen.add(device)
        free_mib, all_mib = found.f_bavail * found.f_frsize >> 20, found.f_blocks * found.f_frsize >> 20
        # Some file systems count no inodes.
        full = [*(["space"] if free_mib < LEAST_MIB < all_mib else []), *_inodes_used_up(found)]
        lines.append(
            f"{path}: {free_mib} of {all_mib} MiB free, {found.f_favail} of {found.f_files} inodes free"
            + "".join(f" ({name} used up)" for name in full)
        )
    return "\n".join(lines) + "\n"


def _inodes_used_up(found: os.statvfs_result) -> list[str]:
    return ["inodes"] if found.f_favail < LEAST_INODES < found.f_files else []


def etcd_text(node: Node, deadline: Deadline) -> str:
    """What the members say of themselves, asked from this node, with the time of the look. Raises Unreadable."""
    text = node.read(f"{MANIFESTS}/etcd.yaml")
    if text is None:
        raise Unreadable(f"{MANIFESTS}/etcd.yaml is not there")
    try:
        access = manifest.access_from_manifest(text)
        client, note = observe.open_client(access, {"route": "auto"})
        seen = waiting.observed(client, access, Deadline(deadline.clip(ETCD_S)), max_index_gap=1000, hashes=False)
    except EvergreenError as error:
        return f"{utc_now()} NOT OK: etcd did not answer: {error}\n"
    checks = [f"{'ok' if check['ok'] else 'NOT OK'}: {check['name']}: {check['seen']}" for check in seen["checks"]]
    return "".join(f"{utc_now()} {line}\n" for line in [*checks, *([note] if note else [])])


def processes_text(node: Node) -> str:
    """The processes of the control plane, the kubelet and the runtime: id, state, memory in KiB, command line."""
    lines = []
    for process in _processes.every(str(node.path("/proc"))):
        program = os.path.basename(process.words[0])
        if program.startswith(_PROGRAMS):
            lines.append(f"{process.pid} {process.state} {process.memory_kib} {' '.join(process.words)}")
    return "\n".join(lines) + "\n"


def machine_text(node: Node) -> str:
    """Load, memory and pressure (proc(5))."""
    parts = []
    for path in (
        "/proc/uptime",
        "/proc/loadavg",
        "/proc/meminfo",
        *(f"/proc/pressure/{x}" for x in ("cpu", "io", "memory")),
    ):
        text = node.read(path)
        if text:
            parts.append(f"{path}\n{text}")
    return "\n".join(parts)


def files_text(node: Node) -> str:
    """Names, sizes and times of what kubeadm and this collection keep on the node."""
    lines = []
    for folder in (
        "/etc/kubernetes",
        MANIFESTS,
        "/etc/kubernetes/tmp",
        node.certificates_dir(),
        f"{node.certificates_dir()}/etcd",
        STATE,
    ):
        lines.append(f"{folder}:")
        for name in node.names(folder):
            try:
                found = node.path(f"{folder}/{name}").lstat()
            except OSError:
                continue
            at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(found.st_mtime))
            lines.append(f"  {found.st_mode & 0o7777:04o} {found.st_uid}:{found.st_gid} {found.st_size} {at} {name}")
    return "\n".join(lines) + "\n"
