# SPDX-License-Identifier: GPL-3.0-or-later
"""Say which step of how many is running, for how long, and how long it takes."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
import typing as t
from pathlib import Path

HEARTBEAT_S = 20.0


class Progress:
    """Numbered steps on standard error, each with the time it took last time.

    `timings` is a JSON file ``{step title: seconds}`` in the cache; it makes
    the time left honest for this machine and may be missing or damaged.
    """

    def __init__(self, total: int, timings: Path) -> None:
        self.total = total
        self.done = 0
        self._timings = timings
        self._lock = threading.Lock()
        try:
            self._seen: dict[str, float] = json.loads(timings.read_text())
        except (OSError, ValueError):
            self._seen = {}

    @contextlib.contextmanager
    def step(self, title: str, expected_s: float | None = None) -> t.Iterator[None]:
        """One step; `expected_s` is used until this machine has a time of its own."""
        with self._lock:
            self.done += 1
            label = f"[{self.done}/{self.total}] {title}"
        expected = self._seen.get(title, expected_s)
        about = f" (about {expected:.0f} s)" if expected and expected >= 5 else ""
        self._say(f"{label}{about}")
        started = time.monotonic()
        ended = threading.Event()

        def heartbeat() -> None:
            while not ended.wait(HEARTBEAT_S):
                so_far = time.monotonic() - started
                left = f", about {expected - so_far:.0f} s left" if expected and expected > so_far else ""
                self._say(f"{label}: {so_far:.0f} s{left}")

        beat = threading.Thread(target=heartbeat, daemon=True)
        beat.start()
        try:
            yield
        finally:
            ended.set()
            beat.join()
        took = time.monotonic() - started
        if took >= 2:
            self._say(f"{label}: done in {took:.0f} s")
        with self._lock:
            self._seen[title] = round(took, 1)
            self._timings.parent.mkdir(parents=True, exist_ok=True)
            self._timings.write_text(json.dumps(self._seen, indent=1, sort_keys=True))

    @staticmethod
    def _say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)
