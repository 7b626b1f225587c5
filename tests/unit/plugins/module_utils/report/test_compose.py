# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.compose import (
    availability,
    compose,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.events import node_of_host
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.journal import parse
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.page import clock, page

Json = dict[str, t.Any]

KEYS = [
    "result", "from", "to", "started", "finished", "duration_s", "run_id", "hops", "nodes", "availability", "evictions",
    "findings", "bypasses", "set_aside", "failure", "stop",
]  # fmt: skip
NODES = [
    {"name": "cp1", "role": "control_plane", "version": "1.34.4"},
    {"name": "w1", "role": "worker", "version": "v1.34.4"},
]
DONE = [{**node, "version": "v1.35.4"} for node in NODES]
FINDING = {"id": "pdb", "severity": "warning", "subject": "shop/cart", "evidence": "e", "remedy": "r"}


def at(second: float) -> str:
    return f"2026-01-31T12:{int(second) // 60:02d}:{second % 60:06.3f}Z"


def event(second: float, host: str, kind: str, **more: t.Any) -> Json:
    return {"time": at(second), "host": host, "event": kind, **more}


def step(second: float, host: str, name: str | None = None, **more: t.Any) -> Json:
    return event(second, host, "step", **({"name": name} if name else {}), **more)


def begin(second: float = 0, run: str = "r1", **plan: t.Any) -> list[Json]:
    return [
        event(second, "cp1", "run_started", data={"run_id": run, "from": "1.34.4", "to": "v1.35.4"}),
        event(second + 1, "cp1", "plan", data={"hops": [], "findings": [FINDING], "nodes": NODES, **plan}),
    ]


WHOLE = [
    *begin(),
    event(2, "cp1", "bypass", data={"name": "force", "reason": "asked for", "value": True}),
    step(3, "cp1", "prepare"),
    step(3.5, "w1", "prepare"),
    step(5, "w1", status="finished"),
    step(10, "cp1", "upgrade"),
    step(70.25, "cp1", name="upgrade", status="finished", data={"restarts": {"etcd": 1}}),
    step(71, "w1", "drain"),
    step(80, "w1", "kubelet"),
    step(90, "w1", status="finished"),
    event(95, "cp1", "verified", data={"nodes": DONE}),
    event(96, "cp1", "run_finished"),
]


def test_succeeded() -> None:
    report = compose(WHOLE, [])
    assert list(report) == KEYS
    assert {key: report[key] for key in KEYS if key not in ("nodes", "availability", "evictions")} == {
        "result": "succeeded",
        "from": "v1.34.4",
        "to": "v1.35.4",
        "started": at(0),
        "finished": at(96),
        "duration_s": 96.0,
        "run_id": "r1",
        "hops": [],
        "findings": [FINDING],
        "bypasses": [{"name": "force", "reason": "asked for", "value": True}],
        "set_aside": [],
        "failure": None,
        "stop": None,
    }
    assert report["nodes"] == [
        {
            "name": "cp1",
            "role": "control_plane",
            "from": "v1.34.4",
            "to": "v1.35.4",
            "restarts": {"etcd": 1},
            "steps": [
                {"name": "prepare", "started": at(3), "finished": at(10), "duration_s": 7.0, "status": "finished"},
                {
                    "name": "upgrade",
                    "started": at(10),
                    "finished": at(70.25),
                    "duration_s": 60.25,
                    "status": "finished",
                },
            ],
        },
        {
            "name": "w1",
            "role": "worker",
            "from": "v1.34.4",
            "to": "v1.35.4",
            "restarts": {},
            "steps": [
                {"name": "prepare", "started": at(3.5), "finished": at(5), "duration_s": 1.5, "status": "finished"},
                {"name": "drain", "started": at(71), "finished": at(80), "duration_s": 9.0, "status": "finished"},
                {"name": "kubelet", "started": at(80), "finished": at(90), "duration_s": 10.0, "status": "finished"},
            ],
        },
    ]
    nothing: Json = {"requests": 0, "failed": 0, "longest_gap_s": None, "failures": [], "failed_seconds": []}
    assert report["availability"] == {"api": nothing, "clients": {}, "services": {}, "measured_until": None}
    assert report["evictions"] == {"pods": 0, "total": 0, "per_pod": 0.0, "minimum": 0.0, "moves": []}


