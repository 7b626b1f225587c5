# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import socket
import struct
import threading
import time
import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc import hpack, http2
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc import http2_frames as frames
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc.http2 import Exchange, NotHttp2, StreamReset
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc.http2_frames import (
    ConnectionEnded,
    FrameReader,
    Http2Error,
    ProtocolError,
)

SETTINGS = frames.settings({3: 250, 4: 1 << 20})
HEAD = frames.frame(
    frames.HEADERS, frames.END_HEADERS, 1, hpack.encode([(":status", "200"), ("content-type", "application/grpc")])
)
TRAILERS_BLOCK = hpack.encode([("grpc-status", "0"), ("grpc-message", "")])
TRAILERS = frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, TRAILERS_BLOCK)
ANSWER = SETTINGS + HEAD + frames.frame(frames.DATA, 0, 1, b"one") + frames.frame(frames.DATA, 0, 1, b"two") + TRAILERS


def goaway(last: int, code: int, said: bytes = b"") -> bytes:
    return frames.frame(frames.GOAWAY, 0, 0, struct.pack(">II", last, code) + said)


def reset(code: int, stream: int = 1) -> bytes:
    return frames.frame(frames.RST_STREAM, 0, stream, struct.pack(">I", code))


class Answered:
    """An exchange with a peer that has sent `data` and, where it `ended`, closed its side."""

    def __init__(self, data: bytes, *, ended: bool = True, timeout_s: float = 5, window: int = http2.WINDOW) -> None:
        self.peer, own = socket.socketpair()
        self.peer.settimeout(5)
        self.peer.sendall(data)
        if ended:
            self.peer.shutdown(socket.SHUT_WR)
        self.exchange = Exchange(own, timeout_s, window)

    def __enter__(self) -> Exchange:
        return self.exchange

    def __exit__(self, *unused: object) -> None:
        self.exchange.__exit__()
        self.peer.close()

    def received(self) -> list[tuple[int, int, int, bytes]]:
        """What the peer got: (kind, flags, stream, payload) of each frame."""
        self.exchange.__exit__()
        got = b""
        while data := self.peer.recv(65536):
            got += data
        if got.startswith(frames.PREFACE):
            got = got[len(frames.PREFACE) :]
        reader = read_from(got)
        found = []
        while True:
            try:
                frame = reader.next()
            except ConnectionEnded:
                return found
            found.append((frame.kind, frame.flags, frame.stream, bytes(frame.payload)))


def read_from(data: bytes, limit: int = frames.FRAME_LIMIT, at_once: int = 1 << 20) -> FrameReader:
    rest = memoryview(data)

    def receive_into(view: memoryview) -> int:
        nonlocal rest
        taken = rest[: min(at_once, len(view))]
        view[: len(taken)] = taken
        rest = rest[len(taken) :]
        return len(taken)

    return FrameReader(receive_into, limit)


def whole(exchange: Exchange) -> bytes:
    return b"".join(bytes(piece) for piece in exchange.data())


@pytest.mark.parametrize("at_once", [1, 2, 3, 8, 9, 10, 11, 64, 1 << 20])
def test_frames_are_found_however_the_bytes_come(at_once: int) -> None:
    long = bytes(range(256)) * 100
    data = SETTINGS + frames.frame(frames.DATA, 0, 1, long) + frames.frame(200, 3, 0x7FFFFFFF) + TRAILERS
    reader = read_from(data, at_once=at_once)
    first = reader.next()
    assert first[:3] == (frames.SETTINGS, 0, 0)
    assert bytes(first.payload) == bytes.fromhex("0003000000fa000400100000")
    assert bytes(reader.next().payload) == long
    assert reader.next()[:3] == (200, 3, 0x7FFFFFFF)
    assert bytes(reader.next().payload) == TRAILERS_BLOCK
    with pytest.raises(ConnectionEnded):
        reader.next()


def test_many_frames_go_through_one_buffer() -> None:
    payloads = [bytes((number % 256,)) * (number * 37 % 20000) for number in range(300)]
    data = b"".join(frames.frame(frames.DATA, 0, 1, payload) for payload in payloads)
    reader = read_from(data, at_once=16384)
    assert all(bytes(reader.next().payload) == payload for payload in payloads)


