# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Which backups are kept. Pure: no I/O, and no clock of its own."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import EtcdError

_MOST_DAYS = 100_000


@dataclass(frozen=True)
class Backup:
    """A snapshot with the files that belong to it."""

    name: str
    """Of the snapshot: ``etcd-LABEL-STAMP.db``."""
    label: str
    taken: datetime
    files: tuple[str, ...] = ()
    """Names of all its files, those of the snapshot itself first."""
    complete: bool = True
    """Whether a file of the snapshot itself is there, and not only what belonged to it."""


@dataclass(frozen=True)
class Rules:
    """A backup is kept where one of the rules keeps it. None is a rule that is not there.

    Raises EtcdError where no rule is there, or one that keeps nothing.
    """

    keep_last: int | None = None
    """How many of the newest snapshots of a label are kept."""
    keep_days: float | None = None
    """How many days a backup is kept."""

    def __post_init__(self) -> None:
        if self.keep_last is None and self.keep_days is None:
            raise EtcdError("Neither keep_last nor keep_days is set.", hint="Set one of them, or both.")
        if self.keep_last is not None and self.keep_last < 1:
            raise EtcdError(f"keep_last is {self.keep_last}; it has to be 1 or more.")
        if self.keep_days is not None and not 0 < self.keep_days <= _MOST_DAYS:
            raise EtcdError(f"keep_days is {self.keep_days:g}; it has to be more than 0 and at most {_MOST_DAYS}.")


@dataclass(frozen=True)
class Verdict:
    """What is to be done with one backup, and why."""

    backup: Backup
    keep: bool
    reason: str


@dataclass(frozen=True)
class Decision:
    """`verdicts` on all backups, the newest first; or None, and the one backup to `verify` before they can be had."""

    verdicts: tuple[Verdict, ...] | None = None
    verify: Backup | None = None
    unproven: tuple[str, ...] = ()
    """Labels of which no snapshot verifies: nothing of theirs is removed."""


def decide(
    backups: t.Iterable[Backup], rules: Rules, *, now: datetime, verified: t.Mapping[str, bool] | None = None
) -> Decision:
    """Decide on `backups`, those of each label by themselves.

    `verified` says of the names that were looked at whether their snapshot
    verifies. The newest one that does is kept whatever the rules say, so where
    anything is to be removed the snapshots are asked for, from the newest one
    on, until one verifies.
    """
    verified = verified or {}
    verdicts: list[Verdict] = []
    unproven: list[str] = []
    ordered = sorted(backups, key=lambda backup: (backup.taken, backup.name), reverse=True)
    for label in sorted({backup.label for backup in ordered}):
        series = [backup for backup in ordered if backup.label == label]
        decided = _by_rules(series, rules, now)
        if all(verdict.keep for verdict in decided):
            verdicts += decided
            continue
        snapshots = [backup for backup in series if backup.complete]
        proven = next((backup for backup in snapshots if verified.get(backup.name, True)), None)
        if proven is None:
            unproven.append(label)
            verdicts += [Verdict(backup, True, "no snapshot of this label verifies") for backup in series]
        elif proven.name not in verified:
            return Decision(verify=proven)
        else:
            verdicts += [_with_proof(verdict, proven, verified) for verdict in decided]
    verdicts.sort(key=lambda verdict: (verdict.backup.taken, verdict.backup.name), reverse=True)
    return Decision(tuple(verdicts), unproven=tuple(unproven))


def _by_rules(series: t.Sequence[Backup], rules: Rules, now: datetime) -> list[Verdict]:
    """What the rules say of the backups of one label, the newest first."""
    verdicts = []
    newer = 0
    for backup in series:
        # What has lost its snapshot holds no place among the last ones.
        verdicts.append(_by_rule(backup, newer, rules, now))
        newer += int(backup.complete)
    return verdicts


def _by_rule(backup: Backup, newer: int, rules: Rules, now: datetime) -> Verdict:
    age = now - backup.taken
    said = f"{newer} newer, {max(age, timedelta(0)) / timedelta(days=1):.1f} days old"
    if not backup.complete:
        said += ", its snapshot is gone"
    if rules.keep_last is not None and newer < rules.keep_last:
        return Verdict(backup, True, f"keep_last={rules.keep_last}: {said}")
    if rules.keep_days is not None and age <= timedelta(days=rules.keep_days):
        return Verdict(backup, True, f"keep_days={rules.keep_days:g}: {said}")
    return Verdict(backup, False, f"no rule keeps it: {said}")


def _with_proof(verdict: Verdict, proven: Backup, verified: t.Mapping[str, bool]) -> Verdict:
    if verdict.backup is proven and not verdict.keep:
        return Verdict(proven, True, "the newest snapshot that verifies")
    if verified.get(verdict.backup.name) is False:
        return Verdict(verdict.backup, verdict.keep, f"{verdict.reason}, does not verify")
    return verdict
