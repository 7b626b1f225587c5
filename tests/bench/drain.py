# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the benchmark: every case by every tool, several times, in turn."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import platform
import tempfile
import time
import typing as t
from pathlib import Path

from bench import peer
from bench.cases import CASES, NOTHING, STOP_AFTER, TIMEOUT_S, TOOLS, Case, key_of, rotated
from bench.cluster import AuditedCluster
from bench.figures import Sample, goals_of, runs_of, table
from bench.measure import BenchError, measure
from bench.result import crowded_machine, keep, machine, say, say_goals
from bench.stage import Stage, crowd, crowd_of
from bench.tools import ROOT, USERS, Tools

Json = dict[str, t.Any]

CACHE = ROOT / ".cache" / "bench"
RESULT = ROOT / "artifacts" / "bench-drain.json"
# Between the end of one drain and the start of the next, for what controllers still do.
PAUSE_S = 1.0
# The time that a drain may take, and a little more to end in.
KILLED_AFTER_S = TIMEOUT_S + 60.0


class Bench:
    """One cluster, and what was measured on it."""

    def __init__(self, cluster: AuditedCluster, tools: Tools, repetitions: int) -> None:
        self._cluster = cluster
        self._tools = tools
        self._repetitions = repetitions
        self._crowded = False
        self.samples: list[Sample] = []
        self.failures: list[str] = []

    def warm_up(self) -> None:
        """One drain by each tool that does not count: caches on disk are filled."""
        say("warming up")
        stage = Stage(self._cluster, dataclasses.replace(CASES[0], name="warm up"))
        stage.set_up()
        for tool in TOOLS:
            self._drain(stage, tool, 0)
        stage.tear_down()

    def run(self, case: Case) -> None:
        """Measure a case; one that fails is among `failures`, and what was measured of it does not count."""
        samples: list[Sample] = []
        try:
            if case.crowded and not self._crowded:
                crowd(self._cluster, *crowd_of(case), say)
                self._crowded = True
            stage = Stage(self._cluster, case)
            stage.set_up()
            repetitions = min(self._repetitions, case.repetitions or self._repetitions)
            for repetition in range(1, repetitions + 1):
                for tool in rotated(TOOLS, repetition - 1):
                    samples.append(self._drain(stage, tool, repetition))
                    say(shown(samples[-1], repetitions))
                samples.append(self._start_only(case, repetition))
                say(shown(samples[-1], repetitions))
            stage.tear_down()
        except (BenchError, TimeoutError) as error:
            self.failures.append(f"{case.name}: {error}")
            say(f"FAILED: {self.failures[-1]}")
            return
        self.samples += samples

    def _drain(self, stage: Stage, tool: str, repetition: int) -> Sample:
        time.sleep(PAUSE_S)
        self._cluster.audit_log.take()
        start = self._tools.start(tool, stage.full, budget=stage.case.max_unavailable is not None)
        log = self._cluster.place / f"{USERS[tool]}.{stage.name}.log"
        measured = measure(start.command, start.env, log, KILLED_AFTER_S)
        stage.drained()
        # By now the API server has logged the end of the last request too.
        requests = self._cluster.audit_log.take().get(USERS[tool])
        if not requests:
            raise BenchError(f"the audit log has no request of {tool}")
        return Sample(
            stage.case.name, tool, repetition, measured.wall_s, measured.rss_mib, requests.total(), dict(requests)
        )

    def _start_only(self, case: Case, repetition: int) -> Sample:
        time.sleep(PAUSE_S)
        start = self._tools.nothing()
        measured = measure(start.command, start.env, self._cluster.place / "nothing.log", KILLED_AFTER_S)
        return Sample(case.name, NOTHING, repetition, measured.wall_s, measured.rss_mib, requests=0)


def shown(sample: Sample, of: int) -> str:
    """A line of progress."""
    took = f"{sample.wall_s:6.1f} s  {sample.requests:5d} requests  {sample.rss_mib:5.0f} MiB"
    return f"{sample.case:<24} {sample.repetition}/{of}  {sample.tool:<26} {took}"


def versions(cluster: AuditedCluster, peer_collections: Path) -> dict[str, str]:
    return {
        "kubectl": cluster.version,
        "kube-apiserver": cluster.version,
        "kubernetes.core": peer.version(peer_collections),
        "ansible-core": importlib.metadata.version("ansible-core"),
        "kubernetes (Python)": importlib.metadata.version("kubernetes"),
        "Python": platform.python_version(),
    }


def write(path: Path, bench: Bench, about: Json) -> None:
    """Write what there is, and print it."""
    runs = runs_of(bench.samples)
    goals = goals_of(runs, CASES)
    samples = [dataclasses.asdict(each) for each in bench.samples]
    result = {"runs": runs, "goals": goals, "failures": bench.failures, **about, "samples": samples}
    keep(path, result)
    say("\n" + "\n".join(table(runs)))
    say_goals(goals, path)


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Measure the cases that the command line names, all when it names none; 1 where one could not be measured."""
    by_key = {key_of(case): case for case in CASES}
    parser = argparse.ArgumentParser(description="Drain nodes by the collection, kubectl and kubernetes.core.")
    parser.add_argument(
        "--cases", nargs="+", choices=by_key, default=list(by_key), metavar="CASE", help=", ".join(by_key)
    )
    parser.add_argument("--repetitions", type=int, default=3, help="of each case by each tool (default: 3)")
    parser.add_argument("--out", type=Path, default=RESULT, help="the file of the result")
    options = parser.parse_args(arguments)
    if options.repetitions < 1:
        parser.error("--repetitions must be at least 1")
    about: Json = {"machine": machine(), "repetitions": options.repetitions, "stop_after": STOP_AFTER}
    crowded_machine(about["machine"])
    peer_collections = peer.collections_path(CACHE)
    with tempfile.TemporaryDirectory(prefix="evergreen-bench-") as work:
        cluster = AuditedCluster(Path(work) / "c", USERS.values())
        tools = Tools(cluster.place, cluster.bin / "kubectl", cluster.kubeconfigs, peer_collections)
        about["versions"] = versions(cluster, peer_collections)
        bench = Bench(cluster, tools, options.repetitions)
        began = time.monotonic()
        try:
            cluster.start()
            bench.warm_up()
            for key in [key for key in by_key if key in options.cases]:
                bench.run(by_key[key])
                about["seconds"] = round(time.monotonic() - began)
        finally:
            cluster.stop()
            write(options.out, bench, about)
    return 1 if bench.failures else 0
