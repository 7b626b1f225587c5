# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of an upgrade without its nodes: the role upgrade and the plays of a hop, around what is done on the nodes.

What preflight would find is given, the plays that touch nodes are left out by
their tags, and plays with the same hooks stand in their places. Lock, journal
and report are the real ones.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.journal import read
from harness.cluster import Cluster

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).absolute().parent
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
PLANES, WORKERS = ["c1", "c2"], ["w1", "w2"]
HOP = {
    "from": "1.34.4",
    "to": "1.35.4",
    "control_plane": PLANES,
    "workers": WORKERS,
    "kubelets": PLANES + WORKERS,
    "apply_needed": True,
    "applies_on": "c1",
    "etcd": None,
    "etcd_image_tag": "",
}
# What a hook is told, with the time as its last word. The second task runs in check mode as well.
SAYS = """
- name: Say where it is
  ansible.builtin.shell: >-
    echo "{{ upgrade_hook }} {{ inventory_hostname }} {{ upgrade_hook_node or '-' }}
    {{ upgrade_hop.to | default('-') }} {{ upgrade_hook_result or '-' }} $(date +%s.%N)" >> {{ place }}/said
- name: Say it in check mode too
  ansible.builtin.shell: echo "{{ upgrade_hook }} {{ inventory_hostname }}" >> {{ place }}/checked
  check_mode: false
- name: Go wrong where the test wants it
  ansible.builtin.fail:
    msg: "the pager is on fire, run {{ upgrade_run_id }}"
  when: (upgrade_hook ~ ' ' ~ inventory_hostname) in go_wrong | default([])
"""


def _role(entry: str, name: str | None = None, **more: t.Any) -> dict[str, t.Any]:
    role = {"name": f"evergreen.kubeadm.{name or 'upgrade'}", "tasks_from": entry}
    return {"name": f"Do {entry}", "ansible.builtin.import_role": role, **more}


def _hook(hook: str, **more: t.Any) -> dict[str, t.Any]:
    return _role("hooks", vars={"upgrade_hook": hook}, **more)


def _hooks(around: str) -> dict[str, t.Any]:
    role = {"name": "evergreen.kubeadm.upgrade", "tasks_from": "hooks"}
    loop = {"loop": f"{{{{ upgrade_hooks_{around} }}}}", "loop_control": {"loop_var": "upgrade_hook"}}
    return {"name": f"Run the hooks {around}", "ansible.builtin.include_role": role, **loop}


# As in the playbooks, by an include.
END = {
    "name": "End the run",
    "ansible.builtin.include_role": {"name": "evergreen.kubeadm.upgrade", "tasks_from": "failed"},
}


def _play(hosts: str, block: list[dict[str, t.Any]], **more: t.Any) -> dict[str, t.Any]:
    return {
        "name": f"A play of {hosts}",
        "hosts": f"{{{{ '{hosts}' if '{hosts}' in groups or '{hosts}' == 'all' else 'all:!all' }}}}",
        "gather_facts": False,
        "any_errors_fatal": True,
        "module_defaults": {"group/evergreen.kubeadm.api": {"kubeconfig": "{{ upgrade_kubeconfig }}"}},
        "tasks": [{"name": "Do it or end the run", "block": block, "rescue": [END]}],
        **more,
    }


def plays(plan: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Plays as upgrade.yml and upgrade_hop.yml have them."""
    facts = {
        "preflight_plan": plan,
        "preflight_node": {
            "info": {"node_name": "{{ inventory_hostname }}", "etcd": {"present": "{{ 'c' in inventory_hostname }}"}}
        },
    }
    begin = _play("all", [_hook("pre_run", when="inventory_hostname == ansible_play_hosts | first")])
    begin["tasks"] = [
        _role("check"),
        {"name": "Say what preflight would have found", "ansible.builtin.set_fact": facts},
        _role("start", vars={"upgrade_plan": "{{ preflight_plan }}"}),
        *begin["tasks"],
    ]
    return [
        begin,
        {
            "name": "Walk the hop",
            "ansible.builtin.import_playbook": str(ROOT / "playbooks/upgrade_hop.yml"),
            "vars": {"upgrade_hop_number": 1},
        },
        _play(
            "upgrade_hop_1_control_plane",
            [
                _role("renew"),
                _hooks("before_node"),
                _hook("before_api_server_stop"),
                _hook("after_api_server_start"),
                _hooks("after_node"),
            ],
            serial=1,
        ),
        _play(
            "upgrade_hop_1_workers",
            [_role("renew"), _hooks("before_worker"), _hook("post_worker")],
            serial="{{ upgrade_worker_serial | default(1) }}",
        ),
        _play("all", [_role("finish")]),
    ]


@dataclass
class Place:
    """A folder with the playbook, and what runs of it left there."""

    path: Path
    cluster: Cluster
    hops: list[dict[str, t.Any]] = field(default_factory=lambda: [HOP])
    done: tuple[str, ...] = ()

    def run(self, *words: str, **variables: t.Any) -> subprocess.CompletedProcess[str]:
        roles = {**dict.fromkeys(PLANES, "control_plane"), **dict.fromkeys(WORKERS, "worker")}
        nodes = [
            {"name": name, "role": role, "kubelet_version": "1.35.4" if name in self.done else "1.34.4"}
            for name, role in roles.items()
        ]
        plan = {
            "target": self.hops[-1]["to"] if self.hops else "1.35.4",
            "current": "1.34.4",
            "hops": self.hops,
            "findings": [],
            "nodes": nodes,
        }
        (self.path / "play.yml").write_text(json.dumps(plays(plan)))
        groups = {"kube_control_plane": PLANES, "kube_node": WORKERS}
        hosts = {group: {"hosts": {name: {} for name in names}} for group, names in groups.items()}
        local = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable}
        (self.path / "hosts.yml").write_text(yaml.safe_dump({"all": {"vars": local, "children": hosts}}))
        given = {
            "kubernetes_version": "1.35.4",
            "upgrade_kubeconfig": str(self.cluster.kubeconfig),
            "upgrade_artifacts_dir": str(self.path / "artifacts"),
            "upgrade_probe_api": False,
            "place": str(self.path),
            **variables,
        }
        kept = {name: os.environ[name] for name in ("HOME", "PATH", "LANG") if name in os.environ}
        command = [str(BIN / "ansible-playbook"), "-i", "hosts.yml", "-e", json.dumps(given), "play.yml"]
        return subprocess.run(
            [*command, "--skip-tags=backup,prepare,control_plane,workers", *words],
            cwd=self.path,
            env={
                **kept,
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
                "ANSIBLE_HOME": str(self.path / "ansible"),
                "ANSIBLE_LOCALHOST_WARNING": "0",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def says(self, *hooks: str, folder: str = "hooks") -> None:
        """Have a file for each of `hooks` that says where it is."""
        (self.path / folder).mkdir(exist_ok=True)
        for hook in hooks:
            (self.path / folder / f"{hook}.yml").write_text(SAYS)

    def said(self, file: str = "said") -> list[list[str]]:
        found = self.path / file
        return [line.split() for line in found.read_text().splitlines()] if found.exists() else []

    def report(self) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", json.loads((self.path / "artifacts/upgrade-report.json").read_text()))

    def journal(self) -> list[dict[str, t.Any]]:
        return read(str(self.path / "artifacts/upgrade-journal.jsonl"))

    def locks(self) -> list[dict[str, t.Any]]:
        """Leases of upgrades that somebody holds."""
        leases = self.cluster.client.list(LEASES)
        return [
            lease for lease in leases if "upgrade" in lease["metadata"]["name"] and lease["spec"].get("holderIdentity")
        ]
