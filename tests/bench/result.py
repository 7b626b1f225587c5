# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every benchmark publishes: comparisons, goals, and the machine they are from."""

from __future__ import annotations

import json
import os
import platform
import typing as t
from pathlib import Path

Json = dict[str, t.Any]


class Run(t.TypedDict):
    """One comparison: the median of ours, that of a peer, and ours divided by theirs."""

    case: str
    metric: str
    ours: float
    peer: str
    theirs: float
    ratio: float


class Goal(t.TypedDict):
    """What was to be reached, and whether it was."""

    case: str
    goal: str
    seen: float
    bound: str
    """``at most`` or ``at least``."""
    limit: float
    met: bool


def run_of(case: str, metric: str, ours: float, peer: str, theirs: float) -> Run:
    return {
        "case": case,
        "metric": metric,
        "ours": round(ours, 3),
        "peer": peer,
        "theirs": round(theirs, 3),
        "ratio": round(ours / theirs, 3),
    }


def goal_of(case: str, goal: str, seen: float, limit: float, *, at_least: bool = False) -> Goal:
    return {
        "case": case,
        "goal": goal,
        "seen": seen,
        "bound": "at least" if at_least else "at most",
        "limit": limit,
        "met": seen >= limit if at_least else seen <= limit,
    }


def shown(value: float) -> str:
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"


def machine() -> Json:
    """What the figures depend on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": memory >> 20,
        "load_1m_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
    }


def crowded_machine(about: Json) -> None:
    """Say so where others use it."""
    if about["load_1m_before"] > about["cores"] / 2:
        say(f"others use this machine (load {about['load_1m_before']}), and the figures will show it")


def keep(path: Path, result: Json) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def say_goals(goals: t.Sequence[Goal], path: Path) -> None:
    for goal in goals:
        if not goal["met"]:
            bound = f"{goal['bound']} {goal['limit']:g}"
            say(f"goal missed: {goal['case']}: {goal['goal']}: {goal['seen']:g}, {bound}")
    say(f"{sum(goal['met'] for goal in goals)} of {len(goals)} goals met; {path}")


def say(text: str) -> None:
    print(text, flush=True)
