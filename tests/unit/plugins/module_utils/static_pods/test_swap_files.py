# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal of a swap, its staged files, and the logs that it keeps."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods import log_capture, staged
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.journal import SIZE, Journal
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.swap import (
    KeptFile,
    KubeletChange,
    Swap,
    SwapError,
    SwappedPod,
)


class TestJournal:
    def test_its_room_is_taken_beforehand(self, tmp_path: Path) -> None:
        journal = Journal(str(tmp_path / "journal"))
        assert journal.read() == []
        journal.create()
        for number in range(3):
            journal.append({"number": number})
        assert journal.read() == [{"number": 0}, {"number": 1}, {"number": 2}]
        assert os.path.getsize(journal.path) == SIZE

    def test_an_entry_that_was_cut_off_is_overwritten(self, tmp_path: Path) -> None:
        journal = Journal(str(tmp_path / "journal"))
        journal.create()
        journal.append({"number": 0})
        with open(journal.path, "r+b") as file:
            file.seek(len('{"number":0}\n'))
            file.write(b'{"number": 1, "longer than t\n\n')
        assert journal.read() == [{"number": 0}]
        journal.append({"number": 2})
        assert journal.read() == [{"number": 0}, {"number": 2}]


class Node(t.NamedTuple):
    folder: Path
    swap: Swap

    def file(self, name: str, text: str = "", mode: int = 0o600) -> str:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        if text:
            path.write_text(text)
            path.chmod(mode)
        return str(path)

    def texts(self) -> dict[str, str]:
        return {
            str(path.relative_to(self.folder)): path.read_text()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and path.parts[-2] not in ("new", "old", "kept")
        }


LIVE = {
    "bin/kubelet": "new",
    "kubelet/config.yaml": "new",
    "kubelet/flags.env": "new",
    "manifests/etcd.yaml": "old",
    "manifests/kube-apiserver.yaml": "old",
}
REPLACED = {**LIVE, "manifests/etcd.yaml": "new", "manifests/kube-apiserver.yaml": "new"}
RESTORED = {name: "old" for name in LIVE if name != "kubelet/flags.env"}


@pytest.fixture
def node(tmp_path: Path) -> Node:
    node = Node(tmp_path, Swap("s", "p", ()))
    pods = tuple(
        SwappedPod(
            name,
            node.file(f"manifests/{name}.yaml", "old", 0o640),
            node.file(f"new/{name}.yaml", "new"),
            node.file(f"old/{name}.yaml"),
        )
        for name in ("kube-apiserver", "etcd")
    )
    files = (
        KeptFile(node.file("kubelet/config.yaml", "new"), node.file("kept/config.yaml", "old", 0o644)),
        KeptFile(node.file("kubelet/flags.env", "new"), ""),
    )
    change = KubeletChange(node.file("bin/kubelet", "new", 0o755), node.file("kept/kubelet", "old", 0o755), files)
    return Node(tmp_path, Swap("s", "p", pods, kubelet=change))


class TestStaged:
    def test_forward(self, node: Node) -> None:
        staged.stage(node.swap)
        assert Path(node.swap.pods[0].old).read_text() == "old"
        # Again, as after an interruption.
        for _attempt in range(2):
            staged.replace_manifests(node.swap)
        staged.clear(node.swap)
        assert node.texts() == REPLACED
        assert os.stat(node.swap.pods[0].manifest).st_mode & 0o777 == 0o640

    @pytest.mark.parametrize("replaced", [False, True])
    def test_back(self, node: Node, replaced: bool) -> None:
        staged.stage(node.swap)
        if replaced:
            staged.replace_manifests(node.swap)
        for _attempt in range(2):
            staged.restore(node.swap)
        staged.clear(node.swap)
        assert node.texts() == RESTORED
        assert os.stat(node.folder / "bin/kubelet").st_mode & 0o777 == 0o755
        assert os.stat(node.folder / "kubelet/config.yaml").st_mode & 0o777 == 0o644

    def test_what_cannot_be_staged_leaves_nothing(self, node: Node) -> None:
        os.unlink(node.swap.pods[1].new)
        with pytest.raises(SwapError, match=r"etcd\.yaml: No such file"):
            staged.stage(node.swap)
        assert node.texts() == LIVE

    def test_the_names_are_hidden_from_the_kubelet(self, node: Node) -> None:
        staged.stage(node.swap)
        assert {path.name for path in (node.folder / "manifests").glob("[!.]*")} == {"etcd.yaml", "kube-apiserver.yaml"}


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param(
            "2026-01-31T12:00:00.1Z stderr F Error: unknown flag: --no-such\n"
            "2026-01-31T12:00:00.1Z stderr F Usage:\n2026-01-31T12:00:00.1Z stderr F   kube-apiserver [flags]\n",
            "Error: unknown flag: --no-such",
            id="of a container",
        ),
        pytest.param(
            'I0131 12:00:00.1 server.go:1] "x"\nE0131 12:00:00.2 run.go:72] "command failed" err="no"\n',
            'E0131 12:00:00.2 run.go:72] "command failed" err="no"',
            id="of a kubelet",
        ),
        pytest.param(
            "flag provided but not defined: -no-such\nUsage:\n\n  etcd [flags]\n    Start an etcd server.\n",
            "flag provided but not defined: -no-such",
            id="of etcd",
        ),
        pytest.param("one\ntwo\n\n", "two", id="no error"),
    ],
)
def test_reason(log: str, reason: str) -> None:
    assert log_capture.reason(log) == reason


def test_newest(tmp_path: Path) -> None:
    for number, text in enumerate(("first", "second", "")):
        (tmp_path / f"{number}.log").write_text(text)
        os.utime(tmp_path / f"{number}.log", (number, number))
    assert log_capture.newest({path.name: str(path) for path in tmp_path.iterdir()}) == "second"
    assert log_capture.newest({}) == ""
