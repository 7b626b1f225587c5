# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Upgrades the lab by upgrade.yml and by the documentation's procedure, under the same traffic.

Each begins with a new cluster that has kubeadm's default flags.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

from ansible_collections.evergreen.kubeadm.plugins.module_utils._report import compose, journal
from bench.measure import BenchError
from bench.result import crowded_machine, keep, machine, say, say_goals
from bench.tools import ROOT
from bench.upgrade_figures import (
    BY_HAND,
    OURS,
    Sample,
    evictions_of_script,
    goals_of,
    runs_of,
    seconds_of_report,
    seconds_of_script,
    table,
)
from lab import cluster, config, golang

Json = dict[str, t.Any]
Took = tuple[dict[str, float], dict[str, float]]
"""Seconds of each control-plane node, and of kubeadm on it."""

KUBECONFIG = config.GENERATED / "admin.conf"
RESULT = ROOT / "artifacts" / "bench-upgrade.json"
SCRIPT = Path(__file__).with_name("upgrade_by_hand.sh")
FROM, TO = "1.34.4", "1.35.4"
# An upgrade that takes longer than this hangs.
KILLED_AFTER_S = 5400.0
# What is seen after the end of an upgrade still is of it.
AFTER_S = 10.0
IGNORED = "SystemVerification,Swap,NumCPU,Mem"


