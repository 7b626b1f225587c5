# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that go away in the middle of their turn, alone in their batch, by ansible-playbook on a real API server.

The plays are those of the playbooks. What the node does in its turn are the
roles' own tasks, from the one at which it goes away: from then on its
connection is one by SSH to a port where nobody listens.
"""

from __future__ import annotations

import copy
import re
import typing as t
from pathlib import Path

import pytest
import yaml
from test_failed_worker import (
    DEFAULTS,
    GROUP,
    LEASE,
    NAMES,
    ROOT,
    START,
    UPGRADE,
    Run,
    Workers,
    play_of,
    playbook,
    replace_roles,
)

from ansible_collections.evergreen.kubeadm.plugins.module_utils._taint.decisions import KEY
from control_plane import remove
from drain_place import Json, Place

GONE = "could not be reached any more. Whether it serves is not known: look at it first."
AWAY = {
    "name": "Lose the node",
    "ansible.builtin.file": {"path": "{{ place }}/away-{{ inventory_hostname }}", "state": "touch", "mode": "0600"},
    "delegate_to": "localhost",
    "when": "inventory_hostname == lost",
}
TAINT = {
    "name": "Make the nodes that are to be drained unattractive to the scheduler",
    "evergreen.kubeadm.node_taint": {
        "name": "{{ ansible_play_hosts | reject('eq', 'localhost') | list }}",
        "exclusive": True,
        "run_id": "{{ upgrade_run_id }}",
    },
    "delegate_to": "localhost",
    "run_once": True,
}
CHECK = {"ansible.builtin.import_role": {"name": "evergreen.kubeadm.upgrade", "tasks_from": "check"}}
GROUP_PLANES = {
    "name": "Group the control plane of the hop",
    "ansible.builtin.add_host": {"name": "{{ item }}", "groups": "upgrade_hop_1_control_plane"},
    "loop": "{{ ansible_play_hosts | select('in', groups['kube_control_plane']) }}",
}
# The first task would be run on the node that is away.
ON_FAILURE = """
- name: Look at the node
  ansible.builtin.command: "true"
- name: Call somebody
  ansible.builtin.shell: echo "{{ inventory_hostname }} {{ upgrade_hook_result }}" >> {{ place }}/called
  delegate_to: localhost
