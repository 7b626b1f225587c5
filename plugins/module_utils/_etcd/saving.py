# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Take one snapshot: choose nothing, force nothing, and give it its name only when it is proven."""

from __future__ import annotations

import os
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import (
    backup_names,
    completing,
    decisions,
    node_files,
    observe,
    part_file,
    snapshot_file,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.backup_names import PART, stale_parts
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.etcdctl import Etcdctl
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.gateway import STALL_S
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import (
    Access,
    Check,
    EtcdError,
    EtcdRefused,
    Received,
    Seen,
    Status,
    View,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.packing import NOTHING, Packing
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.snapshot_file import SnapshotBroken


@dataclass(frozen=True)
class Wish:
    """What the user asked for."""

    path: str
    reserve: int
    """Bytes that have to stay free on every file system that is written to."""
    max_index_gap: int
    require_follower: bool
    node_root: str | None = None
    """The folder of the node's file system where its files are saved too; None where they are not."""
    packing: Packing = NOTHING


@dataclass(frozen=True)
class Plan:
    """What is known before the first byte is written."""

    member: Seen
    status: Status
    checks: list[Check]
    stale: list[str]
    """Paths of the parts that killed saves left."""
    view: View
    order: completing.Order


@dataclass(frozen=True)
class Saved:
    """A backup that is proven and has its names."""

    found: snapshot_file.Verified
    received: Received
    completed: completing.Completed
    checks: list[Check]
    removed: list[str]
    """Paths of the stale parts that were removed."""

    def result(self) -> dict[str, t.Any]:
        """The keys of the module's result that only the save can tell."""
        contents = self.found.contents
        return {
            **self.completed.result(),
            "revision": contents.revision if contents else 0,
            "keys": contents.keys if contents else 0,
            "storage_version": contents.storage_version if contents else "",
            "removed": self.removed,
            "mib_per_s": rate(self.received),
            "checks": [check.as_dict() for check in self.checks],
        }


def plan(client: observe.Client, access: Access, wish: Wish) -> Plan:
    """Look at the member and at the disk; raise EtcdError with all checks where the save must not be."""
    directory = os.path.dirname(wish.path)
    if access.data_dir and _inside(directory, access.data_dir):
        raise EtcdError(
            f"{directory} is inside of etcd's data directory {access.data_dir}, which kubeadm copies at each upgrade.",
            hint="Choose a directory outside of it.",
        )
    for suffix in backup_names.SUFFIXES:
        if os.path.lexists(wish.path + suffix):
            raise EtcdError(
                f"{wish.path + suffix} already exists.", hint="Name another path; a snapshot is never overwritten."
            )
    files = node_files.collect(wish.node_root) if wish.node_root else None
    order = completing.Order(wish.path, wish.reserve, files, wish.packing)
    view = observe.look(client, access)
    checks = decisions.snapshot_checks(view, max_index_gap=wish.max_index_gap, require_follower=wish.require_follower)
    local = view.local
    if local and local.status:
        # The snapshot is never larger than the database file; those of killed saves make room.
        stale = _stale(directory, os.path.basename(wish.path))
        room = sum(os.lstat(path).st_size for path in stale)
        needed = local.status.db_size + snapshot_file.DIGEST_SIZE
        room_for_all = completing.room(order, needed)
        free = part_file.free_bytes(directory) + room
        checks.append(decisions.space_check(free, room_for_all, wish.reserve, directory))
        through = client.save_directory() if isinstance(client, Etcdctl) else None
        if through:
            free = part_file.free_bytes(through)
            checks.append(decisions.space_check(free, needed, wish.reserve, through))
        _require(checks, f"No snapshot was taken from {access.endpoint}")
        return Plan(local, local.status, checks, stale, view, order)
    _require(checks, f"No snapshot was taken from {access.endpoint}")
    raise EtcdError(f"The member at {access.endpoint} gave no status.")


def save(client: observe.Client, access: Access, wish: Wish, planned: Plan, deadline: Deadline) -> Saved:
    """Take the snapshot, prove it, make what belongs to it, and only then give it its name."""
    directory = os.path.dirname(wish.path)
    snapshot_file.make_directory(directory)
    part = wish.path + PART
    with snapshot_file.DirectoryLock(directory):
        removed = _stale(directory, os.path.basename(wish.path))
        for path in removed:
            part_file.remove(path)
        before = client.status(access.endpoint, observe.REQUEST_S)
        if before.member_id != planned.member.member.id:
            raise EtcdError(f"{access.endpoint} is answered by different members; name the URL of one member.")
        try:
            if isinstance(client, Etcdctl):
                received = _by_etcdctl(client, part, wish.reserve, deadline)
            else:
                stream = client.snapshot(deadline.clip(STALL_S))
                received = snapshot_file.receive(stream, part, reserve=wish.reserve, deadline=deadline)
            after = client.status(access.endpoint, observe.REQUEST_S)
            found = snapshot_file.verify(part)
            checks = [*planned.checks, *found.checks, *_live(client, before, after, found)]
            if received.sha256:
                same = received.sha256 == found.sha256
                checks.append(Check("on_disk", same, f"{found.size} bytes as received" if same else "not as received"))
            _require(checks, f"The snapshot of {access.endpoint} is not good and was removed", SnapshotBroken)
            known = completing.facts(wish.path, found, before, planned.view)
            completed = completing.complete(planned.order, found, known, deadline)
        except BaseException:
            part_file.remove(part)
            raise
    return Saved(found, received, completed, [*checks, *completed.checks], removed)


def _by_etcdctl(client: Etcdctl, part: str, reserve: int, deadline: Deadline) -> Received:
    """Let etcdctl write, and take its file over. It has no eye on the disk, so the room was looked at before."""
    left = deadline.remaining()
    timeout_s = max(1.0, left) if left is not None else 86400.0
    started = time.monotonic()
    through = client.save_directory()
    if through is None:
        source = part
        client.save(part, timeout_s)
        snapshot_file.take_over(source, part, reserve=reserve)
    else:
        with snapshot_file.DirectoryLock(through):
            for path in _stale(through, ""):
                part_file.remove(path)
            source = os.path.join(through, os.path.basename(part))
            try:
                client.save(client.inside(source), timeout_s)
                snapshot_file.take_over(source, part, reserve=reserve)
            finally:
                part_file.remove(source)
                part_file.remove(source + PART)
    seconds = time.monotonic() - started
    return Received(os.stat(part).st_size, seconds)


def _live(client: observe.Client, before: Status, after: Status, found: snapshot_file.Verified) -> list[Check]:
    if found.contents is None:
        return []
    live_keys: int | None = None
    why_not = ""
    try:
        live_keys = client.count(found.contents.revision, observe.REQUEST_S * 6)
    except EtcdRefused as error:
        # A compaction that came after the save: the member no longer holds that revision.
        if "compacted" not in error.reason:
            raise
        why_not = error.reason
    return decisions.live_checks(
        before=before.revision,
        after=after.revision,
        revision=found.contents.revision,
        keys=found.contents.keys,
        live_keys=live_keys,
        why_not=why_not,
    )


def _stale(directory: str, own: str) -> list[str]:
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    return [os.path.join(directory, name) for name in stale_parts(names, own)]


def _inside(path: str, directory: str) -> bool:
    path, directory = os.path.realpath(path), os.path.realpath(directory)
    return path == directory or path.startswith(directory + os.sep)


def _require(checks: t.Sequence[Check], what: str, kind: type[EtcdError] = EtcdError) -> None:
    bad = [check for check in checks if not check.ok]
    if bad:
        said = ", ".join(f"{check.name} ({check.seen})" for check in bad)
        raise kind(f"{what}: {said}.", result={"checks": [check.as_dict() for check in checks]})


def rate(received: Received) -> float:
    """MiB a second, of the transfer alone."""
    return round(received.size / (1 << 20) / received.seconds, 1) if received.seconds > 0 else 0.0
