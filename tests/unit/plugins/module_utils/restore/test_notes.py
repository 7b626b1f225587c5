# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The note that a node keeps of a restore."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import EtcdError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._restore import notes
from ansible_collections.evergreen.kubeadm.plugins.module_utils._restore.model import Note

NOTE = Note(token="restore-1", step="prepared", started="2026-01-31T12:00:00Z")


def test_there_is_none(tmp_path: Path) -> None:
    assert notes.read(str(tmp_path / "none")) == {}


def test_written_and_read(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    written = notes.write(str(folder), NOTE)
    assert notes.read(str(folder)) == written
    assert written["updated"] > "2026"
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {"restore.json": 0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("text", ["", "[]", "{", '{"step": "prepared"}', '{"token": "x", "step": "later"}', "\xff"])
def test_a_note_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "restore.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(EtcdError, match=r"restore\.json"):
        notes.read(str(tmp_path))


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(EtcdError, match="could not be written"):
        notes.write(str(tmp_path / "state"), NOTE)


@pytest.mark.parametrize(
    ("token", "step", "expected"),
    [
        ("restore-1", "prepared", True),
        ("restore-1", "swapped", False),
        ("restore-2", "prepared", False),
        ("restore-1", "", True),
    ],
)
def test_reached(token: str, step: str, expected: bool) -> None:
    assert notes.reached(NOTE, token, step) is expected
    assert not notes.reached({}, token, step)
