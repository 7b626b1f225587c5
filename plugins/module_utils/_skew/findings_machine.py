# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Findings on the machine beneath a node: kernel, cgroups, swap, disk, clock, container runtime. Pure."""

from __future__ import annotations

import re

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    BLOCKER,
    NOTE,
    WARNING,
    Finding,
    Host,
    Json,
    Request,
    finding,
    version_or_none,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version


def machine_findings(
    host: Host, subject: str, request: Request, kubelet_config: Json, *, ahead: list[Version], now: float
) -> list[Finding]:
    """`kubelet_config` is what the kubelet will have, `ahead` are the versions that this node goes through.

    `now` is in seconds since the epoch.
    """
    return [
        *_cgroup(host, subject, request, kubelet_config),
        *_swap(host, subject, kubelet_config),
        *_kernel(host, subject, request, ahead),
        *_kernel_config(host, subject, request, ahead),
        *_disk(host, subject),
        *(_image_disk(host, subject) if ahead else []),
        *_inodes(host, subject),
        *_leftovers(host, subject),
        *_clock(host, subject, now),
        *_runtime(host, subject, request),
        *_sandbox(host, subject, ahead),
    ]


def _cgroup(host: Host, subject: str, request: Request, kubelet_config: Json) -> list[Finding]:
    if host.cgroup_version != 1 or request.target.minor < rules.CGROUP_V1_FAILS_SINCE:
        return []
    if kubelet_config.get("failCgroupV1") is False:
        return [
            finding(
                "cgroup-v1",
                WARNING if request.ignores(rules.SYSTEM_VERIFICATION, host.role) else BLOCKER,
                subject,
                "cgroup v1; the kubelet's configuration allows it with failCgroupV1: false, and kubeadm's check "
                "SystemVerification fails on it",
                f"Move the node to cgroup v2: support for version 1 ends. To put that off: {_ignore(host)}",
                rules.CGROUP_V1_SOURCE,
            )
        ]
    return [
        finding(
            "cgroup-v1",
            BLOCKER,
            subject,
            f"cgroup v1; a kubelet from 1.{rules.CGROUP_V1_FAILS_SINCE} on does not start on it",
            "Boot the node with cgroup v2 (systemd.unified_cgroup_hierarchy=1), or set failCgroupV1: false in the "
            "ConfigMap kube-system/kubelet-config before the upgrade.",
            rules.CGROUP_V1_SOURCE,
        )
    ]


def _swap(host: Host, subject: str, kubelet_config: Json) -> list[Finding]:
    if not host.swap_on:
        return []
    if kubelet_config.get("failSwapOn") is False:
        severity, remedy = NOTE, "Nothing: kubelet-config allows it with failSwapOn: false."
    else:
        severity = WARNING
        remedy = "Turn it off (swapoff -a, and /etc/fstab), or set failSwapOn: false: the kubelet may not start again."
    return [
        finding(
            "swap-on",
            severity,
            subject,
            "swap is on",
            remedy,
            "https://kubernetes.io/docs/concepts/cluster-administration/swap-memory-management/",
        )
    ]


def _disk(host: Host, subject: str) -> list[Finding]:
    if not host.etcd_bytes:
        return []
    needed = rules.ETCD_COPY_FACTOR * host.etcd_bytes
    # kubeadm copies to /etc/kubernetes/tmp; where that is not known by itself, it is on the root file system.
    place = next((p for p in ("/etc/kubernetes", "/etc", "/") if p in host.free_bytes), None)
    if place is None or host.free_bytes[place] >= needed:
        return []
    return [
        finding(
            "disk-too-small",
            BLOCKER,
            subject,
            f"{host.free_bytes[place] // 2**20} MiB are free on {place}, "
            f"etcd's database has {host.etcd_bytes // 2**20} MiB; twice its size is needed",
            "Free space; old copies are in /etc/kubernetes/tmp. Or defragment etcd.",
            rules.ETCD_COPY_SOURCE,
        )
    ]


def _ignore(host: Host) -> str:
    """The option that has kubeadm pass over its check of the machine."""
    role = "worker" if host.role == "worker" else "control_plane"
    return f"{role}_ignore_preflight_errors: [{rules.SYSTEM_VERIFICATION}]"


