# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real controller manager that leads, is held, waits, and leads again."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.modules import controller_manager_hold
from control_plane import COMPONENTS, PODS, remove, show, static_pod, task
from harness.cluster import Cluster
from harness.objects import node
from harness.process import Process, free_ports, wait_for

KCM = COMPONENTS[1]
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/{KCM}"
ELECTION = (
    "--leader-elect=true",
    "--leader-elect-lease-duration=6s",
    "--leader-elect-renew-deadline=4s",
    "--leader-elect-retry-period=1s",
)


@pytest.fixture
def manager(cluster: Cluster, unique: str, tmp_path: Path) -> t.Iterator[Process]:
    """A second controller manager with little to do, and the mirror pod that says how it runs."""
    process = Process(
        [
            cluster.bin / KCM,
            *(f"--kubeconfig={cluster.kubeconfig}", "--bind-address=127.0.0.1", "--controllers=ttl-controller"),
            *(f"--secure-port={free_ports(1)[0]}", f"--cert-dir={tmp_path}", *ELECTION),
        ],
        tmp_path / "manager.log",
    )
    cluster.apply(node(unique))
    show(cluster, static_pod(KCM, unique, "v1.34.4", flags=ELECTION))
    try:
        process.start()
        wait_for("the controller manager leads", lambda: leads(cluster))
        yield process
    finally:
        process.stop(kill=True)
        for path in (LEASE, f"{PODS}/{KCM}-{unique}", f"/api/v1/nodes/{unique}"):
            remove(cluster, path)


def lease(cluster: Cluster) -> dict[str, t.Any]:
    try:
        return t.cast("dict[str, t.Any]", cluster.client.get(LEASE)["spec"])
    except EvergreenError:
        return {}


def leads(cluster: Cluster) -> bool:
    holder = lease(cluster).get("holderIdentity") or ""
    return bool(holder) and not holder.startswith("evergreen-kubeadm/")


def hold(cluster: Cluster, state: str, *, check_mode: bool = False, **options: t.Any) -> dict[str, t.Any]:
    params = {**cluster.params, "state": state, "holder": "run1", "timeout_s": 60, **options}
    return controller_manager_hold.bring_about(
        task(controller_manager_hold.ARGUMENT_SPEC, params, check_mode=check_mode)
    )


def test_held_and_released_in_four_steps_each(cluster: Cluster, manager: Process) -> None:
    leader = lease(cluster)["holderIdentity"]

    predicted = hold(cluster, "held", check_mode=True)
    assert (predicted["changed"], predicted["before"], predicted["after"]) == (True, leader, "evergreen-kubeadm/run1")
    assert lease(cluster)["holderIdentity"] == leader
    held = hold(cluster, "held")
    assert (held["changed"], held["before"]) == (True, leader)
    # The leader of before has stopped when the task returns, its kubelet would start it again.
    assert not manager.running()
    assert not hold(cluster, "held", check_mode=True)["changed"]
    moment = lease(cluster)["renewTime"]
    assert not hold(cluster, "held")["changed"]
    assert lease(cluster)["renewTime"] != moment

    manager.start()
    wait_for("it waits", lambda: manager.log.read_text().lower().count("attempting to acquire leader lease") == 2)
    with pytest.raises(TimeoutError):
        wait_for("it leads, which it must not", lambda: leads(cluster), 5.0)
    assert manager.running()

    assert hold(cluster, "released", check_mode=True)["changed"]
    assert lease(cluster)["holderIdentity"] == "evergreen-kubeadm/run1"
    released = hold(cluster, "released")
    assert released["changed"]
    assert released["after"] == lease(cluster)["holderIdentity"]
    assert leads(cluster)
    assert not hold(cluster, "released", check_mode=True)["changed"]
    assert not hold(cluster, "released")["changed"]


def test_a_hold_that_nobody_gives_back_ends_by_itself(cluster: Cluster, manager: Process) -> None:
    hold(cluster, "held", hold_s=12)
    manager.start()
    wait_for("it leads again", lambda: leads(cluster), 40.0)


def test_another_run_gives_back_what_a_killed_one_held(cluster: Cluster, manager: Process) -> None:
    hold(cluster, "held")
    taken = hold(cluster, "held", holder="run2")
    assert (taken["changed"], taken["before"]) == (True, "evergreen-kubeadm/run1")
    manager.start()
    assert hold(cluster, "released", holder=None)["changed"]
    assert leads(cluster)


def test_where_nobody_comes_back_it_is_said(cluster: Cluster, manager: Process) -> None:
    hold(cluster, "held")
    with pytest.raises(EvergreenError, match="took the lead within 3 s"):
        hold(cluster, "released", timeout_s=3)


def test_managers_that_do_not_elect_a_leader_are_not_held(cluster: Cluster, unique: str) -> None:
    cluster.apply(node(unique))
    show(cluster, static_pod(KCM, unique, "v1.34.4", flags=("--leader-elect=false",)))
    try:
        for check_mode in (True, False):
            with pytest.raises(EvergreenError, match="leader-elect=false"):
                hold(cluster, "held", check_mode=check_mode)
        assert not hold(cluster, "released")["changed"]
    finally:
        for path in (f"{PODS}/{KCM}-{unique}", f"/api/v1/nodes/{unique}"):
            remove(cluster, path)
