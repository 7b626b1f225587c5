# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of upgrade.yml, watched by its journal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

Json = dict[str, t.Any]

ROOT = Path(__file__).resolve().parents[2]
POLL_S = 0.1
# The faults name workers, so these are to come in one order whatever the faults before have moved.
ALWAYS = {"preflight_worker_order": "inventory"}
KILLED_AFTER_S = 2700.0
"""A run that takes longer than this hangs."""


class ChaosError(Exception):
    """A run that was not as it must be."""


@dataclass(frozen=True)
class Moment:
    """The beginning of a step on a host; any host where it is empty."""

    step: str
    host: str = ""

    def __str__(self) -> str:
        return f"{self.step} on {self.host}" if self.host else self.step

    def is_at(self, event: Json) -> bool:
        return (
            event.get("event") == "step"
            and event.get("name") == self.step
            and "status" not in event
            and self.host in ("", event.get("host"))
        )


@dataclass(frozen=True)
class Ended:
    """A run that is over; `rc` below 0 is the signal that ended it."""

    rc: int
    seconds: float
    reached: bool
    """Whether the moment came."""


class Run:
    """ansible-playbook upgrade.yml on the lab. `artifacts` is the folder of its journal."""

    def __init__(self, version: str, artifacts: Path, variables: t.Mapping[str, t.Any]) -> None:
        self._journal = artifacts / "upgrade-journal.jsonl"
        self._output = artifacts / "output.log"
        artifacts.mkdir(parents=True, exist_ok=True)
        named = {"kubernetes_version": version, "upgrade_artifacts_dir": str(artifacts)}
        self._command = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            *("-i", str(ROOT / "inventories" / "lab"), str(ROOT / "upgrade.yml")),
            *("-e", json.dumps({**ALWAYS, **named, **variables})),
        ]

    def walk(self, moment: Moment | None, act: t.Callable[[subprocess.Popen[bytes]], None] | None) -> Ended:
        """Run to the end. When `moment` comes, once, `act` is called with the process. Raises ChaosError."""
        began = time.monotonic()
        read = self._size()
        reached = False
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        with (
            self._output.open("wb") as log,
            subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as process,
        ):
            while process.poll() is None:
                if time.monotonic() - began > KILLED_AFTER_S:
                    os.killpg(process.pid, signal.SIGKILL)
                    raise ChaosError(f"A run had not ended after {KILLED_AFTER_S:g} s.\n{self._tail()}")
                if moment and act and not reached:
                    events, read = self._since(read)
                    if any(moment.is_at(event) for event in events):
                        reached = True
                        act(process)
                time.sleep(POLL_S)
        return Ended(process.returncode, round(time.monotonic() - began, 1), reached)

    def _size(self) -> int:
        return self._journal.stat().st_size if self._journal.exists() else 0

    def _since(self, offset: int) -> tuple[list[Json], int]:
        """Whole lines after `offset`. A run begins a journal of its own, which is shorter than the one before."""
        if not self._journal.exists():
            return [], 0
        offset = 0 if self._size() < offset else offset
        with self._journal.open("rb") as file:
            file.seek(offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        return [json.loads(line) for line in whole.splitlines()], offset + len(whole)

    def _tail(self, lines: int = 30) -> str:
        return "\n".join(self._output.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