def _verified(ahead: list[Version]) -> list[str]:
    """The versions on the node's way whose kubeadm makes that check."""
    return [str(version) for version in ahead if version.minor >= rules.SYSTEM_VERIFIED_SINCE]


def _kernel_config(host: Host, subject: str, request: Request, ahead: list[Version]) -> list[Finding]:
    if host.kernel_config is not False or not _verified(ahead):
        return []
    ignored = request.ignores(rules.SYSTEM_VERIFICATION, host.role)
    return [
        finding(
            "kernel-config-unreadable",
            NOTE if ignored else BLOCKER,
            subject,
            f"the configuration of the kernel {host.kernel} is in none of the places where kubeadm looks for it, such "
            f"as /boot/config-{host.kernel}; its check SystemVerification fails on that in the hop to "
            f"{', '.join(_verified(ahead))}",
            "Nothing: the run ignores SystemVerification on this node."
            if ignored
            else f"Put the file there, or load the module configs. Where neither can be had, as in a container: "
            f"{_ignore(host)}",
            rules.KERNEL_SOURCE,
        )
    ]


def _kernel(host: Host, subject: str, request: Request, ahead: list[Version]) -> list[Finding]:
    running = re.match(r"(\d+)\.(\d+)", host.kernel)
    if running is None:
        return []
    release = (int(running[1]), int(running[2]))
    for version in ahead:
        oldest = rules.kernel_minimum(version.minor)
        fails = rules.SYSTEM_VERIFIED_SINCE <= version.minor < rules.OLD_KERNEL_WARNS_SINCE
        if fails and oldest is not None and release < oldest:
            ignored = request.ignores(rules.SYSTEM_VERIFICATION, host.role)
            return [
                finding(
                    "kernel-too-old",
                    WARNING if ignored else BLOCKER,
                    subject,
                    f"kernel {host.kernel}; kubeadm {version} supports {oldest[0]}.{oldest[1]} and newer, and its "
                    f"check SystemVerification fails in the hop to {version}",
                    "Boot a newer kernel. That of a distribution may have what is needed although its number is lower"
                    + ("; the run ignores SystemVerification." if ignored else f": {_ignore(host)}"),
                    rules.KERNEL_SOURCE,
                )
            ]
    oldest = rules.kernel_minimum(request.target.minor)
    if oldest is None or release >= oldest:
        return []
    return [
        finding(
            "kernel-too-old",
            WARNING,
            subject,
            f"kernel {host.kernel}; kubeadm {request.target.minor_text} supports {oldest[0]}.{oldest[1]} and newer",
            "Boot a newer kernel while the node is drained. That of a distribution may have what is needed although "
            "its number is lower; kubeadm only warns of it.",
            rules.KERNEL_SOURCE,
        )
    ]


def _image_disk(host: Host, subject: str) -> list[Finding]:
    place = {"containerd": "/var/lib/containerd", "cri-o": "/var/lib/containers"}.get(host.runtime_name, "")
    needed = rules.IMAGES_BYTES.get(host.role)
    if needed is None or place not in host.free_bytes or host.free_bytes[place] >= needed:
        return []
    return [
        finding(
            "disk-too-small-for-images",
            WARNING,
            subject,
            f"{host.free_bytes[place] // 2**20} MiB are free on {place}; the new images need about "
            f"{needed // 2**20} MiB unpacked",
            "Free space, such as by: crictl rmi --prune. Where this disk is nearly full, the kubelet evicts pods.",
            rules.IMAGES_SOURCE,
        )
    ]


def _inodes(host: Host, subject: str) -> list[Finding]:
    few = {path: (free, total) for path, (free, total) in host.inodes.items() if free < rules.INODES_FREE_SHARE * total}
    if not few:
        return []
    told = ", ".join(f"{path} ({free} of {total})" for path, (free, total) in sorted(few.items()))
    return [
        finding(
            "inodes-few",
            WARNING,
            subject,
            f"few inodes are free on {told}",
            "Remove many small files, such as images that nobody uses: crictl rmi --prune. Below "
            f"{rules.INODES_FREE_SHARE:.0%} the kubelet evicts pods.",
            rules.INODES_SOURCE,
        )
    ]


