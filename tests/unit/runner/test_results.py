# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The counts that the last line of a test run shows must be true."""

from __future__ import annotations

import typing as t

import pytest

from runner.results import Outcome, counted, duration, summary

if t.TYPE_CHECKING:
    from pathlib import Path

PASSED = '<testcase classname="a" name="passes"/>'
FAILED = '<testcase classname="a" name="fails"><failure message="no"/></testcase>'
ERROR = '<testcase classname="a" name="errs"><error message="no"/></testcase>'
SKIPPED = '<testcase classname="a" name="skips"><skipped message="why"/></testcase>'
TEARDOWN = '<testcase classname="a" name="fails"><error message="teardown"/></testcase>'


def suite(*cases: str) -> str:
    return f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>"


@pytest.mark.parametrize(
    ("status", "reports", "passed", "skipped", "failures"),
    [
        pytest.param(0, [suite(PASSED)], 1, 0, [], id="one passed"),
        pytest.param(1, [suite(PASSED, FAILED, ERROR)], 1, 0, ["a::fails", "a::errs"], id="failure and error"),
        pytest.param(1, [suite(FAILED, TEARDOWN)], 0, 0, ["a::fails"], id="failed twice is one check"),
        pytest.param(1, [suite(PASSED), suite(FAILED)], 1, 0, ["a::fails"], id="two reports"),
        pytest.param(0, [suite(PASSED, SKIPPED)], 1, 1, [], id="skipped is not passed"),
        pytest.param(0, [suite(SKIPPED)], 0, 1, ["it ran no test"], id="all skipped"),
        pytest.param(0, [], 0, 0, ["it ran no test"], id="no report"),
        pytest.param(2, [suite(PASSED)], 1, 0, ["it ended with 2 although no test case failed"], id="crash"),
        pytest.param(4, [], 0, 0, ["it ended with 4 although no test case failed"], id="crash before a report"),
    ],
)
def test_counted(
    tmp_path: Path, status: int, reports: list[str], passed: int, skipped: int, failures: list[str]
) -> None:
    files = [tmp_path / f"{number}.xml" for number in range(len(reports))]
    for file, text in zip(files, reports):
        file.write_text(text)
    outcome = counted("it", status, files)
    assert (outcome.passed, outcome.skipped, outcome.failures) == (passed, skipped, failures)


@pytest.mark.parametrize("content", [None, "", "<testsuite>"])
def test_unreadable_report_is_a_failed_check(tmp_path: Path, content: str | None) -> None:
    report = tmp_path / "report.xml"
    if content is not None:
        report.write_text(content)
    outcome = counted("it", 0, [report])
    assert outcome.failed == 1
    assert "report.xml cannot be read" in outcome.failures[0]


@pytest.mark.parametrize(
    ("outcomes", "last_line", "well"),
    [
        pytest.param({}, "0 passed, 0 failed", False, id="nothing ran"),
        pytest.param({"lint": Outcome(skipped=3)}, "0 passed, 0 failed", False, id="only skipped"),
        pytest.param({"lint": Outcome(passed=3), "units": Outcome(passed=4)}, "7 passed, 0 failed", True, id="well"),
        pytest.param(
            {"lint": Outcome(passed=3, failures=["mypy"]), "units": Outcome(passed=4)}, "7 passed, 1 failed", False
        ),
    ],
)
def test_summary(outcomes: dict[str, Outcome], last_line: str, well: bool) -> None:
    lines, verdict = summary(outcomes)
    assert (lines[-1], verdict) == (last_line, well)


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s")])
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
