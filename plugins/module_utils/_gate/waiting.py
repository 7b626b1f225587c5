# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Look again and again until it was good often enough in a row, or the deadline has come."""

from __future__ import annotations

import time
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
    look: t.Callable[[], list[Check]],
    *,
    deadline: Deadline,
    consecutive: int,
    interval_s: float,
    hold_s: float = 0,
) -> Outcome:
    """Call `look` until it found nothing unmet `consecutive` times in a row, over at least `hold_s` seconds.

    A bad look starts the count anew. The look that is under way when the
    deadline comes still counts. With a deadline of 0 seconds one look decides.
    """
    one_decides = deadline.seconds == 0
    needed, held = (1, 0.0) if one_decides else (consecutive, hold_s)
    looks = streak = 0
    since = 0.0
    while True:
        checks = look()
        now = time.monotonic()
        looks += 1
        streak = 0 if unmet(checks) else streak + 1
        if streak == 1:
            since = now
        if streak >= needed and now - since >= held:
            return Outcome(True, checks, looks, streak)
        if deadline.expired():
            return Outcome(False, checks, looks, streak)
        deadline.sleep(interval_s)
