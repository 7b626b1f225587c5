# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""HTTP/2 frames (RFC 9113, 4 and 6), cut out of a byte stream without a copy of what they carry."""

from __future__ import annotations

import struct
import typing as t

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 0x01
END_HEADERS = 0x04
PADDED = 0x08
WITH_PRIORITY = 0x20

ENABLE_PUSH, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = 2, 4, 5, 6
"""Identifiers of settings (RFC 9113, 6.5.2)."""

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client begins with (RFC 9113, 3.4)."""
FRAME_LIMIT = 1 << 16
"""The longest payload that the server is allowed to send."""

_HEADER = struct.Struct(">BHBBI")
_HEADER_SIZE = 9
_SETTING = struct.Struct(">HI")
_STREAM_BITS = 0x7FFFFFFF
_BUFFER_SIZE = 1 << 18
_LEAST_READ = 1 << 14
"""What one read should have room for: a TLS record."""
_ERRORS = (
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
)


class Http2Error(Exception):
    """The exchange cannot go on. Its text is a clause that says why."""


class ProtocolError(Http2Error):
    """What came is against the rules of HTTP/2."""


class ConnectionEnded(Http2Error):
    """The peer ended the connection before the answer was whole."""


class Frame(t.NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: memoryview
    """Valid until the next frame is read."""


class FrameReader:
    """Reads the frames of one connection over one buffer.

    `receive_into` writes the next bytes of the connection into the view that it
    is given, and returns how many; 0 is the connection's end.
    """

    def __init__(self, receive_into: t.Callable[[memoryview], int], limit: int = FRAME_LIMIT) -> None:
        self._receive_into = receive_into
        self._limit = limit
        self._capacity = max(_BUFFER_SIZE, _HEADER_SIZE + limit + _LEAST_READ)
        self._buffer = memoryview(bytearray(self._capacity))
        self._start = self._end = 0

    def next(self) -> Frame:
        """The next whole frame; raise ProtocolError where it is longer than `limit`."""
        if self._end - self._start < _HEADER_SIZE:
            self._fill(_HEADER_SIZE)
        high, low, kind, flags, stream = _HEADER.unpack_from(self._buffer, self._start)
        size = high << 16 | low
        if size > self._limit:
            raise ProtocolError(f"a frame of {size} bytes came, where {self._limit} are allowed")
        if self._end - self._start < _HEADER_SIZE + size:
            self._fill(_HEADER_SIZE + size)
        begin = self._start + _HEADER_SIZE
        self._start = begin + size
        return Frame(kind, flags, stream & _STREAM_BITS, self._buffer[begin : self._start])

    def _fill(self, wanted: int) -> None:
        """Read until `wanted` bytes from the start on are in the buffer."""
        if self._start == self._end:
            self._start = self._end = 0
        elif self._capacity - self._start < wanted + _LEAST_READ:
            rest = self._end - self._start
            self._buffer[:rest] = self._buffer[self._start : self._end]
            self._start, self._end = 0, rest
        while self._end - self._start < wanted:
            count = self._receive_into(self._buffer[self._end :])
            if not count:
                raise ConnectionEnded("the connection ended in the middle of the answer")
            self._end += count


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame as bytes."""
    return _HEADER.pack(len(payload) >> 16, len(payload) & 0xFFFF, kind, flags, stream) + payload


def settings(values: t.Mapping[int, int]) -> bytes:
    """A SETTINGS frame with {identifier: value}."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(key, value) for key, value in values.items()))


def window_update(stream: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def content(of: Frame) -> memoryview:
    """The payload of DATA or HEADERS without its padding and its priority (RFC 9113, 6.1 and 6.2)."""
    payload = of.payload
    begin = padding = 0
    if of.flags & PADDED:
        begin, padding = 1, payload[0] if payload else 0
    if of.kind == HEADERS and of.flags & WITH_PRIORITY:
        begin += 5
    if begin + padding > len(payload):
        raise ProtocolError("the padding of a frame is longer than the frame")
    return payload[begin : len(payload) - padding]


def error_name(code: int) -> str:
    """An error code as RFC 9113, 7 names it."""
    return _ERRORS[code] if code < len(_ERRORS) else f"error {code:#x}"
