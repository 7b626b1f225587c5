# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What iptables and systemd are told, and which ports are listened on."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _sockets
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods import refusing

HEADER = "  sl  local_address rem_address   st tx_queue rx_queue\n"


def test_the_rule_is_of_one_port_and_of_new_connections() -> None:
    words = " ".join(refusing.rule(6443))
    assert "--dport 6443 --syn " in words
    assert words.endswith("--jump REJECT --reject-with tcp-reset")


def test_systemd_takes_out_what_was_put_in() -> None:
    command = refusing.guard(6443, ["iptables", "ip6tables"])
    assert command[:5] == [
        "systemd-run",
        "--quiet",
        "--collect",
        "--unit=evergreen-kubeadm-accept-6443",
        "--on-active=90",
    ]
    rule = " ".join(refusing.rule(6443))
    assert command[-1] == f"iptables --wait 5 --delete INPUT {rule}; ip6tables --wait 5 --delete INPUT {rule}"


@pytest.mark.parametrize(
    ("tcp", "tcp6", "listens"),
    [
        pytest.param("", "", False, id="nobody"),
        pytest.param("   0: 00000000:192B 00000000:0000 0A 0:0\n", "", True, id="on IPv4"),
        pytest.param("", f"   0: {'0' * 32}:192B {'0' * 32}:0000 0A 0:0\n", True, id="on IPv6"),
        pytest.param("   0: 0100007F:192B 0100007F:C350 01 0:0\n", "", False, id="a connection alone"),
        pytest.param("   0: 00000000:192C 00000000:0000 0A 0:0\n", "", False, id="another port"),
    ],
)
def test_listens(tmp_path: Path, tcp: str, tcp6: str, listens: bool) -> None:
    (tmp_path / "tcp").write_text(HEADER + tcp)
    (tmp_path / "tcp6").write_text(HEADER + tcp6)
    assert _sockets.listens(6443, str(tmp_path)) is listens


def test_a_machine_without_ipv6(tmp_path: Path) -> None:
    (tmp_path / "tcp").write_text(HEADER)
    assert not _sockets.listens(6443, str(tmp_path))


def test_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert _sockets.listens(port)
    assert not _sockets.listens(port)
