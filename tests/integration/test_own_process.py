# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules that ask the API end alike in Ansible's own process and in one of their own, on a real API server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

from drain_place import Place

Json = dict[str, t.Any]
ROOT = Path(__file__).resolve().parents[2]
SECRET = "s3cret-words"
# What differs from one run to the next, and what only a process of its own tells: its options, and how it was started.
TOLD = ("duration_s", "invocation", "ansible_facts", "exception")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z")


def module(kind: str, /, **options: t.Any) -> Json:
    return {f"evergreen.kubeadm.{kind}": options}


def steps(place: Place) -> dict[str, Json]:
    """Tasks by a name for their results; no result depends on the runs before."""
    secret = {"basic_auth": "{{ secret }}"}
    return {
        "lock": {**module("upgrade_lock", holder="r1@{{ secret }}", proxy_headers=secret), "check_mode": True},
        "taint": {**module("node_taint", name=[place.first], run_id="r1"), "check_mode": True},
        "cordon": module("drain_node", state="cordoned", name=[place.first]),
        "drain": module("drain_node", name=["nonesuch"]),
        "uncordon": module("drain_node", state="uncordoned", name=[place.first]),
        "gate": module("cluster_gate", conditions=["node_ready"], node="nonesuch", timeout_s=0),
        "wrong": module("cluster_gate", conditions=["{{ secret }}"], proxy_headers=secret),
        "unknown": module("cluster_gate", condition=["node_ready"]),
        "needed": module("node_taint", state="present"),
    }


def results(place: Place, folder: Path, python: str, **more: t.Any) -> tuple[Json, bool]:
    """What the tasks returned, and whether Ansible made files for a process of theirs."""
    tasks = [
        {"name": name, **step, **more, "register": f"got_{name}", "ignore_errors": True}
        for name, step in steps(place).items()
    ]
    got = ", ".join(f"'{name}': got_{name}" for name in steps(place))
    keep = {"content": f"{{{{ {{{got}}} }}}}", "dest": f"{folder}/results.json"}
    tasks.append({"name": "Keep the results", "ansible.builtin.copy": keep})
    auth = {name: value for name, value in place.cluster.params.items() if value is not None}
    play = {"name": "Ask", "hosts": "localhost", "gather_facts": False, "tasks": tasks}
    play["module_defaults"] = {"group/evergreen.kubeadm.api": auth}
    (folder / "play.json").write_text(json.dumps([play]))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-e", f"ansible_python_interpreter={python}"]
    command += ["-e", f"secret={SECRET}"]
    kept = folder / "kept"
    done = subprocess.run(
        [*command, str(folder / "play.json")],
        cwd=ROOT,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "0",
            "ANSIBLE_KEEP_REMOTE_FILES": "1",
            "ANSIBLE_REMOTE_TMP": str(kept),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr
    return json.loads((folder / "results.json").read_text()), any(kept.rglob("AnsiballZ_cluster_gate.py"))


def same(one: Json) -> Json:
    told = {name: value for name, value in one.items() if name not in TOLD}
    return t.cast("Json", json.loads(MOMENT.sub("at a moment", json.dumps(told))))


def test_alike(place: Place, tmp_path: Path) -> None:
    for name in ("own", "other"):
        (tmp_path / name).mkdir()
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    own, made_files = results(place, tmp_path / "own", sys.executable)
    assert not made_files
    other, made_files = results(place, tmp_path / "other", str(python))
    assert made_files
    for name in own:
        mine, theirs = same(own[name]), same(other[name])
        if name in ("wrong", "unknown", "needed"):
            # Both say it in the words of Ansible's validation of options.
            assert mine.pop("failed") and theirs.pop("failed")
            assert theirs.pop("msg").split(": ")[-1].split(". Supp")[0] in mine.pop("msg")
            continue
        assert mine == theirs, name
    assert own["cordon"]["changed"] and own["uncordon"]["changed"]
    assert own["gate"]["failed"] and "nonesuch" in own["gate"]["msg"]
    assert SECRET not in json.dumps(own) + json.dumps(other)


def test_a_task_with_an_environment_has_a_process_of_its_own(place: Place, tmp_path: Path) -> None:
    _found, made_files = results(place, tmp_path, sys.executable, environment={"HERE": "1"})
    assert made_files
