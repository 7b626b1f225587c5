# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""etcd's own API, gRPC over mutual TLS: no binary and no library is needed on the node.

It is what ``etcdctl`` speaks, and it has no switch to turn it off.
"""

from __future__ import annotations

import ssl
import typing as t
from urllib.parse import urlsplit

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import etcdserverpb, tls
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.gateway import STALL_S
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.grpc_status import require_grpc, require_ok
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import (
    Access,
    EtcdError,
    EtcdUnreachable,
    KvHash,
    Member,
    RouteMissing,
    Status,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc import call, http2
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc.http2_frames import Http2Error, ProtocolError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc.protobuf import ProtobufError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._tls import cause

_SHORTEST_S = 0.05
_PAGE = 32
"""Keys of one page, so that even the largest values (1.5 MiB by default) stay below _PAGE_LIMIT."""
_PAGE_LIMIT = 128 << 20


class Grpc:
    """A client of one member; other members are asked by passing their URL. Safe to use from threads."""

    route = "grpc"

    def __init__(self, access: Access) -> None:
        self._access = access
        self._tls = _context(access) if access.endpoint.startswith("https://") or access.ca_cert else None

    def status(self, url: str, timeout_s: float) -> Status:
        return self._call(etcdserverpb.STATUS, b"", etcdserverpb.status, timeout_s, url)

    def members(self, timeout_s: float) -> list[Member]:
        # Not linearizable: the list has to be readable without a quorum, to say what is wrong.
        return self._call(etcdserverpb.MEMBER_LIST, b"", etcdserverpb.members, timeout_s)

    def read(self, url: str, timeout_s: float) -> None:
        self._call(etcdserverpb.RANGE, etcdserverpb.read_request(b"health"), etcdserverpb.count, timeout_s, url)

    def count(self, revision: int, timeout_s: float) -> int:
        return self._call(etcdserverpb.RANGE, etcdserverpb.count_request(revision), etcdserverpb.count, timeout_s)

    def kv_hash(self, url: str, revision: int, timeout_s: float) -> KvHash:
        def read(data: memoryview) -> KvHash:
            return etcdserverpb.kv_hash(data, revision)

        return self._call(etcdserverpb.HASH_KV, etcdserverpb.hash_request(revision), read, timeout_s, url)

    def key_values(self, revision: int, timeout_s: float) -> t.Iterator[tuple[bytes, bytes]]:
        """(key, its mvccpb.KeyValue) of every key that lived at `revision`, in order. `timeout_s` is for each page."""
        first = b""
        more = True
        while more:
            question = etcdserverpb.keys_request(first, _PAGE, revision)
            found, more = self._call(etcdserverpb.RANGE, question, _copied, timeout_s, limit=_PAGE_LIMIT)
            yield from found
            if found:
                first = found[-1][0] + b"\0"

    def move_leader(self, target: int, timeout_s: float) -> None:
        self._call(etcdserverpb.MOVE_LEADER, etcdserverpb.move_leader_request(target), bytes, timeout_s)

    def snapshot(self, stall_s: float = STALL_S) -> t.Iterator[tuple[memoryview, int]]:
        """The database, then its SHA-256, as (bytes, bytes of the database still to come).

        The last pair is the 32 bytes of the digest (etcd's maintenance.go). The
        bytes of a pair are valid until the next one is asked for. A stream that
        ends early, or without the status 0, raises.
        """
        url = self._access.endpoint
        method = etcdserverpb.SNAPSHOT
        try:
            with self._exchange(method, b"", stall_s, url) as exchange:
                for message in call.messages(exchange.data(renew_s=stall_s)):
                    yield etcdserverpb.snapshot_part(message)
                require_ok(exchange.trailers, method, url)
        except (OSError, Http2Error, call.Broken, ProtobufError) as error:
            raise _unreachable(f"The snapshot stream from {url} broke", error) from None

    def _call(
        self,
        method: str,
        question: bytes,
        read: t.Callable[[memoryview], _Answer],
        timeout_s: float,
        url: str | None = None,
        limit: int = call.MESSAGE_LIMIT,
    ) -> _Answer:
        """A call with one answer, which `read` makes of its message."""
        url = url or self._access.endpoint
        answer: _Answer | None = None
        try:
            with self._exchange(method, question, timeout_s, url) as exchange:
                for message in call.messages(exchange.data(), limit):
                    if answer is not None:
                        raise call.Broken("more than one message came")
                    answer = read(message)
                require_ok(exchange.trailers, method, url)
            if answer is None:
                raise call.Broken("no message came")
        except (OSError, Http2Error, call.Broken, ProtobufError) as error:
            raise _unreachable(f"etcd at {url} did not answer", error) from None
        return answer

    def _exchange(self, method: str, question: bytes, timeout_s: float, url: str) -> http2.Exchange:
        """A call under way: its head has come, and is that of a gRPC server."""
        timeout_s = max(timeout_s, _SHORTEST_S)
        deadline = Deadline(timeout_s)
        parts = urlsplit(url)
        secure = parts.scheme not in ("http", "unix")
        if secure and self._tls is None:
            self._tls = _context(self._access)
        if parts.scheme == "unix":
            connection = http2.connect_unix(parts.path, deadline.clip(timeout_s))
        else:
            address = parts.hostname or "", parts.port or 2379
            connection = http2.connect(*address, self._tls if secure else None, deadline.clip(timeout_s))
        exchange = http2.Exchange(connection, deadline.clip(timeout_s))
        try:
            authority = parts.netloc.rpartition("@")[2] or "localhost"
            exchange.request(call.request_fields(authority, secure, method), call.framed(question))
            require_grpc(exchange.answer(), url)
        except BaseException:
            connection.close()
            raise
        return exchange


_Answer = t.TypeVar("_Answer")


def _copied(data: memoryview) -> tuple[list[tuple[bytes, bytes]], bool]:
    """A page of keys that is still there when the buffer of the connection is not."""
    found, more = etcdserverpb.key_values(data)
    return [(key, bytes(message)) for key, message in found], more


def _context(access: Access) -> ssl.SSLContext:
    context = tls.client_context(access)
    # Both are what HTTP/2 asks of TLS (RFC 9113, 9.2).
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([http2.ALPN])
    return context


def _unreachable(what: str, error: Exception) -> EtcdError:
    if isinstance(error, (http2.NotHttp2, ProtocolError)):
        return RouteMissing(f"{what}: {cause(error)}.", hint="Set route to gateway or etcdctl.")
    return EtcdUnreachable(f"{what}: {cause(error)}.", hint=tls.hint(error))
