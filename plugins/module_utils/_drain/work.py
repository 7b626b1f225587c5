# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The way of one node: cordoned, drained or uncordoned, and what a report says of it."""

from __future__ import annotations

import contextlib
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.errors import ApiStatusError, ApiUnreachable
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import utc_now
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain import budgets, cordon, decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.answers import judge_answer
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.detach import Detach
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.eviction import Eviction
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.io import Conflict, DrainApi
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import (
    Json,
    Options,
    PodRecord,
    is_ready,
    tolerates_cordon,
    uid_of,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.pacing import Pace
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.surge import Surge
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline


PREDICTED = ("would_be_evicted", "would_be_surged")
# How long after a look that may have been too early the next one is.
AGAIN_AFTER_S = 1.0


class Work:
    """One task on some nodes. `report` is its result at any moment, also after a failure."""

    def __init__(self, api: DrainApi, options: Options, deadline: Deadline, *, run_id: str, check_mode: bool) -> None:
        self._api = api
        self._options = options
        self._deadline = deadline
        self._run_id = run_id
        self._check_mode = check_mode
        self._before: dict[str, Json] = {}
        self._after: dict[str, Json] = {}
        self._records: list[PodRecord] = []
        self._budgets: list[Json] = []
        self._pace = Pace([], [], "", options.wait_sleep, time.monotonic())
        self._returns: dict[decisions.Workload, int] = {}
        self._surge = Surge(api, deadline)
        self._detach = Detach(api, deadline)
        self._left: list[Json] = []
        self._names: list[str] = []
        self._warnings: list[str] = []

    def cordon(self, names: Sequence[str]) -> None:
        for name in names:
            self._change_node(name, lambda node: cordon.cordon_patch(node, self._run_id, utc_now()), wanted=True)

    def uncordon(self, names: Sequence[str], *, only_own: bool) -> None:
        for name in names:
            node = self._change_node(name, lambda node: cordon.uncordon_patch(node, only_own=only_own), wanted=False)
            if cordon.is_cordoned(node):
                self._warnings.append(
                    f"Node {name} was cordoned by somebody else and stays so; only_own=false uncordons it."
                )

    def drain(self, names: Sequence[str]) -> None:
        """Cordon all of them, make sure that every pod may go, then drain one after the other."""
        try:
            self.cordon(names)
            versions = {name: self._look(name) for name in names}
            self._judge_budgets()
            if self._check_mode:
                self._predict()
        except (EvergreenError, KeyboardInterrupt) as error:
            self._take_cordons_back(error)
            raise
        if not self._check_mode:
            for name in names:
                self._drain_one(name, versions[name])
                if self._options.wait_for_volume_detach:
                    self._detach.wait(name, self._records)

    def report(self) -> dict[str, t.Any]:
        """The keys of the module's result."""
        cordons = [
            {**cordon.describe(self._after[name]), "changed": self._cordon_changed(name)} for name in self._names
        ]
        removed = [
            record for record in self._records if record.evicted_at or record.surged_at or record.outcome in PREDICTED
        ]
        return {
            "changed": bool(removed) or any(each["changed"] for each in cordons),
            "nodes": list(self._names),
            "node": self._names[0] if len(self._names) == 1 else None,
            "cordoned_by_us": bool(cordons) and all(each["by_us"] for each in cordons),
            "cordons": cordons,
            "pods": [record.as_result() for record in self._records],
            "budgets": list(self._budgets),
            "volumes": list(self._detach.volumes),
            "left": list(self._left),
            "totals": decisions.totals(self._records),
            "diff": self._diff(removed),
        }

    def warnings(self) -> list[str]:
        """For the user: what is lost and what was left alone."""
        concerned = [record for record in self._records if record.leaves or record.decision == "returns"]
        return self._warnings + [f"{record.key}: {text}" for record in concerned for text in record.warnings]

    def _change_node(self, name: str, patch_for: Callable[[Json], Json | None], *, wanted: bool) -> Json:
        """Patch the Node as `patch_for` says, and read it again to be sure."""
        while True:
            node = self._api.node(name)
            if name not in self._before:
                self._names.append(name)
                self._before[name] = self._after[name] = node
            patch = patch_for(node)
            what = f"{'cordoning' if wanted else 'uncordoning'} node {name}"
            if patch is not None and self._check_mode:
                self._foresee_patch(name, patch, what)
            if patch is None or self._check_mode:
                self._after[name] = cordon.patched(node, patch)
                return self._after[name]
            try:
                self._api.patch_node(name, patch, what)
            except Conflict:
                if self._deadline.expired():
                    raise EvergreenError(f"Node {name} is changed by others all the time; it was left alone.") from None
                continue
            except (ApiStatusError, ApiUnreachable):
                self._note_state(name)
                raise
            self._after[name] = node = self._api.node(name)
            if cordon.is_cordoned(node) != wanted:
                state = "schedulable" if wanted else "cordoned"
                raise EvergreenError(
                    f"Node {name} was {'cordoned' if wanted else 'uncordoned'} and is {state} again: "
                    "somebody else changes it at the same time."
                )
            return node

    def _foresee_patch(self, name: str, patch: Json, what: str) -> None:
        """Fail where the real patch would be refused for a missing right."""
        try:
            self._api.patch_node(name, patch, what, dry_run=True)
        except Conflict:
            return
        except ApiStatusError as error:
            # A webhook that knows no dry run answers 400, which says nothing of the real patch.
            if error.status != 400:
                raise

    def _note_state(self, name: str) -> None:
        """After a patch without a usable answer: what the report says shall still be so."""
        with contextlib.suppress(ApiStatusError, ApiUnreachable):
            self._after[name] = self._api.node(name)

    def _look(self, name: str, *, late: bool = False) -> str:
        """Decide about every pod of the node that is not known; return the resourceVersion of the look."""
        pods, version = self._api.pods(name, self._options.pod_selector)
        daemon_sets = self._api.existing_daemon_sets(pods)
        # An earlier drain of ours evicted what was there, so that one done again changes nothing.
        since = "" if self._cordon_changed(name) else cordon.since(self._after[name])
        known = {record.uid: record for record in self._records}
        fresh = []
        for pod in pods:
            before = known.get(uid_of(pod))
            if before is not None and before.outcome != "gone":
                continue
            after_cordon = before is None and (late or decisions.came_after(pod, since))
            record = decisions.classify(pod, name, self._options, daemon_sets, after_cordon=after_cordon)
            if before is not None:
                # What was taken for its end was none.
                record.attempts = before.attempts
                self._records.remove(before)
            fresh.append(record)
        if any(record.uid in known for record in fresh):
            self._deadline.sleep(AGAIN_AFTER_S)
        self._records.extend(sorted(fresh, key=lambda record: (record.group, record.key)))
        refused = decisions.refusal(fresh, late=late)
        if refused:
            raise EvergreenError(refused[0], hint=refused[1])
        if late:
            self._returns = decisions.count_returns(
                [record for record in fresh if record.uid not in known], self._returns
            )
        if self._options.surge_singletons:
            self._surge.find(fresh, self._records)
        return version

    def _judge_budgets(self) -> None:
        pods = [record.pod for record in self._records if record.decision == "evict"]
        if self._options.disable_eviction or not pods:
            return
        there, version = self._api.budgets()
        self._budgets = budgets.analyse(there, self._records)
        self._pace = Pace(pods, there, version, self._options.wait_sleep, time.monotonic())
        found = budgets.stuck(self._budgets)
        if found:
            self._warnings.append(f"{found[0]} The drain waits until that changes, or its time is over. {found[1]}")

    def _predict(self) -> None:
        """Ask the server what each eviction would be answered."""
        for record in self._records:
            if record.decision == "surge":
                record.outcome = "would_be_surged"
            elif record.leaves and record.decision != "evict" and not record.is_over:
                record.outcome = "would_wait"
        targets = [record for record in self._records if record.decision == "evict"]
        with ThreadPoolExecutor(max_workers=self._options.max_parallel) as pool:
            list(pool.map(self._predict_one, targets))
        failed = [record for record in targets if record.outcome == "failed"]
        if failed:
            raise EvergreenError(f"The drain would fail: {_named(failed)}.")
        if self._options.wait_for_volume_detach:
            for name in self._names:
                self._detach.look(name, self._records)

    def _predict_one(self, record: PodRecord) -> None:
        while True:
            error: ApiStatusError | ApiUnreachable | None = None
            record.attempts += 1
            try:
                self._api.remove(record.pod, self._options, dry_run=True)
            except (ApiStatusError, ApiUnreachable) as caught:
                error = caught
            verdict = judge_answer(
                error, attempt=record.attempts, wait_sleep=self._options.wait_sleep, after_outage=False
            )
            record.blocked_by = verdict.blocked_by
            passing = record.blocked_by and record.blocked_by["kind"] in ("api_server", "flow_control")
            if verdict.kind == "retry" and passing and not self._deadline.expired():
                self._deadline.sleep(verdict.after_s)
                continue
            record.outcome = {"evicted": "would_be_evicted", "gone": "gone", "retry": "would_wait"}.get(
                verdict.kind, "failed"
            )
            return

    def _drain_one(self, name: str, version: str) -> None:
        """Remove the pods of the node until a look finds none that should go."""
        first = True
        while True:
            mine = [record for record in self._records if record.node == name]
            targets = [record for record in mine if record.leaves and not record.is_over]
            if not targets and not first:
                return
            if targets and (first or not self._deadline.expired()):
                self._move_singletons(name)
                eviction = Eviction(self._api, name, targets, self._options, self._deadline, self._pace)
                eviction.run(version)
                if eviction.complaint:
                    self._warnings.append(eviction.complaint)
            self._fail_where_left(name, targets)
            comes_back = any(tolerates_cordon(record.pod) for record in targets)
            if comes_back or (not targets and self._cordon_changed(name)):
                # The scheduler takes a moment to see the cordon, or to place the next pod.
                self._deadline.sleep(AGAIN_AFTER_S)
            # A pod that the scheduler had placed before it saw the cordon may have come since.
            version, first = self._look(name, late=True), False

    def _move_singletons(self, name: str) -> None:
        try:
            self._surge.move(name)
        except EvergreenError:
            self._left = decisions.left_over(self._records, node_ready=True)
            raise

    def _fail_where_left(self, name: str, targets: Sequence[PodRecord]) -> None:
        open_ones = [record for record in targets if not record.is_over]
        if not open_ones:
            return
        try:
            node_ready = is_ready(self._api.node(name))
        except (ApiStatusError, ApiUnreachable):
            node_ready = True
        self._left = decisions.left_over(self._records, node_ready=node_ready)
        failed = [record for record in open_ones if record.outcome == "failed"]
        rest = f"Left on node {name}: " + "; ".join(
            f"{entry['namespace']}/{entry['name']} ({entry['reason']})" for entry in self._left if entry["node"] == name
        )
        kept = "The node stays cordoned."
        if failed:
            error = EvergreenError(f"Node {name} cannot be drained: {_named(failed)}. {rest}.", hint=kept)
            if not any(record.evicted_at or record.surged_at for record in self._records):
                error.hint = "Nothing was evicted, and a cordon that this task made is taken back."
                self._take_cordons_back(error)
            raise error
        stuck = self._stuck_now(open_ones)
        told = f" {stuck[0]} {stuck[1]}" if stuck else ""
        raise EvergreenError(
            f"Node {name} is not drained after {self._options.wait_timeout} s. {rest}.{told}",
            hint=f"{kept} Remove what blocks these pods, or give wait_timeout more seconds, and run again.",
        )

    def _stuck_now(self, open_ones: Sequence[PodRecord]) -> tuple[str, str] | None:
        """Which budgets let none of these pods go, as they are now."""
        if self._options.disable_eviction or not any(record.decision == "evict" for record in open_ones):
            return None
        try:
            return budgets.stuck(budgets.analyse(self._api.list_budgets_once(None)[0], open_ones))
        except (ApiStatusError, ApiUnreachable):
            return None

    def _take_cordons_back(self, error: EvergreenError | KeyboardInterrupt) -> None:
        """Uncordon what this task cordoned, since it has evicted nothing."""
        for name in self._names:
            if not self._cordon_changed(name):
                continue
            try:
                self._change_node(name, lambda node: cordon.uncordon_patch(node, only_own=True), wanted=False)
            except EvergreenError as second:
                if not isinstance(error, EvergreenError):
                    continue
                error.message += f" The cordon of node {name} could not be taken back: {second.message}"
                error.args = (error.message,)

    def _cordon_changed(self, name: str) -> bool:
        return _visible(self._before[name]) != _visible(self._after[name])

    def _diff(self, removed: Sequence[PodRecord]) -> Json:
        def side(nodes: dict[str, Json], pods: Sequence[PodRecord]) -> Json:
            return {
                name: {
                    **{key: value for key, value in cordon.describe(nodes[name]).items() if key != "node"},
                    "pods": [record.key for record in pods if record.node == name],
                }
                for name in self._names
            }

        kept = [record for record in self._records if record not in removed and record.outcome != "gone"]
        there = [record for record in self._records if record in removed or record in kept]
        return {"before": side(self._before, there), "after": side(self._after, kept)}


def _visible(node: Json) -> tuple[bool, bool]:
    return cordon.is_cordoned(node), cordon.note_of(node) is not None


def _named(records: Sequence[PodRecord]) -> str:
    return "; ".join(f"{record.key}: {(record.blocked_by or {}).get('message', '')}".rstrip(". ") for record in records)


def reported(work: Work, action: Callable[[], None]) -> dict[str, t.Any]:
    """Run `action` and return the report, also inside of the error that it raises."""
    try:
        action()
    except EvergreenError as error:
        error.result = {**work.report(), **error.result}
        raise
    return work.report()
