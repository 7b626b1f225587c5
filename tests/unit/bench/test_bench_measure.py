# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is measured of real processes."""

from __future__ import annotations

import os
import sys
import time
import typing as t
from pathlib import Path

import pytest

from bench.measure import BenchError, measure

BIG = "held = b'x' * (100 << 20)"
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], check=True)"


def run(tmp_path: Path, *arguments: str, timeout_s: float = 30.0, **env: str) -> t.Any:
    return measure([sys.executable, "-I", "-S", *arguments], env, tmp_path / "tool.log", timeout_s)


def test_memory_of_a_descendant_counts_and_ours_does_not(tmp_path: Path) -> None:
    held = b"x" * (200 << 20)
    assert 100 < run(tmp_path, "-c", PARENT, BIG).rss_mib < 150
    assert len(held) == 200 << 20


def test_time_is_that_of_the_program(tmp_path: Path) -> None:
    assert 0.3 <= run(tmp_path, "-c", "import time; time.sleep(0.3)").wall_s < 5


def test_environment_is_the_given_one(tmp_path: Path) -> None:
    run(tmp_path, "-c", "import os; print(sorted(os.environ.items()))", BENCH_WORD="here")
    said = (tmp_path / "tool.log").read_text()
    assert "('BENCH_WORD', 'here')" in said
    assert "HOME" in os.environ
    assert "HOME" not in said


def test_failure_says_what_the_program_said(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"(?s)ended with 3.*out of luck"):
        run(tmp_path, "-c", "print('out of luck'); raise SystemExit(3)")


def test_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="could not be started"):
        measure([tmp_path / "nothing"], {}, tmp_path / "tool.log", 30.0)


def test_end_of_patience_ends_the_program_too(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with pytest.raises(BenchError, match="had not ended after 1 s"):
        run(
            tmp_path,
            "-c",
            f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)",
            timeout_s=1.0,
        )
    pid, end = int(note.read_text()), time.monotonic() + 10
    while lives(pid):
        assert time.monotonic() < end
        time.sleep(0.02)


def lives(pid: int) -> bool:
    """Whether the process is there, and not only waits to be waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
