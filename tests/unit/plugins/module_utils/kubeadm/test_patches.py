# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder of patches that kubeadm gets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import patches

MINE = "kube-apiserver~evergreen+json.json"


def test_the_user_s_patches_and_ours(tmp_path: Path) -> None:
    user, folder = tmp_path / "user", tmp_path / "state" / "patches"
    (user / "deeper").mkdir(parents=True)
    (user / "kube-apiserver0+merge.yaml").write_text("spec: {}\n")
    patches.compose(str(folder), str(user), {"kube-apiserver": ["--v=4"], "kube-scheduler": []}, {"kube-apiserver": 1})
    assert sorted(path.name for path in folder.iterdir()) == ["kube-apiserver0+merge.yaml", MINE]
    assert json.loads((folder / MINE).read_text()) == [
        {"op": "add", "path": "/spec/containers/1/command/-", "value": "--v=4"}
    ]
    assert folder.stat().st_mode & 0o777 == 0o700


def test_ours_come_last() -> None:
    names = ["kube-apiserver", "kube-apiserver0+json.yaml", "kube-apiserverzzz+strategic.yaml"]
    assert sorted([MINE, *names])[-1] == MINE


def test_what_was_there_is_gone(tmp_path: Path) -> None:
    patches.compose(str(tmp_path / "p"), "", {"kube-apiserver": ["--v=4"]}, {})
    patches.compose(str(tmp_path / "p"), "", {"kube-scheduler": ["--v=4"]}, {})
    assert [path.name for path in (tmp_path / "p").iterdir()] == ["kube-scheduler~evergreen+json.json"]
    patches.remove(str(tmp_path / "p"))
    patches.remove(str(tmp_path / "p"))
    assert not (tmp_path / "p").exists()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(patches.PatchesError, match="No such file"):
        patches.compose(str(tmp_path / "p"), str(tmp_path / "missing"), {}, {})
