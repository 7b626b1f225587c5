# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Whether what stands in the way of a run may pass by itself, since a run before it was cut off: pure.

A run that was killed leaves its Lease behind, and maybe static pods in the
middle of a restart. A run that begins right after it sees a cluster that will
look better in a minute.
"""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._controller import ALIVE
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock import decisions as lock
from ansible_collections.evergreen.kubeadm.plugins.module_utils._plan.refusal import blockers_told
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue.all import ENTRIES
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER, Finding, Json

PASSING = frozenset(entry.id for entry in ENTRIES if entry.passes)
PAUSE_S = 10
"""Between two looks. A look itself takes some seconds."""

_REASONS = {lock.EXPIRED: "has expired", lock.CONTROLLER_GONE: "is of a process that is gone"}


class CutOff(t.NamedTuple):
    """A run that did not end. `since` is when it took the lock, empty where that does not say."""

    run_id: str
    since: str
    reason: str


class Settling(t.TypedDict):
    """Why it is worth to look again after `wait_s` seconds, and the moment after which it is not any more."""

    run_id: str
    since: str
    why: str
    wait_s: int
    until: float


def lock_of(leases: list[Json]) -> Json | None:
    """The upgrade lock among the Leases of its namespace; None where nobody holds it."""
    return next((lease for lease in leases if (lease.get("metadata") or {}).get("name") == lock.NAME), None)


def cut_off_run(leases: list[Json], holder_controller: str) -> CutOff | None:
    """The run whose lock is left over; None where there is no lock, or its run may be alive.

    `holder_controller` says whether the process that the lock names is
    ``alive``, ``gone`` or ``unknown``. What time it is, the newest renewal
    among `leases` tells: API servers and leaders renew theirs all the time, and
    no clock of this machine is in it.
    """
    found = lock_of(leases)
    if found is None:
        return None
    state = lock.describe(found)
    reason = lock.why_ended(found, lock.newest_renewal(leases), holder_controller)
    if state["holder"] is None or reason is None or holder_controller == ALIVE:
        return None
    return CutOff(state["holder"].partition("@")[0], state["acquired_at"] or "", reason)


def settle(
    findings: t.Sequence[Finding], run: CutOff | None, *, now: float, within_s: float, until: float | None
) -> Settling | None:
    """Whether to look again, and when; None where the findings are to be taken as they are.

    `until` is that of the look before, None at the first one. `now` is of the
    same monotonic clock.
    """
    blockers = {found["id"] for found in findings if found["severity"] == BLOCKER}
    # What an earlier look said is never prolonged.
    until = now + within_s if until is None else min(until, now + within_s)
    wait_s = int(min(PAUSE_S, until - now))
    if run is None or wait_s < 1 or not blockers or not blockers <= PASSING:
        return None
    return Settling(
        run_id=run.run_id,
        since=run.since,
        why=(
            f"Run {run.run_id} was cut off: its lock {lock.NAMESPACE}/{lock.NAME}, taken at "
            f"{run.since or 'an unknown time'}, {_REASONS[run.reason]}. All that stands in the way can pass by itself: "
            f"{blockers_told(findings)}. It is looked at again in {wait_s} s, and for {int(until - now)} s at the most."
        ),
        wait_s=wait_s,
        until=until,
    )
