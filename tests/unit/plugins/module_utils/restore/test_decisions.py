# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a backup can be restored on the nodes, and what stands in the way."""

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._restore import decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._restore.decisions import Options
from ansible_collections.evergreen.kubeadm.plugins.module_utils._restore.model import Backup, NodeSeen, Note

SHA = "0123456789abcdef" * 4
NOW = "2026-01-31T12:00:00.123Z"
OLD = "restore-20260130T000000000Z"
MIB = 1 << 20


def backup(**more: t.Any) -> Backup:
    found = Backup(
        path="/srv/etcd-cp3-20260131T110000000Z.db",
        files=[],
        sha256=SHA,
        plain_sha256=SHA,
        plain_size=100 * MIB,
        revision=1000,
        keys=300,
        etcd_version="3.6.0",
        storage_version="3.6.0",
        has_archive=True,
        taken="2026-01-31T11:00:00Z",
        node="cp3",
        members=["cp1", "cp2", "cp3"],
        kubernetes_version="1.34.4",
        shared_files=[],
    )
    found.update(more)  # type: ignore[typeddict-item]
    return found


def node(number: int, **more: t.Any) -> NodeSeen:
    found = NodeSeen(
        host=f"host{number}",
        member=f"cp{number}",
        problem="",
        peer_urls=[f"https://10.0.0.{number}:2380"],
        data_dir="/var/lib/etcd",
        wal_dir="",
        etcd_version="3.6.5",
        kubernetes_version="1.34.4",
        etcdutl={"path": "/usr/bin/etcdutl", "version": "3.6.5", "source": "the host", "can_bump": True},
        etcdutl_problem="",
        free_bytes=10_000 * MIB,
        data_bytes=200 * MIB,
        files=[{"path": "/etc/kubernetes/pki/ca.crt", "state": "same"}],
        missing_pods=[],
        kubelet_runs=True,
        live_members=["cp1", "cp2", "cp3"],
        note={},
    )
    found.update(copy.deepcopy(more))  # type: ignore[typeddict-item]
    return found


def note(step: str, token: str = OLD, **more: t.Any) -> Note:
    found = Note(
        token=token,
        sha256=SHA,
        snapshot="etcd-cp3-20260131T110000000Z.db",
        initial_cluster="cp1=https://10.0.0.1:2380,cp2=https://10.0.0.2:2380,cp3=https://10.0.0.3:2380",
        step=step,
        started="2026-01-30T00:00:00Z",
        updated="2026-01-30T00:00:00Z",
        aside="",
        expected_revision=1_000_001_000,
        keys=300,
    )
    found.update(more)  # type: ignore[typeddict-item]
    return found


def three(**more: t.Any) -> list[NodeSeen]:
    """Three nodes, the second of which is as `more` says."""
    return [node(1), node(2, **more), node(3)]


def found_by(plan: t.Any, severity: str = "blocker") -> list[tuple[str, str]]:
    return [(found["id"], found["subject"]) for found in plan["findings"] if found["severity"] == severity]


