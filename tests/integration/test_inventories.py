# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventories as they are, with the real playbooks: who has no hosts says so, and patterns of hosts work to the end."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from test_failed_worker import START, play_of
from test_plan_playbook import command, run

from control_plane import control_plane, remove
from harness.cluster import Cluster
from harness.objects import node
from harness.process import wait_for

ROOT = Path(__file__).resolve().parents[2]
OLD_GROUPS = "[kube-master]\ncp1\ncp2\n[etcd]\ncp1\n[kube-node]\nw1\n"
NEW_GROUPS = "[kube_control_plane]\ncp1\n[kube_node]\nw1\n[other]\nx1\n"
PLAYBOOKS = ("backup", "backup_timer", "plan", "restore", "restore_rehearsal", "rollback", "upgrade")


def play(playbook: Path, place: Path, inventory: str, *words: str, **variables: t.Any) -> tuple[int, str]:
    """Return code and output of a playbook with an inventory of its own."""
    (place / "hosts.ini").write_text(inventory)
    argv, env = command(playbook, place, *words, **variables)
    argv[argv.index("localhost,")] = "hosts.ini"
    done = run(argv, env, place)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_an_inventory_without_a_control_plane_is_a_failure(tmp_path: Path, name: str) -> None:
    code, said = play(ROOT / f"playbooks/{name}.yml", tmp_path, OLD_GROUPS, kubernetes_version="1.35.4")
    assert code == 2, said
    plain = " ".join(said.split())
    assert "No host of the inventory is in kube_control_plane, so nothing would be done." in plain
    assert "The inventory has the groups etcd, kube-master, kube-node." in plain
    assert "-e upgrade_control_plane=GROUP" in plain


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_a_limit_that_leaves_no_host_is_a_failure(tmp_path: Path, name: str) -> None:
    code, said = play(ROOT / f"playbooks/{name}.yml", tmp_path, NEW_GROUPS, "--limit", "x1")
    assert code == 2, said
    assert "by --limit x1, so nothing would be done" in " ".join(said.split())


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_an_empty_inventory_is_a_failure(tmp_path: Path, name: str) -> None:
    code, said = play(ROOT / f"playbooks/{name}.yml", tmp_path, "")
    assert code == 2, said
    assert "The inventory has the groups none." in " ".join(said.split())


def test_workers_that_are_named_and_not_there_are_a_failure(tmp_path: Path) -> None:
    code, said = play(ROOT / "playbooks/upgrade.yml", tmp_path, NEW_GROUPS, upgrade_workers="pool-b")
    assert code == 2, said
    assert "No host of the inventory is in upgrade_workers, pool-b." in " ".join(said.split())


PLANE, WORKER, REFLECTOR = "inventory-plane", "inventory-worker", "inventory-reflector"
# A node of the cluster that no inventory here has.
FORGOTTEN = "inventory-forgotten"
WORKERS = (WORKER, REFLECTOR, FORGOTTEN)
TARGET = "1.34.4"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
LOCK = "evergreen-kubeadm-upgrade"


@pytest.fixture(scope="module")
def upgraded(cluster: Cluster) -> t.Iterator[Cluster]:
    """A control plane and two workers that are at the target, and one worker that is not."""
    with control_plane(cluster, {PLANE: (f"v{TARGET}", f"127.0.0.1:{cluster.port}")}):
        cluster.apply(node(WORKER), node(REFLECTOR), node(FORGOTTEN, kubelet_version="v1.33.0"))
        wait_for("the workers are ready", lambda: all(_ready(cluster, name) for name in WORKERS), 240)
        yield cluster
    for name in WORKERS:
        remove(cluster, f"/api/v1/nodes/{name}")


def _ready(cluster: Cluster, name: str) -> bool:
    conditions = cluster.client.get(f"/api/v1/nodes/{name}").get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def end_of_a_run(place: Path) -> Path:
    """The first and the last play of the upgrade. What a machine of kubeadm's would show is set."""
    seen = {"preflight_node": {"info": {"node_name": "{{ inventory_hostname }}", "role": "{{ role_seen }}"}}}
    know = {**START[0], "ansible.builtin.set_fact": {**START[0]["ansible.builtin.set_fact"], **seen}}
    know["ansible.builtin.set_fact"]["preflight_plan"] = {
        **know["ansible.builtin.set_fact"]["preflight_plan"],
        "target": TARGET,
        "upgrade_needed": True,
    }
    begin = play_of("upgrade.yml", "Observe, decide, lock")
    begin["tasks"] = [know, START[1]]
    end = play_of("upgrade.yml", "Prove, report, unlock")
    # What is on the node itself is no subject here, and this machine has none of it.
    site = place / "site.yml"
    site.write_text(json.dumps([begin, end]))
    return site


HOSTS = {PLANE: "control_plane", WORKER: "worker", REFLECTOR: "worker"}


def groups_of(**groups: list[str]) -> str:
    lines = [f"{host} role_seen={role} ansible_become=false" for host, role in HOSTS.items()]
    wanted = {host for hosts in groups.values() for host in hosts}
    made = [line for line in lines if line.split()[0] in wanted]
    for name, hosts in groups.items():
        made += [f"[{name}]", *hosts]
    return "\n".join(made) + "\n"


@pytest.mark.parametrize(
    ("inventory", "given", "verified"),
    [
        pytest.param(groups_of(kube_control_plane=[PLANE]), {}, [PLANE], id="no group of workers"),
        pytest.param(
            groups_of(kube_control_plane=[PLANE], kube_node=[WORKER], calico_rr=[REFLECTOR]),
            {"upgrade_workers": "kube_node:calico_rr"},
            [PLANE, REFLECTOR, WORKER],
            id="two groups of workers",
        ),
        pytest.param(
            groups_of(kube_control_plane=[PLANE], kube_node=[WORKER], calico_rr=[REFLECTOR]),
            {"upgrade_workers": "kube_node,calico_rr"},
            [PLANE, REFLECTOR, WORKER],
            id="a list",
        ),
        pytest.param(
            groups_of(planes=[PLANE], kube_node=[WORKER, REFLECTOR], slow=[REFLECTOR]),
            {"upgrade_control_plane": "planes:!slow", "upgrade_workers": "kube_node:!slow"},
            [PLANE, WORKER],
            id="less a group",
        ),
    ],
)
def test_a_run_comes_to_its_end(
    upgraded: Cluster, tmp_path: Path, inventory: str, given: dict[str, str], verified: list[str]
) -> None:
    code, said = play(
        end_of_a_run(tmp_path),
        tmp_path,
        inventory,
        kubernetes_version=TARGET,
        upgrade_kubeconfig=str(upgraded.kubeconfig),
        upgrade_artifacts_dir=str(tmp_path / "artifacts"),
        upgrade_probe_api="false",
        **given,
    )
    assert code == 0, said
    report = json.loads((tmp_path / "artifacts/upgrade-report.json").read_text())
    assert report["result"] == "succeeded"
    hosts = {line.split()[0] for line in said.partition("PLAY RECAP")[2].splitlines() if " : ok=" in line}
    assert sorted(hosts - {"localhost"}) == verified
    assert f"not all of the cluster is at {TARGET}" in " ".join(said.split())
    assert FORGOTTEN in said
    assert not [each for each in upgraded.client.list(LEASES) if each["metadata"]["name"] == LOCK]
