# SPDX-License-Identifier: GPL-3.0-or-later
"""The Debian systems that the lab's containers boot: nodes, balancer, kube-proxy's base."""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import dataclass
from pathlib import Path

from lab.commands import run

if t.TYPE_CHECKING:
    from lab.config import Lab

SUITE = "bookworm"
"""Debian 13's systemd refuses hosts with cgroup v1; Debian 12's boots on v1 and v2."""
FILES = Path(__file__).parent / "files"
SYSTEMD_HIERARCHY = "/sys/fs/cgroup/systemd"
BOOT = f"""\
if [ $(grep -c ' {SYSTEMD_HIERARCHY} ' /proc/self/mountinfo) -gt 1 ]; then
    umount {SYSTEMD_HIERARCHY}/release_agent
    umount {SYSTEMD_HIERARCHY}
fi
exec /sbin/init
"""
"""On hosts with cgroup v1 podman lays the host's own hierarchy of systemd over that of the container. All machines
would share it, and each kubelet would try to remove the pods of all others, every two seconds."""


@dataclass(frozen=True)
class System:
    """A root file system: Debian packages, files laid over it, commands run in it."""

    name: str
    packages: tuple[str, ...]
    boots: bool = True
    enable: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()


NODE = System(
    "node",
    (
        *("systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "python3", "python3-apt", "gnupg"),
        *("ca-certificates", "curl", "procps", "kmod", "iproute2", "iputils-ping", "iptables", "nftables"),
        *("containerd", "runc", "containernetworking-plugins", "conntrack", "socat", "ethtool", "ebtables", "ipset"),
    ),
    enable=("containerd.service", "ssh.service", "lab-network.service", "lab-hostkeys.service"),
    disable=("nftables.service", "apt-daily.timer", "apt-daily-upgrade.timer"),
)
BALANCER = System(
    "balancer",
    ("systemd", "systemd-sysv", "dbus", "iproute2", "procps", "haproxy", "docker-registry", "nginx-light"),
    enable=("haproxy.service", "docker-registry.service", "nginx.service"),
    disable=("apt-daily.timer", "apt-daily-upgrade.timer"),
)
PROXY_BASE = System("proxy-base", ("iptables", "nftables", "conntrack", "kmod"), boots=False)


def archive(system: System, cache: Path) -> Path:
    """The system as a tar file in the cache, made if its packages or files changed."""
    place = _archive_path(system, cache)
    if place.exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_suffix(".part")
    hooks = _hooks(system)
    run(
        [
            "mmdebstrap",
            "--variant=minbase",
            f"--include={','.join(system.packages)}",
            "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
            *hooks,
            "--format=tar",
            SUITE,
            part,
        ],
        what=f"making the {system.name} system",
        cwd=FILES,
    )
    part.rename(place)
    return place


def image(system: System, lab: Lab) -> str:
    """The system as a local container image; return its name with the tag."""
    tar = _archive_path(system, lab.cache)
    lines = ["FROM scratch", f"ADD {tar.name} /"]
    if system.boots:
        lines += ["STOPSIGNAL SIGRTMIN+3", f"CMD {json.dumps(['/bin/sh', '-c', BOOT])}"]
    name = f"{lab.image(system.name)}:{hashlib.sha256(repr(lines).encode()).hexdigest()[:12]}"
    if run(["podman", "image", "exists", name], check=False).returncode == 0:
        return name
    archive(system, lab.cache)
    run(
        ["podman", "build", "--quiet", "--timestamp", "0", "--tag", name, "--file", "-", tar.parent],
        what=f"making the {system.name} image",
        stdin="\n".join(lines),
    )
    return name


def _archive_path(system: System, cache: Path) -> Path:
    return cache / "systems" / f"{system.name}-{_digest(system)}.tar"


def _hooks(system: System) -> list[str]:
    """What is done to the fresh system, as mmdebstrap's options."""
    overlay = FILES / system.name
    hooks = []
    if overlay.is_dir():
        files = " ".join(f'"$1"/{file.relative_to(overlay)}' for file in sorted(overlay.rglob("*")))
        hooks += [f"--customize-hook=sync-in {overlay.relative_to(FILES)} /", f"--customize-hook=chown 0:0 {files}"]
    for verb, units in (("enable", system.enable), ("disable", system.disable)):
        if units:
            hooks.append(f'--customize-hook=chroot "$1" systemctl {verb} {" ".join(units)}')
    if system is NODE:
        # `ops` is the user that Ansible comes as; host keys are made at the first boot of each node.
        hooks += [
            '--customize-hook=chroot "$1" useradd --create-home --shell /bin/bash ops',
            '--customize-hook=rm -f "$1"/etc/ssh/ssh_host_*',
            '--customize-hook=chmod 0440 "$1"/etc/sudoers.d/ops',
            # Packages come from the lab alone.
            '--customize-hook=rm -f "$1"/etc/apt/sources.list',
        ]
    hooks.append('--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/etc/hostname')
    return hooks


def _digest(system: System) -> str:
    digest = hashlib.sha256(repr((SUITE, system, _hooks(system))).encode())
    for file in sorted((FILES / system.name).rglob("*")):
        if file.is_file():
            digest.update(str(file.relative_to(FILES)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]
