# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The probe: asks each target at a steady rate, whatever becomes of the single request."""

from __future__ import annotations

import collections
import json
import math
import os
import threading
import time
import typing as t
from collections.abc import Callable, Mapping, Sequence

from ansible_collections.evergreen.kubeadm.plugins.module_utils._artifacts import make_folder
from ansible_collections.evergreen.kubeadm.plugins.module_utils._controller import ALIVE, GONE, look
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import utc_now
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.request import Request, Target, classify
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.tally import Tally

WORKERS_LIMIT = 128
LOOK_EVERY_S = 0.2
RESYNC_AFTER_S = 1.0
# An API server says something each minute where a watch asked for bookmarks.
WATCH_SILENT_S = 90.0


def worker_count(rate_per_s: float, timeout_s: float) -> int:
    """How many requests of a target can be under way where each one hangs.

    A second more than the timeout, because hanging requests are looked for
    every LOOK_EVERY_S and a busy machine is late with that and with their end.
    """
    return min(WORKERS_LIMIT, math.ceil(rate_per_s * (timeout_s + 1.0)) + 4)


class _Job:
    """A request under way. Whoever sets `settled` first, under the lane's lock, counts it."""

    def __init__(self, target: Target, timeout_s: float) -> None:
        self.began = time.monotonic()
        self.expires = self.began + timeout_s
        self.settled = False
        self.stood = False
        self.request = Request(target, timeout_s)


class Lane:
    """One target: its worker threads, the requests under way, and its tally."""

    def __init__(
        self, target: Target, timeout_s: float, workers: int, write: Callable[[dict[str, t.Any]], None]
    ) -> None:
        self.target = target
        self.tally = Tally(target.name, time.monotonic())
        self._timeout_s = timeout_s
        self._workers = workers
        self._write = write
        self._lock = threading.Lock()
        self._wanted = threading.Condition(self._lock)
        self._queue: collections.deque[_Job] = collections.deque()
        self._open: set[_Job] = set()
        self._threads = 0
        self._idle = 0

    def ask(self) -> None:
        """Begin one request. Where every worker hangs in the system, it counts as failed: a client got no answer."""
        with self._lock:
            if self._idle <= len(self._queue) and self._threads >= self._workers:
                line = self.tally.bad(utc_now(), "saturated", "all earlier requests still hang", 0.0)
                self._write(line)
                return
            job = _Job(self.target, self._timeout_s)
            self._open.add(job)
            self._queue.append(job)
            if self._idle < len(self._queue):
                self._threads += 1
                # Daemon threads: one that hangs in name resolution must not keep the process.
                threading.Thread(target=self._work, name=f"probe-{self.target.name}", daemon=True).start()
            self._wanted.notify()

    def expire(self) -> None:
        """Count the requests that are over their time as failed now, wherever they hang."""
        now = time.monotonic()
        with self._lock:
            late = [job for job in self._open if job.expires <= now]
            for job in late:
                self._settle_bad(job, "timeout", f"no answer within {self._timeout_s:g} s", now)
        for job in late:
            job.request.abort()

    def second(self) -> None:
        with self._lock:
            self._write(self.tally.second(time.monotonic(), utc_now()))

    def under_way(self) -> int:
        with self._lock:
            return len(self._open)

    def result(self, at: float) -> dict[str, t.Any]:
        with self._lock:
            return self.tally.result(at)

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
                while not self._queue:
                    self._wanted.wait()
                self._idle -= 1
                job = self._queue.popleft()
            error: BaseException | None = None
            try:
                job.request.run()
            except Exception as caught:
                error = caught
            now = time.monotonic()
            with self._lock:
                if job.settled:
                    continue
                if error is None:
                    job.settled = True
                    self._open.discard(job)
                    self.tally.good(now)
                else:
                    self._settle_bad(job, *classify(error), now)

    def _settle_bad(self, job: _Job, error: str, message: str, now: float) -> None:
        job.settled = True
        self._open.discard(job)
        self._write(self.tally.bad(utc_now(), error, message, now - job.began))


