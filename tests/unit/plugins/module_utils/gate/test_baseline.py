# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was broken before an upgrade is told and not waited for, and what the upgrade broke is waited for."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import decisions, model
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.baseline import lasting_troubles, subject_of

Json = dict[str, t.Any]
NOW = datetime(2026, 1, 31, 12, 0, tzinfo=timezone.utc)
LONG_AGO, JUST_NOW = "2025-11-02T08:00:00Z", "2026-01-31T11:58:00Z"
EXPORTER = "daemonset/kube-system/old-exporter"
LOOP = [(EXPORTER, "w1", "")]


def node(name: str, ready: str = "True") -> Json:
    return {"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": ready}]}}


def pod(name: str, on: str, owner: tuple[str, str] | None = ("DaemonSet", "old-exporter"), **more: t.Any) -> Json:
    owners = [{"apiVersion": "apps/v1", "kind": owner[0], "name": owner[1], "controller": True}] if owner else []
    metadata = {"namespace": "kube-system", "name": name, "creationTimestamp": LONG_AGO, "ownerReferences": owners}
    return {
        "metadata": {**metadata, **more.pop("metadata", {})},
        "spec": {"nodeName": on},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], **more},
    }


def broken(name: str, on: str, since: str = LONG_AGO, **more: t.Any) -> Json:
    """A pod whose image is gone."""
    condition = {"type": "Ready", "status": "False", "lastTransitionTime": since}
    waiting = {"name": "exporter", "ready": False, "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    status = {"phase": "Pending", "conditions": [condition], "containerStatuses": [waiting]}
    return pod(name, on, **{**status, **more})


BACK_OFF: Json = {"waiting": {"reason": "CrashLoopBackOff"}}


def run(began: str, ended: str, code: int = 1) -> Json:
    return {"terminated": {"startedAt": began, "finishedAt": ended, "exitCode": code}}


CRASH = run("2026-01-31T11:57:00Z", "2026-01-31T11:58:00Z")


def crashing(restarts: int, state: Json, last: Json, where: str = "containerStatuses") -> Json:
    """A pod that was Ready for a moment at its last start, and is so again where its container runs."""
    status = {"name": "agent", "restartCount": restarts, "state": state, "lastState": last}
    if "running" in state:
        return pod("agent-1", "w1", **{where: [{**status, "ready": True}]})
    return broken("agent-1", "w1", JUST_NOW, phase="Running", **{where: [{**status, "ready": False}]})


def running(since: str) -> Json:
    return {"running": {"startedAt": since}}


STATIC = {"annotations": {model.MIRROR_ANNOTATION: "h"}, "ownerReferences": [{"kind": "Node", "controller": True}]}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(broken("old-exporter-x7k2p", "w1"), [(EXPORTER, "w1", LONG_AGO)], id="image gone"),
        pytest.param(broken("old-exporter-x7k2p", "w1", JUST_NOW), [], id="for two minutes"),
        pytest.param(
            broken("p", "", None, owner=None, conditions=[]),
            [("pod/kube-system/p", "", LONG_AGO)],
            id="never scheduled",
        ),
        pytest.param(crashing(4711, BACK_OFF, CRASH), LOOP, id="crash loop"),
        pytest.param(crashing(4711, BACK_OFF, {}), LOOP, id="crash loop, its last run not known"),
        pytest.param(crashing(4711, running(JUST_NOW), CRASH), LOOP, id="crash loop that is ready for a moment"),
        pytest.param(crashing(4711, CRASH, CRASH), LOOP, id="crash loop, before its back-off"),
        pytest.param(crashing(4711, BACK_OFF, CRASH, "initContainerStatuses"), LOOP, id="init container in a loop"),
        pytest.param(
            crashing(4711, run(JUST_NOW, JUST_NOW, 0), CRASH, "initContainerStatuses"), [], id="init container done"
        ),
        pytest.param(crashing(2, BACK_OFF, CRASH), [], id="two crashes"),
        pytest.param(
            crashing(60, BACK_OFF, run("2026-01-12T11:57:00Z", JUST_NOW)), [], id="one crash in weeks, in its back-off"
        ),
        pytest.param(
            crashing(60, running(JUST_NOW), run("2026-01-12T11:57:00Z", JUST_NOW)), [], id="one crash in weeks"
        ),
        pytest.param(crashing(60, running("2026-01-31T11:45:00Z"), CRASH), [], id="has run for a while since"),
        pytest.param(crashing(60, running(JUST_NOW), {}), [], id="its last run not known, and it runs"),
        pytest.param(pod("fine", "w1"), [], id="ready"),
        pytest.param(broken("p", "w1", metadata={"deletionTimestamp": JUST_NOW}), [], id="leaves"),
        pytest.param(broken("p", "w1", phase="Failed"), [], id="finished"),
        pytest.param(broken("p", "down"), [], id="on a node that is not ready"),
        pytest.param(broken("p", "w1", metadata={"namespace": "shop"}), [], id="not of the system"),
        pytest.param(
            broken("etcd-c1", "w1", metadata={**STATIC, "labels": {"component": "etcd"}}),
            [],
            id="static pod of kubeadm",
        ),
        pytest.param(
            broken("kube-vip-c1", "w1", metadata=STATIC),
            [("pod/kube-system/kube-vip-c1", "w1", LONG_AGO)],
            id="another static pod",
        ),
    ],
)
def test_what_has_not_been_ready_for_long(found: Json, expected: list[tuple[str, str, str]]) -> None:
    troubles = lasting_troubles([node("w1"), node("down", "Unknown")], [found], NOW)
    assert [(trouble.subject, trouble.node, trouble.since) for trouble in troubles] == expected


