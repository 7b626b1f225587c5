# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Which ports of this machine are listened on (proc(5))."""

from __future__ import annotations

import contextlib

PROC_NET = "/proc/net"
_LISTENING = "0A"


def listens(port: int, proc_net: str = PROC_NET) -> bool:
    """Whether a process of this node listens on the port (/proc/net/tcp, tcp6)."""
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), open(f"{proc_net}/{name}", encoding="ascii") as file:
            for line in file.readlines()[1:]:
                words = line.split()
                if words[3] == _LISTENING and int(words[1].rpartition(":")[2], 16) == port:
                    return True
    return False
