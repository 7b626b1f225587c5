# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Stop and start the kubelet, and keep the program that runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.swap import SwapError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._systemd import systemctl

UNIT = "kubelet.service"


class State(t.NamedTuple):
    """`active` is systemd's word: ``active``, ``activating`` (also between two starts), ``failed``, ``inactive``."""

    active: str
    sub: str
    pid: int

    @property
    def runs(self) -> bool:
        return self.active == "active" and self.pid > 0


def state() -> State:
    """Raises SwapError."""
    command = ["systemctl", "show", UNIT, "--property=ActiveState,SubState,MainPID"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        raise SwapError(f"systemd does not say whether the kubelet runs: {error}.") from None
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return State(found.get("ActiveState", ""), found.get("SubState", ""), int(found.get("MainPID", "0")))


def stop() -> None:
    """Raises SystemdError."""
    systemctl("stop", UNIT)


def start() -> None:
    """Raises SystemdError."""
    systemctl("start", UNIT)


def keep(binary: str, kept: str) -> None:
    """Keep the kubelet that runs under the name `kept`, also where its package was replaced. Raises SwapError.

    Its own file system makes it a second name of the same file, another one a copy.
    """
    pid = state().pid
    if not pid:
        raise SwapError("No kubelet runs, so there is none to be kept.", hint="Start it: systemctl start kubelet.")
    running = f"/proc/{pid}/exe"
    new = f"{kept}.new"
    try:
        _node_state.make_folder(os.path.dirname(kept))
        _node_state.remove(new)
        if os.path.exists(binary) and os.path.samefile(running, binary):
            link_or_copy(binary, new)
        else:
            copy(running, new)
        os.replace(new, kept)
        _node_state.sync_folder(os.path.dirname(kept))
    except OSError as error:
        raise SwapError(f"The kubelet could not be kept as {kept}: {error.strerror}.") from None


def link_or_copy(path: str, new: str) -> None:
    """Raises OSError."""
    try:
        os.link(path, new)
    except OSError:
        copy(path, new)


def copy(path: str, new: str) -> None:
    """With its mode and its SELinux label, and synced. Raises OSError."""
    shutil.copy2(path, new)
    descriptor = os.open(new, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
