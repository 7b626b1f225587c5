# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans by skew_check on clusters of growing size, and what kubectl takes to read the same nodes and pods."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import shlex
import sys
import tempfile
import time
import typing as t
from pathlib import Path

from bench.audit import count, unlimited
from bench.measure import BenchError, measure
from bench.plan_figures import EMPTY, KUBECTL, OURS, Sample, goals_of, runs_of, table
from bench.plan_stage import Stage, StillCluster
from bench.result import crowded_machine, keep, machine, say, say_goals
from bench.tools import ROOT

Json = dict[str, t.Any]

RESULT = ROOT / "artifacts" / "bench-plan.json"
MODULE = "ansible_collections.evergreen.kubeadm.plugins.modules.skew_check"
TARGET = "1.35.4"
# A run that takes longer than this hangs.
KILLED_AFTER_S = 900.0
USERS = {OURS: "bench-ours", KUBECTL: "bench-kubectl"}


class Bench:
    """One cluster that grows, and what was measured with it."""

    def __init__(self, cluster: StillCluster, stage: Stage, place: Path) -> None:
        self._cluster = cluster
        self._stage = stage
        self._place = place
        self.samples: list[Sample] = []
        self.failures: list[str] = []

    def run(self, repetitions: int) -> None:
        """Each tool once in vain, so that caches are filled, then `repetitions` times, in turn."""
        for repetition in range(repetitions + 1):
            for tool in (OURS, KUBECTL) if repetition % 2 else (KUBECTL, OURS):
                try:
                    sample = self._measure(tool, repetition)
                except BenchError as error:
                    self.failures.append(str(error))
                    say(f"FAILED: {error}")
                    continue
                if repetition:
                    self.samples.append(sample)
                    say(
                        f"{sample.nodes:>5} nodes  {repetition}/{repetitions}  {tool:<24} {sample.wall_s:6.1f} s"
                        f"  {sample.rss_mib:6.0f} MiB  {sample.requests} requests"
                    )

    def _measure(self, tool: str, repetition: int) -> Sample:
        log = self._place / f"{USERS[tool]}-{self._stage.nodes}-{repetition}.log"
        kept = {name: os.environ[name] for name in ("HOME", "PATH", "LANG") if name in os.environ}
        self._cluster.audit_log.events()
        measured = measure(self._command(tool), {**kept, "PYTHONPATH": str(ROOT / ".collections")}, log, KILLED_AFTER_S)
        events = [each for each in self._cluster.audit_log.events() if each["user"]["username"] == USERS[tool]]
        if tool == OURS:
            self._examine(log)
        return Sample(
            tool=tool,
            nodes=self._stage.nodes,
            objects=self._stage.objects,
            repetition=repetition,
            wall_s=measured.wall_s,
            rss_mib=measured.rss_mib,
            requests=sum(count(events, set()).get(USERS[tool], {}).values()),
            unlimited=len(unlimited(events)),
        )

    def _command(self, tool: str) -> list[str | Path]:
        kubeconfig = self._cluster.kubeconfigs[USERS[tool]]
        if tool == KUBECTL:
            words = [str(self._cluster.bin / "kubectl"), "--kubeconfig", str(kubeconfig)]
            words += ["--cache-dir", str(self._place / "kubectl-cache")]
            words += ["get", "nodes,pods", "--all-namespaces", "--output", "json"]
            # What it writes is nobody's; a file of it would be measured as well.
            return ["/bin/sh", "-c", f"exec {shlex.join(words)} > /dev/null"]
        arguments = self._place / "arguments.json"
        options = {"kubeconfig": str(kubeconfig), "kubernetes_version": TARGET, "pool_label": "pool"}
        arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}))
        return [sys.executable, "-m", MODULE, arguments]

    def _examine(self, log: Path) -> None:
        """A plan that is not of all these nodes would show nothing."""
        result = json.loads(log.read_text(encoding="utf-8").splitlines()[-1])
        planned = sum(len(hop["workers"]) for hop in result["hops"])
        if planned != self._stage.nodes:
            raise BenchError(f"the plan has {planned} workers, the cluster {self._stage.nodes}")


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Measure everything; 1 where something could not be measured."""
    parser = argparse.ArgumentParser(prog="bench plan", description="Plan upgrades of clusters of growing size.")
    parser.add_argument("--nodes", type=int, nargs="+", default=[1000, 5000], help="workers (default: 1000 5000)")
    parser.add_argument("--pods-per-node", type=int, default=10, help="(default: 10)")
    parser.add_argument("--repetitions", type=int, default=3, help="of each tool and size (default: 3)")
    parser.add_argument("--out", type=Path, default=RESULT, help="the file of the result")
    options = parser.parse_args(arguments)
    if options.repetitions < 1 or options.pods_per_node < 1 or min(options.nodes) < 1:
        parser.error("--nodes, --pods-per-node and --repetitions must be at least 1")
    about: Json = {"machine": machine(), "repetitions": options.repetitions, "pods_per_node": options.pods_per_node}
    crowded_machine(about["machine"])
    with tempfile.TemporaryDirectory(prefix="evergreen-bench-") as work:
        cluster = StillCluster(Path(work) / "c", USERS.values())
        about["versions"] = {"Kubernetes": cluster.version, "Python": platform.python_version()}
        stage = Stage(cluster, options.pods_per_node)
        bench = Bench(cluster, stage, Path(work))
        try:
            cluster.start()
            stage.begin()
            for nodes in (EMPTY, *sorted(set(options.nodes))):
                began = time.monotonic()
                if nodes:
                    stage.grow(nodes)
                say(f"{stage.objects} objects, written in {time.monotonic() - began:.0f} s")
                bench.run(options.repetitions)
        finally:
            cluster.stop()
            write(options.out, bench, about)
    return 1 if bench.failures else 0


def write(path: Path, bench: Bench, about: Json) -> None:
    """Write what there is, and print it."""
    runs, goals = runs_of(bench.samples), goals_of(bench.samples)
    samples = [dataclasses.asdict(each) for each in bench.samples]
    keep(path, {"runs": runs, "goals": goals, "failures": bench.failures, **about, "samples": samples})
    if bench.samples:
        say("\n" + "\n".join(table(bench.samples)))
    say_goals(goals, path)
