# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which step of a swap comes next, when a component counts as one that does not start, how a swap ended."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods import swap as model
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.swap import (
    KeptFile,
    KubeletChange,
    Outcome,
    Seen,
    Server,
    Swap,
    SwappedPod,
)

SWAP = Swap(
    "s1",
    "v1.35.4",
    tuple(
        SwappedPod(name, f"/m/{name}.yaml", f"/n/{name}.yaml", f"/o/{name}.yaml") for name in ("kube-apiserver", "etcd")
    ),
    Server(("192.0.2.1", "2001:db8::1"), 6443),
    kubelet=KubeletChange("/usr/bin/kubelet", "/k/kubelet", (KeptFile("/c", "/k/c"), KeptFile("/d", ""))),
)
FORWARD = [
    "reject_connections",
    "stop_kubelet",
    "stop_kube-apiserver",
    "stop_etcd",
    "replace_manifests",
    "start_kubelet",
    "wait_ready",
]
BACKWARD = ["keep_logs", *FORWARD[:4], "restore", *FORWARD[5:]]
ATTEMPT = {"kind": "attempt"}
TURNED = {"kind": "turned", "cause": "etcd does not start: no such flag.", "component": "etcd"}


def done(*steps: str) -> list[dict[str, t.Any]]:
    return [{"kind": kind, "step": step, "at": kind, "problem": ""} for step in steps for kind in ("begun", "finished")]


def begun(step: str) -> dict[str, t.Any]:
    return {"kind": "begun", "step": step, "at": "begun"}


def test_json() -> None:
    assert Swap.from_json(json.loads(json.dumps(SWAP.to_json()))) == SWAP
    bare = Swap("s2", "v1.35.4", ())
    assert Swap.from_json(json.loads(json.dumps(bare.to_json()))) == bare


@pytest.mark.parametrize("turned", [False, True])
def test_all_steps_in_one_attempt(turned: bool) -> None:
    wanted = BACKWARD if turned else FORWARD
    entries: list[dict[str, t.Any]] = [ATTEMPT, *done(*FORWARD[:6]), TURNED] if turned else [ATTEMPT]
    seen = []
    while step := model.next_step(SWAP, entries):
        seen.append(step)
        entries += done(step)
    assert seen == wanted


@pytest.mark.parametrize(
    ("entries", "step"),
    [
        pytest.param([begun("reject_connections")], "reject_connections", id="at once"),
        pytest.param(done(*FORWARD[:3]), "reject_connections", id="before the exchange, all is done again"),
        pytest.param([*done(*FORWARD[:4]), begun("replace_manifests")], "reject_connections", id="in the exchange"),
        pytest.param(done(*FORWARD[:5]), "start_kubelet", id="after the exchange"),
        pytest.param([*done(*FORWARD[:6]), begun("wait_ready")], "start_kubelet", id="while it waits"),
        pytest.param(done(*FORWARD), "", id="at the end"),
        pytest.param([*done(*FORWARD[:6]), TURNED], "keep_logs", id="just turned"),
        pytest.param([*done(*FORWARD[:6]), TURNED, *done(*BACKWARD[:4])], "keep_logs", id="before the restore"),
        pytest.param([*done(*FORWARD[:6]), TURNED, *done(*BACKWARD[:6])], "start_kubelet", id="after the restore"),
        pytest.param([*done(*FORWARD[:6]), TURNED, *done(*BACKWARD)], "", id="restored"),
    ],
)
def test_a_second_attempt(entries: list[dict[str, t.Any]], step: str) -> None:
    assert model.next_step(SWAP, [ATTEMPT, *entries, ATTEMPT]) == step


def test_without_a_server_nothing_is_rejected() -> None:
    assert "reject_connections" not in model.forward(Swap("s", "p", SWAP.pods)) + model.backward(
        Swap("s", "p", SWAP.pods)
    )


@pytest.mark.parametrize(
    ("entries", "step"),
    [
        pytest.param(done(*FORWARD[:4]), "", id="before"),
        pytest.param([*done(*FORWARD[:4]), begun("replace_manifests")], "replace_manifests", id="in the exchange"),
        pytest.param([*done(*FORWARD[:5])], "", id="after it"),
        pytest.param([*done(*FORWARD[:6]), TURNED], "restore", id="turned"),
        pytest.param([begun("replace_manifests"), TURNED, *done(*BACKWARD[:6])], "", id="restored"),
    ],
)
def test_files_that_may_be_mixed(entries: list[dict[str, t.Any]], step: str) -> None:
    assert model.unfinished_exchange(entries) == step


