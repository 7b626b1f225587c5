# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restore of three real members of etcd with TLS, step by step, and rehearsals in a scratch etcd."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from etcd_cluster import ETCD, Cluster, Member, binaries, etcdutl_status, module_result, run_module, start_module

Json = dict[str, t.Any]
BUMP = 1_000_000_000
KEYS = 200


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("restore"), ["cp1", "cp2", "cp3"]) as found:
        found.start()
        found.put(found.members[0], 0, KEYS, 200)
        yield found


@pytest.fixture(autouse=True)
def no_notes(cluster: Cluster) -> t.Iterator[None]:
    yield
    for member in cluster.members:
        shutil.rmtree(member.place / "state", ignore_errors=True)


@pytest.fixture(scope="module")
def snapshot(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Json:
    """A snapshot of the cluster as it is at first."""
    return save(cluster, tmp_path_factory.mktemp("backups"))


def save(cluster: Cluster, place: Path) -> Json:
    member = cluster.follower()
    saved = run_module("etcd_snapshot", {"directory": str(place), "manifest": str(member.manifest), "min_free_mib": 1})
    assert saved["changed"], saved["msg"]
    return saved


def keys(cluster: Cluster, member: Member) -> set[str]:
    found = cluster.post(member, "kv/range", {"key": "AA==", "range_end": "AA==", "keys_only": True})
    return {base64.b64decode(entry["key"]).decode() for entry in found["kvs"]}


def step(member: Member, state: str, **more: t.Any) -> Json:
    """One state of etcd_restore on the node of `member`."""
    return run_module("etcd_restore", {**options(member, state), **more})


def options(member: Member, state: str) -> Json:
    return {
        "state": state,
        "host": member.name,
        "manifests": str(member.place),
        "kept_in": str(member.place / "kept"),
        "state_directory": str(member.place / "state"),
        "etcdutl": str(binaries() / "etcdutl"),
        "min_free_mib": 1,
        "timeout_s": 60,
    }


def plan(cluster: Cluster, backup: Json, **accepted: t.Any) -> Json:
    nodes = [step(member, "inspected", shared_files=backup["shared_files"])["node"] for member in cluster.members]
    return run_module("restore_plan", {"backup": backup, "nodes": nodes, "without_node_files": True, **accepted})


def stop(cluster: Cluster) -> None:
    for member in cluster.members:
        member.stop(signal.SIGTERM)


def start(cluster: Cluster) -> None:
    cluster.start()


def test_the_whole_way(cluster: Cluster, snapshot: Json) -> None:
    before = keys(cluster, cluster.members[0])
    old_cluster = cluster.post(cluster.members[0], "maintenance/status", {})["header"]["cluster_id"]
    cluster.put(cluster.members[0], KEYS, KEYS + 100, 200)
    backup = run_module("etcd_restore", {"state": "examined", "path": snapshot["path"]})["backup"]
    assert (backup["keys"], backup["revision"]) == (snapshot["keys"], snapshot["revision"])
    planned = plan(cluster, backup)
    assert planned["members"] == ["cp1", "cp2", "cp3"]
    assert planned["initial_cluster"] == cluster.initial
    # What is missing here is the rest of a control plane, and nothing else.
    assert {found["id"] for found in planned["findings"] if found["severity"] == "blocker"} <= {
        "pod-missing",
        "kubelet-down",
    }
    order = {"token": planned["token"]}
    making = {**order, "path": snapshot["path"], "initial_cluster": planned["initial_cluster"]}
    for member in cluster.members:
        checked = run_module("etcd_restore", {**options(member, "prepared"), **making}, check_mode=True)
        assert checked["changed"], checked
        assert not (member.place / "state").exists()
        made = step(member, "prepared", **making)
        assert made["changed"], made
        assert made["note"]["expected_revision"] == backup["revision"] + BUMP
        # Once more: it is there, and the same.
        assert step(member, "prepared", **making)["note"] == made["note"]
    # Until now nobody has noticed anything.
    assert len(keys(cluster, cluster.members[0])) == len(before) + 100

    refused = step(cluster.members[0], "swapped", **order)
    assert "etcd still runs" in refused["msg"], refused
    assert plan(cluster, backup)["steps"] == {"cp1": "prepared", "cp2": "prepared", "cp3": "prepared"}

    stop(cluster)
    for member in cluster.members:
        checked = run_module("etcd_restore", {**options(member, "swapped"), **order}, check_mode=True)
        assert checked["changed"], checked
        swapped = step(member, "swapped", **order)
        assert swapped["changed"], swapped
        assert (Path(swapped["note"]["aside"]) / "member" / "snap" / "db").is_file()
        again = step(member, "swapped", **order)
        assert not again["changed"], again
    resumed = plan(cluster, backup)
    assert (resumed["token"], resumed["resumed"], resumed["stop"]) == (planned["token"], True, True)

    start(cluster)
    for member in cluster.members:
        proven = step(member, "proven", **order)
        assert proven["changed"], proven
    assert plan(cluster, backup)["stop"] is False
    for member in cluster.members:
        assert keys(cluster, member) == before
        status = cluster.post(member, "maintenance/status", {})
        assert int(status["header"]["revision"]) == backup["revision"] + BUMP
        assert status["header"]["cluster_id"] != old_cluster
    healthy = run_module(
        "etcd_member",
        {
            "state": "healthy",
            "manifest": str(cluster.members[0].manifest),
            "expected_members": planned["members"],
            "interval_s": 0.2,
            "timeout_s": 30,
        },
    )
    assert not healthy.get("failed"), healthy
    # Whoever watched the old cluster is told to read anew.
    compacted = [*cluster.etcdctl_command(cluster.members[0]), "get", "x", f"--rev={backup['revision'] + 5}"]
    assert "compacted" in said_by(compacted)
    # It serves writes again.
    cluster.put(cluster.members[1], 0, 10, 50, prefix="/after/")

    for member in cluster.members:
        finished = step(member, "finished", **order)
        assert (finished["changed"], finished["note"]["step"]) == (True, "finished"), finished
        assert not step(member, "finished", **order)["changed"]
    fresh = plan(cluster, backup)
    assert (fresh["resumed"], fresh["stop"]) == (False, True)
    assert fresh["token"] != planned["token"]


def said_by(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    return done.stderr


def test_a_member_with_other_data_is_not_accepted(cluster: Cluster, tmp_path: Path) -> None:
    """The data that comes back is not that of the snapshot: here, somebody has put the old one back."""
    member = cluster.members[0]
    path = save(cluster, tmp_path)["path"]
    planned = plan(cluster, run_module("etcd_restore", {"state": "examined", "path": path})["backup"])
    order = {"token": planned["token"]}
    made = step(member, "prepared", path=path, initial_cluster=planned["initial_cluster"], **order)
    assert made["changed"], made
    stop(cluster)
    aside = Path(step(member, "swapped", **order)["note"]["aside"])
    shutil.rmtree(member.data / "member")
    (aside / "member").rename(member.data / "member")
    start(cluster)
    refused = step(member, "proven", **order)
    assert "expected" in refused["msg"], refused
    assert str(aside) in refused["msg"]


def test_a_prepare_that_is_killed(cluster: Cluster, snapshot: Json) -> None:
    """What it has left is no data of anybody, and the next one, which has another name, removes it."""
    member = cluster.members[2]
    making = {"path": snapshot["path"], "initial_cluster": cluster.initial}
    process = start_module("etcd_restore", {**options(member, "prepared"), **making, "token": "restore-1"})
    end = time.monotonic() + 30
    half = Path(f"{member.data}-restore-1")
    while not half.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert half.exists()
    if not (member.place / "state" / "restore.json").exists():
        made = step(member, "prepared", token="restore-2", **making)
        assert made["changed"], made
    assert not half.exists() or (member.place / "state" / "restore.json").exists()
    for name in ("restore-1", "restore-2"):
        shutil.rmtree(f"{member.data}-{name}", ignore_errors=True)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        pytest.param({"initial_cluster": "cp9=https://127.0.0.1:1"}, "is not in the new cluster", id="another cluster"),
        pytest.param({"path": "/nowhere.db"}, "could not be opened", id="no snapshot"),
        pytest.param({"etcdutl": "/bin/false"}, "is not a program of etcd", id="no etcdutl"),
        pytest.param({"min_free_mib": 10**9}, "MiB free", id="no room"),
        pytest.param({"manifests": "/nowhere"}, "no manifest of etcd", id="no static pod"),
    ],
)
def test_what_prepare_refuses(cluster: Cluster, snapshot: Json, more: Json, said: str) -> None:
    member = cluster.members[1]
    refused = step(
        member,
        "prepared",
        **{"token": "restore-9", "path": snapshot["path"], "initial_cluster": cluster.initial, **more},
    )
    assert refused["failed"], refused
    assert said in refused["msg"], refused
    assert not list(member.place.glob("data-restore*"))
    assert not (member.place / "state" / "restore.json").exists()


