# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""A plan for a terminal: lines, and what kind each is, from which the display takes its colour. Pure."""

from __future__ import annotations

import re
import textwrap
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.evergreen.kubeadm.plugins.module_utils._plan import words
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.summary import grouped

NAMES, ROWS, SUBJECTS = 6, 10, 6
"""How many are shown of what may be many; the files have all."""
TITLE, PLAIN, BAD, GOOD = "title", "plain", "bad", "good"
NARROWEST, WIDEST = 60, 140
GAP = "  "
INDENT = " " * 8
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Line(t.NamedTuple):
    """`kind` is one of the severities, or title, plain, bad, good."""

    text: str
    kind: str = PLAIN


def lines(plan: Mapping[str, t.Any], width: int = 100) -> list[Line]:
    """The whole plan, no line longer than `width` where words allow."""
    width = max(NARROWEST, min(width, WIDEST))
    shown = [Line(f"PLAN  {words.title(plan)}", TITLE)]
    shown += _table(words.HOP_HEADINGS, words.hop_rows(plan, NAMES), width)
    cost = plan.get("cost")
    if cost and (cost["drains"] or cost.get("in_place")):
        shown += [Line(""), Line("COST", TITLE)]
        for sentence in words.cost_lines(cost):
            shown += _wrapped(sentence, width)
        shown += _table(words.POOL_HEADINGS, words.pool_rows(cost), width)
        shown += _table(words.BUDGET_HEADINGS, words.budget_rows(cost, ROWS), width)
        shown += _table(words.SINGLETON_HEADINGS, words.singleton_rows(cost, ROWS), width)
    shown += [Line(""), Line(f"FINDINGS  {words.found_counts(plan)}", TITLE)]
    for found in grouped(plan.get("findings") or []):
        shown += _finding(found, width)
    for accepted in plan.get("accepted") or []:
        shown += _wrapped(f"accepted {accepted['id']} ({accepted['subject']}): {accepted['reason']}", width, "  ")
    bad = bool(plan.get("blockers"))
    verdict = _wrapped(words.verdict(plan), width)
    shown += [Line(""), *(Line(line.text, BAD if bad else GOOD) for line in verdict)]
    # What nodes and the cluster say does not steer the terminal.
    return [Line(_CONTROL.sub("?", line.text), line.kind) for line in shown]


def _finding(found: Mapping[str, t.Any], width: int) -> list[Line]:
    severity = str(found["severity"])
    subjects = words.some(found["subjects"], SUBJECTS)
    head = _wrapped(f"{severity.upper():<7} {found['id']}  {subjects}", width, hang=INDENT)
    body = _wrapped(f"{found['evidence']}.", width, INDENT)
    remedy = _wrapped(f"-> {found['remedy']}", width, INDENT)
    return [*(Line(line.text, severity) for line in head), *body, *remedy]


def _wrapped(text: str, width: int, indent: str = "", hang: str = "") -> list[Line]:
    made = textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=hang or indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [Line(each) for each in made]


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[Line]:
    """Columns beside each other; a cell that is too long for its share goes on below. Nothing where there is no row."""
    if not rows:
        return []
    widths = _widths([headings, *rows], width)
    made = [Line(""), Line(_row(headings, widths), TITLE), Line(GAP.join("-" * each for each in widths))]
    for row in rows:
        cells = [textwrap.wrap(cell, size, break_on_hyphens=False) or [""] for cell, size in zip(row, widths)]
        for place in range(max(map(len, cells))):
            made.append(Line(_row([cell[place] if place < len(cell) else "" for cell in cells], widths)))
    return made


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return GAP.join(f"{cell:<{size}}" for cell, size in zip(cells, widths)).rstrip()


def _widths(rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """As wide as the longest cell; where that is too much, the widest columns give."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    least = [max(len(rows[0][column]), 4) for column in range(len(widths))]
    while sum(widths) + len(GAP) * (len(widths) - 1) > width:
        giving = [column for column in range(len(widths)) if widths[column] > least[column]]
        if not giving:
            break
        widths[max(giving, key=lambda column: widths[column])] -= 1
    return widths
