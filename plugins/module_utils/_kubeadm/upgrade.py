# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Bring one node's kubeadm-managed part to a version: observe, decide, act, prove."""

from __future__ import annotations

import json
import re
import subprocess
import time
import typing as t
from dataclasses import asdict, replace

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import utc_at
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics import keeping
from ansible_collections.evergreen.kubeadm.plugins.module_utils._emulation import FLAG
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import decisions, manifests, output, patches
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import node as node_paths
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.api import NoAnswer, NodeApi, Refused
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.decisions import UpgradeError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.kubeconfig import Kubeconfig
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import (
    CONTROL_PLANE_COMPONENTS,
    Evidence,
    JsonDict,
    Line,
    Options,
    Ran,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.runner import Runner, environment, plain_text
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.waking import Waker
from ansible_collections.evergreen.kubeadm.plugins.module_utils._programs.used import component_args
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods import flagging, flags

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node

FLAGS_PURPOSE = "upgrade"
"""What flags of the option extra_flags are noted under; static_pod_flags takes them out by it."""
_PATCHES = f"{_node_state.STATE}/patches"
_LOOK_S = 1.0
_REQUEST_S = 5.0
_FOLLOW_S = 90.0
"""How long the processes may take to follow manifests that are new already, before kubeadm is run again."""
_READ_ONLY_S = 120.0
LINES_KEPT = 5000
"""Of each stream in the result: a verbose log has a megabyte and more."""


class NodeUpgrade:
    """One task of kubeadm_upgrade on one node."""

    def __init__(self, node: Node, options: Options, deadline: Deadline) -> None:
        self.node = node
        self.options = options
        self.deadline = deadline
        self.name = node.node_name()
        self.runner = Runner(node)
        self.notes: list[str] = []
        self._kubeadm = node.find("kubeadm")
        self._expected_etcd = ""
        self._began = time.monotonic()

    # -- observe

    def observe(self, *, timeout_s: float = _REQUEST_S) -> Evidence:
        """Look once. What cannot be seen is empty in the evidence; nothing is raised but for unreadable credentials."""
        pods, _foreign = self.node.static_pods()
        note = self.runner.unfinished()
        evidence = Evidence(
            control_plane=self.options.role != "worker",
            manifest_tags={component: pod.tag for component, pod in pods.items()},
            kubelet_config_written=self.node.modified(node_paths.KUBELET_CONFIG),
            emulated_versions={name: pod.flags[FLAG] for name, pod in pods.items() if FLAG in pod.flags},
            interrupted=str(note.get("target") or ""),
        )
        if not evidence.control_plane:
            pid = self.node.kubelet_pid()
            evidence.kubelet_running_version = self.node.kubelet_running_version(pid) if pid else ""
            self._observe_cluster(self._api(), evidence, timeout_s)
            return evidence
        flags = pods["kube-apiserver"].flags if "kube-apiserver" in pods else {}
        host, port = flags.get("advertise-address", ""), flags.get("secure-port", "6443")
        if not host:
            evidence.api_server_error = "its manifest names no advertise address"
            return evidence
        evidence.api_server = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        api = self._api(evidence.api_server)
        try:
            evidence.api_server_version = api.version(timeout_s)
            evidence.api_server_ready = api.ready(timeout_s)
        except (NoAnswer, Refused) as error:
            evidence.api_server_error = error.message
        else:
            self._observe_cluster(api, evidence, timeout_s)
            try:
                evidence.mirror_pods = api.mirror_pods(self.name, timeout_s)
            except (NoAnswer, Refused):
                evidence.mirror_pods = None
        if not evidence.cluster_version:
            # Its own API server is away; through the kubeconfig's address another one may answer.
            self._observe_cluster(self._api(), evidence, timeout_s)
        evidence.expected_etcd_tag = evidence.expected_etcd_tag or self._etcd_of_kubeadm()
        return evidence

    def _observe_cluster(self, api: NodeApi, evidence: Evidence, timeout_s: float) -> None:
        try:
            configuration = api.cluster_configuration(timeout_s)
        except (NoAnswer, Refused) as error:
            evidence.cluster_version_error = error.message
            return
        evidence.cluster_version = str(configuration.get("kubernetesVersion") or "")
        evidence.cluster_version_error = ""
        local = (configuration.get("etcd") or {}).get("local") or {}
        evidence.expected_etcd_tag = str(local.get("imageTag") or "")
        for component in list(evidence.emulated_versions):
            if any(name == FLAG for name, _value in component_args(configuration, component)):
                del evidence.emulated_versions[component]

    def _api(self, address: str = "") -> NodeApi:
        """Read anew each time: kubeadm renews the certificates in these files while it runs."""
        default = "/etc/kubernetes/kubelet.conf" if self.options.role == "worker" else "/etc/kubernetes/admin.conf"
        path = self.options.kubeconfig or default
        text = self.node.read(path)
        try:
            if text is None:
                raise ValueError(f"{path} cannot be read")
            return NodeApi(Kubeconfig.parse(text, path), address, self.node.root)
        except ValueError as error:
            raise UpgradeError(
                f"No credentials for the API server on {self.name}: {error}.",
                hint="Name a readable kubeconfig on the node in the option kubeconfig.",
            ) from error

    def _etcd_of_kubeadm(self) -> str:
        """The etcd that the target would run; asked of kubeadm itself, and only of the target's."""
        stacked = self.node.exists(f"{node_paths.MANIFESTS}/etcd.yaml")
        if stacked and not self._expected_etcd and f"v{self.installed_kubeadm()}" == self.options.target:
            listed = self.node.output(
                "kubeadm", "config", "images", "list", "--kubernetes-version", self.options.target
            )
            found = re.search(r"/etcd:(\S+)", listed)
            self._expected_etcd = found[1] if found else ""
        return self._expected_etcd

    def _proxies(self) -> dict[str, str] | None:
        """The proxy variables for kubeadm, which copies them into each static pod that it writes: those that are there.

        None leaves those of this process: on a worker, and where a manifest is away.
        """
        pods, _foreign = self.node.static_pods()
        if self.options.role == "worker" or not all(name in pods for name in CONTROL_PLANE_COMPONENTS):
            return None
        return manifests.copied_proxies([pods[name].proxies for name in CONTROL_PLANE_COMPONENTS])

    def installed_kubeadm(self) -> str:
        """``1.35.4``; empty where kubeadm is missing."""
        return self.node.version_of("kubeadm", "version", "-o", "short")

    # -- decide, act, prove

    def upgrade(self, *, check_mode: bool) -> JsonDict:
        """State upgraded. Raises UpgradeError, with the result so far in it, and Busy."""
        waited = 0.0 if check_mode else self.runner.acquire(self.deadline)
        installed = self.installed_kubeadm()
        if not check_mode:
            if waited:
                self.notes.append(f"An earlier task was still upgrading this node; it was waited for, {waited:.0f} s.")
            decisions.check_kubeadm(installed, self.options, self.name)
            resumed = self._resume()
            if resumed:
                return resumed
            # What ran until now may have been ended with a manifest away.
            decisions.resolve_role(
                self.options.role, self.node.is_control_plane(), missing_manifests(self.node), self.name
            )
        before = self._settled()
        missing = decisions.judge(before, self.options)
        if not missing:
            return self.result(before, before, changed=False)
        if check_mode:
            return self._predicted(before, missing, installed)
        decisions.check_cluster_version(before, self.options, self.name)
        return self._act(before)

    def _predicted(self, before: Evidence, missing: list[str], installed: str) -> JsonDict:
        manifest_diff = ""
        if f"v{installed}" != self.options.target:
            self.notes.append(
                f"kubeadm on {self.name} is {installed or 'not installed'}, not {self.options.target}: predicted from "
                "the state of the node alone."
            )
        elif before.control_plane:
            manifest_diff = self.manifest_diff()
        return self.result(before, before, changed=True, missing=missing, manifest_diff=manifest_diff)

    def _resume(self) -> JsonDict:
        """Wait for a kubeadm that an earlier task started and that still runs; empty where there is none."""
        note = self.runner.running()
        if not note:
            return {}
        self.notes.append("An earlier task had started kubeadm on this node; it was still running and was waited for.")
        before = self.observe()
        ran = self._accompanied(before, lambda: self.runner.attach(note, self.deadline))
        if ran.timed_out:
            raise self._failed(ran, before)
        if note.get("target") != self.options.target or not output.succeeded(ran.lines, self.options.role):
            return {}
        return self._proven(before, ran, float(note.get("started") or 0))

    def _settled(self) -> Evidence:
        """The evidence; where the files are new and the processes are not, after these had time to follow."""
        until = time.monotonic() + self.deadline.clip(_FOLLOW_S)
        while True:
            evidence = self.observe()
            if evidence.interrupted or not decisions.processes_lag(evidence, self.options) or time.monotonic() >= until:
                return evidence
            self.deadline.sleep(_LOOK_S)

    def _act(self, before: Evidence) -> JsonDict:
        options = replace(self.options, patches=self._patches())
        started = time.time()
        argv = decisions.argv(self._kubeadm, options)
        ran = self._accompanied(before, lambda: self.runner.run(argv, options.target, self.deadline, self._proxies()))
        if ran.timed_out or ran.rc != 0:
            raise self._failed(ran, before)
        return self._proven(before, ran, started)

    def _accompanied(self, before: Evidence, run: t.Callable[[], Ran]) -> Ran:
        """Do what is to be done beside kubeadm until it ends, and keep what the pods said where it failed."""
        with Waker(self.node, self._api, before.mirror_pods), keeping.LogKeeper(self.node) as logs:
            ran = run()
            if not output.succeeded(ran.lines, self.options.role):
                self.notes += filter(None, [logs.save()])
        return ran

    def _patches(self) -> str:
        """The folder of patches for kubeadm: the user's own, unless components have flags for a time."""
        words: dict[str, list[str]] = {}
        for component in CONTROL_PLANE_COMPONENTS if self.options.role != "worker" else ():
            note = flagging.note_of(component)
            noted = flagging.read_note(note)
            extra = flags.words_of(self.options.extra_flags.get(component, {}))
            # What an earlier upgrade was given and this one is not goes with the manifest that kubeadm replaces.
            earlier = noted.pop(FLAGS_PURPOSE, [])
            if extra:
                noted[FLAGS_PURPOSE] = extra
            if extra != earlier:
                flagging.write_note(note, noted)
            words[component] = flags.noted(noted)
        if not any(words.values()):
            return self.options.patches
        patches.compose(_PATCHES, self.options.patches, words)
        return _PATCHES

    def _proven(self, before: Evidence, ran: Ran, started: float) -> JsonDict:
        """Wait until the evidence says done. Raises UpgradeError at the deadline."""
        while True:
            after = self.observe()
            after.interrupted = ""
            missing = self._unproven(after, started)
            if not missing:
                self.runner.finished()
                patches.remove(_PATCHES)
                keeping.forget(self.node)
                return self.result(before, after, changed=True, ran=ran)
            if self.deadline.expired():
                raise UpgradeError(
                    f"kubeadm upgraded {self.name} to {self.options.target}, but it is not proven after "
                    f"{self._elapsed():.0f} s: {'; '.join(missing)}.",
                    hint=f"See crictl ps -a and journalctl -u kubelet -n 100 on {self.name}, then run this again.",
                    result=self.result(before, after, changed=True, ran=ran, missing=missing),
                )
            self.deadline.sleep(_LOOK_S)

    def _unproven(self, after: Evidence, started: float) -> list[str]:
        if after.control_plane:
            return decisions.judge(after, self.options)
        # The kubelet of a worker is not kubeadm's to upgrade; what kubeadm does there is to write its configuration.
        # One second of slack: file times come from a coarser clock than time.time().
        if "kubelet-config" in self.options.skip_phases or after.kubelet_config_written >= started - 1:
            return []
        return [f"{node_paths.KUBELET_CONFIG} was not written"]

    def _failed(self, ran: Ran, before: Evidence) -> UpgradeError:
        ended = time.time()
        steps = output.parse_steps(ran.lines, ended, None if ran.timed_out else ran.rc)
        message, hint = decisions.failure(ran, steps, self.name, self._elapsed())
        after = self.observe()
        changed = after.manifest_tags != before.manifest_tags or any(
            step.name not in ("start", "preflight") for step in steps
        )
        if not (changed or before.interrupted or ran.timed_out or ran.attached):
            self.runner.finished()
            after.interrupted = ""
        result = self.result(before, after, changed=changed, ran=ran, missing=decisions.judge(after, self.options))
        result["steps"] = [_step(asdict(step)) for step in steps]
        result["failure"] = {
            "phase": output.failed_phase(ran.lines, steps),
            "errors": output.error_lines(ran.lines),
            "checks": output.failed_checks(ran.lines),
            "rolled_back": output.rolled_back(ran.lines),
            "timed_out": ran.timed_out,
        }
        return UpgradeError(message, hint=hint, result=result)

    def verify(self) -> JsonDict:
        """State verified. Raises UpgradeError where the node is not as it must be."""
        evidence = self._settled()
        missing = decisions.judge(evidence, self.options)
        result = self.result(evidence, evidence, changed=False, missing=missing)
        if missing:
            raise UpgradeError(
                f"{self.name} is not on {self.options.target}: {'; '.join(missing)}.",
                hint=f"Upgrade {self.name} with state upgraded.",
                result=result,
            )
        return result

    def plan(self, *, check_mode: bool) -> JsonDict:
        """State planned. Raises UpgradeError where ``kubeadm upgrade plan`` fails."""
        evidence = self.observe()
        missing = decisions.judge(evidence, self.options)
        result = self.result(evidence, evidence, changed=False, missing=missing)
        if not evidence.control_plane:
            return result
        installed = self.installed_kubeadm()
        if f"v{installed}" != self.options.target:
            self.notes.append(
                f"kubeadm on {self.name} is {installed or 'not installed'}, not {self.options.target}: kubeadm was not "
                "asked for its plan."
            )
            return result
        result["manifest_diff"] = self.manifest_diff()
        if check_mode:
            self.notes.append("kubeadm upgrade plan was not asked: it creates a short-lived Job in kube-system.")
            return result
        ran = self._read_only(decisions.plan_argv(self._kubeadm, self.options))
        if ran.rc != 0:
            raise self._failed(ran, evidence)
        result["plan"] = _plan("\n".join(ran.stream("stdout")))
        return result

    def manifest_diff(self) -> str:
        """What changes by ``kubeadm upgrade diff``, without secrets. etcd and patches are not in it."""
        ran = self._read_only(decisions.diff_argv(self._kubeadm, self.options))
        if ran.rc != 0:
            self.notes.append(f"kubeadm upgrade diff failed: {' | '.join(output.error_lines(ran.lines))}")
            return ""
        text = "\n".join(ran.stream("stdout"))
        start = re.search(r"^--- ", text, re.MULTILINE)
        return decisions.without_secrets(text[start.start() :]) if start else ""

    def _read_only(self, argv: list[str]) -> Ran:
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=environment(self._proxies()),
                timeout=self.deadline.clip(_READ_ONLY_S),
                check=False,
            )
            rc: int | None = done.returncode
            streams = {"stdout": done.stdout, "stderr": done.stderr}
        except subprocess.TimeoutExpired as error:
            rc, streams = None, {"stdout": error.stdout or b"", "stderr": error.stderr or b""}
        now = time.time()
        lines = [
            Line(at=now, stream=name, text=plain_text(line))
            for name, data in streams.items()
            for line in data.splitlines()
        ]
        return Ran(argv=argv, rc=rc, lines=lines, timed_out=rc is None)

    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    def result(
        self,
        before: Evidence,
        after: Evidence,
        *,
        changed: bool,
        ran: Ran | None = None,
        missing: list[str] | None = None,
        manifest_diff: str = "",
    ) -> JsonDict:
        """The module's result, in the shape of its RETURN block."""
        lines = ran.lines if ran else []
        ended = time.time()
        listed = decisions.components(before, self.options)
        will = after is before and changed
        return {
            "changed": changed,
            "node": self.name,
            "role": self.options.role,
            "from": decisions.current_version(before),
            "to": self.options.target,
            "done": not missing,
            "missing": missing or [],
            "components": listed,
            "steps": [_step(asdict(step)) for step in output.parse_steps(lines, ended, ran.rc)] if ran else [],
            "evidence": asdict(after),
            "addons": output.parse_addons(lines),
            "bypasses": decisions.bypasses(self.options),
            "command": ran.argv if ran else decisions.argv("kubeadm", self.options) if will else [],
            # Ansible takes any rc but 0, null included, for a failure.
            **({"rc": ran.rc} if ran and ran.rc is not None else {}),
            "stdout_lines": ran.stream("stdout")[-LINES_KEPT:] if ran else [],
            "stderr_lines": ran.stream("stderr")[-LINES_KEPT:] if ran else [],
            "manifest_diff": manifest_diff,
            "plan": None,
            "notes": self.notes,
            "diff": _diff(listed, None if will else after.manifest_tags, manifest_diff),
        }