def test_steps_out_of_order(cluster: Cluster) -> None:
    for state in ("swapped", "proven", "finished"):
        refused = step(cluster.members[1], state, token="restore-9")
        assert "has not been" in refused["msg"], refused
        assert "there is no note" in refused["msg"]


def rehearse(place: Path, **more: t.Any) -> Json:
    return run_module("etcd_rehearsal", rehearsal(place, **more))


def rehearsal(place: Path, **more: t.Any) -> Json:
    return {
        "scratch": str(place / "scratch"),
        "etcd": str(binaries() / "etcd"),
        "etcdutl": str(binaries() / "etcdutl"),
        "manifests": str(place),
        "min_free_mib": 1,
        "timeout_s": 60,
        **more,
    }


def test_a_rehearsal_of_the_newest_backup(cluster: Cluster, snapshot: Json, tmp_path: Path) -> None:
    found = rehearse(tmp_path, directory=os.path.dirname(snapshot["path"]), max_age_hours=1)
    assert not found.get("failed"), found
    assert not found["changed"]
    assert (found["path"], found["keys"], found["revision"]) == (
        snapshot["path"],
        snapshot["keys"],
        snapshot["revision"],
    )
    assert sum(found["kinds"].values()) == etcdutl_status(snapshot["path"])["totalKey"] == snapshot["keys"]
    assert found["kinds"]["/registry/pods"] == KEYS
    assert found["etcd_version"] == found["etcdutl_version"] == ETCD
    assert all(check["ok"] for check in found["checks"])
    assert {"restored_revision", "restored_keys", "restored_values"} <= {check["name"] for check in found["checks"]}
    assert os.listdir(tmp_path / "scratch") == []


