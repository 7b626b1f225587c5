# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""etcd_snapshot and etcd_member against a real cluster of three members with mutual TLS."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import threading
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import utc_now
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_etcd import etcd_findings
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Cluster as SkewCluster
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import NodeState, Request
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version
from etcd_cluster import Cluster, Member, binaries, etcdutl_status, module_result, run_module, start_module
from etcd_relay import Relay, through

# The pages of the store's first keys, so that a stream can be cut far from both its ends.
KEYS = 3000


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("etcd"), ["cp1", "cp2", "cp3"]) as made:
        made.start()
        made.put(made.leader(), 0, KEYS, 1000)
        made.post(made.leader(), "kv/deleterange", {"key": "L3JlZ2lzdHJ5L3BvZHMvZGVmYXVsdC9wMDAwMDAwNQ=="})
        yield made


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Cluster]:
    """One member that has no JSON gateway."""
    with Cluster(tmp_path_factory.mktemp("single"), ["only"], ["--enable-grpc-gateway=false"]) as made:
        only = made.members[0]
        only.start(made.initial)
        made.etcdctl(only, "put", "/registry/a", "b")
        yield made


def save(member: Member, place: Path, **more: t.Any) -> dict[str, t.Any]:
    return run_module("etcd_snapshot", arguments(member, place, **more), more.pop("check_mode", False))


def arguments(member: Member, place: Path, **more: t.Any) -> dict[str, t.Any]:
    more.pop("check_mode", None)
    return {"manifest": str(member.manifest), "directory": str(place), "min_free_mib": 1, **more}


def failed(result: dict[str, t.Any]) -> list[str]:
    return [check["name"] for check in result.get("checks", ()) if not check["ok"]]


@pytest.mark.parametrize("route", ["grpc", "gateway", "etcdctl"])
def test_a_snapshot_is_what_etcdutl_reads(cluster: Cluster, tmp_path: Path, route: str) -> None:
    member = cluster.follower()
    result = save(member, tmp_path, route=route, etcdctl=str(binaries() / "etcdctl"))
    assert "failed" not in result, result
    assert result["changed"]
    assert result["route"] == route
    path = Path(result["path"])
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert path.name.startswith(f"etcd-{member.name}-")
    content = path.read_bytes()
    assert result["sha256"] == hashlib.sha256(content).hexdigest()
    assert path.stat().st_mode & 0o777 == 0o600
    status = etcdutl_status(result["path"])
    assert result["revision"] == status["revision"]
    assert result["keys"] == status["totalKey"] == KEYS - 1
    assert result["size"] == len(content) == status["totalSize"] + 32
    assert result["storage_version"] == status["version"]
    assert result["member"] == {**result["member"], "name": member.name, "leader": False, "version": "3.6.5"}
    assert {"digest", "structure", "revision", "keys", "free_space"} <= {check["name"] for check in result["checks"]}

    again = run_module("etcd_snapshot", {"state": "verified", "path": result["path"], "sha256": result["sha256"]})
    assert not again["changed"]
    assert (again["revision"], again["keys"]) == (result["revision"], result["keys"])
    other = run_module("etcd_snapshot", {"state": "verified", "path": result["path"], "sha256": "0" * 64})
    assert other["failed"]
    assert failed(other) == ["sha256"]
    path.write_bytes(content[:-4096])
    cut = run_module("etcd_snapshot", {"state": "verified", "path": result["path"]})
    assert cut["failed"]
    assert "digest" in failed(cut)


def test_check_mode_looks_and_writes_nothing(cluster: Cluster, tmp_path: Path) -> None:
    place = tmp_path / "not" / "there"
    result = save(cluster.follower(), place, check_mode=True)
    assert result["changed"]
    assert not place.parent.exists()
    assert Path(result["path"]).parent == place
    looked = {check["name"] for check in result["checks"]}
    assert {"linearizable_read", "not_lagging", "free_space"} <= looked
    real = save(cluster.follower(), place)
    assert real["size"] <= result["size"]
    assert looked <= {check["name"] for check in real["checks"]}
    assert place.stat().st_mode & 0o777 == 0o700


