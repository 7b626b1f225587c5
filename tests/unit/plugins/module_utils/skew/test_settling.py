# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When what stands in the way is looked at again, since a run was cut off."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER, WARNING, Finding, finding
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.settling import (
    PASSING,
    CutOff,
    cut_off_run,
    settle,
)

Json = dict[str, t.Any]
RUN = CutOff("20260131T120000Z-4f1c", "2026-01-31T12:00:00.000000Z", "controller_gone")
RESTARTS = finding("static-pod-not-ready", BLOCKER, "pod/kube-system/etcd-c1", "it is not Ready", "See it.")
AWAY = finding("node-not-ready", BLOCKER, "node/c1", "KubeletNotReady", "See it.")
STAYS = finding("disk-too-small", BLOCKER, "node/c1", "1 MiB is free", "Free space.")
WARNED = finding("swap-on", WARNING, "node/w1", "swap is on", "Turn it off.")
NOW = 5000.0


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


@pytest.mark.parametrize(
    ("findings", "run", "until", "wait_s"),
    [
        pytest.param([RESTARTS], RUN, None, 10, id="the first look"),
        pytest.param([RESTARTS, AWAY, WARNED], RUN, None, 10, id="several, and one that stops nothing"),
        pytest.param([RESTARTS], None, None, None, id="no run was cut off"),
        pytest.param([], RUN, None, None, id="nothing stands in the way"),
        pytest.param([WARNED], RUN, None, None, id="nothing stops the run"),
        pytest.param([STAYS], RUN, None, None, id="one that does not pass"),
        pytest.param([RESTARTS, STAYS], RUN, None, None, id="one of two does not pass"),
        pytest.param([RESTARTS], RUN, NOW + 60, 10, id="a later look"),
        pytest.param([RESTARTS], RUN, NOW + 4.7, 4, id="the last look is at the deadline, not after it"),
        pytest.param([RESTARTS], RUN, NOW + 0.9, None, id="the deadline is near"),
        pytest.param([RESTARTS], RUN, NOW, None, id="the deadline"),
        pytest.param([RESTARTS], RUN, NOW - 300, None, id="after the deadline"),
    ],
)
def test_settle(findings: list[Finding], run: CutOff | None, until: float | None, wait_s: int | None) -> None:
    made = settle(findings, run, now=NOW, within_s=180, until=until)
    assert (made["wait_s"] if made else None) == wait_s


@pytest.mark.parametrize(
    ("within_s", "until", "expected"),
    [
        pytest.param(180, None, NOW + 180, id="from the first look on"),
        pytest.param(180, NOW + 60, NOW + 60, id="a later look prolongs nothing"),
        pytest.param(180, NOW + 9999, NOW + 180, id="nor does what somebody else says"),
        pytest.param(0, None, None, id="never"),
        pytest.param(0, NOW + 60, None, id="never, whatever was said before"),
        pytest.param(-5, None, None, id="a negative time is none"),
    ],
)
def test_the_deadline(within_s: float, until: float | None, expected: float | None) -> None:
    made = settle([RESTARTS], RUN, now=NOW, within_s=within_s, until=until)
    assert (made["until"] if made else None) == expected


def test_it_is_over_after_the_deadline_however_often_it_is_looked() -> None:
    now, until, looks = NOW, None, 0
    while (made := settle([RESTARTS], RUN, now=now, within_s=25, until=until)) is not None:
        now, until, looks = now + made["wait_s"] + 2, made["until"], looks + 1
    assert (looks, now) == (3, NOW + 27)


def test_it_is_said_why() -> None:
    made = settle([RESTARTS, WARNED], RUN, now=NOW, within_s=180, until=NOW + 100.5)
    assert made is not None
    assert made["why"] == (
        "Run 20260131T120000Z-4f1c was cut off: its lock kube-system/evergreen-kubeadm-upgrade, taken at "
        "2026-01-31T12:00:00.000000Z, is of a process that is gone. All that stands in the way can pass by itself: "
        "static-pod-not-ready (pod/kube-system/etcd-c1): it is not Ready. It is looked at again in 10 s, and for 100 s "
        "at the most."
    )
    assert (made["run_id"], made["since"]) == (RUN.run_id, RUN.since)


def test_what_passes_by_itself_is_about_what_restarts() -> None:
    assert sorted(PASSING) == [
        "api-service-unavailable",
        "control-plane-unknown",
        "etcd-member-unhealthy",
        "etcd-no-leader",
        "etcd-not-observed",
        "leader-lease-stale",
        "node-not-ready",
        "static-pod-missing",
        "static-pod-not-ready",
        "webhook-down",
    ]
