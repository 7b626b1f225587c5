# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ssh_tunnel and the SSH server: who is trusted, who logs in, what becomes of connections and sessions."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api import auth, tunnel, tunnel_pump, tunnel_session
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import ApiUnreachable
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.errors import ConfigurationError
from harness.modules import run_module
from harness.process import Process, wait_for
from harness.ssh_server import SshServer, fingerprint, new_key, public_key, serving
from tunnel_place import NOWHERE, refused

Json = dict[str, t.Any]

pytestmark = pytest.mark.usefixtures("nothing_from_the_environment")

NOBODY_THERE = "cannot connect to 127.0.0.1:1."


@pytest.fixture
def server(tmp_path: Path) -> t.Iterator[SshServer]:
    with serving(tmp_path / "ssh") as made:
        yield made


def logs_in(server: SshServer, **changed: t.Any) -> None:
    """The login succeeds: the server was asked to connect, and found nobody."""
    before = server.count("unreachable")
    error = refused({**NOWHERE, "ssh_tunnel": server.option(**changed)})
    assert NOBODY_THERE in error.message and not error.permanent
    assert server.count("unreachable") == before + 1


def test_unknown_and_changed_host_keys(server: SshServer, tmp_path: Path) -> None:
    other = new_key(tmp_path / "other")
    known = tmp_path / "known_hosts"
    known.write_text("")
    offered = fingerprint(server.host_keys[0])
    error = refused({**NOWHERE, "ssh_tunnel": server.option(host_key=None, known_hosts=str(known))})
    assert error.permanent and error.message == (
        f"The SSH server 127.0.0.1:{server.port} is not trusted: it offered the host key ssh-ed25519 {offered}, "
        f"which is not in {known} for [127.0.0.1]:{server.port}."
    )
    known.write_text(server.known_hosts_line().replace(public_key(server.host_keys[0]), public_key(other)))
    # Another tunnel for the process, since what is known is read when one is made.
    error = refused({**NOWHERE, "ssh_tunnel": server.option(host_key=None, known_hosts=str(known), user="ops2")})
    assert error.permanent and offered in error.message and fingerprint(other) in error.message
    assert f"ssh-keygen -R '[127.0.0.1]:{server.port}'" in error.hint
    # Who is not trusted learns nothing of the user.
    assert server.count("key accepted") + server.count("key refused") == 0
    logs_in(server, host_key=fingerprint(server.host_keys[0]))


def test_the_server_is_asked_for_a_key_that_is_known(server: SshServer, tmp_path: Path) -> None:
    keys = [new_key(tmp_path / f"host-{kind}", kind) for kind in ("rsa", "ecdsa")]
    server.stop()
    server.host_keys += keys
    server.start()
    for key in keys:
        logs_in(server, host_key=public_key(key))


def test_a_refused_login_is_not_repeated(server: SshServer, tmp_path: Path) -> None:
    stranger = new_key(tmp_path / "stranger")
    params = {**NOWHERE, "ssh_tunnel": server.option(key_file=str(stranger))}
    for _again in range(3):
        error = refused(params)
        assert error.permanent and error.message == (
            f"The SSH server 127.0.0.1:{server.port} does not let ops in: it took none of the keys {stranger}."
        )
    assert server.count("key refused") == 1


