# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Findings that an operator accepts by id and reason: pure."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    NOTE,
    SEVERITIES,
    Finding,
    Json,
    finding,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import NO_PLAN

ACCEPTED_FINDINGS: dict[str, t.Any] = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "options": {
        "id": {"type": "str", "required": True},
        "reason": {"type": "str", "required": True},
        "subject": {"type": "str"},
    },
}
"""The option of that name."""


class Accepted(t.TypedDict):
    """A finding that does not count, and why somebody said so."""

    id: str
    severity: str
    subject: str
    evidence: str
    remedy: str
    source: str
    page: str
    reason: str


def accept(findings: list[Finding], acceptances: list[Json]) -> tuple[list[Finding], list[Accepted]]:
    """Sort the findings by severity, and those that are accepted out of them.

    An acceptance is ``{id, reason, subject}``; without `subject` it is for
    every finding of this id. One that meets no finding is noted, since it may
    be a typing error. Raises EvergreenError for an acceptance without a
    reason, and for one of a finding that leaves nothing to do.
    """
    for acceptance in acceptances:
        if not str(acceptance.get("reason") or "").strip():
            raise EvergreenError(
                f"The finding {acceptance['id']} is accepted without a reason.", hint="Give the reason."
            )
        if acceptance["id"] in NO_PLAN:
            raise EvergreenError(
                f"The finding {acceptance['id']} cannot be accepted: there is no way to this target then.",
                hint="See the finding's remedy.",
            )
    kept: list[Finding] = []
    accepted: list[Accepted] = []
    used: set[int] = set()
    for entry in findings:
        place = next((p for p, a in enumerate(acceptances) if _meets(a, entry)), None)
        if place is None:
            kept.append(entry)
        else:
            used.add(place)
            accepted.append(t.cast("Accepted", {**entry, "reason": acceptances[place]["reason"]}))
    for place, acceptance in enumerate(acceptances):
        if place not in used:
            about = f" of {acceptance['subject']}" if acceptance.get("subject") else ""
            kept.append(
                finding(
                    "acceptance-unused",
                    NOTE,
                    "accepted_findings",
                    f"{acceptance['id']}{about} is accepted and was not found",
                    "Take it out of accepted_findings, or correct it.",
                )
            )
    return sorted(kept, key=lambda f: (SEVERITIES.index(f["severity"]), f["id"], f["subject"])), accepted


def _meets(acceptance: Json, entry: Finding) -> bool:
    return acceptance["id"] == entry["id"] and acceptance.get("subject") in (None, "", entry["subject"])