def test_a_save_beside_writes_is_of_one_moment(cluster: Cluster, tmp_path: Path) -> None:
    member = cluster.follower()
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            cluster.put(member, 0, 20, 500, prefix="/registry/leases/l")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        result = save(member, tmp_path)
    finally:
        stop.set()
        writer.join(30)
    assert "failed" not in result, result
    assert result["revision"] == etcdutl_status(result["path"])["revision"]
    said = next(check["seen"] for check in result["checks"] if check["name"] == "keys")
    assert "the member counts" in said


def test_what_is_refused_before_anything_is_written(cluster: Cluster, single: Cluster, tmp_path: Path) -> None:
    leader = cluster.leader()
    (tmp_path / "mine.db").write_text("older")
    cases: list[tuple[dict[str, t.Any], str]] = [
        ({"require_follower": True}, "it is the leader"),
        ({"directory": str(leader.data)}, "inside of etcd's data directory"),
        ({"path": str(tmp_path / "mine.db")}, "already exists"),
        ({"min_free_mib": 1 << 30}, "free_space"),
        ({"ca_cert": str(single.pki / "ca.crt")}, "certificate is not accepted"),
        ({"client_cert": "/nonexistent.crt", "client_key": "/nonexistent.key"}, "could not be loaded"),
        ({"manifest": "/nonexistent.yaml"}, "could not be read"),
    ]
    for options, said in cases:
        result = save(leader, tmp_path, **options)
        assert result.get("failed"), options
        assert said in result["msg"], options
        assert not result["changed"]
    strange = through(cluster, 0, tmp_path, endpoint=leader.url)
    strange.update(
        client_cert=str(single.pki / "healthcheck-client.crt"), client_key=str(single.pki / "healthcheck-client.key")
    )
    result = run_module("etcd_snapshot", strange)
    assert result["failed"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.db"]


def test_without_a_gateway_there_are_the_other_routes(single: Cluster, tmp_path: Path) -> None:
    only = single.members[0]
    for wanted, route in (("auto", "grpc"), ("etcdctl", "etcdctl")):
        result = save(only, tmp_path, route=wanted, etcdctl=str(binaries() / "etcdctl"))
        assert "failed" not in result, result
        assert (result["route"], result["route_note"]) == (route, "")
        assert result["keys"] == etcdutl_status(result["path"])["totalKey"] == 1
    named = save(only, tmp_path, route="gateway")
    assert named["failed"]
    assert "404" in named["msg"]


def test_the_lead_of_a_single_member_stays(single: Cluster) -> None:
    options = {"state": "follower", "manifest": str(single.members[0].manifest), "etcdctl": str(binaries() / "etcdctl")}
    result = run_module("etcd_member", options)
    assert "failed" not in result, result
    assert not result["changed"]
    assert "only voting member" in result["note"]


@pytest.mark.parametrize("route", ["grpc", "gateway", "etcdctl"])
def test_the_lead_is_moved(cluster: Cluster, route: str) -> None:
    leader = cluster.leader()
    options = {
        "state": "follower",
        "manifest": str(leader.manifest),
        "interval_s": 0.1,
        "route": route,
        "etcdctl": str(binaries() / "etcdctl"),
    }
    told = run_module("etcd_member", options, check_mode=True)
    assert cluster.leader() is leader
    assert (told["changed"], told["moved_from"]) == (True, leader.name)
    real = run_module("etcd_member", options)
    assert "failed" not in real, real
    assert (real["changed"], real["moved_from"], real["moved_to"]) == (True, leader.name, told["moved_to"])
    assert cluster.leader().name == real["moved_to"] == real["leader"]
    again = run_module("etcd_member", options)
    assert (again["changed"], again["moved_to"]) == (False, "")


def judged(result: dict[str, t.Any]) -> list[tuple[str, str]]:
    """What skew_check makes of it, on a cluster with these three control-plane nodes."""
    states = [NodeState(name, "control_plane", None, etcd=Version.parse("3.6.5")) for name in ("cp1", "cp2", "cp3")]
    request = Request(Version.parse("1.35.4"), etcd_members=[result])
    return [(found["id"], found["subject"]) for found in etcd_findings(SkewCluster(), states, request)]


def test_a_look_tells_of_a_dead_member_and_does_not_wait(cluster: Cluster) -> None:
    here = cluster.leader()
    options = {"state": "observed", "manifest": str(here.manifest), "hash_kv": True}
    result = run_module("etcd_member", options)
    assert "failed" not in result, result
    assert (result["changed"], result["looks"], result["alarms"], failed(result)) == (False, 1, [], [])
    assert judged(result) == []
    rows = result["members"]
    assert len({(row["hash"], row["hash_revision"], row["hash_compact_revision"]) for row in rows}) == 1
    assert {len(row["peer_urls"]) for row in rows} == {1}
    # The default, of which etcd says nothing.
    assert {row["db_size_quota"] for row in rows} == {0}
    gone = cluster.follower()
    assert gone.process
    gone.process.kill()
    gone.process.wait(10)
    try:
        result = run_module("etcd_member", options)
    finally:
        gone.start(cluster.initial)
        cluster.wait(gone)
    assert "failed" not in result, result
    assert failed(result) == [f"member {gone.name}"]
    assert judged(result) == [("etcd-member-unhealthy", f"etcd/{gone.name}")]
    assert ["hash" in row for row in result["members"]] == [row["name"] != gone.name for row in result["members"]]


def test_a_healthy_cluster(cluster: Cluster) -> None:
    options = {"state": "healthy", "manifest": str(cluster.members[0].manifest), "interval_s": 0.1}
    result = run_module("etcd_member", {**options, "expected_members": ["cp1", "cp2", "cp3"]})
    assert "failed" not in result, result
    assert not result["changed"]
    assert result["looks"] == 2
    assert [row["name"] for row in result["members"]] == ["cp1", "cp2", "cp3"]
    assert [row["name"] for row in result["members"] if row["leader"]] == [result["leader"]] == [cluster.leader().name]
    fewer = run_module("etcd_member", {**options, "expected_members": ["cp1", "cp2"], "timeout_s": 0.2})
    assert fewer["failed"]
    assert failed(fewer) == ["expected_members"]
    assert "cp3" in fewer["msg"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_a_member_that_is_gone_is_named_in_time_and_waited_for(cluster: Cluster, number: int) -> None:
    gone = cluster.follower()
    here = next(member for member in cluster.members if member is not gone)
    process = gone.process
    assert process
    os.kill(process.pid, number)
    try:
        options = {"state": "healthy", "manifest": str(here.manifest), "interval_s": 0.2}
        waiting = start_module("etcd_member", {**options, "timeout_s": 60})
        begin = time.monotonic()
        result = run_module("etcd_member", {**options, "timeout_s": 2})
        # The timeout, the last look, and room for a busy machine.
        assert time.monotonic() - begin < 15
        assert result["failed"]
        assert f"member {gone.name}" in failed(result)
        assert gone.name in result["msg"]
        assert waiting.poll() is None
    finally:
        restored = utc_now()
        if number == signal.SIGSTOP:
            os.kill(process.pid, signal.SIGCONT)
        else:
            process.wait(10)
            gone.start(cluster.initial)
    cluster.wait(gone)
    back = module_result(waiting)
    assert "failed" not in back, back
    assert restored < back["finished"]


def test_a_member_without_a_quorum_gives_no_snapshot(cluster: Cluster, tmp_path: Path) -> None:
    alone = cluster.follower()
    others = [member for member in cluster.members if member is not alone]
    for member in others:
        assert member.process
        os.kill(member.process.pid, signal.SIGSTOP)
    try:
        result = save(alone, tmp_path)
        assert result["failed"]
        assert "linearizable_read" in failed(result)
        assert list(tmp_path.iterdir()) == []
    finally:
        for member in others:
            assert member.process
            os.kill(member.process.pid, signal.SIGCONT)
        for member in cluster.members:
            cluster.wait(member)


@pytest.mark.parametrize("limit", [100_000, 2_000_000, 4_500_000])
def test_a_stream_that_is_cut_leaves_nothing(cluster: Cluster, tmp_path: Path, limit: int) -> None:
    with Relay(cluster.follower(), limit, cut=True) as relay:
        result = run_module("etcd_snapshot", through(cluster, relay.port, tmp_path))
        assert relay.reached.is_set()
    assert result["failed"]
    assert not result["changed"]
    assert list(tmp_path.iterdir()) == []


def test_a_killed_save_looks_like_none_and_the_next_clears_it_away(cluster: Cluster, tmp_path: Path) -> None:
    member = cluster.follower()
    with Relay(member, 2_000_000, cut=False) as relay:
        killed = start_module("etcd_snapshot", through(cluster, relay.port, tmp_path))
        assert relay.reached.wait(20)
        time.sleep(0.3)
        left = [entry.name for entry in tmp_path.iterdir()]
        assert len(left) == 1
        assert left[0].endswith(".db.part")
        second = save(member, tmp_path)
        assert second["failed"]
        assert "Another save" in second["msg"]
        assert [entry.name for entry in tmp_path.iterdir()] == left
        killed.kill()
        killed.communicate()
    assert [entry.name for entry in tmp_path.iterdir()] == left
    told = save(member, tmp_path, check_mode=True)
    result = save(member, tmp_path)
    assert "failed" not in result, result
    assert result["removed"] == told["removed"] == [str(tmp_path / left[0])]
    assert [str(entry) for entry in tmp_path.iterdir()] == [result["path"]]


def test_the_leader_is_killed_while_a_follower_is_saved(cluster: Cluster, tmp_path: Path) -> None:
    """A follower's stream is of its own database: it goes on, and another member leads when it ends."""
    follower, leader = cluster.follower(), cluster.leader()
    with Relay(follower, 1_000_000, cut=False) as relay:
        saving = start_module("etcd_snapshot", through(cluster, relay.port, tmp_path))
        assert relay.reached.wait(20)
        leader.stop(signal.SIGKILL)
        try:
            relay.go_on.set()
            result = module_result(saving)
        finally:
            leader.start(cluster.initial)
            cluster.wait(leader)
    assert "failed" not in result, result
    assert etcdutl_status(result["path"])["revision"] == result["revision"]
    assert [str(entry) for entry in tmp_path.iterdir()] == [result["path"]]


def test_the_leader_is_killed_while_it_is_saved_itself(cluster: Cluster, tmp_path: Path) -> None:
    leader = cluster.leader()
    other = next(member for member in cluster.members if member is not leader)
    with Relay(leader, 1_000_000, cut=False) as relay:
        saving = start_module("etcd_snapshot", through(cluster, relay.port, tmp_path))
        assert relay.reached.wait(20)
        leader.stop(signal.SIGKILL)
        try:
            relay.go_on.set()
            result = module_result(saving)
            left = list(tmp_path.iterdir())
            # Another member is asked, and gives a good one as soon as the election is over.
            end = time.monotonic() + 30
            while (again := save(other, tmp_path)).get("failed") and time.monotonic() < end:
                assert list(tmp_path.iterdir()) == []
        finally:
            leader.start(cluster.initial)
            cluster.wait(leader)
    assert result["failed"]
    assert left == []
    assert "failed" not in again, again


@pytest.fixture
def small_disk(cluster: Cluster, tmp_path: Path) -> t.Iterator[Path]:
    """A file system with room for the snapshot and 3 MiB more, until somebody else writes."""
    place = tmp_path / "disk"
    place.mkdir()
    # How much of its file the database leaves free goes with the pace at which it was written.
    database = max((member.data / "member/snap/db").stat().st_size for member in cluster.members)
    size = f"size={database + 3 * 2**20}"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "none", str(place)], check=False, capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_fills_up_on_the_way_leaves_nothing(cluster: Cluster, small_disk: Path) -> None:
    with Relay(cluster.follower(), 1_000_000, cut=False) as relay:
        saving = start_module("etcd_snapshot", through(cluster, relay.port, small_disk))
        assert relay.reached.wait(20), module_result(saving)
        time.sleep(0.3)
        with contextlib.suppress(OSError), (small_disk / "other").open("wb") as other:
            while True:
                other.write(b"x" * 65536)
        relay.go_on.set()
        result = module_result(saving)
    assert result["failed"]
    assert "is full" in result["msg"]
    assert [entry.name for entry in small_disk.iterdir()] == ["other"]
    # And now the room is seen to be missing before the first byte.
    before = save(cluster.follower(), small_disk, min_free_mib=0)
    assert failed(before) == ["free_space"]
