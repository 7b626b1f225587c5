# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""A plan as a page of Markdown. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.evergreen.kubeadm.plugins.module_utils._plan import words
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import PAGES
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.summary import grouped

NAMES, ROWS, SUBJECTS = 20, 50, 20


def page(plan: Mapping[str, t.Any]) -> str:
    """The whole plan."""
    parts = [f"# Plan: {words.title(plan)}", f"**{_text(words.verdict(plan))}**"]
    hops = words.hop_rows(plan, NAMES)
    if hops:
        parts += ["## Hops", _table(words.HOP_HEADINGS, hops)]
    cost = plan.get("cost")
    if cost and (cost["drains"] or cost.get("in_place")):
        parts += ["## Cost", _text(" ".join(words.cost_lines(cost)))]
        for heading, headings, rows in (
            ("Pods to move", words.POOL_HEADINGS, words.pool_rows(cost)),
            ("Budgets that hold a drain up", words.BUDGET_HEADINGS, words.budget_rows(cost, ROWS)),
            ("Pods that are down while they move", words.SINGLETON_HEADINGS, words.singleton_rows(cost, ROWS)),
            ("Time", words.TIME_HEADINGS, words.time_rows(cost)),
        ):
            if rows:
                parts += [f"### {heading}", _table(headings, rows)]
    parts += ["## Findings", f"{words.found_counts(plan).capitalize()}."]
    for found in grouped(plan.get("findings") or []):
        parts += [
            f"### {found['severity']}: [{found['id']}]({PAGES}/{found['id']}.md)",
            f"On {_text(words.some(found['subjects'], SUBJECTS))}.",
            f"{_text(str(found['evidence']))}.",
            f"**What to do:** {_text(str(found['remedy']))}",
        ]
        if found["source"]:
            parts.append(f"Source: <{found['source']}>")
    accepted = plan.get("accepted") or []
    if accepted:
        rows = [(each["id"], each["subject"], each["reason"]) for each in accepted]
        parts += ["## Accepted", _table(("finding", "subject", "reason"), rows)]
    return "\n\n".join(parts) + "\n"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    made = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(_text(cell).replace('|', chr(92) + '|') for cell in row)} |" for row in made)


def _text(text: str) -> str:
    """In one line, with what Markdown would take for its own made harmless."""
    line = " ".join(text.split())
    for mark in ("\\", "`", "*", "_", "<", "[", "#"):
        line = line.replace(mark, f"\\{mark}")
    return line
