# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which host keys are trusted. Keys, fingerprints and hashed lines were made by ssh-keygen."""

from __future__ import annotations

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api import tunnel_hosts
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.tunnel_hosts import HostKey, Trust

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJZJaJz79t0WbFLzNBts1qELOXgplCSKgBgJFW3VtPUK"
ED25519_PRINT = "SHA256:/RKPEoh/wWalvkHtBIf3Yd7vvwr3ouxAECUTQ5nka40"
ECDSA = (
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBGpdZwTKR09oVg77sERH9ylV5cRgKyaKEri8ZD"
    "ikTxGuYju+RRKOdfceuTdLgttvs0PjXCvm3cPMPz2i8rTthtU="
)
ECDSA_PRINT = "SHA256:An8P/HtC0cCFomXFlU6teMSpqjtwdEHH6pOeR58yBwQ"
# bastion.example.com and [bastion.example.com]:2222, after ssh-keygen -H.
HASHED = f"|1|kzetLyMJ0rP92WK+335pDY7QfSs=|rPxc7nX8zU3VSivvLxhtO3acAlc= {ED25519}"
HASHED_PORT = f"|1|kZLHh3YJgqN9en/yTYqpDiCh700=|TwaOnz1IfLnR74imVOsrCjsQn9w= {ED25519}"
HOST = "bastion.example.com"


def key(line: str) -> HostKey:
    found = tunnel_hosts.parse_key(*line.split()[:2])
    assert found
    return found


def judge(text: str, offered: str, host: str = HOST, port: int = 22) -> str:
    trust = tunnel_hosts.trust_of(tunnel_hosts.parse_known_hosts(text), host, port, "known_hosts")
    return tunnel_hosts.judge(trust, key(offered))


@pytest.mark.parametrize(("line", "expected"), [(ED25519, ED25519_PRINT), (ECDSA, ECDSA_PRINT)])
def test_fingerprints_are_those_of_ssh_keygen(line: str, expected: str) -> None:
    assert tunnel_hosts.fingerprint(key(line).blob) == expected


@pytest.mark.parametrize(
    ("text", "port", "verdict"),
    [
        (f"{HOST} {ED25519}", 22, "trusted"),
        (f"{HOST} {ED25519} a comment", 22, "trusted"),
        (f"{HOST}\t{ED25519}".replace(" ", "\t"), 22, "trusted"),
        (f"# {HOST} {ED25519}\n\n  {HOST} {ED25519}\n", 22, "trusted"),
        (f"BASTION.Example.com {ED25519}", 22, "trusted"),
        (f"other,{HOST},10.0.0.1 {ED25519}", 22, "trusted"),
        (f"*.example.com {ED25519}", 22, "trusted"),
        (f"bastio?.example.com {ED25519}", 22, "trusted"),
        (f"*.example.com,!{HOST} {ED25519}", 22, "unknown"),
        (f"bastion {ED25519}", 22, "unknown"),
        (f"bastionXexample.com {ED25519}", 22, "unknown"),
        (HASHED, 22, "trusted"),
        (HASHED_PORT, 2222, "trusted"),
        (HASHED_PORT, 22, "unknown"),
        (f"[{HOST}]:2222 {ED25519}", 2222, "trusted"),
        (f"[{HOST}]:2222 {ED25519}", 2223, "unknown"),
        (f"[{HOST}]:2222 {ED25519}", 22, "unknown"),
        # As ssh does it, the name without the port says yes, and never no, to another port.
        (f"{HOST} {ED25519}", 2222, "trusted"),
        (f"{HOST} {ECDSA}", 2222, "unknown"),
        (f"{HOST} {ED25519}\n[{HOST}]:2222 {ECDSA}", 2222, "changed"),
        # A host that changes its keys has two of them for a time.
        (f"{HOST} {ECDSA}\n{HOST} {ED25519}", 22, "trusted"),
        (f"{HOST} {ECDSA}", 22, "changed"),
        (f"@revoked * {ED25519}\n{HOST} {ED25519}", 22, "revoked"),
        (f"@revoked other {ED25519}\n{HOST} {ED25519}", 22, "trusted"),
        (f"@cert-authority {HOST} {ED25519}", 22, "unknown"),
        ("", 22, "unknown"),
        # Lines that nobody can read: cut off, not base64, a key of another type than it says.
        (f"{HOST} ssh-ed25519", 22, "unknown"),
        (f"{HOST} ssh-ed25519 ****\n{HOST} {ED25519}", 22, "trusted"),
        (f"{HOST} ssh-rsa {ED25519.split()[1]}", 22, "unknown"),
        (f"|1|nothing {ED25519}\n|1|a|b|c {ED25519}", 22, "unknown"),
    ],
)
def test_known_hosts(text: str, port: int, verdict: str) -> None:
    assert judge(text, ED25519, port=port) == verdict


