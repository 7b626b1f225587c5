# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What two upgrades of the same lab took. Pure."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bench.result import Goal, Run, goal_of

Json = dict[str, t.Any]

OURS, BY_HAND = "upgrade.yml", "the documentation's procedure"
CASE = "3 control-plane nodes, 2 workers"
_PRINTED = re.compile(r"^(node|kubeadm) (\S+) (begins|ends) (\d+\.\d+)$", re.MULTILINE)
_EVICTED = re.compile(r"^evicting pod ", re.MULTILINE)


@dataclass(frozen=True)
class Sample:
    """One upgrade."""

    tool: str
    wall_s: float
    control_plane_node_s: dict[str, float]
    """From the first step on a node to its last."""
    kubeadm_s: dict[str, float]
    """Of that, ``kubeadm upgrade`` with what waits for its end."""
    availability: Json
    """As the report has it: ``{api, services: {web}}``."""
    evictions: int
    cordoned: list[str]
    succeeded: bool


def seconds_of_script(output: str, names: Sequence[str], part: str) -> dict[str, float]:
    """Of `part` (node, kubeadm) in what upgrade_by_hand.sh printed; nodes where it did not end are left out."""
    at = {(node, what): float(when) for of, node, what, when in _PRINTED.findall(output) if of == part}
    return {
        name: round(at[name, "ends"] - at[name, "begins"], 1)
        for name in names
        if (name, "begins") in at and (name, "ends") in at
    }


def evictions_of_script(output: str) -> int:
    """kubectl prints the line each time it tries a pod, so a pod is counted once for each node that it leaves."""
    return len(set(re.findall(r"^evicting pod (\S+)", output, re.MULTILINE)))


def seconds_of_report(
    report: Mapping[str, t.Any], seconds: t.Callable[[str, str], float], only: str = ""
) -> dict[str, float]:
    """From the report of upgrade.yml: a control-plane node's steps but for those that prepare all nodes at once.

    Of one step alone where `only` names it.
    """
    found = {}
    for node in report["nodes"]:
        steps = [
            step
            for step in node["steps"]
            if step["finished"] and (step["name"] == only if only else step["name"] not in ("backup", "prepare"))
        ]
        if node["role"] == "control_plane" and steps:
            found[node["name"]] = round(seconds(steps[0]["started"], steps[-1]["finished"]), 1)
    return found


def metrics(sample: Sample, pods: int) -> dict[str, float]:
    """Figures by their names in the JSON; `pods` is the number of pods that a drain moves."""
    api, web = sample.availability["api"], sample.availability["services"].get("web", {})
    return {
        "wall_s": sample.wall_s,
        "control_plane_node_s": _mean(sample.control_plane_node_s.values()),
        "kubeadm_s": _mean(sample.kubeadm_s.values()),
        "api_failed": api["failed"],
        "api_gap_s": api["longest_gap_s"] or 0.0,
        "web_failed": web.get("failed", 0),
        "web_gap_s": web.get("longest_gap_s") or 0.0,
        "evictions_per_pod": sample.evictions / pods,
        "nodes_left_cordoned": len(sample.cordoned),
    }


def _mean(values: Collection[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def runs_of(ours: Sample, by_hand: Sample, pods: int) -> list[Run]:
    """Each figure of both. Where the other's is 0 there is no ratio, and it is 0 too."""
    theirs = metrics(by_hand, pods)
    return [
        {
            "case": CASE,
            "metric": metric,
            "ours": round(value, 3),
            "peer": BY_HAND,
            "theirs": round(theirs[metric], 3),
            "ratio": round(value / theirs[metric], 3) if theirs[metric] else 0.0,
        }
        for metric, value in metrics(ours, pods).items()
    ]


def goals_of(ours: Sample, by_hand: Sample, pods: int) -> list[Goal]:
    mine, theirs = metrics(ours, pods), metrics(by_hand, pods)
    goals = [
        goal_of(CASE, f"{metric}", mine[metric], 0) for metric in ("api_failed", "web_failed", "nodes_left_cordoned")
    ]
    goals += [goal_of(CASE, metric, round(mine[metric], 2), 1.0) for metric in ("api_gap_s", "web_gap_s")]
    for metric in ("control_plane_node_s", "kubeadm_s"):
        if theirs[metric]:
            share = mine[metric] / theirs[metric]
            goals.append(goal_of(CASE, f"{metric}, of the procedure's", round(share, 2), round(1 / 3, 2)))
    return goals


def table(runs: Sequence[Run]) -> list[str]:
    lines = [f"| figure | {OURS} | {BY_HAND} |", "|---|---|---|"]
    return lines + [f"| {run['metric']} | {run['ours']:g} | {run['theirs']:g} |" for run in runs]
