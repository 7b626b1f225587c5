# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans and the role preflight right after a run that was cut off, by ansible-playbook on a real API server."""

from __future__ import annotations

import json
import subprocess
import time
import typing as t
from contextlib import contextmanager
from pathlib import Path

import pytest
from test_plan_playbook import command, run

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue.all import ENTRIES
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import NO_PLAN
from ansible_collections.evergreen.kubeadm.plugins.modules import rollback_plan, upgrade_lock
from control_plane import remove, show, static_pod, task
from harness.cluster import Cluster
from harness.controller import controller
from harness.process import wait_for
from skew_place import check, upgradable

PLANE, WORKER, RUN = "settle-plane", "settle-worker", "20260131T120000Z-4f1c"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/evergreen-kubeadm-upgrade"
SCHEDULER = ("static-pod-not-ready", f"pod/kube-system/kube-scheduler-{PLANE}")
SAYS_SO = "Say why it is looked at again"
STOPS = "Stop where something stands in the way"


@pytest.fixture(scope="module")
def planned(cluster: Cluster) -> t.Iterator[Cluster]:
    with upgradable(cluster, PLANE, WORKER, {}):
        yield cluster


@pytest.fixture
def restarting(planned: Cluster) -> t.Iterator[Cluster]:
    """The scheduler of the control-plane node is not ready."""
    show(planned, scheduler(ready=False))
    yield planned
    show(planned, scheduler())


def scheduler(*, ready: bool = True) -> dict[str, t.Any]:
    return static_pod("kube-scheduler", PLANE, "v1.34.4", ready=ready)


@contextmanager
def locked(cluster: Cluster, *, dead: bool, lease_seconds: int = 3600) -> t.Iterator[None]:
    """The lock of a run, whose process is gone where it is `dead`."""
    with controller() as process:
        options = {"holder": f"{RUN}@ops", "lease_seconds": lease_seconds, "controller": process.identity}
        upgrade_lock.settle(task(upgrade_lock.ARGUMENT_SPEC, {**cluster.params, **options}))
        try:
            if dead:
                process.kill()
                process.process.wait()
            yield
        finally:
            remove(cluster, LEASE)


def preflight(cluster: Cluster, place: Path, **variables: t.Any) -> tuple[list[str], dict[str, str]]:
    """The command that runs the role on this host, with the API alone unless told otherwise."""
    role = {"ansible.builtin.import_role": {"name": "evergreen.kubeadm.preflight"}}
    api = {"group/evergreen.kubeadm.api": {"kubeconfig": str(cluster.kubeconfig)}}
    gone_on = {"name": "Go on", "ansible.builtin.debug": {"msg": "It goes on."}}
    play = {"hosts": "localhost", "gather_facts": False, "module_defaults": api, "tasks": [role, gone_on]}
    playbook = place / "preflight.yml"
    playbook.write_text(json.dumps([{"name": "Preflight", **play}]))
    return command(playbook, place, **{"kubernetes_version": "1.35.4", "preflight_read_nodes": False, **variables})


def looks(said: str) -> int:
    """How many times it was looked at nodes and cluster."""
    return said.count("preflight : Plan the upgrade]")


def in_time(cluster: Cluster, place: Path, heal: t.Callable[[], None], **variables: t.Any) -> tuple[int, str]:
    """Run it, and let `heal` be done when it has said that it waits; the exit code and what was said."""
    argv, env = preflight(cluster, place, **variables)
    log = place / "said"
    with log.open("w") as file, subprocess.Popen(argv, env=env, cwd=place, stdout=file, stderr=file) as process:
        try:
            wait_for("it says why it waits", lambda: SAYS_SO in log.read_text() or process.poll() is not None, 240)
            heal()
            process.wait(90)
        finally:
            process.kill()
    return process.returncode, log.read_text()


def test_it_looks_again_and_goes_on_when_the_blocker_is_gone(restarting: Cluster, tmp_path: Path) -> None:
    with locked(restarting, dead=True):
        code, said = in_time(restarting, tmp_path, lambda: show(restarting, scheduler()))
    assert code == 0, said
    assert looks(said) >= 2
    assert f"Run {RUN} was cut off" in said
    assert "is of a process that is gone" in said
    assert f"{SCHEDULER[0]} ({SCHEDULER[1]})" in said
    assert "It goes on." in said


def test_without_a_lock_it_is_refused_at_once(restarting: Cluster, tmp_path: Path) -> None:
    done = run(*preflight(restarting, tmp_path), tmp_path)
    assert done.returncode == 2, done.stdout
    assert looks(done.stdout) == 1
    assert f"1 blocker found, nothing was changed: {SCHEDULER[0]} ({SCHEDULER[1]}): " in one_line(done.stdout)
    assert "It goes on." not in done.stdout


