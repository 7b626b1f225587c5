# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""node_diagnostics by ansible-playbook: what it writes, and that no node and no disk makes it fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from datetime import datetime
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).absolute().parent
LOCAL = {"ansible_connection": "local"}
HOSTS = {
    "good": LOCAL,
    "full": LOCAL,
    "away": {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1},
    "broken": {**LOCAL, "ansible_python_interpreter": "/no space left on device/python3"},
}
PLAY = {
    "name": "Look at every host",
    "hosts": "all",
    "gather_facts": False,
    "tasks": [
        {
            "name": "Look",
            "evergreen.kubeadm.node_diagnostics": {
                "dest": "{{ playbook_dir }}/{{ inventory_hostname }}/files",
                "failure": "kubelet failed",
            },
            "register": "looked",
        },
        {
            "name": "Keep the result",
            "ansible.builtin.copy": {
                "content": "{{ looked | to_json }}",
                "dest": "{{ playbook_dir }}/{{ inventory_hostname }}.json",
                "mode": "0600",
            },
            "delegate_to": "localhost",
        },
    ],
}


ROLE = "ansible.builtin.import_role"
TURN = {
    "name": "Fail before the turn of a node and in it",
    "hosts": "all",
    "gather_facts": False,
    "vars": {
        "kubernetes_version": "1.35.4",
        "upgrade_artifacts_dir": "{{ playbook_dir }}/artifacts",
        "upgrade_events": False,
        "upgrade_kubeconfig": "",
        # The run was named a hundred seconds ago.
        "upgrade_run_id": "{{ '%Y%m%dT%H%M%SZ' | ansible.builtin.strftime(now().timestamp() - 100, utc=true) }}-4f1c",
    },
    "tasks": [
        task
        for when in ("before", "in")
        for task in (
            *(
                [
                    {
                        "name": "Begin the turn, as the renewal of the lock does",
                        "ansible.builtin.set_fact": {
                            "upgrade_renewed": {"started": "{{ now(utc=true, fmt='%Y-%m-%dT%H:%M:%S.%fZ') }}"}
                        },
                    }
                ]
                if when == "in"
                else []
            ),
            {
                "name": "Fail",
                "block": [{"name": "Fail", "ansible.builtin.fail": {"msg": "kubelet failed"}}],
                "rescue": [
                    {"name": "Look", ROLE: {"name": "evergreen.kubeadm.upgrade", "tasks_from": "diagnose"}},
                    {
                        "name": "Keep the result",
                        "ansible.builtin.copy": {
                            "content": "{{ upgrade_diagnosed | to_json }}",
                            "dest": f"{{{{ playbook_dir }}}}/{when}.json",
                            "mode": "0600",
                        },
                    },
                ],
            },
        )
    ],
}


def play(
    place: Path, *words: str, plays: t.Sequence[t.Mapping[str, t.Any]] = (PLAY,)
) -> subprocess.CompletedProcess[str]:
    (place / "site.yml").write_text(json.dumps(list(plays)))
    (place / "hosts.yml").write_text(json.dumps({"all": {"hosts": HOSTS}}))
    local = {"ansible_python_interpreter": sys.executable}
    (place / "host_vars").mkdir(exist_ok=True)
    for host in ("good", "full", "localhost"):
        if not (place / "host_vars" / f"{host}.yml").exists():
            (place / "host_vars" / f"{host}.yml").write_text(json.dumps(local))
    kept = {name: os.environ[name] for name in ("HOME", "PATH", "LANG") if name in os.environ}
    return subprocess.run(
        [str(BIN / "ansible-playbook"), "--inventory", "hosts.yml", "site.yml", *words],
        env={
            **kept,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_HOME": str(place / "ansible"),
            "ANSIBLE_SSH_RETRIES": "0",
        },
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )


def result(place: Path, host: str) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", json.loads((place / f"{host}.json").read_text()))


def hostile(place: Path, name: str) -> subprocess.CompletedProcess[str]:
    """A run on a node that answers every module with a name and texts of its own choice, and fails in between."""
    says = {
        "changed": False,
        "info": {"node_name": name, "role": "worker"},
        "ansible_facts": {"upgrade_artifacts_dir": str(place / "victim"), "upgrade_run_id": ".."},
        "telling": ["x"],
        "sources": [{"name": "a", "bytes": 1}],
        "texts": {"authorized_keys": "ssh-rsa mine", "../config": "ProxyCommand id", "": "x", "index.json": "{}"},
    }
    (place / "answer.json").write_text(json.dumps(says))
    interpreter = place / "python3"
    interpreter.write_text(f"#!/bin/sh\ncat {place}/answer.json\n")
    interpreter.chmod(0o755)
    (place / "host_vars").mkdir()
    (place / "host_vars/good.yml").write_text(json.dumps({"ansible_python_interpreter": str(interpreter)}))
    read = {"evergreen.kubeadm.kubeadm_info": {}, "register": "preflight_node", "name": "Read the node"}
    look = {"name": "Look", ROLE: {"name": "evergreen.kubeadm.upgrade", "tasks_from": "diagnose"}}
    failed = {"ansible_failed_result": {"msg": "kubelet failed"}}
    # Where the defaults of the role say.
    names = {key: value for key, value in TURN["vars"].items() if key != "upgrade_artifacts_dir"}
    turn = {
        **TURN,
        "hosts": "good",
        "vars": names,
        "tasks": [{**read, "ignore_errors": True}, {**look, "vars": failed}],
    }
    return play(place, plays=[turn])


