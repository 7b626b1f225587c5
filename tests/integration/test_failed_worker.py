# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers that fail, by ansible-playbook on a real API server.

The plays of the workers and of the end are those of the playbooks, with their
blocks, rescues and roles. Only what needs a machine of kubeadm's is another:
the upgrade of a worker is a real drain and a command that fails where the test
wants it to.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.compose import compose
from control_plane import remove
from drain_place import Json, Place

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).absolute().parent
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/evergreen-kubeadm-upgrade"
NAMES = ("a", "b", "c")
ROLES = "ansible.builtin.import_role"


class Run(t.NamedTuple):
    """What a run left."""

    rc: int
    out: str
    report: Json
    begun: list[tuple[str, str]]
    """(hop, host) of each turn, in order."""


class Workers:
    """Three workers of one test, and the playbook that upgrades them over two hops."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.place = place
        self.folder = folder
        self.hosts = [f"{place.name}-{name}" for name in NAMES]

    def run(
        self,
        fails: dict[str, list[int]],
        *,
        unreachable: str = "",
        hops: int = 1,
        upgrade: list[Json] | None = None,
        **variables: t.Any,
    ) -> Run:
        """`fails` are the hops in which a worker (``a``) fails; `unreachable` is one that no connection reaches."""
        (self.folder / "turns").unlink(missing_ok=True)
        (self.folder / "site.yml").write_text(json.dumps(self._plays(hops, upgrade or UPGRADE)))
        (self.folder / "hosts.yml").write_text(json.dumps(self._inventory(fails, unreachable)))
        kept = {name: os.environ[name] for name in ("HOME", "PATH", "LANG") if name in os.environ}
        given = {
            "ansible_python_interpreter": sys.executable,
            "upgrade_kubeconfig": str(self.place.cluster.kubeconfig),
            "upgrade_artifacts_dir": str(self.folder / "artifacts"),
            "kubernetes_version": "1.35.4",
            "turns": str(self.folder / "turns"),
            **variables,
        }
        done = subprocess.run(
            [
                str(BIN / "ansible-playbook"),
                *("--inventory", "hosts.yml", "--extra-vars", json.dumps(given), "site.yml"),
            ],
            env={
                **kept,
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
                "ANSIBLE_HOME": str(self.folder / "ansible"),
                "ANSIBLE_SSH_RETRIES": "0",
            },
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        turns = self.folder / "turns"
        (self.folder / "out.txt").write_text(done.stdout + done.stderr)
        lines = turns.read_text().splitlines() if turns.exists() else []
        report = self.folder / "artifacts" / "upgrade-report.json"
        return Run(
            done.returncode,
            done.stdout + done.stderr,
            json.loads(report.read_text()) if report.exists() else {},
            [(line.split()[0], line.split()[1].rpartition("-")[2]) for line in lines],
        )

    def _plays(self, hops: int, upgrade: list[Json]) -> list[Json]:
        return playbook(hops, upgrade)

    def _inventory(self, fails: dict[str, list[int]], unreachable: str) -> Json:
        hosts: Json = {}
        for name, host in zip(NAMES, self.hosts, strict=True):
            away = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
            hosts[host] = {
                **(away if name == unreachable else {"ansible_connection": "local"}),
                "ansible_become": False,
                "fails_in": fails.get(name, []),
            }
        local = {"localhost": {"ansible_connection": "local", "ansible_become": False}}
        return {"all": {"children": {"kube_node": {"hosts": hosts}, "kube_control_plane": {"hosts": local}}}}

    def lease_holder(self) -> str | None:
        leases = {each["metadata"]["name"]: each for each in self.place.cluster.client.list(LEASE.rpartition("/")[0])}
        return leases.get(LEASE.rpartition("/")[2], {"spec": {}})["spec"].get("holderIdentity")


@pytest.fixture
def workers(place: Place, tmp_path: Path) -> t.Iterator[Workers]:
    place.add_node(place.second)
    place.add_node(f"{place.name}-c")
    found = Workers(place, tmp_path)
    yield found
    remove(place.cluster, LEASE)


def play_of(playbook_: str, name: str) -> Json:
    plays = yaml.safe_load((ROOT / "playbooks" / playbook_).read_text(encoding="utf-8"))
    (found,) = [play for play in plays if play["name"] == name]
    return t.cast("Json", copy.deepcopy(found))


def replace_roles(tasks: list[Json], instead: dict[str, list[Json]]) -> list[Json]:
    """`tasks` with other ones in the place of some roles, whose other entry points are left out."""
    made: list[Json] = []
    for task in tasks:
        new = {key: replace_roles(task[key], instead) if key in ("block", "rescue") else task[key] for key in task}
        role = task.get(ROLES, {})
        name = role.get("name")
        made += [] if name in instead and "tasks_from" in role else instead.get(name, [new])
    return made


UPGRADE = [
    {
        "name": "Note the turn",
        "ansible.builtin.shell": "echo {{ upgrade_hop_number }} {{ inventory_hostname }} >> {{ turns }}",
        "delegate_to": "localhost",
    },
    {
        "name": "Drain the node",
        "evergreen.kubeadm.drain_node": {
            "name": "{{ inventory_hostname }}",
            "state": "drained",
            "run_id": "{{ upgrade_run_id }}",
            "delete_options": {"wait_timeout": 60},
        },
        "delegate_to": "localhost",
    },
    {
        "name": "Install the kubelet",
        "ansible.builtin.command": "{{ 'false' if upgrade_hop_number | int in fails_in else 'true' }}",
    },
    {
        "name": "Make the node schedulable again",
        "evergreen.kubeadm.drain_node": {"name": "{{ inventory_hostname }}", "state": "uncordoned", "only_own": True},
        "delegate_to": "localhost",
    },
]
START = [
    {
        "name": "Know what preflight would",
        "ansible.builtin.set_fact": {
            "preflight_node": {
                "info": {
                    "node_name": "{{ inventory_hostname }}",
                    "package_manager": "apt",
                    "role": "{{ 'worker' if inventory_hostname in groups['kube_node'] else 'control_plane' }}",
                }
            },
            "preflight_plan": {
                "target": "1.35.4",
                "current": "1.34.4",
                "hops": [],
                "findings": [],
                "nodes": [],
            },
            "upgrade_hop": {"to": "1.35.4"},
        },
    },
    {ROLES: {"name": "evergreen.kubeadm.upgrade", "tasks_from": "start"}, "vars": {"upgrade_plan": {
        "target": "1.35.4", "current": "1.34.4", "hops": [], "findings": [], "nodes": []}}},
    {
        "name": "Group all hosts for the first hop",
        "ansible.builtin.add_host": {"name": "{{ item }}", "groups": "upgrade_hop_1,upgrade_hop_2"},
        "loop": "{{ ansible_play_hosts }}",
    },
]  # fmt: skip
GROUP = [
    {
        "name": "Know what upgrade_stages would",
        "vars": {
            "asked": "{{ (upgrade_hooks_found | default({})).hooks | default({}) | list }}",
            "around": "{{ {inventory_hostname: {'before': ['pre_worker'] | intersect(asked), 'after': []}} }}",
        },
        "ansible.builtin.set_fact": {
            "upgrade_stages": {"hooks": {"control_plane": "{{ around }}", "workers": "{{ around }}"}},
        },
    },
    {
        "name": "Group the workers of the hop",
        "ansible.builtin.add_host": {"name": "{{ item }}", "groups": "upgrade_hop_{{ upgrade_hop_number }}_workers"},
        "loop": "{{ ansible_play_hosts | select('in', groups['kube_node']) }}",
    },
]


def playbook(hops: int, tasks: list[Json]) -> list[Json]:
    """The start of a run, the plays of each hop that choose and upgrade the workers, and the end."""
    begin = play_of("upgrade.yml", "Observe, decide, lock")
    begin["tasks"] = START
    plays = [begin]
    for hop in range(1, hops + 1):
        choose = play_of("upgrade_hop.yml", "Choose the hosts of the hop")
        choose["tasks"] = GROUP
        upgrade = play_of("upgrade_hop.yml", "Upgrade the workers")
        instead = {"evergreen.kubeadm.worker": tasks}
        upgrade["tasks"] = replace_roles(upgrade["tasks"], instead)
        plays += [{**play, "vars": {"upgrade_hop_number": hop}} for play in (choose, upgrade)]
    end = play_of("upgrade.yml", "Prove, report, unlock")
    end["tasks"] = replace_roles(end["tasks"], {"evergreen.kubeadm.verify": []})
    return [*plays, end]


DEFAULTS = {"upgrade_probe_api": False, "upgrade_api_host": "localhost", "upgrade_worker_serial": 1}


def cordoned(workers: Workers) -> list[str]:
    return [name for name in NAMES if workers.place.is_cordoned(f"{workers.place.name}-{name}")]


def test_nobody_may_fail_by_default_and_the_next_run_goes_on(workers: Workers) -> None:
    first = workers.run({"b": [1]}, **DEFAULTS)
    assert first.rc != 0, first.out
    assert first.begun == [("1", "a"), ("1", "b")]
    assert first.report["result"] == "failed"
    failure = first.report["failure"]
    assert failure["host"].endswith("-b") and failure["step"] == "Install the kubelet"
    assert "upgrade_max_failed_workers is 0" in first.out
    assert "non-zero return code" in first.out
    folder = Path(failure["diagnostics"])
    assert folder.parts[-3] == "diagnostics" and folder.parts[-2] == first.report["run_id"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in folder.iterdir())
    assert (folder / "disk.txt").is_file()
    assert workers.lease_holder() is None
    steps = {node["name"]: [(each["name"], each["status"]) for each in node["steps"]] for node in first.report["nodes"]}
    assert steps[workers.hosts[0]] == [("drain", "finished"), ("uncordon", "finished")]
    assert steps[workers.hosts[1]] == [("drain", "finished")]

    second = workers.run({}, **DEFAULTS)
    assert second.rc == 0, second.out
    assert second.report["result"] == "succeeded"
    assert [name for _hop, name in second.begun] == ["a", "b", "c"]
    assert cordoned(workers) == []


def test_one_may_fail_and_is_left_out_of_the_rest_of_the_run(workers: Workers) -> None:
    run = workers.run({"a": [1]}, hops=2, **DEFAULTS, upgrade_max_failed_workers=1)
    assert run.begun == [("1", "a"), ("1", "b"), ("1", "c"), ("2", "b"), ("2", "c")], run.out
    assert run.report["result"] == "partial"
    assert run.rc != 0, "what was asked for was not done"
    (aside,) = run.report["set_aside"]
    assert aside["node"] == workers.hosts[0] and aside["step"] == "Install the kubelet" and aside["serving"] is True
    assert "except for 1 worker(s)" in run.out and workers.hosts[0] in run.out.partition("except for 1 worker(s)")[2]
    assert cordoned(workers) == [] and workers.lease_holder() is None
    assert {"name": "upgrade_max_failed_workers", "value": 1}.items() <= run.report["bypasses"][0].items()
    page = (workers.folder / "artifacts" / "upgrade-report.html").read_text()
    assert f"Set aside: {workers.hosts[0]}" in page


def test_the_count_is_that_of_the_whole_run(workers: Workers) -> None:
    run = workers.run({"a": [1], "b": [2]}, hops=2, **DEFAULTS, upgrade_max_failed_workers=1)
    assert run.begun == [("1", "a"), ("1", "b"), ("1", "c"), ("2", "b")], run.out
    assert run.rc != 0 and run.report["result"] == "failed"
    assert run.report["failure"]["host"] == workers.hosts[1]
    assert [node["host"] for node in run.report["set_aside"]] == [workers.hosts[0]]
    assert "2 workers failed, and upgrade_max_failed_workers is 1" in run.out
    assert workers.lease_holder() is None


def test_two_of_a_batch_fail_where_one_may(workers: Workers) -> None:
    run = workers.run({"a": [1], "b": [1]}, **{**DEFAULTS, "upgrade_worker_serial": 2}, upgrade_max_failed_workers=1)
    assert sorted(run.begun) == [("1", "a"), ("1", "b")], run.out
    assert run.rc != 0 and run.report["result"] == "failed"
    assert run.report["set_aside"] == []
    assert workers.lease_holder() is None


def test_two_of_a_batch_fail_where_two_may(workers: Workers) -> None:
    run = workers.run({"a": [1], "b": [1]}, **{**DEFAULTS, "upgrade_worker_serial": 2}, upgrade_max_failed_workers=2)
    assert sorted(run.begun) == [("1", "a"), ("1", "b"), ("1", "c")], run.out
    assert run.rc != 0 and run.report["result"] == "partial"
    aside = [node["host"] for node in run.report["set_aside"]]
    assert sorted(aside) == workers.hosts[:2], "in the order in which they failed, which nobody decides"
    assert cordoned(workers) == []


def test_the_other_of_a_batch_ends_its_turn_and_no_batch_follows(workers: Workers) -> None:
    run = workers.run({"a": [1]}, **{**DEFAULTS, "upgrade_worker_serial": 2})
    assert sorted(run.begun) == [("1", "a"), ("1", "b")], run.out
    assert run.rc != 0 and run.report["result"] == "failed"
    assert run.report["failure"]["host"] == workers.hosts[0]
    assert cordoned(workers) == ["a"], "the one that failed is left as it was found, for who looks at it"


def test_a_worker_that_cannot_be_reached_leads_to_no_other(workers: Workers) -> None:
    """Ansible drops it without a rescue, and would go on with the next batch."""
    run = workers.run({}, unreachable="b", **{**DEFAULTS, "upgrade_worker_serial": 2}, upgrade_max_failed_workers=1)
    assert sorted(run.begun) == [("1", "a"), ("1", "b")], run.out
    assert run.rc != 0
    assert f"{workers.hosts[1]} could not be reached any more" in run.out
    assert run.report["result"] == "failed" and workers.lease_holder() is None


def test_a_worker_that_is_dead_at_its_turn_is_a_failure_like_any_other(workers: Workers) -> None:
    """By the task of the role worker, which comes to run on no machine here."""
    role = yaml.safe_load((ROOT / "roles/worker/tasks/main.yml").read_text(encoding="utf-8"))
    (at,) = [number for number, task in enumerate(role) if "evergreen.kubeadm.kubeadm_upgrade" in task]
    only = [{"block": role[at : at + 1], "when": f"inventory_hostname == '{workers.hosts[1]}'"}]
    given = yaml.safe_load((ROOT / "roles/worker/defaults/main.yml").read_text(encoding="utf-8"))
    given["worker_kubernetes_version"] = "1.35.4"
    run = workers.run(
        {}, unreachable="b", upgrade=[UPGRADE[0], *only], **DEFAULTS, **given, upgrade_max_failed_workers=1
    )
    assert run.begun == [("1", "a"), ("1", "b"), ("1", "c")], run.out
    assert run.rc != 0 and run.report["result"] == "partial"
    (aside,) = run.report["set_aside"]
    assert aside["node"] == workers.hosts[1] and aside["diagnostics"] == ""
    assert "Connection refused" in aside["message"]
    assert "could not be reached any more" in aside["message"]


def test_a_full_disk_of_the_controller_costs_the_files_alone(workers: Workers) -> None:
    artifacts = workers.folder / "artifacts"
    artifacts.mkdir()
    (artifacts / "diagnostics").write_text("no folder can be made here")
    run = workers.run({"b": [1]}, **DEFAULTS)
    assert run.rc != 0
    assert "could not be written to" in run.out
    assert "Install the kubelet on" in run.out and "upgrade_max_failed_workers is 0" in run.out
    assert run.report["failure"]["diagnostics"] == ""
    assert workers.lease_holder() is None


def test_the_journal_of_a_run_that_was_killed_after_setting_aside(workers: Workers) -> None:
    """Its lines as they are written make a report at any length."""
    run = workers.run({"a": [1]}, **DEFAULTS, upgrade_max_failed_workers=1)
    assert run.report["result"] == "partial", run.out
    lines = (workers.folder / "artifacts" / "upgrade-journal.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    (at,) = [number for number, event in enumerate(events) if event["event"] == "set_aside"]
    killed = compose(events[: at + 1], [])
    assert (killed["result"], len(killed["set_aside"])) == ("interrupted", 1)