FAILED_STEP = step(30, "w1", status="failed", data={"message": "one pod is left", "hint": "look at its budget"})
FAILURES: list[tuple[str, list[Json], Json]] = [
    (
        "the step says why, and the run ends on another host",
        [step(10, "w1", "drain"), FAILED_STEP, event(31, "cp1", "run_failed", data={})],
        {"host": "w1", "step": "drain", "message": "one pod is left", "hint": "look at its budget"},
    ),
    (
        "the end says why",
        [step(10, "w1", "drain"), event(31, "w1", "run_failed", data={"message": "m", "hint": "h", "step": "gate"})],
        {"host": "w1", "step": "gate", "message": "m", "hint": "h"},
    ),
    (
        "the end names the host",
        [step(10, "w1", "drain"), event(31, "cp1", "run_failed", data={"message": "m", "host": "w1"})],
        {"host": "w1", "step": "drain", "message": "m", "hint": ""},
    ),
    (
        "the first of two failed hosts",
        [
            step(10, "w1", "drain"),
            step(11, "cp1", "gate"),
            step(12, "w1", status="failed", data={"message": "first"}),
            step(13, "cp1", status="failed", data={"message": "second"}),
            event(31, "cp1", "run_failed"),
        ],
        {"host": "w1", "step": "drain", "message": "first", "hint": ""},
    ),
    (
        "nothing but the end",
        [event(31, "cp1", "run_failed")],
        {"host": "cp1", "step": None, "message": "The journal does not say what failed.", "hint": ""},
    ),
    (
        "a failed step and then nothing",
        [step(10, "w1", "drain"), FAILED_STEP],
        {"host": "w1", "step": "drain", "message": "one pod is left", "hint": "look at its budget"},
    ),
    (
        "said twice, as nested handlers do",
        [step(10, "w1", "drain"), FAILED_STEP, step(31, "w1", status="failed"), event(32, "w1", "run_failed")],
        {"host": "w1", "step": "drain", "message": "one pod is left", "hint": "look at its budget"},
    ),
    (
        "a finished run that says it failed",
        [step(10, "w1", "drain"), FAILED_STEP, event(32, "cp1", "run_finished", status="failed")],
        {"host": "w1", "step": "drain", "message": "one pod is left", "hint": "look at its budget"},
    ),
]


@pytest.mark.parametrize("events, expected", [case[1:] for case in FAILURES], ids=[case[0] for case in FAILURES])
def test_failed(events: list[Json], expected: Json) -> None:
    report = compose([*begin(), *events], [])
    assert report["result"] == "failed"
    assert report["failure"] == {**expected, "says": [], "diagnostics": ""}
    assert page(report)["sentence"] == "The upgrade failed"


def test_stopped() -> None:
    told = {"stage": "control_plane", "message": "Still to do: workers w1."}
    stopped = [*begin(), step(10, "cp1", "drain"), event(31, "cp1", "run_stopped", data=told)]
    report = compose(stopped, [])
    assert (report["result"], report["finished"], report["failure"], report["stop"]) == ("stopped", at(31), None, told)
    assert [one["status"] for one in report["nodes"][0]["steps"]] == ["finished"]
    assert page(report)["sentence"] == "The upgrade stopped where it was asked to"
    # A hook after the end that fails makes it a failure.
    failed = compose([*stopped, event(32, "cp1", "run_failed", data={"message": "the hook post_run failed"})], [])
    assert (failed["result"], failed["stop"]) == ("failed", None)
    assert failed["failure"]["message"] == "the hook post_run failed"


def test_tasks_of_a_step_that_follow_each_other_are_one() -> None:
    parts = [
        step(10, "cp1", "gate"),
        step(11, "cp1", "gate", status="finished"),
        step(12, "cp1", "upgrade"),
        step(20, "cp1", "upgrade", status="finished", data={"restarts": {"etcd": 1, "kube-apiserver": 1}}),
        step(21, "cp1", "upgrade"),
        step(25, "cp1", "upgrade", status="failed", data={"message": "no", "restarts": {"kube-apiserver": 2}}),
        step(30, "cp1", "upgrade"),
        step(40, "cp1", "upgrade", status="finished"),
        step(41, "cp1", "gate"),
    ]
    node = compose([*begin(), *parts], [])["nodes"][0]
    assert [(one["name"], one["status"]) for one in node["steps"]] == [
        ("gate", "finished"),
        ("upgrade", "failed"),
        ("upgrade", "finished"),
        ("gate", "interrupted"),
    ]
    assert node["steps"][1]["started"] == at(12)
    assert node["restarts"] == {"etcd": 1, "kube-apiserver": 3}


