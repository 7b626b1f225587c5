# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From samples to figures: medians, ratios, goals and the table. Pure."""

from __future__ import annotations

import statistics
import typing as t
from dataclasses import dataclass, field

from bench.cases import K8S_DRAIN, KUBECTL, MODULE, NOTHING, OURS, Case
from bench.result import Goal, Run, goal_of, run_of, shown


@dataclass(frozen=True)
class Sample:
    """One drain by one tool."""

    case: str
    tool: str
    repetition: int
    wall_s: float
    rss_mib: float
    requests: int
    requests_by_kind: dict[str, int] = field(default_factory=dict)


MEASURES = ("wall_s", "requests", "rss_mib")
# Ours, the peer, what is compared, and the prefix of the metric's name.
_COMPARED = (
    (OURS, KUBECTL, MEASURES, ""),
    (OURS, K8S_DRAIN, MEASURES, ""),
    (MODULE, KUBECTL, ("wall_s", "rss_mib"), "module_"),
    (NOTHING, KUBECTL, ("wall_s",), "start_"),
)
MEMORY_LIMIT_MIB = 150.0
# The node that the goal of half of kubectl's time is about.
FULL_NODE = 110


def median(samples: t.Iterable[Sample], case: str, tool: str, measure: str) -> float | None:
    """None where the tool was not measured in that case."""
    values = [getattr(each, measure) for each in samples if (each.case, each.tool) == (case, tool)]
    return statistics.median(values) if values else None


def runs_of(samples: t.Sequence[Sample]) -> list[Run]:
    """Every comparison of which both sides were measured, in the order of the cases in `samples`."""
    runs: list[Run] = []
    for case in dict.fromkeys(each.case for each in samples):
        for ours, peer, measures, prefix in _COMPARED:
            for measure in measures:
                mine, theirs = (median(samples, case, tool, measure) for tool in (ours, peer))
                if mine is None or not theirs:
                    continue
                runs.append(run_of(case, prefix + measure, mine, peer, theirs))
    return runs


def goals_of(runs: t.Iterable[Run], cases: t.Iterable[Case]) -> list[Goal]:
    """The goals that the runs are about.

    At most half of kubectl's wall time for a full node; not slower than
    either peer, whole process against whole process; at most 1.1 requests
    for a pod and ten; the module's memory under 150 MiB.
    """
    known = {case.name: case for case in cases}
    goals: dict[tuple[str, str], Goal] = {}

    def add(case: str, goal: str, seen: float, limit: float) -> None:
        goals[case, goal] = goal_of(case, goal, seen, limit)

    for run in runs:
        case = known[run["case"]]
        if run["metric"] == "wall_s":
            add(case.name, f"wall time / {run['peer']}", run["ratio"], 1.0)
            if run["peer"] == KUBECTL and case.pods == FULL_NODE:
                add(case.name, f"half of the wall time of {KUBECTL}", run["ratio"], 0.5)
        elif run["metric"] == "requests":
            add(case.name, "requests", run["ours"], round(1.1 * case.pods + 10, 1))
        elif run["metric"] == "module_rss_mib":
            add(case.name, "MiB of the module", run["ours"], MEMORY_LIMIT_MIB)
    return list(goals.values())


def table(runs: t.Iterable[Run]) -> list[str]:
    """The runs as a Markdown table: a line for each case and metric, both peers beside ours."""
    rows: dict[tuple[str, str], dict[str, Run]] = {}
    for run in runs:
        rows.setdefault((run["case"], run["metric"]), {})[run["peer"]] = run
    lines = ["| case | metric | ours | kubectl drain | ratio | k8s_drain | ratio |", "|---|---|---|---|---|---|---|"]
    for (case, metric), by_peer in sorted(rows.items(), key=lambda row: _order(row[0], rows)):
        ours = next(iter(by_peer.values()))["ours"]
        cells = [case, metric, shown(ours)]
        for peer in (KUBECTL, K8S_DRAIN):
            found = by_peer.get(peer)
            cells += [shown(found["theirs"]), f"{found['ratio']:.2f}"] if found else ["", ""]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _order(row: tuple[str, str], rows: t.Iterable[tuple[str, str]]) -> tuple[int, int]:
    """Cases stay in their order; within one, what the whole process took comes first, then the module alone."""
    case, metric = row
    metrics = ("wall_s", "module_wall_s", "start_wall_s", "requests", "rss_mib", "module_rss_mib")
    return list(dict.fromkeys(name for name, _metric in rows)).index(case), metrics.index(metric)
