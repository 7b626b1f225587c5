# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""How fast a drain may ask for evictions, by what the budgets are known to allow. Pure; the time is an argument.

An eviction that a budget refuses costs the API server as much as one that it
allows. So only as many are under way as the budget's last seen status
allows, and the next one goes when the status says so. Which budget a pod has
is seen anew with every change of the labels of the one and of the selector of
the other: operators move them while a drain waits.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.budgets import (
    allows_none,
    gate_of,
    is_counted,
    key_of_budget,
    needs_disruption,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import Json, uid_of

Key = tuple[str, str]
"""Namespace and name of a budget."""


@dataclass
class _Try:
    """An eviction that was asked for and that no status shows yet; `statuses` had been seen before."""

    name: str
    statuses: int
    answered: bool = False


@dataclass
class _Known:
    """What is known of one budget; `heard_at` is when its status was last seen, or an eviction was refused."""

    budget: Json
    heard_at: float
    allowed: int = 0
    statuses: int = 0
    tries: dict[str, _Try] = field(default_factory=dict)

    def free(self) -> int:
        return self.allowed - len(self.tries)

    def silent(self) -> bool:
        """Whether no answer is awaited, which would tell more."""
        return all(each.answered for each in self.tries.values())


class Pace:
    """Tells which of `pods` may be tried now.

    A budget that says nothing for `patience_s` seconds is tried with one pod
    all the same: its status may lie, and while no API server answers or the
    watch is refused, nothing is heard of it. One that lets no pod go by its
    numbers is asked for each of its pods once, at once: a webhook or an
    operator may wait for nothing else.

    `budgets` are those that there are, and `version` is the resourceVersion of their list.
    """

    def __init__(
        self, pods: t.Iterable[Json], budgets: t.Iterable[Json], version: str, patience_s: float, now: float
    ) -> None:
        self.version = version
        self._pods = {uid_of(pod): pod for pod in pods}
        self._gates: dict[str, Key] = {}
        self._asked: set[str] = set()
        self._patience_s = patience_s
        self._known: dict[Key, _Known] = {}
        self.namespaces = {pod["metadata"]["namespace"] for pod in self._pods.values()}
        self.all_seen(budgets, now)
        self.namespaces = {namespace for namespace, _name in self._gates.values()}
        """Where the budgets are that pods have; no other is of interest."""
        self._known = {key: known for key, known in self._known.items() if key[0] in self.namespaces}

    @property
    def needed(self) -> bool:
        """Whether any pod has a budget to be watched."""
        return bool(self._gates)

    def pod_seen(self, pod: Json) -> None:
        """The pod is like this now."""
        before = self._pods.get(uid_of(pod))
        if before is None:
            return
        self._pods[uid_of(pod)] = pod
        if before["metadata"].get("labels") != pod["metadata"].get("labels"):
            self._pair([uid_of(pod)])

    def seen(self, budget: Json, now: float) -> None:
        """The budget has this status. The API server writes an eviction into it before it deletes the pod."""
        if self._note(budget, now):
            self._pair(self._pods)

    def all_seen(self, budgets: t.Iterable[Json], now: float) -> None:
        """These are all budgets that there are; pods of one that is gone are free."""
        there = {key_of_budget(budget): self._note(budget, now) for budget in budgets}
        gone = set(self._known).difference(there)
        self._known = {key: known for key, known in self._known.items() if key not in gone}
        if gone or any(there.values()):
            self._pair(self._pods)

    def deleted(self, key: Key) -> None:
        """The budget is gone, and holds nothing back any more."""
        if self._known.pop(key, None):
            self._pair(self._pods)

    def _note(self, budget: Json, now: float) -> bool:
        """Keep the budget; say whether it may have other pods than before."""
        key = key_of_budget(budget)
        if key[0] not in self.namespaces:
            return False
        new = key not in self._known
        known = self._known.setdefault(key, _Known(budget, now))
        moved = new or (known.budget.get("spec") or {}).get("selector") != (budget.get("spec") or {}).get("selector")
        status, metadata = budget.get("status") or {}, budget["metadata"]
        stale = (status.get("observedGeneration") or 0) < (metadata.get("generation") or 0)
        known.budget = budget
        known.allowed, known.heard_at = 0 if stale else status.get("disruptionsAllowed") or 0, now
        known.statuses += 1
        disrupted = status.get("disruptedPods") or {}
        known.tries = {uid: each for uid, each in known.tries.items() if each.name not in disrupted}
        return moved

    def _pair(self, uids: t.Iterable[str]) -> None:
        """See which budget each of these pods has."""
        there = [known.budget for known in self._known.values()]
        for uid in uids:
            found, before = gate_of(self._pods[uid], there), self._gates.pop(uid, None)
            if found is not None:
                self._gates[uid] = key_of_budget(found)
            if before in self._known and before != self._gates.get(uid):
                # What it took from that budget, the status of that one tells.
                self._known[before].tries.pop(uid, None)

    def knows(self, uid: str) -> bool:
        """Whether it tells when the pod may be tried again."""
        return self._known_of(uid) is not None

    def may_try(self, uid: str, now: float) -> bool:
        known = self._known_of(uid)
        if known is None or known.free() > 0:
            return True
        if uid not in self._asked and allows_none(known.budget):
            return True
        return known.silent() and now - known.heard_at >= self._patience_s

    def next_try(self, uid: str) -> float | None:
        """When the pod may be tried although its budget stays silent; None where it is not held back by silence."""
        known = self._known_of(uid)
        return known.heard_at + self._patience_s if known and known.free() <= 0 and known.silent() else None

    def trying(self, uid: str, name: str) -> None:
        """`name` is that of the pod."""
        self._asked.add(uid)
        known = self._known_of(uid)
        if known:
            known.tries[uid] = _Try(name, known.statuses)

    def answered(self, uid: str, now: float, *, accepted: bool, refused: bool) -> None:
        """`refused` is by the budget itself, which says more than a status that was seen before."""
        known = self._budget_of(uid)
        if known is None:
            return
        # A status may come before the answer that it belongs to: then the try is no longer here, or it is older.
        this = known.tries.get(uid)
        if this is not None and accepted:
            this.answered = True
        elif this is not None:
            del known.tries[uid]
        if refused and this is not None and this.statuses == known.statuses:
            known.allowed, known.heard_at = 0, now

    def settled(self, uid: str) -> None:
        """The pod is seen to end. Also a budget that did not have to pay for it owes nothing then."""
        known = self._budget_of(uid)
        if known:
            known.tries.pop(uid, None)

    def _known_of(self, uid: str) -> _Known | None:
        """The budget that an eviction of the pod takes from; None where it takes from none."""
        known = self._budget_of(uid)
        if known is None or not is_counted(self._pods[uid]) or not needs_disruption(known.budget, self._pods[uid]):
            return None
        return known

    def _budget_of(self, uid: str) -> _Known | None:
        key = self._gates.get(uid)
        return self._known.get(key) if key else None
