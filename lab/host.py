# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab asks of the machine that it runs on."""

from __future__ import annotations

import os
import platform
import shutil
import typing as t
from pathlib import Path

from lab.commands import LabError, run

if t.TYPE_CHECKING:
    from collections.abc import Callable

MEMORY_GIB = 6
DISK_GIB = 25
PACKAGES = {
    "podman": "podman",
    "runc": "runc",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "iptables": "iptables",
    "/usr/lib/podman/netavark": "netavark",
    "/usr/lib/podman/aardvark-dns": "aardvark-dns",
    "apt-ftparchive": "apt-utils",
    "dpkg-deb": "dpkg",
    "gpg": "gnupg",
    "ssh-keygen": "openssh-client",
    "openssl": "openssl",
}
"""A program that the lab calls, and the Debian package that has it."""
SYSCTLS = {
    "net.ipv4.ip_forward": 1,
    "net.bridge.bridge-nf-call-iptables": 1,
    "fs.inotify.max_user_instances": 8192,
    "fs.inotify.max_user_watches": 524288,
}
"""The least that five systemd nodes on one kernel need."""


def check(cache: Path, say: Callable[[str], None]) -> None:
    """Say what the lab needs; raise LabError with all that is missing."""
    say(f"The lab needs: Linux on x86_64, root, {MEMORY_GIB} GiB of free memory, {DISK_GIB} GiB of free disk.")
    missing = []
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        missing.append(f"this is {platform.system()} on {platform.machine()}")
    elif os.geteuid() != 0:
        missing.append(f"you are user {os.geteuid()}, not root (run it with sudo)")
    else:
        memory = _available_memory_gib()
        if memory < MEMORY_GIB:
            missing.append(f"only {memory:.1f} GiB of memory are free")
        cache.mkdir(parents=True, exist_ok=True)
        disk = shutil.disk_usage(cache).free / 2**30
        if disk < DISK_GIB:
            missing.append(f"only {disk:.1f} GiB are free in {cache}")
    if missing:
        raise LabError("the lab cannot run here: " + "; ".join(missing) + ".")


def prepare(say: Callable[[str], None]) -> None:
    """Install missing packages (Debian and Ubuntu) and set what containers need of the kernel."""
    packages = sorted({package for program, package in PACKAGES.items() if shutil.which(program) is None})
    if packages:
        if shutil.which("apt-get") is None:
            raise LabError(
                f"install what is missing and run this again: {', '.join(packages)} (Debian's package names)"
            )
        say(f"Installing {', '.join(packages)}")
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update"], what="reading the package lists", env=quiet)
        run(["apt-get", "install", "-y", "--no-install-recommends", *packages], what="installing packages", env=quiet)
    for name, least in SYSCTLS.items():
        file = Path("/proc/sys") / name.replace(".", "/")
        if not file.exists():
            run(["modprobe", "br_netfilter"], check=False)
        if not file.exists():
            raise LabError(f"the kernel has no {name}; load the module br_netfilter")
        if int(file.read_text()) < least:
            file.write_text(str(least))


def may_raise_limits() -> bool:
    """Whether this machine grants CAP_SYS_RESOURCE."""
    return _has_capability(24)


def _has_capability(number: int) -> bool:
    status = Path("/proc/self/status").read_text()
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective, 16) >> number & 1)


def _available_memory_gib() -> float:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / 2**20
    return 0.0
