# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is measured of plans, and from samples to figures. Pure."""

from __future__ import annotations

import itertools
import statistics
import typing as t
from dataclasses import dataclass

from bench.result import Goal, Run, goal_of, run_of, shown

OURS = "skew_check"
KUBECTL = "kubectl get nodes,pods"
MEASURES = ("wall_s", "rss_mib", "requests")
# Growth may be this much over that of the number of objects.
SLACK = 1.1
EMPTY = 0
"""Workers of the cluster that shows what a start costs."""


@dataclass(frozen=True)
class Sample:
    """One program, run once on a cluster with so many workers and objects."""

    tool: str
    nodes: int
    objects: int
    repetition: int
    wall_s: float
    rss_mib: float
    requests: int
    unlimited: int
    """Lists that it asked for as a whole."""


def median(samples: t.Iterable[Sample], tool: str, nodes: int, measure: str) -> float | None:
    values = [getattr(each, measure) for each in samples if (each.tool, each.nodes) == (tool, nodes)]
    return float(statistics.median(values)) if values else None


def sizes_of(samples: t.Iterable[Sample]) -> list[int]:
    return sorted({each.nodes for each in samples} - {EMPTY})


def runs_of(samples: t.Sequence[Sample]) -> list[Run]:
    """Every comparison of which both sides were measured."""
    runs = []
    for nodes in sizes_of(samples):
        for measure in MEASURES:
            ours, theirs = (median(samples, tool, nodes, measure) for tool in (OURS, KUBECTL))
            if ours and theirs:
                runs.append(run_of(case_of(nodes), measure, ours, KUBECTL, theirs))
    return runs


def case_of(nodes: int) -> str:
    return f"{nodes:,} nodes"


def goals_of(samples: t.Sequence[Sample]) -> list[Goal]:
    """From one size to the next, what a start costs left out, time and memory grow as the objects do, or less.

    No list is asked for as a whole.
    """
    goals = []
    sizes = sizes_of(samples)
    for small, large in itertools.pairwise(sizes):
        limit = round(SLACK * _objects(samples, large) / _objects(samples, small), 2)
        for measure, what in (("wall_s", "time"), ("rss_mib", "memory")):
            grown = _growth(samples, measure, small, large)
            if grown is not None:
                goals.append(goal_of(f"{case_of(small)} to {large:,}", f"growth of {what} over a start", grown, limit))
    ours = [each.unlimited for each in samples if each.tool == OURS]
    if ours:
        goals.append(goal_of("every size", "lists without a limit", max(ours), 0))
    return goals


def _objects(samples: t.Iterable[Sample], nodes: int) -> int:
    return max(each.objects for each in samples if each.nodes == nodes)


def _growth(samples: t.Sequence[Sample], measure: str, small: int, large: int) -> float | None:
    start, less, more = (median(samples, OURS, nodes, measure) for nodes in (EMPTY, small, large))
    if start is None or less is None or more is None or less <= start:
        return None
    return round((more - start) / (less - start), 2)


def table(samples: t.Sequence[Sample]) -> list[str]:
    """The medians as a Markdown table; what a start costs is the first row."""
    heads = [f"{tool}, {unit}" for tool in (OURS, KUBECTL) for unit in ("s", "MiB", "requests")]
    lines = [f"| case | objects | {' | '.join(heads)} |", "|---" * (len(heads) + 2) + "|"]
    for nodes in sorted({each.nodes for each in samples}):
        values = [median(samples, tool, nodes, measure) for tool in (OURS, KUBECTL) for measure in MEASURES]
        cells = ["-" if value is None else shown(value) for value in values]
        name = case_of(nodes) if nodes else "control plane alone"
        lines.append(f"| {name} | {_objects(samples, nodes):,} | {' | '.join(cells)} |")
    return lines
