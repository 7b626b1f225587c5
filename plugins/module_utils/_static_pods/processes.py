# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The processes and the containers of static pods, by the pod's UID.

The kubelet names the UID in the folder of a pod's logs, and a link in
CONTAINER_LOGS names the id of each container; both are in the cgroup of each
of its processes. A command line tells nothing for certain: manifests have
sidecars, variables and hooks.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import signal
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.swap import SwapError

POD_LOGS, CONTAINER_LOGS, PROC = "/var/log/pods", "/var/log/containers", "/proc"
POLL_S = 0.1
KILLED_S = 30.0
_UID = re.compile(r"pod([0-9a-f]{32}|[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12})")
_CONTAINER = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


@dataclass(frozen=True)
class Process:
    """A process of a container. `first` is the one that the container ends with."""

    pid: int
    uid: str
    container_id: str
    first: bool


class Place(t.NamedTuple):
    """Where the kubelet and the kernel tell of pods."""

    pod_logs: str = POD_LOGS
    container_logs: str = CONTAINER_LOGS
    proc: str = PROC


PLACE = Place()


@dataclass(frozen=True)
class StaticPod:
    """A static pod by its manifest's words, and its main container."""

    namespace: str
    name: str
    main: str
    place: Place = PLACE

    def uids(self) -> set[str]:
        """The UIDs that it has now and had before, as far as their logs are there."""
        found = set()
        for folder in _names(self.place.pod_logs):
            pod, _underscore, uid = folder.rpartition("_")
            # Another pod's name may begin like this one's.
            if pod.startswith(f"{self.namespace}_{self.name}-") and os.path.isdir(
                f"{self.place.pod_logs}/{folder}/{self.main}"
            ):
                found.add(uid)
        return found

    def started(self) -> set[str]:
        """The ids of its main containers: of the one that runs, and of some that ended."""
        uids, found = self.uids(), set()
        for name in _names(self.place.container_logs):
            with contextlib.suppress(OSError):
                # .../NAMESPACE_POD_UID/CONTAINER/ATTEMPT.log
                words = os.readlink(f"{self.place.container_logs}/{name}").split("/")
                container = _CONTAINER.search(name)
                if container and words[-2:-1] == [self.main] and words[-3].rpartition("_")[2] in uids:
                    found.add(container[0])
        return found

    def processes(self) -> list[Process]:
        """Its processes, in all containers but the sandbox."""
        uids = self.uids()
        return [process for process in _pod_processes(self.place.proc) if process.uid in uids]

    def logs(self, since: float) -> dict[str, str]:
        """Path by a name of its own for each log of all its containers that was written after `since` (epoch)."""
        found = {}
        for uid in self.uids():
            for folder in glob.glob(f"{glob.escape(self.place.pod_logs)}/*_{uid}"):
                for path in glob.glob(f"{glob.escape(folder)}/*/*.log"):
                    with contextlib.suppress(OSError):
                        if os.stat(path).st_mtime >= since:
                            container, name = path.split("/")[-2:]
                            found[f"{self.name}_{uid[:8]}_{container}_{name}"] = path
        return found

    def runs(self) -> set[str]:
        """The ids of main containers that have a process."""
        return self.started() & {process.container_id for process in self.processes()}

    def stop(self, grace_s: float) -> None:
        """Ask it to end, its main container before the others, and end it after `grace_s`. Raises SwapError."""
        self._stop(grace_s, main_only=True)
        self._stop(min(grace_s, 2.0), main_only=False)

    def _stop(self, grace_s: float, *, main_only: bool) -> None:
        asked: set[int] = set()
        until = time.monotonic() + grace_s
        while True:
            main = self.started() if main_only else set()
            left = [process for process in self.processes() if not main_only or process.container_id in main]
            if not left:
                return
            late = time.monotonic() >= until
            for process in left:
                # An API server ends at once at its second SIGTERM.
                if late or (process.first and process.pid not in asked):
                    asked.add(process.pid)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGKILL if late else signal.SIGTERM)
            if time.monotonic() >= until + KILLED_S:
                raise SwapError(f"{self.name} (process {left[0].pid}) did not end {KILLED_S:g} s after SIGKILL.")
            time.sleep(POLL_S)


def in_cgroup(text: str) -> tuple[str, str]:
    """Pod UID and container id in /proc/PID/cgroup; empty where it is of no pod."""
    for line in text.splitlines():
        uid, container = _UID.search(line), _CONTAINER.search(line)
        if uid and container:
            return uid[1].replace("_", "-"), container[0]
    return "", ""


def _pod_processes(proc: str) -> list[Process]:
    seen: dict[int, tuple[str, str, dict[str, str]]] = {}
    for name in _names(proc):
        if not name.isdigit():
            continue
        uid, container = in_cgroup(_read(f"{proc}/{name}/cgroup"))
        if not uid:
            continue
        status = dict(line.split(":\t", 1) for line in _read(f"{proc}/{name}/status").splitlines() if ":\t" in line)
        if status.get("Name") != "pause" and not status.get("State", "Z").startswith(("Z", "X")):
            seen[int(name)] = (uid, container, status)
    return [
        # The first of its own process namespace; with the host's, the one whose parent is not in the container.
        Process(pid, uid, container, _is_first(status) or int(status.get("PPid", "0")) not in seen)
        for pid, (uid, container, status) in seen.items()
    ]


def _is_first(status: dict[str, str]) -> bool:
    return status.get("NSpid", "").split()[1:][-1:] == ["1"]


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
