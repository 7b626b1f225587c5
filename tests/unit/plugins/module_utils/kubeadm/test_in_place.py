# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.in_place import decide
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import VersionError

CASES = [
    ("1.35.2", "1.35.4", True, "only the patch changes, from 1.35.2 to 1.35.4"),
    ("v1.35.2", "v1.35.4", True, "only the patch changes"),
    ("1.35.4", "1.35.4", True, "from 1.35.4 to 1.35.4"),
    ("1.34.4", "1.35.4", False, "another minor may restart every container"),
    ("1.34.9", "1.35.0", False, "another minor"),
    ("1.35.4", "1.34.9", False, "another minor"),
    ("2.35.2", "1.35.4", False, "another minor"),
    ("1.35.4", "1.35.2", False, "goes back from 1.35.4 to 1.35.2"),
    ("1.36.0-rc.1", "1.36.0", False, "a pre-release promises nothing"),
    ("1.36.0-rc.0", "1.36.0-rc.1", False, "a pre-release"),
    ("1.36.0-rc.1", "1.36.0-rc.1", True, "only the patch changes"),
    ("", "1.35.4", False, "no running kubelet was found"),
    ("own", "1.35.4", False, "its version reads 'own'"),
]


@pytest.mark.parametrize(("running", "target", "in_place", "reason"), CASES)
def test_decide(running: str, target: str, in_place: bool, reason: str) -> None:
    found = decide(running, target)
    assert found.in_place is in_place
    assert reason in found.reason
    assert in_place or found.notes == []


@pytest.mark.parametrize(("target", "told"), [("1.34.5", True), ("1.35.5", False), ("1.36.5", False)])
def test_readiness_is_told_where_it_is_reset(target: str, told: bool) -> None:
    found = decide(target[:-1] + "4", target)
    assert found.in_place
    assert any("readiness probe" in note for note in found.notes) is told


def test_a_target_that_is_no_version() -> None:
    with pytest.raises(VersionError):
        decide("1.35.4", "latest")


def look(root: Path, target: str) -> dict[str, t.Any]:
    done = subprocess.run(
        [sys.executable, "-m", "ansible_collections.evergreen.kubeadm.plugins.modules.kubelet_in_place"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": {"kubernetes_version": target, "root": str(root)}}),
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return t.cast("dict[str, t.Any]", json.loads(done.stdout))


def test_the_running_kubelet_counts_and_not_the_installed_one(tmp_path: Path) -> None:
    """A process whose executable says its version, as a kubelet does, in a folder that stands for the node."""
    for place, version in (("proc/77", "1.35.2"), ("usr/bin", "1.34.4")):
        (tmp_path / place).mkdir(parents=True)
        program = tmp_path / place / ("exe" if "proc" in place else "kubelet")
        program.write_text(f"#!/bin/sh\necho Kubernetes v{version}\n")
        program.chmod(0o755)
    (tmp_path / "proc/77/comm").write_text("kubelet\n")
    begin = time.monotonic()
    found = look(tmp_path, "1.35.4")
    assert (found["in_place"], found["running_version"], found["changed"]) == (True, "1.35.2", False)
    assert found["duration_s"] <= time.monotonic() - begin
    assert look(tmp_path, "1.34.4")["in_place"] is False
    (tmp_path / "proc/77/comm").write_text("kubeproxy\n")
    gone = look(tmp_path, "1.35.4")
    assert (gone["in_place"], gone["running_version"]) == (False, "")
