# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of hooks and stages in Python are those of the roles, the playbooks and the module's page."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.evergreen.kubeadm.plugins.module_utils._run.hooks import HOOKS, OF_A_NODE
from ansible_collections.evergreen.kubeadm.plugins.module_utils._run.stages import (
    NONE,
    STAGES,
    Course,
    Groups,
    hooks_around,
)
from ansible_collections.evergreen.kubeadm.plugins.modules import upgrade_hooks, upgrade_stages

ROOT = Path(__file__).resolve().parents[5]
# What includes them is not of the playbooks but of the role control_plane.
OF_A_ROLE = {"before_api_server_stop", "after_api_server_start"}


def specs() -> dict[str, t.Any]:
    text = (ROOT / "roles/upgrade/meta/argument_specs.yml").read_text(encoding="utf-8")
    return t.cast("dict[str, t.Any]", yaml.safe_load(text)["argument_specs"])


def test_hooks_of_the_role() -> None:
    assert tuple(specs()["hooks"]["options"]["upgrade_hook"]["choices"]) == HOOKS
    values = yaml.safe_load((ROOT / "roles/upgrade/vars/main.yml").read_text(encoding="utf-8"))
    assert tuple(values["upgrade_hooks_of_nodes"]) == OF_A_NODE


def test_hooks_of_the_page() -> None:
    (option,) = [
        option for name, option in yaml.safe_load(upgrade_hooks.DOCUMENTATION)["options"].items() if name == "hooks"
    ]
    named = re.findall(r"C\(((?:pre|post|on|before|after)_\w+)\)", " ".join(option["description"]))
    assert sorted(named) == sorted(HOOKS)


def test_every_hook_has_its_place() -> None:
    files = [*(ROOT / "playbooks").glob("upgrade*.yml"), *(ROOT / "roles/upgrade/tasks").glob("*.yml")]
    found = [name for file in files for name in re.findall(r"upgrade_hook: (\w+)", file.read_text(encoding="utf-8"))]
    hop = Groups([], [], ["c1"], [], ["w1"])
    around = hooks_around(
        Course(hop, ["control_plane"], stops=False, message="", kubelets=[], kubelets_again=[]), HOOKS
    )
    found += [name for group in around.values() for node in group.values() for name in node["before"] + node["after"]]
    assert sorted(found) == sorted(set(HOOKS) - OF_A_ROLE)


@pytest.mark.parametrize("entry", ["main", "check"])
def test_stages_of_the_role(entry: str) -> None:
    assert tuple(specs()[entry]["options"]["upgrade_stop_after"]["choices"]) == (NONE, *STAGES)


def test_stages_of_the_page() -> None:
    options = yaml.safe_load(upgrade_stages.DOCUMENTATION)["options"]
    assert tuple(options["stop_after"]["choices"]) == (NONE, *STAGES)
