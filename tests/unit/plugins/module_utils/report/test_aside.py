# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the report says of a run that went on without a node."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.compose import compose
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.page import page

Json = dict[str, t.Any]


def event(second: int, host: str, kind: str, **more: t.Any) -> Json:
    return {"time": f"2026-01-31T12:00:{second:02d}Z", "host": host, "event": kind, **more}


NODES = [
    {"name": "cp1", "role": "control_plane", "version": "v1.34.4", "host": "cp1"},
    {"name": "worker-2", "role": "worker", "version": "v1.34.4", "host": "w2"},
]
DATA = {
    "node": "worker-2",
    "step": "Install the kubelet",
    "message": "It is full.",
    "hint": "Make room.",
    "says": ["disk.txt: no room"],
    "diagnostics": "/artifacts/d",
    "serving": True,
}
BEGUN = [
    event(0, "cp1", "run_started", data={"run_id": "r1", "from": "v1.34.4", "to": "v1.35.4"}),
    event(1, "cp1", "plan", data={"hops": [], "findings": [], "nodes": NODES}),
    event(2, "w2", "step", name="kubelet"),
    event(3, "w2", "step", status="failed", data={"message": "It is full."}),
    event(4, "w2", "set_aside", data=DATA),
]
SEEN = [{**NODES[0], "version": "v1.35.4"}, NODES[1]]
END = [event(8, "cp1", "verified", data={"nodes": SEEN}), event(9, "cp1", "run_finished")]


def test_a_run_without_a_node_is_partial() -> None:
    report = compose([*BEGUN, *END], [])
    assert (report["result"], report["failure"]) == ("partial", None)
    assert report["set_aside"] == [{"host": "w2", "time": "2026-01-31T12:00:04Z", **DATA}]
    shown = page(report)
    assert shown["sentence"] == "The upgrade is done except for the nodes that were set aside"
    assert [(node["name"], node["status"]) for node in shown["nodes"]] == [
        ("cp1", "upgraded"),
        ("worker-2", "set aside"),
    ]


def test_set_aside_in_two_hops_is_one_node() -> None:
    again = event(5, "w2", "set_aside", data={**DATA, "message": "again"})
    (node,) = compose([*BEGUN, again, *END], [])["set_aside"]
    assert node["message"] == "again"


def test_little_is_known() -> None:
    (node,) = compose([event(1, "w2", "set_aside"), event(2, "cp1", "set_aside_x"), {"event": "set_aside"}], [])[
        "set_aside"
    ]
    assert node["node"] == "w2" and node["serving"] is None and node["says"] == []
    assert node["message"] == "The journal does not say what failed."


@pytest.mark.parametrize(
    ("rest", "result", "host"),
    [
        ([], "interrupted", None),
        ([event(6, "cp1", "step", name="x"), event(7, "cp1", "step", status="failed")], "failed", "cp1"),
        ([event(6, "cp1", "step", name="x"), event(7, "cp1", "run_failed")], "failed", "cp1"),
        ([event(7, "cp1", "run_failed", data={"host": "w3"})], "failed", "w3"),
    ],
    ids=["killed", "another host failed", "the run failed", "the end names the host"],
)
def test_what_was_set_aside_did_not_end_the_run(rest: list[Json], result: str, host: str | None) -> None:
    report = compose([*BEGUN, *rest], [])
    assert report["result"] == result
    assert (report["failure"] or {}).get("host") == host
    assert [node["host"] for node in report["set_aside"]] == ["w2"]


def test_the_end_says_what_the_node_said() -> None:
    data = {"message": "m", "says": ["kubelet.log: x"], "diagnostics": "/d"}
    failure = compose([*BEGUN[:3], event(7, "w2", "run_failed", data=data)], [])["failure"]
    assert (failure["says"], failure["diagnostics"]) == (["kubelet.log: x"], "/d")
