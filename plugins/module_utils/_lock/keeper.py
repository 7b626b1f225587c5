# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Renews a lock beside its run, whatever the run waits for, and ends with the run."""

from __future__ import annotations

import contextlib
import os
import time
import typing as t
from collections.abc import Callable

from ansible_collections.evergreen.kubeadm.plugins.module_utils._controller import GONE, UNKNOWN, look
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.decisions import Decision
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.io import LeaseStore, LostRace

LOOK_EVERY_S = 1.0
RETRY_S = 5.0
RENEWALS = 3
"""In the time of a Lease."""

Json = dict[str, t.Any]


class Settings(t.NamedTuple):
    """Times in seconds. `heartbeat` is a file that tells others on this machine that the run is alive."""

    controller: Json | None
    lease_seconds: int
    idle_limit_s: float
    heartbeat: str | None


def keep(
    open_store: Callable[[], LeaseStore], decide: Callable[[Json | None, LeaseStore], Decision], to: Settings
) -> str:
    """Renew until it ends; return what ended it: ``controller``, ``idle`` or ``lost``.

    `decide` says what renews the lock, or that it is ``lost``. A server that
    does not answer is asked again. Where the controller cannot be seen from
    here, each renewal by anybody else is a sign of life: only the run itself
    renews its lock.
    """
    own: str | None = None
    due = alive = time.monotonic()
    while True:
        seen = look(to.controller)
        now = time.monotonic()
        if seen == GONE:
            return "controller"
        if seen == UNKNOWN and now - alive >= to.idle_limit_s:
            return "idle"
        if now >= due:
            _touch(to.heartbeat)
            due = now + RETRY_S
            # Somebody else was faster, or nobody answers: it is tried again.
            with contextlib.suppress(LostRace, EvergreenError):
                found, own_now = _renew(open_store(), decide)
                if own_now is None:
                    return "lost"
                if found != own:
                    alive = now
                own, due = own_now, now + to.lease_seconds / RENEWALS
        time.sleep(LOOK_EVERY_S)


def _renew(store: LeaseStore, decide: Callable[[Json | None, LeaseStore], Decision]) -> tuple[str | None, str | None]:
    """The versions of the Lease before and after; the latter is None where the lock is lost."""
    lease = store.read()
    decision = decide(lease, store)
    if decision.action == "lost":
        return None, None
    return _version(lease), _version(store.write(decision))


def _version(lease: Json | None) -> str | None:
    return ((lease or {}).get("metadata") or {}).get("resourceVersion")


def _touch(path: str | None) -> None:
    """A disk that is full keeps no lock from being renewed."""
    if path:
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
            with open(path, "ab"):
                os.utime(path)
