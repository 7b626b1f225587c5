# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What follows from one look at an etcd cluster. Pure: no I/O, no clock."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import Check, Member, Seen, Status, View


def newest_index(view: View) -> int:
    """The newest committed raft index that any member knows of."""
    return max((seen.status.raft_index for seen in view.members if seen.status), default=0)


def gap(status: Status, newest: int) -> int:
    """How many raft entries a member has still to apply; never below 0."""
    return max(0, newest - status.raft_applied_index)


def health_checks(view: View, *, max_index_gap: int, expected_members: t.Sequence[str] = ()) -> list[Check]:
    """Whether the whole cluster is as it must be before a member may be taken away.

    One check on the cluster's reach, one on its leader, one on its alarms, one
    for every member by its name, and one on the names where they are expected.
    """
    if view.failure:
        return [Check("cluster", False, view.failure)]
    checks = [Check("cluster", bool(view.members), f"{len(view.members)} members")]
    checks.append(_leader_check(view))
    alarms = view.alarms
    names = {seen.member.id: seen.member.label for seen in view.members}
    said = ", ".join(f"{alarm.kind} on {names.get(alarm.member_id, f'{alarm.member_id:x}')}" for alarm in alarms)
    checks.append(Check("alarms", not alarms, said or "none"))
    newest = newest_index(view)
    for seen in view.members:
        problems = member_problems(seen, view, newest, max_index_gap)
        checks.append(Check(f"member {seen.member.label}", not problems, "; ".join(problems) or _said(seen, newest)))
    if expected_members:
        checks.append(_names_check(view, expected_members))
    return checks


def member_problems(seen: Seen, view: View, newest: int, max_index_gap: int) -> list[str]:
    """Why one member is not healthy; empty where it is."""
    status = seen.status
    if status is None:
        return [seen.failure or "it did not answer"]
    problems = []
    leader = view.leader
    if seen.member.learner or status.learner:
        problems.append("it is a learner")
    if not status.leader:
        problems.append("it knows no leader")
    elif leader and leader.status and status.leader != leader.member.id:
        problems.append(f"it follows {status.leader:x}, while {leader.member.label} leads")
    if leader and leader.status and status.raft_term != leader.status.raft_term:
        problems.append(f"it is in term {status.raft_term}, the leader in term {leader.status.raft_term}")
    behind = gap(status, newest)
    if behind > max_index_gap:
        problems.append(f"it is {behind} raft entries behind (allowed are {max_index_gap})")
    if seen.read_failure:
        problems.append(f"a read through it failed: {seen.read_failure}")
    if not status.version:
        problems.append("it reports no version")
    return problems


def _leader_check(view: View) -> Check:
    leading = [s.member.label for s in view.members if s.status and s.status.leader == s.member.id]
    if len(leading) == 1:
        return Check("leader", True, f"{leading[0]} leads")
    if leading:
        return Check("leader", False, f"{' and '.join(leading)} each say that they lead")
    return Check("leader", False, "no member leads")


def _names_check(view: View, expected: t.Sequence[str]) -> Check:
    names = {seen.member.name for seen in view.members}
    missing = sorted(set(expected) - names)
    more = sorted(seen.member.label for seen in view.members if seen.member.name not in set(expected))
    parts = [
        f"{what}: {', '.join(found)}" for what, found in (("not members", missing), ("not expected", more)) if found
    ]
    return Check("expected_members", not parts, "; ".join(parts) or ", ".join(sorted(names)))


def _said(seen: Seen, newest: int) -> str:
    status = seen.status
    if status is None:
        return seen.failure
    role = "leader" if status.leader == seen.member.id else "follower"
    return f"{role}, version {status.version}, {gap(status, newest)} raft entries behind"


def snapshot_checks(view: View, *, max_index_gap: int, require_follower: bool = False) -> list[Check]:
    """Whether this node's member is one to take a snapshot from.

    A NOSPACE alarm does not speak against it: the database is whole and a
    snapshot is what is wanted then. A CORRUPT alarm does.
    """
    local = view.local
    if view.failure or local is None:
        return [Check("member_answers", False, view.failure or "the endpoint's member is not in its own member list")]
    status = local.status
    if status is None:
        return [Check("member_answers", False, local.failure)]
    newest = newest_index(view)
    behind = gap(status, newest)
    leads = status.leader == local.member.id
    corrupt = [alarm for alarm in view.alarms if alarm.kind == "CORRUPT"]
    learner = local.member.learner or status.learner
    checks = [
        Check("member_answers", True, f"{local.member.label}, version {status.version}"),
        Check("not_learner", not learner, "learner" if learner else "voting member"),
        Check(
            "has_leader", bool(status.leader), f"leader {status.leader:x}" if status.leader else "it knows no leader"
        ),
        Check("not_lagging", behind <= max_index_gap, f"{behind} raft entries behind (allowed are {max_index_gap})"),
        Check("linearizable_read", not local.read_failure, local.read_failure or "answered"),
        Check("no_corruption_alarm", not corrupt, ", ".join(f"CORRUPT on {a.member_id:x}" for a in corrupt) or "none"),
    ]
    if require_follower:
        checks.append(Check("follower", not leads, "it is the leader" if leads else "it is a follower"))
    return checks


