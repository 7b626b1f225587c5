# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that are given as text: the check of the YAML, and what Ansible itself makes of each boolean of each role."""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from runner import conversions
from runner.project import ROOT

TYPES = {"flag": "bool", "other": "bool", "number": "int", "name": "str"}
GATE = "evergreen.kubeadm.skew_check"


@pytest.mark.parametrize(
    ("task", "unconverted"),
    [
        ({"when": "flag"}, ["flag"]),
        ({"when": ["name == 'x'", "not flag"]}, ["flag"]),
        ({"when": "flag | default(true)"}, ["flag"]),
        ({"when": "flag or name"}, ["flag"]),
        ({"when": "flag | bool and not other | default(false) | bool"}, []),
        ({"when": "flag is defined"}, []),
        ({"failed_when": "result.rc != 0 and flag"}, ["flag"]),
        ({"when": "number > 1"}, ["number"]),
        ({"when": "number | int > 1"}, []),
        ({"vars": {"made": "{{ 'a' if flag else 'b' }}"}}, ["flag"]),
        ({"vars": {"made": "{{ flag }}"}}, ["flag"]),
        ({"vars": {"other": "{{ flag | default(false) }}"}}, []),
        ({"vars": {"made": "{{ number + 1 }}"}}, ["number"]),
        ({"vars": {"made": "it is {{ flag }}"}}, []),
        ({GATE: {"patch_first": "{{ flag }}", "timeout_s": "{{ number }}"}}, []),
        ({GATE: {"patch_first": "{{ not flag }}"}}, ["flag"]),
        ({GATE: {"kubernetes_version": "{{ flag }}"}}, ["flag"]),
        ({"evergreen.kubeadm.drain_node": {"delete_options": {"force": "{{ flag }}"}}}, []),
        ({"ansible.builtin.apt": {"allow_downgrade": "{{ flag }}"}}, []),
        ({"module_defaults": {GATE: {"patch_first": "{{ flag | default(true) }}"}}}, []),
        ({"block": [{"rescue": [{"when": "flag"}]}]}, ["flag"]),
        ({"become": "{{ flag }}", "throttle": "{{ number }}"}, []),
        ({"loop": "{{ ['a'] if flag else [] }}"}, ["flag"]),
    ],
)
def test_what_a_text_would_break(task: dict[str, t.Any], unconverted: list[str]) -> None:
    assert [read.name for read in conversions.variables([task], TYPES) if not read.converted] == unconverted


@pytest.mark.parametrize(("line", "broken"), [("when: role_a_flag", True), ("when: role_a_flag | bool", False)])
def test_the_whole_tree_is_read(tmp_path: Path, line: str, broken: bool) -> None:
    role = tmp_path / "roles" / "role_a"
    files = {
        "meta/argument_specs.yml": "argument_specs: {main: {options: {role_a_flag: {type: bool}}}}",
        "tasks/main.yml": f"- name: Do it\n  {line}\n- name: Say it\n  when: role_a_unknown is defined",
        "defaults/main.yml": "role_a_made: '{{ role_a_flag }}'",
    }
    for name, text in files.items():
        (role / name).parent.mkdir(parents=True)
        (role / name).write_text(text)
    found = conversions.problems(tmp_path)
    assert "roles/role_a/tasks/main.yml: role_a_unknown is in no argument_specs.yml" in found
    assert any(each.startswith("roles/role_a/defaults/main.yml: role_a_flag") for each in found)
    assert any(each.startswith("roles/role_a/tasks/main.yml: role_a_flag") for each in found) is broken


def test_no_role_is_broken_by_a_text() -> None:
    assert conversions.problems() == []


@functools.cache
def booleans() -> dict[str, str]:
    found: dict[str, str] = {}
    for specs in (ROOT / "roles").glob("*/meta/argument_specs.yml"):
        found.update(conversions.declared(yaml.safe_load(specs.read_text(encoding="utf-8"))))
    return {name: kind for name, kind in found.items() if kind == "bool"}


class Use(t.NamedTuple):
    file: str
    text: str
    condition: bool


def uses(content: t.Any, file: str, key: str = "") -> Iterator[Use]:
    """Each condition and template of the YAML that has a boolean in it."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from uses(value, file, str(name))
    elif isinstance(content, list):
        for item in content:
            yield from uses(item, file, key)
    elif isinstance(content, str):
        use = Use(file, content, key in conversions.CONDITIONS)
        if names_in(use) & booleans().keys():
            yield use


def names_in(use: Use) -> set[str]:
    return {read.name for read in conversions.reads(f"{{{{ {use.text} }}}}" if use.condition else use.text, {})}


def all_uses() -> list[Use]:
    files = [*(ROOT / "playbooks").glob("*.yml"), *(ROOT / "roles").glob("*/tasks/*.yml")]
    found = []
    for file in sorted([*files, *(ROOT / "roles").glob("*/vars/*.yml")]):
        found += uses(yaml.safe_load(file.read_text(encoding="utf-8")), str(file.relative_to(ROOT)))
    return found


def outcome(use: Use, variables: dict[str, t.Any]) -> t.Any:
    """What Ansible makes of it, in a run that has found nothing: what is no boolean is empty."""
    node = {"info": {"role": "control_plane"}}
    templar = Templar(
        DataLoader(), {**{name: node if name.endswith("_node") else [] for name in names_in(use)}, **variables}
    )
    if use.condition:
        return templar.evaluate_conditional(trust_as_template(use.text))
    return templar.template(trust_as_template(use.text))


@pytest.mark.parametrize(("text", "value"), [("false", False), ("no", False), ("true", True), ("yes", True)])
def test_ansible_makes_the_same_of_a_text(text: str, value: bool) -> None:
    given, native = dict.fromkeys(booleans(), text), dict.fromkeys(booleans(), value)
    found = all_uses()
    assert len([use for use in found if use.condition]) > 20
    for use in found:
        expected, seen = outcome(use, native), outcome(use, given)
        # A module, or the option that is set, converts a text that comes to it as it is.
        passed_on = seen == text and not use.condition
        assert (boolean(seen) if passed_on else seen) == expected, use