def test_every_kind_of_key_file(server: SshServer, tmp_path: Path) -> None:
    authority = new_key(tmp_path / "authority")
    certified = new_key(tmp_path / "certified")
    sign = ["ssh-keygen", "-q", "-s", str(authority), "-I", "ops", "-n", "ops", f"{certified}.pub"]
    subprocess.run(sign, check=True, capture_output=True)
    files = {
        new_key(tmp_path / "rsa", "rsa"): None,
        new_key(tmp_path / "ecdsa", "ecdsa", "-b", "384"): None,
        new_key(tmp_path / "pem", "rsa", "-m", "PEM", passphrase="open sesame"): "open sesame",
        new_key(tmp_path / "encrypted", passphrase="open sesame"): "open sesame",
        certified: None,
    }
    server.stop()
    server.users = list(files)
    server.start()
    for file, passphrase in files.items():
        logs_in(server, key_file=str(file), key_passphrase=passphrase)
    for changed, why in (
        ({"key_file": str(tmp_path / "encrypted")}, "needs a passphrase"),
        ({"key_file": str(tmp_path / "encrypted"), "key_passphrase": "wrong"}, "is not opened by key_passphrase"),
        ({"key_file": str(tmp_path / "none")}, "cannot be read: No such file or directory"),
        ({"key_file": f"{certified}.pub"}, "is a public key"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            auth.connect({**NOWHERE, "ssh_tunnel": server.option(**changed)})
        assert f"The key file {changed['key_file']} of ssh_tunnel" in caught.value.message
        assert why in caught.value.message


def test_keys_of_an_agent_and_of_the_home_directory(
    server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = refused({**NOWHERE, "ssh_tunnel": server.option(key_file=None)})
    assert error.permanent and "no ssh-agent runs" in error.message and "id_ed25519, id_ecdsa, id_rsa" in error.message
    # With nothing but host and port, as ssh finds everything else.
    ssh = tmp_path / ".ssh"
    ssh.mkdir()
    (ssh / "id_ecdsa").write_bytes(new_key(tmp_path / "unused").read_bytes())
    (ssh / "id_ed25519").write_text("not a key")
    (ssh / "id_rsa").write_bytes(server.users[0].read_bytes())
    (ssh / "known_hosts").write_text(server.known_hosts_line())
    logs_in(server, key_file=None, user=None, host_key=None)
    assert server.count("key refused") == 1

    socket_path = tmp_path / "agent"
    agent = Process(["ssh-agent", "-D", "-a", str(socket_path)], tmp_path / "agent.log")
    agent.start()
    try:
        wait_for("ssh-agent runs", socket_path.exists)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket_path))
        subprocess.run(["ssh-add", "-q", str(server.users[0])], check=True, capture_output=True)
        logs_in(server, key_file=None, user="agent")
        assert server.count("key refused") == 1
        # The file cannot be opened; the agent has its key.
        change = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", str(server.users[0])]
        subprocess.run(change, check=True, capture_output=True)
        logs_in(server, user="agent2")
    finally:
        agent.stop()


def test_a_server_that_comes_later_is_used_then(server: SshServer) -> None:
    server.stop()
    client = auth.connect({**NOWHERE, "ssh_tunnel": server.option()})
    for message, then in (("cannot be reached: Connection refused.", server.start), (NOBODY_THERE, server.stop)):
        with pytest.raises(ApiUnreachable) as caught:
            client.get("/version")
        assert message in caught.value.message and not caught.value.permanent
        then()


def test_a_server_that_falls_silent_is_noticed(server: SshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tunnel_session, "KEEPALIVE_S", 0.2)
    monkeypatch.setattr(tunnel_session, "KEEPALIVE_ANSWER_S", 0.5)
    client = auth.connect({**NOWHERE, "ssh_tunnel": server.option(connect_timeout=1)})

    def asked() -> ApiUnreachable:
        with pytest.raises(ApiUnreachable) as caught:
            client.get("/version", timeout_s=3)
        return caught.value

    time.sleep(1.5)
    # Answers keep the session.
    assert NOBODY_THERE in asked().message and server.count("key accepted") == 1
    server.freeze()
    error = wait_for(
        "the session has ended", lambda: "began no SSH session" in (found := asked()).message and found, 10
    )
    assert not error.permanent
    server.stop()
    server.start()
    assert NOBODY_THERE in asked().message and server.count("key accepted") == 2


def pumps() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("tunnel to ")]


@pytest.fixture
def listener() -> t.Iterator[socket.socket]:
    """Something that connections through the tunnel end at."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.settimeout(10)
        yield made


def connection_through(server: SshServer, listener: socket.socket) -> tuple[socket.socket, socket.socket]:
    """The two ends of a connection: here, and behind the SSH server."""
    near = tunnel.tunnel_for(server.option()).connect(*listener.getsockname(), 5)
    far, _peer = listener.accept()
    for each in (near, far):
        each.settimeout(20)
    return near, far


def read_all(end: socket.socket) -> bytes:
    return b"".join(iter(lambda: end.recv(65536), b""))


@pytest.mark.parametrize("near_first", [True, False])
def test_each_direction_ends_by_itself(server: SshServer, listener: socket.socket, near_first: bool) -> None:
    near, far = connection_through(server, listener)
    first, second = (near, far) if near_first else (far, near)
    with ThreadPoolExecutor(1) as pool:
        for talker, hearer in ((first, second), (second, first)):
            # More than one window of paramiko.
            data = os.urandom(5_000_000)
            heard = pool.submit(read_all, hearer)
            talker.sendall(data)
            talker.shutdown(socket.SHUT_WR)
            assert heard.result() == data
    wait_for("nothing is left of it", lambda: not pumps() and server.count("channel closed") == 1)
    near.close()
    far.close()


def test_a_connection_that_is_given_up_leaves_nothing(
    server: SshServer, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnel_pump, "LOOK_EVERY_S", 0.2)
    near, far = connection_through(server, listener)
    near.settimeout(1)
    # The far side reads nothing, until nothing more fits in between.
    with pytest.raises(TimeoutError):
        while True:
            near.sendall(bytes(1 << 20))
    near.close()
    wait_for("the threads of the connection have ended", lambda: not pumps(), 10)
    far.close()


def test_connections_end_with_their_session(server: SshServer, listener: socket.socket) -> None:
    near, far = connection_through(server, listener)
    server.stop()
    assert near.recv(1) == b""
    near.close()
    far.close()
    wait_for("the threads of the connection have ended", lambda: not pumps(), 10)


def test_results_name_no_passphrase(server: SshServer, tmp_path: Path) -> None:
    key = new_key(tmp_path / "encrypted", passphrase="open sesame")
    server.stop()
    server.users = [key]
    server.start()
    option = server.option(key_file=str(key), key_passphrase="open sesame")
    arguments = {**NOWHERE, "ssh_tunnel": option, "name": ["nobody"], "delete_options": {"wait_timeout": 0}}
    result = run_module("drain_node", arguments)
    assert result["failed"] and NOBODY_THERE in result["msg"] and "open sesame" not in json.dumps(result)
    shown = result["invocation"]["module_args"]["ssh_tunnel"]
    assert shown["key_file"] == str(key) and shown["host_key"] == public_key(server.host_keys[0])
