# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The messages of etcd's API (``rpc.proto``, package etcdserverpb) that are asked with and read here."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import KvHash, Member, Status
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc import protobuf

STATUS = "/etcdserverpb.Maintenance/Status"
SNAPSHOT = "/etcdserverpb.Maintenance/Snapshot"
MOVE_LEADER = "/etcdserverpb.Maintenance/MoveLeader"
HASH_KV = "/etcdserverpb.Maintenance/HashKV"
MEMBER_LIST = "/etcdserverpb.Cluster/MemberList"
RANGE = "/etcdserverpb.KV/Range"
"""The methods by the names that gRPC gives them."""

_ALL_KEYS = b"\0"


class _Fields:
    """The fields of one message by their numbers; what is absent is 0 or empty (proto3)."""

    def __init__(self, data: memoryview) -> None:
        self._values: dict[int, list[int | memoryview]] = {}
        for number, value in protobuf.fields(data):
            self._values.setdefault(number, []).append(value)

    def number(self, field: int) -> int:
        """A uint64 or a bool. The last one counts where there are several."""
        value = self._values.get(field, [0])[-1]
        if not isinstance(value, int):
            raise protobuf.ProtobufError(f"field {field} is not a number")
        return value

    def signed(self, field: int) -> int:
        return protobuf.signed(self.number(field))

    def messages(self, field: int) -> list[memoryview]:
        found = [value for value in self._values.get(field, ()) if not isinstance(value, int)]
        if len(found) != len(self._values.get(field, ())):
            raise protobuf.ProtobufError(f"field {field} is a number")
        return found

    def texts(self, field: int) -> tuple[str, ...]:
        return tuple(bytes(value).decode("utf-8", "replace") for value in self.messages(field))

    def text(self, field: int) -> str:
        return (self.texts(field) or ("",))[-1]

    def message(self, field: int) -> _Fields:
        return _Fields((self.messages(field) or [memoryview(b"")])[-1])


def status(data: memoryview) -> Status:
    """A StatusResponse."""
    answer = _Fields(data)
    header = answer.message(1)
    return Status(
        cluster_id=header.number(1),
        member_id=header.number(2),
        revision=header.signed(3),
        version=answer.text(2),
        db_size=answer.signed(3),
        leader=answer.number(4),
        raft_index=answer.number(5),
        raft_term=answer.number(6),
        raft_applied_index=answer.number(7),
        errors=tuple(said.strip() for said in answer.texts(8)),
        db_size_in_use=answer.signed(9),
        learner=bool(answer.number(10)),
        storage_version=answer.text(11),
        db_size_quota=answer.signed(12),
    )


def members(data: memoryview) -> list[Member]:
    """A MemberListResponse, ordered by name."""
    entries = [_Fields(entry) for entry in _Fields(data).messages(2)]
    found = [
        Member(
            id=entry.number(1),
            name=entry.text(2),
            client_urls=entry.texts(4),
            learner=bool(entry.number(5)),
            peer_urls=entry.texts(3),
        )
        for entry in entries
    ]
    return sorted(found, key=lambda member: (member.name, member.id))


def count_request(revision: int) -> bytes:
    """A RangeRequest for the number of all keys at `revision`, answered by the member that is asked alone."""
    return (
        protobuf.bytes_field(1, _ALL_KEYS)
        + protobuf.bytes_field(2, _ALL_KEYS)
        + protobuf.number_field(4, revision)
        + protobuf.number_field(7, True)
        + protobuf.number_field(9, True)
    )


def read_request(key: bytes) -> bytes:
    """A RangeRequest that is linearizable: it is answered only with a quorum."""
    return protobuf.bytes_field(1, key) + protobuf.number_field(9, True)


def keys_request(first: bytes, limit: int, revision: int) -> bytes:
    """A RangeRequest for at most `limit` keys from `first` on with their values, as they were at `revision`."""
    return (
        protobuf.bytes_field(1, first or _ALL_KEYS)
        + protobuf.bytes_field(2, _ALL_KEYS)
        + protobuf.number_field(3, limit)
        + protobuf.number_field(4, revision)
        + protobuf.number_field(7, True)
    )


def key_values(data: memoryview) -> tuple[list[tuple[bytes, memoryview]], bool]:
    """([(key, its mvccpb.KeyValue as it came)], whether there are more) of a RangeResponse."""
    answer = _Fields(data)
    found = []
    for message in answer.messages(2):
        keys = _Fields(message).messages(1)
        found.append((bytes(keys[-1]) if keys else b"", message))
    return found, bool(answer.number(3))


def count(data: memoryview) -> int:
    """How many keys a RangeResponse counts."""
    return _Fields(data).signed(4)


def hash_request(revision: int) -> bytes:
    return protobuf.number_field(1, revision)


def kv_hash(data: memoryview, revision: int) -> KvHash:
    """A HashKVResponse, to a question about `revision`."""
    answer = _Fields(data)
    return KvHash(answer.number(2), revision, answer.signed(3))


def move_leader_request(target: int) -> bytes:
    return protobuf.number_field(1, target)


def snapshot_part(data: memoryview) -> tuple[memoryview, int]:
    """(blob, bytes of the database still to come) of a SnapshotResponse, without a copy of the blob."""
    blob: memoryview = memoryview(b"")
    remaining = 0
    for number, value in protobuf.fields(data):
        if number == 2 and isinstance(value, int):
            remaining = value
        elif number == 3 and not isinstance(value, int):
            blob = value
    return blob, remaining