def _leftovers(host: Host, subject: str) -> list[Finding]:
    if host.leftover_bytes < rules.LEFTOVERS_BYTES:
        return []
    return [
        finding(
            "upgrade-leftovers",
            NOTE,
            subject,
            f"/etc/kubernetes/tmp holds {host.leftover_bytes // 2**20} MiB of earlier upgrades",
            "Remove what is older than your last good backup; kubeadm never does.",
            rules.ETCD_COPY_SOURCE,
        )
    ]


def _clock(host: Host, subject: str, now: float) -> list[Finding]:
    found = []
    if host.clock_synchronised is False:
        found.append(
            finding(
                "clock-not-synchronised",
                WARNING,
                subject,
                "the kernel does not hold its clock for synchronised (adjtimex)",
                "Start a time service, such as chrony or systemd-timesyncd, and see: timedatectl",
                rules.CLOCK_SOURCE,
            )
        )
    # A node is read after it was asked and before it is judged. Only what lies outside of that is proven.
    if host.time is not None and host.asked_at is not None and host.time < host.asked_at - rules.CLOCK_TOLERANCE_S:
        found.append(_clock_wrong(host, subject, host.asked_at - host.time, "behind the controller's"))
    elif host.time is not None and host.time > now + rules.CLOCK_TOLERANCE_S:
        found.append(_clock_wrong(host, subject, host.time - now, "ahead of that of the host that checks"))
    return found


def _clock_wrong(host: Host, subject: str, seconds: float, direction: str) -> Finding:
    return finding(
        "clock-differs",
        WARNING,
        subject,
        f"its clock is at least {seconds:.1f} s {direction}",
        f"Set the clock of {host.name}, or that of the other host, by a time service. Leases, certificates and etcd "
        "rely on clocks that agree.",
        rules.CLOCK_SOURCE,
    )


def _runtime(host: Host, subject: str, request: Request) -> list[Finding]:
    version = version_or_none(host.runtime_version)
    since = rules.RUNTIME_CONFIG_IN.get(host.runtime_name)
    if since is None or version is None or version >= Version.parse(since):
        return []
    gone = request.target.minor >= rules.RUNTIME_CONFIG_NEEDED_SINCE
    return [
        finding(
            "container-runtime-old",
            BLOCKER if gone else NOTE,
            subject,
            f"{host.runtime_name} {version}; a kubelet from 1.{rules.RUNTIME_CONFIG_NEEDED_SINCE} on needs "
            f"{host.runtime_name} {since} or newer",
            f"Upgrade {host.runtime_name} to {since} or newer while the node is drained.",
            rules.RUNTIME_CONFIG_SOURCE,
        )
    ]


def _sandbox(host: Host, subject: str, ahead: list[Version]) -> list[Finding]:
    """Whether the kubelet will go on to spare the image that every pod needs."""
    since = rules.PINNED_SANDBOX_NEEDED_SINCE
    if host.sandbox is None or host.sandbox.get("pinned") or not any(version.minor >= since for version in ahead):
        return []
    image = str(host.sandbox.get("image") or "")
    if not image or host.sandbox.get("pinned") is None:
        return [
            finding(
                "sandbox-image-not-pinned",
                NOTE,
                subject,
                f"it is not known whether {host.runtime_name or 'the container runtime'} has the image of the pods' "
                f"sandboxes pinned{f': {image} is not on the node' if image else ''}",
                "See that one is: crictl images --pinned",
                rules.PINNED_SANDBOX_SOURCE,
            )
        ]
    cure = (
        f'name it in pinned_images of CRI-O\'s configuration: pinned_images = ["{image}"], and systemctl reload crio'
        if host.runtime_name == "cri-o"
        else f"ctr -n k8s.io images label {image} io.cri-containerd.pinned=pinned"
    )
    return [
        finding(
            "sandbox-image-not-pinned",
            WARNING,
            subject,
            f"{image}, the image of the pods' sandboxes, is not pinned; a kubelet from 1.{since} on removes it with "
            "other images when the disk fills, and no pod starts where it cannot be pulled again",
            f"On {host.name}: {cure}",
            rules.PINNED_SANDBOX_SOURCE,
        )
    ]
