# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where things are, and how a program is run."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
REPORTS = CACHE / "reports"
COLLECTIONS = ROOT / ".collections"
COLLECTION = "evergreen.kubeadm"
# A symlink to the interpreter outside must stay one: its directory is that of the virtual environment.
BIN = Path(sys.executable).absolute().parent


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of every program: this virtual environment's programs are found first."""
    path = os.environ.get("PATH", os.defpath)
    return {**os.environ, "PATH": f"{BIN}{os.pathsep}{path}", "PYTHONUNBUFFERED": "1", **(extra or {})}


def run(argv: Sequence[str | Path], *, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> int:
    """Run `argv` with its output on the terminal and return its exit status; 127 when it is not installed."""
    command = [str(word) for word in argv]
    say(f"$ {shlex.join(command)}")
    try:
        return subprocess.run(command, cwd=cwd, env=environment(env), stdin=subprocess.DEVNULL, check=False).returncode
    except FileNotFoundError:
        say(f"{command[0]} is not installed")
        return 127


def run_and_keep(
    argv: Sequence[str | Path], *, cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Like `run`, and return what was printed too, errors in between."""
    command = [str(word) for word in argv]
    say(f"$ {shlex.join(command)}")
    said = []
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            said.append(line)
    return process.returncode, "".join(said)


def capture(
    argv: Sequence[str | Path], *, cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `argv` and return what it printed; its exit status is the caller's to judge."""
    return subprocess.run(
        [str(word) for word in argv],
        cwd=cwd,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def project_files() -> list[str]:
    """Paths, relative to the checkout, of files that git tracks or would: what a commit would hold."""
    listing = capture(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
    if listing.returncode != 0:
        raise SystemExit(f"git cannot list the files of this checkout: {listing.stderr.strip()}")
    names = sorted(set(listing.stdout.split("\0")) - {""})
    return [name for name in names if (ROOT / name).is_file() or (ROOT / name).is_symlink()]


def say(text: str) -> None:
    """Print one line at once, so that it stands in order with what programs print."""
    print(text, flush=True)