def test_a_step_that_is_said_to_fail_twice_is_one_step() -> None:
    events = [step(10, "w1", "drain"), FAILED_STEP, step(31, "w1", status="failed"), step(32, "w1", status="failed")]
    [node] = [node for node in compose([*begin(), *events], [])["nodes"] if node["name"] == "w1"]
    assert [(one["name"], one["status"], one["finished"]) for one in node["steps"]] == [("drain", "failed", at(30))]


def test_a_step_that_was_tried_again_is_no_failure() -> None:
    events = [step(10, "w1", "drain"), FAILED_STEP, step(40, "w1", "drain"), step(50, "w1", status="finished")]
    assert compose([*begin(), *events], [])["result"] == "interrupted"
    report = compose([*begin(), *events, event(60, "cp1", "run_finished")], [])
    assert (report["result"], report["failure"]) == ("succeeded", None)


def test_interrupted_with_an_open_step_and_half_a_line() -> None:
    events = [*begin(), step(10, "cp1", "upgrade"), step(60, "cp1", "gate"), step(61, "w1", "prepare")]
    lines = [json.dumps(one) for one in events] + ['{"time":"2026-01-31T12:05:00.000Z","host":"w1","ev']
    report = compose(parse(lines), [])
    assert (report["result"], report["finished"], report["duration_s"]) == ("interrupted", None, 61.0)
    assert report["failure"] is None
    cp1, w1 = report["nodes"]
    assert [(one["name"], one["finished"], one["duration_s"], one["status"]) for one in cp1["steps"]] == [
        ("upgrade", at(60), 50.0, "finished"),
        ("gate", None, None, "interrupted"),
    ]
    assert (cp1["to"], w1["to"]) == (None, None)


@pytest.mark.parametrize("length", range(len(WHOLE) + 1))
def test_a_journal_may_end_anywhere(length: int) -> None:
    report = compose(WHOLE[:length], [])
    assert list(report) == KEYS
    assert report["result"] == ("succeeded" if length == len(WHOLE) else "interrupted")
    for node in page(report)["timeline"]["rows"]:
        for segment in node["bars"]:
            assert 0 <= segment["left"] <= 100
            assert 0 <= segment["width"] <= 100.001 - segment["left"]


def test_the_version_that_a_step_saw_counts_where_nothing_was_verified() -> None:
    events = [step(10, "w1", "kubelet"), step(20, "w1", status="finished", data={"version": "1.35.4"})]
    assert [node["to"] for node in compose([*begin(), *events], [])["nodes"]] == [None, "v1.35.4"]


def test_two_hops_are_one_journey() -> None:
    later_plan = event(60, "cp1", "plan", data={"nodes": [{**node, "version": "v1.35.4"} for node in NODES]})
    events = [
        event(0, "cp1", "run_started", data={"run_id": "r", "from": "v1.34.4", "to": "v1.36.3"}),
        event(1, "cp1", "plan", data={"nodes": NODES, "findings": [FINDING]}),
        step(10, "cp1", "upgrade"),
        step(50, "cp1", status="finished"),
        event(55, "cp1", "verified", data={"nodes": DONE}),
        later_plan,
        event(61, "cp1", "plan", data={"findings": [FINDING]}),
        step(62, "cp1", "upgrade"),
        step(90, "cp1", status="finished"),
        event(95, "cp1", "verified", data={"nodes": [{**node, "version": "v1.36.3"} for node in NODES]}),
        event(96, "cp1", "run_finished"),
    ]
    report = compose(events, [])
    assert [(node["from"], node["to"]) for node in report["nodes"]] == [("v1.34.4", "v1.36.3")] * 2
    assert [one["name"] for one in report["nodes"][0]["steps"]] == ["upgrade", "upgrade"]
    assert report["findings"] == [FINDING]


def test_the_newest_run_of_a_journal_is_reported() -> None:
    report = compose([*WHOLE, *begin(200, "r2"), event(260, "cp1", "run_finished")], [])
    assert (report["run_id"], report["duration_s"]) == ("r2", 60.0)
    assert [node["steps"] for node in report["nodes"]] == [[], []]


def test_steps_of_the_controller_are_no_node() -> None:
    report = compose([*begin(), step(5, "localhost", "lock"), step(6, "extra", "prepare")], [])
    assert [node["name"] for node in report["nodes"]] == ["cp1", "w1", "extra"]


