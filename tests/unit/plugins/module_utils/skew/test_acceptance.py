# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings that an operator accepts."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.acceptance import accept
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import finding
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.cases import (
    budget,
    cluster,
    control_plane,
    decide,
    pod,
)

FOUND = [
    finding("b", "note", "x", "e", "r"),
    finding("a", "blocker", "x", "e", "r"),
    finding("a", "blocker", "y", "e", "r"),
]


@pytest.mark.parametrize(
    ("acceptances", "kept", "accepted"),
    [
        ([], ["a/x", "a/y", "b/x"], []),
        ([{"id": "a", "reason": "known"}], ["b/x"], ["a/x", "a/y"]),
        ([{"id": "a", "subject": "y", "reason": "known"}], ["a/x", "b/x"], ["a/y"]),
        ([{"id": "z", "reason": "known"}], ["a/x", "a/y", "acceptance-unused/accepted_findings", "b/x"], []),
    ],
)
def test_acceptance(acceptances: list[t.Any], kept: list[str], accepted: list[str]) -> None:
    left, out = accept(FOUND, acceptances)
    assert [f"{f['id']}/{f['subject']}" for f in left] == kept
    assert [f"{f['id']}/{f['subject']}" for f in out] == accepted
    assert all(f["reason"] == "known" for f in out)


@pytest.mark.parametrize("acceptance", [{"id": "a", "reason": " "}, {"id": "downgrade", "reason": "I dare"}])
def test_acceptance_refused(acceptance: dict[str, t.Any]) -> None:
    with pytest.raises(EvergreenError):
        accept(FOUND, [acceptance])


def test_acceptance_counts_no_blockers() -> None:
    found = cluster(budgets=[budget(minAvailable=1)], pods=[*control_plane("c1"), pod("a")])
    assert decide(found)["blockers"] == 1
    verdict = decide(found, accepted=[{"id": "budget-never-allows", "reason": "test shop"}])
    assert (verdict["blockers"], len(verdict["accepted"])) == (0, 1)
