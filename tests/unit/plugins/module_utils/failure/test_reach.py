# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What results of tasks say about a host that could not be reached."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._failure.reach import failure, unreached

GONE = {"unreachable": True, "msg": "Connection refused", "changed": False}
DONE = {"changed": True, "failed": False}
SKIPPED = {"skipped": True, "changed": False}


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([], None),
        ([DONE, SKIPPED], None),
        ([{**DONE, "unreachable": False}], None),
        ([{"failed": True, "msg": "dpkg ended with 1"}], None),  # a failure says so itself
        ([DONE, GONE, SKIPPED], "Connection refused"),
        ([GONE, {**GONE, "msg": "later"}], "Connection refused"),
        ([{"unreachable": True}], ""),
        ([{"unreachable": True, "msg": None}], ""),
        ([{"results": [DONE, GONE], "unreachable": True, "msg": "One or more items failed"}], "Connection refused"),
        ([{"results": [DONE, SKIPPED]}], None),
        ([{"results": "of another kind", "unreachable": True, "msg": "away"}], "away"),
        (["no result"], None),
    ],
)
def test_results(results: list[t.Any], expected: str | None) -> None:
    assert unreached(results) == expected


def test_it_is_a_failure_and_not_unreachable() -> None:
    result = failure("w1", "Failed to connect:\n  port 22: password=hunter22 refused")
    assert result["failed"] is True and "unreachable" not in result
    assert result["msg"].startswith(
        "w1 could not be reached any more. Whether it serves is not known: look at it first."
    )
    assert "port 22" in result["msg"] and "\n" not in result["msg"] and "hunter22" not in result["msg"]


def test_it_is_short_and_ends_well_without_a_reason() -> None:
    assert failure("w1", "")["msg"].endswith("look at it first.")
    assert len(failure("w1", "x" * 5000)["msg"]) < 1200
