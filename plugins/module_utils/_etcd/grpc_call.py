# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""gRPC over HTTP/2, by its protocol description (``PROTOCOL-HTTP2.md``): one call, its messages, its status."""

from __future__ import annotations

import struct
import typing as t
from urllib.parse import unquote

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import (
    EtcdRefused,
    EtcdUnreachable,
    RouteMissing,
)

MESSAGE_LIMIT = 4 << 20
"""Most bytes of one message, as gRPC's own clients have it. etcd's snapshot comes in messages of 32 KiB."""
CONTENT_TYPE = "application/grpc"
_PREFIX = struct.Struct(">BI")
_SAID_LIMIT = 300

_UNIMPLEMENTED = "12"
_DEADLINE_EXCEEDED = "4"
_STATUS = {
    "1": ("CANCELLED", "the call was cancelled"),
    "2": ("UNKNOWN", "it failed"),
    "3": ("INVALID_ARGUMENT", "it does not accept what was asked"),
    "4": ("DEADLINE_EXCEEDED", "it was not done in time"),
    "5": ("NOT_FOUND", "there is no such thing"),
    "6": ("ALREADY_EXISTS", "it is there already"),
    "7": ("PERMISSION_DENIED", "the etcd user of this client certificate is not allowed to"),
    "8": ("RESOURCE_EXHAUSTED", "a limit of the server is reached"),
    "9": ("FAILED_PRECONDITION", "the cluster is not in the state for it"),
    "10": ("ABORTED", "it was given up"),
    "11": ("OUT_OF_RANGE", "that revision cannot be had"),
    "12": ("UNIMPLEMENTED", "the server does not know the call"),
    "13": ("INTERNAL", "the server failed inside"),
    "14": ("UNAVAILABLE", "the member cannot serve it now"),
    "15": ("DATA_LOSS", "the member has lost data"),
    "16": ("UNAUTHENTICATED", "the server does not know this client"),
}
"""Status code, its name, and what it means here."""
_HINTS = {
    "7": "Use a client certificate whose common name is an etcd user with the role root.",
    "14": "See the member's log; it may have no leader or be starting.",
    "16": "Authentication is on in etcd: use a client certificate whose common name is an etcd user.",
}


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


def require_grpc(head: t.Mapping[str, str], url: str) -> None:
    """Raise RouteMissing where the head of the answer is not that of a gRPC server."""
    status = head.get(":status", "")
    kind = head.get("content-type", "")
    if status in ("429", "502", "503", "504"):
        raise EtcdUnreachable(f"What stands before etcd at {url} cannot reach it: HTTP {status}.")
    if status != "200" or not kind.startswith(CONTENT_TYPE):
        raise RouteMissing(f"What answers at {url} does not speak gRPC: HTTP {status or 'without a status'}, {kind!r}.")


def require_ok(trailers: t.Mapping[str, str], method: str, url: str) -> None:
    """Raise what the status in the trailers means, unless it is 0. A stream without one has not ended well."""
    code = trailers.get("grpc-status")
    if code == "0":
        return
    if code is None:
        raise Broken("the answer ended without a status")
    said = " ".join(unquote(trailers.get("grpc-message", ""), errors="replace").split())[:_SAID_LIMIT]
    name, meaning = _STATUS.get(code, (f"status {code[:20]}", "it failed"))
    what = method.rsplit("/", 1)[-1]
    sentence = f"etcd at {url} refused {what}: {meaning} ({name}{': ' if said else ''}{said})."
    if code == _UNIMPLEMENTED:
        raise RouteMissing(sentence)
    if code == _DEADLINE_EXCEEDED:
        raise EtcdUnreachable(sentence)
    raise EtcdRefused(sentence, reason=said or name, hint=_HINTS.get(code, ""))
