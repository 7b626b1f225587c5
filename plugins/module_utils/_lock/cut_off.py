# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Whether a run was cut off, by what is left of its lock: pure.

A run that ends, also by a failure, gives its Lease back. One that was killed
leaves it, and with it whatever else it had not put back yet.
"""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock import decisions as lock

Json = dict[str, t.Any]

_REASONS = {lock.EXPIRED: "has expired", lock.CONTROLLER_GONE: "is of a process that is gone"}


class CutOff(t.NamedTuple):
    """A run that did not end. `since` is when it took the lock, empty where that does not say."""

    run_id: str
    since: str
    reason: str

    def told(self) -> str:
        """What was seen of it, without a full stop."""
        return (
            f"Run {self.run_id} was cut off: its lock {lock.NAMESPACE}/{lock.NAME}, taken at "
            f"{self.since or 'an unknown time'}, {_REASONS[self.reason]}"
        )


def lock_of(leases: list[Json]) -> Json | None:
    """The upgrade lock among the Leases of its namespace; None where nobody holds it."""
    return next((lease for lease in leases if (lease.get("metadata") or {}).get("name") == lock.NAME), None)


def cut_off_run(leases: list[Json], holder_controller: str) -> CutOff | None:
    """The run whose lock is left over; None where there is no lock, or its run may be alive.

    `holder_controller` says whether the process that the lock names is
    ``alive``, ``gone`` or ``unknown``. What time it is, the newest renewal
    among `leases` tells: API servers and leaders renew theirs all the time, and
    no clock of this machine is in it.
    """
    found = lock_of(leases)
    if found is None:
        return None
    state = lock.describe(found)
    reason = lock.why_ended(found, lock.newest_renewal(leases), holder_controller)
    if state["holder"] is None or reason is None:
        return None
    return CutOff(state["holder"].partition("@")[0], state["acquired_at"] or "", reason)
