# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Look again and again until it was good often enough in a row, or the deadline has come."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.decisions import Check, unmet


class Outcome(t.NamedTuple):
    """`checks` are those of the last look; `streak` is how many good looks in a row ended the wait."""

    ready: bool
    checks: list[Check]
    looks: int
    streak: int


def wait_until_good(
    look: t.Callable[[], list[Check]], *, deadline: Deadline, consecutive: int, interval_s: float
) -> Outcome:
    """Call `look` until it found nothing unmet `consecutive` times in a row.

    A bad look starts the count anew. The look that is under way when the
    deadline comes still counts. With a deadline of 0 seconds one look decides.
    """
    needed = 1 if deadline.seconds == 0 else consecutive
    looks = streak = 0
    while True:
        checks = look()
        looks += 1
        streak = 0 if unmet(checks) else streak + 1
        if streak >= needed:
            return Outcome(True, checks, looks, streak)
        if deadline.expired():
            return Outcome(False, checks, looks, streak)
        deadline.sleep(interval_s)
