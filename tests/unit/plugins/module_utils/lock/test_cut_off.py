# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a run was cut off, by its lock and the Leases beside it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.cut_off import CutOff, cut_off_run

Json = dict[str, t.Any]
RUN = CutOff("20260131T120000Z-4f1c", "2026-01-31T12:00:00.000000Z", "controller_gone")


def lease(name: str, renewed: str | None, holder: str | None = "other", seconds: int | None = 60) -> Json:
    spec = {"holderIdentity": holder, "acquireTime": RUN.since, "renewTime": renewed, "leaseDurationSeconds": seconds}
    return {"metadata": {"namespace": "kube-system", "name": name}, "spec": spec}


def locked(holder: str | None = f"{RUN.run_id}@ops", seconds: int | None = 60) -> Json:
    return lease("evergreen-kubeadm-upgrade", "2026-01-31T12:10:00.000000Z", holder, seconds)


# What an API server renews all the time.
SOON = lease("apiserver-x", "2026-01-31T12:10:59.000000Z")
LATER = lease("apiserver-x", "2026-01-31T12:11:00.000000Z")


@pytest.mark.parametrize(
    ("leases", "controller", "expected"),
    [
        pytest.param([], "unknown", None, id="no Lease"),
        pytest.param([LATER], "gone", None, id="no lock"),
        pytest.param([LATER, locked(holder=None)], "gone", None, id="a lock that nobody holds"),
        pytest.param([SOON, locked()], "unknown", None, id="held, and nothing is known of its run"),
        pytest.param([SOON, locked()], "alive", None, id="held by a living run"),
        pytest.param([SOON, locked()], "gone", "controller_gone", id="held by a dead run"),
        pytest.param([LATER, locked()], "unknown", "expired", id="expired"),
        pytest.param([LATER, locked()], "gone", "expired", id="expired, and dead"),
        pytest.param([LATER, locked()], "alive", None, id="expired, and its run is seen to be alive"),
        pytest.param([locked()], "unknown", None, id="no other Lease tells the time"),
        pytest.param([LATER, locked(seconds=None)], "unknown", None, id="it has no duration, so it never expires"),
    ],
)
def test_a_run_that_was_cut_off(leases: list[Json], controller: str, expected: str | None) -> None:
    found = cut_off_run(leases, controller)
    assert found == (None if expected is None else RUN._replace(reason=expected))


def test_what_was_seen_of_it() -> None:
    assert RUN.told() == (
        "Run 20260131T120000Z-4f1c was cut off: its lock kube-system/evergreen-kubeadm-upgrade, taken at "
        "2026-01-31T12:00:00.000000Z, is of a process that is gone"
    )
    assert RUN._replace(since="", reason="expired").told().endswith("taken at an unknown time, has expired")
