# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role upgrade puts the soft taint on at the start of a hop, and takes it off in every ending."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._taint.decisions import EFFECT, KEY
from drain_place import Place

Json = dict[str, t.Any]

ROOT = Path(__file__).resolve().parents[2]


def role(entry: str) -> Json:
    name = {"name": "evergreen.kubeadm.upgrade", "tasks_from": entry}
    return {"name": f"Import {entry}", "ansible.builtin.import_role": name}


LOOK: Json = {
    "name": "Look at the nodes",
    "ansible.builtin.command": {"argv": ["{{ kubectl }}", "--kubeconfig={{ admin }}", "get", "nodes", "-o", "json"]},
    "register": "looked",
    "check_mode": False,
}
KEEP: Json = {
    "name": "Keep what was seen",
    "ansible.builtin.copy": {"content": "{{ looked.stdout }}", "dest": "{{ upgrade_artifacts_dir }}/nodes.json"},
    "check_mode": False,
}
FAIL: Json = {"name": "Break", "ansible.builtin.fail": {"msg": "as the test wants"}, "when": "ending == 'failed'"}


def run(place: Place, folder: Path, *words: str, ending: str, **variables: t.Any) -> subprocess.CompletedProcess[str]:
    """One hop that drains the first two nodes, and then the ending; what the nodes have between goes to a file."""
    hop = {"from": "1.34.4", "to": "1.35.4", "control_plane": [place.first], "workers": [place.second]}
    hop |= {"kubelets": [place.first, place.second], "apply_needed": True, "applies_on": place.first}
    hop |= {"etcd": None, "etcd_image_tag": ""}
    given = {
        "ansible_python_interpreter": sys.executable,
        "kubernetes_version": "1.35.4",
        "kubectl": str(place.cluster.bin / "kubectl"),
        "admin": str(place.cluster.kubeconfig),
        "upgrade_artifacts_dir": str(folder),
        "upgrade_control_plane": "all",
        "upgrade_hop_number": 1,
        "upgrade_run_id": "r1",
        # As when the journal of the run was opened.
        "upgrade_opened": {"failed": False},
        "preflight_plan": {"target": "1.35.4", "hops": [hop], "findings": [], "nodes": []},
        "preflight_node": {"info": {"node_name": place.first, "etcd": {"present": False}}},
        "ending": ending,
        **variables,
    }
    play = {
        "name": "One hop",
        "hosts": "all",
        "gather_facts": False,
        "any_errors_fatal": True,
        "tags": ["always"],
        "module_defaults": {"group/evergreen.kubeadm.api": place.cluster.params},
        "tasks": [
            {
                "name": "Walk it",
                "block": [role("hop"), LOOK, KEEP, FAIL, role("finish")],
                "rescue": [role("failed")],
            }
        ],
    }
    (folder / "play.json").write_text(json.dumps([play]))
    (folder / "given.json").write_text(json.dumps(given))
    command = [Path(sys.executable).parent / "ansible-playbook", "-i", "here,", "-c", "local"]
    return subprocess.run(
        [*map(str, command), "-e", f"@{folder}/given.json", str(folder / "play.json"), *words],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def between(folder: Path) -> dict[str, str]:
    """The runs by the nodes that had the taint in the middle of the run."""
    nodes = json.loads((folder / "nodes.json").read_text())["items"]
    return {node["metadata"]["name"]: run_ for node in nodes if (run_ := soft(node)) is not None}


def soft(node: Json) -> str | None:
    for taint in node["spec"].get("taints") or []:
        if taint["key"] == KEY:
            assert taint["effect"] == EFFECT
            return str(taint.get("value", ""))
    return None


@pytest.fixture
def three(place: Place) -> Place:
    """Two nodes that are outdated, and one with what a killed run has left."""
    place.add_node(place.second)
    place.add_node(f"{place.name}-c")
    left = [{"key": KEY, "value": "r0", "effect": EFFECT}]
    place.cluster.client.patch(f"/api/v1/nodes/{place.name}-c", {"spec": {"taints": left}})
    return place


def left(place: Place) -> list[str | None]:
    return [soft(place.node(name)) for name in (place.first, place.second, f"{place.name}-c")]


@pytest.mark.parametrize("ending", ["finished", "failed"])
def test_none_is_left(three: Place, tmp_path: Path, ending: str) -> None:
    done = run(three, tmp_path, ending=ending)
    assert (done.returncode == 0) is (ending == "finished"), done.stdout + done.stderr
    if ending == "failed":
        assert "Break on here failed: as the test wants" in done.stdout, done.stdout
    assert between(tmp_path) == {three.first: "r1", three.second: "r1"}
    assert left(three) == [None] * 3
    assert json.loads((tmp_path / "upgrade-report.json").read_text())["hops"][0]["evictions"]["total"] == 0


def test_a_run_that_lost_its_lock_leaves_the_taints_of_another(three: Place, tmp_path: Path) -> None:
    done = run(three, tmp_path, ending="failed", upgrade_soft_taint=False)
    assert done.returncode != 0, done.stdout
    # Without the option none is put on, and what was left is taken off all the same.
    assert between(tmp_path) == {}
    three.cluster.client.patch(
        f"/api/v1/nodes/{three.first}", {"spec": {"taints": [{"key": KEY, "value": "r2", "effect": EFFECT}]}}
    )
    # The role fails before its hop begins: its plan is of another cluster.
    broken = {"target": "1.35.4", "hops": [{"from": "1.34.4"}], "findings": [], "nodes": []}
    done = run(three, tmp_path, ending="failed", preflight_plan=broken)
    assert done.returncode != 0
    assert left(three) == ["r2", None, None]


@pytest.mark.parametrize(("tags", "tainted"), [("prepare,backup", False), ("prepare,workers", True)])
def test_a_run_that_drains_nothing_puts_none_on(three: Place, tmp_path: Path, tags: str, tainted: bool) -> None:
    done = run(three, tmp_path, "--tags", tags, ending="finished")
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(between(tmp_path).values()) == ({"r1"} if tainted else set())
    assert left(three) == [None] * 3


def test_check_mode_changes_nothing(three: Place, tmp_path: Path) -> None:
    done = run(three, tmp_path, "--check", "--diff", ending="finished")
    assert done.returncode == 0, done.stdout + done.stderr
    assert between(tmp_path) == {f"{three.name}-c": "r0"}
    assert left(three) == [None, None, "r0"]
    assert f"{KEY}=r1:{EFFECT}" in done.stdout
