# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What is observed of an etcd cluster, in one shape whatever way it was asked."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError


class EtcdError(EvergreenError):
    """etcd is not as it must be, or refused what it was asked for."""


class EtcdUnreachable(EtcdError):
    """No answer came: connection, TLS, or time."""


class EtcdRefused(EtcdError):
    """etcd answered, with an error. `status` is the HTTP status of the gateway, 0 on other routes."""

    def __init__(self, message: str, *, status: int = 0, reason: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.reason = reason


class RouteMissing(EtcdError):
    """This way of asking etcd does not exist here (no gateway, no etcdctl); another one may."""


@dataclass(frozen=True)
class Access:
    """How this node's member, or an external one, is reached. Paths are those of the host."""

    endpoint: str
    """One client URL, such as ``https://127.0.0.1:2379``."""
    ca_cert: str = ""
    client_cert: str = ""
    client_key: str = ""
    name: str = ""
    data_dir: str = ""
    """Host path of the data directory of a member on this node; empty for external etcd."""
    mounts: tuple[tuple[str, str], ...] = ()
    """(path in the container, path on the host) of the static pod's host path volumes."""
    servers: tuple[str, ...] = ()
    """All client URLs that an API server knows of an external etcd, of which `endpoint` is one; else empty."""


@dataclass(frozen=True)
class Member:
    """One entry of the member list. A member that has never started has no name."""

    id: int
    name: str
    client_urls: tuple[str, ...] = ()
    learner: bool = False
    peer_urls: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return self.name or f"(not started, id {self.id:x})"


@dataclass(frozen=True)
class Status:
    """One member's own view, as Maintenance.Status gives it; `leader` is 0 where it knows none."""

    member_id: int
    version: str
    leader: int
    revision: int
    raft_term: int
    raft_index: int
    raft_applied_index: int
    db_size: int
    db_size_in_use: int = 0
    db_size_quota: int = 0
    """Bytes; 0 where the member does not say (before 3.6, or the default of 2 GiB)."""
    learner: bool = False
    storage_version: str = ""
    errors: tuple[str, ...] = ()
    cluster_id: int = 0


@dataclass(frozen=True)
class Alarm:
    member_id: int
    kind: str
    """``NOSPACE`` or ``CORRUPT``."""


@dataclass(frozen=True)
class KvHash:
    """The hash over a member's keys from `compact_revision` to `revision`, as Maintenance.HashKV gives it.

    Two hashes can be compared where both revisions are equal.
    """

    value: int
    revision: int
    compact_revision: int


@dataclass(frozen=True)
class Seen:
    """One member as one look saw it. `failure` says why `status` is missing."""

    member: Member
    status: Status | None = None
    failure: str = ""
    read_failure: str = ""
    """Why a linearizable read through this member failed; empty where it succeeded."""
    kv_hash: KvHash | None = None
    hash_failure: str = ""
    """Why there is no hash where one was asked for."""


@dataclass(frozen=True)
class View:
    """The whole cluster as one look saw it."""

    members: tuple[Seen, ...] = ()
    local_id: int = 0
    failure: str = ""
    """Why the member list could not be had."""

    @property
    def alarms(self) -> list[Alarm]:
        return alarms_of(seen.status for seen in self.members if seen.status)

    @property
    def leader(self) -> Seen | None:
        """The member that says of itself that it leads, in the newest term that was seen."""
        leaders = [seen for seen in self.members if seen.status and seen.status.leader == seen.member.id]
        return max(leaders, key=lambda seen: seen.status.raft_term if seen.status else 0, default=None)

    @property
    def local(self) -> Seen | None:
        return next((seen for seen in self.members if seen.member.id == self.local_id), None)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: `seen` is the evidence, for people."""

    name: str
    ok: bool
    seen: str

    def as_dict(self) -> dict[str, t.Any]:
        return {"name": self.name, "ok": self.ok, "seen": self.seen}


@dataclass
class Received:
    """What a route wrote to a file."""

    size: int
    seconds: float
    sha256: str = ""
    """Of the whole file, where the route saw every byte go by."""


def status_from_json(answer: t.Mapping[str, t.Any]) -> Status:
    """A StatusResponse as JSON; the gateway writes 64-bit numbers as strings and both leave zero values out."""
    header = answer.get("header") or {}
    return Status(
        member_id=int(header.get("member_id", 0)),
        cluster_id=int(header.get("cluster_id", 0)),
        revision=int(header.get("revision", 0)),
        version=str(answer.get("version", "")),
        leader=int(answer.get("leader", 0)),
        raft_term=int(answer.get("raftTerm", 0)),
        raft_index=int(answer.get("raftIndex", 0)),
        raft_applied_index=int(answer.get("raftAppliedIndex", 0)),
        db_size=int(answer.get("dbSize", 0)),
        db_size_in_use=int(answer.get("dbSizeInUse", 0)),
        db_size_quota=int(answer.get("dbSizeQuota", 0)),
        learner=bool(answer.get("isLearner", False)),
        storage_version=str(answer.get("storageVersion", "")),
        errors=tuple(str(text).strip() for text in answer.get("errors") or ()),
    )


def hash_from_json(answer: t.Mapping[str, t.Any], revision: int) -> KvHash:
    """A HashKVResponse as JSON, to a question about `revision`."""
    return KvHash(int(answer.get("hash", 0)), revision, int(answer.get("compact_revision", 0)))


def members_from_json(answer: t.Mapping[str, t.Any]) -> list[Member]:
    """A MemberListResponse as JSON, ordered by name."""
    found = [
        Member(
            id=int(entry.get("ID", 0)),
            name=str(entry.get("name", "")),
            client_urls=tuple(entry.get("clientURLs") or ()),
            learner=bool(entry.get("isLearner", False)),
            peer_urls=tuple(entry.get("peerURLs") or ()),
        )
        for entry in answer.get("members") or ()
    ]
    return sorted(found, key=lambda member: (member.name, member.id))


_ALARM = re.compile(r"(?:memberID:(?P<member>\d+)\s+)?alarm:(?P<kind>\w+)")


def alarms_of(statuses: t.Iterable[Status]) -> list[Alarm]:
    """The alarms that members carry in their status.

    Maintenance.Alarm is not asked for them: even its GET is a raft proposal
    (etcd's v3_server.go), which needs a quorum and writes an entry.
    """
    found = {
        Alarm(int(match["member"] or 0), match["kind"])
        for status in statuses
        for match in map(_ALARM.search, status.errors)
        if match
    }
    return sorted(found, key=lambda alarm: (alarm.kind, alarm.member_id))