@pytest.mark.parametrize(
    "name",
    ["../../../victim/.ssh", "", "w1\nevil", "{{ 7 * 7 }}", None],
)
def test_a_node_that_lies_about_its_name_writes_nothing_elsewhere(tmp_path: Path, name: t.Any) -> None:
    (tmp_path / "victim/.ssh").mkdir(parents=True)
    done = hostile(tmp_path, name)
    assert "says that the name of its Node is" in done.stdout, done.stdout + done.stderr
    assert "49" not in done.stdout.partition("says that the name of its Node is")[2].partition("\n")[0]
    (folder,) = (tmp_path / "artifacts/diagnostics").glob("*/*")
    assert folder.name == "good"
    assert {file.name for file in folder.iterdir()} == {"index.json", "authorized_keys", "_config", "unnamed"}
    assert json.loads((folder / "index.json").read_text())["sources"] == [{"name": "a", "bytes": 1}]
    assert list((tmp_path / "victim/.ssh").iterdir()) == []


def test_a_node_that_returns_facts_does_not_choose_the_folder(tmp_path: Path) -> None:
    done = hostile(tmp_path, "w1")
    assert "says that the name" not in done.stdout
    assert [folder.name for folder in (tmp_path / "artifacts/diagnostics").glob("*/*")] == ["good"], done.stdout
    assert not (tmp_path / "victim").exists()


def test_a_folder_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    task = {"evergreen.kubeadm.node_diagnostics": {"dest": "{{ playbook_dir }}/a/../../b"}}
    done = play(tmp_path, "--limit", "good", plays=[{**PLAY, "tasks": [task]}])
    assert done.returncode != 0 and "with '..' in its path is refused" in done.stdout
    assert not (tmp_path.parent / "b").exists()


def test_whatever_is_wrong_with_a_node(tmp_path: Path) -> None:
    (tmp_path / "full").write_text("in the place of the folder")
    done = play(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "unreachable=1" not in done.stdout

    good = result(tmp_path, "good")
    folder = Path(good["folder"])
    assert good["since"] == ""
    assert good["reached"] and not good["changed"] and "texts" not in good
    assert folder.stat().st_mode & 0o777 == 0o700
    written = {file.name: file for file in folder.iterdir()}
    assert {file.stat().st_mode & 0o777 for file in written.values()} == {0o600}
    assert set(written) == {"index.json", *(each["name"] for each in good["sources"] if each["bytes"])}
    index = json.loads(written["index.json"].read_text())
    assert index == {"telling": good["telling"], "sources": good["sources"]}
    assert "MiB free" in written["disk.txt"].read_text()

    full = result(tmp_path, "full")
    assert full["folder"] == "" and full["reached"] and full["sources"]
    assert "could not be written to" in full["warnings"][0]

    away = result(tmp_path, "away")
    assert not away["reached"] and away["folder"] == ""
    (told,) = away["telling"]
    assert told["kind"] == "unreachable" and "Connection refused" in told["line"]

    broken = result(tmp_path, "broken")
    assert broken["reached"] and broken["folder"] == "" and broken["warnings"]
    # What was said in the place of a result may name the cause.
    assert [told["kind"] for told in broken["telling"]] == ["disk_full"]


def test_what_counts_is_from_the_turn_of_the_node_on(tmp_path: Path) -> None:
    done = play(tmp_path, "--limit", "good", plays=(TURN,))
    assert done.returncode == 0, done.stdout + done.stderr

    def counted(when: str) -> float:
        found = result(tmp_path, when)
        begun, looked = (datetime.fromisoformat(found[key].replace("Z", "+00:00")) for key in ("since", "started"))
        return (looked - begun).total_seconds()

    assert 99 <= counted("before") < 160
    assert 0 <= counted("in") < 60
    assert result(tmp_path, "before")["sources"]


def test_in_check_mode_nothing_is_written(tmp_path: Path) -> None:
    done = play(tmp_path, "--check", "--limit", "good")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "good").exists()
