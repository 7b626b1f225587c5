# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From samples of plans to what is published."""

from __future__ import annotations

import pytest

from bench.plan_figures import EMPTY, KUBECTL, OURS, Sample, goals_of, runs_of, table


def sample(
    tool: str, nodes: int, wall_s: float, rss_mib: float = 100.0, unlimited: int = 0, repetition: int = 1
) -> Sample:
    return Sample(tool, nodes, 11 * nodes or 3, repetition, wall_s, rss_mib, 10, unlimited)


START = sample(OURS, EMPTY, 1.0, 50.0)


def test_runs_compare_medians_of_each_size() -> None:
    samples = [
        START,
        *(sample(OURS, 1000, seconds, repetition=n) for n, seconds in enumerate((4.0, 2.0, 9.0))),
        sample(KUBECTL, 1000, 8.0, 400.0),
        sample(OURS, 5000, 20.0),
    ]
    assert [tuple(run.values()) for run in runs_of(samples)] == [
        ("1,000 nodes", "wall_s", 4.0, KUBECTL, 8.0, 0.5),
        ("1,000 nodes", "rss_mib", 100.0, KUBECTL, 400.0, 0.25),
        ("1,000 nodes", "requests", 10.0, KUBECTL, 10.0, 1.0),
    ]


@pytest.mark.parametrize(
    ("large", "missed"),
    [
        pytest.param(sample(OURS, 5000, 1.0 + 2 * 5.5, 50.0 + 50 * 5.5), [], id="just met"),
        pytest.param(sample(OURS, 5000, 1.0 + 2 * 5.6, 100.0), ["growth of time over a start"], id="time"),
        pytest.param(sample(OURS, 5000, 5.0, 50.0 + 50 * 5.6), ["growth of memory over a start"], id="memory"),
        pytest.param(sample(OURS, 5000, 5.0, 100.0, unlimited=1), ["lists without a limit"], id="a whole list"),
    ],
)
def test_goals(large: Sample, missed: list[str]) -> None:
    goals = goals_of([START, sample(OURS, 1000, 3.0, 100.0), large])
    assert len(goals) == 3
    assert [goal["goal"] for goal in goals if not goal["met"]] == missed


def test_what_a_start_costs_is_needed_for_growth() -> None:
    goals = goals_of([sample(OURS, 1000, 3.0), sample(OURS, 5000, 9.0)])
    assert [goal["goal"] for goal in goals] == ["lists without a limit"]
    assert goals_of([]) == []


def test_the_table_has_a_row_for_each_size() -> None:
    lines = table([START, sample(OURS, 1000, 4.0), sample(KUBECTL, 1000, 8.25)])
    assert lines[2].startswith("| control plane alone | 3 | 1 | 50 | 10 | - |")
    assert lines[3] == "| 1,000 nodes | 11,000 | 4 | 100 | 10 | 8.2 | 100 | 10 |"
