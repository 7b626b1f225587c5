# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known to make upgrades of etcd fail, done to real members of control-plane nodes, and found.

etcd_member looks at the members, skew_check gets what it saw and a real API
server that shows the control-plane nodes. A member that does not answer is in
test_etcd.py.
"""

from __future__ import annotations

import subprocess
import typing as t
from contextlib import contextmanager
from pathlib import Path

import pytest

from control_plane import control_plane
from etcd_cluster import Cluster as Etcd
from etcd_cluster import Member, run_module
from harness.cluster import Cluster
from harness.process import free_ports, wait_for
from skew_place import check

NAMES = ("members-1", "members-2", "members-3")
OTHER = "members-4"
Found = dict[tuple[str, str], str]


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Etcd]:
    with Etcd(tmp_path_factory.mktemp("members"), NAMES) as made:
        made.start()
        yield made


@contextmanager
def nodes(cluster: Cluster, *names: str) -> t.Iterator[None]:
    """Control-plane nodes with addresses that are not those of the members, which all have the same one."""
    with control_plane(cluster, dict.fromkeys(names, ("v1.34.4", f"127.0.0.1:{cluster.port}"))):
        for number, name in enumerate(names, 11):
            addresses = [{"type": "InternalIP", "address": f"192.0.2.{number}"}]
            cluster.client.patch(f"/api/v1/nodes/{name}/status", {"status": {"addresses": addresses}})
        yield


def found(cluster: Cluster, *members: Member) -> Found:
    """Severities of the findings about etcd, from what each of `members` sees."""
    looks = [run_module("etcd_member", {"state": "observed", "manifest": str(each.manifest)}) for each in members]
    marks = check(cluster, etcd_members=looks).findings
    return {mark: entry["severity"] for mark, entry in marks.items() if mark[0].startswith("etcd-")}


@contextmanager
def added(etcd: Etcd, *options: str) -> t.Iterator[str]:
    """One member more, which has not started: the peer address that it is to have."""
    url = f"https://127.0.0.1:{free_ports(1)[0]}"
    said: list[str] = []

    def taken() -> bool:
        """etcd takes no member before the others have been connected for a while."""
        try:
            said.append(etcd.etcdctl(etcd.members[0], "member", "add", OTHER, f"--peer-urls={url}", *options))
        except subprocess.CalledProcessError as error:
            if "unhealthy cluster" not in error.stderr:
                raise
        return bool(said)

    wait_for("etcd takes a member", taken)
    try:
        yield url
    finally:
        etcd.etcdctl(etcd.members[0], "member", "remove", said[0].split()[1])


def test_members_that_are_the_control_plane_nodes(cluster: Cluster, etcd: Etcd) -> None:
    with nodes(cluster, *NAMES):
        assert found(cluster, *etcd.members) == {}


def test_a_member_that_never_started(cluster: Cluster, etcd: Etcd) -> None:
    with nodes(cluster, *NAMES), added(etcd):
        marks = found(cluster, *etcd.members)
    assert {id: severity for (id, _subject), severity in marks.items()} == {
        "etcd-member-unstarted": "blocker",
        "etcd-member-unknown": "blocker",
        "etcd-member-count": "note",
    }


def test_a_learner_that_nobody_promoted(cluster: Cluster, etcd: Etcd, tmp_path: Path) -> None:
    subject = f"etcd/{OTHER}"
    with nodes(cluster, *NAMES, OTHER), added(etcd, "--learner") as url:
        port = int(url.rpartition(":")[2])
        extra = ["--initial-cluster-state=existing"]
        learner = Member(OTHER, tmp_path / OTHER, etcd.pki, free_ports(1)[0], port, extra)
        try:
            learner.start(f"{etcd.initial},{OTHER}={url}")
            wait_for("the learner follows", lambda: ("etcd-learner", subject) in found(cluster, etcd.members[0]), 240)
            marks = found(cluster, *etcd.members)
        finally:
            learner.stop()
    # It refuses what only a voting member answers, which is said of it in no other words.
    assert marks == {("etcd-learner", subject): "blocker"}


def test_a_node_whose_member_was_removed(cluster: Cluster, etcd: Etcd) -> None:
    with nodes(cluster, *NAMES, OTHER):
        assert found(cluster, *etcd.members) == {("etcd-member-missing", f"node/{OTHER}"): "blocker"}


def test_a_member_whose_node_is_gone(cluster: Cluster, etcd: Etcd) -> None:
    """The node was deleted and not reset, or a member that was removed came back to life."""
    kept, gone = etcd.members[:2], etcd.members[2]
    with nodes(cluster, *NAMES[:2]):
        assert found(cluster, *kept) == {("etcd-member-unknown", f"etcd/{gone.name}"): "warning"}
        gone.stop()
        try:
            dead = found(cluster, *kept)
        finally:
            gone.start(etcd.initial)
            etcd.wait(gone)
    assert dead == {
        ("etcd-member-unknown", f"etcd/{gone.name}"): "blocker",
        ("etcd-member-unhealthy", f"etcd/{gone.name}"): "blocker",
    }


def test_a_member_without_space(cluster: Cluster, tmp_path: Path) -> None:
    alone = ("etcd-member-count", "etcd")
    etcd = Etcd(tmp_path / "small", NAMES[:1], [f"--quota-backend-bytes={4 * 2**20}"])
    (only,) = etcd.members
    try:
        etcd.start()
        with nodes(cluster, NAMES[0]):
            assert found(cluster, only) == {alone: "note"}
            # One write is small beside the quota, so that the one that is refused finds it nearly full.
            with pytest.raises(RuntimeError, match="space exceeded"):
                etcd.put(only, 0, 10_000, 1000)
            marks = found(cluster, only)
    finally:
        etcd.stop()
    assert marks == {
        alone: "note",
        ("etcd-alarm", f"etcd/{NAMES[0]}"): "blocker",
        ("etcd-nearly-full", f"etcd/{NAMES[0]}"): "warning",
    }