"""


class Nodes(Workers):
    """The nodes of one test; those of `planes` are of the control plane."""

    planes: tuple[str, ...] = ()
    protects: tuple[str, ...] = ()
    """A play before the turns and the group that it has in the hop, where the lost node alone is in it."""

    def _plays(self, hops: int, upgrade: list[Json]) -> list[Json]:
        """The plays of the workers, and before them those of the control plane where the test has one."""
        begin, choose, *rest = playbook(hops, upgrade)
        begin["tasks"] = [CHECK, *START]
        choose["tasks"] = [*GROUP, TAINT]
        if self.protects:
            add = {"name": "{{ lost }}", "groups": f"upgrade_hop_1_{self.protects[1]}"}
            choose["tasks"].append({"name": "Group the lost node", "ansible.builtin.add_host": add})
            protect = {**play_of("upgrade_hop.yml", self.protects[0]), "vars": {"upgrade_hop_number": 1}}
            return [begin, choose, protect, *rest]
        if not self.planes:
            return [begin, choose, *rest]
        choose["tasks"].append(GROUP_PLANES)
        plane = play_of("upgrade_hop.yml", "Upgrade the control plane, one node at a time")
        instead = {"evergreen.kubeadm.control_plane": upgrade}
        plane["tasks"] = replace_roles(plane["tasks"], instead)
        plane["vars"]["upgrade_hop_number"] = 1
        return [begin, choose, plane, *rest]

    def _inventory(self, fails: dict[str, list[int]], unreachable: str) -> Json:
        groups: dict[str, Json] = {"kube_control_plane": {}, "kube_node": {}}
        for name, host in zip(NAMES, self.hosts, strict=True):
            away = self.folder / f"away-{host}"
            away.unlink(missing_ok=True)
            if name == unreachable:
                away.touch()
            connection = f"{{{{ 'ssh' if lookup('ansible.builtin.fileglob', '{away}') else 'local' }}}}"
            groups["kube_control_plane" if name in self.planes else "kube_node"][host] = {
                "ansible_connection": connection,
                "ansible_host": "127.0.0.1",
                "ansible_port": 1,
                "ansible_become": False,
            }
        local = {"localhost": {"ansible_connection": "local", "ansible_become": False}}
        groups["kube_control_plane"].update({} if self.planes else local)
        return {"all": {"hosts": local, "children": {name: {"hosts": hosts} for name, hosts in groups.items()}}}

    def lose(self, name: str, *, unreachable: str = "", upgrade: list[Json] | None = None, **variables: t.Any) -> Run:
        """A run in which the node goes away."""
        hooks = self.folder / "hooks"
        hooks.mkdir(exist_ok=True)
        (hooks / "on_failure.yml").write_text(ON_FAILURE)
        given = {"lost": self.hosts[NAMES.index(name)], "place": str(self.folder), "upgrade_hooks_dir": str(hooks)}
        given = {**DEFAULTS, **defaults("kubelet", "worker", "control_plane"), **given, **variables}
        return self.run({}, unreachable=unreachable, upgrade=upgrade, **given)

    def called(self) -> list[str]:
        found = self.folder / "called"
        return found.read_text().splitlines() if found.exists() else []

    def tainted(self) -> list[str]:
        nodes = [self.place.node(host) for host in self.hosts]
        return [
            node["metadata"]["name"]
            for node in nodes
            if KEY in [each["key"] for each in node["spec"].get("taints", [])]
        ]


def defaults(*roles: str) -> Json:
    found: Json = {}
    for role in roles:
        for file in (ROOT / "roles" / role).glob("[dv]*/main.yml"):
            found |= yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


def away_at(tasks: str, name: str) -> list[Json]:
    """A turn: the node drained, and then away for this task of a role. Others have nothing done to them."""
    found = yaml.safe_load((ROOT / "roles" / tasks).read_text(encoding="utf-8"))
    own = [task for task in found if name in [each["name"] for each in (task, *task.get("block", ()))]]
    assert own, name
    turn = [{"name": "Do what the role does", "block": own, "when": "inventory_hostname == lost"}]
    return copy.deepcopy([UPGRADE[0], UPGRADE[1], AWAY, *turn, UPGRADE[3]])


@pytest.fixture
def nodes(place: Place, tmp_path: Path) -> t.Iterator[Nodes]:
    place.add_node(place.second)
    place.add_node(f"{place.name}-c")
    yield Nodes(place, tmp_path)
    remove(place.cluster, LEASE)


def ended_well(nodes: Nodes, run: Run, name: str, step: str) -> None:
    """What every end has, whatever was lost."""
    host = nodes.hosts[NAMES.index(name)]
    assert run.rc == 2, run.out
    assert run.report["result"] == "failed", run.out
    failure = run.report["failure"]
    assert (failure["host"], failure["step"]) == (host, step)
    assert f"{host} {GONE}" in failure["message"]
    # Which of them is chance: ssh may end before or after Ansible begins to send it the module.
    assert re.search(r"Connection refused|Data could not be sent", failure["message"])
    assert f"{host} {GONE}" in " ".join(run.out.rpartition("Stop here")[2].split())
    assert nodes.lease_holder() is None and nodes.tainted() == []
    assert nodes.called() == [f"{host} failed"], "the hook runs once, past its task on the node"


def test_a_control_plane_node_that_goes_away_ends_the_run_in_order(nodes: Nodes) -> None:
    nodes.planes = ("a", "b")
    run = nodes.lose("a", upgrade=away_at("control_plane/tasks/main.yml", "Upgrade the node"))
    ended_well(nodes, run, "a", "Upgrade the node")
    assert run.begun == [("1", "a")]


@pytest.mark.parametrize(
    ("serial", "tasks", "step"),
    [
        (1, "kubelet/tasks/main.yml", "Install the kubelet"),
        (2, "worker/tasks/main.yml", "Upgrade the configuration and restart the kubelet"),
    ],
)
def test_a_worker_that_goes_away_ends_the_run_in_order(nodes: Nodes, serial: int, tasks: str, step: str) -> None:
    run = nodes.lose("b", upgrade=away_at(tasks, step), upgrade_worker_serial=serial, kubelet_package_manager="apt")
    ended_well(nodes, run, "b", step)
    assert sorted(run.begun) == [("1", "a"), ("1", "b")]
    assert "upgrade_max_failed_workers is 0" in run.out


def test_a_worker_that_goes_away_is_set_aside_where_one_may_fail(nodes: Nodes) -> None:
    turn = away_at("worker/tasks/main.yml", "Upgrade the configuration and restart the kubelet")
    run = nodes.lose("a", upgrade=turn, upgrade_max_failed_workers=1)
    assert run.begun == [("1", "a"), ("1", "b"), ("1", "c")], run.out
    assert run.rc == 2 and run.report["result"] == "partial"
    (aside,) = run.report["set_aside"]
    assert aside["node"] == nodes.hosts[0] and f"{nodes.hosts[0]} {GONE}" in aside["message"]
    assert "except for 1 worker(s)" in run.out
    assert nodes.lease_holder() is None and nodes.tainted() == []


def test_a_node_that_is_away_at_its_hook_is_found_before_the_hook(nodes: Nodes) -> None:
    (nodes.folder / "hooks").mkdir()
    (nodes.folder / "hooks/pre_worker.yml").write_text('- name: Ask the node\n  ansible.builtin.command: "true"\n')
    run = nodes.lose("a", unreachable="a")
    ended_well(nodes, run, "a", "Run the hook")
    assert "The hook pre_worker" in run.report["failure"]["message"]
    assert run.begun == []


@pytest.mark.parametrize(
    ("play", "group", "step"),
    [
        ("Back up etcd", "members", "Look at etcd"),
        ("Prepare every node", "nodes", "Install kubeadm and kubectl, and download the kubelet"),
    ],
)
def test_a_node_that_is_away_before_the_turns(nodes: Nodes, play: str, group: str, step: str) -> None:
    """By the roles as they are. The node is the only one of the play."""
    nodes.protects = (play, group)
    plan = {"target": "1.35.4", "current": "1.34.4", "hops": [], "findings": [], "nodes": [], "image_repository": ""}
    run = nodes.lose(
        "a",
        unreachable="a",
        preflight_plan=plan,
        upgrade_hop={"to": "1.35.4", "etcd_image_tag": ""},
        etcd_backup_fetch=False,
    )
    ended_well(nodes, run, "a", step)
    assert run.begun == []
