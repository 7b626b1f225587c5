# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Reject new connections from outside to this node's own API server, and leave those that are there alone.

Rejected by the node, they go to another API server by way of the load
balancer. The node itself (kubelet, controllers, what listens on the same port
at another address) is not concerned: its connections come in by ``lo``.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.swap import Server

TABLE = "evergreen_kubeadm_swap"
COMMENT = "evergreen.kubeadm-swap"
IPTABLES = {4: "iptables", 6: "ip6tables"}
LOCK = ("--wait", "5")
"""Seconds for the lock that kube-proxy may have (legacy tables)."""
TIMEOUT_S = 20


def family(address: str) -> int:
    return 6 if ":" in address else 4


def nft_rules(server: Server) -> str:
    """What ``nft --file -`` reads. It replaces the table as a whole."""
    rules = "\n".join(
        f'iifname != "lo" {"ip6" if family(address) == 6 else "ip"} daddr {address} tcp dport {server.port} '
        "tcp flags & (fin|syn|rst|ack) == syn reject with tcp reset"
        for address in server.addresses
    )
    return (
        f"add table inet {TABLE}\ndelete table inet {TABLE}\ntable inet {TABLE} {{\nchain input {{\n"
        f"type filter hook input priority -10; policy accept;\n{rules}\n}}\n}}\n"
    )


def iptables_rule(address: str, port: int) -> list[str]:
    """A rule of the chain INPUT, without command and chain."""
    return [
        *("!", "--in-interface", "lo", "--destination", address, "--protocol", "tcp", "--dport", str(port), "--syn"),
        *("--match", "comment", "--comment", COMMENT, "--jump", "REJECT", "--reject-with", "tcp-reset"),
    ]


def own_rules(listed: str) -> list[list[str]]:
    """The arguments that delete the rules of a swap from what ``iptables --list-rules INPUT`` prints."""
    found = [shlex.split(line) for line in listed.splitlines()]
    return [["--delete", *words[1:]] for words in found if words[:1] == ["-A"] and COMMENT in words]


def reject(server: Server) -> bool:
    """Begin to reject; whether all addresses are. False also where the node has neither nft nor iptables."""
    if shutil.which("nft") and _run("nft", "--file", "-", said=nft_rules(server)) is not None:
        return True
    accept()
    done = [
        _run(IPTABLES[family(address)], *LOCK, "--insert", "INPUT", *iptables_rule(address, server.port)) is not None
        for address in server.addresses
    ]
    return all(done)


def accept() -> None:
    """Accept connections again, whatever rejected them."""
    if shutil.which("nft"):
        _run("nft", "delete", "table", "inet", TABLE)
    for program in IPTABLES.values():
        for words in own_rules(_run(program, *LOCK, "--list-rules", "INPUT") or ""):
            _run(program, *LOCK, *words)


def _run(*words: str, said: str = "") -> str | None:
    """What it printed; None where it failed."""
    try:
        done = subprocess.run(words, input=said, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    except (OSError, subprocess.SubprocessError):
        return None
    return None if done.returncode else done.stdout
