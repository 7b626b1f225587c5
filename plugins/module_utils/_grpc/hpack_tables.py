# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""HPACK's two fixed tables (RFC 7541, Appendix A and B)."""

from __future__ import annotations

STATIC = tuple(
    (name, value)
    for name, values in (
        (":authority", ("",)),
        (":method", ("GET", "POST")),
        (":path", ("/", "/index.html")),
        (":scheme", ("http", "https")),
        (":status", ("200", "204", "206", "304", "400", "404", "500")),
        ("accept-charset", ("",)),
        ("accept-encoding", ("gzip, deflate",)),
        ("accept-language", ("",)),
        ("accept-ranges", ("",)),
        ("accept", ("",)),
        ("access-control-allow-origin", ("",)),
        ("age", ("",)),
        ("allow", ("",)),
        ("authorization", ("",)),
        ("cache-control", ("",)),
        ("content-disposition", ("",)),
        ("content-encoding", ("",)),
        ("content-language", ("",)),
        ("content-length", ("",)),
        ("content-location", ("",)),
        ("content-range", ("",)),
        ("content-type", ("",)),
        ("cookie", ("",)),
        ("date", ("",)),
        ("etag", ("",)),
        ("expect", ("",)),
        ("expires", ("",)),
        ("from", ("",)),
        ("host", ("",)),
        ("if-match", ("",)),
        ("if-modified-since", ("",)),
        ("if-none-match", ("",)),
        ("if-range", ("",)),
        ("if-unmodified-since", ("",)),
        ("last-modified", ("",)),
        ("link", ("",)),
        ("location", ("",)),
        ("max-forwards", ("",)),
        ("proxy-authenticate", ("",)),
        ("proxy-authorization", ("",)),
        ("range", ("",)),
        ("referer", ("",)),
        ("refresh", ("",)),
        ("retry-after", ("",)),
        ("server", ("",)),
        ("set-cookie", ("",)),
        ("strict-transport-security", ("",)),
        ("transfer-encoding", ("",)),
        ("user-agent", ("",)),
        ("vary", ("",)),
        ("via", ("",)),
        ("www-authenticate", ("",)),
    )
    for value in values
)
"""(name, value) of the indexes 1 to 61."""

END_OF_STRING = 256
"""The symbol that is no octet; only the beginning of its code may appear, as padding."""

# Bits of the code of each octet, and of END_OF_STRING.
_CODE_LENGTHS = (
    *(13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28),
    *(28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28),
    *(6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6),
    *(5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10),
    *(13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7),
    *(7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6),
    *(15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5),
    *(6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28),
    *(20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23),
    *(24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24),
    *(22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23),
    *(21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23),
    *(26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25),
    *(19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27),
    *(20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23),
    *(26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26),
    30,
)


def _canonical(lengths: tuple[int, ...]) -> dict[tuple[int, int], int]:
    """{(bits, code): symbol}: the code is canonical, so that the lengths tell all of it."""
    codes = {}
    code = bits = 0
    for length, symbol in sorted((length, symbol) for symbol, length in enumerate(lengths)):
        code <<= length - bits
        bits = length
        codes[bits, code] = symbol
        code += 1
    return codes


HUFFMAN = _canonical(_CODE_LENGTHS)
"""{(bits of the code, code): symbol}."""
LONGEST_CODE = max(_CODE_LENGTHS)