def test_a_frame_as_long_as_allowed_and_one_longer() -> None:
    assert len(read_from(frames.frame(frames.DATA, 0, 1, b"x" * 100), limit=100).next().payload) == 100
    longest = frames.frame(frames.DATA, 0, 1, b"x" * frames.FRAME_LIMIT)
    assert len(read_from(longest).next().payload) == frames.FRAME_LIMIT
    with pytest.raises(ProtocolError, match="a frame of 101 bytes came, where 100 are allowed"):
        read_from(frames.frame(frames.DATA, 0, 1, b"x" * 101), limit=100).next()


def test_a_request_is_sent_whole() -> None:
    fields = [(":method", "POST"), (":path", "/a.B/C")]
    answered = Answered(b"")
    answered.exchange.request(fields, b"body")
    answered.peer.settimeout(5)
    sent = answered.received()
    kinds = [frame[:3] for frame in sent]
    assert kinds == [
        (frames.SETTINGS, 0, 0),
        (frames.WINDOW_UPDATE, 0, 0),
        (frames.HEADERS, frames.END_HEADERS, 1),
        (frames.DATA, frames.END_STREAM, 1),
    ]
    announced = dict(struct.iter_unpack(">HI", sent[0][3]))
    assert announced == {2: 0, 4: http2.WINDOW, 5: frames.FRAME_LIMIT, 6: hpack.LIST_LIMIT}
    assert struct.unpack(">I", sent[1][3]) == (http2.WINDOW - 65535,)
    assert hpack.Decoder().decode(sent[2][3]) == fields
    assert sent[3][3] == b"body"
    answered.peer.close()


def test_the_preface_comes_first() -> None:
    answered = Answered(b"")
    with answered as exchange:
        exchange.request([], b"")
        assert answered.peer.recv(24) == b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def test_an_answer() -> None:
    with Answered(ANSWER) as exchange:
        assert exchange.answer() == {":status": "200", "content-type": "application/grpc"}
        assert [bytes(piece) for piece in exchange.data()] == [b"one", b"two"]
        assert exchange.trailers == {"grpc-status": "0", "grpc-message": ""}


def test_an_answer_that_is_cut_at_any_byte() -> None:
    for length in range(len(ANSWER)):
        with Answered(ANSWER[:length]) as exchange, pytest.raises(ConnectionEnded, match="in the middle"):
            whole(exchange)


def test_an_answer_with_everything_that_is_allowed() -> None:
    priority = b"\x80\0\0\3\x10"
    head = hpack.encode([(":status", "200")])
    data = b"".join(
        (
            SETTINGS,
            frames.frame(frames.SETTINGS, frames.ACK, 0),
            # An informational answer, then a head with padding and priority, in three parts.
            frames.frame(frames.HEADERS, frames.END_HEADERS, 1, hpack.encode([(":status", "103")])),
            frames.frame(
                frames.HEADERS, frames.PADDED | frames.WITH_PRIORITY, 1, b"\2" + priority + head[:3] + b"\0\0"
            ),
            frames.frame(frames.CONTINUATION, 0, 1, head[3:7]),
            frames.frame(frames.CONTINUATION, frames.END_HEADERS, 1, head[7:]),
            frames.frame(frames.PRIORITY, 0, 1, priority),
            frames.frame(frames.WINDOW_UPDATE, 0, 0, b"\0\0\1\0"),
            frames.frame(frames.DATA, frames.PADDED, 1, b"\3one\0\0\0"),
            frames.frame(frames.DATA, 0, 1),
            frames.frame(0x42, 0xFF, 99, b"unknown"),
            frames.frame(frames.PING, frames.ACK, 0, b"not mine"),
            # The server will take no more requests, and finishes this one.
            goaway(1, 0, b"bye"),
            frames.frame(frames.DATA, frames.PADDED, 1, b"\0two"),
            TRAILERS,
        )
    )
    with Answered(data) as exchange:
        assert exchange.answer() == {":status": "200"}
        assert whole(exchange) == b"onetwo"
        assert exchange.trailers["grpc-status"] == "0"


