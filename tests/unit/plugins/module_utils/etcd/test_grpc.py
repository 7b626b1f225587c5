# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import socket
import threading
import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import etcdserverpb
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.grpc import Grpc
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.grpc_status import require_grpc, require_ok
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import (
    Access,
    EtcdError,
    EtcdRefused,
    EtcdUnreachable,
    RouteMissing,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc import hpack
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc import http2_frames as frames
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc.call import Broken, framed
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc.protobuf import bytes_field, number_field

URL = "https://127.0.0.1:2379"
SETTINGS = frames.settings({})


def head(*more: tuple[str, str], end: bool = False) -> bytes:
    fields = [(":status", "200"), ("content-type", "application/grpc"), *more]
    return frames.frame(frames.HEADERS, frames.END_HEADERS | (frames.END_STREAM if end else 0), 1, hpack.encode(fields))


def data(payload: bytes, end: bool = False) -> bytes:
    return frames.frame(frames.DATA, frames.END_STREAM if end else 0, 1, payload)


def trailers(*fields: tuple[str, str]) -> bytes:
    return frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, hpack.encode(list(fields)))


OK = trailers(("grpc-status", "0"))


@contextlib.contextmanager
def serving(*parts: bytes) -> t.Iterator[Grpc]:
    """A client of a server without TLS on loopback that answers the one request it gets with `parts`."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(5)

    def serve() -> None:
        with contextlib.suppress(OSError):
            connection, _address = listener.accept()
            with connection:
                connection.settimeout(5)
                got = b""
                while b"/etcdserverpb." not in got:
                    got += connection.recv(65536)
                connection.sendall(b"".join(parts))
                connection.shutdown(socket.SHUT_WR)
                # Until the client is done: closing with something unread would break what it still reads.
                while connection.recv(65536):
                    continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield Grpc(Access(endpoint=f"http://127.0.0.1:{listener.getsockname()[1]}"))
    finally:
        listener.close()
        thread.join(10)


def part(blob: bytes, remaining: int) -> bytes:
    return data(framed(number_field(2, remaining) + bytes_field(3, blob)))


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        ("1", EtcdRefused, "the call was cancelled (CANCELLED: it says)"),
        ("4", EtcdUnreachable, "not done in time (DEADLINE_EXCEEDED: it says)"),
        ("7", EtcdRefused, "the etcd user of this client certificate is not allowed to (PERMISSION_DENIED: it says)"),
        ("11", EtcdRefused, "that revision cannot be had (OUT_OF_RANGE: it says)"),
        ("12", RouteMissing, "the server does not know the call (UNIMPLEMENTED: it says)"),
        ("14", EtcdRefused, "the member cannot serve it now (UNAVAILABLE: it says)"),
        ("16", EtcdRefused, "the server does not know this client (UNAUTHENTICATED: it says)"),
        ("99", EtcdRefused, "it failed (status 99: it says)"),
        ("", EtcdRefused, "it failed"),
    ],
)
def test_each_status_has_a_sentence(code: str, kind: type[EtcdError], said: str) -> None:
    with pytest.raises(EtcdError) as caught:
        require_ok({"grpc-status": code, "grpc-message": "it%20says"}, etcdserverpb.SNAPSHOT, URL)
    assert caught.value.__class__ is kind
    assert caught.value.message.startswith(f"etcd at {URL} refused Snapshot: ")
    assert said in caught.value.message


def test_the_reason_of_a_refusal() -> None:
    with pytest.raises(EtcdRefused) as caught:
        require_ok(
            {"grpc-status": "11", "grpc-message": "required revision%0a has been compacted %zz"},
            etcdserverpb.RANGE,
            URL,
        )
    assert caught.value.reason == "required revision has been compacted %zz"
    with pytest.raises(EtcdRefused) as silent:
        require_ok({"grpc-status": "7"}, etcdserverpb.RANGE, URL)
    assert silent.value.reason == "PERMISSION_DENIED"
    assert "(PERMISSION_DENIED)." in silent.value.message
    assert "role root" in silent.value.hint
    with pytest.raises(EtcdRefused) as long:
        require_ok({"grpc-status": "2", "grpc-message": "x" * 10000}, etcdserverpb.RANGE, URL)
    assert len(long.value.message) < 500
    require_ok({"grpc-status": "0"}, etcdserverpb.RANGE, URL)
    with pytest.raises(Broken, match="without a status"):
        require_ok({}, etcdserverpb.RANGE, URL)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({":status": "404", "content-type": "text/plain"}, RouteMissing),
        ({":status": "415"}, RouteMissing),
        ({":status": "200", "content-type": "text/html"}, RouteMissing),
        ({":status": "200"}, RouteMissing),
        ({}, RouteMissing),
        ({":status": "503", "content-type": "text/plain"}, EtcdUnreachable),
    ],
)
def test_what_is_no_grpc_server(fields: dict[str, str], kind: type[EtcdError]) -> None:
    with pytest.raises(EtcdError) as caught:
        require_grpc(fields, URL)
    assert caught.value.__class__ is kind
    require_grpc({":status": "200", "content-type": "application/grpc+proto"}, URL)


def test_a_call() -> None:
    status = bytes_field(1, number_field(2, 7)) + bytes_field(2, b"3.6.5")
    with serving(SETTINGS, head(), data(framed(status)), OK) as client:
        found = client.status(client._access.endpoint, 5)
    assert (found.member_id, found.version) == (7, "3.6.5")


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        ([SETTINGS, head(), data(framed(b"")), data(framed(b"")), OK], EtcdUnreachable, "more than one message"),
        ([SETTINGS, head(), OK], EtcdUnreachable, "no message came"),
        ([SETTINGS, head(), data(framed(b"\xff")), OK], EtcdUnreachable, "cut off"),
        ([SETTINGS, head(), data(framed(b""), end=True)], EtcdUnreachable, "without a status"),
        ([SETTINGS, head(), data(framed(b""))], EtcdUnreachable, "in the middle of the answer"),
        ([SETTINGS, head(), data(b"\1\0\0\0\0"), OK], EtcdUnreachable, "compressed"),
        ([SETTINGS, head(), data(framed(b"")), trailers(("grpc-status", "16"))], EtcdRefused, "UNAUTHENTICATED"),
        (
            [SETTINGS, head(("grpc-status", "7"), ("grpc-message", "no"), end=True)],
            EtcdRefused,
            "PERMISSION_DENIED: no",
        ),
        ([SETTINGS, head(("grpc-status", "12"), end=True)], RouteMissing, "UNIMPLEMENTED"),
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], RouteMissing, "not those of HTTP/2"),
        ([SETTINGS, data(b"x")], RouteMissing, "before the head"),
        ([], EtcdUnreachable, "in the middle of the answer"),
    ],
)
def test_a_call_that_fails(answer: list[bytes], kind: type[EtcdError], said: str) -> None:
    with serving(*answer) as client, pytest.raises(EtcdError) as caught:
        client.status(client._access.endpoint, 5)
    assert caught.value.__class__ is kind
    assert said in caught.value.message


def test_a_snapshot() -> None:
    stream = [part(b"a" * 40000, 3), part(b"end", 0), part(b"d" * 32, 0)]
    with serving(SETTINGS, head(), *stream, OK) as client:
        found = [(bytes(blob), remaining) for blob, remaining in client.snapshot(5)]
    assert found == [(b"a" * 40000, 3), (b"end", 0), (b"d" * 32, 0)]


@pytest.mark.parametrize(
    ("ending", "kind", "said"),
    [
        (trailers(("grpc-status", "14"), ("grpc-message", "stopped")), EtcdRefused, "UNAVAILABLE: stopped"),
        (trailers(), EtcdUnreachable, "without a status"),
        (data(b"", end=True), EtcdUnreachable, "without a status"),
        (data(b"\0\0\0\0\5ab", end=True), EtcdUnreachable, "in the middle of a message"),
        (frames.frame(frames.RST_STREAM, 0, 1, b"\0\0\0\2"), EtcdUnreachable, "INTERNAL_ERROR"),
        (frames.frame(frames.GOAWAY, 0, 0, b"\0\0\0\1\0\0\0\2"), EtcdUnreachable, "INTERNAL_ERROR"),
        (b"", EtcdUnreachable, "in the middle of the answer"),
    ],
)
def test_a_snapshot_that_does_not_end_well(ending: bytes, kind: type[EtcdError], said: str) -> None:
    """All that belongs to the snapshot has come, and it is an error all the same."""
    got = []
    stream = [SETTINGS, head(), part(b"pages", 0), part(b"d" * 32, 0), ending]
    with serving(*stream) as client, pytest.raises(EtcdError) as caught:
        for _blob, remaining in client.snapshot(5):
            got.append(remaining)
    assert got == [0, 0]
    assert caught.value.__class__ is kind
    assert said in caught.value.message


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    client = Grpc(Access(endpoint=url))
    for call in (lambda: client.members(1), lambda: list(client.snapshot(1))):
        with pytest.raises(EtcdUnreachable, match="Connection refused"):
            call()
