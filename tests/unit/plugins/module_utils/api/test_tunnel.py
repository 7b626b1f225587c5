# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ssh_tunnel takes as its options and its keys, and what the refusals of a server mean."""

from __future__ import annotations

import base64
import getpass
import os
import struct
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api import (
    tunnel,
    tunnel_keys,
    tunnel_login,
    tunnel_session,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.errors import ConfigurationError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.tunnel_hosts import Trust


def string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def openssh(key_type: bytes = b"ssh-ed25519", cipher: bytes = b"none", magic: bytes = b"openssh-key-v1\0") -> str:
    """The outside of a private key as PROTOCOL.key has it; the private part, which nobody reads here, is not there."""
    public = string(key_type) + string(b"p" * 32)
    data = magic + string(cipher) + string(b"none") + string(b"") + struct.pack(">I", 1) + string(public)
    text = base64.encodebytes(data).decode()
    return f"-----BEGIN OPENSSH PRIVATE KEY-----\n{text}-----END OPENSSH PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"host": "bastion"}, {"host": "bastion", "port": 22, "connect_timeout": 10, "user": getpass.getuser()}),
        ({"host": " bastion ", "user": "ops", "port": 2222}, {"host": "bastion", "user": "ops", "port": 2222}),
        ({"host": "[fd00::1]", "user": ""}, {"host": "fd00::1", "user": getpass.getuser()}),
        ({"host": "b", "port": None, "key_file": "/k", "host_key": None}, {"port": 22, "key_file": "/k"}),
    ],
)
def test_options(given: dict[str, t.Any], expected: dict[str, t.Any]) -> None:
    made = tunnel.options_from(given)
    assert {name: getattr(made, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"host": ""}, "The host of ssh_tunnel is ''"),
        ({}, "The host of ssh_tunnel is None"),
        ({"host": "ops@bastion"}, "The host of ssh_tunnel is 'ops@bastion'"),
        ({"host": "ssh://bastion"}, "The host of ssh_tunnel is 'ssh://bastion'"),
        ({"host": "b", "port": 0}, "The port of ssh_tunnel is 0"),
        ({"host": "b", "port": 65536}, "The port of ssh_tunnel is 65536"),
        ({"host": "b", "connect_timeout": 0}, "connect_timeout"),
        ({"host": "b", "known_hosts": "/k", "host_key": "SHA256:x"}, "known_hosts and host_key"),
    ],
)
def test_options_that_do_not_fit(given: dict[str, t.Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        tunnel.options_from(given)
    assert message in caught.value.message


def test_the_passphrase_is_shown_nowhere() -> None:
    given = {"host": "b", "key_file": "/k", "key_passphrase": "open sesame"}
    assert "open sesame" not in repr(tunnel.options_from(given))


def test_who_is_trusted_comes_from_one_place(tmp_path: Path) -> None:
    options = tunnel.options_from({"host": "b", "host_key": "SHA256:" + "a" * 43})
    assert tunnel.load_trust(options) == Trust(fingerprint="SHA256:" + "a" * 43, source="the option host_key")
    with pytest.raises(ConfigurationError, match="neither a fingerprint"):
        tunnel.load_trust(tunnel.options_from({"host": "b", "host_key": "MD5:aa:bb"}))
    missing = str(tmp_path / "none")
    with pytest.raises(ConfigurationError, match=f"The known_hosts {missing} of ssh_tunnel cannot be read"):
        tunnel.load_trust(tunnel.options_from({"host": "b", "known_hosts": missing}))


def test_the_usual_known_hosts_need_not_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tunnel, "KNOWN_HOSTS", ("~/.ssh/known_hosts", str(tmp_path / "none")))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tunnel.load_trust(tunnel.options_from({"host": "b"})).keys == ()
    blob = base64.b64encode(string(b"ssh-ed25519") + string(b"p" * 32)).decode()
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "known_hosts").write_text(f"b ssh-ed25519 {blob}\n")
    assert [key.type for key in tunnel.load_trust(tunnel.options_from({"host": "b"})).keys] == ["ssh-ed25519"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (openssh(), ("ssh-ed25519", False)),
        (openssh(cipher=b"aes256-ctr"), ("ssh-ed25519", True)),
        (openssh(b"ssh-rsa"), ("ssh-rsa", False)),
        (openssh(b"ecdsa-sha2-nistp384").replace("\n", "\r\n"), ("ecdsa-sha2-nistp384", False)),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIC\n", ("ssh-rsa", False)),
        ("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: x\n", ("ssh-rsa", True)),
        ("-----BEGIN EC PRIVATE KEY-----\nMIIC\n", ("ecdsa-sha2-nistp256", False)),
    ],
)
def test_key_files(text: str, expected: tuple[str, bool]) -> None:
    seen = tunnel_keys.inspect(text)
    assert (seen.type, seen.encrypted) == expected


