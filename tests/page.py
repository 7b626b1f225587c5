# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the commands of a page as they stand, in their order: ``python tests/page.py docs/PAGE.md``.

Commands are the lines of blocks fenced as ``sh``. Each has to end with 0, and
the last one of a block after ``<!-- ends with N -->`` with N.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"(?:<!-- ends with (?P<code>\d+) -->\n)?```sh\n(?P<text>.*?)```", re.DOTALL)


def commands(page: str) -> list[tuple[str, int]]:
    """(command, the exit code that it is to have) of each line, in their order."""
    found = []
    for match in BLOCK.finditer(page):
        lines = [line for line in match["text"].splitlines() if line.strip()]
        found += [(line, 0) for line in lines]
        if match["code"]:
            found[-1] = (lines[-1], int(match["code"]))
    return found


def script(wanted: list[tuple[str, int]]) -> str:
    """One script, so that a later command has the variables of an earlier one."""
    parts = []
    for number, (command, code) in enumerate(wanted, 1):
        wrong = f'echo "command {number} of {len(wanted)} ended with $ended, not {code}"'
        parts.append(
            f"printf '\\n$ %s\\n' {shlex.quote(command)}\n{command}\nended=$?\n"
            f'[ "$ended" = {code} ] || {{ {wrong}; exit 1; }}\n'
        )
    return "".join(parts)


def main() -> int:
    page = Path(sys.argv[1])
    wanted = commands(page.read_text(encoding="utf-8"))
    if not wanted:
        print(f"{page} has no commands")
        return 1
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", script(wanted)], cwd=ROOT, env={**os.environ, "PATH": path}, check=False)
    if done.returncode == 0:
        print(f"\n{page}: {len(wanted)} commands ended as they should")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
