# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pruning of real files; a whole snapshot is one of a real etcd 3.6.5."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import backup_names, pruning, snapshot_file
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import EtcdError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.retention import Rules
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.etcd.snapshots import WHOLE

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)


def name(days: float, label: str = "a") -> str:
    taken = NOW - timedelta(days=days)
    return backup_names.default_name(label, taken.isoformat(timespec="milliseconds").replace("+00:00", "Z"))


def put(place: Path, days: float, *suffixes: str, label: str = "a", content: bytes = WHOLE) -> list[str]:
    names = [name(days, label) + suffix for suffix in suffixes or ("",)]
    for each in names:
        (place / each).write_bytes(content)
    return names


def there(place: Path) -> set[str]:
    return {entry.name for entry in place.iterdir()}


def prune(place: Path, rules: Rules, label: str = "", check_mode: bool = False) -> dict:
    return pruning.prune(str(place), rules, label=label, now=NOW, check_mode=check_mode).result()


def test_what_belongs_to_a_snapshot_goes_with_it_and_nothing_else(tmp_path: Path) -> None:
    new = put(tmp_path, 1)
    old = put(tmp_path, 2, "", ".gz", ".gz.age", ".node.tar", ".node.tar.gz.gpg", ".json")
    foreign = [
        *("notes.txt", "etcd-prod.db", name(3) + ".sha256", name(3) + ".part", "x" + name(3), "backup.node.tar"),
        *(".hidden", name(2) + ".bak"),
    ]
    for each in foreign:
        (tmp_path / each).write_text("mine")
    (tmp_path / name(4)).mkdir()
    (tmp_path / name(5)).symlink_to(tmp_path / "notes.txt")
    before = there(tmp_path)
    told = prune(tmp_path, Rules(1), check_mode=True)
    assert there(tmp_path) == before
    result = prune(tmp_path, Rules(1))
    assert result == told
    assert result["changed"]
    assert there(tmp_path) == before - set(old)
    assert {*new, *foreign, name(4), name(5)} == there(tmp_path)
    assert sorted(result["removed"]) == sorted(str(tmp_path / each) for each in old)
    assert result["freed"] == len(old) * len(WHOLE)
    assert result["diff"]["before"].split() == sorted(new + old)
    assert result["diff"]["after"].split() == sorted(new)
    assert [row["path"] for row in result["pruned"]] == [str(tmp_path / name(2))]
    assert result["kept"][0]["verified"] is True
    again = prune(tmp_path, Rules(1))
    assert not again["changed"]
    assert again["diff"]["before"] == again["diff"]["after"]


def test_a_snapshot_whose_archive_is_damaged_is_not_the_last_good_one(tmp_path: Path) -> None:
    newest = put(tmp_path, 1, "", ".node.tar")
    good = put(tmp_path, 2)
    put(tmp_path, 3)
    result = prune(tmp_path, Rules(1))
    assert there(tmp_path) == {*newest, *good}
    assert [row["verified"] for row in result["kept"]] == [False, True]


def test_the_newest_that_verifies_stays(tmp_path: Path) -> None:
    put(tmp_path, 1, content=WHOLE[:-4096])
    put(tmp_path, 2, content=b"")
    good = put(tmp_path, 3)
    put(tmp_path, 4)
    result = prune(tmp_path, Rules(1))
    assert there(tmp_path) == {name(1), *good}
    assert [row["verified"] for row in result["kept"]] == [False, True]
    assert result["kept"][1]["reason"] == "the newest snapshot that verifies"


def test_only_as_many_are_verified_as_are_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    real = snapshot_file.verify

    def watched(path: str) -> snapshot_file.Verified:
        looked.append(Path(path).name)
        return real(path)

    monkeypatch.setattr(snapshot_file, "verify", watched)
    for days in range(1, 6):
        put(tmp_path, days)
    prune(tmp_path, Rules(5))
    assert looked == []
    prune(tmp_path, Rules(2))
    assert looked == [name(1)]


def test_without_a_snapshot_that_verifies_nothing_goes(tmp_path: Path) -> None:
    put(tmp_path, 1, content=b"broken")
    put(tmp_path, 2, content=b"broken")
    other = [*put(tmp_path, 1, label="b"), *put(tmp_path, 2, label="b")]
    for check_mode in (True, False):
        with pytest.raises(EtcdError, match="for the label a,") as caught:
            prune(tmp_path, Rules(1), check_mode=check_mode)
        assert caught.value.result["removed"] == [str(tmp_path / other[1])]
    assert there(tmp_path) == {name(1), name(2), other[0]}
    with pytest.raises(EtcdError) as caught:
        prune(tmp_path, Rules(1))
    assert not caught.value.result["changed"]


def test_of_one_label_only(tmp_path: Path) -> None:
    for label in ("a", "a-b", "x_y"):
        put(tmp_path, 1, label=label)
        put(tmp_path, 2, label=label)
    prune(tmp_path, Rules(1), label="x y")
    assert there(tmp_path) == {name(days, label) for days in (1, 2) for label in ("a", "a-b")} | {name(1, "x_y")}
    prune(tmp_path, Rules(1), label="a")
    assert there(tmp_path) == {name(1), name(1, "a-b"), name(2, "a-b"), name(1, "x_y")}


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    result = prune(tmp_path / "none", Rules(1))
    assert (result["changed"], result["kept"], result["pruned"]) == (False, [], [])
    (tmp_path / "file").write_text("")
    with pytest.raises(EtcdError, match="not a directory"):
        prune(tmp_path / "file", Rules(1))


def test_beside_a_save_nothing_goes(tmp_path: Path) -> None:
    put(tmp_path, 1)
    put(tmp_path, 2)
    with snapshot_file.DirectoryLock(str(tmp_path)), pytest.raises(EtcdError, match="Another save"):
        prune(tmp_path, Rules(1))
    assert there(tmp_path) == {name(1), name(2)}
