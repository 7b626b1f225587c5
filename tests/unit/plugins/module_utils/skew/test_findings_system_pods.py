# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plan says of pods of kube-system that are not ready, and what it leaves to the gates."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.decisions import NAME, NOT_READY_ANNOTATION
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.cases import (
    cluster,
    control_plane,
    decide,
    node,
    pod,
    said,
)

Json = dict[str, t.Any]
EXPORTER, PROXY = "daemonset/kube-system/old-exporter", "daemonset/kube-system/kube-proxy"


def broken(name: str, of: str = "old-exporter", on: str = "w1") -> Json:
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": of, "controller": True}
    made = pod(name, on, namespace="kube-system", ownerReferences=[owner], creationTimestamp="2025-11-02T08:00:00Z")
    since = {"type": "Ready", "status": "False", "lastTransitionTime": "2025-11-02T08:00:09Z"}
    made["status"] = {"phase": "Pending", "conditions": [since]}
    return made


def lease(**not_ready: list[str]) -> Json:
    """What an upgrade that is not at its end left, and nobody holds."""
    record = {"at": "2026-01-31T12:00:00.000000Z", "not_ready": {k.replace("__", "/"): v for k, v in not_ready.items()}}
    return {"metadata": {"name": NAME, "annotations": {NOT_READY_ANNOTATION: json.dumps(record)}}, "spec": {}}


def plan(*pods: Json, leases: list[Json] | None = None, **request: t.Any) -> t.Any:
    found = cluster(pods=[*control_plane("c1"), *pods], leases=leases or [])
    return decide(found, **request)


def test_what_was_broken_before_is_warned_of_and_not_waited_for() -> None:
    verdict = plan(broken("old-exporter-x7k2p"))
    assert said(verdict) == [("warning", "system-pod-not-ready", EXPORTER)]
    (found,) = verdict["findings"]
    assert "old-exporter-x7k2p not ready since 2025-11-02T08:00:09Z: phase Pending" in found["evidence"]
    assert "will not wait for it" in found["remedy"]
    assert verdict["not_ready"] == {EXPORTER: ["w1"]}
    assert verdict["blockers"] == 0


def test_what_crashes_again_and_again_is_known_while_it_is_ready() -> None:
    crash = {"terminated": {"startedAt": "2027-01-15T07:58:50Z", "finishedAt": "2027-01-15T07:58:59Z", "exitCode": 1}}
    state = {"running": {"startedAt": "2027-01-15T07:59:58Z"}}
    found = broken("agent-1")
    found["status"] = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"name": "c", "ready": True, "restartCount": 7, "state": state, "lastState": crash}],
    }
    verdict = plan(found)
    assert said(verdict) == [("warning", "system-pod-not-ready", EXPORTER)]
    assert verdict["findings"][0]["evidence"] == "agent-1: container c crashes again and again, 7 restarts"
    assert verdict["not_ready"] == {EXPORTER: ["w1"]}


def test_a_warning_that_is_accepted_is_not_waited_for_either() -> None:
    verdict = plan(broken("a"), accepted=[{"id": "system-pod-not-ready", "reason": "known"}])
    assert (said(verdict), verdict["not_ready"]) == ([], {EXPORTER: ["w1"]})


def test_an_addon_that_the_upgrade_replaces_is_waited_for() -> None:
    verdict = plan(broken("kube-proxy-1", "kube-proxy"))
    assert said(verdict) == [("blocker", "system-pod-not-ready", PROXY)]
    assert verdict["not_ready"] == {}
    accepted = plan(broken("kube-proxy-1", "kube-proxy"), accepted=[{"id": "system-pod-not-ready", "reason": "r"}])
    assert (said(accepted), accepted["not_ready"]) == ([], {PROXY: ["w1"]})


def test_what_an_unfinished_upgrade_broke_is_waited_for() -> None:
    verdict = plan(
        broken("a"), broken("new-1", "new"), leases=[lease(**{"daemonset__kube-system__old-exporter": ["w1"]})]
    )
    assert said(verdict) == [
        ("blocker", "system-pod-not-ready", "daemonset/kube-system/new"),
        ("warning", "system-pod-not-ready", EXPORTER),
    ]
    assert "was ready when the upgrade began at 2026-01-31T12:00:00.000000Z" in verdict["findings"][0]["evidence"]
    assert verdict["not_ready"] == {EXPORTER: ["w1"]}


def test_it_is_compared_by_node_where_a_pod_has_its_node() -> None:
    record = lease(**{"daemonset__kube-system__old-exporter": ["w1"]})
    verdict = plan(broken("a"), broken("b", on="c1"), leases=[record])
    assert said(verdict) == [("blocker", "system-pod-not-ready", EXPORTER)]
    assert verdict["findings"][0]["evidence"].startswith("b not ready")
    accepted = [{"id": "system-pod-not-ready", "subject": EXPORTER, "reason": "another one"}]
    assert plan(broken("a"), broken("b", on="c1"), leases=[record], accepted=accepted)["not_ready"] == {
        EXPORTER: ["c1", "w1"]
    }


def test_what_was_broken_before_is_not_forgotten_while_it_is_well() -> None:
    assert plan(leases=[lease(**{"daemonset__kube-system__old-exporter": ["w1"]})])["not_ready"] == {EXPORTER: ["w1"]}


def test_an_upgrade_that_found_nothing_broken_waits_for_everything() -> None:
    assert said(plan(broken("a"), leases=[lease()])) == [("blocker", "system-pod-not-ready", EXPORTER)]


def test_the_lease_of_a_run_that_failed_at_its_end_is_something_to_do() -> None:
    done = decide(cluster(leases=[lease()]), "1.34.4")
    assert (done["upgrade_needed"], done["hops"]) == (True, [])
    assert done["summary"] == ["The Lease of a run that did not end the upgrade is to be removed."]
    held = {**lease(), "spec": {"holderIdentity": "a@one"}}
    assert not decide(cluster(leases=[held]), "1.34.4")["upgrade_needed"]


@pytest.mark.parametrize("leases", [[], [lease()]])
def test_a_pod_that_waits_for_a_node_of_an_interrupted_run(leases: list[Json]) -> None:
    waiting, mark = broken("a", on=""), {api.CORDON_ANNOTATION: '{"run": "r1"}'}
    for ours, expected in ((False, [("system-pod-not-ready", EXPORTER)]), (True, [])):
        worker = node("w1", unschedulable=True, annotations=mark if ours else {})
        found = cluster(
            nodes=[node("c1", control_plane=True), worker], pods=[*control_plane("c1"), waiting], leases=leases
        )
        verdict = decide(found)
        about = [(id, subject) for _severity, id, subject in said(verdict) if id == "system-pod-not-ready"]
        assert about == expected
        assert verdict["not_ready"] == ({} if ours or leases else {EXPORTER: [""]})


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param({}, {}, id="of the run"),
        pytest.param({"accepted": [{"id": "node-not-ready", "reason": "r"}]}, {"node/w1": ["w1"]}, id="accepted"),
        pytest.param({"places": ["c1"]}, {"node/w1": ["w1"]}, id="not of the run"),
    ],
)
def test_a_node_that_is_not_ready(request_: Json, expected: Json) -> None:
    found = cluster(nodes=[node("c1", control_plane=True), node("w1", ready="Unknown")])
    verdict = decide(found, **request_)
    assert verdict["not_ready"] == expected
    assert verdict["blockers"] == (0 if expected else 1)