class WatchLane(Lane):
    """A watch that is held: one that ends is resumed from what it saw last, and one that is not resumed has failed.

    Its requests are those that open it, and a gap is a time without it.
    """

    def __init__(
        self, target: Target, timeout_s: float, workers: int, write: Callable[[dict[str, t.Any]], None]
    ) -> None:
        super().__init__(target, timeout_s, workers, write)
        self._version = ""
        self._stands = False

    def ask(self) -> None:
        with self._lock:
            if self._stands:
                self.tally.stands(time.monotonic())
            elif not self._open:
                path = self.target.path + (f"&resourceVersion={self._version}" if self._version else "")
                job = _Job(self.target._replace(path=path), self._timeout_s)
                self._open.add(job)
                threading.Thread(target=self._hold, args=(job,), name="probe-watch", daemon=True).start()

    def _hold(self, job: _Job) -> None:
        try:
            for line in job.request.lines(WATCH_SILENT_S):
                if line:
                    self._saw(json.loads(line))
                elif not self._opened(job):
                    return
        except Exception as error:
            with self._lock:
                if not job.settled:
                    self._settle_bad(job, *classify(error), time.monotonic())
        finally:
            with self._lock:
                if job.stood:
                    self.tally.stands(time.monotonic())
                    self._stands = False

    def _opened(self, job: _Job) -> bool:
        with self._lock:
            if job.settled:
                return False
            self._open.discard(job)
            job.settled = job.stood = self._stands = True
            self.tally.good(time.monotonic())
            return True

    def _saw(self, event: dict[str, t.Any]) -> None:
        seen = event.get("object") or {}
        with self._lock:
            if event.get("type") != "ERROR":
                self._version = seen["metadata"]["resourceVersion"]
                return
            # What happened since is not to be had: it begins anew.
            self._version = ""
            error = f"http_{seen.get('code')}"
            self._write(self.tally.bad(utc_now(), error, str(seen.get("message") or seen.get("reason")), 0.0))


class Output:
    """The JSON-lines file. Lines are collected and handed to the system once a second, whole lines only."""

    def __init__(self, path: str | None) -> None:
        self._lock = threading.Lock()
        self._lines: list[str] = []
        self._file: t.BinaryIO | None = None
        self._path = path or ""
        if path:
            make_folder(os.path.dirname(os.path.abspath(path)))
            if os.path.exists(path):
                os.replace(path, path + ".1")
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115 (open for as long as the probe runs)

    def write(self, line: dict[str, t.Any]) -> None:
        with self._lock:
            self._lines.append(json.dumps(line, separators=(",", ":")) + "\n")

    def flush(self) -> None:
        with self._lock:
            content = "".join(self._lines).encode("utf-8", "replace")
            self._lines.clear()
        if self._file and content:
            self._file.write(content)

    def replaced(self) -> bool:
        """Whether another probe took the path, as that of the run after a killed one does."""
        if not self._file:
            return False
        ours = os.fstat(self._file.fileno())
        try:
            there = os.stat(self._path)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)

    def close(self) -> None:
        self.flush()
        if self._file:
            self._file.close()


class Heartbeat:
    """Tells for how long a file was not touched, on the monotonic clock.

    Steps of the wall clock must not end the probe, so a change of the file is
    noticed, not its age computed. A file that is away for a moment, as a
    journal that begins anew, is no touch.
    """

    def __init__(self, path: str | None, at: float) -> None:
        self._path = path
        self._seen = self._look()
        self._touched = at

    def idle_s(self, at: float) -> float:
        seen = self._look()
        if seen is not None and seen != self._seen:
            self._seen, self._touched = seen, at
        return at - self._touched if self._path else 0.0

    def _look(self) -> tuple[int, int, int] | None:
        if not self._path:
            return None
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return (found.st_ino, found.st_mtime_ns, found.st_size)


