# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Remove the backups of a directory that no rule keeps."""

from __future__ import annotations

import os
import stat
import typing as t
from dataclasses import dataclass, field
from datetime import datetime

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import (
    backup_names,
    part_file,
    retention,
    snapshot_file,
    verifying,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import EtcdError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.retention import Backup, Rules, Verdict


@dataclass
class Listing:
    """The backups of a directory, and the bytes of each of their files by its name."""

    backups: list[Backup] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Pruned:
    """What became of the backups of `directory`. In check mode, what would."""

    directory: str
    listing: Listing
    verdicts: tuple[Verdict, ...]
    removed: tuple[str, ...]
    """Paths, in the order in which they were removed."""
    verified: t.Mapping[str, bool]
    unproven: tuple[str, ...]

    def result(self) -> dict[str, t.Any]:
        """The keys of the module's result."""
        kept = [verdict for verdict in self.verdicts if verdict.keep]
        gone = [verdict for verdict in self.verdicts if not verdict.keep]
        return {
            "changed": bool(self.removed),
            "kept": [self._row(verdict) for verdict in kept],
            "pruned": [self._row(verdict) for verdict in gone],
            "removed": list(self.removed),
            "freed": sum(self.listing.sizes[os.path.basename(path)] for path in self.removed),
            "diff": {
                "before_header": self.directory,
                "after_header": self.directory,
                "before": self._names(self.verdicts),
                "after": self._names(kept),
            },
        }

    def _row(self, verdict: Verdict) -> dict[str, t.Any]:
        backup = verdict.backup
        return {
            "path": os.path.join(self.directory, backup.name),
            "label": backup.label,
            "taken": backup.taken.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "files": [os.path.join(self.directory, name) for name in backup.files],
            "size": sum(self.listing.sizes[name] for name in backup.files),
            "verified": self.verified.get(backup.name),
            "reason": verdict.reason,
        }

    @staticmethod
    def _names(verdicts: t.Iterable[Verdict]) -> str:
        return "".join(f"{name}\n" for name in sorted(name for verdict in verdicts for name in verdict.backup.files))


def prune(directory: str, rules: Rules, *, label: str, now: datetime, check_mode: bool) -> Pruned:
    """Remove what no rule keeps of the backups of `label`, of every label where it is empty.

    Raises EtcdError where a file cannot be removed, or where nothing may be
    removed because no snapshot of a label verifies; the backups of other labels
    are pruned before that.
    """
    if not os.path.isdir(directory):
        if os.path.lexists(directory):
            raise EtcdError(f"{directory} is not a directory.")
        return Pruned(directory, Listing(), (), (), {}, ())
    if check_mode:
        pruned = _plan(directory, rules, label, now)
    else:
        with snapshot_file.DirectoryLock(directory):
            pruned = _plan(directory, rules, label, now)
            _remove(pruned)
    if pruned.unproven:
        raise EtcdError(
            f"Of the snapshots in {directory} none verifies for the label {' and '.join(pruned.unproven)}, so none of "
            "them was removed.",
            hint="Save a new snapshot, then look at the old ones with state=verified.",
            result=pruned.result(),
        )
    return pruned


def list_backups(directory: str, label: str = "") -> Listing:
    """The backups in `directory` that this collection named, of one label or of all.

    Only regular files count: a link or a folder of such a name was made by
    somebody else.
    """
    found: dict[str, list[backup_names.OwnName]] = {}
    listing = Listing()
    wanted = backup_names.clean_label(label) if label else ""
    with os.scandir(directory) as entries:
        for entry in entries:
            own = backup_names.own_name(entry.name)
            if own is None or (wanted and own.label != wanted):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode):
                found.setdefault(own.name, []).append(own)
                listing.sizes[entry.name] = status.st_size
    for name, files in found.items():
        # The plain snapshot before a packed one: it is the quickest to verify.
        files.sort(key=lambda own: (not own.is_snapshot, backup_names.SUFFIXES.index(own.suffix)))
        listing.backups.append(
            Backup(
                name,
                files[0].label,
                files[0].taken,
                tuple(own.name + own.suffix for own in files),
                complete=files[0].is_snapshot,
            )
        )
    return listing


def _plan(directory: str, rules: Rules, label: str, now: datetime) -> Pruned:
    listing = list_backups(directory, label)
    verified: dict[str, bool] = {}
    while True:
        decision = retention.decide(listing.backups, rules, now=now, verified=verified)
        if decision.verdicts is not None:
            break
        if decision.verify:
            verified[decision.verify.name] = _verifies(directory, decision.verify)
    removed = [
        os.path.join(directory, name)
        # The oldest first, and of each the snapshot first: what a killed run leaves of a backup looks like none.
        for verdict in reversed(decision.verdicts)
        if not verdict.keep
        for name in verdict.backup.files
    ]
    return Pruned(directory, listing, decision.verdicts, tuple(removed), verified, decision.unproven)


def _verifies(directory: str, backup: Backup) -> bool:
    """Whether one of the files of the snapshot proves it, with what belongs to it."""
    for name in backup.files:
        own = backup_names.own_name(name)
        if own and own.is_snapshot:
            try:
                verifying.verify(os.path.join(directory, name), "")
                return True
            except EtcdError:
                continue
    return False


def _remove(pruned: Pruned) -> None:
    done: list[str] = []
    for path in pruned.removed:
        try:
            part_file.remove(path)
        except OSError as error:
            raise EtcdError(
                f"{path} could not be removed: {error.strerror}.", result={"changed": bool(done), "removed": done}
            ) from None
        done.append(path)
    if done:
        part_file.sync_directory(pruned.directory)
