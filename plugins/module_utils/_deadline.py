# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""One deadline for all waits of a task, on the monotonic clock."""

from __future__ import annotations

import time
import typing as t
from datetime import datetime, timezone

if t.TYPE_CHECKING:
    from collections.abc import Callable


class Deadline:
    """The moment at which a task gives up. `seconds` of None is never; 0 is at once."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    def remaining(self) -> float | None:
        """Seconds left, never below 0; None where there is no limit."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def expired(self) -> bool:
        return self.remaining() == 0.0

    def clip(self, seconds: float) -> float:
        """`seconds`, or what is left where that is less: for the timeout of one request."""
        left = self.remaining()
        return seconds if left is None else min(seconds, left)

    def sleep(self, seconds: float) -> None:
        """Sleep, but not past the deadline."""
        time.sleep(self.clip(seconds))


def stopwatch() -> Callable[[], dict[str, t.Any]]:
    """Starts now; what it returns tells the time so far as the keys ``started``, ``finished`` and ``duration_s``."""
    started, begin = utc_now(), time.monotonic()
    return lambda: {
        "started": started,
        "finished": utc_now(),
        "duration_s": round(time.monotonic() - begin, 3),
    }


def parse_time(text: object) -> datetime | None:
    """An RFC 3339 time, in UTC where it names no zone; None for anything else."""
    try:
        # Python 3.9 and 3.10 do not read the Z.
        found = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def seconds_between(begin: object, end: object) -> float | None:
    """Seconds from one RFC 3339 time to another, to the millisecond; None where one is missing or no time."""
    first, second = parse_time(begin), parse_time(end)
    return None if first is None or second is None else round((second - first).total_seconds(), 3)


def utc_now() -> str:
    """The wall clock for people and reports, RFC 3339 in UTC with milliseconds: ``2026-01-31T12:00:00.123Z``."""
    return utc_at(time.time())


def utc_at(moment: float) -> str:
    """The same for seconds since the epoch."""
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