def test_a_rehearsal_in_check_mode(snapshot: Json, tmp_path: Path) -> None:
    found = run_module("etcd_rehearsal", rehearsal(tmp_path, path=snapshot["path"]), check_mode=True)
    assert (found["kinds"], found["keys"]) == ({}, snapshot["keys"])
    assert not (tmp_path / "scratch").exists()


def test_a_rehearsal_that_is_killed(snapshot: Json, tmp_path: Path) -> None:
    """The scratch etcd ends with it, and the next one removes what it has left."""
    scratch = tmp_path / "scratch"
    process = start_module("etcd_rehearsal", rehearsal(tmp_path, path=snapshot["path"]))
    end = time.monotonic() + 30
    while not list(scratch.glob("rehearsal-*/log")) and time.monotonic() < end:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = list(scratch.iterdir())
    assert len(left) == 1
    assert left[0].stat().st_mode & 0o777 == 0o700
    while runs_on(left[0]) and time.monotonic() < end:
        time.sleep(0.01)
    assert not runs_on(left[0])
    found = rehearse(tmp_path, path=snapshot["path"])
    assert not found.get("failed"), found
    assert list(scratch.iterdir()) == []


def runs_on(folder: Path) -> bool:
    """Whether any process has the folder on its command line."""
    wanted = f"--data-dir={folder}".encode()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if wanted in entry.read_bytes():
                return True
        except OSError:
            continue
    return False


def test_nobody_else_can_reach_the_scratch_etcd(snapshot: Json, tmp_path: Path) -> None:
    """While it runs it has Unix sockets in a folder of mode 0700, and no port."""
    process = start_module("etcd_rehearsal", rehearsal(tmp_path, path=snapshot["path"]))
    seen: set[int] = set()
    sockets = 0
    while process.poll() is None:
        for folder in (tmp_path / "scratch").glob("rehearsal-*"):
            sockets = max(sockets, len([path for path in folder.glob("client") if path.is_socket()]))
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A":
                seen.add(int(words[1].split(":")[1], 16))
        time.sleep(0.005)
    found = module_result(process)
    assert not found.get("failed"), found
    assert sockets == 1
    assert not seen & {2379, 2380}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        pytest.param({"path": "/nowhere.db"}, "could not be opened", id="no file"),
        pytest.param({"directory": "/nowhere"}, "could not be read", id="no folder"),
        pytest.param({"etcd": "/bin/true"}, "is not a program of etcd", id="no etcd"),
        pytest.param({"min_free_mib": 10**9}, "MiB free", id="no room"),
        pytest.param({"scratch": "/tmp/" + "x" * 120}, "too long for a Unix socket", id="a long path"),
    ],
)
def test_what_a_rehearsal_refuses(snapshot: Json, tmp_path: Path, more: Json, said: str) -> None:
    try:
        refused = rehearse(tmp_path, **{"path": snapshot["path"] if "directory" not in more else None, **more})
    finally:
        shutil.rmtree("/tmp/" + "x" * 120, ignore_errors=True)
    assert refused["failed"], refused
    assert said in refused["msg"], refused


def test_backups_that_have_stopped(snapshot: Json, tmp_path: Path) -> None:
    old = tmp_path / "etcd-a-20250131T120000123Z.db"
    shutil.copy(snapshot["path"], old)
    refused = rehearse(tmp_path, directory=str(tmp_path), max_age_hours=24)
    assert "hours old, more than 24" in refused["msg"], refused
    (tmp_path / "etcd-a-20250131T120001123Z.db.age").write_bytes(b"x")
    refused = rehearse(tmp_path, directory=str(tmp_path))
    assert "is encrypted" in refused["msg"], refused
