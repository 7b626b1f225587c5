# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The static checks: each tool, or each question about the built collection, is one check."""

from __future__ import annotations

import json
import re
import shutil
import tarfile
import time
import typing as t
from pathlib import Path

from runner import structure
from runner.project import BIN, CACHE, COLLECTION, COLLECTIONS, ROOT, capture, project_files, run, run_and_keep, say
from runner.results import Outcome, duration

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DIST = CACHE / "dist"
INSTALLED = CACHE / "installed"
# Directories and files of plugins that ansible-doc can show, by the name it gives their kind.
DOCUMENTED = ("module", "callback", "connection", "filter", "inventory", "lookup", "strategy", "test", "vars")
# What mypy checks, by the module name it has; a name whose directory does not exist yet is left out.
TYPED = {
    "ansible_collections.evergreen.kubeadm.plugins": ROOT / "plugins",
    "lab": ROOT / "lab",
    "runner": ROOT / "tests/runner",
    "harness": ROOT / "tests/integration/harness",
    "bench": ROOT / "tests/bench",
    "chaos": ROOT / "tests/chaos",
}


def lint() -> Outcome:
    """Run every check."""
    return _run_checks(CHECKS)


def docs() -> Outcome:
    """Run the checks about documentation only."""
    names = ("files", "antsibull-docs", "antsibull-changelog", "ansible-doc", "role pages", "finding pages")
    return _run_checks({name: CHECKS[name] for name in names})


def _run_checks(checks: dict[str, Callable[[], bool]]) -> Outcome:
    outcome = Outcome()
    for name, check in checks.items():
        say(f"\n-- {name}")
        began = time.monotonic()
        ok = check()
        say(f"{'ok' if ok else 'FAILED'}: {name} ({duration(time.monotonic() - began)})")
        outcome.check(name, ok)
    return outcome


def _all_in_order(problems: Iterable[str]) -> bool:
    """Print `problems`; true when there is none."""
    lines = list(problems)
    for line in lines:
        say(line)
    return not lines


def _ruff() -> bool:
    return run([BIN / "ruff", "check", "."]) == 0


def _ruff_format() -> bool:
    return run([BIN / "ruff", "format", "--check", "."]) == 0


def _mypy() -> bool:
    packages = [word for name, path in TYPED.items() if path.is_dir() for word in ("-p", name)]
    return run([str(BIN / "mypy"), *packages]) == 0


def _ansible_lint() -> bool:
    return run([BIN / "ansible-lint", "--offline", "--profile", "production", "--strict"]) == 0


def _files() -> bool:
    return _all_in_order(structure.problems())


def _antsibull_docs() -> bool:
    options = ["--plugin-docs", "--validate-collection-refs=all", "--disallow-unknown-collection-refs"]
    return run([BIN / "antsibull-docs", "lint-collection-docs", *options, "."]) == 0


def _antsibull_changelog() -> bool:
    record = ROOT / "changelogs/changelog.yaml"
    if run([BIN / "antsibull-changelog", "lint"]) != 0:
        return False
    return not record.exists() or run([BIN / "antsibull-changelog", "lint-changelog-yaml", record]) == 0


def _ansible_doc() -> bool:
    """ansible-doc shows every plugin and every role from the clone, and says nothing against them."""
    found: list[str] = []
    for kind in DOCUMENTED:
        directory = ROOT / "plugins" / ("modules" if kind == "module" else kind)
        found += _doc_problems(kind, [file.stem for file in directory.glob("[a-z]*.py")])
    found += _doc_problems("role", [path.name for path in (ROOT / "roles").glob("*") if path.is_dir()])
    return _all_in_order(found)


def _role_readmes() -> bool:
    """The page of each role says what its argument_specs say; `make role-docs` writes them anew."""
    stale = []
    for role in sorted(path for path in (ROOT / "roles").glob("*") if path.is_dir()):
        made = CACHE / "role-readmes" / f"{role.name}.md"
        made.parent.mkdir(parents=True, exist_ok=True)
        if not write_role_readme(role, made):
            stale.append(f"{role.name}: aar-doc could not read the role")
        elif not (role / "README.md").is_file() or (role / "README.md").read_bytes() != made.read_bytes():
            stale.append(f"roles/{role.name}/README.md is not what its argument_specs say; run: make role-docs")
    return _all_in_order(stale)


def write_role_readme(role: Path, target: Path) -> bool:
    """Write the page of `role` to `target`, from its argument_specs."""
    return run([BIN / "aar-doc", "--output-mode", "replace", "--output-file", target, role, "markdown"]) == 0