@pytest.mark.parametrize(
    "host, known, expected",
    [
        ("cp1", {"cp1": {}}, "cp1"),
        ("cp1.example.org", {"cp1": {}}, "cp1"),
        ("cp1", {"cp1.example.org": {}}, "cp1.example.org"),
        ("cp1", {"cp1.a": {}, "cp1.b": {}}, "cp1"),
        ("10.0.0.1", {"node-a": {"host": "10.0.0.1"}}, "node-a"),
        ("other", {"cp1": {}}, "other"),
    ],
)
def test_node_of_host(host: str, known: dict[str, Json], expected: str) -> None:
    assert node_of_host(host, known) == expected


def test_availability() -> None:
    lines: list[Json] = [
        {"time": at(1), "target": "api", "requests": 20, "failed": 0, "gap_s": 0.061},
        {"time": at(1.5), "target": "api", "error": "http_403", "message": "HTTP 403", "after_s": 0.01},
        {"time": at(2), "target": "api", "requests": 19, "failed": 1, "gap_s": 0.4},
        {"time": at(2), "target": "service/web", "requests": 20, "failed": 0, "gap_s": 0.06},
        {"time": at(1.2), "target": "api/watch", "error": "closed", "message": "EOF", "after_s": 0.02},
        {"time": at(1.9), "target": "api/watch", "requests": 2, "failed": 1, "gap_s": 0.7},
        {"time": at(2), "target": "api/list", "requests": 1, "failed": 0, "gap_s": 1.0},
        {"time": at(3), "target": "api", "requests": 2, "failed": 0, "gap_s": 0.05, "end": "stop_file"},
        {"target": 7},
    ]
    broken = {"time": at(1.2), "error": "closed", "message": "EOF", "after_s": 0.02}
    assert availability(lines) == {
        "api": {
            "requests": 44,
            "failed": 2,
            "longest_gap_s": 0.4,
            "failures": [
                {**broken, "message": "watch: EOF"},
                {"time": at(1.5), "error": "http_403", "message": "HTTP 403", "after_s": 0.01},
            ],
            "failed_seconds": [
                {"time": at(1.9), "requests": 2, "failed": 1},
                {"time": at(2), "requests": 19, "failed": 1},
            ],
        },
        "clients": {
            "watch": {
                "requests": 2,
                "failed": 1,
                "longest_gap_s": 0.7,
                "failures": [broken],
                "failed_seconds": [{"time": at(1.9), "requests": 2, "failed": 1}],
            },
            "list": {"requests": 1, "failed": 0, "longest_gap_s": 1.0, "failures": [], "failed_seconds": []},
        },
        "services": {
            "web": {"requests": 20, "failed": 0, "longest_gap_s": 0.06, "failures": [], "failed_seconds": []},
        },
    }


def test_hops() -> None:
    journal = [
        *begin(),
        event(2, "cp1", "hop", data={"number": 1, "from": "1.33.13", "to": "1.33.13", "etcd_image_tag": "3.5.27-0"}),
        event(10, "cp1", "hop", data={"number": 2, "from": "1.33.13", "to": "1.34.4", "etcd_image_tag": ""}),
    ]
    first, second = compose(journal, [])["hops"]
    assert (first["from"], first["to"], first["etcd_image_tag"], first["duration_s"]) == (
        "v1.33.13",
        "v1.33.13",
        "3.5.27-0",
        8.0,
    )
    assert (second["to"], second["finished"], second["duration_s"]) == ("v1.34.4", None, None)
    ended = compose([*journal, event(30, "cp1", "run_finished")], [])["hops"]
    assert (ended[1]["finished"], ended[1]["duration_s"]) == (at(30), 20.0)


@pytest.mark.parametrize(
    ("probe", "until"),
    [
        pytest.param([], None, id="nothing was measured"),
        pytest.param([{"target": "api", "time": at(100), "requests": 1}], at(100), id="it ended before the run"),
        pytest.param([{"target": "api", "time": at(100), "requests": 1, "end": "idle"}], at(100), id="it says why"),
        pytest.param(
            [{"target": "api", "time": at(100), "requests": 1, "end": "stop_file"}], None, id="it was told to"
        ),
        pytest.param([{"target": "api", "time": at(995), "requests": 1}], None, id="to the end"),
    ],
)
def test_until_when_it_was_measured(probe: list[Json], until: str | None) -> None:
    journal = [event(0, "cp1", "run_started", data={"run_id": "r"}), event(1000, "cp1", "run_finished")]
    report = compose(journal, probe)
    assert report["availability"]["measured_until"] == until
    shown = page(report)["measured_until"]
    assert shown == (clock(until, date=True) if until else "")