class Settings(t.NamedTuple):
    """How long and how often. Times in seconds, a duration of 0 is none; paths of None are not looked at.

    `controller` is an identity.
    """

    rate_per_s: float
    timeout_s: float
    duration_s: float
    idle_limit_s: float
    stop_file: str | None
    heartbeat: str | None
    output: str | None
    controller: Mapping[str, t.Any] | None = None


def run(targets: Sequence[Target], settings: Settings, stop: threading.Event) -> dict[str, t.Any]:
    """Ask until something ends it; return ``{targets: {name: tally}, ended_by, longest_late_s}``.

    `ended_by` is ``stop_file``, ``signal`` (`stop` was set), ``duration``,
    ``controller`` (that process is gone), ``parent`` (the one that started it
    is gone, as where the time of an async task is over), ``idle`` or
    ``replaced`` (another probe writes to the output). `longest_late_s` is how much too late the
    probe itself was at worst: on a busy machine a gap of that length may be
    its own.
    """
    output = Output(settings.output)
    workers = worker_count(settings.rate_per_s, settings.timeout_s)
    lanes = [
        (WatchLane if target.watch else Lane)(target, settings.timeout_s, workers, output.write) for target in targets
    ]
    intervals = [target.every_s or 1.0 / settings.rate_per_s for target in targets]
    begin = time.monotonic()
    # The targets take turns, so that the machine sees an even load.
    due = [begin + min(intervals) * index / len(lanes) for index in range(len(lanes))]
    heartbeat = Heartbeat(settings.heartbeat, begin)
    next_look, next_second, longest_late = begin, begin + 1.0, 0.0
    ended_by, parent = "", os.getppid()
    while not ended_by:
        now = time.monotonic()
        for index, lane in enumerate(lanes):
            if due[index] <= now:
                longest_late = max(longest_late, now - due[index])
                lane.ask()
                # After a long stop of the machine no burst follows.
                due[index] = (now if now - due[index] > RESYNC_AFTER_S else due[index]) + intervals[index]
        if next_look <= now:
            next_look = now + LOOK_EVERY_S
            for lane in lanes:
                lane.expire()
            ended_by = _ending(settings, heartbeat, output, now - begin, now)
            if not ended_by and os.getppid() != parent:
                ended_by = "parent"
        if next_second <= now:
            next_second = max(next_second + 1.0, now)
            _flush_second(lanes, output)
        if not ended_by and stop.wait(max(0.0, min([*due, next_look, next_second]) - time.monotonic())):
            ended_by = "signal"
    last = time.monotonic()
    while any(lane.under_way() for lane in lanes) and time.monotonic() < last + settings.timeout_s + LOOK_EVERY_S:
        time.sleep(0.02)
        for lane in lanes:
            lane.expire()
    results = {lane.target.name: lane.result(last) for lane in lanes}
    for lane in lanes:
        # What was still open after the last request is no gap that a client could see.
        output.write({**lane.tally.second(last, utc_now()), "end": ended_by})
    output.close()
    return {"targets": results, "ended_by": ended_by, "longest_late_s": round(longest_late, 3)}


def _flush_second(lanes: Sequence[Lane], output: Output) -> None:
    for lane in lanes:
        lane.second()
    output.flush()


def _ending(settings: Settings, heartbeat: Heartbeat, output: Output, ran_s: float, now: float) -> str:
    if settings.stop_file and os.path.exists(settings.stop_file):
        return "stop_file"
    if 0 < settings.duration_s <= ran_s:
        return "duration"
    controller = look(settings.controller)
    if controller == GONE:
        return "controller"
    # A run may be at one step for hours.
    if heartbeat.idle_s(now) >= settings.idle_limit_s and controller != ALIVE:
        return "idle"
    if output.replaced():
        return "replaced"
    return ""
