# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is made for the files of a run, and what Git sees of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.action import node_diagnostics
from ansible_collections.evergreen.kubeadm.plugins.module_utils._artifacts import make_folder
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report import journal, probe
from ansible_collections.evergreen.kubeadm.plugins.modules import upgrade_report


def seen_by_git(place: Path) -> list[str]:
    subprocess.run(["git", "init", "--quiet", place], check=True)
    command = ["git", "-C", str(place), "status", "--porcelain", "--untracked-files=all"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


WRITERS = {
    "a folder": lambda place: make_folder(str(place / "artifacts/backup"), 0o700),
    "the journal": lambda place: journal.append(str(place / "artifacts/journal.jsonl"), {"event": "run_started"}),
    "the report": lambda place: upgrade_report.replace_file(str(place / "artifacts/report.json"), "{}"),
    "the probe": lambda place: probe.Output(str(place / "artifacts/probe.jsonl")).write({}),
    "diagnostics": lambda place: node_diagnostics.write_all(str(place / "artifacts/diagnostics/r/n"), {"a": ""}, {}),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_what_is_made_is_ignored_by_git(tmp_path: Path, writer: str) -> None:
    WRITERS[writer](tmp_path)
    (tmp_path / "artifacts/ca.key").write_text("secret")
    assert (tmp_path / "artifacts/.gitignore").read_text() == "*\n"
    assert seen_by_git(tmp_path) == []


@pytest.mark.parametrize("writer", WRITERS)
def test_what_is_there_stays_as_it_is(tmp_path: Path, writer: str) -> None:
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts/.gitignore").write_text("!report.json\n")
    (tmp_path / "artifacts/mine").write_text("")
    WRITERS[writer](tmp_path)
    assert (tmp_path / "artifacts/.gitignore").read_text() == "!report.json\n"
    assert "?? artifacts/mine" in seen_by_git(tmp_path)


def test_a_folder_below_one_that_is_there(tmp_path: Path) -> None:
    make_folder(str(tmp_path / "copies"), 0o700)
    assert (tmp_path / "copies").stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copies"]
