# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An SSH server on loopback, a process of its own, that forwards connections and writes down what it did.

It lets users in by key, and knows no shell. Its configuration is a JSON file:
``{port, host_keys: [path], authorized: [base64], forwarding, names: {name: address}, events: path}``;
`names` are those that only this server can resolve.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import paramiko

from harness.process import Process, free_ports, wait_for

Json = dict[str, t.Any]


def new_key(path: Path, kind: str = "ed25519", *options: str, passphrase: str = "") -> Path:
    """A key pair as ssh-keygen makes it; the public half is in a file beside it."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", str(path), *options]
    subprocess.run(command, check=True, capture_output=True)
    return path


def public_key(path: Path) -> str:
    """The line ``type base64 comment`` of the public half."""
    return Path(f"{path}.pub").read_text().strip()


def fingerprint(path: Path) -> str:
    """As ssh-keygen says it, found without the collection's own code."""
    digest = hashlib.sha256(base64.b64decode(public_key(path).split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


class SshServer:
    """The server as tests handle it."""

    def __init__(self, place: Path, host_keys: list[Path], users: list[Path]) -> None:
        self.host_keys = host_keys
        self.users = users
        self.names: dict[str, str] = {}
        self.forwarding = True
        (self.port,) = free_ports(1)
        self._config = place / "ssh_server.json"
        self._events = place / "ssh_server.events"
        env = {"PYTHONPATH": str(Path(__file__).parents[1])}
        arguments: list[str | Path] = [sys.executable, "-m", "harness.ssh_server", self._config]
        self._process = Process(arguments, place / "ssh_server.log", env)

    def start(self) -> None:
        """Start it with what is set now, on the port that it always has."""
        config = {
            "port": self.port,
            "host_keys": [str(path) for path in self.host_keys],
            "authorized": [public_key(path).split()[1] for path in self.users],
            "forwarding": self.forwarding,
            "names": self.names,
            "events": str(self._events),
        }
        self._config.write_text(json.dumps(config))
        ready = self.count("listening") + 1
        self._process.start()
        wait_for(f"the SSH server listens: {self._process.tail()}", lambda: self.count("listening") == ready)

    def stop(self) -> None:
        """End it and every session at once."""
        self._process.stop(kill=True)

    def freeze(self) -> None:
        """Let it say nothing any more while its connections stay open, as a peer behind a dead line."""
        os.kill(t.cast("int", self._process.pid), signal.SIGSTOP)

    def option(self, **changed: t.Any) -> Json:
        """The option ssh_tunnel for this server and its first user; what is changed to None is left out."""
        options: Json = {
            "host": "127.0.0.1",
            "port": self.port,
            "user": "ops",
            "key_file": str(self.users[0]),
            "host_key": public_key(self.host_keys[0]),
            **changed,
        }
        return {name: value for name, value in options.items() if value is not None}

    def known_hosts_line(self) -> str:
        return f"[127.0.0.1]:{self.port} {public_key(self.host_keys[0])}\n"

    def events(self, kind: str) -> list[Json]:
        """What it did since it was made, over all of its starts."""
        if not self._events.exists():
            return []
        lines = [json.loads(line) for line in self._events.read_text().splitlines()]
        return [line for line in lines if line["event"] == kind]

    def count(self, kind: str) -> int:
        return len(self.events(kind))


@contextlib.contextmanager
def serving(place: Path, names: dict[str, str] | None = None) -> t.Iterator[SshServer]:
    """A server that runs for the time of the context, with a host key and a user of its own."""
    place.mkdir()
    made = SshServer(place, [new_key(place / "host")], [new_key(place / "user")])
    made.names = names or {}
    try:
        made.start()
        yield made
    finally:
        made.stop()


class _Rules(paramiko.ServerInterface):
    """What one session may do."""

    def __init__(self, config: Json, tell: t.Callable[..., None]) -> None:
        self._config = config
        self._tell = tell
        self.targets: dict[int, socket.socket] = {}

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: t.Any) -> int:
        known = key.get_base64() in self._config["authorized"]
        self._tell("key accepted" if known else "key refused", user=username)
        return int(paramiko.AUTH_SUCCESSFUL if known else paramiko.AUTH_FAILED)

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        host, port = destination
        if not self._config["forwarding"]:
            self._tell("prohibited", to=host)
            return int(paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED)
        try:
            target = socket.create_connection((self._config["names"].get(host, host), port), 5)
            target.settimeout(None)
        except OSError:
            self._tell("unreachable", to=host, port=port)
            return int(paramiko.OPEN_FAILED_CONNECT_FAILED)
        self.targets[chanid] = target
        self._tell("forwarded", to=host, port=port)
        return int(paramiko.OPEN_SUCCEEDED)


def _serve(connection: socket.socket, config: Json, tell: t.Callable[..., None]) -> None:
    tell("connected")
    transport = paramiko.Transport(connection)
    for path in config["host_keys"]:
        transport.add_server_key(_host_key(path))
    rules = _Rules(config, tell)
    with contextlib.suppress(paramiko.SSHException, EOFError):
        transport.start_server(server=rules)
        while transport.is_active():
            channel = transport.accept(0.5)
            if channel is not None:
                _join(channel, rules.targets.pop(channel.get_id()), tell)


def _host_key(path: str) -> t.Any:
    kind = Path(f"{path}.pub").read_text().split()[0]
    classes = {"ssh-ed25519": paramiko.Ed25519Key, "ssh-rsa": paramiko.RSAKey}
    return classes.get(kind, paramiko.ECDSAKey).from_private_key_file(path)


def _join(channel: t.Any, target: socket.socket, tell: t.Callable[..., None]) -> None:
    """Carry bytes both ways, and the end of each way by itself."""

    def carry(read: t.Callable[[int], bytes], write: t.Callable[[bytes], t.Any], done: t.Callable[[], t.Any]) -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            while data := read(32768):
                write(data)
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            done()

    ways = [
        threading.Thread(
            target=carry, args=(channel.recv, target.sendall, lambda: target.shutdown(socket.SHUT_WR)), daemon=True
        ),
        threading.Thread(target=carry, args=(target.recv, channel.sendall, channel.shutdown_write), daemon=True),
    ]

    def whole() -> None:
        for way in ways:
            way.start()
        for way in ways:
            way.join()
        channel.close()
        target.close()
        tell("channel closed")

    threading.Thread(target=whole, daemon=True).start()


def main(path: str) -> None:
    config = json.loads(Path(path).read_text())
    lock = threading.Lock()

    def tell(event: str, **details: t.Any) -> None:
        with lock, Path(config["events"]).open("a") as events:
            events.write(json.dumps({"event": event, **details}) + "\n")

    listener = socket.create_server(("127.0.0.1", config["port"]), backlog=64)
    tell("listening")
    while True:
        connection, _peer = listener.accept()
        threading.Thread(target=_serve, args=(connection, config, tell), daemon=True).start()


if __name__ == "__main__":
    main(sys.argv[1])
