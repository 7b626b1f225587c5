# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs one program and writes what it took. A process of its own, and a small one.

Linux counts the memory that a process had before exec to the program that it
becomes, so a program started from a big process looks at least as big.

    python -I -S spawn.py REPORT LOG PROGRAM [ARGUMENT ...]

REPORT gets ``{"wall_s": float, "rss_kib": int, "status": int}``: seconds from
the start to the end of the program; the peak resident memory of the largest
single process among it and all descendants that were waited for (wait4(2),
getrusage(2)); its exit status, or minus the number of the signal that ended it.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main() -> None:
    report, log, *command = sys.argv[1:]
    said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    actions = [(os.POSIX_SPAWN_DUP2, nothing, 0), (os.POSIX_SPAWN_DUP2, said, 1), (os.POSIX_SPAWN_DUP2, said, 2)]
    began = time.monotonic()
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    _pid, status, usage = os.wait4(pid, 0)
    took = time.monotonic() - began
    with open(report, "w", encoding="utf-8") as file:
        json.dump({"wall_s": took, "rss_kib": usage.ru_maxrss, "status": os.waitstatus_to_exitcode(status)}, file)


if __name__ == "__main__":
    main()
