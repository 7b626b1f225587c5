# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the parts of the tests report, and how it is counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree


@dataclass
class Outcome:
    """The checks of one part of the tests, or of one step of a part."""

    passed: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)
    """One line for each failed check."""
    seconds: float = 0.0

    @property
    def failed(self) -> int:
        return len(self.failures)

    def check(self, name: str, ok: bool) -> None:
        """Count one check."""
        if ok:
            self.passed += 1
        else:
            self.failures.append(name)

    def add(self, other: Outcome) -> None:
        """Count the checks of `other` too; durations are not added."""
        self.passed += other.passed
        self.skipped += other.skipped
        self.failures += other.failures


def counted(what: str, status: int, reports: list[Path]) -> Outcome:
    """Count the test cases in JUnit `reports` of a program that ended with `status`.

    The exit status and the reports must agree: a program that failed although
    no test case did, or that ended well without running one, is a failed check.
    """
    outcome = Outcome()
    for report in reports:
        outcome.add(read_junit(report))
    if status != 0 and not outcome.failed:
        outcome.failures.append(f"{what} ended with {status} although no test case failed")
    if not outcome.passed and not outcome.failed:
        outcome.failures.append(f"{what} ran no test")
    return outcome


def read_junit(report: Path) -> Outcome:
    """Count the test cases of one JUnit file. A case with a failure and an error is one failed check."""
    outcome = Outcome()
    try:
        cases = list(ElementTree.parse(report).iter("testcase"))
    except (ElementTree.ParseError, OSError) as error:
        outcome.failures.append(f"the report {report.name} cannot be read: {error}")
        return outcome
    # pytest writes a second case when the teardown of a failed test fails as well.
    seen: dict[str, str] = {}
    for case in cases:
        name = "::".join(word for word in (case.get("classname"), case.get("name")) if word)
        if case.find("failure") is not None or case.find("error") is not None:
            verdict = "failed"
        elif case.find("skipped") is not None:
            verdict = "skipped"
        else:
            verdict = "passed"
        if seen.get(name) != "failed":
            seen[name] = verdict
    verdicts = list(seen.values())
    outcome.passed = verdicts.count("passed")
    outcome.skipped = verdicts.count("skipped")
    outcome.failures = [name for name, verdict in seen.items() if verdict == "failed"]
    return outcome


def summary(outcomes: dict[str, Outcome]) -> tuple[list[str], bool]:
    """Lines to print at the end, and whether everything is well. Nothing run is not well."""
    total = Outcome()
    lines = []
    for part, outcome in outcomes.items():
        total.add(outcome)
        skipped = f", {outcome.skipped} skipped" if outcome.skipped else ""
        lines.append(
            f"{part:<12} {outcome.passed:>5} passed, {outcome.failed:>3} failed{skipped}  ({duration(outcome.seconds)})"
        )
        lines += [f"    FAILED {failure}" for failure in outcome.failures]
    lines.append(f"{total.passed} passed, {total.failed} failed")
    return lines, total.passed > 0 and total.failed == 0


def duration(seconds: float) -> str:
    """`seconds` as people write it: 8 s, 3 min 05 s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
