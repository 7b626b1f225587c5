# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A control group of the kernel for processes that may have so much memory, of which the kernel kills one beyond."""

from __future__ import annotations

import contextlib
import threading
import typing as t
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
VERSION_1 = ROOT / "memory"


@dataclass
class Limit:
    """A control group that is there. `peak_mib` is the most memory of its processes, without files in the cache."""

    path: Path
    peak_mib: float = 0.0

    def wrap(self) -> list[str]:
        """What a command is put behind to run in the group, with all that it starts."""
        return ["sh", "-c", f'echo $$ > {self.path}/cgroup.procs && exec "$@"', "sh"]

    def killed(self) -> int:
        """How many processes the kernel has ended for want of memory."""
        name = "memory.oom_control" if VERSION_1.is_dir() else "memory.events"
        return self._numbers(name)["oom_kill"]

    def look(self) -> None:
        numbers = self._numbers("memory.stat")
        self.peak_mib = max(self.peak_mib, numbers.get("total_rss", numbers.get("anon", 0)) / (1 << 20))

    def _numbers(self, name: str) -> dict[str, int]:
        return {
            key: int(value) for key, value in (line.split() for line in (self.path / name).read_text().splitlines())
        }


@contextlib.contextmanager
def limited(name: str, mib: int) -> t.Iterator[Limit]:
    """A control group of this name for the time of the context."""
    root = VERSION_1 if VERSION_1.is_dir() else ROOT
    path = root / f"evergreen-{name}"
    path.mkdir(exist_ok=True)
    limits = (
        {"memory.limit_in_bytes": mib << 20} if root == VERSION_1 else {"memory.max": mib << 20, "memory.swap.max": 0}
    )
    for file, value in limits.items():
        (path / file).write_text(str(value))
    made = Limit(path)
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            made.look()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield made
    finally:
        over.set()
        watcher.join()
        # A connection that is kept for the next task is left.
        for pid in (path / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                (root / "cgroup.procs").write_text(pid)
        path.rmdir()