def test_a_restore_from_the_beginning() -> None:
    plan = decisions.plan(backup(), three(), Options(), NOW)
    assert plan["token"] == "restore-20260131T120000123Z"
    assert plan["confirmation"] == SHA[:12]
    assert plan["initial_cluster"] == note("")["initial_cluster"]
    assert plan["members"] == ["cp1", "cp2", "cp3"]
    assert plan["bump_revision"] == 1_000_000_000
    assert plan["steps"] == {"host1": "", "host2": "", "host3": ""}
    assert (plan["resumed"], plan["stop"], plan["blockers"], plan["refusal"]) == (False, True, 0, "")
    assert found_by(plan) == []
    assert found_by(plan, "warning") == []
    assert found_by(plan, "note") == [("data-loss", backup()["path"])]
    assert "revision 1000, 300 keys, 100.0 MiB, taken 2026-01-31T11:00:00Z on cp3" in plan["summary"][0]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param({"problem": "There is no manifest of etcd."}, "no-etcd", id="no etcd here"),
        pytest.param({"wal_dir": "/wal"}, "separate-wal", id="a write-ahead log elsewhere"),
        pytest.param({"etcdutl": None, "etcdutl_problem": "There is none."}, "no-etcdutl", id="no etcdutl"),
        pytest.param(
            {"etcdutl": {"path": "x", "version": "3.5.21", "source": "", "can_bump": True}}, "etcdutl-too-old", id="old"
        ),
        pytest.param(
            {"etcdutl": {"path": "x", "version": "3.6.5", "source": "", "can_bump": False}},
            "no-revision-bump",
            id="it cannot bump",
        ),
        pytest.param({"free_bytes": (300 + 256) * MIB - 1}, "no-space", id="a byte too little"),
        pytest.param({"etcd_version": "3.5.21"}, "etcd-too-old", id="etcd is older than the storage"),
        pytest.param({"etcd_version": "3.8.0"}, "etcd-skips-a-minor", id="etcd is two minors newer"),
        pytest.param(
            {"files": [{"path": "/etc/kubernetes/pki/sa.pub", "state": "differs"}]}, "files-differ", id="another key"
        ),
        pytest.param(
            {"files": [{"path": "/etc/kubernetes/pki/sa.pub", "state": "missing"}]}, "files-differ", id="no key"
        ),
        pytest.param({"kubernetes_version": "1.33.9"}, "kubernetes-too-old", id="an older API server"),
        pytest.param({"missing_pods": ["kube-scheduler"]}, "pod-missing", id="a static pod is missing"),
        pytest.param({"kubelet_runs": False}, "kubelet-down", id="no kubelet"),
    ],
)
def test_what_blocks_on_a_node(seen: dict[str, t.Any], expected: str) -> None:
    plan = decisions.plan(backup(), three(**seen), Options(), NOW)
    assert (expected, "host2") in found_by(plan)
    # A node without etcd has no member either, which the others' member lists show.
    assert {id for id, _subject in found_by(plan)} - {expected} <= {"member-outside-inventory"}
    assert plan["blockers"] == len(found_by(plan))
    assert f"{expected} (host2): " in plan["refusal"]
    line = next(line for line in plan["summary"] if line.startswith(f"blocker {expected} (host2)"))
    assert len(line) > 60


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param({"free_bytes": (300 + 256) * MIB}, id="just enough room"),
        pytest.param({"free_bytes": 0, "note": note("prepared")}, id="no room, but nothing more to write"),
        pytest.param({"etcd_version": "3.7.0"}, id="etcd is one minor newer"),
        pytest.param({"etcd_version": ""}, id="etcd by digest"),
        pytest.param({"kubernetes_version": ""}, id="an API server by digest"),
        pytest.param({"live_members": []}, id="etcd does not answer"),
    ],
)
def test_what_does_not_block(seen: dict[str, t.Any]) -> None:
    assert found_by(decisions.plan(backup(), three(**seen), Options(), NOW)) == []


@pytest.mark.parametrize(
    ("options", "about", "seen", "finding"),
    [
        pytest.param(
            Options(without_revision_bump=True),
            {},
            {"etcdutl": {"path": "x", "version": "3.6.5", "source": "", "can_bump": False}},
            "no-revision-bump",
            id="no bump",
        ),
        pytest.param(Options(without_node_files=True), {"has_archive": False}, {}, "no-node-files", id="no archive"),
        pytest.param(
            Options(gone_members=("cp4",)), {}, {"live_members": ["cp1", "cp4"]}, "member-outside-inventory", id="gone"
        ),
    ],
)
def test_what_can_be_accepted(options: Options, about: dict[str, t.Any], seen: dict[str, t.Any], finding: str) -> None:
    without = decisions.plan(backup(**about), three(**seen), Options(), NOW)
    assert [id for id, _subject in found_by(without)] == [finding]
    accepted = decisions.plan(backup(**about), three(**seen), options, NOW)
    assert accepted["blockers"] == 0