def _finding_pages() -> bool:
    """The page of each finding says what the catalogue says; `make finding-docs` writes them anew."""
    env = {"PYTHONPATH": f"{COLLECTIONS}:{ROOT / 'tests'}"}
    return run([BIN / "python", "-m", "runner.finding_docs", "--check"], env=env) == 0


def _doc_problems(kind: str, names: list[str]) -> list[str]:
    """What ansible-doc says against those of a kind, which it is asked for in one go, as each start takes a while."""
    wanted = [f"{COLLECTION}.{name}" for name in sorted(names)]
    if not wanted:
        return []
    shown = capture([BIN / "ansible-doc", "--type", kind, "--json", *wanted])
    problems = [f"{kind}: {line}" for line in shown.stderr.splitlines() if line.strip()]
    try:
        entries = json.loads(shown.stdout) if shown.returncode == 0 else {}
    except json.JSONDecodeError:
        entries = {}
    for name in wanted:
        entry = entries.get(name)
        if not entry or (kind == "role" and not entry.get("entry_points")):
            problems.append(f"{kind} {name}: ansible-doc shows nothing")
        else:
            say(f"{kind} {name}")
    return problems


def _build() -> bool:
    shutil.rmtree(DIST, ignore_errors=True)
    if run([BIN / "ansible-galaxy", "collection", "build", "--force", "--output-path", DIST]) != 0:
        return False
    # build_ignore names what stays out, so a new file that git ignores, such as a key, would go in unseen.
    archive = _archive()
    if archive is None:
        return False
    with tarfile.open(archive) as opened:
        held = {member.name for member in opened if not member.isdir()}
    strangers = held - set(project_files()) - {"MANIFEST.json", "FILES.json"}
    return _all_in_order(f"{name} is in the built collection but not in git" for name in sorted(strangers))


def _archive() -> Path | None:
    archives = sorted(DIST.glob("*.tar.gz"))
    if not archives:
        say("there is no built collection")
        return None
    return archives[-1]


def _importer() -> bool:
    """galaxy-importer accepts the built collection; it writes its findings beside it."""
    archive = _archive()
    argv = [str(BIN / "python"), "-m", "galaxy_importer.main"]
    if archive is None:
        return False
    # Its own run of ansible-lint is less strict than ours, and an error where it takes two minutes.
    status, said = run_and_keep([*argv, archive.name], cwd=DIST, env={"GALAXY_IMPORTER_RUN_ANSIBLE_LINT": "no"})
    # Plugins whose documentation cannot be read are an error to it, but not a reason to end with one.
    return status == 0 and not re.search(r"^ERROR\b", said, re.MULTILINE)


def _installed() -> bool:
    """Every playbook of the built collection is found, with its roles and modules, where nothing else is installed."""
    archive = _archive()
    shutil.rmtree(INSTALLED, ignore_errors=True)
    INSTALLED.mkdir(parents=True)
    # An empty configuration: the clone's own must not help.
    configuration = INSTALLED / "ansible.cfg"
    configuration.write_text("")
    env = {"ANSIBLE_CONFIG": str(configuration), "ANSIBLE_COLLECTIONS_PATH": str(INSTALLED)}
    galaxy: list[str | Path] = [BIN / "ansible-galaxy", "collection"]
    install = [*galaxy, "install", "--offline", "--collections-path", INSTALLED]
    if archive is None or run([*install, archive], cwd=INSTALLED, env=env) != 0:
        return False
    playbooks = sorted((INSTALLED / "ansible_collections" / COLLECTION.replace(".", "/") / "playbooks").glob("*.yml"))
    check = [str(BIN / "ansible-playbook"), "--inventory", "localhost,", "--syntax-check"]
    if not playbooks:
        say("the built collection holds no playbook")
    statuses = [run([*check, f"{COLLECTION}.{playbook.stem}"], cwd=INSTALLED, env=env) for playbook in playbooks]
    return bool(statuses) and not any(statuses)


def _clone() -> bool:
    """The front door opens from a clone."""
    return run([BIN / "ansible-playbook", "--inventory", "localhost,", "--syntax-check", "upgrade.yml"]) == 0


CHECKS: dict[str, Callable[[], bool]] = {
    "files": _files,
    "ruff check": _ruff,
    "ruff format": _ruff_format,
    "mypy": _mypy,
    "ansible-lint": _ansible_lint,
    "antsibull-docs": _antsibull_docs,
    "antsibull-changelog": _antsibull_changelog,
    "ansible-doc": _ansible_doc,
    "role pages": _role_readmes,
    "finding pages": _finding_pages,
    "playbook from a clone": _clone,
    "galaxy build": _build,
    "galaxy-importer": _importer,
    "playbooks when installed": _installed,
}
