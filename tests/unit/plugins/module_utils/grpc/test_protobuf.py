# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc.protobuf import (
    ProtobufError,
    bytes_field,
    fields,
    number_field,
    signed,
    varint,
)


def read(data: bytes) -> list[tuple[int, object]]:
    return [(number, value if isinstance(value, int) else bytes(value)) for number, value in fields(memoryview(data))]


@pytest.mark.parametrize(
    ("value", "coded"),
    [
        (0, "00"),
        (1, "01"),
        (127, "7f"),
        (128, "8001"),
        (150, "9601"),
        ((1 << 64) - 1, "ffffffffffffffffff01"),
        (70000, "f0a204"),
        (-1, "ffffffffffffffffff01"),
    ],
)
def test_varints(value: int, coded: str) -> None:
    assert varint(value).hex() == coded
    (found,) = fields(memoryview(b"\x08" + bytes.fromhex(coded)))
    assert found == (1, value & (1 << 64) - 1)


def test_int64() -> None:
    assert [signed(value) for value in (0, 5, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)] == [
        *(0, 5, (1 << 63) - 1, -(1 << 63), -1)
    ]


def test_fields_in_their_order() -> None:
    # The examples of Protocol Buffers' encoding page: 150 in field 1, "testing" in field 2.
    assert number_field(1, 150).hex() == "089601"
    assert bytes_field(2, b"testing").hex() == "120774657374696e67"
    assert number_field(1, 0) == bytes_field(2, b"") == b""
    data = number_field(1, 150) + bytes_field(2, b"testing") + bytes.fromhex("1d01000000210200000000000000")
    assert read(data) == [
        (1, 150),
        (2, b"testing"),
        (3, b"\x01\0\0\0"),
        (4, b"\x02\0\0\0\0\0\0\0"),
    ]
    assert read(number_field(100, 7)) == [(100, 7)]
    assert read(b"") == []


def test_a_message_that_is_cut_anywhere_inside_of_a_field() -> None:
    data = number_field(1, 300) + bytes_field(2, b"testing") + bytes.fromhex("1d01000000")
    whole = {0, 3, 12, len(data)}
    for length in range(len(data) + 1):
        if length in whole:
            read(data[:length])
            continue
        with pytest.raises(ProtobufError):
            read(data[:length])


@pytest.mark.parametrize("data", ["00", "0b", "0f", "08ffffffffffffffffffff01", "12ffffffffffffffffff01"])
def test_what_is_no_message(data: str) -> None:
    with pytest.raises(ProtobufError):
        read(bytes.fromhex(data))
