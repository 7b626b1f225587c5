# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The backup of an etcd with 2 GB of keys by the role: saved on a node, copied to the controller, pruned on both.

What logs in to the node and all that it starts, and ansible-playbook with all that this starts, may have 512 MiB each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
from etcd_node import make_node

from etcd_cluster import LargeCluster
from harness.memory_limit import Limit, limited
from harness.programs import scratch_folder
from harness.sshd import Sshd, serving

ROOT = Path(__file__).resolve().parents[2]
LIMIT_MIB = 512
PLAY = """
- hosts: node
  gather_facts: false
  become: true
  module_defaults:
    evergreen.kubeadm.etcd_member: {manifest: "%(manifest)s", interval_s: 0.1}
    evergreen.kubeadm.etcd_snapshot: {manifest: "%(manifest)s", root: "%(root)s"}
  tasks:
    - ansible.builtin.import_role:
        name: evergreen.kubeadm.etcd_backup
      vars:
        etcd_backup_directory: "%(place)s/node-backups"
        etcd_backup_fetch_directory: "%(place)s/controller"
        etcd_backup_keep_last: 1
"""


@pytest.fixture(scope="module")
def node() -> t.Iterator[tuple[Sshd, Limit]]:
    with limited("node", LIMIT_MIB) as limit, scratch_folder() as place, serving(place, wrap=limit.wrap()) as sshd:
        yield sshd, limit


def test_the_role(large: LargeCluster, node: tuple[Sshd, Limit]) -> None:
    sshd, on_node = node
    with scratch_folder() as place, limited("controller", LIMIT_MIB) as on_controller:
        root = make_node(place / "node", large.members[0])
        values = {"manifest": large.members[0].manifest, "root": root, "place": place}
        (place / "play.yml").write_text(PLAY % values)
        (place / "inventory.json").write_text(json.dumps(sshd.inventory("node")))
        for number in (1, 2):
            begin = time.monotonic()
            done = subprocess.run(
                [
                    *on_controller.wrap(),
                    str(Path(sys.executable).parent / "ansible-playbook"),
                    *("-i", "inventory.json", "play.yml"),
                ],
                cwd=place,
                env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"), "ANSIBLE_NOCOLOR": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=900,
                check=False,
            )
            seconds = time.monotonic() - begin
            assert done.returncode == 0, done.stdout
            saved = sorted((place / "node-backups").iterdir())
            copies = sorted((place / "controller").glob("etcd-*"))
            assert [path.name for path in copies] == [path.name for path in saved]
            assert [path.name.split(".", 1)[1] for path in copies] == ["db", "db.node.tar"]
            for path, copy in zip(saved, copies, strict=True):
                assert subprocess.run(["cmp", path, copy], check=False).returncode == 0
            size = copies[0].stat().st_size
            assert size > 2 * 10**9
            print(
                f"run {number}: {size / 1e9:.2f} GB in {seconds:.0f} s, node {on_node.peak_mib:.0f} MiB, "
                f"controller {on_controller.peak_mib:.0f} MiB"
            )
        assert (on_node.killed(), on_controller.killed()) == (0, 0)
        assert 0 < on_node.peak_mib < LIMIT_MIB and 0 < on_controller.peak_mib < LIMIT_MIB
