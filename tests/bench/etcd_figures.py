# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is measured of etcd snapshots, and from samples to figures. Pure."""

from __future__ import annotations

import json
import re
import statistics
import typing as t
from dataclasses import dataclass

from bench.measure import BenchError
from bench.result import Goal, Run, goal_of, run_of, shown

GRPC = "etcd_snapshot, route grpc"
GATEWAY = "etcd_snapshot, route gateway"
ETCDCTL = "etcdctl snapshot save"
VERIFIED = "etcd_snapshot, state verified"
ETCDUTL = "etcdutl snapshot status"
SAVERS = (GRPC, ETCDCTL, GATEWAY)
VERIFIERS = (VERIFIED, ETCDUTL)

SAVE_MEASURES = ("mib_per_s", "process_mib_per_s", "rss_mib")
VERIFY_MEASURES = ("wall_s", "rss_mib")
# Case, ours, the peer, and what is compared.
_COMPARED = (
    ("save by grpc", GRPC, ETCDCTL, SAVE_MEASURES),
    ("save by gateway", GATEWAY, ETCDCTL, SAVE_MEASURES),
    ("verify", VERIFIED, ETCDUTL, VERIFY_MEASURES),
)
RATE_RATIO = 0.8
# 100 MB.
MEMORY_LIMIT_MIB = 95.0
VERIFY_S_PER_GB = 60.0


@dataclass(frozen=True)
class Sample:
    """One program, run once on a file or database of `size` bytes."""

    tool: str
    repetition: int
    size: int
    wall_s: float
    rss_mib: float
    transfer_s: float | None = None
    """From the request to the synced file, by the program's own account. None where nothing is transferred."""

    @property
    def mib_per_s(self) -> float | None:
        return self.size / (1 << 20) / self.transfer_s if self.transfer_s else None

    @property
    def process_mib_per_s(self) -> float:
        return self.size / (1 << 20) / self.wall_s


def transfer_s(tool: str, said: str, size: int) -> float:
    """Seconds that a save says its transfer took, sync included: the module's rate, or etcdctl's log in JSON."""
    if tool != ETCDCTL:
        rate = json.loads(said.splitlines()[-1])["mib_per_s"]
        return float(size / (1 << 20) / rate)
    line = next((line for line in said.splitlines() if "fetched snapshot" in line), "{}")
    took = json.loads(line).get("took")
    parts = re.fullmatch(r"(?:(\d+)m)?(\d+(?:\.\d+)?)(ms|s)", str(took))
    if parts is None:
        raise BenchError(f"etcdctl does not say how long its transfer took: {said[-500:]}")
    minutes, number, unit = parts.groups()
    return 60.0 * int(minutes or 0) + float(number) / (1000 if unit == "ms" else 1)


def runs_of(samples: t.Sequence[Sample]) -> list[Run]:
    """Every comparison of which both sides were measured."""
    runs = []
    for case, ours, peer, measures in _COMPARED:
        for measure in measures:
            mine, theirs = (median(samples, tool, measure) for tool in (ours, peer))
            if mine and theirs:
                runs.append(run_of(case, measure, mine, peer, theirs))
    return runs


def median(samples: t.Iterable[Sample], tool: str, measure: str) -> float | None:
    values = [value for each in samples if each.tool == tool and (value := getattr(each, measure)) is not None]
    return statistics.median(values) if values else None


def goals_of(runs: t.Iterable[Run], size: int) -> list[Goal]:
    """The goals for a database of `size` bytes.

    The route grpc: at least 0.8 of etcdctl's rate, less than 100 MB. The proof
    of a file: less than 100 MB, and 60 s for 1 GB. None for the route gateway,
    which etcd itself bounds.
    """
    goals = []
    for run in runs:
        case, metric = run["case"], run["metric"]
        if case == "save by gateway":
            continue
        if metric == "mib_per_s":
            goals.append(goal_of(case, f"rate / {run['peer']}", run["ratio"], RATE_RATIO, at_least=True))
        elif metric == "rss_mib":
            goals.append(goal_of(case, "MiB of the module", run["ours"], MEMORY_LIMIT_MIB))
        elif metric == "wall_s":
            goals.append(goal_of(case, "seconds", run["ours"], round(VERIFY_S_PER_GB * size / 1e9, 3)))
    return goals


def table(runs: t.Iterable[Run]) -> list[str]:
    """The runs as a Markdown table."""
    lines = ["| case | metric | ours | peer | theirs | ratio |", "|---|---|---|---|---|---|"]
    for run in runs:
        cells = [run["case"], run["metric"], shown(run["ours"]), run["peer"], shown(run["theirs"])]
        lines.append(f"| {' | '.join(cells)} | {run['ratio']:.2f} |")
    return lines
