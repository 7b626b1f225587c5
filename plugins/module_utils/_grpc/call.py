# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""gRPC over HTTP/2, by its protocol description (``PROTOCOL-HTTP2.md``): what a call is on the wire."""

from __future__ import annotations

import struct
import typing as t

MESSAGE_LIMIT = 4 << 20
"""Most bytes of one message, as gRPC's own clients have it."""
CONTENT_TYPE = "application/grpc"
_PREFIX = struct.Struct(">BI")


class Broken(Exception):
    """The answer is not what gRPC prescribes. Its text is a clause that says why."""


def request_fields(authority: str, tls: bool, method: str) -> list[tuple[str, str]]:
    """The fields of a request. No message encoding is offered, so that none may come back compressed."""
    return [
        (":method", "POST"),
        (":scheme", "https" if tls else "http"),
        (":path", method),
        (":authority", authority),
        ("te", "trailers"),
        ("content-type", CONTENT_TYPE),
        ("user-agent", "evergreen.kubeadm"),
    ]


def framed(message: bytes) -> bytes:
    """A message as it is sent: not compressed, its length before it."""
    return _PREFIX.pack(0, len(message)) + message


def messages(pieces: t.Iterable[memoryview], limit: int = MESSAGE_LIMIT) -> t.Iterator[memoryview]:
    """The messages in a stream that comes in `pieces`, however it is cut; each view is valid until the next one.

    A message that one piece holds whole is a view into it, any other is put
    together in one buffer that is used again. Raises Broken.
    """
    prefix = bytearray()
    buffer = memoryview(bytearray(1 << 16))
    size = -1
    filled = 0
    for piece in pieces:
        at, end = 0, len(piece)
        while at < end:
            if size < 0:
                taken = piece[at : at + _PREFIX.size - len(prefix)]
                prefix += taken
                at += len(taken)
                if len(prefix) < _PREFIX.size:
                    break
                size, filled = _message_size(prefix, limit), 0
                prefix.clear()
                if size > len(buffer):
                    buffer = memoryview(bytearray(size))
            if not filled and end - at >= size:
                yield piece[at : at + size]
                at, size = at + size, -1
                continue
            taken = piece[at : at + size - filled]
            buffer[filled : filled + len(taken)] = taken
            at += len(taken)
            filled += len(taken)
            if filled == size:
                yield buffer[:size]
                size = -1
    if prefix or size >= 0:
        raise Broken("the stream ended in the middle of a message")


def _message_size(prefix: bytearray, limit: int) -> int:
    compressed, size = _PREFIX.unpack(prefix)
    if compressed:
        raise Broken("a message came compressed, which was not asked for")
    if size > limit:
        raise Broken(f"a message of {size} bytes came, where {limit} are the limit")
    return size
