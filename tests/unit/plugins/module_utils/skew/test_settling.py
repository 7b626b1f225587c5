# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When what stands in the way is looked at again, since a run was cut off."""

from __future__ import annotations

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.cut_off import CutOff
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER, WARNING, Finding, finding
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.settling import PASSING, settle

RUN = CutOff("20260131T120000Z-4f1c", "2026-01-31T12:00:00.000000Z", "controller_gone")
RESTARTS = finding("static-pod-not-ready", BLOCKER, "pod/kube-system/etcd-c1", "it is not Ready", "See it.")
AWAY = finding("node-not-ready", BLOCKER, "node/c1", "KubeletNotReady", "See it.")
STAYS = finding("disk-too-small", BLOCKER, "node/c1", "1 MiB is free", "Free space.")
WARNED = finding("swap-on", WARNING, "node/w1", "swap is on", "Turn it off.")
NOW = 5000.0


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
        "api-server-not-asked",
        "api-service-unavailable",
        "backup-not-possible",
        "control-plane-unknown",
        "etcd-member-unhealthy",
        "etcd-no-leader",
        "etcd-not-observed",
        "leader-lease-stale",
        "node-not-ready",
        "static-pod-missing",
        "static-pod-not-ready",
        "system-pod-not-ready",
        "webhook-down",
    ]
