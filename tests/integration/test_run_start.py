# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run begins, by the first play of upgrade.yml on a real API server: with its lock, or not at all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from test_failed_worker import START, play_of, replace_roles
from test_plan_playbook import command, run

from ansible_collections.evergreen.kubeadm.plugins.modules import upgrade_lock
from control_plane import remove, task
from harness.cluster import Cluster
from harness.controller import controller
from harness.process import wait_for

Json = dict[str, t.Any]
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/evergreen-kubeadm-upgrade"
PLAN = {"target": "1.35.4", "current": "1.34.4", "hops": [], "findings": [], "nodes": [], "upgrade_needed": True}
INVENTORY = {
    "all": {
        "children": {
            "kube_control_plane": {"hosts": {name: {"ansible_become": False} for name in ("start-a", "start-b")}},
            "kube_node": {"hosts": {}},
        }
    }
}
ROLE = "evergreen.kubeadm.upgrade"
KNOW = START[0]["ansible.builtin.set_fact"]


class Place:
    """The play in a folder of its own, with `plan` in the place of one that was made, and `then` after the start."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        self.artifacts = folder / "artifacts"

    def argv(self, plan: Json, then: list[Json], **variables: t.Any) -> tuple[list[str], dict[str, str]]:
        begin = play_of("upgrade.yml", "Observe, decide, lock")
        know = {"name": "Know what preflight would", "ansible.builtin.set_fact": {**KNOW, "preflight_plan": plan}}
        begin["tasks"] = [*replace_roles(begin["tasks"], {"evergreen.kubeadm.preflight": [know]}), *then]
        site = self.folder / "site.yml"
        site.write_text(json.dumps([begin]))
        (self.folder / "hosts.yml").write_text(json.dumps(INVENTORY))
        argv, env = command(
            site,
            self.folder,
            kubernetes_version="1.35.4",
            upgrade_kubeconfig=str(self.cluster.kubeconfig),
            **{"upgrade_artifacts_dir": str(self.artifacts), "upgrade_probe_api": "false", **variables},
        )
        argv[argv.index("localhost,")] = "hosts.yml"
        return argv, env

    def begin(self, plan: Json | None = None, **variables: t.Any) -> subprocess.CompletedProcess[str]:
        return run(*self.argv(plan or PLAN, [], **variables), self.folder)

    def lock(self) -> Json | None:
        collection = self.cluster.client.list(LEASE.rpartition("/")[0])
        return next((each for each in collection if each["metadata"]["name"] == LEASE.rpartition("/")[2]), None)

    def report(self) -> Json:
        return t.cast("Json", json.loads((self.artifacts / "upgrade-report.json").read_text()))


@pytest.fixture
def place(cluster: Cluster, tmp_path: Path) -> t.Iterator[Place]:
    remove(cluster, LEASE)
    yield Place(cluster, tmp_path)
    remove(cluster, LEASE)


def test_a_journal_that_cannot_be_written_is_seen_before_the_lock_is_taken(place: Place) -> None:
    (place.folder / "taken").write_text("a file")
    done = place.begin(upgrade_artifacts_dir=str(place.folder / "taken" / "artifacts"))
    assert done.returncode != 0
    assert "taken is no folder" in done.stdout
    assert "Take the lock of the cluster" not in done.stdout
    assert place.lock() is None


def test_what_fails_after_the_lock_gives_it_back_and_has_a_report(place: Place) -> None:
    done = place.begin({name: value for name, value in PLAN.items() if name != "findings"})
    assert done.returncode != 0
    assert "TASK [evergreen.kubeadm.upgrade : Take the lock of the cluster]" in done.stdout
    assert place.lock() is None, done.stdout
    assert place.report()["result"] == "failed"
    assert "findings" in place.report()["failure"]["message"]


def test_who_does_not_get_the_lock_leaves_the_run_that_has_it_alone(place: Place) -> None:
    place.artifacts.mkdir()
    journal = place.artifacts / "upgrade-journal.jsonl"
    journal.write_text('{"time": "2026-01-31T12:00:00.000Z", "host": "cp1", "event": "run_started"}\n')
    with controller() as other:
        held = {**place.cluster.params, "state": "held", "holder": "other@here", "controller": other.identity}
        upgrade_lock.settle(task(upgrade_lock.ARGUMENT_SPEC, held))
        before = journal.read_text()
        done = place.begin()
        assert done.returncode != 0
        assert "is held by other@here" in done.stdout
        assert journal.read_text() == before
        assert [each.name for each in place.artifacts.iterdir()] == [journal.name]
        lock = place.lock()
        assert lock is not None
        assert lock["spec"]["holderIdentity"] == "other@here"


def test_a_run_that_has_nothing_to_do_leaves_the_journal_of_the_one_before_alone(place: Place) -> None:
    place.artifacts.mkdir()
    journal = place.artifacts / "upgrade-journal.jsonl"
    journal.write_text('{"time": "2026-01-31T12:00:00.000Z", "host": "start-a", "event": "run_finished"}\n')
    before = journal.read_text()
    fail = {"name": "Fail", "ansible.builtin.fail": {"msg": "the cluster is not well"}}
    end = {
        "name": "Prove the result, or end the run",
        "block": [fail],
        "rescue": [
            {"name": "End the run", "ansible.builtin.import_role": {"name": ROLE, "tasks_from": "failed"}},
        ],
    }
    argv, env = place.argv({**PLAN, "upgrade_needed": False}, [end])
    done = run(argv, env, place.folder)
    assert done.returncode != 0
    assert "the cluster is not well" in done.stdout
    assert journal.read_text() == before
    assert not (place.artifacts / "upgrade-report.json").exists()
    assert "...ignoring" not in done.stdout


def test_the_lock_is_kept_while_the_run_waits_and_free_soon_after_it_was_killed(place: Place) -> None:
    """Seen from another machine, where nobody can see that its process is gone."""
    wait = {"name": "Wait", "ansible.builtin.command": "sleep 300", "delegate_to": "localhost", "run_once": True}
    seconds = 15  # a busy machine needs more than 6 to begin to renew
    argv, env = place.argv(PLAN, [wait], upgrade_lease_seconds=seconds)
    with subprocess.Popen(
        argv, env=env, cwd=place.folder, stdout=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            wait_for("the run has the lock", lambda: place.lock() is not None, 120)
            began = t.cast("Json", place.lock())["spec"]["acquireTime"]
            time.sleep(seconds + 3)
            assert process.poll() is None
            lock = place.lock()
            assert lock is not None
            assert lock["spec"]["acquireTime"] == began
            assert lock["spec"]["renewTime"] > began
            assert not can_take(place), "its time is not over"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    wait_for("its time is over", lambda: can_take(place), 2 * seconds)
    taken = place.lock()
    assert taken is not None
    assert taken["spec"]["holderIdentity"] == "next@elsewhere"


def can_take(place: Place) -> bool:
    """As one on another machine would: the Lease names a process that is not to be seen there."""
    lock = place.lock()
    assert lock is not None
    notes = lock["metadata"].get("annotations") or {}
    about = json.loads(notes["evergreen.kubeadm/controller"])
    place.cluster.client.patch(
        LEASE,
        {"metadata": {"annotations": {"evergreen.kubeadm/controller": json.dumps({**about, "host": "elsewhere"})}}},
    )
    ask = {**place.cluster.params, "state": "held", "holder": "next@elsewhere"}
    try:
        upgrade_lock.settle(task(upgrade_lock.ARGUMENT_SPEC, ask))
    except upgrade_lock.EvergreenError:
        return False
    return True
