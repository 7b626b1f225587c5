# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What two upgrades of the same lab took. Pure."""

from __future__ import annotations

import collections
import itertools
import re
import statistics
import typing as t
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import parse_time, seconds_between
from bench.result import Goal, Run, goal_of, shown

Json = dict[str, t.Any]
Steps = dict[str, list[tuple[str, float]]]
"""Of each node, the names of its steps and their seconds, in their order."""
Client = dict[str, t.Any]
"""``requests``, ``failed`` and ``longest_s``, which is the longest time between two answers, or until an event came;
``longest_at`` is when it ended."""

OURS, BY_HAND = "upgrade.yml", "the documentation's procedure"
CASE = "3 control-plane nodes, 2 workers"
STATIC_PODS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
# By the names of the targets of availability_probe, and of the clients of lab/build/probe.
CLIENTS = {
    "api": "new_connections",
    "kept": "kept_connection",
    "list": "list",
    "watch": "watch",
    "write": "write",
    "service/web": "service",
}
# Steps of all nodes before the first one is disturbed.
PREPARATION = ("backup", "fetch", "prepare", "images")
NODE_SHARE, WHOLE_SHARE, GAP_S = 0.25, 0.45, 0.5
_PRINTED = re.compile(r"^step (\S+) (\S+) (\d+\.\d+)$", re.MULTILINE)
# The quotes are escaped in containerd's own format.
_CREATED = re.compile(r'ContainerMetadata\{Name:([^,]+),[^}]*\} returns container id \\?"(\w+)')
_STARTED = re.compile(r'StartContainer for \\?"(\w+)\\?" returns successfully')


@dataclass(frozen=True)
class Sample:
    """One upgrade."""

    tool: str
    wall_s: float
    control_plane_node_s: dict[str, float]
    """From the first step of a node to its last."""
    steps: Steps
    parts: list[tuple[str, float]]
    """Where the seconds of the whole upgrade went."""
    clients: dict[str, Client]
    """By the names of CLIENTS."""
    starts: dict[str, dict[str, int]]
    """Of each control-plane node, how often the containers of its static pods were started."""
    evictions: int
    cordoned: list[str]
    succeeded: bool


def steps_of_script(output: str) -> Steps:
    """From what upgrade_by_hand.sh printed; a step that did not end is left out."""
    found: Steps = {}
    for (node, name, begin), (next_node, _name, end) in itertools.pairwise(_PRINTED.findall(output)):
        if node == next_node:
            found.setdefault(node, []).append((name, round(float(end) - float(begin), 1)))
    return found


def evictions_of_script(output: str) -> int:
    """kubectl prints the line each time it tries a pod, so a pod is counted once for each node that it leaves."""
    return len(set(re.findall(r"^evicting pod (\S+)", output, re.MULTILINE)))


def steps_of_report(report: Mapping[str, t.Any]) -> Steps:
    return {
        node["name"]: [
            (step["name"], round(step["duration_s"] or 0.0, 1)) for step in node["steps"] if step["finished"]
        ]
        for node in report["nodes"]
    }


def turns_of_report(report: Mapping[str, t.Any]) -> dict[str, float]:
    """Of each node that was upgraded, the seconds from its first step after the preparation until it is uncordoned."""
    found = {}
    for node in report["nodes"]:
        ended = [step for step in node["steps"] if step["finished"]]
        prepared = [index for index, step in enumerate(ended) if step["name"] in PREPARATION]
        steps = ended[prepared[-1] + 1 if prepared else 0 :]
        last = [step for step in steps if step["name"] == "uncordon"][-1:]
        if last:
            found[node["name"]] = round(seconds_between(steps[0]["started"], last[0]["finished"]) or 0.0, 1)
    return found


def parts_of_report(report: Mapping[str, t.Any], wall_s: float) -> list[tuple[str, float]]:
    """Where the seconds of the run went; what all nodes did at once is one part, from its first step to its last."""
    steps = [step for node in report["nodes"] for step in node["steps"] if step["finished"]]
    if not steps:
        return []

    def edges(some: Sequence[Json]) -> tuple[str, str]:
        # Times of one form, in UTC.
        return min(step["started"] for step in some), max(step["finished"] for step in some)

    first, last = edges(steps)
    found = [("until the first step", seconds_between(report["started"], first) or 0.0)]
    for name in PREPARATION:
        some = [step for step in steps if step["name"] == name]
        found += [(name, seconds_between(*edges(some)) or 0.0)] if some else []
    found += turns_of_report(report).items()
    found.append(("after the last step", seconds_between(last, report["finished"]) or 0.0))
    found.append(("before and after the run", wall_s - (report["duration_s"] or 0.0)))
    return [(name, round(seconds, 1)) for name, seconds in found]


def clients_of_targets(lines: Iterable[Json]) -> dict[str, Client]:
    """From the lines of availability_probe, of the targets that CLIENTS names."""
    found: dict[str, Client] = {}
    for line in lines:
        if line.get("target") in CLIENTS and "requests" in line:
            client = found.setdefault(CLIENTS[line["target"]], {"requests": 0, "failed": 0, "longest_s": 0.0})
            client["requests"] += line["requests"]
            client["failed"] += line["failed"]
            if line["gap_s"] > client["longest_s"]:
                client.update(longest_s=line["gap_s"], longest_at=line["time"])
    return found


