# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Removes pods: evictions in parallel, each tried again as its answer asks, one watch to see them go."""

from __future__ import annotations

import functools
import heapq
import itertools
import queue
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.errors import ApiStatusError, ApiUnreachable
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import utc_now
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.answers import judge_answer
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.budgets import key_of_budget
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import (
    Json,
    Options,
    PodRecord,
    is_finished,
    is_terminating,
    is_unreachable,
    uid_of,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.watch import Seen, Watch

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.groups import Group
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.io import DrainApi
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.pacing import Pace

# How long after the API server was away 401 and 403 are taken for its start.
AFTER_OUTAGE_S = 30.0
# How often the node is looked at where its kubelet may be unreachable.
NODE_LOOK_S = 10.0


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
    and the watches listen, and all report through one queue. At most
    `max_parallel` requests are under way at a time; a pod that waits for its
    next try, its budget or its group takes no worker.
    """

    def __init__(
        self,
        api: DrainApi,
        node: str,
        records: Sequence[PodRecord],
        options: Options,
        deadline: Deadline,
        pace: Pace,
    ) -> None:
        self._api = api
        self._node = node
        self._options = options
        self._deadline = deadline
        self._pace = pace
        self.complaint = ""
        """Why the drain was not as good as it could be, for a warning."""
        self._open = {record.uid: record for record in records}
        self._events: queue.SimpleQueue[Answer | Seen | Crash] = queue.SimpleQueue()
        self._order = itertools.count()
        self._due: list[tuple[float, int, str]] = []
        self._waiting: list[str] = []
        self._in_flight: set[str] = set()
        self._failed = False
        self._outage_at = -AFTER_OUTAGE_S
        self._ending_since: dict[str, float] = {}
        self._node_unreachable = False
        self._look_at_node_at = time.monotonic()
        for record in sorted(records, key=lambda record: record.group):
            if record.decision == "evict":
                self._schedule(record.uid, 0.0)
            elif record.decision == "wait":
                self._ending_since[record.uid] = time.monotonic()

    def run(self, version: str) -> None:
        """Return when all are gone, one can not be removed, or the deadline has passed; records tell which.

        `version` is the resourceVersion of the list that the records are from.
        """
        watches = self._watches(version)
        for watch in watches:
            watch.start()
        pool = ThreadPoolExecutor(max_workers=self._options.max_parallel, thread_name_prefix="evict")
        try:
            while self._open and not self._over():
                self._submit(pool)
                self._take_events()
                self._give_up_unreachable(pool)
        finally:
            for watch in watches:
                watch.stop()
            pool.shutdown(wait=False)

    def _watches(self, version: str) -> list[Watch]:
        list_pods = functools.partial(self._api.list_pods_once, self._node)
        watches = [Watch("pod", list_pods, functools.partial(self._api.watch_pods, self._node), version, self._events)]
        if self._pace.needed:
            spaces = self._pace.namespaces
            # One request more, or one for each namespace: of one it is cheaper to hear that one only.
            namespace = next(iter(spaces)) if len(spaces) == 1 else None
            list_budgets = functools.partial(self._api.list_budgets_once, namespace)
            watch_budgets = functools.partial(self._api.watch_budgets, namespace)
            watches.append(Watch("budget", list_budgets, watch_budgets, self._pace.version, self._events))
        return watches

    def _over(self) -> bool:
        if self._in_flight:
            return False
        if self._failed:
            return True
        candidates = itertools.chain(self._waiting, (uid for _due, _order, uid in self._due))
        return self._deadline.expired() and not any(self._may_try(uid) for uid in candidates)

    def _may_try(self, uid: str) -> bool:
        """Without any time to wait, each pod still gets its one try."""
        if not self._deadline.expired():
            return True
        return not self._deadline.seconds and uid in self._open and self._open[uid].attempts == 0

    def _group(self) -> Group:
        """The group that is reached: none of an earlier one is left."""
        return min((record.group for record in self._open.values()), default=(0, 0))

    def _is_its_turn(self, record: PodRecord, group: Group, now: float) -> bool:
        """Whether its group is reached and its budget is expected to let it go."""
        if not self._deadline.seconds:
            return True
        return record.group <= group and self._pace.may_try(record.uid, now)

    def _schedule(self, uid: str, after_s: float) -> None:
        heapq.heappush(self._due, (time.monotonic() + after_s, next(self._order), uid))

    def _submit(self, pool: ThreadPoolExecutor) -> None:
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            self._waiting.append(heapq.heappop(self._due)[2])
        still_waiting = []
        group = self._group()
        for uid in self._waiting:
            record = self._open.get(uid)
            if record is None or record.evicted_at or self._failed or not self._may_try(uid):
                continue
            if len(self._in_flight) >= self._options.max_parallel or not self._is_its_turn(record, group, now):
                still_waiting.append(uid)
                continue
            record.attempts += 1
            self._in_flight.add(uid)
            self._pace.trying(uid, record.pod["metadata"]["name"])
            pool.submit(self._try, record.pod, uid)
        self._waiting = still_waiting

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
        try:
            event = self._events.get(timeout=self._patience())
            while True:
                self._take(event)
                event = self._events.get_nowait()
        except queue.Empty:
            return

    def _patience(self) -> float:
        """Seconds until something is to be done without an event."""
        now = time.monotonic()
        moments = [now + self._deadline.clip(60.0)]
        if len(self._in_flight) < self._options.max_parallel:
            moments.extend(entry[0] for entry in self._due[:1])
            moments.extend(self._paced_moments())
        if self._options.unreachable_timeout is not None:
            moments.append(now + 1.0)
        wait = min(moments) - now
        return max(wait, 0.05 if self._in_flight else 0.005)

    def _paced_moments(self) -> Iterator[float]:
        """When pods whose group is reached are tried although their budget stays silent."""
        group = self._group()
        for uid in self._waiting:
            record, moment = self._open.get(uid), self._pace.next_try(uid)
            if record is not None and record.group <= group and moment is not None:
                yield moment

    def _take(self, event: Answer | Seen | Crash) -> None:
        if isinstance(event, Crash):
            raise event.error
        if isinstance(event, Answer):
            self._take_answer(event)
        elif event.kind == "outage":
            self._outage_at = time.monotonic()
        elif event.of == "budget":
            self._take_budgets(event)
        elif event.of == "node":
            self._node_unreachable = is_unreachable(event.objects[0])
        else:
            self._take_pods(event)

    def _take_pods(self, event: Seen) -> None:
        if event.kind == "there":
            self._update(event.objects[0])
        elif event.kind == "gone":
            self._gone(uid_of(event.objects[0]), event.objects[0])
        elif event.kind == "refused":
            # A server that has just started refuses for a moment; else the drain goes on by what is listed.
            if time.monotonic() - self._outage_at >= AFTER_OUTAGE_S:
                self.complaint = f"The pods of {self._node} cannot be watched, so the drain is slower: {event.message}"
        elif event.kind == "all":
            there = {uid_of(pod) for pod in event.objects}
            for uid in [uid for uid in self._open if uid not in there]:
                self._gone(uid)
            for pod in event.objects:
                self._update(pod)

    def _take_budgets(self, event: Seen) -> None:
        now = time.monotonic()
        if event.kind == "there":
            self._pace.seen(event.objects[0], now)
        elif event.kind == "gone":
            self._pace.deleted(key_of_budget(event.objects[0]))
        elif event.kind == "all":
            self._pace.all_seen(event.objects, now)

    def _take_answer(self, answer: Answer) -> None:
        self._in_flight.discard(answer.uid)
        now = time.monotonic()
        record = self._open.get(answer.uid)
        attempt = record.attempts if record else 1
        verdict = judge_answer(
            answer.error,
            attempt=attempt,
            wait_sleep=self._options.wait_sleep,
            after_outage=now - self._outage_at < AFTER_OUTAGE_S,
        )
        by_budget = bool(verdict.blocked_by) and (verdict.blocked_by or {})["kind"] == "budget"
        self._pace.answered(answer.uid, now, accepted=verdict.kind == "evicted", refused=by_budget)
        if record is None:
            return  # the watch saw it go before the answer came
        record.blocked_by = verdict.blocked_by or record.blocked_by
        if isinstance(answer.error, ApiUnreachable):
            self._outage_at = now
        if verdict.kind == "evicted":
            record.evicted_at, record.outcome = answer.at, "evicted"
            self._ending_since.setdefault(answer.uid, now)
        elif verdict.kind == "gone":
            self._gone(answer.uid)
        elif verdict.kind == "retry":
            paced = by_budget and self._pace.knows(answer.uid)
            self._schedule(answer.uid, 0.0 if paced else verdict.after_s)
        else:
            # The drain cannot succeed any more: no further pod is disturbed for it.
            record.outcome, self._failed = "failed", True

    def _update(self, pod: Json) -> None:
        record = self._open.get(uid_of(pod))
        if record is None:
            return
        record.pod = pod
        self._pace.pod_seen(pod)
        if record.decision == "wait_completed" and is_finished(pod):
            record.outcome = "completed"
            del self._open[record.uid]
            return
        if not is_terminating(pod):
            return
        self._pace.settled(record.uid)
        self._ending_since.setdefault(record.uid, time.monotonic())
        if record.evicted_at or record.uid in self._in_flight or self._shortens(pod):
            return
        if record.decision == "evict" and record.outcome != "failed":
            self._due = [entry for entry in self._due if entry[2] != record.uid]
            heapq.heapify(self._due)
            self._waiting = [uid for uid in self._waiting if uid != record.uid]
            if _answer_was_lost(record):
                record.evicted_at, record.outcome = utc_now(), "evicted"
            else:
                record.decision, record.reasons = "wait", ["removed by somebody else in the meantime"]

    def _shortens(self, pod: Json) -> bool:
        own = pod["metadata"].get("deletionGracePeriodSeconds")
        return self._options.grace is not None and own is not None and self._options.grace < own

    def _gone(self, uid: str, pod: Json | None = None) -> None:
        self._pace.settled(uid)
        record = self._open.pop(uid, None)
        if record is None:
            return
        record.pod = pod or record.pod
        record.gone_at, record.outcome = utc_now(), "gone"
        if record.evicted_at is None and (uid in self._in_flight or _answer_was_lost(record)):
            record.evicted_at = record.gone_at

    def _give_up_unreachable(self, pool: ThreadPoolExecutor) -> None:
        """Stop to wait for pods whose end no kubelet can tell, where the task allows it."""
        patience, now = self._options.unreachable_timeout, time.monotonic()
        if patience is None:
            return
        if now >= self._look_at_node_at:
            self._look_at_node_at = now + NODE_LOOK_S
            pool.submit(self._look_at_node)
        if not self._node_unreachable:
            return
        for uid, since in self._ending_since.items():
            record = self._open.get(uid)
            if record is not None and now - since >= patience:
                record.outcome = "abandoned"
                record.warnings.append("its kubelet is unreachable, so nobody knows whether it still runs there")
                del self._open[uid]

    def _look_at_node(self) -> None:
        try:
            self._events.put(Seen("node", "there", [self._api.node_once(self._node)]))
        except (ApiStatusError, ApiUnreachable):
            return  # it is asked again
        except BaseException as caught:
            self._events.put(Crash(caught))


def _answer_was_lost(record: PodRecord) -> bool:
    """Whether our last try may have been carried out although no answer came."""
    return record.attempts > 0 and bool(record.blocked_by) and (record.blocked_by or {})["kind"] == "api_server"
