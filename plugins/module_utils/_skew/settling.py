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

from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.cut_off import CutOff
from ansible_collections.evergreen.kubeadm.plugins.module_utils._plan.refusal import blockers_told
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue.all import ENTRIES
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER, Finding

PASSING = frozenset(entry.id for entry in ENTRIES if entry.passes)
PAUSE_S = 10
"""Between two looks. A look itself takes some seconds."""


class Settling(t.TypedDict):
    """Why it is worth to look again after `wait_s` seconds, and the moment after which it is not any more."""

    run_id: str
    since: str
    why: str
    wait_s: int
    until: float


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
            f"{run.told()}. All that stands in the way can pass by itself: {blockers_told(findings)}. "
            f"It is looked at again in {wait_s} s, and for {int(until - now)} s at the most."
        ),
        wait_s=wait_s,
        until=until,
    )
