# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import etcdserverpb
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import KvHash, Member, Status
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc.protobuf import (
    ProtobufError,
    bytes_field,
    fields,
    number_field,
)


def read(data: bytes) -> list[tuple[int, object]]:
    return [(number, value if isinstance(value, int) else bytes(value)) for number, value in fields(memoryview(data))]


def test_a_status() -> None:
    header = number_field(1, 7) + number_field(2, (1 << 64) - 2) + number_field(3, 48213) + number_field(4, 9)
    data = (
        bytes_field(1, header)
        + bytes_field(2, b"3.6.5")
        + b"".join(number_field(number, value) for number, value in ((3, 4096), (4, 11), (5, 12), (6, 9), (7, 13)))
        + bytes_field(8, b"memberID:7 alarm:NOSPACE ")
        + bytes_field(8, b"other")
        + number_field(9, 2048)
        + number_field(10, True)
        + bytes_field(11, b"3.6.0")
        + number_field(12, 8192)
        + bytes_field(13, b"\x08\x01")
        + number_field(99, 1)
    )
    assert etcdserverpb.status(memoryview(data)) == Status(
        member_id=(1 << 64) - 2,
        version="3.6.5",
        leader=11,
        revision=48213,
        raft_term=9,
        raft_index=12,
        raft_applied_index=13,
        db_size=4096,
        db_size_in_use=2048,
        db_size_quota=8192,
        learner=True,
        storage_version="3.6.0",
        errors=("memberID:7 alarm:NOSPACE", "other"),
        cluster_id=7,
    )
    # An older member leaves out what it does not know, and everything that is 0.
    empty = etcdserverpb.status(memoryview(b""))
    assert (empty.member_id, empty.version, empty.leader, empty.errors) == (0, "", 0, ())


def test_a_hash() -> None:
    data = bytes_field(1, number_field(3, 48213)) + number_field(2, (1 << 32) - 1) + number_field(3, 47000)
    assert etcdserverpb.kv_hash(memoryview(data), 48000) == KvHash((1 << 32) - 1, 48000, 47000)
    assert etcdserverpb.hash_request(48000) == number_field(1, 48000)


@pytest.mark.parametrize("data", [number_field(2, 1), bytes_field(3, b"x")])
def test_a_field_of_the_wrong_kind(data: bytes) -> None:
    with pytest.raises(ProtobufError, match="field"):
        etcdserverpb.status(memoryview(data))


def test_members_are_in_the_order_of_their_names() -> None:
    def entry(number: int, name: bytes, *urls: bytes, learner: bool = False) -> bytes:
        urls_field = b"".join(bytes_field(4, url) for url in urls)
        peer = bytes_field(3, b"https://10.0.0.1:2380")
        return bytes_field(
            2, number_field(1, number) + bytes_field(2, name) + peer + urls_field + number_field(5, learner)
        )

    data = bytes_field(1, number_field(1, 7)) + entry(3, b"b", b"https://b", b"https://c") + entry(2, b"", learner=True)
    assert etcdserverpb.members(memoryview(data)) == [
        Member(2, "", (), True, ("https://10.0.0.1:2380",)),
        Member(3, "b", ("https://b", "https://c"), False, ("https://10.0.0.1:2380",)),
    ]


def test_questions() -> None:
    assert etcdserverpb.read_request(b"health").hex() == "0a06" + b"health".hex() + "4801"
    assert read(etcdserverpb.count_request(300)) == [(1, b"\0"), (2, b"\0"), (4, 300), (7, 1), (9, 1)]
    assert read(etcdserverpb.move_leader_request((1 << 64) - 1)) == [(1, (1 << 64) - 1)]
    assert etcdserverpb.count(memoryview(number_field(4, 1204))) == 1204


def test_a_part_of_a_snapshot() -> None:
    data = bytes_field(1, b"") + number_field(2, 70000) + bytes_field(3, b"pages") + bytes_field(4, b"3.6.0")
    blob, remaining = etcdserverpb.snapshot_part(memoryview(data))
    assert (bytes(blob), remaining) == (b"pages", 70000)
    last, nothing = etcdserverpb.snapshot_part(memoryview(b""))
    assert (bytes(last), nothing) == (b"", 0)
    # Without a copy: the blob is a view into the message.
    message = bytearray(data)
    view = etcdserverpb.snapshot_part(memoryview(message))[0]
    message[data.index(b"pages")] = ord("P")
    assert bytes(view) == b"Pages"