def test_the_public_half_is_seen_without_the_passphrase() -> None:
    assert tunnel_keys.inspect(openssh(cipher=b"aes256-ctr")).blob == string(b"ssh-ed25519") + string(b"p" * 32)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not a private key of OpenSSH"),
        ("PuTTY-User-Key-File-3: ssh-ed25519", "is not a private key of OpenSSH"),
        ("-----BEGIN PRIVATE KEY-----\nMIIC\n", "PKCS#8"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIC\n", "PKCS#8"),
        ("ssh-ed25519 AAAA me@here", "is a public key"),
        (openssh(magic=b"openssh-key-v2\0"), "is damaged"),
        (openssh()[:60] + "\n-----END OPENSSH PRIVATE KEY-----", "is damaged"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\n****\n-----END OPENSSH PRIVATE KEY-----", "is damaged"),
        (openssh(b"sk-ssh-ed25519@openssh.com"), "of the type 'sk-ssh-ed25519@openssh.com'"),
        (openssh(b"ssh-dss"), "of the type 'ssh-dss'"),
    ],
)
def test_key_files_that_cannot_be_used(text: str, why: str) -> None:
    with pytest.raises(tunnel_keys.BadKeyFile) as caught:
        tunnel_keys.inspect(text)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("key_type", "usable"),
    [
        ("ssh-ed25519", True),
        ("ssh-rsa", True),
        ("ecdsa-sha2-nistp521", True),
        ("ssh-ed25519-cert-v01@openssh.com", True),
        ("sk-ssh-ed25519@openssh.com", False),
        ("sk-ssh-ed25519-cert-v01@openssh.com", False),
        ("ssh-dss", False),
    ],
)
def test_which_keys_of_an_agent_are_tried(key_type: str, usable: bool) -> None:
    assert tunnel_keys.usable_type(key_type) is usable


@pytest.mark.parametrize(
    ("code", "sure", "message", "permanent"),
    [
        (1, True, "The SSH server b:22 does not allow forwarding to api:6443.", True),
        # paramiko may have given the reason of another channel.
        (1, False, "The SSH server b:22 does not allow forwarding to api:6443.", False),
        (2, True, "The SSH server b:22 cannot connect to api:6443.", False),
        (4, True, "The SSH server b:22 opened no channel to api:6443 (reason 4 of RFC 4254).", False),
    ],
)
def test_refused_channels(code: int, sure: bool, message: str, permanent: bool) -> None:
    error = tunnel_session.refused_channel("b:22", ("api", 6443), code, sure=sure)
    assert (error.message, error.permanent) == (message, permanent)


def test_a_refused_login_names_what_was_tried() -> None:
    login = tunnel_login.Login("b", 22, "ops", Trust(), [])
    error = tunnel_login.refused_login(login, ["/k", "ssh-rsa SHA256:x of ssh-agent"], ["password"])
    assert error.permanent
    assert error.message == (
        "The SSH server b:22 does not let ops in: it took none of the keys /k; ssh-rsa SHA256:x of ssh-agent "
        "and wants password, which ssh_tunnel does not do."
    )


def test_paramiko_is_wanted_only_with_a_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    code = f"import sys; import {tunnel.__name__.rpartition('.')[0]}.auth; sys.exit('paramiko' in sys.modules)"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=env, check=False).returncode == 0
    monkeypatch.setitem(sys.modules, "paramiko", None)
    with pytest.raises(ConfigurationError) as caught:
        tunnel.tunnel_for({"host": "b"})
    assert "needs the Python library paramiko" in caught.value.message
    assert "Install paramiko >= 3.4.0" in caught.value.hint
