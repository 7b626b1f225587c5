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

from ansible_collections.evergreen.kubeadm.plugins.module_utils._report import journal
from ansible_collections.evergreen.kubeadm.plugins.modules.availability_probe import NICE
from bench.measure import BenchError
from bench.result import crowded_machine, keep, machine, say, say_goals
from bench.tools import ROOT
from bench.upgrade_figures import (
    BY_HAND,
    OURS,
    Client,
    Sample,
    clients_of_lines,
    clients_of_targets,
    evictions_of_script,
    goals_of,
    parts_of_report,
    runs_of,
    starts_of_journal,
    steps_of_report,
    steps_of_script,
    table,
    table_of_parts,
    table_of_steps,
    turns_of_report,
)
from lab import cluster, config, golang, machines

Json = dict[str, t.Any]
KUBECONFIG = config.GENERATED / "admin.conf"
RESULT = ROOT / "artifacts" / "bench-upgrade.json"
SCRIPT = Path(__file__).with_name("upgrade_by_hand.sh")
FROM, TO = "1.34.4", "1.35.4"
CLIENT_GO = "0.34.4"
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
        go, cache = self._lab.release.go, self._lab.cache
        self._kubectl = golang.build(golang.kubernetes(FROM, go), cache) / "kubectl"
        self._probe = golang.build(golang.probe(CLIENT_GO, go), cache) / "probe"

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
            # All are asked from here, so that they are asked alike.
            *("-e", json.dumps({"upgrade_probe_api": False, "upgrade_probe_services": []})),
        ]
        sample = self._upgrade(OURS, command)
        report = json.loads((artifacts / "upgrade-report.json").read_text(encoding="utf-8"))
        turns = turns_of_report(report)
        return dataclasses.replace(
            sample,
            control_plane_node_s={name: turns[name] for name in sample.starts if name in turns},
            steps=steps_of_report(report),
            parts=parts_of_report(report, sample.wall_s),
            evictions=report["evictions"]["total"],
        )

    def by_hand(self) -> Sample:
        ssh = self._work / "ssh_config"
        ssh.write_text(ssh_config(self._lab.nodes), encoding="utf-8")
        control_plane = [node.name for node in self._lab.control_plane]
        workers = [node.name for node in self._lab.workers]
        command = [str(SCRIPT), TO, str(self._kubectl), str(KUBECONFIG), IGNORED, str(ssh)]
        sample = self._upgrade(BY_HAND, [*command, *control_plane, "--", *workers])
        output = self._log(BY_HAND).read_text(encoding="utf-8", errors="replace")
        steps = steps_of_script(output)
        turns = {name: round(sum(seconds for _step, seconds in of_node), 1) for name, of_node in steps.items()}
        return dataclasses.replace(
            sample,
            control_plane_node_s={name: turns[name] for name in sample.starts if name in turns},
            steps=steps,
            parts=list(turns.items()),
            evictions=evictions_of_script(output),
        )

    def _log(self, tool: str) -> Path:
        return self._work / f"{tool}.log"

    def _upgrade(self, tool: str, command: t.Sequence[str]) -> Sample:
        """What every upgrade is measured by; what only `tool` says of its nodes is left to be filled in."""
        with self._probing() as clients:
            since, began = int(time.time()), time.monotonic()
            with self._log(tool).open("wb") as file:
                ended = subprocess.run(
                    command,
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    timeout=KILLED_AFTER_S,
                    check=False,
                )
            wall = round(time.monotonic() - began, 1)
        if ended.returncode:
            lines = self._log(tool).read_text(encoding="utf-8", errors="replace").splitlines()
            say(f"{tool}: ended with {ended.returncode}:\n" + "\n".join(lines[-20:]))
        say(f"{tool}: {wall:.0f} s; {clients}")
        listed = json.loads(cluster.kubectl(self._lab, "get", "nodes", "-o", "json"))["items"]
        return Sample(
            tool=tool,
            wall_s=wall,
            control_plane_node_s={},
            steps={},
            parts=[],
            clients=clients,
            starts={node.name: self._starts(node, since) for node in self._lab.control_plane},
            evictions=0,
            cordoned=[node["metadata"]["name"] for node in listed if node["spec"].get("unschedulable")],
            succeeded=ended.returncode == 0,
        )

    def _starts(self, node: config.Machine, since: int) -> dict[str, int]:
        command = ("journalctl", "--unit=containerd", "--output=cat", "--no-pager", f"--since=@{since}")
        return starts_of_journal(machines.execute(self._lab, node, *command).stdout)

    @contextlib.contextmanager
    def _probing(self) -> t.Iterator[dict[str, Client]]:
        """Requests through the balancer meanwhile; what became of them is in the dictionary at the end.

        New connections to the API and to the Service at 10 a second each, and clients as client-go has them.
        """
        output, stop, arguments, clients_output = (
            self._work / name for name in ("probe.jsonl", "stop", "arguments.json", "clients.jsonl")
        )
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
        found: dict[str, Client] = {}
        with (
            clients_output.open("wb") as file,
            subprocess.Popen(
                [sys.executable, "-m", module, str(arguments)],
                env=environment,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            ) as probe,
            subprocess.Popen(
                ["nice", "-n", str(NICE), self._probe, "--kubeconfig", KUBECONFIG],
                stdin=subprocess.PIPE,
                stdout=file,
                start_new_session=True,
            ) as clients,
        ):
            # As the module has itself served.
            with contextlib.suppress(OSError):
                Path(f"/proc/{clients.pid}/autogroup").write_text(str(NICE))
            try:
                yield found
                time.sleep(AFTER_S)
            finally:
                stop.touch()
                clients.communicate(timeout=60)
                probe.wait(60)
        found.update(clients_of_targets(journal.read(str(output))))
        found.update(clients_of_lines(journal.read(str(clients_output))))


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
    tables = [table(runs), table_of_parts(ours), table_of_steps(ours.steps), table_of_steps(by_hand.steps)]
    say("\n" + "\n\n".join("\n".join(lines) for lines in tables))
    say_goals(goals, options.out)
    return 0 if ours.succeeded else 1
