# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""How long an upgrade takes, from the steps of earlier runs; where there is none, from guesses that say so. Pure."""

from __future__ import annotations

import statistics
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import seconds_between
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.steps import Steps

Json = dict[str, t.Any]

FIRST, OTHER, WORKER = KINDS = ("first_control_plane", "control_plane", "worker")
MEASURED, GUESSED = "measured", "guess"

# Done once for a hop: the backup on one node, the others on all nodes at the same time.
BACKUP = ("backup", "fetch")
PREPARE, IMAGES = "prepare", "images"
ONCE = (*BACKUP, PREPARE, IMAGES)
GATE, UPGRADE = "gate", "upgrade"
# Only where the kubelet is upgraded.
DRAIN = "drain"
KUBELET = (DRAIN, "packages", "uncordon")

# Seconds where nothing was measured: a small cluster on machines of the usual size. Only a first idea.
GUESSES: dict[str, dict[str, float]] = {
    "backup": dict.fromkeys(KINDS, 15.0),
    "fetch": dict.fromkeys(KINDS, 5.0),
    "prepare": dict.fromkeys(KINDS, 60.0),
    "images": dict.fromkeys(KINDS, 60.0),
    "gate": {FIRST: 8.0, OTHER: 8.0, WORKER: 5.0},
    "drain": {FIRST: 30.0, OTHER: 30.0, WORKER: 60.0},
    "packages": dict.fromkeys(KINDS, 10.0),
    "upgrade": {FIRST: 45.0, OTHER: 40.0, WORKER: 8.0},
    "uncordon": dict.fromkeys(KINDS, 2.0),
}


def estimate(hops: Sequence[Mapping[str, t.Any]], journals: Sequence[Sequence[Json]], *, backup: bool = True) -> Json:
    """Seconds for `hops`, one node after the other.

    Returns ``{seconds, measured_share, runs, parts}``, a part for each step
    and kind of node: ``{step, kind, count, seconds_each, seconds, source,
    samples}``. `journals` are the entries of earlier runs.
    """
    measured = measured_steps(journals)
    parts = []
    for hop in hops:
        control_plane, workers = len(hop["control_plane"]), len(hop["workers"])
        counts = _by_kind(hop, {*hop["control_plane"], *hop["workers"]})
        if control_plane and backup:
            parts += [(step, OTHER, 1) for step in BACKUP]
        if control_plane + workers:
            parts.append((PREPARE, WORKER if workers else OTHER, 1))
        if control_plane:
            parts.append((IMAGES, OTHER, 1))
        again = _by_kind(hop, set(hop.get("kubelets_later") or ()))
        for kind in KINDS:
            # A control-plane node has a gate before and one after it.
            gates = counts[kind] if kind == WORKER else 2 * (counts[kind] + again[kind])
            parts += [(GATE, kind, gates), (UPGRADE, kind, counts[kind] + again[kind])] if counts[kind] else []
        restarted = set(hop["kubelets"])
        drained = restarted - set(hop.get("in_place") or ())
        times = {step: _by_kind(hop, drained if step == DRAIN else restarted) for step in KUBELET}
        parts += [(step, kind, times[step][kind]) for kind in KINDS for step in KUBELET if times[step][kind]]
    summed: dict[tuple[str, str], int] = {}
    for step, kind, count in parts:
        summed[step, kind] = summed.get((step, kind), 0) + count
    made = [_part(step, kind, count, measured) for (step, kind), count in summed.items()]
    made = [part for part in made if part["seconds"] or part["source"] == MEASURED]
    total = sum(part["seconds"] for part in made)
    known = sum(part["seconds"] for part in made if part["source"] == MEASURED)
    return {
        "seconds": round(total),
        "measured_share": round(known / total, 2) if total else 0.0,
        "runs": sum(1 for journal in journals if journal),
        "parts": made,
    }


def _by_kind(hop: Mapping[str, t.Any], names: set[str]) -> dict[str, int]:
    """How many of `names` are of each kind; `kubeadm upgrade apply` makes a node a first one."""
    counts = dict.fromkeys(KINDS, 0)
    for name in hop["control_plane"]:
        counts[FIRST if name == hop.get("applies_on") else OTHER] += name in names
    counts[WORKER] = sum(name in names for name in hop["workers"])
    return counts


def _part(step: str, kind: str, count: int, measured: Mapping[tuple[str, str], list[float]]) -> Json:
    samples = measured.get((step, kind)) or []
    if not samples and step in ONCE:
        # Who of them was measured does not matter, as they do it at the same time.
        samples = [value for other in KINDS for value in measured.get((step, other)) or []]
    each = statistics.median(samples) if samples else GUESSES[step][kind]
    return {
        "step": step,
        "kind": kind,
        "count": count,
        "seconds_each": round(each, 1),
        "seconds": round(each * count, 1),
        "source": MEASURED if samples else GUESSED,
        "samples": len(samples),
    }


def measured_steps(journals: Sequence[Sequence[Json]]) -> dict[tuple[str, str], list[float]]:
    """Seconds of every step that ended well, by step and kind of node."""
    found: dict[tuple[str, str], list[float]] = {}
    for journal in journals:
        for run in runs_of(journal):
            kinds = _kinds(run)
            steps = Steps.replay(run)
            for host in steps.hosts():
                for step in steps.of(host, "interrupted"):
                    seconds = seconds_between(step.started, step.finished)
                    kind = kinds.get(host)
                    if kind and step.status == "finished" and step.name in GUESSES and seconds is not None:
                        found.setdefault((step.name, kind), []).append(seconds)
    return found


def runs_of(journal: Sequence[Json]) -> list[list[Json]]:
    """The entries of each run: from one ``run_started`` to the next."""
    runs: list[list[Json]] = []
    for event in journal:
        if event.get("event") == "run_started" or not runs:
            runs.append([])
        runs[-1].append(event)
    return runs


def _kinds(run: Sequence[Json]) -> dict[str, str]:
    """The kind of each host, as the plan of its run has it."""
    kinds: dict[str, str] = {}
    for event in run:
        data = event.get("data")
        if event.get("event") != "plan" or not isinstance(data, dict):
            continue
        nodes = [each for each in data.get("nodes") or [] if isinstance(each, dict)]
        hosts = {str(node.get("name")): str(node.get("host") or node.get("name")) for node in nodes}
        for hop in data.get("hops") or []:
            for name in hop.get("control_plane") or []:
                kind = FIRST if name == hop.get("applies_on") else OTHER
                kinds.setdefault(hosts.get(str(name), str(name)), kind)
            for name in hop.get("workers") or []:
                kinds.setdefault(hosts.get(str(name), str(name)), WORKER)
    return kinds