def test_settings_and_pings_are_answered() -> None:
    ping = frames.frame(frames.PING, 0, 0, b"12345678")
    answered = Answered(SETTINGS + ping + HEAD + TRAILERS)
    assert whole(answered.exchange) == b""
    assert answered.received() == [
        (frames.SETTINGS, frames.ACK, 0, b""),
        (frames.PING, frames.ACK, 0, b"12345678"),
    ]


def test_the_window_is_given_back_as_data_is_read() -> None:
    window, piece, count = 1 << 17, b"x" * 20000, 40
    data = SETTINGS + HEAD + frames.frame(frames.DATA, 0, 1, piece) * count + TRAILERS
    answered = Answered(b"", ended=False, window=window)
    # More than fits into the sockets' buffers.
    writer = threading.Thread(target=answered.peer.sendall, args=(data,))
    writer.start()
    with answered:
        assert whole(answered.exchange) == piece * count
        writer.join(5)
        answered.peer.shutdown(socket.SHUT_WR)
        got = [frame for frame in answered.received() if frame[0] == frames.WINDOW_UPDATE]
    more = {stream: [struct.unpack(">I", update[3])[0] for update in got if update[2] == stream] for stream in (0, 1)}
    assert more[0] == more[1]
    # Four pieces leave less than a half of the window.
    assert more[0] == [4 * len(piece)] * (count // 4)


def test_data_beyond_the_window_is_an_error() -> None:
    window = 1 << 16
    half = frames.frame(frames.DATA, 0, 1, b"x" * (window // 2))
    with Answered(SETTINGS + HEAD + half + half + TRAILERS, window=window) as exchange:
        assert len(whole(exchange)) == window
    beyond = frames.frame(frames.DATA, 0, 1, b"x" * (window // 2 + 1))
    broken = Answered(SETTINGS + HEAD + half + beyond + TRAILERS, window=window)
    with broken as exchange, pytest.raises(ProtocolError, match="than the window allows"):
        whole(exchange)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        HEAD + TRAILERS,
        frames.frame(frames.SETTINGS, frames.ACK, 0),
        goaway(1, 0),
    ],
    ids=["HTTP/1.1", "no settings", "an acknowledgement", "goodbye"],
)
def test_a_wrong_preface_is_not_http2(data: bytes) -> None:
    with Answered(data) as exchange, pytest.raises(NotHttp2, match="not those of HTTP/2"):
        exchange.answer()


@pytest.mark.parametrize(
    ("data", "kind", "said"),
    [
        pytest.param(goaway(0, 0), ConnectionEnded, "with NO_ERROR", id="goaway before the request"),
        pytest.param(
            goaway(1, 11, b"too  many\npings"), ConnectionEnded, r"ENHANCE_YOUR_CALM \(too many pings\)", id="goaway"
        ),
        pytest.param(goaway(1, 0x99), ConnectionEnded, "error 0x99", id="goaway with an unknown code"),
        pytest.param(frames.frame(frames.GOAWAY, 0, 0, b"\0" * 7), ProtocolError, "GOAWAY", id="a short goaway"),
        pytest.param(reset(8), StreamReset, "broke the answer off with CANCEL", id="reset"),
        pytest.param(reset(0), StreamReset, "NO_ERROR", id="reset without error"),
        pytest.param(reset(8, 3), ProtocolError, "RST_STREAM", id="reset of another stream"),
        pytest.param(frames.frame(frames.RST_STREAM, 0, 1, b"\0"), ProtocolError, "RST_STREAM", id="a short reset"),
        pytest.param(frames.frame(frames.SETTINGS, 0, 0, b"12345"), ProtocolError, "SETTINGS", id="short settings"),
        pytest.param(frames.frame(frames.SETTINGS, 0, 1), ProtocolError, "SETTINGS", id="settings of a stream"),
        pytest.param(
            frames.frame(frames.SETTINGS, 1, 0, b"123456"), ProtocolError, "SETTINGS", id="acknowledged settings"
        ),
        pytest.param(frames.frame(frames.PING, 0, 0, b"1234567"), ProtocolError, "PING", id="a short ping"),
        pytest.param(frames.frame(frames.PING, 0, 1, b"12345678"), ProtocolError, "PING", id="a ping of a stream"),
        pytest.param(frames.frame(frames.PUSH_PROMISE, 4, 1, b"\0\0\0\2"), ProtocolError, "kind 5", id="push"),
        pytest.param(frames.frame(frames.CONTINUATION, 4, 1), ProtocolError, "kind 9", id="a lone continuation"),
        pytest.param(frames.frame(frames.DATA, 0, 1, b"x"), ProtocolError, "before the head", id="data first"),
        pytest.param(HEAD + frames.frame(frames.DATA, 0, 3, b"x"), ProtocolError, "another stream", id="other data"),
        pytest.param(HEAD + frames.frame(frames.DATA, 8, 1), ProtocolError, "padding", id="no room for the padding"),
        pytest.param(HEAD + frames.frame(frames.DATA, 8, 1, b"\1"), ProtocolError, "padding", id="long padding"),
        pytest.param(HEAD + HEAD, ProtocolError, "in the middle of the data", id="two heads"),
        pytest.param(
            frames.frame(frames.HEADERS, 4, 3, TRAILERS_BLOCK), ProtocolError, "on stream 3", id="another answer"
        ),
        pytest.param(frames.frame(frames.HEADERS, 4, 1, b"\x80"), ProtocolError, "no table has", id="bad compression"),
        pytest.param(
            frames.frame(frames.HEADERS, 0, 1, b"\x88") + frames.frame(frames.PING, 0, 0, b"12345678"),
            ProtocolError,
            "cut off by another frame",
            id="a ping between the parts",
        ),
        pytest.param(
            frames.frame(frames.HEADERS, 0, 1) + frames.frame(frames.CONTINUATION, 0, 1, b"x" * 60000) * 2,
            ProtocolError,
            "longer than 65536",
            id="a head without end",
        ),
        pytest.param(
            struct.pack(">BHBBI", 1, 1, frames.DATA, 0, 1), ProtocolError, "a frame of 65537 bytes", id="oversized"
        ),
    ],
)
def test_what_ends_an_answer(data: bytes, kind: type[Http2Error], said: str) -> None:
    with Answered(SETTINGS + data + TRAILERS, ended=False, timeout_s=2) as exchange, pytest.raises(kind, match=said):
        whole(exchange)


def test_a_silent_peer_is_given_up_in_time() -> None:
    with Answered(SETTINGS + HEAD, ended=False, timeout_s=0.2) as exchange, pytest.raises(socket.timeout):
        whole(exchange)


def test_only_data_renews_the_time() -> None:
    """A peer that keeps a connection alive with pings is given up all the same."""
    answered = Answered(SETTINGS + HEAD + frames.frame(frames.DATA, 0, 1, b"x"), ended=False, timeout_s=5)
    pieces: t.Iterator[memoryview] = answered.exchange.data(renew_s=0.3)
    with answered:
        assert bytes(next(pieces)) == b"x"
        answered.peer.sendall(frames.frame(frames.PING, 0, 0, b"12345678") * 1000)
        with pytest.raises(socket.timeout):
            next(pieces)


def test_the_time_of_the_caller_does_not_count() -> None:
    """A disk that is slow to take what has come is no silence of the peer's."""
    one = frames.frame(frames.DATA, 0, 1, b"x")
    answered = Answered(SETTINGS + HEAD + one, ended=False)
    with answered as exchange:
        taken = 0
        for _piece in exchange.data(renew_s=0.2):
            taken += 1
            time.sleep(0.3)
            answered.peer.sendall(one if taken < 3 else TRAILERS)
    assert taken == 3


def test_one_list_of_fields_is_head_and_trailers() -> None:
    only = frames.frame(
        frames.HEADERS,
        frames.END_HEADERS | frames.END_STREAM,
        1,
        hpack.encode([(":status", "200"), ("grpc-status", "16")]),
    )
    with Answered(SETTINGS + only) as exchange:
        assert exchange.answer()[":status"] == "200"
        assert whole(exchange) == b""
        assert exchange.trailers["grpc-status"] == "16"