def seen(name: str, ready: bool, starts: int, runs: bool = False) -> Seen:
    return Seen(name, ready, starts, runs)


@pytest.mark.parametrize(
    ("polls", "name"),
    [
        pytest.param([[("kube-apiserver", False, 1, True)]], "", id="starting"),
        pytest.param([[("kube-apiserver", False, 2, True)]], "", id="ended once"),
        pytest.param([[("kube-apiserver", False, 2, False)]], "kube-apiserver", id="ended twice"),
        pytest.param([[("kube-apiserver", False, 3, True)]], "kube-apiserver", id="started a third time"),
        pytest.param(
            [[("kube-apiserver", False, 3, True), ("kube-scheduler", False, 3, False), ("etcd", False, 1, True)]],
            "",
            id="etcd is not ready, which others need",
        ),
        pytest.param(
            [[("kube-apiserver", False, 3, True), ("etcd", False, 2, False)]], "etcd", id="etcd itself does not start"
        ),
        pytest.param(
            [
                [("kube-apiserver", False, 2, False), ("etcd", False, 1, True)],
                [("kube-apiserver", False, 3, False), ("etcd", True, 1, True)],
            ],
            "",
            id="once since etcd is ready",
        ),
        pytest.param(
            [
                [("kube-apiserver", False, 2, False), ("etcd", False, 1, True)],
                [("kube-apiserver", False, 3, False), ("etcd", True, 1, True)],
                [("kube-apiserver", False, 4, False), ("etcd", True, 1, True)],
            ],
            "kube-apiserver",
            id="twice since etcd is ready",
        ),
        pytest.param(
            [[("kube-apiserver", True, 1, True), ("kube-scheduler", False, 2, False)]], "kube-scheduler", id="scheduler"
        ),
    ],
)
def test_a_component_that_does_not_start(polls: list[list[tuple[str, bool, int, bool]]], name: str) -> None:
    before: list[Seen] = []
    for poll in polls:
        before = model.count_ends([seen(*each) for each in poll], before)
    assert model.failed(before) == name


def test_outcome_done() -> None:
    outcome = model.judge(SWAP, [ATTEMPT, *done(*FORWARD)], {"etcd": 1}, "/logs/s1")
    assert (outcome.outcome, outcome.cause, outcome.logs, outcome.restarts) == ("done", "", "", {"etcd": 1})
    assert [step["name"] for step in outcome.steps] == FORWARD


def test_outcome_put_back() -> None:
    entries = [ATTEMPT, *done(*FORWARD[:6]), begun("wait_ready"), TURNED, *done(*BACKWARD)]
    # Logs that could not be kept do not make the old state another one.
    entries[-15] = {**entries[-15], "problem": "no room"}
    outcome = model.judge(SWAP, entries, {}, "/logs/s1")
    assert (outcome.outcome, outcome.cause, outcome.component, outcome.logs) == (
        "put_back",
        TURNED["cause"],
        "etcd",
        "/logs/s1",
    )
    assert outcome.steps[6] == {"name": "wait_ready", "started": "begun", "finished": ""}


def test_outcome_failed() -> None:
    entries = [ATTEMPT, *done(*FORWARD[:6]), begun("wait_ready"), TURNED, *done(*BACKWARD)]
    entries[-1] = {**entries[-1], "problem": "etcd is not ready after 60 s"}
    outcome = model.judge(SWAP, entries, {}, "/logs/s1")
    assert outcome.outcome == "failed"
    assert outcome.cause.endswith("The old state is not back: etcd is not ready after 60 s")


def test_outcome_is_read_again() -> None:
    outcome = model.judge(SWAP, [ATTEMPT, *done(*FORWARD)], {"etcd": 1}, "")
    entries = [ATTEMPT, {"kind": "ended", "outcome": outcome.to_json()}]
    assert model.outcome_of(json.loads(json.dumps(entries))) == outcome
    assert model.outcome_of([ATTEMPT]) is None
    assert isinstance(outcome, Outcome)
