# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program; what it printed is in the error when it fails."""

from __future__ import annotations

import os
import shlex
import subprocess
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TAIL_LINES = 25


class LabError(Exception):
    """A failure that the lab reports in one sentence, without a traceback."""


class CommandError(LabError):
    """A program ended with an error or did not end in time."""


def run(
    argv: Sequence[str | Path],
    *,
    what: str = "",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | bytes | None = None,
    timeout_s: float = 1800,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run `argv` and return its output; raise CommandError when it fails.

    `env` is added to the environment. `what` says in the error what was
    being done.
    """
    command = [str(word) for word in argv]
    intent = f"{what}: " if what else ""
    try:
        ended = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError as error:
        raise CommandError(f"{intent}{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"{intent}{shlex.join(command)} did not end within {timeout_s:.0f} s") from error
    result = subprocess.CompletedProcess(
        command, ended.returncode, ended.stdout.decode(errors="replace"), ended.stderr.decode(errors="replace")
    )
    if check and result.returncode != 0:
        said = (result.stderr.strip() or result.stdout.strip()).splitlines()[-TAIL_LINES:]
        detail = "\n    ".join(said) or "it printed nothing"
        raise CommandError(f"{intent}{shlex.join(command)} ended with {result.returncode}:\n    {detail}")
    return result
