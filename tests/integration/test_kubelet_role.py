# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role kubelet in check mode, on a Node of a real API server: whether it would drain."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from control_plane import remove
from harness.cluster import Cluster
from harness.objects import node
from harness.programs import program

ROOT = Path(__file__).resolve().parents[2]
NAME = "in-place"
RUNNING = "1.35.4"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a process namespace needs root")


@pytest.fixture
def place(cluster: Cluster) -> t.Iterator[Cluster]:
    cluster.apply(node(NAME))
    yield cluster
    remove(cluster, f"/api/v1/nodes/{NAME}")


def drains(cluster: Cluster, folder: Path, target: str, *, wanted: bool) -> bool:
    """Whether the role drains the node, with a kubelet of its own in a process namespace of its own.

    The kubelet waits for its configuration: all that is read of it is its name
    and the version of its executable.
    """
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {"group/evergreen.kubeadm.api": {"kubeconfig": str(cluster.kubeconfig)}},
        "roles": ["evergreen.kubeadm.kubelet"],
    }
    (folder / "play.yml").write_text(json.dumps([play]))
    given = {
        "ansible_python_interpreter": sys.executable,
        "kubelet_kubernetes_version": target,
        "kubelet_node_name": NAME,
        "kubelet_package_manager": "dnf",
        # As -e gives it.
        "kubelet_patch_without_drain": str(wanted).lower(),
    }
    playbook = [str(Path(sys.executable).parent / "ansible-playbook"), "--check", "-c", "local", "-i", "localhost,"]
    os.mkfifo(folder / "config")
    kubelet = shlex.join([str(program(RUNNING, "kubelet")), f"--config={folder}/config"])
    script = f"{kubelet} >/dev/null 2>&1 & sleep 2; exec " + shlex.join(
        [*playbook, "-e", json.dumps(given), "play.yml"]
    )
    kept = {name: os.environ[name] for name in ("HOME", "PATH", "LANG") if name in os.environ}
    done = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", script],
        cwd=folder,
        env={
            **kept,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_HOME": str(folder / "ansible"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert "TASK [evergreen.kubeadm.kubelet : Install the kubelet]" in done.stdout, done.stdout + done.stderr
    found = re.search(r"TASK \[evergreen.kubeadm.kubelet : Drain the node\] \**\n(\w+):", done.stdout)
    assert found, done.stdout
    return found[1] != "skipping"


@pytest.mark.parametrize(
    ("target", "wanted", "expected"),
    [("1.35.5", True, False), ("1.35.5", False, True), ("1.36.3", True, True)],
)
def test_only_a_patch_leaves_the_pods(
    place: Cluster, tmp_path: Path, target: str, wanted: bool, expected: bool
) -> None:
    assert drains(place, tmp_path, target, wanted=wanted) is expected
