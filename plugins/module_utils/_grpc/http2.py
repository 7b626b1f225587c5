# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The client's end of HTTP/2 (RFC 9113), as small as one request on one connection lets it be.

The answer's DATA goes to the caller as views into the one buffer that the
connection is read into. Flow control lets the server be one window ahead, so
that memory does not grow with the answer.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc import hpack
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc import http2_frames as frames
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc.http2_frames import (
    ConnectionEnded,
    Frame,
    Http2Error,
    ProtocolError,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._tls import no_protocol

ALPN = "h2"
WINDOW = 8 << 20
"""Bytes of DATA that the server may send before they are acknowledged."""
_FIRST_WINDOW = 65535
_STREAM = 1
"""The first stream that a client opens (RFC 9113, 5.1.1), and here the only one."""
_BLOCK_LIMIT = 1 << 16
"""Most bytes of one header block, with its continuations."""
_SAID_LIMIT = 200


class NotHttp2(Http2Error):
    """What answers does not speak HTTP/2 at all."""


class StreamReset(Http2Error):
    """The server gave the request up, and said with which code."""


def connect(host: str, port: int, context: ssl.SSLContext | None, timeout_s: float) -> socket.socket:
    """A connection on which both ends have agreed on HTTP/2; without TLS only the first frame will tell."""
    deadline = Deadline(timeout_s)
    plain = socket.create_connection((host, port), timeout_s)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is None:
            return plain
        # 0 would mean not to wait at all, and None to wait for ever.
        plain.settimeout(max(deadline.remaining() or 0.0, 0.001))
        secured = context.wrap_socket(plain, server_hostname=host)
    except ssl.SSLError as error:
        plain.close()
        if no_protocol(error):
            raise NotHttp2("it does not offer HTTP/2") from None
        raise
    except BaseException:
        plain.close()
        raise
    if secured.selected_alpn_protocol() != ALPN:
        secured.close()
        raise NotHttp2("it does not offer HTTP/2")
    return secured


def connect_unix(path: str, timeout_s: float) -> socket.socket:
    """A connection to a socket on this machine, whose folder is what keeps others away."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        connection.connect(path)
    except BaseException:
        connection.close()
        raise
    return connection


class Exchange:
    """One request and its answer on a new connection, which it closes at its end.

    Everything has to come within `timeout_s`; `data` can renew that. `window`
    is how many bytes of data the server may be ahead, more than the 65535 that
    it begins with. Raises Http2Error, or OSError where the connection itself
    fails.
    """

    def __init__(self, connection: socket.socket, timeout_s: float, window: int = WINDOW) -> None:
        self._socket = connection
        self._deadline = Deadline(timeout_s)
        self._frames = frames.FrameReader(self._receive_into)
        self._decoder = hpack.Decoder()
        self._window = self._credit = window
        self._settled = False
        self._head: dict[str, str] | None = None
        self._ended = False
        self.trailers: dict[str, str] = {}
        """The fields after the data, once that has ended."""
        self._handlers: dict[int, t.Callable[[Frame], None]] = {
            frames.HEADERS: self._on_headers,
            frames.RST_STREAM: self._on_reset,
            frames.SETTINGS: self._on_settings,
            frames.PUSH_PROMISE: self._on_forbidden,
            frames.PING: self._on_ping,
            frames.GOAWAY: self._on_goaway,
            frames.CONTINUATION: self._on_forbidden,
        }

    def __enter__(self) -> Exchange:
        return self

    def __exit__(self, *unused: object) -> None:
        self._socket.close()

    def request(self, fields: list[tuple[str, str]], body: bytes) -> None:
        """Send a whole request. `body` has to fit into the first window and frame: at most 16384 bytes."""
        announced = frames.settings(
            {
                frames.ENABLE_PUSH: 0,
                frames.INITIAL_WINDOW_SIZE: self._window,
                frames.MAX_FRAME_SIZE: frames.FRAME_LIMIT,
                frames.MAX_HEADER_LIST_SIZE: hpack.LIST_LIMIT,
            }
        )
        # A server that does not accept the client certificate closes at once, and its alert says so, which can be
        # read even where there is no more sending (RFC 8446, 4.4.2.4 and 6).
        with contextlib.suppress(ssl.SSLEOFError, ConnectionError):
            self._send(
                frames.PREFACE
                + announced
                + frames.window_update(0, self._window - _FIRST_WINDOW)
                + frames.frame(frames.HEADERS, frames.END_HEADERS, _STREAM, hpack.encode(fields))
                + frames.frame(frames.DATA, frames.END_STREAM, _STREAM, body)
            )

    def answer(self) -> dict[str, str]:
        """The fields before the data, ``:status`` among them."""
        while self._head is None:
            self._step()
        return self._head

    def data(self, renew_s: float | None = None) -> t.Iterator[memoryview]:
        """The data as it comes; each view is valid until the next one is asked for.

        With `renew_s` each further piece has so many seconds from when it is
        asked for: a caller may take its time, and a server that sends other
        frames only is given up.
        """
        self.answer()
        while not self._ended:
            piece = self._step()
            if piece:
                yield piece
                if renew_s is not None:
                    self._deadline = Deadline(renew_s)

    def _receive_into(self, view: memoryview) -> int:
        self._socket.settimeout(self._left())
        return self._socket.recv_into(view)

    def _send(self, data: bytes) -> None:
        self._socket.settimeout(self._left())
        self._socket.sendall(data)

    def _left(self) -> float:
        left = self._deadline.remaining()
        if not left:
            raise socket.timeout("timed out")
        return left

    def _step(self) -> memoryview | None:
        """Read one frame; return the data in it, if it is that."""
        frame = self._next_frame()
        if frame.kind == frames.DATA:
            return self._on_data(frame)
        handler = self._handlers.get(frame.kind)
        # PRIORITY and WINDOW_UPDATE mean nothing to one who has sent all; others are unknown (RFC 9113, 5.5).
        if handler:
            handler(frame)
        return None

    def _next_frame(self) -> Frame:
        if self._settled:
            return self._frames.next()
        try:
            frame = self._frames.next()
        except ProtocolError:
            frame = None
        # The server's preface (RFC 9113, 3.4).
        if frame is None or frame.kind != frames.SETTINGS or frame.flags & frames.ACK:
            raise NotHttp2("its first bytes are not those of HTTP/2")
        self._settled = True
        return frame

    def _on_data(self, frame: Frame) -> memoryview:
        if frame.stream != _STREAM or self._head is None:
            raise ProtocolError("data came before the head of the answer or on another stream")
        self._credit -= len(frame.payload)
        if self._credit < 0:
            raise ProtocolError("more data came than the window allows")
        piece = frames.content(frame)
        if frame.flags & frames.END_STREAM:
            self._ended = True
        elif self._credit < self._window // 2:
            more = self._window - self._credit
            self._send(frames.window_update(0, more) + frames.window_update(_STREAM, more))
            self._credit = self._window
        return piece

    def _on_headers(self, frame: Frame) -> None:
        if frame.stream != _STREAM:
            raise ProtocolError(f"an answer came on stream {frame.stream}, where nothing was asked")
        last = bool(frame.flags & frames.END_STREAM)
        try:
            fields = dict(self._decoder.decode(self._block(frame)))
        except hpack.HpackError as error:
            raise ProtocolError(str(error)) from None
        if self._head is not None:
            if not last:
                raise ProtocolError("fields came in the middle of the data")
            self.trailers = fields
        elif fields.get(":status", "").startswith("1") and not last:
            return
        else:
            self._head = fields
            if last:
                # An answer without data: its one list of fields is head and trailers.
                self.trailers = fields
        self._ended = last

    def _block(self, frame: Frame) -> bytes:
        """The whole header block: nothing may come between its parts (RFC 9113, 6.10)."""
        block = bytes(frames.content(frame))
        while not frame.flags & frames.END_HEADERS:
            frame = self._frames.next()
            if frame.kind != frames.CONTINUATION or frame.stream != _STREAM:
                raise ProtocolError("a header block is cut off by another frame")
            block += frame.payload
            if len(block) > _BLOCK_LIMIT:
                raise ProtocolError(f"a header block is longer than {_BLOCK_LIMIT} bytes")
        return block

    def _on_settings(self, frame: Frame) -> None:
        if frame.stream or len(frame.payload) % 6 or (frame.flags & frames.ACK and len(frame.payload)):
            raise ProtocolError("a SETTINGS frame is not well formed")
        # What they say is for what one sends, and that is sent: they have only to be acknowledged.
        if not frame.flags & frames.ACK:
            self._send(frames.frame(frames.SETTINGS, frames.ACK, 0))

    def _on_ping(self, frame: Frame) -> None:
        if frame.stream or len(frame.payload) != 8:
            raise ProtocolError("a PING frame is not well formed")
        if not frame.flags & frames.ACK:
            self._send(frames.frame(frames.PING, frames.ACK, 0, bytes(frame.payload)))

    def _on_goaway(self, frame: Frame) -> None:
        if frame.stream or len(frame.payload) < 8:
            raise ProtocolError("a GOAWAY frame is not well formed")
        last, code = struct.unpack_from(">II", frame.payload)
        if code or not last & 0x7FFFFFFF:
            said = bytes(frame.payload[8 : 8 + _SAID_LIMIT]).decode("utf-8", "replace")
            more = f" ({' '.join(said.split())})" if said else ""
            raise ConnectionEnded(f"the server ended the connection with {frames.error_name(code)}{more}")

    def _on_reset(self, frame: Frame) -> None:
        if frame.stream != _STREAM or len(frame.payload) != 4:
            raise ProtocolError("a RST_STREAM frame is not well formed")
        (code,) = struct.unpack(">I", frame.payload)
        raise StreamReset(f"the server broke the answer off with {frames.error_name(code)}")

    def _on_forbidden(self, frame: Frame) -> None:
        raise ProtocolError(f"a frame of kind {frame.kind} came where none may")
