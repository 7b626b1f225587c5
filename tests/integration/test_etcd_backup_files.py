# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a backup, made by etcd_snapshot from a real etcd."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from etcd_cluster import Cluster, etcdutl_status, run_module


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("backup-files"), ["cp1"])
    try:
        made.start()
        made.put(made.members[0], 0, 300, 1000)
        yield made
    finally:
        made.stop()


def save(etcd: Cluster, place: Path, check_mode: bool = False, **more: t.Any) -> dict[str, t.Any]:
    options = {"manifest": str(etcd.members[0].manifest), "directory": str(place), "min_free_mib": 1, **more}
    return run_module("etcd_snapshot", options, check_mode)


def verify(path: str, **more: t.Any) -> dict[str, t.Any]:
    return run_module("etcd_snapshot", {"state": "verified", "path": path, **more})


def failed(result: dict[str, t.Any]) -> list[str]:
    return [check["name"] for check in result.get("checks", ()) if not check["ok"]]


def names(place: Path) -> list[str]:
    return sorted(entry.name for entry in place.iterdir())


def test_old_snapshots_go_and_the_newest_that_verifies_stays(etcd: Cluster, tmp_path: Path) -> None:
    saved = [save(etcd, tmp_path)["path"] for _ in range(4)]
    (tmp_path / "notes.txt").write_text("mine")
    for path in saved[2:]:
        with Path(path).open("r+b") as file:
            file.truncate(8192)
    options = {"state": "pruned", "directory": str(tmp_path), "keep_last": 1}
    before = names(tmp_path)
    told = run_module("etcd_snapshot", options, True)
    assert names(tmp_path) == before
    result = run_module("etcd_snapshot", options)
    assert "failed" not in result, result
    for key in ("changed", "kept", "pruned", "removed", "freed", "diff"):
        assert result[key] == told[key], key
    assert names(tmp_path) == sorted(["notes.txt", Path(saved[1]).name, Path(saved[3]).name])
    assert etcdutl_status(saved[1])["totalKey"] == 300
    assert not run_module("etcd_snapshot", options)["changed"]
    for wrong in ({}, {"keep_last": 0}):
        refused = run_module("etcd_snapshot", {"state": "pruned", "directory": str(tmp_path), **wrong})
        assert refused["failed"]
        assert "keep_last" in refused["msg"]
