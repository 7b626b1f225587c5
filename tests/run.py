# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the tests, or the parts that are named, and print how many checks passed and failed.

A part that fails does not stop those after it. While the integration tests run, which wait for much of their time, the
parts before them run in a process of low priority; what that printed follows. The last line is
`N passed, N failed`; the exit status is 0 when something ran and all of it passed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from runner.parts import PARTS, SUBSETS, build_lab
from runner.project import REPORTS, say
from runner.results import Outcome, duration, summary

KNOWN = {**PARTS, **SUBSETS}
BESIDE = ("lint", "sanity", "units")
NICENESS = 10


def main() -> int:
    """Run the parts that the command line names, all when it names none."""
    parser = argparse.ArgumentParser(description="Run the tests of evergreen.kubeadm.")
    parser.add_argument(
        "parts", nargs="*", metavar="part", help=f"any of: {', '.join(KNOWN)} (default: {', '.join(PARTS)})"
    )
    wanted = list(dict.fromkeys(parser.parse_args().parts or PARTS))
    unknown = [part for part in wanted if part not in KNOWN]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(KNOWN)}")

    beside = [part for part in wanted if part in BESIDE and "integration" in wanted]
    outcomes = _run_beside(beside, "molecule" in wanted) if beside else {}
    if not _interrupted(outcomes):
        outcomes |= _run([part for part in wanted if part not in outcomes])
    lines, well = summary(outcomes)
    say("\n" + "\n".join(lines))
    return 0 if well else 1


def _run_beside(parts: list[str], lab: bool) -> dict[str, Outcome]:
    """Run `parts` beside the integration tests; where the lab comes after them, build what it is made of as well."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    log = REPORTS / "beside.log"
    log.write_bytes(b"")
    say(f"{', '.join(parts)}: beside the integration tests, into {log}")
    with ProcessPoolExecutor(1) as pool:
        other = pool.submit(_run_quietly, parts, log, lab)
        outcomes = _run(["integration"])
        try:
            its = other.result()
        except Exception as error:
            its = {part: Outcome(failures=[f"its process ended: {error}"]) for part in parts}
    say(log.read_text(encoding="utf-8", errors="replace"))
    return its | outcomes


def _run_quietly(parts: list[str], log: Path, lab: bool) -> dict[str, Outcome]:
    """The whole of the other process."""
    os.nice(NICENESS)
    with log.open("wb") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    outcomes = _run(parts)
    if lab and not _interrupted(outcomes):
        build_lab()
    return outcomes


def _run(parts: list[str]) -> dict[str, Outcome]:
    """Run one after the other, until somebody interrupts."""
    outcomes: dict[str, Outcome] = {}
    for part in parts:
        say(f"\n==== {part}")
        began = time.monotonic()
        try:
            outcome = KNOWN[part]()
        except KeyboardInterrupt:
            outcome = Outcome(failures=["interrupted"])
        except (Exception, SystemExit):
            traceback.print_exc()
            outcome = Outcome(failures=["the test runner itself failed, see above"])
        outcome.seconds = time.monotonic() - began
        outcomes[part] = outcome
        say(f"==== {part}: {outcome.passed} passed, {outcome.failed} failed in {duration(outcome.seconds)}")
        if _interrupted(outcomes):
            break
    return outcomes


def _interrupted(outcomes: dict[str, Outcome]) -> bool:
    return any(outcome.failures == ["interrupted"] for outcome in outcomes.values())


if __name__ == "__main__":
    sys.exit(main())
