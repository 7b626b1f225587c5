# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Why a plan is refused, in one sentence that names what each blocker is about. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.evergreen.kubeadm.plugins.module_utils._plan.words import counted, some
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.summary import grouped

SUBJECTS = 6
"""How many subjects of one blocker are named; the findings have all."""


def refusal(findings: Sequence[Mapping[str, object]]) -> str:
    """``1 blocker found, nothing was changed: disk-too-small (node/c1): ...``; empty where there is no blocker."""
    number = len(_blockers(findings))
    return f"{counted(number, 'blocker')} found, nothing was changed: {blockers_told(findings)}." if number else ""


def blockers_told(findings: Sequence[Mapping[str, object]]) -> str:
    """Id, subjects and evidence of each; those that differ in their subject alone are one."""
    return "; ".join(
        f"{found['id']} ({some(found['subjects'], SUBJECTS)}): {found['evidence']}"
        for found in grouped(_blockers(findings))
    )


def _blockers(findings: Sequence[Mapping[str, object]]) -> list[Mapping[str, object]]:
    return [found for found in findings if found["severity"] == BLOCKER]