def space_check(free: int, needed: int, reserve: int, directory: str) -> Check:
    """Whether `needed` bytes fit into `directory` with `reserve` bytes left."""
    mib = 1 << 20
    return Check(
        "free_space",
        free >= needed + reserve,
        f"{free // mib} MiB free in {directory}, {-(-needed // mib)} MiB needed, {reserve // mib} MiB to stay free",
    )


def live_checks(
    *, before: int, after: int, revision: int, keys: int, live_keys: int | None, why_not: str = ""
) -> list[Check]:
    """Whether a snapshot is as the member was while it was taken.

    `before` and `after` are the member's revision before and after the save,
    `revision` and `keys` those of the file, `live_keys` what the member counts
    at `revision`, or None where it can no longer say (`why_not`).
    """
    checks = [
        Check(
            "revision", before <= revision <= after, f"{revision}, the member was at {before} before and {after} after"
        )
    ]
    if live_keys is None:
        checks.append(Check("keys", True, f"{keys}; the member can no longer count at {revision}: {why_not}"))
    else:
        checks.append(Check("keys", keys == live_keys, f"{keys}, the member counts {live_keys} at revision {revision}"))
    return checks


@dataclass(frozen=True)
class Transfer:
    """What has to be done so that this node's member does not lead."""

    target: Member | None
    note: str
    possible: bool = True

    @property
    def needed(self) -> bool:
        return self.target is not None


def decide_transfer(view: View, *, max_index_gap: int) -> Transfer:
    """Who should lead in place of this node's member: the healthy voting member that is least behind."""
    local = view.local
    if view.failure or local is None or local.status is None:
        return Transfer(None, view.failure or (local.failure if local else "the member is not listed"), possible=False)
    if not local.status.leader:
        return Transfer(None, f"{local.member.label} knows no leader: an election is going on", possible=False)
    if local.status.leader != local.member.id:
        return Transfer(None, f"{local.member.label} does not lead")
    others = [seen for seen in view.members if seen.member.id != local.member.id and not seen.member.learner]
    if not others:
        return Transfer(None, f"{local.member.label} is the only voting member: nobody else can lead")
    newest = newest_index(view)
    problems = {seen: member_problems(seen, view, newest, max_index_gap) for seen in others}
    fit = [seen for seen in others if not problems[seen]]
    if not fit:
        said = ". ".join(f"{seen.member.label}: {'; '.join(problems[seen])}" for seen in others)
        return Transfer(None, f"no other member is fit to lead. {said}", possible=False)
    best = min(fit, key=lambda seen: (gap(seen.status, newest) if seen.status else 0, seen.member.name))
    return Transfer(best.member, f"{best.member.label} is the healthy voting member that is least behind")


class Source(t.NamedTuple):
    """The member that a snapshot should be saved from; no name where none is fit."""

    name: str
    why: str


def snapshot_source(view: View, *, max_index_gap: int) -> Source:
    """A follower, as a snapshot costs a member disk and network and the leader is the one that all writes wait for.

    Of several the least behind, and of equals the last by name. The leader only
    where no follower is healthy and near enough.
    """
    newest = newest_index(view)
    fit = [
        seen
        for seen in view.members
        if seen.status and not seen.member.learner and not member_problems(seen, view, newest, max_index_gap)
    ]
    leader = view.leader
    followers = [seen for seen in fit if leader is None or seen.member.id != leader.member.id]
    if followers:
        behind = {seen.member.name: gap(seen.status, newest) for seen in followers if seen.status}
        least = min(behind.values())
        name = max(name for name, index_gap in behind.items() if index_gap == least)
        return Source(name, f"{name} follows, and is {least} raft entries behind")
    if fit:
        return Source(fit[0].member.name, f"{fit[0].member.name} leads, and no follower is healthy and near enough")
    return Source("", "no member is healthy")


def member_rows(view: View) -> list[dict[str, t.Any]]:
    """The members as a module returns them; ids as etcd prints them, sizes in bytes."""
    newest = newest_index(view)
    leader = view.leader
    rows = []
    for seen in view.members:
        status = seen.status
        row: dict[str, t.Any] = {
            "id": f"{seen.member.id:x}",
            "name": seen.member.name,
            "client_urls": list(seen.member.client_urls),
            "peer_urls": list(seen.member.peer_urls),
            "learner": seen.member.learner,
            "leader": bool(leader and leader.member.id == seen.member.id),
            "local": seen.member.id == view.local_id,
            "problem": seen.failure or seen.read_failure,
        }
        if status:
            row.update(
                version=status.version,
                revision=status.revision,
                raft_term=status.raft_term,
                raft_index=status.raft_index,
                raft_applied_index=status.raft_applied_index,
                index_gap=gap(status, newest),
                db_size=status.db_size,
                db_size_in_use=status.db_size_in_use,
                db_size_quota=status.db_size_quota,
            )
        if seen.kv_hash:
            row.update(
                hash=seen.kv_hash.value,
                hash_revision=seen.kv_hash.revision,
                hash_compact_revision=seen.kv_hash.compact_revision,
            )
        if seen.hash_failure:
            row["hash_problem"] = seen.hash_failure
        rows.append(row)
    return rows


def alarm_rows(view: View) -> list[dict[str, str]]:
    """The alarms as a module returns them."""
    names = {seen.member.id: seen.member.label for seen in view.members}
    return [
        {"alarm": alarm.kind, "member": names.get(alarm.member_id, f"{alarm.member_id:x}")} for alarm in view.alarms
    ]
