# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an upgrade took, from what the script printed and from a report."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.compose import seconds_between
from bench.upgrade_figures import (
    Sample,
    evictions_of_script,
    goals_of,
    metrics,
    runs_of,
    seconds_of_report,
    seconds_of_script,
)

PRINTED = """\
node cp1 begins 1000.000
kubeadm cp1 begins 1010.000
[upgrade] SUCCESS! A control plane node of your cluster was upgraded to "v1.35.4".
kubeadm cp1 ends 1130.250
evicting pod lab/web-1
evicting pod lab/web-2
evicting pod lab/web-1
error when evicting pods/"web-1" -n "lab" (will retry after 5s): Cannot evict pod
node cp1 ends 1200.500
node cp2 begins 1201.000
"""


def test_what_the_script_printed() -> None:
    assert seconds_of_script(PRINTED, ["cp1", "cp2"], "node") == {"cp1": 200.5}
    assert seconds_of_script(PRINTED, ["cp1", "cp2"], "kubeadm") == {"cp1": 120.2}
    assert evictions_of_script(PRINTED) == 2


def step(name: str, started: int, finished: int | None) -> dict[str, t.Any]:
    def moment(second: int) -> str:
        return f"2026-01-31T12:{second // 60:02d}:{second % 60:02d}.000Z"

    return {"name": name, "started": moment(started), "finished": None if finished is None else moment(finished)}


def test_what_a_report_says() -> None:
    nodes = [
        {
            "name": "cp1",
            "role": "control_plane",
            "steps": [
                step("backup", 0, 5),
                step("prepare", 5, 60),
                step("gate_before", 100, 101),
                step("kubeadm", 101, 131),
                step("uncordon", 150, 160),
            ],
        },
        {"name": "cp2", "role": "control_plane", "steps": [step("prepare", 5, 60), step("kubeadm", 70, None)]},
        {"name": "worker1", "role": "worker", "steps": [step("drain", 200, 210)]},
    ]
    whole, kubeadm = (
        seconds_of_report({"nodes": nodes}, lambda begin, end: seconds_between(begin, end) or 0.0, only)
        for only in ("", "kubeadm")
    )
    assert (whole, kubeadm) == ({"cp1": 60.0}, {"cp1": 30.0})


def sample(**changed: t.Any) -> Sample:
    seen = {"api": {"failed": 0, "longest_gap_s": 0.2}, "services": {"web": {"failed": 0, "longest_gap_s": 0.1}}}
    return Sample(
        **{
            "tool": "x",
            "wall_s": 600.0,
            "control_plane_node_s": {"cp1": 60.0, "cp2": 80.0},
            "kubeadm_s": {"cp1": 20.0, "cp2": 40.0},
            "availability": seen,
            "evictions": 11,
            "cordoned": [],
            "succeeded": True,
            **changed,
        }
    )


def test_metrics() -> None:
    assert metrics(sample(), 10) == {
        "wall_s": 600.0,
        "control_plane_node_s": 70.0,
        "kubeadm_s": 30.0,
        "api_failed": 0,
        "api_gap_s": 0.2,
        "web_failed": 0,
        "web_gap_s": 0.1,
        "evictions_per_pod": 1.1,
        "nodes_left_cordoned": 0,
    }


def test_a_ratio_only_where_there_is_one() -> None:
    by_hand = sample(control_plane_node_s={"cp1": 210.0}, cordoned=["worker1"])
    ratios = {run["metric"]: run["ratio"] for run in runs_of(sample(), by_hand, 10)}
    assert (ratios["control_plane_node_s"], ratios["api_failed"], ratios["nodes_left_cordoned"]) == (0.333, 0.0, 0.0)


@pytest.mark.parametrize(
    ("changed", "missed"),
    [
        ({}, []),
        ({"cordoned": ["worker1"]}, ["nodes_left_cordoned"]),
        ({"control_plane_node_s": {"cp1": 100.0}}, ["control_plane_node_s, of the procedure's"]),
        ({"kubeadm_s": {"cp1": 60.0}}, ["kubeadm_s, of the procedure's"]),
        (
            {"availability": {"api": {"failed": 3, "longest_gap_s": 1.5}, "services": {}}},
            ["api_failed", "api_gap_s"],
        ),
    ],
)
def test_goals(changed: dict[str, t.Any], missed: list[str]) -> None:
    goals = goals_of(sample(**changed), sample(control_plane_node_s={"cp1": 220.0}, kubeadm_s={"cp1": 120.0}), 10)
    assert [goal["goal"] for goal in goals if not goal["met"]] == missed
