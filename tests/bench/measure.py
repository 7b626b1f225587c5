# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One program, from its start to its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

SPAWN = Path(__file__).with_name("spawn.py")


class BenchError(Exception):
    """A measurement that shows nothing: a tool failed, or did not do what it was to do."""


class Measured(t.NamedTuple):
    wall_s: float
    """From the start of the program to its end."""
    rss_mib: float
    """Peak resident memory of its largest process, descendants included."""


def measure(command: t.Sequence[str | Path], env: t.Mapping[str, str], log: Path, timeout_s: float) -> Measured:
    """Run `command` with exactly `env`, its output appended to `log`.

    Raises BenchError where it fails, or has not ended after `timeout_s`; it is killed then, with what it started.
    """
    report = log.with_suffix(".measured.json")
    report.unlink(missing_ok=True)
    words = [str(word) for word in (sys.executable, "-I", "-S", SPAWN, report, log, *command)]
    with subprocess.Popen(words, env=dict(env), stdin=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            process.wait(timeout_s)
        except BaseException as error:
            # The session is its own, so that nothing else is in the group.
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise BenchError(f"{log.stem} had not ended after {timeout_s:g} s:\n{_tail(log)}") from None
            raise
    if process.returncode:
        raise BenchError(f"{log.stem} could not be started:\n{_tail(log)}")
    seen = json.loads(report.read_text(encoding="utf-8"))
    if seen["status"]:
        raise BenchError(f"{log.stem} ended with {seen['status']}:\n{_tail(log)}")
    return Measured(seen["wall_s"], seen["rss_kib"] / 1024)


def _tail(log: Path, lines: int = 20) -> str:
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError:
        return "(it said nothing)"
