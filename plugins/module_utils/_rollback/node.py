# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Take the control plane of one node back to the minor before: observe, decide, act, prove.

Manifest by manifest, each replaced in one step. A run that was killed is ended
by another one: what is written already needs no writing, and is waited for.
"""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import node as node_paths
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.api import NoAnswer, NodeApi, Refused
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.kubeconfig import Kubeconfig
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.manifests import parse_static_pod
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.runner import Runner
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.upgrade import FLAGS_PURPOSE
from ansible_collections.evergreen.kubeadm.plugins.module_utils._programs.used import component_args
from ansible_collections.evergreen.kubeadm.plugins.module_utils._rollback import decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._rollback.decisions import (
    Component,
    RollbackError,
    Step,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods import flagging, flags

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

JsonDict = dict[str, t.Any]
ADMIN = "/etc/kubernetes/admin.conf"
_LOOK_S = 1.0
_REQUEST_S = 5.0


class NodeRollback:
    """One task of control_plane_rollback on one node."""

    def __init__(self, node: Node, target: Version, deadline: Deadline, kubeconfig: str = "") -> None:
        self.node = node
        self.target = target
        self.deadline = deadline
        self.name = node.node_name()
        self._kubeconfig = kubeconfig or ADMIN
        self._server = ""
        self._from: dict[str, str] = {}

    def steps(self) -> list[Step]:
        """Observe and decide. Raises RollbackError and EvergreenError before anything is changed."""
        pods, _foreign = self.node.static_pods()
        components = [
            Component(name, self.node.read(pod.file), pod.tag, pod.flags)
            for name, pod in pods.items()
            if name in decisions.ORDER
        ]
        if "kube-apiserver" in pods:
            flags = pods["kube-apiserver"].flags
            host, port = flags.get("advertise-address", ""), flags.get("secure-port", "6443")
            self._server = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}") if host else ""
        self._from = {component.name: component.tag for component in components}
        pid = self.node.kubelet_pid()
        kubelet = self.node.kubelet_running_version(pid) if pid else ""
        return decisions.make_steps(components, self.target, self._configured(), node=self.name, kubelet=kubelet)

    def take_back(self, *, check_mode: bool) -> JsonDict:
        """The module's work; raises RollbackError with the result so far in it."""
        runner = Runner(self.node)
        if not check_mode:
            runner.acquire(self.deadline)
        if runner.is_alive(runner.unfinished()):
            raise RollbackError(
                f"kubeadm is at work on {self.name}.", hint="Wait for its end, or end it, then run this again."
            )
        steps = self.steps()
        changed = any(step.changes for step in steps)
        if check_mode:
            return self.result(steps, changed=changed, missing=[])
        written: list[str] = []
        for step in steps:
            if step.changes:
                self._write(step, steps, written)
                written.append(step.name)
            self._prove(step, steps, written)
        return self.result(steps, changed=changed, missing=[])

    def _write(self, step: Step, steps: list[Step], written: list[str]) -> None:
        """Write the manifest, then take what it lost out of the note about flags that are there for a time."""
        note = flagging.note_of(step.name)
        noted = flagging.read_note(note)
        # What waits for the next manifest comes with this one; the flags of the upgrade that is taken back do not.
        text = flags.with_words(
            step.text, flags.noted({name: words for name, words in noted.items() if name != FLAGS_PURPOSE})
        )
        path = f"{node_paths.MANIFESTS}/{step.name}.yaml"
        try:
            mode = self.node.path(path).stat().st_mode & 0o777
            _node_state.replace(str(self.node.path(path)), text.encode(), mode)
        except OSError as error:
            raise RollbackError(
                f"The manifest {path} on {self.name} could not be written: {error.strerror}.",
                hint="The manifest is the old one or the new one, never a part of it. See whether the disk is full.",
                result=self.result(steps, changed=bool(written), missing=[f"{path} is not written"]),
            ) from None
        # kubeadm would bring noted flags back with the next upgrade.
        left = {
            purpose: kept for purpose, words in noted.items() if (kept := [w for w in words if w not in step.removed])
        }
        if left != noted:
            flagging.write_note(note, left) if left else _node_state.remove(note)

    def _prove(self, step: Step, steps: list[Step], written: list[str]) -> None:
        """Wait until the component runs at the target and answers. Raises RollbackError at the deadline."""
        while True:
            missing = self._look(step)
            if not missing:
                return
            if self.deadline.expired():
                raise RollbackError(
                    f"{step.name} on {self.name} is not back at {self.target.tag} after {self.deadline.seconds:g} s: "
                    f"{'; '.join(missing)}.",
                    hint=f"See crictl ps --all, the log of its container and journalctl --unit kubelet on {self.name}. "
                    "Then run this again: what is done is not done twice.",
                    result=self.result(steps, changed=bool(written), missing=missing),
                )
            self.deadline.sleep(_LOOK_S)

    def _look(self, step: Step) -> list[str]:
        version, ready, error, pods = "", False, "", None
        try:
            api = self._api(self._server)
            version, ready = api.version(_REQUEST_S), api.ready(_REQUEST_S)
            pods = api.mirror_pods(self.name, _REQUEST_S)
        except (NoAnswer, Refused) as failure:
            error = failure.message
        return decisions.unproven(step, self.target, pods, version, ready=ready, error=error)

    def _configured(self) -> dict[str, set[str]]:
        """Names of the flags in kubeadm-config, by component; asked of this node's API server, then of any."""
        failures = []
        for address in (self._server, ""):
            try:
                configuration = self._api(address).cluster_configuration(_REQUEST_S)
            except (NoAnswer, Refused) as error:
                failures.append(error.message)
                continue
            return {
                component: {name for name, _value in component_args(configuration, component)}
                for component in decisions.ORDER
            }
        raise RollbackError(
            f"kubeadm-config could not be read from {self.name}: {failures[-1]}",
            hint="The way back needs one API server that answers, since it must not take out flags of yours.",
        )

    def _api(self, address: str) -> NodeApi:
        text = self.node.read(self._kubeconfig)
        try:
            if text is None:
                raise ValueError(f"{self._kubeconfig} cannot be read")
            return NodeApi(Kubeconfig.parse(text, self._kubeconfig), address, self.node.root)
        except ValueError as error:
            raise RollbackError(
                f"No credentials for the API server on {self.name}: {error}.",
                hint="Run this as root on a control-plane node, or name a kubeconfig in the option kubeconfig.",
            ) from error

    def result(self, steps: list[Step], *, changed: bool, missing: list[str]) -> JsonDict:
        """The module's result, in the shape of its RETURN block."""
        return {
            "changed": changed,
            "node": self.name,
            "from": self._from.get("kube-apiserver", ""),
            "to": self.target.tag,
            "done": not missing,
            "missing": missing,
            "components": [
                {
                    "name": step.name,
                    "from": step.tag,
                    "to": self.target.tag,
                    "removed": list(step.removed),
                    "changed": step.changes,
                }
                for step in steps
            ],
            # Other flags may hold what is nobody's business, so the manifests themselves are not shown.
            "diff": {"before": _shown(steps, after=False), "after": _shown(steps, after=True)},
        }


def _shown(steps: list[Step], *, after: bool) -> str:
    """Image tag and the words in question, one line a component."""
    lines = []
    for step in steps:
        words = () if after else step.removed
        tag = parse_static_pod(step.text if after else step.before, "", step.name).tag
        lines.append(" ".join([step.name, tag, *words]))
    return "".join(f"{line}\n" for line in lines)