def missing_manifests(node: Node) -> list[str]:
    """Control-plane manifests that a control-plane node must have and this one lacks.

    None while kubeadm runs, which moves each away before it puts the new one there.
    """
    if Runner(node).running():
        return []
    pods, _foreign = node.static_pods()
    return [f"{component}.yaml" for component in CONTROL_PLANE_COMPONENTS if component not in pods]


def _step(step: JsonDict) -> JsonDict:
    finished = step["finished"]
    return {
        "name": step["name"],
        "started": utc_at(step["started"]),
        "finished": utc_at(finished) if finished else "",
        "duration_s": round(finished - step["started"], 1) if finished else None,
        "outcome": step["outcome"],
    }


def _diff(listed: list[JsonDict], seen: dict[str, str] | None, manifest_diff: str) -> list[dict[str, str]]:
    """Image tags before, and after: as they were seen then, or as they would be where nothing was run."""
    tags = {component["name"]: component["to"] for component in listed} if seen is None else seen
    before = "".join(f"{component['name']} {component['from']}\n" for component in listed)
    after = "".join(f"{component['name']} {tags.get(component['name'], '')}\n" for component in listed)
    found = [{"before_header": "static pods", "after_header": "static pods", "before": before, "after": after}]
    return [*found, {"prepared": manifest_diff}] if manifest_diff else found


def _plan(text: str) -> JsonDict:
    """The UpgradePlan in what ``kubeadm upgrade plan -o json`` printed; nothing printed is: nothing to upgrade."""
    start = text.find("{")
    if start < 0:
        return {"availableUpgrades": [], "configVersions": []}
    try:
        plan = json.loads(text[start:])
    except ValueError as error:
        raise UpgradeError(f"kubeadm upgrade plan printed no JSON: {error}.") from error
    return t.cast("JsonDict", plan)
