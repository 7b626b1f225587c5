# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages of docs/findings, made from the catalogue: ``python -m runner.finding_docs [--check]``.

With ``--check`` nothing is written, and pages that are not what would be written end it with 1.
"""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue.all import AREAS
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue.model import Entry
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER, SEVERITIES
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import NO_PLAN
from runner.project import ROOT, say

PLACE = ROOT / "docs" / "findings"
INDEX = "README.md"
MADE = "<!-- Made from plugins/module_utils/_skew/catalogue by `make finding-docs`. -->"


def page(entry: Entry, area: str) -> str:
    """The page of one kind of finding."""
    parts = [
        MADE,
        f"# {entry.id}",
        f"{entry.title}.",
        f"Severity: {_words(entry.severities)}. Area: [{area}]({INDEX}#{_anchor(area)}).",
        "## What it means",
        entry.meaning.strip(),
        "## What to do",
        entry.cure.strip(),
    ]
    if entry.passes:
        parts.append(
            "It can pass by itself within minutes. A run that follows one which was cut off [looks again](../upgrade.md"
            "#when-it-stops) for a while before it stops for this."
        )
    if entry.id in NO_PLAN:
        parts.append("It cannot be accepted: without a way to the target there is nothing to go on with.")
    elif BLOCKER in entry.severities:
        parts += [
            "Where it does not matter in this cluster, it can be [accepted](../plan.md#accept-a-finding):",
            f"```yaml\npreflight_accepted_findings:\n  - id: {entry.id}\n    reason: why it does not matter here\n```",
        ]
    if entry.sources:
        parts += ["## Sources", "\n".join(f"- <{source}>" for source in entry.sources)]
    return "\n\n".join(parts) + "\n"


def index(areas: t.Mapping[str, t.Sequence[Entry]]) -> str:
    """All of them by area, the worst severity first; an area without any is left out."""
    parts = [
        MADE,
        "# Findings",
        (
            "What `skew_check`, `playbooks/plan.yml` and `upgrade.yml` can find, each with what it means and what to "
            "do. A **blocker** stops an upgrade before anything is touched: it would fail or lose something. A "
            "**warning** may come to that. A **note** is good to know. See [Plan an upgrade](../plan.md)."
        ),
    ]
    for area, entries in areas.items():
        if not entries:
            continue
        rows = [
            f"| [{e.id}]({e.id}.md) | {_words(e.severities)} | {e.title.replace('|', chr(92) + '|')} |"
            for e in sorted(entries, key=lambda e: (_worst(e), e.id))
        ]
        parts += [f"## {area}", "\n".join(["| finding | severity | what |", "|---|---|---|", *rows])]
    return "\n\n".join(parts) + "\n"


def pages(areas: t.Mapping[str, t.Sequence[Entry]]) -> dict[str, str]:
    """Every file of the directory by its name."""
    made = {f"{entry.id}.md": page(entry, area) for area, entries in areas.items() for entry in entries}
    return {INDEX: index(areas), **made}


def differences(place: Path, wanted: t.Mapping[str, str]) -> list[str]:
    """What in `place` is not as `wanted`, one line a file."""
    there = {path.name: path.read_text(encoding="utf-8") for path in place.glob("*.md")}
    return [
        *(f"{name} is missing" for name in sorted(set(wanted) - set(there))),
        *(f"{name} is of no finding" for name in sorted(set(there) - set(wanted))),
        *(
            f"{name} is not what the catalogue says"
            for name in sorted(set(wanted) & set(there))
            if there[name] != wanted[name]
        ),
    ]


def write(place: Path, wanted: t.Mapping[str, str]) -> None:
    """Make `place` hold exactly these pages."""
    place.mkdir(parents=True, exist_ok=True)
    for path in place.glob("*.md"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (place / name).write_text(text, encoding="utf-8")


def _words(severities: t.Sequence[str]) -> str:
    return ", ".join(sorted(severities, key=SEVERITIES.index))


def _worst(entry: Entry) -> int:
    return min(map(SEVERITIES.index, entry.severities))


def _anchor(area: str) -> str:
    return "".join(c for c in area.lower() if c.isalnum() or c in " -").replace(" ", "-")


def main() -> int:
    wanted = pages(AREAS)
    if "--check" not in sys.argv[1:]:
        write(PLACE, wanted)
        return 0
    found = differences(PLACE, wanted)
    for line in found:
        say(f"docs/findings/{line}; run: make finding-docs")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
