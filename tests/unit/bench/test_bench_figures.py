# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From samples to what is published."""

from __future__ import annotations

import pytest

from bench.cases import CASES, K8S_DRAIN, KUBECTL, MODULE, NOTHING, OURS, TOOLS, Case, key_of, rotated
from bench.figures import Sample, goals_of, median, runs_of, table

FULL = Case("110 pods", 110)
ONE = Case("1 pod", 1)


def sample(
    tool: str, wall_s: float, repetition: int = 1, *, requests: int = 100, rss_mib: float = 80.0, case: Case = FULL
) -> Sample:
    return Sample(case.name, tool, repetition, wall_s, rss_mib, requests)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param([], None, id="not measured"),
        pytest.param([3.0], 3.0, id="one"),
        pytest.param([9.0, 1.0, 2.0], 2.0, id="an outlier does not count"),
        pytest.param([1.0, 2.0], 1.5, id="two"),
    ],
)
def test_median(seconds: list[float], expected: float | None) -> None:
    samples = [sample(OURS, each, number) for number, each in enumerate(seconds)]
    others = [sample(KUBECTL, 50.0), sample(OURS, 50.0, case=ONE)]
    assert median([*samples, *others], FULL.name, OURS, "wall_s") == expected


def test_runs_compare_with_each_peer() -> None:
    samples = [
        sample(OURS, 5.0, requests=115, rss_mib=75.0),
        sample(MODULE, 4.0, rss_mib=60.0),
        sample(KUBECTL, 20.0, requests=230, rss_mib=50.0),
        sample(K8S_DRAIN, 10.0, requests=225, rss_mib=100.0),
        sample(NOTHING, 1.0, requests=0),
    ]
    assert [tuple(run.values()) for run in runs_of(samples)] == [
        ("110 pods", "wall_s", 5.0, KUBECTL, 20.0, 0.25),
        ("110 pods", "requests", 115, KUBECTL, 230, 0.5),
        ("110 pods", "rss_mib", 75.0, KUBECTL, 50.0, 1.5),
        ("110 pods", "wall_s", 5.0, K8S_DRAIN, 10.0, 0.5),
        ("110 pods", "requests", 115, K8S_DRAIN, 225, 0.511),
        ("110 pods", "rss_mib", 75.0, K8S_DRAIN, 100.0, 0.75),
        ("110 pods", "module_wall_s", 4.0, KUBECTL, 20.0, 0.2),
        ("110 pods", "module_rss_mib", 60.0, KUBECTL, 50.0, 1.2),
        ("110 pods", "start_wall_s", 1.0, KUBECTL, 20.0, 0.05),
    ]


def test_no_run_without_both_sides() -> None:
    assert runs_of([sample(OURS, 5.0), sample(MODULE, 4.0)]) == []


@pytest.mark.parametrize(
    ("case", "ours", "kubectl", "requests", "missed"),
    [
        pytest.param(FULL, 10.0, 20.0, 131, [], id="just met"),
        pytest.param(FULL, 10.1, 20.0, 131, [f"half of the wall time of {KUBECTL}"], id="more than half"),
        pytest.param(FULL, 10.0, 20.0, 132, ["requests"], id="a request too many"),
        pytest.param(ONE, 2.0, 2.0, 11, [], id="half is about full nodes only"),
        pytest.param(ONE, 2.1, 2.0, 11, [f"wall time / {KUBECTL}"], id="slower"),
        pytest.param(ONE, 2.0, 2.0, 12, ["requests"], id="requests go with the pods"),
    ],
)
def test_goals(case: Case, ours: float, kubectl: float, requests: int, missed: list[str]) -> None:
    runs = runs_of([sample(OURS, ours, requests=requests, case=case), sample(KUBECTL, kubectl, case=case)])
    assert [goal["goal"] for goal in goals_of(runs, [FULL, ONE]) if not goal["met"]] == missed


@pytest.mark.parametrize(
    ("rss_mib", "met"), [pytest.param(150.0, True, id="met"), pytest.param(150.1, False, id="more")]
)
def test_goal_of_memory_is_about_the_module(rss_mib: float, met: bool) -> None:
    runs = runs_of([sample(MODULE, 5.0, rss_mib=rss_mib), sample(KUBECTL, 20.0)])
    assert [(goal["goal"], goal["met"]) for goal in goals_of(runs, [FULL])] == [("MiB of the module", met)]


def test_table_has_both_peers_in_a_line() -> None:
    samples = [
        sample(OURS, 2.0, requests=7, case=ONE),
        sample(KUBECTL, 1.25, requests=6, case=ONE),
        sample(OURS, 5.0, requests=115),
        sample(MODULE, 4.0),
        sample(NOTHING, 1.5),
        sample(KUBECTL, 123.4, requests=230),
        sample(K8S_DRAIN, 10.0, requests=230),
    ]
    lines = table(runs_of(samples))
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2] == "| 1 pod | wall_s | 2 | 1.2 | 1.60 |  |  |"
    assert lines[5] == "| 110 pods | wall_s | 5 | 123 | 0.04 | 10 | 0.50 |"
    assert lines[6] == "| 110 pods | module_wall_s | 4 | 123 | 0.03 |  |  |"
    assert lines[7] == "| 110 pods | start_wall_s | 1.5 | 123 | 0.01 |  |  |"


def test_each_tool_is_first_in_turn() -> None:
    assert {rotated(TOOLS, number)[0] for number in range(len(TOOLS))} == set(TOOLS)
    assert all(sorted(rotated(TOOLS, number)) == sorted(TOOLS) for number in range(9))


def test_keys_of_cases_are_names_of_objects() -> None:
    keys = [key_of(case) for case in CASES]
    assert len(set(keys)) == len(keys)
    assert all(set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for key in keys)
    assert key_of(Case("10 pods, 1,000 nodes", 10)) == "10-pods-1000-nodes"
