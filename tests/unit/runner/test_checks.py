# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the project's own checks let pass and what they find."""

from __future__ import annotations

import typing as t

import pytest

from runner import routing, structure
from runner.ansible_test import not_run, pip_settings
from runner.parts import TOLD, first_failure, without_playbook

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[a](other.md) and [b](https://example.org/x) and [c](mailto:x@example.org)", 0),
        ('[a](other.md#second-heading) ![p](<other.md>) [t](other.md "title")', 0),
        ("# Here it is\n\n[a](#here-it-is)", 0),
        ("```\n[a](missing.md)\n```\n", 0),
        ("[a](missing.md)", 1),
        ("[ref]: missing.md", 1),
        ('<img src="missing.png">', 1),
        ("[a](other.md#no-such)", 1),
        ("[a](#no-such)", 1),
        ("[a](../outside.md)", 1),
    ],
)
def test_broken_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, found: int) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "outside.md").write_text("outside")
    (root / "other.md").write_text("# First\n\n## Second heading\n")
    (root / "page.md").write_text(text)
    monkeypatch.setattr(structure, "ROOT", root)
    assert len(structure.broken_links(["page.md"])) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [("", 0), (f"# {structure.LICENCE}\n", 0), ("import os\n", 1), ("\n" * 20 + f"# {structure.LICENCE}\n", 1)],
)
def test_missing_licences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, found: int) -> None:
    (tmp_path / "a.py").write_text(text)
    monkeypatch.setattr(structure, "ROOT", tmp_path)
    assert len(structure.missing_licences(["a.py"])) == found


def test_anchors_of_equal_headings_are_numbered() -> None:
    assert structure.anchors("# A `b`, c!\n# A b c\n## [Link](x.md)\n") == {"a-b-c", "a-b-c-1", "link"}


@pytest.mark.parametrize(
    ("play", "found"),
    [
        ("{name: A, hosts: all, strategy: ansible.builtin.linear}", 0),
        ("{name: A, import_playbook: b.yml}", 0),
        ("{name: A, hosts: all}", 1),
        ("{name: A, hosts: all, strategy: ansible.builtin.free}", 1),
    ],
)
def test_plays_that_an_ansible_cfg_could_change(tmp_path: Path, play: str, found: int) -> None:
    (tmp_path / "a.yml").write_text(f"[{play}]")
    assert len(structure.plays_of_another_strategy([tmp_path / "a.yml"])) == found


def test_every_play_has_its_strategy() -> None:
    assert structure.plays_of_another_strategy(sorted((structure.ROOT / "playbooks").glob("*.yml"))) == []


RUNTIME = """
action_groups: {api: [gate]}
plugin_routing: {modules: {gate: {action_plugin: evergreen.kubeadm.node_reached}}}
"""
GATE = "extends_documentation_fragment:\n  - evergreen.kubeadm._auth\n"


@pytest.mark.parametrize(
    ("modules", "tasks", "found"),
    [
        ({"gate": GATE}, "- name: Wait\n  evergreen.kubeadm.gate:\n", []),
        ({"gate": GATE}, "- name: Wait\n", ["gate is routed and no module of a run"]),
        ({"gate": ""}, "    - evergreen.kubeadm.gate:\n", ["gate is in the action group api and has not its options"]),
        (
            {"gate": GATE, "info": GATE, "plan": "", "availability_probe": ""},
            "".join(f"  evergreen.kubeadm.{name}:\n" for name in ("gate", "info", "plan", "availability_probe")),
            [
                "info is used in a run and not routed to evergreen.kubeadm.node_reached",
                "info has the options of the API and is not in the action group api",
            ],
        ),
    ],
)
def test_what_runtime_says_of_modules(modules: dict[str, str], tasks: str, found: list[str]) -> None:
    assert routing.problems(RUNTIME, modules, [tasks], {"plan"}) == [f"meta/runtime.yml: {line}" for line in found]


def test_pip_settings_keep_what_reaches_packages_and_prefer_the_environment() -> None:
    listing = "\n".join(
        [
            ":env:.index-url='https://env.example/simple'",
            "global.index-url='https://file.example/simple'",
            "global.disable-pip-version-check='1'",
            "install.trusted-host='one\\ntwo'",
        ]
    )
    assert pip_settings(listing) == {"index-url": "https://env.example/simple", "trusted-host": "one\n    two"}


def test_a_sanity_test_without_report_was_not_run() -> None:
    reports = ["ansible-test-sanity-pep8", "ansible-test-sanity-import-python-3.11"]
    assert not_run(["pep8", "import", "pylint"], reports) == ["sanity::pylint was not run to its end"]


@pytest.mark.parametrize(
    ("step", "said", "missing"),
    [
        ("verify", "default ➜ verify: Executed: Successful", False),
        ("verify", "default ➜ \x1b[33mverify\x1b[0m: \x1b[35mExecuted: Missing playbook\x1b[0m (Remove ...)", True),
        ("side-effect", "default ➜ side_effect: Executed: Missing playbook", True),
        ("create", "default ➜ prepare: Executed: Missing playbook\ndefault ➜ create: Executed: Successful", False),
    ],
)
def test_a_molecule_step_without_playbook_is_noticed(step: str, said: str, missing: bool) -> None:
    assert without_playbook(step, said) == missing


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("  │ TASK [x] ***\n  │ ok: [cp1]\n", ""),
        (
            "ok\n \x1b[2m│\x1b[0m [ERROR]: Task failed: 1 blocker\n  │   found.\n  │ \n  │ fatal: [cp1]: FAILED!\n",
            ": [ERROR]: Task failed: 1 blocker found.",
        ),
        ("│ fatal: [cp1]: UNREACHABLE! =>\n│     msg: no route", ": fatal: [cp1]: UNREACHABLE! => msg: no route"),
        (f"fatal: {'x' * 2 * TOLD}", f": fatal: {'x' * (TOLD - 7)}"),
    ],
)
def test_what_failed_is_told(said: str, told: str) -> None:
    assert first_failure(said) == told


def test_hosts_of_a_pattern_are_not_looked_up_as_a_group() -> None:
    """Variables such as upgrade_workers hold any pattern of hosts, which `groups` does not know."""
    files = [file for folder in ("roles", "playbooks") for file in (structure.ROOT / folder).rglob("*.yml")]
    assert files
    assert [file.name for file in files if "groups[upgrade_" in file.read_text(encoding="utf-8")] == []
