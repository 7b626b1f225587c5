# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Save, verify and rehearse an etcd with 2 GB of keys, as large as etcd lets it be by default."""

from __future__ import annotations

import subprocess
import threading
import time
import typing as t
from pathlib import Path

import pytest

from etcd_cluster import LargeCluster, binaries, etcdutl_status, module_result, start_module

Json = dict[str, t.Any]
RSS_LIMIT_MIB = 100


@pytest.fixture(scope="module")
def saved(large: LargeCluster, tmp_path_factory: pytest.TempPathFactory) -> tuple[Json, float]:
    """(the result of the save, the most memory that it had)."""
    place = tmp_path_factory.mktemp("backups")
    result, rss = measured("etcd_snapshot", {"directory": str(place), "manifest": str(large.members[0].manifest)})
    assert "failed" not in result, result
    return result, rss


def measured(module: str, arguments: Json) -> tuple[Json, float]:
    """(result, the most MiB of memory that the module had)."""
    process = start_module(module, arguments)
    most = 0.0
    over = threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.05):
            try:
                text = Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                return
            for line in text.splitlines():
                if line.startswith("VmHWM:"):
                    most = max(most, int(line.split()[1]) / 1024)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        return module_result(process, timeout_s=600), most
    finally:
        over.set()
        watcher.join()


def test_a_save(large: LargeCluster, saved: tuple[Json, float]) -> None:
    result, rss = saved
    assert result["size"] > large.SIZE * large.KEYS
    assert 0 < rss < RSS_LIMIT_MIB
    told = etcdutl_status(result["path"])
    assert (told["revision"], told["totalKey"]) == (result["revision"], result["keys"])
    # etcd's own tool saves the same: the hash is of every key and value in the database.
    other = Path(result["path"]).with_name("other.db")
    large.etcdctl(large.members[0], "snapshot", "save", str(other))
    assert etcdutl_status(str(other))["hash"] == told["hash"]
    other.unlink()


def test_a_verification(saved: tuple[Json, float]) -> None:
    result, _rss = saved
    begin = time.monotonic()
    proven, rss = measured("etcd_snapshot", {"state": "verified", "path": result["path"], "sha256": result["sha256"]})
    assert "failed" not in proven, proven
    assert proven["keys"] == result["keys"]
    assert 0 < rss < RSS_LIMIT_MIB
    print(f"verified {result['size'] / 1e9:.2f} GB in {time.monotonic() - begin:.1f} s, {rss:.0f} MiB")


def test_one_bit(saved: tuple[Json, float]) -> None:
    result, _rss = saved
    with open(result["path"], "r+b") as file:
        file.seek(result["size"] // 2)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
    try:
        found, _rss = measured("etcd_snapshot", {"state": "verified", "path": result["path"]})
    finally:
        with open(result["path"], "r+b") as file:
            file.seek(result["size"] // 2)
            file.write(bytes([byte]))
    assert found["failed"]
    assert not next(check["ok"] for check in found["checks"] if check["name"] == "digest")


def test_a_rehearsal(saved: tuple[Json, float], tmp_path: Path) -> None:
    result, _rss = saved
    options = {
        "path": result["path"],
        "scratch": str(tmp_path / "scratch"),
        "etcd": str(binaries() / "etcd"),
        "etcdutl": str(binaries() / "etcdutl"),
    }
    rehearsed, rss = measured("etcd_rehearsal", options)
    assert "failed" not in rehearsed, rehearsed
    assert rehearsed["kinds"] == {"/registry/pods": LargeCluster.KEYS}
    assert rss < 4 * RSS_LIMIT_MIB
    left = subprocess.run(["ls", "-A", str(tmp_path / "scratch")], capture_output=True, text=True, check=True)
    assert left.stdout == ""