@pytest.mark.parametrize(
    ("owner", "labels", "expected"),
    [
        (("ReplicaSet", "coredns-5f6c"), {"pod-template-hash": "5f6c"}, "deployment/kube-system/coredns"),
        (("StatefulSet", "store"), {}, "statefulset/kube-system/store"),
        (("Job", "backup-29012345"), {}, "job/kube-system/backup"),
        (None, {}, "pod/kube-system/p"),
    ],
)
def test_the_workload_outlives_its_pods(owner: tuple[str, str] | None, labels: dict[str, str], expected: str) -> None:
    assert subject_of(pod("p", "w1", owner, metadata={"labels": labels})) == expected


def deployed(name: str, on: str) -> Json:
    return broken(name, on, owner=("ReplicaSet", "web-1a"), metadata={"labels": {"pod-template-hash": "1a"}})


def waited_for(pods: list[Json], before: dict[str, list[str]] | None, on: str | None) -> list[str]:
    look: Json = {"nodes": [node("w1"), node("w2")], "system_pods": pods, "daemon_sets": [], "errors": {}}
    if before is not None:
        look["before"] = before
    wanted = decisions.Wanted(("system_pods_ready",), node=on)
    checks = decisions.judge(wanted, t.cast("decisions.Look", look))
    return [check["subject"].partition("/")[2] for check in decisions.unmet(checks)]


@pytest.mark.parametrize(
    ("pods", "before", "on", "expected"),
    [
        pytest.param([broken("old-exporter-x7k2p", "w1")], {EXPORTER: ["w1"]}, "w1", [], id="gate of its node"),
        pytest.param([broken("old-exporter-x7k2p", "w1")], {EXPORTER: ["w1"]}, None, [], id="gate of the cluster"),
        pytest.param([broken("made-again", "w1")], {EXPORTER: ["w1"]}, "w1", [], id="its pod was made again"),
        pytest.param([broken("e", "w2")], {EXPORTER: ["w1"]}, None, ["e"], id="broken on another node since"),
        pytest.param([broken("e", "w1")], {}, None, ["e"], id="broken since"),
        pytest.param([broken("e", "w1")], None, None, ["e"], id="no upgrade"),
        pytest.param([deployed("a", "")], {"deployment/kube-system/web": ["w1"]}, None, [], id="on no node now"),
        pytest.param(
            [deployed("a", "w1"), deployed("b", "w2")],
            {"deployment/kube-system/web": ["w2"]},
            None,
            ["b"],
            id="one was broken and two are",
        ),
    ],
)
def test_what_is_waited_for(
    pods: list[Json], before: dict[str, list[str]] | None, on: str | None, expected: list[str]
) -> None:
    assert waited_for(pods, before, on) == expected


def test_what_is_not_waited_for_is_told() -> None:
    look: Json = {"nodes": [node("w1")], "system_pods": [broken("e", "w1")], "daemon_sets": [], "errors": {}}
    look["before"] = {EXPORTER: ["w1"]}
    (check,) = decisions.judge(decisions.Wanted(("system_pods_ready",)), t.cast("decisions.Look", look))
    assert check["ok"] and check["seen"].startswith("not ready before the upgrade either: phase Pending")
    assert "ImagePullBackOff" in check["seen"]


@pytest.mark.parametrize("condition", ["node_ready", "node_heartbeat"])
def test_a_node_that_was_not_ready_holds_up_its_own_gate_alone(condition: str) -> None:
    look: Json = {"nodes": [node("w1"), node("w9", "Unknown")], "before": {"node/w9": ["w9"]}, "errors": {}}
    look.update(heartbeats={"w1": "t1", "w9": "t0"}, first_heartbeats={"w1": "t0", "w9": "t0"})

    def unmet(on: str | None) -> list[str]:
        checks = decisions.judge(decisions.Wanted((condition,), node=on), t.cast("decisions.Look", look))
        return [check["subject"] for check in decisions.unmet(checks)]

    assert (unmet(None), unmet("w9")) == ([], ["w9"])
