# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Which processes of this machine run a given command line (proc(5))."""

from __future__ import annotations

import os
import typing as t

PROC = "/proc"


def running(words: t.Sequence[str], proc: str = PROC) -> list[int]:
    """The ids of the processes whose command line is just `words`, the lowest first.

    A process that ends while it is looked at is not there, and neither is a
    zombie: its command line is empty.
    """
    wanted = b"".join(word.encode() + b"\0" for word in words)
    return [pid for pid in _pids(proc) if wanted and _read(f"{proc}/{pid}/cmdline") == wanted]


def named(name: str, proc: str = PROC) -> list[int]:
    """The ids of the processes whose program was started under the file name `name`."""
    found = []
    for pid in _pids(proc):
        program = _read(f"{proc}/{pid}/cmdline").split(b"\0", 1)[0]
        if os.path.basename(program) == name.encode():
            found.append(pid)
    return found


class Process(t.NamedTuple):
    """A process as proc(5) shows it."""

    pid: int
    state: str
    memory_kib: int
    words: list[str]


def every(proc: str = PROC) -> list[Process]:
    """The processes that have a command line, the lowest id first."""
    found = []
    for pid in _pids(proc):
        words = [word.decode("utf-8", "replace") for word in _read(f"{proc}/{pid}/cmdline").split(b"\0")[:-1]]
        if words:
            status = dict(
                line.split(":", 1)
                for line in _read(f"{proc}/{pid}/status").decode("utf-8", "replace").splitlines()
                if ":" in line
            )
            memory = status.get("VmRSS", "0").split()[0]
            found.append(Process(pid, status.get("State", "?").strip(), int(memory) if memory.isdigit() else 0, words))
    return found


def _pids(proc: str) -> list[int]:
    return sorted(int(entry) for entry in os.listdir(proc) if entry.isdigit())


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
