# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands between a client and an etcd member in tests: a relay that breaks, and a proxy without HTTP/2."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import typing as t
from pathlib import Path

from etcd_cluster import Cluster, Member


def through(cluster: Cluster, port: int, place: Path, **more: t.Any) -> dict[str, t.Any]:
    """The options that lead to a member through a relay."""
    return {
        "endpoint": f"https://127.0.0.1:{port}",
        "ca_cert": str(cluster.pki / "ca.crt"),
        "client_cert": str(cluster.pki / "healthcheck-client.crt"),
        "client_key": str(cluster.pki / "healthcheck-client.key"),
        "directory": str(place),
        "label": "relayed",
        "min_free_mib": 0,
        **more,
    }


class Relay:
    """A TCP relay to one member that can hold back, or cut, the connection that carries a snapshot.

    `limit` is how many bytes from the member one connection may carry before
    that happens; small answers never reach it.
    """

    def __init__(self, member: Member, limit: int, *, cut: bool) -> None:
        self._target = int(member.url.rsplit(":", 1)[1])
        self._limit = limit
        self._cut = cut
        self.reached = threading.Event()
        self.go_on = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *unused: object) -> None:
        self.go_on.set()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                threading.Thread(target=self._copy, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._copy, args=(server, client, True), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket, limited: bool) -> None:
        carried = 0
        with contextlib.suppress(OSError):
            while data := source.recv(16384):
                carried += len(data)
                if limited and carried > self._limit and not self.reached.is_set():
                    self.reached.set()
                    if self._cut:
                        break
                    self.go_on.wait(60)
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class Http1Proxy:
    """Ends TLS, as a proxy that speaks no HTTP/2 does, and passes on what it carries to one member with TLS of its own.

    It shows the server certificate of the cluster and asks for none.
    """

    def __init__(self, cluster: Cluster, member: Member) -> None:
        self._target = int(member.url.rsplit(":", 1)[1])
        self._to_member = cluster.context
        self._to_client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._to_client.load_cert_chain(cluster.pki / "server.crt", cluster.pki / "server.key")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Http1Proxy:
        return self

    def __exit__(self, *unused: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError), plain:
            client = self._to_client.wrap_socket(plain, server_side=True)
            server = self._to_member.wrap_socket(
                socket.create_connection(("127.0.0.1", self._target)), server_hostname="127.0.0.1"
            )
            with client, server:
                other = {client: server, server: client}
                while True:
                    for source in select.select([client, server], [], [])[0]:
                        # What came may be a session ticket, which is no data.
                        source.settimeout(0.05)
                        try:
                            # A TLS record is at most 16 KiB, so that none is left over in the TLS layer.
                            data = source.recv(1 << 16)
                        except TimeoutError:
                            continue
                        if not data:
                            return
                        other[source].settimeout(30)
                        other[source].sendall(data)
