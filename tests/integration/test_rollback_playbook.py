# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rollback.yml does on which node, by ansible-playbook; its modules write down what they are asked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = {"h1": "cp1", "h2": "cp2", "w1": "worker1"}
"""Nodes by their hosts."""
EMULATES = {"kube-apiserver": {"emulated-version": "1.34"}}
RECORDER = """
import json, os, sys
from ansible.module_utils.basic import _load_params  # Without it, this is no module for Ansible.

asked, place, name = _load_params(), os.environ["PLACE"], {name!r}
with open(f"{{place}}/answers.json") as file:
    answers = json.load(file)[name]
with open(f"{{place}}/asked.jsonl", "a+") as file:
    file.write(json.dumps([os.environ["HOST"], name, asked]) + "\\n")
    file.seek(0)
    times = sum(json.loads(line)[1] == name for line in file)
answer = answers.get(os.environ["HOST"]) or answers["all"][min(times, len(answers["all"])) - 1]
print(json.dumps({{"changed": False, **answer}}))
sys.stdout.flush()
os._exit(0)
"""


def answers(plan: dict[str, t.Any]) -> dict[str, t.Any]:
    done = {**plan, "kubelets": [], "workers": [], "control_plane": []}
    infos = {
        host: {
            "info": {
                "node_name": name,
                "role": "control_plane" if name.startswith("cp") else "worker",
                "package_manager": "apt",
                "etcd": {"present": True},
                "kubelet_conf_server": "",
            }
        }
        for host, name in NAMES.items()
    }
    nothing = (
        *("cluster_gate", "controller_manager_hold", "drain_node", "etcd_bridge", "etcd_member", "kubeadm_config"),
        *("kubeadm_images", "node_packages", "node_taint"),
    )
    return {
        **{name: {"all": [{}]} for name in nothing},
        "kubeadm_info": infos,
        "kubeadm_upgrade": {"all": [{"kubelet_restarted": "2026-01-31T12:00:00.000Z"}]},
        "rollback_plan": {"all": [plan, done]},
        "upgrade_lock": {"all": [{"resumed": False, "started": "2026-01-31T12:00:00.000Z"}]},
    }


def rollback(place: Path, plan: dict[str, t.Any], **variables: t.Any) -> list[list[t.Any]]:
    """``[host, module, options]`` of each task, in order; the host is empty for those that ask the API."""
    collection = place / "ansible_collections/evergreen/kubeadm"
    for folder in ("plugins", "roles", "playbooks", "meta"):
        shutil.copytree(ROOT / folder, collection / folder, ignore=shutil.ignore_patterns("__pycache__"))
    said = answers(plan)
    for name in said:
        (collection / f"plugins/modules/{name}.py").write_text(RECORDER.format(name=name))
    (place / "answers.json").write_text(json.dumps(said))
    for host in ("", *NAMES):
        python = place / f"python{host}"
        python.write_text(f'#!/bin/sh\nPLACE={place} HOST={host} exec {sys.executable} "$@"\n')
        python.chmod(0o755)
    hosts = {host: {"ansible_python_interpreter": str(place / f"python{host}")} for host in ("", *NAMES)}
    inventory = {
        "all": {
            "vars": {"ansible_connection": "local", "ansible_become": False},
            "hosts": {"localhost": hosts[""]},
            "children": {
                "kube_control_plane": {"hosts": {host: hosts[host] for host in ("h1", "h2")}},
                "kube_node": {"hosts": {"w1": hosts["w1"]}},
            },
        }
    }
    (place / "hosts.json").write_text(json.dumps(inventory))
    given = {"upgrade_artifacts_dir": str(place / "artifacts"), "upgrade_probe_api": False, **variables}
    done = subprocess.run(
        [
            str(Path(sys.executable).absolute().parent / "ansible-playbook"),
            *("--inventory", "hosts.json", "--extra-vars", json.dumps(given)),
            str(collection / "playbooks/rollback.yml"),
        ],
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(place),
            "ANSIBLE_HOME": str(place / "home"),
            "ANSIBLE_INJECT_FACT_VARS": "False",
        },
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in (place / "asked.jsonl").read_text().splitlines()]


def plan(version: str, flags: dict[str, t.Any], **nodes: list[str]) -> dict[str, t.Any]:
    return {
        "needed": True,
        "blockers": 0,
        "summary": [],
        "refusal": "",
        "not_ready": {},
        "image_repository": "",
        "findings": [],
        "hops": [],
        "config_needed": False,
        "current": "1.35.4",
        "target": "1.35.1",
        "nodes": [
            {"name": name, "role": "control_plane", "kubernetes_version": version, "extra_flags": flags}
            for name in ("cp1", "cp2")
        ],
        **nodes,
    }


@pytest.mark.parametrize(
    ("version", "back", "planned", "skipped", "gates"),
    [
        # The kubelet together with its control plane.
        ("1.35.1", ["cp2", "cp1"], {"kubelets": ["worker1", "cp2"]}, [], [["kubelet_version"], []]),
        # The kubelet alone, with the manifests as they are.
        ("1.35.4", ["cp2"], {"kubelets": ["worker1", "cp2"]}, ["control-plane"], [[]]),
    ],
)
def test_what_is_done_on_which_node(
    tmp_path: Path, version: str, back: list[str], planned: dict[str, t.Any], skipped: list[str], gates: list[t.Any]
) -> None:
    made = plan(version, EMULATES, workers=["worker1"], control_plane=back, **planned)
    alone = bool(skipped)
    asked = rollback(
        tmp_path, made, rollback_kubernetes_version="1.35.1", rollback_kubelets=True, rollback_control_plane=not alone
    )
    on_nodes = [(host, name, options) for host, name, options in asked if host and name != "kubeadm_info"]
    prepared = [host for host, name, options in on_nodes if options.get("state") == "prepared"]
    assert sorted(prepared) == sorted([host for host, name in NAMES.items() if name in ("worker1", *back)])
    assert any(name == "kubeadm_images" for _host, name, _options in on_nodes) is not alone

    swaps = [(host, options) for host, name, options in on_nodes if name == "kubeadm_upgrade"]
    worker = [options for host, options in swaps if host == "w1"]
    assert [(o["state"], o["role"], o["kubernetes_version"]) for o in worker] == [("rolled_back", "worker", "1.35.1")]
    swaps = [(host, options) for host, options in swaps if host != "w1"]
    assert [NAMES[host] for host, _options in swaps] == back
    for _host, options in swaps:
        assert (options["state"], options["kubernetes_version"]) == ("rolled_back", version)
        assert (options["extra_flags"], options["skip_phases"]) == (EMULATES, skipped)
    installed = [(host, o["allow_downgrade"]) for host, _name, o in on_nodes if o.get("state") == "present"]
    assert installed == [("w1", True), ("h2", True)]
    drained = [o["name"] for _host, name, o in asked if name == "drain_node" and o["state"] == "drained"]
    assert drained == ["worker1", "cp2"]
    proven = [o["conditions"] for _host, name, o in asked if name == "cluster_gate" and o.get("node") in back]
    assert [sorted({"kubelet_version"} & set(conditions)) for conditions in proven] == gates
    config = [o["kubernetes_version"] for _host, name, o in asked if name == "kubeadm_config"]
    assert config == ([] if alone else ["1.35.1"])