def test_addresses_of_both_families() -> None:
    assert judge(f"fd00::1 {ED25519}", ED25519, host="fd00::1") == "trusted"
    assert judge(f"[fd00::1]:2222 {ED25519}", ED25519, host="FD00::1", port=2222) == "trusted"
    assert judge(f"[10.0.0.1]:2222 {ED25519}", ED25519, host="10.0.0.1", port=2222) == "trusted"


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (ED25519_PRINT, "trusted"),
        (ED25519_PRINT + "=", "trusted"),
        (ED25519, "trusted"),
        (ED25519 + " root@bastion", "trusted"),
        (ECDSA_PRINT, "changed"),
        (ECDSA, "changed"),
    ],
)
def test_a_host_key_that_is_given(given: str, verdict: str) -> None:
    trust = tunnel_hosts.pinned(given)
    assert trust and tunnel_hosts.judge(trust, key(ED25519)) == verdict


@pytest.mark.parametrize(
    "given",
    [
        "",
        "MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48",
        "SHA256:short",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        f"ssh-rsa {ED25519.split()[1]}",
    ],
)
def test_what_is_no_host_key(given: str) -> None:
    assert tunnel_hosts.pinned(given) is None


def test_the_refusal_names_the_host_the_keys_and_the_next_step() -> None:
    offered = key(ED25519)
    message, hint = tunnel_hosts.refusal("unknown", Trust(source="/k"), HOST, 2222, offered)
    assert message == (
        f"The SSH server {HOST}:2222 is not trusted: it offered the host key ssh-ed25519 {ED25519_PRINT}, "
        f"which is not in /k for [{HOST}]:2222."
    )
    assert "host_key" in hint and "ssh-keyscan" in hint
    message, hint = tunnel_hosts.refusal("changed", Trust(keys=(key(ECDSA),), source="/k"), HOST, 22, offered)
    assert ED25519_PRINT in message and f"ecdsa-sha2-nistp256 {ECDSA_PRINT}" in message
    assert f"ssh-keygen -R '{HOST}'" in hint
    trust = tunnel_hosts.pinned(ECDSA_PRINT)
    assert trust and ECDSA_PRINT in tunnel_hosts.refusal("changed", trust, HOST, 22, offered)[0]
    message, hint = tunnel_hosts.refusal("revoked", Trust(source="/k"), HOST, 22, offered)
    assert "is marked as revoked in /k" in message and hint


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([], ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256"]),
        (["ecdsa-sha2-nistp256"], ["ecdsa-sha2-nistp256", "ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256"]),
        (["ssh-rsa"], ["rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519", "ecdsa-sha2-nistp256"]),
        (["ssh-rsa", "ssh-ed25519"], ["ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256", "ecdsa-sha2-nistp256"]),
        (["sk-ssh-ed25519@openssh.com"], ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256"]),
    ],
)
def test_a_known_type_is_asked_for_first(known: list[str], expected: list[str]) -> None:
    algorithms = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")
    keys = tuple(HostKey(name, b"") for name in known)
    assert list(tunnel_hosts.ordered(algorithms, Trust(keys=keys))) == expected
    assert list(tunnel_hosts.ordered(algorithms, Trust(other_port=keys))) == expected
