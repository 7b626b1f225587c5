# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What the answers of one target add up to. Pure: every time is handed in.

`at` is a moment of the monotonic clock in seconds, `time` the same moment for
people (RFC 3339).
"""

from __future__ import annotations

import typing as t

FAILURES_KEPT = 20


class Tally:
    """Requests, failures and the longest gap of one target.

    A gap is the time between two answers that were good, by the moment each
    was complete; it also counts from the start to the first and from the last
    to the end. So it is what a user who asks all the time had to wait.
    """

    def __init__(self, target: str, at: float) -> None:
        self.target = target
        self.requests = 0
        self.failed = 0
        self.longest_gap_s = 0.0
        self.failures: list[dict[str, t.Any]] = []
        self.errors: dict[str, int] = {}
        self._last_good = at
        self._second_requests = 0
        self._second_failed = 0
        self._second_gap_s = 0.0

    def good(self, at: float) -> None:
        """A complete and correct answer came at `at`."""
        self.requests += 1
        self._second_requests += 1
        self.stands(at)

    def stands(self, at: float) -> None:
        """An earlier answer goes on at `at`: a watch is no gap."""
        self._gap_until(at)
        # Two threads may report in another order than their answers came.
        self._last_good = max(self._last_good, at)

    def bad(self, time: str, error: str, message: str, after_s: float) -> dict[str, t.Any]:
        """A request failed at `time`, `after_s` seconds after it began; returns its line for the output file.

        `error` is the class of the failure (``timeout``, ``http_503``), `message` what was seen.
        """
        self.requests += 1
        self.failed += 1
        self._second_requests += 1
        self._second_failed += 1
        self.errors[error] = self.errors.get(error, 0) + 1
        failure = {"time": time, "error": error, "message": message, "after_s": round(after_s, 3)}
        if len(self.failures) < FAILURES_KEPT:
            self.failures.append(failure)
        return {"time": time, "target": self.target, **{key: failure[key] for key in ("error", "message", "after_s")}}

    def second(self, at: float, time: str) -> dict[str, t.Any]:
        """The line for the time since the last one.

        Its gap is the longest that ended in it, or that is still open; so the
        longest gap of a run is the greatest of its lines, also where a killed
        probe wrote no end.
        """
        self._gap_until(at)
        line = {
            "time": time,
            "target": self.target,
            "requests": self._second_requests,
            "failed": self._second_failed,
            "gap_s": round(self._second_gap_s, 3),
        }
        self._second_requests = self._second_failed = 0
        self._second_gap_s = 0.0
        return line

    def result(self, at: float) -> dict[str, t.Any]:
        """The whole, where the probe made its last request at `at`."""
        self._gap_until(at)
        return {
            "requests": self.requests,
            "failed": self.failed,
            "longest_gap_s": round(self.longest_gap_s, 3),
            "failures": list(self.failures),
            "errors": dict(sorted(self.errors.items())),
        }

    def _gap_until(self, at: float) -> None:
        gap = max(0.0, at - self._last_good)
        self._second_gap_s = max(self._second_gap_s, gap)
        self.longest_gap_s = max(self.longest_gap_s, gap)
