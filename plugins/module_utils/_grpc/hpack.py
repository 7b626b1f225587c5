# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Header compression for HTTP/2 (RFC 7541): requests are written without it, answers are read with all of it."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc.hpack_tables import (
    END_OF_STRING,
    HUFFMAN,
    LONGEST_CODE,
    STATIC,
)

TABLE_SIZE = 4096
"""SETTINGS_HEADER_TABLE_SIZE where nobody says otherwise."""
LIST_LIMIT = 1 << 16
"""Most bytes of one header list, each field counted with 32 more (RFC 9113, 10.5.1)."""
_FIELD_OVERHEAD = 32
_INTEGER_LIMIT = 1 << 32


class HpackError(ValueError):
    """A header block that cannot be decoded; the connection cannot be used any more (RFC 9113, 4.3)."""


def encode(fields: list[tuple[str, str]]) -> bytes:
    """A header block of literal fields without indexing and without Huffman coding (RFC 7541, 6.2.2)."""
    return b"".join(
        b"\0" + _integer(len(text), 7) + text if index == 0 else _integer(len(text), 7) + text
        for field in fields
        for index, text in enumerate(part.encode("utf-8") for part in field)
    )


def _integer(value: int, prefix: int) -> bytes:
    """`value` with a prefix of so many bits, the bits before them 0 (RFC 7541, 5.1)."""
    limit = (1 << prefix) - 1
    if value < limit:
        return bytes((value,))
    out = bytearray((limit,))
    value -= limit
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class Decoder:
    """Decodes the header blocks of one connection, in their order, with its dynamic table."""

    def __init__(self, table_size: int = TABLE_SIZE, list_limit: int = LIST_LIMIT) -> None:
        self._allowed = self._limit = table_size
        self._list_limit = list_limit
        self._size = 0
        self._dynamic: list[tuple[str, str]] = []
        self._block = b""
        self._at = 0

    @property
    def table(self) -> tuple[tuple[str, str], ...]:
        """The dynamic table, newest entry first."""
        return tuple(self._dynamic)

    @property
    def size(self) -> int:
        """Bytes of the dynamic table (RFC 7541, 4.1)."""
        return self._size

    def decode(self, block: bytes) -> list[tuple[str, str]]:
        """The header list of one whole block: (name, value), in their order."""
        self._block, self._at = block, 0
        fields: list[tuple[str, str]] = []
        length = 0
        while self._at < len(block):
            field = self._representation(first=not fields)
            if field is None:
                continue
            fields.append(field)
            length += _weight(field)
            if length > self._list_limit:
                raise HpackError(f"the header list is longer than {self._list_limit} bytes")
        return fields

    def _representation(self, first: bool) -> tuple[str, str] | None:
        """One representation (RFC 7541, 6); None where it is a change of the table's size."""
        byte = self._block[self._at]
        if byte & 0x80:
            return self._indexed(self._number(7))
        if byte & 0x40:
            field = self._literal(6)
            self._insert(field)
            return field
        if byte & 0x20:
            size = self._number(5)
            if not first or size > self._allowed:
                raise HpackError(f"the table's size is set to {size} at the wrong place or beyond {self._allowed}")
            self._limit = size
            self._evict(0)
            return None
        return self._literal(4)

    def _literal(self, prefix: int) -> tuple[str, str]:
        index = self._number(prefix)
        name = self._indexed(index)[0] if index else self._string()
        return name, self._string()

    def _indexed(self, index: int) -> tuple[str, str]:
        """An entry by its index: the static table's first, then the dynamic one's (RFC 7541, 2.3.3)."""
        if 1 <= index <= len(STATIC):
            return STATIC[index - 1]
        index -= len(STATIC) + 1
        if not 0 <= index < len(self._dynamic):
            raise HpackError("a field refers to an entry that no table has")
        return self._dynamic[index]

    def _insert(self, field: tuple[str, str]) -> None:
        weight = _weight(field)
        self._evict(weight)
        # An entry that is larger than the table empties it and is not kept (RFC 7541, 4.4).
        if weight <= self._limit:
            self._dynamic.insert(0, field)
            self._size += weight

    def _evict(self, room: int) -> None:
        while self._dynamic and self._size + room > self._limit:
            self._size -= _weight(self._dynamic.pop())

    def _number(self, prefix: int) -> int:
        limit = (1 << prefix) - 1
        value = self._block[self._at] & limit
        self._at += 1
        if value < limit:
            return value
        shift = 0
        while True:
            if self._at >= len(self._block):
                raise HpackError("the header block ends inside of a number")
            byte = self._block[self._at]
            self._at += 1
            value += (byte & 0x7F) << shift
            shift += 7
            if value >= _INTEGER_LIMIT or shift > 35:
                raise HpackError("a number is too large")
            if byte < 0x80:
                return value

    def _string(self) -> str:
        if self._at >= len(self._block):
            raise HpackError("the header block ends before a string")
        coded = self._block[self._at] & 0x80
        length = self._number(7)
        data = self._block[self._at : self._at + length]
        if len(data) < length:
            raise HpackError("the header block ends inside of a string")
        self._at += length
        # One character an octet, so that sizes stay those of the octets.
        return (huffman(data) if coded else data).decode("latin-1")


def _weight(field: tuple[str, str]) -> int:
    return len(field[0]) + len(field[1]) + _FIELD_OVERHEAD


def huffman(data: bytes) -> bytes:
    """The octets of a Huffman coded string; its padding is checked (RFC 7541, 5.2)."""
    out = bytearray()
    code = bits = 0
    for byte in data:
        for shift in range(7, -1, -1):
            code = code << 1 | byte >> shift & 1
            bits += 1
            symbol = HUFFMAN.get((bits, code))
            if symbol == END_OF_STRING:
                raise HpackError("a Huffman coded string holds the end-of-string symbol")
            if symbol is not None:
                out.append(symbol)
                code = bits = 0
            elif bits > LONGEST_CODE:
                raise HpackError("a Huffman coded string holds an unknown code")
    if bits > 7 or code != (1 << bits) - 1:
        raise HpackError("a Huffman coded string is padded wrongly")
    return bytes(out)
