# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stopping and starting static pods. A thread does what the kubelet does: it follows the manifests."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import threading
import time
import typing as t
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _processes
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods import acting
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.decisions import StaticPodError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.processes import Place

MANIFESTS = {
    "one": """\
metadata: {name: one, namespace: kube-system}
spec:
  containers:
  - {name: one, command: [one]}
""",
    # What patches add: a container beside it, one before it, a variable in the command, a hook.
    "two": """\
metadata: {name: two, namespace: kube-system}
spec:
  initContainers:
  - {name: prepare, command: [true]}
  containers:
  - {name: sidecar, args: [--listen=unix:///run/sidecar.sock]}
  - name: two
    command: [two, --address=$(HOST_IP)]
    env:
    - name: HOST_IP
      valueFrom: {fieldRef: {fieldPath: status.hostIP}}
    lifecycle: {preStop: {exec: {command: [two, stop]}}}
""",
}
CONTAINERS = {"one": ("one",), "two": ("sidecar", "two")}


class Follower:
    """Has the containers of each manifest run for as long as it is there, as the folders and /proc of a node tell."""

    def __init__(self, root: Path) -> None:
        self.folder, self.kept = root / "manifests", root / "kept"
        self.place = Place(*(str(root / name) for name in ("pods", "containers", "proc")))
        for path in (str(self.folder), *self.place):
            os.mkdir(path)
        self.ends_by_itself: set[str] = set()
        """Containers that are made and whose process ends at once."""
        self.follows = True
        self._made = 100
        self._running: dict[str, list[int]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Follower:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.02):
            if not self.follows:
                continue
            names = {path.stem for path in self.folder.iterdir() if not path.name.startswith(".")}
            for name in set(self._running) - names:
                for pid in self._running.pop(name):
                    shutil.rmtree(f"{self.place.proc}/{pid}")
            for name in names - set(self._running):
                self._running[name] = [self._container(name, container) for container in CONTAINERS[name]]

    def _container(self, pod: str, name: str) -> int:
        self._made += 1
        uid, container = hashlib.md5(pod.encode()).hexdigest(), f"{self._made:064x}"
        folder = Path(self.place.pod_logs) / f"kube-system_{pod}-cp1_{uid}" / name
        folder.mkdir(parents=True, exist_ok=True)
        link = f"{pod}-cp1_kube-system_{name}-{container}.log"
        (Path(self.place.container_logs) / link).symlink_to(folder / "0.log")
        process = Path(self.place.proc) / str(self._made)
        process.mkdir()
        if name not in self.ends_by_itself:
            scope = f"kubepods.slice/kubepods-pod{uid}.slice/cri-containerd-{container}.scope"
            (process / "cgroup").write_text(f"0::/{scope}\n")
            (process / "status").write_text(f"Name:\t{name}\nState:\tS (sleeping)\nPPid:\t1\nNSpid:\t{self._made}\t1\n")
        return self._made

    def look(self, state: str, *names: str) -> list[acting.Pod]:
        return acting.look(names, state, str(self.folder), str(self.kept), self.place)


@pytest.fixture()
def follower(tmp_path: Path) -> t.Iterator[Follower]:
    with Follower(tmp_path) as found:
        for name, text in MANIFESTS.items():
            (found.folder / f"{name}.yaml").write_text(text)
        acting.start(found.look("running", *MANIFESTS), Deadline(10))
        yield found


@pytest.mark.parametrize(("name", "other", "processes"), [("one", "two", 1), ("two", "one", 2)])
def test_stop_and_start(follower: Follower, name: str, other: str, processes: int) -> None:
    manifest, kept = follower.folder / f"{name}.yaml", follower.kept / f"{name}.yaml"
    before = manifest.read_bytes()
    pods = follower.look("stopped", name)
    assert [(pod.action, len(pod.pids())) for pod in pods] == [("put aside", processes)]
    acting.stop(pods, Deadline(20))
    assert [pod.pids() for pod in pods] == [[]]
    assert not manifest.exists()
    assert kept.read_bytes() == before
    assert kept.stat().st_mode & 0o777 == 0o600
    # The other one was not asked for.
    assert (follower.folder / f"{other}.yaml").exists()
    # Once more: nothing is to be done.
    assert [pod.action for pod in follower.look("stopped", name)] == [""]
    pods = follower.look("running", name)
    assert [pod.action for pod in pods] == ["put back"]
    acting.start(pods, Deadline(20))
    assert [len(pod.pids()) for pod in pods] == [processes]
    assert manifest.read_bytes() == before
    assert list(follower.kept.iterdir()) == []
    assert [pod.action for pod in follower.look("running", name)] == [""]


def test_a_sidecar_alone_is_not_the_component(follower: Follower) -> None:
    acting.stop(follower.look("stopped", "two"), Deadline(20))
    follower.ends_by_itself = {"two"}
    with pytest.raises(StaticPodError, match=r"two did not run within 0\.5 s"):
        acting.start(follower.look("running", "two"), Deadline(0.5))


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *unused: object) -> None:
        pass


def test_one_that_answers_and_whose_processes_are_not_found(follower: Follower) -> None:
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        probe = f"{{httpGet: {{host: 127.0.0.1, path: /, port: {server.server_address[1]}, scheme: HTTP}}}}"
        follower.follows = False
        path = follower.folder / "one.yaml"
        path.write_text(MANIFESTS["one"].replace("command: [one]", f"command: [one], readinessProbe: {probe}"))
        assert len(follower.look("stopped", "one")) == 1
        shutil.rmtree(follower.place.pod_logs)
        with pytest.raises(StaticPodError, match="one answers, and its processes are not found"):
            follower.look("stopped", "one")
        server.shutdown()


def test_nothing_is_moved_where_one_is_missing(follower: Follower) -> None:
    with pytest.raises(StaticPodError, match="no manifest of three"):
        follower.look("stopped", "one", "three")
    assert (follower.folder / "one.yaml").exists()


def test_a_copy_that_was_left_by_a_power_cut(follower: Follower) -> None:
    """The copy is written before the manifest is removed; both are there when the power goes in between."""
    follower.kept.mkdir()
    (follower.kept / "one.yaml").write_bytes((follower.folder / "one.yaml").read_bytes())
    pods = follower.look("running", "one")
    assert [pod.action for pod in pods] == ["forget"]
    acting.start(pods, Deadline(10))
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