class Upgrades:
    """The lab, made anew for each upgrade."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._lab = config.load()
        self._program = golang.build(golang.kubernetes(FROM, self._lab.release.go), self._lab.cache) / "kube"

    def fresh(self) -> None:
        """A new cluster with kubeadm's default flags and the lab's workloads. Raises BenchError."""
        say("making the lab anew")
        ended = subprocess.run([sys.executable, "-m", "lab", "up", "--fresh"], cwd=ROOT, check=False)
        if ended.returncode:
            raise BenchError("the lab could not be made")

    def movable_pods(self) -> int:
        """Pods that a drain moves: those of no DaemonSet and no manifest."""
        listed = json.loads(cluster.kubectl(self._lab, "get", "pods", "--all-namespaces", "-o", "json"))["items"]
        owners = [{owner["kind"] for owner in pod["metadata"].get("ownerReferences") or ()} for pod in listed]
        return sum(not kinds & {"DaemonSet", "Node"} for kinds in owners)

    def ours(self) -> Sample:
        artifacts = self._work / "ours"
        command = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            *("-i", str(config.INVENTORY), str(ROOT / "upgrade.yml")),
            *("-e", f"kubernetes_version={TO}", "-e", f"upgrade_artifacts_dir={artifacts}"),
            # Both are asked from here, so that they are asked alike.
            *("-e", json.dumps({"upgrade_probe_api": False, "upgrade_probe_services": []})),
        ]
        with self._probing("ours") as probed:
            wall, ok, _output = self._upgrade(command, "ours.log")
        report = json.loads((artifacts / "upgrade-report.json").read_text(encoding="utf-8"))
        took = seconds_of_report(report, _seconds), seconds_of_report(report, _seconds, "kubeadm")
        return self._sample(OURS, wall, took, probed, report["evictions"]["total"], ok)

    def by_hand(self) -> Sample:
        ssh = self._work / "ssh_config"
        ssh.write_text(ssh_config(self._lab.nodes), encoding="utf-8")
        control_plane = [node.name for node in self._lab.control_plane]
        workers = [node.name for node in self._lab.workers]
        command = [str(SCRIPT), TO, str(self._program), str(KUBECONFIG), IGNORED, str(ssh)]
        with self._probing("by-hand") as probed:
            wall, ok, output = self._upgrade([*command, *control_plane, "--", *workers], "by-hand.log")
        took = seconds_of_script(output, control_plane, "node"), seconds_of_script(output, control_plane, "kubeadm")
        return self._sample(BY_HAND, wall, took, probed, evictions_of_script(output), ok)

    def _upgrade(self, command: t.Sequence[str], log: str) -> tuple[float, bool, str]:
        """Seconds, whether it succeeded, and what it printed."""
        path, began = self._work / log, time.monotonic()
        with path.open("wb") as file:
            ended = subprocess.run(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=KILLED_AFTER_S,
                check=False,
            )
        output = path.read_text(encoding="utf-8", errors="replace")
        if ended.returncode:
            say(f"{log}: ended with {ended.returncode}:\n" + "\n".join(output.splitlines()[-20:]))
        return round(time.monotonic() - began, 1), ended.returncode == 0, output

    @contextlib.contextmanager
    def _probing(self, name: str) -> t.Iterator[Path]:
        """Requests through the balancer, of the API and of the Service, at 20 a second each, as upgrade.yml makes."""
        output, stop, arguments = (self._work / f"{name}.{end}" for end in ("jsonl", "stop", "json"))
        options = {
            "kubeconfig": str(KUBECONFIG),
            "services": [{"name": "web", "url": f"http://{self._lab.balancer.address}/"}],
            "output": str(output),
            "stop_file": str(stop),
            "duration_s": KILLED_AFTER_S,
            "idle_limit_s": KILLED_AFTER_S,
        }
        arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}), encoding="utf-8")
        module = "ansible_collections.evergreen.kubeadm.plugins.modules.availability_probe"
        environment = {**os.environ, "PYTHONPATH": str(ROOT / ".collections")}
        with subprocess.Popen(
            [sys.executable, "-m", module, str(arguments)], env=environment, stdout=subprocess.DEVNULL
        ) as probe:
            try:
                yield output
                time.sleep(AFTER_S)
            finally:
                stop.touch()
                probe.wait(60)

    def _sample(self, tool: str, wall: float, took: Took, probed: Path, evictions: int, succeeded: bool) -> Sample:
        listed = json.loads(cluster.kubectl(self._lab, "get", "nodes", "-o", "json"))["items"]
        cordoned = [node["metadata"]["name"] for node in listed if node["spec"].get("unschedulable")]
        seen = compose.availability(journal.read(str(probed)))
        sample = Sample(tool, wall, *took, seen, evictions, cordoned, succeeded)
        api = seen["api"]
        say(f"{tool}: {wall:.0f} s, control-plane nodes {took[0]}, kubeadm {took[1]}")
        say(f"API {api['failed']} of {api['requests']} failed")
        return sample


def _seconds(begin: str, end: str) -> float:
    return compose.seconds_between(begin, end) or 0.0


def ssh_config(nodes: t.Iterable[config.Machine]) -> str:
    """How the script reaches the nodes: as the inventory does."""
    hosts = [f"Host {node.name}\n  HostName {node.address}" for node in nodes]
    common = f"""Host *
  User ops
  IdentityFile {config.GENERATED / "ssh_key"}
  UserKnownHostsFile {config.GENERATED / "known_hosts"}
  StrictHostKeyChecking yes
  IdentitiesOnly yes
  BatchMode yes
"""
    return "\n".join([*hosts, common])


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Measure both; 1 where ours did not succeed."""
    parser = argparse.ArgumentParser(description="Upgrade the lab by upgrade.yml and by the documentation's procedure.")
    parser.add_argument("--out", type=Path, default=RESULT, help="the file of the result")
    options = parser.parse_args(arguments)
    about: Json = {"machine": machine(), "from": FROM, "to": TO}
    crowded_machine(about["machine"])
    with tempfile.TemporaryDirectory(prefix="evergreen-bench-") as work:
        os.environ.update(LAB_KUBERNETES_VERSION=FROM, LAB_OFFERED_VERSIONS=TO)
        upgrades = Upgrades(Path(work))
        upgrades.fresh()
        pods = upgrades.movable_pods()
        by_hand = upgrades.by_hand()
        upgrades.fresh()
        ours = upgrades.ours()
    runs, goals = runs_of(ours, by_hand, pods), goals_of(ours, by_hand, pods)
    samples = [dataclasses.asdict(each) for each in (ours, by_hand)]
    keep(options.out, {"runs": runs, "goals": goals, **about, "movable_pods": pods, "samples": samples})
    say("\n" + "\n".join(table(runs)))
    say_goals(goals, options.out)
    return 0 if ours.succeeded else 1