def test_without_the_bump_the_plan_says_so() -> None:
    plan = decisions.plan(backup(), three(), Options(without_revision_bump=True), NOW)
    assert plan["bump_revision"] == 0
    assert any("NOT raised" in line for line in plan["summary"])


def test_members() -> None:
    plan = decisions.plan(backup(), three(live_members=["cp1", "cp9"]), Options(), NOW)
    assert found_by(plan) == [("member-outside-inventory", "cp9")]
    plan = decisions.plan(backup(), [node(1), node(1), node(3)], Options(), NOW)
    assert ("member-twice", "host1, host1") in found_by(plan)
    plan = decisions.plan(backup(members=["cp1", "cp2", "old"]), three(), Options(), NOW)
    assert [id for id, _subject in found_by(plan, "warning")] == ["members-differ"]


def test_a_newer_cluster_is_warned_of() -> None:
    plan = decisions.plan(backup(), three(kubernetes_version="1.35.4"), Options(), NOW)
    assert found_by(plan, "warning") == [("kubernetes-newer", "host2")]


@pytest.mark.parametrize(
    ("notes", "stop", "steps"),
    [
        pytest.param(["prepared", "", ""], True, ["prepared", "", ""], id="cut while preparing"),
        pytest.param(["prepared"] * 3, True, ["prepared"] * 3, id="prepared"),
        pytest.param(["swapped", "prepared", "prepared"], True, ["swapped", "prepared", "prepared"], id="in the swap"),
        pytest.param(["proven", "proven", "swapped"], True, ["proven", "proven", "swapped"], id="while proving"),
        pytest.param(["proven"] * 3, False, ["proven"] * 3, id="proven: nothing is stopped again"),
        pytest.param(["finished", "proven", "proven"], False, ["finished", "proven", "proven"], id="while finishing"),
    ],
)
def test_an_unfinished_restore_is_gone_on_with(notes: list[str], stop: bool, steps: list[str]) -> None:
    nodes = [node(number, note=note(step) if step else {}) for number, step in enumerate(notes, 1)]
    plan = decisions.plan(backup(), nodes, Options(), NOW)
    assert (plan["token"], plan["resumed"], plan["stop"]) == (OLD, True, stop)
    assert list(plan["steps"].values()) == steps
    assert plan["blockers"] == 0


def test_a_finished_restore_is_not_gone_on_with() -> None:
    nodes = [node(number, note=note("finished")) for number in (1, 2, 3)]
    plan = decisions.plan(backup(), nodes, Options(), NOW)
    assert (plan["token"], plan["resumed"], plan["stop"]) == ("restore-20260131T120000123Z", False, True)
    assert set(plan["steps"].values()) == {""}


def test_of_two_unfinished_restores_the_newer_counts() -> None:
    newer = note("prepared", "restore-20260130T010000000Z", started="2026-01-30T01:00:00Z")
    nodes = [node(1, note=note("swapped")), node(2, note=newer), node(3)]
    plan = decisions.plan(backup(), nodes, Options(), NOW)
    assert plan["token"] == newer["token"]
    assert plan["steps"] == {"host1": "", "host2": "prepared", "host3": ""}


def test_another_snapshot_has_to_wait() -> None:
    plan = decisions.plan(backup(plain_sha256="f" * 64), three(note=note("swapped")), Options(), NOW)
    assert found_by(plan) == [("other-restore-unfinished", OLD)]


def test_other_members_have_to_wait() -> None:
    nodes = [node(1, note=note("swapped"), live_members=[]), node(2, live_members=[])]
    plan = decisions.plan(backup(), nodes, Options(), NOW)
    assert found_by(plan) == [("members-changed-since", OLD)]
