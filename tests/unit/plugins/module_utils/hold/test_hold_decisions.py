# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holding the controller managers: which Lease, what is written, and when it is refused."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._hold import decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._hold.decisions import Election, HoldError

NOW = "2026-01-31T12:00:00.000000Z"


def pod(*flags: str, node: str = "cp1") -> dict[str, t.Any]:
    return {"spec": {"nodeName": node, "containers": [{"command": ["kube-controller-manager", *flags]}]}}


def lease(holder: str = "cp1_0d5a", **spec: t.Any) -> dict[str, t.Any]:
    return {
        "metadata": {"name": "kube-controller-manager", "resourceVersion": "7", "managedFields": [{}]},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 2, **spec},
    }


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        ([pod()], Election()),
        ([pod("--leader-elect=true"), pod("--leader-elect-renew-deadline=1m30s")], Election(renew_deadline_s=90.0)),
        ([pod("--leader-elect-resource-name=a", "--leader-elect-resource-namespace=b")], Election("b", "a")),
    ],
)
def test_how_the_leader_is_chosen(pods: list[dict[str, t.Any]], expected: Election) -> None:
    assert decisions.election(pods) == expected


@pytest.mark.parametrize(
    "pods",
    [
        [],
        [pod("--leader-elect=false")],
        [pod("--leader-elect-resource-lock=endpoints")],
        [pod(), pod("--leader-elect-resource-name=other", node="cp2")],
        [pod("--leader-elect-renew-deadline=soon")],
    ],
)
def test_where_holding_would_not_stop_them_it_is_refused(pods: list[dict[str, t.Any]]) -> None:
    with pytest.raises(HoldError):
        decisions.election(pods)


@pytest.mark.parametrize(
    ("text", "value"), [("10s", 10.0), ("1m30s", 90.0), ("1500ms", 1.5), ("1.5s", 1.5), ("1h", 3600.0)]
)
def test_durations(text: str, value: float) -> None:
    assert decisions.seconds(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["10", "s", "ten s", "1x"])
def test_no_durations(text: str) -> None:
    with pytest.raises(HoldError):
        decisions.seconds(text)


def test_taking_renewing_and_giving_back() -> None:
    taken = decisions.held(lease(), "run1", 1800, NOW)
    assert taken["spec"] == {
        "holderIdentity": "evergreen-kubeadm/run1",
        "leaseDurationSeconds": 1800,
        "leaseTransitions": 3,
        "acquireTime": NOW,
        "renewTime": NOW,
    }
    assert taken["metadata"] == {"name": "kube-controller-manager", "resourceVersion": "7"}
    assert decisions.is_ours(taken)

    renewed = decisions.held(taken, "run1", 1800, "later")
    assert (renewed["spec"]["leaseTransitions"], renewed["spec"]["acquireTime"]) == (3, NOW)
    assert renewed["spec"]["renewTime"] == "later"

    other_run = decisions.held(taken, "run2", 1800, NOW)
    assert other_run["spec"]["leaseTransitions"] == 4

    back = decisions.released(taken, NOW)
    assert (back["spec"]["holderIdentity"], back["spec"]["leaseDurationSeconds"]) == ("", 1)
    assert not decisions.is_ours(back)
    assert not decisions.is_ours(lease())
    assert not decisions.is_ours(None)


@pytest.mark.parametrize("found", [None, lease(strategy="OldestEmulationVersion")])
def test_a_lease_that_cannot_be_held(found: dict[str, t.Any] | None) -> None:
    with pytest.raises(HoldError):
        decisions.held(found, "run1", 1800, NOW)