def test_the_lock_of_a_living_run_is_no_reason_to_wait(restarting: Cluster, tmp_path: Path) -> None:
    with locked(restarting, dead=False):
        done = run(*preflight(restarting, tmp_path), tmp_path)
    assert (done.returncode, looks(done.stdout)) == (2, 1), done.stdout


def test_one_blocker_that_does_not_pass_is_refused_at_once(restarting: Cluster, tmp_path: Path) -> None:
    with locked(restarting, dead=True):
        argv = preflight(restarting, tmp_path, kubernetes_version="1.36.0", preflight_available_versions=["1.36.0"])
        done = run(*argv, tmp_path)
    assert (done.returncode, looks(done.stdout)) == (2, 1), done.stdout
    assert "intermediate-version-unknown" in done.stdout
    assert SCHEDULER[1] in done.stdout


def test_it_stops_when_the_time_is_over(restarting: Cluster, tmp_path: Path) -> None:
    began = time.monotonic()
    with locked(restarting, dead=True):
        done = run(*preflight(restarting, tmp_path, preflight_settle_s=4), tmp_path)
    assert done.returncode == 2, done.stdout
    assert looks(done.stdout) == 2
    assert f"1 blocker found, nothing was changed: {SCHEDULER[0]}" in one_line(done.stdout)
    assert time.monotonic() - began < 60


def test_a_plan_that_stops_nothing_does_not_wait(restarting: Cluster, tmp_path: Path) -> None:
    with locked(restarting, dead=True):
        done = run(*preflight(restarting, tmp_path, preflight_stop=False), tmp_path)
    assert (done.returncode, looks(done.stdout)) == (0, 1), done.stdout


def test_an_expired_lock_is_judged_by_the_clock_of_the_cluster(restarting: Cluster) -> None:
    with locked(restarting, dead=True, lease_seconds=1), controller() as other:
        stored = restarting.client.get(LEASE)
        # As from another machine, where nothing is seen of its process.
        identity = json.dumps({**other.identity, "host": "elsewhere"}, sort_keys=True)
        restarting.client.patch(LEASE, {"metadata": {"annotations": {"evergreen.kubeadm/controller": identity}}})

        def expired() -> t.Any:
            return check(restarting, settle_s=60).result["settling"]

        # API servers renew their own Leases every ten seconds.
        wait_for("the lock is seen to have expired", lambda: expired() is not None, 30)
        made = expired()
        assert "has expired" in made["why"]
        assert made["since"] == stored["spec"]["acquireTime"]
        assert check(restarting, settle_s=60, settle_until=made["until"] - 100).result["settling"] is None
        assert check(restarting).result["settling"] is None


def test_a_run_that_was_cut_off_when_all_was_done_leaves_something_to_do(planned: Cluster) -> None:
    """All that is left is its lock: no node is below the target."""

    def at_the_target() -> tuple[t.Any, ...]:
        result = check(planned, "1.34.4").result
        cut_off = result["cut_off"] or {}
        return result["hops"], result["upgrade_needed"], cut_off.get("run_id"), cut_off.get("reason")

    assert at_the_target() == ([], False, None, None)
    with locked(planned, dead=False):
        assert at_the_target() == ([], False, None, None)
        back = plan_back(planned)
        assert back["cut_off"] is None
    with locked(planned, dead=True):
        assert at_the_target() == ([], True, RUN, "controller_gone")
        back = plan_back(planned)
        assert (back["needed"], back["control_plane"], back["cut_off"]["run_id"]) == (True, [], RUN)


def plan_back(cluster: Cluster) -> dict[str, t.Any]:
    options = {**cluster.params, "kubernetes_version": "1.34.4"}
    return rollback_plan.plan(task(rollback_plan.ARGUMENT_SPEC, options))


def test_the_nodes_are_read_at_each_look(restarting: Cluster, tmp_path: Path) -> None:
    """This machine in place of a node; what else is wrong with it does not count."""
    ids = [entry.id for entry in ENTRIES if BLOCKER in entry.severities and not entry.passes]
    accepted = [{"id": id, "reason": "it is no node of this cluster"} for id in ids if id not in NO_PLAN]
    alone = {"preflight_read_nodes": True, "preflight_ask_repositories": False, "preflight_ask_programs": False}
    with locked(restarting, dead=True):
        code, said = in_time(
            restarting,
            tmp_path,
            lambda: show(restarting, scheduler()),
            preflight_accepted_findings=accepted,
            **alone,
        )
    assert code == 0, said
    assert said.count("preflight : Read the node]") == looks(said) >= 2


def one_line(said: str) -> str:
    """The display of Ansible breaks long texts into lines."""
    return " ".join(said.split())
