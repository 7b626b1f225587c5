# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The programs that drain a node: ours and those of others, each started as its users start it."""

from __future__ import annotations

import json
import os
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from bench.cases import K8S_DRAIN, KUBECTL, MODULE, OURS, TIMEOUT_S

Json = dict[str, t.Any]

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).absolute().parent
# The API server's names of the tools.
USERS = {OURS: "bench-ours", MODULE: "bench-module", KUBECTL: "bench-kubectl", K8S_DRAIN: "bench-k8s-drain"}
# The same filters for all.
FILTERS = {"ignore_daemonsets": True, "delete_emptydir_data": True, "force": True}


@dataclass(frozen=True)
class Start:
    """How a tool is started."""

    command: tuple[str, ...]
    env: dict[str, str]


class Tools:
    """Starts of each tool; files that they need are written to `place`."""

    def __init__(self, place: Path, kubectl: Path, kubeconfigs: t.Mapping[str, Path], peer_collections: Path) -> None:
        self._place = place
        self._kubectl = kubectl
        self._kubeconfigs = kubeconfigs
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "LC_ALL", "TZ") if name in os.environ}
        self._env = {**kept, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
        self._ansible_env = {
            **self._env,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": f"{ROOT / '.collections'}{os.pathsep}{peer_collections}",
            "ANSIBLE_HOME": str(place / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
        }

    def start(self, tool: str, node: str, *, budget: bool) -> Start:
        """How `tool` drains `node`; with `budget`, pods of the node may have to wait for one."""
        kubeconfig = str(self._kubeconfigs[USERS[tool]])
        if tool == KUBECTL:
            return Start(self._kubectl_command(node, kubeconfig), self._env)
        if tool == MODULE:
            return self._module(node, kubeconfig)
        task = ours(node, kubeconfig) if tool == OURS else k8s_drain(node, kubeconfig, budget=budget)
        return self._playbook(USERS[tool], task)

    def nothing(self) -> Start:
        """A playbook that is started as those that drain, and does nothing."""
        return self._playbook("nothing", {"ansible.builtin.ping": {}})

    def _kubectl_command(self, node: str, kubeconfig: str) -> tuple[str, ...]:
        filters = [f"--{name.replace('_', '-')}" for name in FILTERS]
        reach = ["--kubeconfig", kubeconfig, "--cache-dir", str(self._place / "kubectl-cache")]
        return (str(self._kubectl), *reach, "drain", node, *filters, f"--timeout={TIMEOUT_S}s")

    def _module(self, node: str, kubeconfig: str) -> Start:
        arguments = self._place / "module-arguments.json"
        arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": ours_arguments(node, kubeconfig)}))
        module = "ansible_collections.evergreen.kubeadm.plugins.modules.drain_node"
        command = (sys.executable, "-m", module, str(arguments))
        return Start(command, {**self._env, "PYTHONPATH": str(ROOT / ".collections")})

    def _playbook(self, name: str, task: Json) -> Start:
        play = {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
            "tasks": [task],
        }
        playbook = self._place / f"{name}.yml"
        playbook.write_text(json.dumps([play]))  # JSON is YAML
        return Start((str(BIN / "ansible-playbook"), "-i", "localhost,", str(playbook)), self._ansible_env)


def ours_arguments(node: str, kubeconfig: str) -> Json:
    return {"kubeconfig": kubeconfig, "name": node, "delete_options": {**FILTERS, "wait_timeout": TIMEOUT_S}}


def ours(node: str, kubeconfig: str) -> Json:
    return {"evergreen.kubeadm.drain_node": ours_arguments(node, kubeconfig)}


def k8s_drain(node: str, kubeconfig: str, *, budget: bool) -> Json:
    """Its task. It returns before the pods are gone unless it has a wait_timeout.

    A second is the shortest pause it can make; its default is five. It fails at
    once where a budget refuses, so that the task is repeated then.
    """
    options = {**FILTERS, "wait_timeout": TIMEOUT_S, "wait_sleep": 1}
    task: Json = {
        "kubernetes.core.k8s_drain": {
            "kubeconfig": kubeconfig,
            "name": node,
            "state": "drain",
            "delete_options": options,
        }
    }
    if budget:
        task.update(register="drained", until="drained is succeeded", retries=TIMEOUT_S, delay=1)
    return task
