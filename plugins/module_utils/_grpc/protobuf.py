# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The wire format of Protocol Buffers, as far as etcd's messages need it: varints and length-delimited fields.

The rules are those of the encoding specification of Protocol Buffers, and no
group is known: proto3 has none.
"""

from __future__ import annotations

import typing as t

VARINT, FIXED64, DELIMITED, FIXED32 = 0, 1, 2, 5
_FIXED = {FIXED64: 8, FIXED32: 4}
_LONGEST_VARINT = 10
_64_BITS = 0xFFFFFFFFFFFFFFFF


class ProtobufError(ValueError):
    """Bytes that are no whole message."""


def varint(value: int) -> bytes:
    """`value` as a varint; a negative int64 as its two's complement, in ten bytes."""
    value &= _64_BITS
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number_field(number: int, value: int) -> bytes:
    """A field of an integer or a bool; nothing for 0, which is what an absent field means (proto3)."""
    return varint(number << 3 | VARINT) + varint(value) if value else b""


def bytes_field(number: int, value: bytes) -> bytes:
    """A field of bytes, a string or a message; nothing where it is empty."""
    return varint(number << 3 | DELIMITED) + varint(len(value)) + value if value else b""


def signed(value: int) -> int:
    """An int64 from its varint, which `fields` gives without a sign."""
    return value - (1 << 64) if value >> 63 else value


def fields(data: memoryview) -> t.Iterator[tuple[int, int | memoryview]]:
    """(field number, value) of each field of a message, in their order.

    A varint's value is an int from 0 to 2**64 - 1, any other's a view into
    `data`. Raises ProtobufError where the message is cut off.
    """
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at, end)
        kind = tag & 7
        if not tag >> 3:
            raise ProtobufError("a field has the number 0")
        if kind == VARINT:
            value, at = _varint(data, at, end)
            yield tag >> 3, value
            continue
        if kind == DELIMITED:
            size, at = _varint(data, at, end)
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise ProtobufError(f"a field is of the unknown kind {kind}")
        if size > end - at:
            raise ProtobufError("the message ends inside of a field")
        yield tag >> 3, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int, end: int) -> tuple[int, int]:
    """(value, where the next byte is)."""
    value = shift = 0
    limit = min(end, at + _LONGEST_VARINT)
    while at < limit:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _64_BITS, at
        shift += 7
    raise ProtobufError("a number is cut off or too long")
