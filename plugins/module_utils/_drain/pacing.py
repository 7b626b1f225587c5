# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""How fast a drain may ask for evictions, by what the budgets are known to allow. Pure; the time is an argument.

An eviction that a budget refuses costs the API server as much as one that it
allows. So only as many are under way as the budget's last seen status
allows, and the next one goes when the status says so.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.budgets import key_of_budget
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import Json

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

    allowed: int
    heard_at: float
    statuses: int = 0
    tries: dict[str, _Try] = field(default_factory=dict)

    def free(self) -> int:
        return self.allowed - len(self.tries)

    def silent(self) -> bool:
        """Whether no answer is awaited, which would tell more."""
        return all(each.answered for each in self.tries.values())


class Pace:
    """Tells which pods may be tried now.

    `gates` are the budgets that pods are protected by, by UID. A budget that
    says nothing for `patience_s` seconds is tried with one pod all the same:
    its status may lie, and while no API server answers or the watch is
    refused, nothing is heard of it.

    `budgets` are those that there are, and `version` is the resourceVersion of their list.
    """

    def __init__(
        self, gates: t.Mapping[str, Key], budgets: t.Iterable[Json], version: str, patience_s: float, now: float
    ) -> None:
        self.version = version
        self._gates = dict(gates)
        self._patience_s = patience_s
        self._known: dict[Key, _Known] = {}
        self.all_seen(budgets, now)

    @property
    def needed(self) -> bool:
        """Whether any pod has a budget to be watched."""
        return bool(self._gates)

    @property
    def namespaces(self) -> set[str]:
        """Where the budgets are."""
        return {namespace for namespace, _name in self._gates.values()}

    def seen(self, budget: Json, now: float) -> None:
        """The budget has this status. The API server writes an eviction into it before it deletes the pod."""
        key = key_of_budget(budget)
        if key not in set(self._gates.values()):
            return
        status, metadata = budget.get("status") or {}, budget["metadata"]
        stale = (status.get("observedGeneration") or 0) < (metadata.get("generation") or 0)
        known = self._known.setdefault(key, _Known(0, now))
        known.allowed, known.heard_at = 0 if stale else status.get("disruptionsAllowed") or 0, now
        known.statuses += 1
        disrupted = status.get("disruptedPods") or {}
        known.tries = {uid: each for uid, each in known.tries.items() if each.name not in disrupted}

    def all_seen(self, budgets: t.Iterable[Json], now: float) -> None:
        """These are all budgets that there are; pods of one that is gone are free."""
        there = []
        for budget in budgets:
            self.seen(budget, now)
            there.append(key_of_budget(budget))
        for key in set(self._gates.values()).difference(there):
            self.deleted(key)

    def deleted(self, key: Key) -> None:
        """The budget is gone, and holds nothing back any more."""
        self._gates = {uid: gate for uid, gate in self._gates.items() if gate != key}
        self._known.pop(key, None)

    def knows(self, uid: str) -> bool:
        """Whether it tells when the pod may be tried again."""
        return self._known_of(uid) is not None

    def may_try(self, uid: str, now: float) -> bool:
        known = self._known_of(uid)
        if known is None or known.free() > 0:
            return True
        return known.silent() and now - known.heard_at >= self._patience_s

    def next_try(self, uid: str) -> float | None:
        """When the pod may be tried although its budget stays silent; None where it is not held back by silence."""
        known = self._known_of(uid)
        return known.heard_at + self._patience_s if known and known.free() <= 0 and known.silent() else None

    def trying(self, uid: str, name: str) -> None:
        """`name` is that of the pod."""
        known = self._known_of(uid)
        if known:
            known.tries[uid] = _Try(name, known.statuses)

    def answered(self, uid: str, now: float, *, accepted: bool, refused: bool) -> None:
        """`refused` is by the budget itself, which says more than a status that was seen before."""
        known = self._known_of(uid)
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
        known = self._known_of(uid)
        if known:
            known.tries.pop(uid, None)

    def _known_of(self, uid: str) -> _Known | None:
        key = self._gates.get(uid)
        return self._known.get(key) if key else None
