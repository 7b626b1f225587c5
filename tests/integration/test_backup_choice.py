# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a run saves a backup, and the nodes that can, as Ansible reads the variables of the roles."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLAY = """
- hosts: all
  connection: local
  gather_facts: false
  vars_files: ["{{ roles }}/preflight/defaults/main.yml", "{{ roles }}/upgrade/defaults/main.yml"]
  tasks:
    - ansible.builtin.include_vars: "{{ roles }}/upgrade/vars/main.yml"
      tags: [always]
    - ansible.builtin.copy:
        content: "{{ [upgrade_options.upgrade_without_backup, upgrade_members] | to_json }}"
        dest: "{{ out }}"
        mode: "0600"
      tags: [always]
      run_once: true
"""
STACKED = {"present": True, "external": []}
EXTERNAL = {"present": False, "external": ["https://192.0.2.31:2379"]}
WORKER = {"present": False, "external": []}
# As kubeadm_info gave them before it knew of an external one.
OLDER = {"present": False}


def choice(place: Path, etcd: dict[str, dict[str, t.Any]], *words: str, **variables: t.Any) -> tuple[bool, list[str]]:
    """(whether the run goes without a backup, the nodes that can save one)."""
    hosts = {name: {"preflight_node": {"info": {"node_name": name, "etcd": each}}} for name, each in etcd.items()}
    (place / "inventory.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    (place / "play.yml").write_text(PLAY)
    given = {"roles": str(ROOT / "roles"), "out": str(place / "out"), "ansible_python_interpreter": sys.executable}
    program = str(Path(sys.executable).parent / "ansible-playbook")
    done = subprocess.run(
        [program, "-i", "inventory.json", "-e", json.dumps({**given, **variables}), *words, "play.yml"],
        cwd=place,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    without, members = json.loads((place / "out").read_text())
    return without, members


@pytest.mark.parametrize(
    ("words", "variables", "expected"),
    [
        ((), {}, False),
        ((), {"upgrade_without_backup": True}, True),
        ((), {"upgrade_without_backup": "false"}, False),
        (("--skip-tags", "backup"), {}, True),
        (("--tags", "prepare,control_plane"), {}, True),
        (("--tags", "backup,control_plane"), {}, False),
        # Nothing of the control plane is changed.
        (("--tags", "prepare,workers"), {}, False),
        (("--skip-tags", "backup,control_plane"), {}, False),
    ],
)
def test_a_run_without_a_backup(
    tmp_path: Path, words: tuple[str, ...], variables: dict[str, t.Any], expected: bool
) -> None:
    assert choice(tmp_path, {"cp1": STACKED}, *words, **variables)[0] is expected


@pytest.mark.parametrize(
    ("etcd", "variables", "expected"),
    [
        ({"cp1": STACKED, "cp2": STACKED, "w1": WORKER}, {}, ["cp1", "cp2"]),
        ({"cp1": EXTERNAL, "cp2": EXTERNAL, "w1": WORKER}, {}, ["cp1", "cp2"]),
        # The manifest of etcd is away for a moment: the node is still none with an external one.
        ({"cp1": STACKED, "cp2": EXTERNAL}, {}, ["cp1"]),
        ({"w1": WORKER, "w2": OLDER}, {}, []),
        ({"cp1": STACKED}, {"upgrade_without_backup": "true"}, []),
    ],
)
def test_the_nodes_that_can_save_one(
    tmp_path: Path, etcd: dict[str, dict[str, t.Any]], variables: dict[str, t.Any], expected: list[str]
) -> None:
    assert choice(tmp_path, etcd, **variables)[1] == expected
