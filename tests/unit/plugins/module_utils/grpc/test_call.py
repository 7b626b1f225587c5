# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc.call import (
    Broken,
    framed,
    messages,
    request_fields,
)

TEXTS = [b"first", b"", b"x" * 300, b"last"]
STREAM = b"".join(map(framed, TEXTS))


def read(pieces: t.Iterable[bytes], limit: int = 1 << 20) -> list[bytes]:
    return [bytes(message) for message in messages(map(memoryview, pieces), limit)]


@pytest.mark.parametrize("size", [1, 2, 4, 5, 6, 7, 100, 305, 1000])
def test_messages_however_the_stream_is_cut(size: int) -> None:
    assert read(STREAM[at : at + size] for at in range(0, len(STREAM), size)) == TEXTS


def test_messages_cut_in_two_at_every_byte() -> None:
    for at in range(len(STREAM) + 1):
        assert read([STREAM[:at], STREAM[at:]]) == TEXTS
        assert read([STREAM[:at], b"", STREAM[at:]]) == TEXTS


def test_a_stream_that_ends_inside_of_a_message() -> None:
    whole = {0}
    for text in TEXTS:
        whole.add(max(whole) + 5 + len(text))
    for length in range(len(STREAM) + 1):
        if length in whole:
            read([STREAM[:length]])
        else:
            with pytest.raises(Broken, match="in the middle of a message"):
                read([STREAM[:length]])


def test_a_message_that_grows_the_buffer() -> None:
    text = bytes(range(256)) * 1000
    stream = framed(text)
    assert read([stream[:100], stream[100:200000], stream[200000:]]) == [text]


def test_a_message_in_one_piece_is_not_copied() -> None:
    stream = bytearray(framed(b"pages"))
    (view,) = messages([memoryview(stream)])
    stream[5] = ord("P")
    assert bytes(view) == b"Pages"


def test_messages_that_are_not_taken() -> None:
    with pytest.raises(Broken, match="compressed"):
        read([b"\1\0\0\0\1x"])
    assert read([framed(b"x" * 10)], limit=10) == [b"x" * 10]
    with pytest.raises(Broken, match="a message of 11 bytes came, where 10"):
        read([framed(b"x" * 11)], limit=10)
    with pytest.raises(Broken, match="4294967295 bytes"):
        read([b"\0\xff\xff\xff\xff"])


def test_a_request() -> None:
    fields = request_fields("10.0.0.1:2379", True, "/etcdserverpb.Maintenance/Status")
    # Pseudo-header fields come first (RFC 9113, 8.3).
    assert fields[:4] == [
        (":method", "POST"),
        (":scheme", "https"),
        (":path", "/etcdserverpb.Maintenance/Status"),
        (":authority", "10.0.0.1:2379"),
    ]
    assert {("te", "trailers"), ("content-type", "application/grpc")} < set(fields)
    assert all(name == name.lower() for name, _value in fields)
    assert framed(b"abc") == b"\0\0\0\0\3abc"
