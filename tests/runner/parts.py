# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of the tests, quick ones first."""

from __future__ import annotations

import itertools
import os
import re
import time
import typing as t

import yaml

from runner import ansible_test, lint
from runner.project import BIN, REPORTS, ROOT, run, run_and_keep, say
from runner.results import Outcome, counted, duration

if t.TYPE_CHECKING:
    from collections.abc import Callable

SCENARIO = "default"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
TOLD = 600


def integration() -> Outcome:
    """Every test case under tests/integration is one check."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    report = REPORTS / "integration.xml"
    report.unlink(missing_ok=True)
    # Much of their time is waiting; each worker has a control plane of its own, and ports for four (harness.process).
    # The tests of a file share its clusters, so a file is not divided. They come in the order of tests/integration/
    # conftest.py: by the number of tests, the files of a few long ones would all be left for the end.
    workers = min(4, (os.cpu_count() or 1) + 1)
    side_by_side = [f"--numprocesses={workers}", "--dist=loadfile", "--no-loadscope-reorder"]
    status = run(
        [BIN / "python", "-m", "pytest", *side_by_side, "--durations=10", f"--junit-xml={report}", "tests/integration"]
    )
    return counted("pytest tests/integration", status, [report])


def molecule() -> Outcome:
    """Every step of the scenario's test sequence is one check; after a failed one the rest is not run."""
    outcome = Outcome()
    scenario = ROOT / "molecule" / SCENARIO / "molecule.yml"
    if not scenario.is_file():
        outcome.failures.append(f"there is no {scenario.relative_to(ROOT)}")
        return outcome
    sequence = test_sequence(yaml.safe_load(scenario.read_text(encoding="utf-8")) or {})
    if not sequence:
        outcome.failures.append(f"{scenario.relative_to(ROOT)} has no scenario.test_sequence")
    # Molecule remembers what it has created, and would not make the lab anew.
    run([BIN / "molecule", "reset", "--scenario-name", SCENARIO])
    for number, step in enumerate(sequence, start=1):
        say(f"\n-- molecule {step} (step {number} of {len(sequence)})")
        began = time.monotonic()
        status, said = run_and_keep([BIN / "molecule", step, "--scenario-name", SCENARIO])
        ok = status == 0 and not without_playbook(step, said)
        outcome.check(f"molecule {step} (step {number}){'' if ok else first_failure(said)}", ok)
        say(f"{'ok' if ok else 'FAILED'}: molecule {step} ({duration(time.monotonic() - began)})")
        if not ok:
            for skipped in sequence[number:]:
                say(f"not run: molecule {skipped}")
            break
    return outcome


def build_lab() -> None:
    """What molecule would build otherwise; a failure is its to report."""
    run([BIN / "python", "-m", "lab", "build"])


def without_playbook(step: str, said: str) -> bool:
    """Whether molecule `said` that it had no playbook for `step`; it ends well all the same."""
    return re.search(rf"\b{step.replace('-', '_')}: Executed: Missing playbook", COLOUR.sub("", said)) is not None


def first_failure(said: str) -> str:
    """``: `` and what Ansible said of the first task that failed; empty where it said nothing.

    Molecule draws a box around what Ansible says and wraps it; the parts are one
    line again here, cut after `TOLD` characters. What is printed to the end of
    the tests can be all that is kept of them.
    """
    lines = [line.strip().removeprefix("│").strip() for line in COLOUR.sub("", said).splitlines()]
    failed = itertools.dropwhile(lambda line: not line.startswith(("[ERROR]: ", "fatal: ")), lines)
    told = " ".join(itertools.takewhile(bool, failed))
    return f": {told[:TOLD]}" if told else ""


def test_sequence(configuration: dict[str, t.Any]) -> list[str]:
    """The steps that a molecule.yml lists under scenario.test_sequence, as molecule's command line names them."""
    steps = (configuration.get("scenario") or {}).get("test_sequence") or []
    return [str(step).replace("_", "-") for step in steps]


PARTS: dict[str, Callable[[], Outcome]] = {
    "lint": lint.lint,
    "sanity": ansible_test.sanity,
    "units": ansible_test.units,
    "integration": integration,
    "molecule": molecule,
}
# Parts that only repeat checks of another one.
SUBSETS: dict[str, Callable[[], Outcome]] = {"docs": lint.docs}
