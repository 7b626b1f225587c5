# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Saves and proofs of snapshots by the collection and by etcd's own tools, on one member with TLS."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import random
import sys
import tempfile
import threading
import time
import typing as t
from pathlib import Path

from bench.cases import rotated
from bench.etcd_figures import (
    ETCDCTL,
    ETCDUTL,
    GATEWAY,
    GRPC,
    SAVERS,
    VERIFIED,
    VERIFIERS,
    Sample,
    goals_of,
    runs_of,
    table,
    transfer_s,
)
from bench.measure import BenchError, measure
from bench.result import crowded_machine, keep, machine, say, say_goals
from bench.tools import ROOT
from etcd_cluster import ETCD, MODULES, Cluster, binaries

Json = dict[str, t.Any]

RESULT = ROOT / "artifacts" / "bench-etcd.json"
# A run that takes longer than this hangs.
KILLED_AFTER_S = 1800.0
WRITERS = 3
# As Kubernetes objects have them.
VALUE_SIZES = (1024, 4096)
TAGS = {GRPC: "grpc", GATEWAY: "gateway", ETCDCTL: "etcdctl", VERIFIED: "verified", ETCDUTL: "etcdutl"}


class Bench:
    """One member, and what was measured with it. Snapshots are written to `place`, and removed."""

    def __init__(self, cluster: Cluster, place: Path) -> None:
        self._cluster = cluster
        self._member = cluster.members[0]
        self._place = place
        self._kept = place / "kept.db"
        self.samples: list[Sample] = []
        self.failures: list[str] = []

    def fill(self, size: int) -> None:
        """Write until the database file has `size` bytes."""
        database = self._member.data / "member/snap/db"
        errors: list[Exception] = []

        def write(writer: int) -> None:
            number = 0
            try:
                while database.stat().st_size < size and not errors:
                    length = random.randint(*VALUE_SIZES)
                    prefix = f"/registry/pods/namespace-{writer}/pod-"
                    self._cluster.put(self._member, number, number + 100, length, prefix)
                    number += 100
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(WRITERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise BenchError(f"the database could not be filled: {errors[0]}")

    def run(self, repetitions: int) -> None:
        """Each tool once in vain, so that caches are filled, then `repetitions` times, in turn."""
        try:
            self._measure(ETCDCTL, 0, self._kept)
            for repetition in range(1, repetitions + 1):
                for tool in (*rotated(SAVERS, repetition - 1), *rotated(VERIFIERS, repetition - 1)):
                    path = self._kept if tool in VERIFIERS else self._place / f"{TAGS[tool]}.db"
                    sample = self._measure(tool, repetition, path)
                    self.samples.append(sample)
                    say(f"{repetition}/{repetitions}  {tool:<30} {sample.wall_s:6.1f} s  {sample.rss_mib:5.0f} MiB")
                    if path != self._kept:
                        path.unlink()
        except BenchError as error:
            self.failures.append(str(error))
            say(f"FAILED: {error}")

    def _measure(self, tool: str, repetition: int, path: Path) -> Sample:
        log = self._place / f"{TAGS[tool]}-{repetition}.log"
        kept = {name: os.environ[name] for name in ("HOME", "PATH", "LANG") if name in os.environ}
        env = {**kept, "PYTHONPATH": str(ROOT / ".collections")}
        measured = measure(self._command(tool, path), env, log, KILLED_AFTER_S)
        size = path.stat().st_size
        seconds = None if tool in VERIFIERS else transfer_s(tool, log.read_text(encoding="utf-8"), size)
        return Sample(tool, repetition, size, measured.wall_s, measured.rss_mib, seconds)

    def _command(self, tool: str, path: Path) -> list[str | Path]:
        if tool == ETCDCTL:
            return [*self._cluster.etcdctl_command(self._member), "snapshot", "save", path]
        if tool == ETCDUTL:
            return [binaries() / "etcdutl", "snapshot", "status", path, "-w", "json"]
        options: Json = {"path": str(path)}
        if tool == VERIFIED:
            options["state"] = "verified"
        else:
            options.update(manifest=str(self._member.manifest), min_free_mib=1, route=TAGS[tool])
        arguments = self._place / f"{TAGS[tool]}.json"
        arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}))
        return [sys.executable, "-m", f"{MODULES}.etcd_snapshot", arguments]


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Measure everything; 1 where something could not be measured."""
    parser = argparse.ArgumentParser(
        prog="bench etcd", description="Save and prove etcd snapshots by the collection, etcdctl and etcdutl."
    )
    parser.add_argument("--size-mb", type=int, default=1000, help="of the database, in 1,000,000 bytes (default: 1000)")
    parser.add_argument("--repetitions", type=int, default=3, help="of each tool (default: 3)")
    parser.add_argument("--directory", type=Path, help="where the database and the snapshots are; a temporary one")
    parser.add_argument("--out", type=Path, default=RESULT, help="the file of the result")
    options = parser.parse_args(arguments)
    if options.repetitions < 1 or options.size_mb < 1:
        parser.error("--repetitions and --size-mb must be at least 1")
    size = options.size_mb * 1_000_000
    about: Json = {"machine": machine(), "repetitions": options.repetitions}
    about["versions"] = {"etcd": ETCD, "Python": platform.python_version()}
    crowded_machine(about["machine"])
    with tempfile.TemporaryDirectory(prefix="evergreen-bench-", dir=options.directory) as work:
        cluster = Cluster(Path(work) / "c", ["only"], [f"--quota-backend-bytes={max(2 * size, 2 << 30)}"])
        bench = Bench(cluster, Path(work))
        try:
            cluster.start()
            say(f"filling a database of {options.size_mb} MB")
            began = time.monotonic()
            bench.fill(size)
            say(f"filled in {time.monotonic() - began:.0f} s")
            bench.run(options.repetitions)
        finally:
            cluster.stop()
            write(options.out, bench, size, about)
    return 1 if bench.failures else 0


def write(path: Path, bench: Bench, size: int, about: Json) -> None:
    """Write what there is, and print it."""
    runs = runs_of(bench.samples)
    goals = goals_of(runs, size)
    samples = [dataclasses.asdict(each) for each in bench.samples]
    result = {"runs": runs, "goals": goals, "failures": bench.failures, "database_bytes": size, **about}
    keep(path, {**result, "samples": samples})
    say("\n" + "\n".join(table(runs)))
    say_goals(goals, path)
