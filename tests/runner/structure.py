# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about the files of the project that no other tool looks after."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path
from urllib.parse import unquote

import yaml

from runner import conversions, routing
from runner.project import COLLECTIONS, ROOT, project_files

if t.TYPE_CHECKING:
    from collections.abc import Iterable

LICENCE = "SPDX-License-Identifier: GPL-3.0-or-later"
LICENCE_WITHIN_LINES = 6
STRATEGY = "ansible.builtin.linear"
# [text](target), ![text](target "title"), [name]: target
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
HTML_LINK = re.compile(r"<(?:a|img)\b[^>]*?\b(?:href|src)=[\"']([^\"']+)[\"']")
FENCED = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)


def problems() -> list[str]:
    """Every breach, one line each."""
    files = project_files()
    return [
        *missing_licences(name for name in files if name.endswith(".py") and not (ROOT / name).is_symlink()),
        *broken_links([name for name in files if name.endswith(".md")]),
        *requirement_drift(),
        *clone_tree(),
        *runtime_drift(),
        *plays_of_another_strategy(sorted((ROOT / "playbooks").glob("*.yml"))),
        *conversions.problems(),
    ]


def missing_licences(names: Iterable[str]) -> list[str]:
    """Python files without the licence line near their top. Empty files need none."""
    found = []
    for name in names:
        text = (ROOT / name).read_text(encoding="utf-8")
        if text.strip() and not any(LICENCE in line for line in text.splitlines()[:LICENCE_WITHIN_LINES]):
            found.append(f"{name}: no line '{LICENCE}' among its first {LICENCE_WITHIN_LINES}")
    return found


def broken_links(names: Iterable[str]) -> list[str]:
    """Relative links of Markdown files whose file, or whose heading in a Markdown file, does not exist."""
    found = []
    for name in names:
        page = ROOT / name
        text = FENCED.sub("", page.read_text(encoding="utf-8"))
        targets = [first or second for first, second in LINK.findall(text)] + HTML_LINK.findall(text)
        for target in targets:
            if re.match(r"[a-z][a-z0-9+.-]*:|//", target, re.IGNORECASE):
                continue
            path, fragment = [*unquote(target).split("#", 1), ""][:2]
            file = (page.parent / path).resolve() if path else page
            if not file.exists():
                found.append(f"{name}: the link {target} leads to no file")
            elif not file.is_relative_to(ROOT):
                found.append(f"{name}: the link {target} leads out of the project")
            elif fragment and file.suffix == ".md" and fragment not in anchors(file.read_text(encoding="utf-8")):
                found.append(f"{name}: the link {target} leads to no heading")
    return found


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of the headings of a Markdown page, and those set by hand."""
    made: dict[str, int] = {}
    names = set(re.findall(r"<a\s+(?:name|id)=[\"']([^\"']+)[\"']", text))
    for heading in HEADING.findall(FENCED.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        seen = made.get(anchor, 0)
        made[anchor] = seen + 1
        names.add(f"{anchor}-{seen}" if seen else anchor)
    return names


def requirement_drift() -> list[str]:
    """An execution environment must hold what requirements.txt asks for, beside ansible-core, which it brings."""
    wanted = {line for line in requirements("requirements.txt") if not line.startswith("ansible-core")}
    held = requirements("meta/ee-requirements.txt")
    if wanted == held:
        return []
    return [f"meta/ee-requirements.txt and requirements.txt differ in {', '.join(sorted(wanted ^ held))}"]


def requirements(name: str) -> set[str]:
    """The requirement lines of a file, without comments."""
    lines = (line.partition("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    return {line for line in lines if line}


def runtime_drift() -> list[str]:
    """What meta/runtime.yml does not say of a module."""
    plugins = ROOT / "plugins"
    return routing.problems(
        (ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"),
        {path.stem: path.read_text(encoding="utf-8") for path in (plugins / "modules").glob("[a-z]*.py")},
        [
            path.read_text(encoding="utf-8")
            for path in (ROOT / "roles").glob("*/tasks/*.yml")
            if path.parts[-3] not in routing.WITHOUT_RUN
        ],
        {path.stem for path in (plugins / "action").glob("*.py")},
    )


def plays_of_another_strategy(playbooks: Iterable[Path]) -> list[str]:
    """Plays that a user's ansible.cfg could give another strategy: with free, each host would be a run of its own."""
    return [
        f"playbooks/{path.name}: the play {play.get('name')!r} does not have strategy: {STRATEGY}"
        for path in playbooks
        for play in yaml.safe_load(path.read_text(encoding="utf-8"))
        if "hosts" in play and play.get("strategy") != STRATEGY
    ]


def clone_tree() -> list[str]:
    """The tree that makes a clone usable as it is must lead to this checkout, under galaxy.yml's name."""
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    link = COLLECTIONS / "ansible_collections" / galaxy["namespace"] / galaxy["name"]
    if link.is_symlink() and link.resolve() == ROOT and not Path(link.readlink()).is_absolute():
        return []
    return [f"{link.relative_to(ROOT)} is not a relative symlink to the top of the checkout"]
