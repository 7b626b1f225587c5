# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sentence with which a plan is refused."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._plan.refusal import refusal

Json = dict[str, t.Any]


def found(subject: str, id: str = "node-not-ready", evidence: str = "KubeletNotReady", **more: t.Any) -> Json:
    return {"id": id, "severity": "blocker", "subject": subject, "evidence": evidence, "remedy": "See it.", **more}


WARNED = found("node/w9", severity="warning")


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        pytest.param([], "", id="nothing"),
        pytest.param([WARNED], "", id="no blocker"),
        pytest.param(
            [WARNED, found("node/c1")],
            "1 blocker found, nothing was changed: node-not-ready (node/c1): KubeletNotReady.",
            id="one",
        ),
        pytest.param(
            [found("node/c1"), found("node/c1/etc/x", "disk-too-small", "1 MiB is free"), found("node/w1")],
            "3 blockers found, nothing was changed: node-not-ready (node/c1, node/w1): KubeletNotReady; "
            "disk-too-small (node/c1/etc/x): 1 MiB is free.",
            id="those that differ in their subject alone are one",
        ),
        pytest.param(
            [found("node/c1", remedy="Look at c1."), found("node/w1", remedy="Look at w1.")],
            "2 blockers found, nothing was changed: node-not-ready (node/c1): KubeletNotReady; "
            "node-not-ready (node/w1): KubeletNotReady.",
            id="those with remedies of their own stay apart",
        ),
        pytest.param(
            [found(f"node/w{number}") for number in range(8)],
            "8 blockers found, nothing was changed: node-not-ready "
            "(node/w0, node/w1, node/w2, node/w3, node/w4, node/w5 and 2 more): KubeletNotReady.",
            id="many subjects are counted",
        ),
    ],
)
def test_refusal(findings: list[Json], expected: str) -> None:
    assert refusal(findings) == expected
