# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stopping and starting, with real processes. A thread does what the kubelet does: it follows the manifests."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _processes
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods import acting
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.decisions import StaticPodError

TEXT = """\
apiVersion: v1
kind: Pod
spec:
  containers:
  - command:
    - sleep
    - "{seconds}"
"""


class Follower:
    """Runs the command of each manifest in a folder for as long as it is there, and again where it ends."""

    def __init__(self, folder: Path, kept: Path) -> None:
        self.folder = folder
        self.kept = kept
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.follows = True
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Follower:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._over.set()
        self._thread.join()
        for process in self.processes.values():
            process.kill()
            process.wait()

    def _run(self) -> None:
        while not self._over.wait(0.02):
            if not self.follows:
                continue
            names = {path.name for path in self.folder.iterdir() if not path.name.startswith(".")}
            for name in set(self.processes) - names:
                process = self.processes.pop(name)
                process.kill()
                process.wait()
            for name in names:
                if name not in self.processes or self.processes[name].poll() is not None:
                    with contextlib.suppress(FileNotFoundError):
                        seconds = (self.folder / name).read_text().split('"')[1]
                        self.processes[name] = subprocess.Popen(["sleep", seconds])

    def look(self, state: str, *names: str) -> list[acting.Pod]:
        return acting.look(names, state, str(self.folder), str(self.kept))


@pytest.fixture()
def follower(tmp_path: Path) -> t.Iterator[Follower]:
    folder = tmp_path / "manifests"
    folder.mkdir()
    with Follower(folder, tmp_path / "kept") as found:
        for number, name in enumerate(("one", "two")):
            # A command line that no other process of this machine has.
            (folder / f"{name}.yaml").write_text(TEXT.format(seconds=f"3600.{os.getpid()}{number}"))
        acting.start(found.look("running", "one", "two"), Deadline(10))
        yield found


def test_stop_and_start(follower: Follower) -> None:
    before = (follower.folder / "one.yaml").read_bytes()
    pods = acting.stop(follower.look("stopped", "one"), Deadline(20))
    assert [(pod.action, pod.pids) for pod in pods] == [("put aside", ())]
    assert _processes.running(pods[0].words) == []
    assert not (follower.folder / "one.yaml").exists()
    assert (follower.kept / "one.yaml").read_bytes() == before
    assert (follower.kept / "one.yaml").stat().st_mode & 0o777 == 0o600
    # The other one was not asked for.
    assert (follower.folder / "two.yaml").exists()
    # Once more: nothing is to be done.
    assert [pod.action for pod in acting.stop(follower.look("stopped", "one"), Deadline(20))] == [""]
    pods = acting.start(follower.look("running", "one"), Deadline(20))
    assert [(pod.action, len(pod.pids)) for pod in pods] == [("put back", 1)]
    assert (follower.folder / "one.yaml").read_bytes() == before
    assert list(follower.kept.iterdir()) == []
    assert [pod.action for pod in acting.start(follower.look("running", "one"), Deadline(20))] == [""]


def test_nothing_is_moved_where_one_is_missing(follower: Follower) -> None:
    with pytest.raises(StaticPodError, match="no manifest of three"):
        follower.look("stopped", "one", "three")
    assert (follower.folder / "one.yaml").exists()


def test_a_copy_that_was_left_by_a_power_cut(follower: Follower) -> None:
    """The copy is written before the manifest is removed; both are there when the power goes in between."""
    follower.kept.mkdir()
    (follower.kept / "one.yaml").write_bytes((follower.folder / "one.yaml").read_bytes())
    pods = acting.start(follower.look("running", "one"), Deadline(10))
    assert [pod.action for pod in pods] == ["forget"]
    assert list(follower.kept.iterdir()) == []


def test_a_kubelet_that_does_not_follow(follower: Follower) -> None:
    follower.follows = False
    pods = follower.look("stopped", "one")
    begin = time.monotonic()
    with pytest.raises(
        StaticPodError, match=r"one \(process \d+\) did not stay stopped within 0.5 s.*kubelet"
    ) as caught:
        acting.stop(pods, Deadline(0.5))
    assert time.monotonic() - begin < 5
    # The message says where the manifest is now.
    assert str(follower.kept) in str(caught.value)
    assert (follower.kept / "one.yaml").exists()
    follower.follows = True
    acting.stop(follower.look("stopped", "one"), Deadline(20))
    follower.follows = False
    with pytest.raises(StaticPodError, match=r"one did not run within 0\.5 s"):
        acting.start(follower.look("running", "one"), Deadline(0.5))


def test_a_folder_that_cannot_be_written(follower: Follower, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file where the folder is to be")
    with pytest.raises(StaticPodError, match=r"could not be (put aside|read)"):
        acting.stop(follower.look("stopped", "one"), Deadline(5))
    assert (follower.folder / "one.yaml").exists()


def test_processes_by_name() -> None:
    process = subprocess.Popen(["sleep", f"3601.{os.getpid()}"])
    try:
        end = time.monotonic() + 10
        # The command line is there a moment after the process.
        while process.pid not in _processes.named("sleep"):
            assert time.monotonic() < end
        assert _processes.running(["sleep", f"3601.{os.getpid()}"]) == [process.pid]
    finally:
        process.kill()
        process.wait()
    assert _processes.running(["sleep", f"3601.{os.getpid()}"]) == []
    assert _processes.running([]) == []
