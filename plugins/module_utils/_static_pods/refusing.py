# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Refuse new connections to a port of this node for a moment, and leave those that are there alone.

An API server with kubeadm's flags closes its port at the moment in which it
is asked to end, and loses connections that are just being made. Refused by
the node before that, they go to another API server by way of the balancer.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import typing as t

PROGRAMS = ("iptables", "ip6tables")
WAIT = ("--wait", "5")
"""Seconds for the lock that kube-proxy may have (legacy tables)."""
BOUND_S = 90
"""By when the node takes the rule out itself, should nobody else do so."""


def rule(port: int) -> list[str]:
    """What iptables(8) and ip6tables(8) are told, without the command and the chain."""
    words = ["--protocol", "tcp", "--dport", str(port), "--syn", "--match", "comment", "--comment", "evergreen.kubeadm"]
    return [*words, "--jump", "REJECT", "--reject-with", "tcp-reset"]


def unit(port: int) -> str:
    return f"evergreen-kubeadm-accept-{port}"


def guard(port: int, programs: t.Sequence[str]) -> list[str]:
    """The command that has systemd take the rule out after BOUND_S seconds, whatever became of this process."""
    script = "; ".join(" ".join([program, *WAIT, "--delete", "INPUT", *rule(port)]) for program in programs)
    return [
        *("systemd-run", "--quiet", "--collect", f"--unit={unit(port)}", f"--on-active={BOUND_S}"),
        *("/bin/sh", "-c", script),
    ]


@contextlib.contextmanager
def connections(port: int) -> t.Iterator[bool]:
    """Refuse new connections to `port` within the block; yield whether that is so.

    False where the node has no iptables or systemd-run, or they fail: nothing
    is refused then.
    """
    programs = [program for program in PROGRAMS if shutil.which(program)]
    if not programs or not shutil.which("systemd-run"):
        yield False
        return
    # Of a run that was killed.
    _accept(port, programs)
    refused = False
    try:
        if _succeeds(*guard(port, programs)):
            done = [_succeeds(program, *WAIT, "--insert", "INPUT", *rule(port)) for program in programs]
            refused = any(done)
        yield refused
    finally:
        _accept(port, programs)


def _accept(port: int, programs: t.Sequence[str]) -> None:
    for program in programs:
        while _succeeds(program, *WAIT, "--delete", "INPUT", *rule(port)):
            continue
    _succeeds("systemctl", "stop", f"{unit(port)}.timer")


def _succeeds(*words: str) -> bool:
    try:
        return subprocess.run(words, capture_output=True, check=False, timeout=20).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False
