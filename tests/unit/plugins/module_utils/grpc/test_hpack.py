# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc import hpack_tables
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc.hpack import Decoder, HpackError, encode, huffman

DATE = "Mon, 21 Oct 2013 20:13:%s GMT"
COOKIE = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"
GET = [(":method", "GET"), (":scheme", "http"), (":path", "/")]
EXAMPLE = (":authority", "www.example.com")
CACHED = ("cache-control", "no-cache")
CUSTOM = ("custom-key", "custom-value")
REQUESTS = [
    ([*GET, EXAMPLE], 57, [EXAMPLE]),
    ([*GET, EXAMPLE, CACHED], 110, [CACHED, EXAMPLE]),
    (
        [(":method", "GET"), (":scheme", "https"), (":path", "/index.html"), EXAMPLE, CUSTOM],
        164,
        [CUSTOM, CACHED, EXAMPLE],
    ),
]
LOCATION = ("location", "https://www.example.com")
PRIVATE = ("cache-control", "private")
FIRST = ("date", DATE % "21")
SECOND = ("date", DATE % "22")
GZIP = ("content-encoding", "gzip")
RESPONSES = [
    ([(":status", "302"), PRIVATE, FIRST, LOCATION], 222, [LOCATION, FIRST, PRIVATE, (":status", "302")]),
    ([(":status", "307"), PRIVATE, FIRST, LOCATION], 222, [(":status", "307"), LOCATION, FIRST, PRIVATE]),
    (
        [(":status", "200"), PRIVATE, SECOND, LOCATION, GZIP, ("set-cookie", COOKIE)],
        215,
        [("set-cookie", COOKIE), GZIP, SECOND],
    ),
]
RFC7541_C3 = (
    "828684410f7777772e6578616d706c652e636f6d",
    "828684be58086e6f2d6361636865",
    "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
)
RFC7541_C4 = (
    "828684418cf1e3c2e5f23a6ba0ab90f4ff",
    "828684be5886a8eb10649cbf",
    "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
)
RFC7541_C5 = (
    (
        "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54"
        "6e1768747470733a2f2f7777772e6578616d706c652e636f6d"
    ),
    "4803333037c1c0bf",
    (
        "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b"
        "425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31"
    ),
)
RFC7541_C6 = (
    "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
    "4883640effc1c0bf",
    (
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f"
        "3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007"
    ),
)


@pytest.mark.parametrize(
    ("block", "field", "kept"),
    [
        ("400a637573746f6d2d6b65790d637573746f6d2d686561646572", ("custom-key", "custom-header"), True),
        ("040c2f73616d706c652f70617468", (":path", "/sample/path"), False),
        ("100870617373776f726406736563726574", ("password", "secret"), False),
        ("82", (":method", "GET"), False),
    ],
    ids=["C.2.1", "C.2.2", "C.2.3", "C.2.4"],
)
def test_single_fields(block: str, field: tuple[str, str], kept: bool) -> None:
    decoder = Decoder()
    assert decoder.decode(bytes.fromhex(block)) == [field]
    assert decoder.table == ((field,) if kept else ())
    assert decoder.size == (55 if kept else 0)


@pytest.mark.parametrize(
    ("blocks", "expected", "table_size"),
    [
        (RFC7541_C3, REQUESTS, 4096),
        (RFC7541_C4, REQUESTS, 4096),
        (RFC7541_C5, RESPONSES, 256),
        (RFC7541_C6, RESPONSES, 256),
    ],
    ids=["C.3", "C.4", "C.5", "C.6"],
)
def test_a_connection(
    blocks: tuple[str, ...],
    expected: list[tuple[list[tuple[str, str]], int, list[tuple[str, str]]]],
    table_size: int,
) -> None:
    decoder = Decoder(table_size)
    for block, (fields, size, table) in zip(blocks, expected):
        assert decoder.decode(bytes.fromhex(block)) == fields
        assert decoder.size == size
        assert decoder.table == tuple(table)


def test_the_tables_are_whole() -> None:
    assert len(hpack_tables.STATIC) == 61
    assert hpack_tables.STATIC[7] == (":status", "200")
    assert hpack_tables.STATIC[60] == ("www-authenticate", "")
    # A complete prefix code: every string of bits is the code of something (Kraft).
    assert sum(2**-bits for bits, _code in hpack_tables.HUFFMAN) == 1
    assert len(hpack_tables.HUFFMAN) == 257
    # RFC 7541, Appendix B: the first, two in the middle, the last octet, and the end of the string.
    for symbol, code, bits in (
        (0, 0x1FF8, 13),
        (ord("a"), 0x3, 5),
        (ord("~"), 0x1FFD, 13),
        (255, 0x3FFFFEE, 26),
        (256, 0x3FFFFFFF, 30),
    ):
        assert hpack_tables.HUFFMAN[bits, code] == symbol


def test_what_is_encoded_is_decoded() -> None:
    fields = [(":path", "/a.B/C"), ("te", "trailers"), ("long", "x" * 1000), ("empty", "")]
    assert encode([("te", "t")]) == b"\x00\x02te\x01t"
    # RFC 7541, C.1.2 has 1337 in a prefix of 5 bits; 1000 in one of 7 is 127 and 873.
    assert encode([("long", "x" * 1000)]).startswith(b"\x00\x04long\x7f\xe9\x06x")
    decoder = Decoder()
    assert decoder.decode(encode(fields)) == fields
    assert decoder.table == ()


def test_the_size_of_the_table_changes() -> None:
    decoder = Decoder(256)
    decoder.decode(bytes.fromhex(RFC7541_C5[0]))
    # To 0 and back (RFC 7541, 4.2), which empties it.
    assert decoder.decode(bytes.fromhex("203fe10188")) == [(":status", "200")]
    assert decoder.table == ()
    # An entry that is larger than the table is not kept, and the table is empty.
    small = Decoder(40)
    assert small.decode(bytes.fromhex("400a637573746f6d2d6b65790d637573746f6d2d686561646572"))
    assert (small.table, small.size) == ((), 0)


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("80", "no table has"),
        ("be", "no table has"),
        ("3fe21f", "size is set to 4097"),
        ("8220", "wrong place"),
        ("40", "before a string"),
        ("400a6375", "inside of a string"),
        ("400a637573746f6d2d6b6579", "before a string"),
        ("ff", "inside of a number"),
        ("ffffffffff0f", "too large"),
        ("ffffffffffffffffffff01", "too large"),
        ("00017885ffffffffff", "end-of-string"),
        ("00017881fe", "padded wrongly"),
        ("00017882ffff", "padded wrongly"),
    ],
)
def test_what_is_no_header_block(block: str, said: str) -> None:
    with pytest.raises(HpackError, match=said):
        Decoder().decode(bytes.fromhex(block))


def test_a_header_list_has_a_limit() -> None:
    decoder = Decoder(list_limit=200)
    assert len(decoder.decode(encode([("a", "b" * 50)] * 2))) == 2
    with pytest.raises(HpackError, match="longer than 200"):
        decoder.decode(encode([("a", "b" * 50)] * 3))


def test_huffman_of_every_octet() -> None:
    codes = {symbol: (bits, code) for (bits, code), symbol in hpack_tables.HUFFMAN.items()}
    for octet in range(256):
        bits, code = codes[octet]
        padding = -bits % 8
        coded = (code << padding | (1 << padding) - 1).to_bytes((bits + padding) // 8, "big")
        assert huffman(coded) == bytes((octet,))
