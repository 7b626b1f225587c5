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
from pathlib import Path

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


def play(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (place / "site.yml").write_text(json.dumps([PLAY]))
    (place / "hosts.yml").write_text(json.dumps({"all": {"hosts": HOSTS}}))
    local = {"ansible_python_interpreter": sys.executable}
    (place / "host_vars").mkdir()
    for host in ("good", "full", "localhost"):
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


def test_whatever_is_wrong_with_a_node(tmp_path: Path) -> None:
    (tmp_path / "full").write_text("in the place of the folder")
    done = play(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "unreachable=1" not in done.stdout

    good = result(tmp_path, "good")
    folder = Path(good["folder"])
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


def test_in_check_mode_nothing_is_written(tmp_path: Path) -> None:
    done = play(tmp_path, "--check", "--limit", "good")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "good").exists()