def clients_of_lines(lines: Iterable[Json]) -> dict[str, Client]:
    """From the lines of lab/build/probe. A new connection is no request."""
    by_client: dict[str, list[Json]] = {}
    for line in lines:
        if line["client"] in CLIENTS and line.get("what") != "connection":
            by_client.setdefault(line["client"], []).append(line)
    return {
        CLIENTS[name]: {
            "requests": len(asked),
            "failed": sum(not line["ok"] for line in asked),
            **(_longest_gap(asked) if name == "kept" else _slowest(asked)),
        }
        for name, asked in by_client.items()
    }


def _slowest(asked: Sequence[Json]) -> Client:
    line = max(asked, key=lambda line: line["seconds"])
    return {"longest_s": line["seconds"], "longest_at": line["time"]}


def _longest_gap(asked: Iterable[Json]) -> Client:
    times = sorted((found, line["time"]) for line in asked if line["ok"] and (found := parse_time(line["time"])))
    gaps = [((after - before).total_seconds(), at) for (before, _at), (after, at) in itertools.pairwise(times)]
    seconds, at = max(gaps, default=(0.0, ""))
    return {"longest_s": round(seconds, 3), "longest_at": at}


def starts_of_journal(journal: str) -> dict[str, int]:
    """How often the containers of static pods were started, from containerd's journal of a node."""
    names = {container: name for name, container in _CREATED.findall(journal)}
    started = collections.Counter(names.get(container) for container in _STARTED.findall(journal))
    return {name: started[name] for name in STATIC_PODS}


def metrics(sample: Sample, pods: int) -> dict[str, float]:
    """Figures by their names in the JSON; `pods` is the number of pods that a drain moves."""
    clients = {name: sample.clients.get(name, {}) for name in CLIENTS.values()}
    return {
        "control_plane_node_median_s": _median(sample.control_plane_node_s.values()),
        "whole_upgrade_s": sample.wall_s,
        **{f"{name}_failed_requests": client.get("failed", 0) for name, client in clients.items()},
        **{f"{name}_gap_s": clients[name].get("longest_s", 0.0) for name in ("new_connections", "kept_connection")},
        "service_gap_s": clients["service"].get("longest_s", 0.0),
        "watch_delay_s": clients["watch"].get("longest_s", 0.0),
        **{
            f"{pod}_starts_per_node": max((of_node[pod] for of_node in sample.starts.values()), default=0)
            for pod in STATIC_PODS
        },
        "evictions_per_pod": sample.evictions / pods,
        "cordoned_nodes": len(sample.cordoned),
    }


def _median(values: Collection[float]) -> float:
    return statistics.median(values) if values else 0.0


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
    goals = []
    for metric, share in (("control_plane_node_median_s", NODE_SHARE), ("whole_upgrade_s", WHOLE_SHARE)):
        if theirs[metric]:
            goals.append(goal_of(CASE, f"{metric}, of the procedure's", round(mine[metric] / theirs[metric], 3), share))
    # What was not measured has not failed, and is no success.
    measured = sum(bool(ours.clients.get(name, {}).get("requests")) for name in CLIENTS.values())
    goals.append(goal_of(CASE, "clients that asked", measured, len(CLIENTS), at_least=True))
    # The write is what the watch watches.
    none = [metric for metric in mine if metric.endswith("_failed_requests") and metric != "write_failed_requests"]
    goals += [goal_of(CASE, metric, mine[metric], 0) for metric in [*none, "cordoned_nodes"]]
    goals += [goal_of(CASE, metric, round(mine[metric], 2), GAP_S) for metric in mine if metric.endswith("_gap_s")]
    starts = [times for of_node in ours.starts.values() for times in of_node.values()]
    goals.append(goal_of(CASE, "starts of each static pod", max(starts, default=0), 1))
    goals.append(goal_of(CASE, "starts of each static pod", min(starts, default=0), 1, at_least=True))
    return goals


def table(runs: Sequence[Run]) -> list[str]:
    lines = [f"| figure | {OURS} | {BY_HAND} | ratio |", "|---|---|---|---|"]
    return lines + [f"| {run['metric']} | {run['ours']:g} | {run['theirs']:g} | {run['ratio']:g} |" for run in runs]


def table_of_parts(sample: Sample) -> list[str]:
    """Where the seconds of the whole upgrade went."""
    return ["| part | seconds |", "|---|---|", *(f"| {name} | {shown(seconds)} |" for name, seconds in sample.parts)]


def table_of_steps(steps: Steps) -> list[str]:
    """Where the seconds of each node went; steps of one name are added up."""
    names = dict.fromkeys(name for of_node in steps.values() for name, _seconds in of_node)
    lines = [f"| step | {' | '.join(steps)} |", "|---" * (len(steps) + 1) + "|"]
    for name in names:
        sums = (sum(seconds for step, seconds in of_node if step == name) for of_node in steps.values())
        lines.append(f"| {name} | {' | '.join(map(shown, sums))} |")
    return lines
