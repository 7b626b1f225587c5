# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of the tests, in the order they are run in: quick ones first."""

from __future__ import annotations

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


def integration() -> Outcome:
    """Every test case under tests/integration is one check."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    report = REPORTS / "integration.xml"
    report.unlink(missing_ok=True)
    # Much of their time is waiting. The tests of a file share its clusters, so a file is not divided. They come in the
    # order of their names: by the number of tests, the files of a few long ones would all be left for the end.
    side_by_side = ["--numprocesses=2", "--dist=loadfile", "--no-loadscope-reorder"]
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
        outcome.check(f"molecule {step} (step {number})", ok)
        say(f"{'ok' if ok else 'FAILED'}: molecule {step} ({duration(time.monotonic() - began)})")
        if not ok:
            for skipped in sequence[number:]:
                say(f"not run: molecule {skipped}")
            break
    return outcome


def without_playbook(step: str, said: str) -> bool:
    """Whether molecule `said` that it had no playbook for `step`; it ends well all the same."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
    return re.search(rf"\b{step.replace('-', '_')}: Executed: Missing playbook", plain) is not None


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
