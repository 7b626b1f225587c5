# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Removes pods: evictions in parallel, each tried again as its answer asks, one watch to see them go."""

from __future__ import annotations

import heapq
import itertools
import queue
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.errors import ApiStatusError, ApiUnreachable
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import utc_now
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.answers import judge_answer
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import (
    Json,
    Options,
    PodRecord,
    is_terminating,
    uid_of,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.watch import PodWatch, Seen, uids

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.io import DrainApi

# How long after the API server was away 401 and 403 are taken for its start.
AFTER_OUTAGE_S = 30.0


class Answer(t.NamedTuple):
    """What came back for one try to remove a pod; `error` of None is success."""

    uid: str
    error: ApiStatusError | ApiUnreachable | None
    at: str


class Crash(t.NamedTuple):
    """An exception that is nobody's answer."""

    error: BaseException


class Eviction:
    """Removes the pods of `records` from `node` and waits until they are gone.

    All state belongs to the thread that calls `run`; workers make requests
    and the watch listens, and both report through one queue. At most
    `max_parallel` requests are under way at a time; a pod that waits for its
    next try takes no worker.
    """

    def __init__(
        self, api: DrainApi, node: str, records: Sequence[PodRecord], options: Options, deadline: Deadline
    ) -> None:
        self._api = api
        self._node = node
        self._options = options
        self._deadline = deadline
        self._open = {record.uid: record for record in records}
        self._events: queue.SimpleQueue[Answer | Seen | Crash] = queue.SimpleQueue()
        self._order = itertools.count()
        self._due: list[tuple[float, int, str]] = []
        self._in_flight: set[str] = set()
        self._failed = False
        self._outage_at = -AFTER_OUTAGE_S
        for record in records:
            if record.decision == "evict":
                self._schedule(record.uid, 0.0)

    def run(self, version: str) -> None:
        """Return when all are gone, one can not be removed, or the deadline has passed; records tell which.

        `version` is the resourceVersion of the list that the records are from.
        """
        watch = PodWatch(self._api, self._node, version, self._events)
        watch.start()
        pool = ThreadPoolExecutor(max_workers=self._options.max_parallel, thread_name_prefix="evict")
        try:
            while self._open and not self._over():
                self._submit(pool)
                self._take_events()
        finally:
            watch.stop()
            pool.shutdown(wait=False)

    def _over(self) -> bool:
        if self._in_flight:
            return False
        if self._failed:
            return True
        return self._deadline.expired() and not any(self._may_try(uid) for _due, _order, uid in self._due)

    def _may_try(self, uid: str) -> bool:
        """Without any time to wait, each pod still gets its one try."""
        if not self._deadline.expired():
            return True
        return not self._deadline.seconds and uid in self._open and self._open[uid].attempts == 0

    def _schedule(self, uid: str, after_s: float) -> None:
        heapq.heappush(self._due, (time.monotonic() + after_s, next(self._order), uid))

    def _submit(self, pool: ThreadPoolExecutor) -> None:
        now = time.monotonic()
        while self._due and self._due[0][0] <= now and len(self._in_flight) < self._options.max_parallel:
            uid = heapq.heappop(self._due)[2]
            record = self._open.get(uid)
            if record is None or record.evicted_at or self._failed or not self._may_try(uid):
                continue
            record.attempts += 1
            self._in_flight.add(uid)
            pool.submit(self._try, record.pod, uid)

    def _try(self, pod: Json, uid: str) -> None:
        error: ApiStatusError | ApiUnreachable | None = None
        try:
            self._api.remove(pod, self._options)
        except (ApiStatusError, ApiUnreachable) as caught:
            error = caught
        except BaseException as caught:
            self._events.put(Crash(caught))
            return
        self._events.put(Answer(uid, error, utc_now()))

    def _take_events(self) -> None:
        """Wait for one event, but not past the next try or the deadline; then take what else is there."""
        patience = self._deadline.clip(60.0)
        if self._due and len(self._in_flight) < self._options.max_parallel:
            patience = min(patience, max(0.0, self._due[0][0] - time.monotonic()))
        if self._in_flight:
            patience = max(patience, 0.05)
        try:
            event = self._events.get(timeout=max(patience, 0.005))
            while True:
                self._take(event)
                event = self._events.get_nowait()
        except queue.Empty:
            return

    def _take(self, event: Answer | Seen | Crash) -> None:
        if isinstance(event, Crash):
            raise event.error
        if isinstance(event, Answer):
            self._take_answer(event)
        elif event.kind == "pod":
            self._update(event.pods[0])
        elif event.kind == "gone":
            self._gone(uid_of(event.pods[0]), event.pods[0])
        elif event.kind == "all":
            there = uids(event.pods)
            for uid in [uid for uid in self._open if uid not in there]:
                self._gone(uid)
            for pod in event.pods:
                self._update(pod)
        else:
            self._outage_at = time.monotonic()

    def _take_answer(self, answer: Answer) -> None:
        self._in_flight.discard(answer.uid)
        record = self._open.get(answer.uid)
        if record is None:
            return  # the watch saw it go before the answer came
        after_outage = time.monotonic() - self._outage_at < AFTER_OUTAGE_S
        verdict = judge_answer(
            answer.error,
            attempt=record.attempts,
            wait_sleep=self._options.wait_sleep,
            after_outage=after_outage,
        )
        record.blocked_by = verdict.blocked_by or record.blocked_by
        if isinstance(answer.error, ApiUnreachable):
            self._outage_at = time.monotonic()
        if verdict.kind == "evicted":
            record.evicted_at, record.outcome = answer.at, "evicted"
        elif verdict.kind == "gone":
            self._gone(answer.uid)
        elif verdict.kind == "retry":
            self._schedule(answer.uid, verdict.after_s)
        else:
            # The drain cannot succeed any more: no further pod is disturbed for it.
            record.outcome, self._failed = "failed", True

    def _update(self, pod: Json) -> None:
        record = self._open.get(uid_of(pod))
        if record is None:
            return
        record.pod = pod
        if not is_terminating(pod) or record.evicted_at or record.uid in self._in_flight or self._shortens(pod):
            return
        if record.decision == "evict" and record.outcome != "failed":
            self._due = [entry for entry in self._due if entry[2] != record.uid]
            heapq.heapify(self._due)
            if _answer_was_lost(record):
                record.evicted_at, record.outcome = utc_now(), "evicted"
            else:
                record.decision, record.reasons = "wait", ["removed by somebody else in the meantime"]

    def _shortens(self, pod: Json) -> bool:
        own = pod["metadata"].get("deletionGracePeriodSeconds")
        return self._options.grace is not None and own is not None and self._options.grace < own

    def _gone(self, uid: str, pod: Json | None = None) -> None:
        record = self._open.pop(uid, None)
        if record is None:
            return
        record.pod = pod or record.pod
        record.gone_at, record.outcome = utc_now(), "gone"
        if record.evicted_at is None and (uid in self._in_flight or _answer_was_lost(record)):
            record.evicted_at = record.gone_at


def _answer_was_lost(record: PodRecord) -> bool:
    """Whether our last try may have been carried out although no answer came."""
    return record.attempts > 0 and bool(record.blocked_by) and (record.blocked_by or {})["kind"] == "api_server"
