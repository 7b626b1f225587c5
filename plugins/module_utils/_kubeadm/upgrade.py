# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Bring one node's kubeadm-managed part to a version: observe, decide, act, prove.

On a control-plane node the static pods and the kubelet are replaced by one
swap (`_static_pods.swap`), and kubeadm has the last word. On a worker kubeadm
writes the configuration of the kubelet, which is restarted.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
import typing as t
from dataclasses import asdict, replace

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline, seconds_between, utc_at
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import manifest as etcd_manifest
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import observe as etcd_observe
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import waiting as etcd_waiting
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import (
    compose,
    decisions,
    exchange,
    kubelet_service,
    kubelet_trial,
    output,
    patches,
)
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
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import leader_lease
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods import swap_unit
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.swap import (
    DONE,
    PUT_BACK,
    Outcome,
    SwapError,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._systemd import systemctl

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import Access
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.exchange import Wanted
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node

_PATCHES = f"{_node_state.STATE}/patches"
_LOOK_S = 1.0
_PROOF_S = 0.5
_REQUEST_S = 5.0
_FOLLOW_S = 90.0
"""How long the processes may take to follow manifests that are new already, before kubeadm is run again."""
_READ_ONLY_S = 120.0
_LEADER_S = 60.0
_KUBELET_S = 120.0
_INDEX_GAP = 1000
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
        self._wanted: Wanted | None = None
        self._not_wanted = ""
        self._installed_kubelet = ""
        self._addresses: list[str] = []
        self._outcome: Outcome | None = None
        self._ran: Ran | None = None
        self._lines: list[Line] = []
        self._steps: list[JsonDict] = []
        self._kubelet_restarted = ""
        self._as_before = True
        self._began = time.monotonic()

    # -- observe

    def observe(self, *, timeout_s: float = _REQUEST_S) -> Evidence:
        """Look once. What cannot be seen is empty in the evidence; nothing is raised but for unreadable credentials."""
        pods, _foreign = self.node.static_pods()
        note = self.runner.unfinished()
        pid = self.node.kubelet_pid()
        evidence = Evidence(
            control_plane=self.options.role != "worker",
            manifest_tags={component: pod.tag for component, pod in pods.items()},
            kubelet_running_version=self.node.kubelet_running_version(pid) if pid else "",
            kubelet_config_written=self.node.modified(node_paths.KUBELET_CONFIG),
            interrupted=str(note.get("target") or ""),
        )
        self._installed_kubelet = self._installed_kubelet or self.node.version_of("kubelet", "--version")
        evidence.kubelet_installed_version = self._installed_kubelet
        if not evidence.control_plane:
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
            with contextlib.suppress(NoAnswer, Refused):
                evidence.mirror_pods = api.mirror_pods(timeout_s).get(self.name, {})
        if not evidence.cluster_version:
            # Its own API server is away; through the kubeconfig's address another one may answer.
            self._observe_cluster(self._api(), evidence, timeout_s)
        if self._wanted:
            evidence.differing = exchange.differing(self.node, self._wanted.manifests)
            evidence.expected_etcd_tag = evidence.expected_etcd_tag or self._wanted.etcd_tag
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
        if evidence.control_plane and not self._wanted and not self._not_wanted:
            self._compose(api, configuration, timeout_s)

    def _compose(self, api: NodeApi, configuration: JsonDict, timeout_s: float) -> None:
        """Ask kubeadm for the manifests once, where it is one that writes those of the target."""
        if not decisions.composes(self.installed_kubeadm(), self.options):
            return
        with contextlib.suppress(NoAnswer, Refused):
            self._addresses = api.node_addresses(self.name, timeout_s)
        try:
            self._wanted = exchange.wanted(
                self.node, self._kubeadm, json.dumps(configuration), self.options, self._note
            )
        except EvergreenError as error:
            self._not_wanted = str(error)

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

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

    def _proxies(self) -> t.Mapping[str, str] | None:
        """The proxy variables for kubeadm, which copies them into each static pod that it writes: those that are there.

        None leaves those of this process: on a worker, and where a manifest is away.
        """
        if self.options.role == "worker" or missing_manifests(self.node):
            return None
        return compose.node_facts(self.node).proxies

    def installed_kubeadm(self) -> str:
        """``1.35.4``; empty where kubeadm is missing."""
        return self.node.version_of("kubeadm", "version", "-o", "short")

    # -- decide

    def upgrade(self) -> JsonDict:
        """States upgraded and rolled_back. Raises UpgradeError, with the result so far in it, and Busy."""
        try:
            return self._upgrade()
        except EvergreenError as error:
            error.result = {**error.result, "as_before": self._as_before}
            raise

    def _upgrade(self) -> JsonDict:
        waited = self.runner.acquire(self.deadline)
        if waited:
            self.notes.append(
                f"Another task or kubeadm was still upgrading this node; it was waited for, {waited:.0f} s."
            )
        if self.options.role != "worker":
            self._end_earlier()
        decisions.check_kubeadm(self.installed_kubeadm(), self.options, self.name)
        decisions.resolve_role(self.options.role, self.node.is_control_plane(), missing_manifests(self.node), self.name)
        before = self._settled(reads_api=True)
        missing = decisions.judge(before, self.options)
        if not before.control_plane:
            return self._act_on_worker(before) if missing else self.result(before, before, changed=False)
        if self._wanted is None:
            raise UpgradeError(
                f"The manifests of {self.options.target} for {self.name} are not known: "
                f"{self._not_wanted or f'kubeadm-config could not be read: {before.cluster_version_error}'}",
                hint="See that an API server answers on this node, then run this again.",
                result=self.result(before, before, changed=False, missing=missing),
            )
        if missing:
            return self._act(before, self._wanted)
        self._forget()
        return self.result(before, before, changed=self._outcome is not None)

    def predict(self) -> JsonDict:
        """The same in check mode."""
        before = self._settled()
        missing = decisions.judge(before, self.options)
        if self.options.rollback and before.control_plane:
            # The kubelet may be rolled back by an earlier step of the run, which it is not in check mode.
            decisions.check_rollback(self.node.static_pods()[0], "", self.options, self.name)
        if before.control_plane and not self._wanted:
            installed = self.installed_kubeadm() or "not installed"
            why = self._not_wanted or f"kubeadm on {self.name} is {installed}, not {self.options.target}"
            self.notes.append(f"{why.rstrip('.')}: predicted from the state of the node alone.")
        return self.result(before, before, changed=bool(missing), missing=missing, manifest_diff=self._manifest_diff())

    def _end_earlier(self) -> None:
        """Wait for what an interrupted task left to run, and restore what it left half done."""
        found = swap_unit.running()
        # What an earlier task began is judged by its end alone.
        self._as_before = not found and not self.runner.unfinished()
        if found:
            self.notes.append(f"A swap to {found['purpose']} was still running on this node; it was waited for.")
        outcome = swap_unit.wait(self.deadline) if found else swap_unit.last()
        if outcome and outcome.purpose == self.options.target:
            self._swapped(outcome)
        if outcome and outcome.outcome != DONE and outcome.purpose == self.options.target:
            raise self._swap_failed(outcome, self.observe())
        try:
            if outcome:
                exchange.forget_kubelet_files(self.node)
            else:
                exchange.restore_kubelet_files(self.node)
            for name in self.runner.restore_manifests(missing_manifests(self.node)):
                self.notes.append(f"{name}, which an interrupted kubeadm had moved away, was copied back.")
        except OSError as error:
            raise self._no_file(error) from None
        if outcome and outcome.purpose != self.options.target:
            self.notes.append(f"An earlier swap to {outcome.purpose} ended: {outcome.outcome}. {outcome.cause}".strip())
            swap_unit.forget()

    def _settled(self, *, reads_api: bool = False) -> Evidence:
        """The evidence; where the files are new and the processes are not, after these had time to follow.

        With `reads_api` also an API server has that time, which may just start.
        """
        until = time.monotonic() + self.deadline.clip(_FOLLOW_S)
        while True:
            evidence = self.observe()
            waits = decisions.processes_lag(evidence, self.options) or (reads_api and evidence.cluster_version_error)
            if not waits or time.monotonic() >= until:
                return evidence
            self.deadline.sleep(_LOOK_S)

    # -- act

    def _act_on_worker(self, before: Evidence) -> JsonDict:
        started = time.time()
        self._as_before = False
        if not self.options.rollback:
            decisions.check_cluster_version(before, self.options, self.name)
            self.runner.begin(self.options.target)
            self._run(decisions.argv(self._kubeadm, self.options), before)
        if decisions.restarts_kubelet(before, self.options):
            self._restart_kubelet(before)
        return self._proven(before, started)

    def _restart_kubelet(self, before: Evidence) -> None:
        began = time.time()
        try:
            self._kubelet_restarted = kubelet_service.restart(self.node, Deadline(self.deadline.clip(_KUBELET_S)))
        except EvergreenError as error:
            error.result = self.result(before, self.observe(), changed=True)
            raise
        step = {"name": "restart-kubelet", "started": began, "finished": time.time(), "outcome": "ok"}
        self._steps.append(_step(step))

    def _act(self, before: Evidence, goal: Wanted) -> JsonDict:
        if self.options.rollback:
            kubelet = before.kubelet_installed_version
            decisions.check_rollback(self.node.static_pods()[0], kubelet, self.options, self.name)
        else:
            decisions.check_cluster_version(before, self.options, self.name)
        started = time.time()
        options = replace(self.options, patches=goal.write_patches(_PATCHES, self.options.patches))
        kubeadm = decisions.needs_kubeadm(before, options)
        checks = decisions.preflight_argv(self._kubeadm, options) if kubeadm else []
        # Those before an earlier task's swap have passed.
        if checks and not self._outcome:
            self._check(checks, before)
        self.runner.begin(options.target)
        if before.differing or decisions.kubelet_changes(before):
            self._start_swap(before, options, goal, kubeadm=kubeadm)
            self._as_before = False
            try:
                self._swapped(swap_unit.wait(self.deadline))
            except SwapError as error:
                error.result = self.result(before, self.observe(), changed=True)
                raise
            if self._outcome and self._outcome.outcome != DONE:
                raise self._swap_failed(self._outcome, before)
        self._as_before = False
        if kubeadm:
            self._have_kubeadm_finish(before, decisions.last_word(options, checked=bool(checks)))
        return self._proven(before, started)

    def _start_swap(self, before: Evidence, options: Options, goal: Wanted, *, kubeadm: bool) -> None:
        """Do all that stops nothing, then start the swap. Where that fails, the kubelet's files are as before."""
        try:
            if swap_unit.last():
                swap_unit.forget()
            exchange.keep_kubelet_files(self.node)
            if kubeadm and options.certificate_renewal and before.differing:
                self._run(decisions.renew_argv(self._kubeadm, self.node.certificates_dir(), options), before)
            for argv in decisions.kubelet_argvs(self._kubeadm, options) if kubeadm else ():
                self._run(argv, before)
            kubelet_trial.try_kubelet(self.name)
            swap = exchange.stage(self.node, goal, self._addresses, before, options)
            self._wait_for_others()
            if any(pod.name == "etcd" for pod in swap.pods):
                self._move_leader()
            swap_unit.start(swap)
        except (EvergreenError, OSError) as error:
            if swap_unit.running():
                self._as_before = False
            else:
                # What is not restored now is by the next run.
                with contextlib.suppress(OSError):
                    exchange.restore_kubelet_files(self.node)
            failure = self._no_file(error) if isinstance(error, OSError) else error
            failure.result = failure.result or self.result(before, self.observe(), changed=self._did_change())
            raise failure from None

    def _wait_for_others(self) -> None:
        """Wait until the control plane of every other node is Ready. Raises UpgradeError at the deadline.

        A component answers for up to 20 s before the kubelet says so, since startup probes ask every ten seconds.
        """
        deadline, left = Deadline(self.deadline.clip(exchange.READY_S)), ["no API server answered"]
        while not deadline.expired():
            with contextlib.suppress(NoAnswer, Refused):
                left = decisions.others_not_ready(self._api().mirror_pods(_REQUEST_S), self.name, self.options)
                if not left:
                    return
            deadline.sleep(_PROOF_S)
        raise UpgradeError(
            f"The control plane of other nodes is not ready after {deadline.seconds:.0f} s: {', '.join(left)}. "
            f"Nothing was stopped on {self.name}.",
            hint="See kubectl --namespace kube-system get pods --selector tier=control-plane, then run this again.",
        )

    def _etcd(self) -> tuple[etcd_observe.Client, Access]:
        access = etcd_manifest.access_from_manifest(self.node.read(f"{node_paths.MANIFESTS}/etcd.yaml") or "")
        return etcd_observe.open_client(access, {"route": "auto"})[0], access

    def _move_leader(self) -> None:
        """Have another etcd member lead, if there is one. Raises EtcdError."""
        client, access = self._etcd()
        moved = etcd_waiting.follower(
            client,
            access,
            Deadline(self.deadline.clip(_LEADER_S)),
            max_index_gap=_INDEX_GAP,
            interval_s=_LOOK_S,
            check_mode=False,
        )
        if moved["moved_to"]:
            self.notes.append(f"The etcd leadership was moved from {moved['moved_from']} to {moved['moved_to']}.")

    def _wait_for_etcd(self) -> None:
        """Wait until every member of etcd is healthy, so that the next node may stop. Raises EtcdError."""
        client, access = self._etcd()
        etcd_waiting.healthy(
            client,
            access,
            Deadline(self.deadline.clip(exchange.READY_S)),
            max_index_gap=_INDEX_GAP,
            expected_members=(),
            consecutive=1,
            interval_s=_PROOF_S,
        )

    def _have_kubeadm_finish(self, before: Evidence, options: Options) -> None:
        """Run ``kubeadm upgrade``, which finds the manifests equal, and restart a kubelet that it configured anew."""
        self._wait_for_mirror_pod()
        texts = exchange.kubelet_texts(self.node)
        ran = self._run(decisions.argv(self._kubeadm, options), before)
        written = [
            step.name
            for step in output.parse_steps(ran.lines)
            if step.name.startswith("control-plane/") and step.outcome != "unchanged"
        ]
        if written:
            self.notes.append(f"kubeadm wrote manifests once more: {', '.join(written)}.")
        if exchange.kubelet_texts(self.node) != texts:
            systemctl("restart", "kubelet")

    def _wait_for_mirror_pod(self) -> None:
        """Wait until an API server shows the new API server's pod, which its kubelet creates when it has registered.

        By these pods kubeadm tells whether every node is upgraded, and its addons are to follow
        (cmd/kubeadm/app/phases/upgrade/postupgrade.go). The proof fails where none comes.
        """
        tag, deadline = self.node.static_pods()[0]["kube-apiserver"].tag, Deadline(self.deadline.clip(exchange.READY_S))
        while not deadline.expired():
            with contextlib.suppress(NoAnswer, Refused):
                pod = self._api().mirror_pods(_REQUEST_S).get(self.name, {}).get("kube-apiserver")
                if pod and pod.tag == tag:
                    return
            deadline.sleep(_PROOF_S)

    def _check(self, argv: list[str], before: Evidence) -> None:
        """Run kubeadm's checks, once more where CreateJob alone failed. Raises UpgradeError."""
        try:
            self._run(argv, before)
        except UpgradeError as error:
            if not decisions.create_job_alone_failed(error.result.get("failure", {}).get("checks", [])):
                raise
            self.notes.append("kubeadm's check CreateJob was run twice: no controller manager had run its Job in time.")
            self._wait_for_controller_manager()
            self._run(argv, before)

    def _wait_for_controller_manager(self) -> None:
        """Wait until a controller manager renews the lease of their leader. Where none does, kubeadm's check fails."""
        pod = self.node.static_pods()[0].get("kube-controller-manager")
        if pod is None or pod.flags.get("leader-elect") == "false":
            return
        namespace, name = leader_lease(pod.flags, "kube-controller-manager")
        path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"
        deadline, first = Deadline(self.deadline.clip(_LEADER_S)), ""
        while not deadline.expired():
            with contextlib.suppress(NoAnswer, Refused):
                renewed = str(self._api().get(path, _REQUEST_S)["spec"].get("renewTime"))
                if first and renewed != first:
                    return
                first = renewed
            deadline.sleep(_PROOF_S)

    def _run(self, argv: list[str], before: Evidence) -> Ran:
        """Run kubeadm. Raises UpgradeError where it fails."""
        ran = self.runner.run(argv, self.deadline, self._proxies())
        self._ran = ran
        self._lines += ran.lines
        steps = output.parse_steps(ran.lines, time.time(), ran.rc)
        self._steps += [_step(asdict(step)) for step in steps if step.name != "start" or ran.rc != 0]
        if not ran.timed_out and ran.rc == 0:
            return ran
        message, hint = decisions.failure(ran, steps, self.name, self._elapsed())
        after = self.observe()
        changed = after.manifest_tags != before.manifest_tags or self._did_change()
        if not (changed or before.interrupted or ran.timed_out):
            self.runner.finished()
            after.interrupted = ""
        result = self.result(before, after, changed=changed, missing=decisions.judge(after, self.options))
        result["failure"] = {
            "phase": output.failed_phase(ran.lines, steps),
            "errors": output.error_lines(ran.lines),
            "checks": output.failed_checks(ran.lines),
            "rolled_back": output.rolled_back(ran.lines),
            "timed_out": ran.timed_out,
        }
        raise UpgradeError(message, hint=hint, result=result)

    def _did_change(self) -> bool:
        return any(step["name"] not in ("start", "preflight") for step in self._steps)

    def _swapped(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self._as_before = outcome.outcome == PUT_BACK
        self._steps += [_swap_step(step) for step in outcome.steps]

    def _swap_failed(self, outcome: Outcome, before: Evidence) -> UpgradeError:
        """The error of a swap whose new components did not start; after this report it is forgotten."""
        message, hint = decisions.swap_failure(outcome, self.name)
        if outcome.outcome == PUT_BACK:
            self.runner.finished()
        after = self.observe()
        result = self.result(before, after, changed=True, missing=decisions.judge(after, self.options))
        result["failure"] = {
            "phase": f"swap/{outcome.component}".rstrip("/"),
            "errors": [outcome.cause],
            "checks": [],
            "rolled_back": outcome.outcome == PUT_BACK,
            "timed_out": False,
        }
        # What is not forgotten now is reported once more by the next run.
        with contextlib.suppress(EvergreenError, OSError):
            self._forget()
        return UpgradeError(message, hint=hint, result=result)

    def _no_file(self, error: OSError) -> UpgradeError:
        return UpgradeError(
            f"{error.filename or _node_state.STATE} could not be read or written on {self.name}: {error.strerror}.",
            hint="See whether the disk is full. Nothing was stopped.",
        )

    def _forget(self) -> None:
        """Remove what an upgrade that is finished has left on the node."""
        self.runner.finished()
        patches.remove(str(self.node.path(_PATCHES)))
        exchange.forget_kubelet_files(self.node)
        if self.options.role != "worker" and swap_unit.last():
            swap_unit.forget()

    # -- prove

    def _proven(self, before: Evidence, started: float) -> JsonDict:
        """Wait until the evidence says done. Raises UpgradeError at the deadline."""
        while True:
            after = self.observe()
            after.interrupted = ""
            missing = self._unproven(after, started)
            if not missing:
                result = self.result(before, after, changed=True)
                if "etcd" in after.manifest_tags:
                    try:
                        self._wait_for_etcd()
                    except EvergreenError as error:
                        error.result = result
                        raise
                self._forget()
                return result
            if self.deadline.expired():
                raise UpgradeError(
                    f"{self.name} was brought to {self.options.target}, but it is not proven after "
                    f"{self._elapsed():.0f} s: {'; '.join(missing)}.",
                    hint=f"See crictl ps -a and journalctl -u kubelet -n 100 on {self.name}, then run this again.",
                    result=self.result(before, after, changed=True, missing=missing),
                )
            self.deadline.sleep(_PROOF_S)

    def _unproven(self, after: Evidence, started: float) -> list[str]:
        if after.control_plane:
            # A swap has asked the components themselves.
            return decisions.judge(after, self.options, ready=self._outcome is None)
        # The kubelet of another package follows when that is installed.
        missing = decisions.judge_kubelet(after)
        written = self.options.rollback or "kubelet-config" in self.options.skip_phases
        # One second of slack: file times come from a coarser clock than time.time().
        if not written and after.kubelet_config_written < started - 1:
            missing.append(f"{node_paths.KUBELET_CONFIG} was not written")
        return missing

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
        diff = self._manifest_diff()
        result = self.result(evidence, evidence, changed=False, missing=missing, manifest_diff=diff)
        if not evidence.control_plane:
            return result
        installed = self.installed_kubeadm()
        if not decisions.composes(installed, self.options):
            self.notes.append(
                f"kubeadm on {self.name} is {installed or 'not installed'}, not {self.options.target}: kubeadm was not "
                "asked for its plan."
            )
            return result
        if self._not_wanted:
            self.notes.append(self._not_wanted)
        if check_mode:
            self.notes.append("kubeadm upgrade plan was not asked: it creates a short-lived Job in kube-system.")
            return result
        lines = self._read_only(decisions.plan_argv(self._kubeadm, self.options))
        result["plan"] = _plan(lines)
        return result

    def _manifest_diff(self) -> str:
        return exchange.manifest_diff(self.node, self._wanted.manifests) if self._wanted else ""

    def _read_only(self, argv: list[str]) -> str:
        """What a kubeadm that changes nothing prints. Raises UpgradeError where it fails."""
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=environment(self._proxies()),
                timeout=self.deadline.clip(_READ_ONLY_S),
                check=False,
            )
            rc, stderr = done.returncode, done.stderr
        except subprocess.TimeoutExpired as error:
            rc, stderr = None, error.stderr or b""
        if rc == 0:
            return done.stdout.decode("utf-8", "replace")
        lines = [Line(at=time.time(), stream="stderr", text=plain_text(line)) for line in stderr.splitlines()]
        message, hint = decisions.failure(Ran(argv, rc, lines, timed_out=rc is None), [], self.name, self._elapsed())
        raise UpgradeError(message, hint=hint)

    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    def result(
        self,
        before: Evidence,
        after: Evidence,
        *,
        changed: bool,
        missing: list[str] | None = None,
        manifest_diff: str = "",
    ) -> JsonDict:
        """The module's result, in the shape of its RETURN block."""
        ran, lines = self._ran, self._lines
        streams = {
            name: [line.text for line in lines if line.stream == name][-LINES_KEPT:] for name in ("stdout", "stderr")
        }
        listed = decisions.components(before, self.options)
        will = after is before and changed and not ran
        predicted = self.options
        if will and self._wanted:
            predicted = replace(predicted, patches=self._wanted.folder(_PATCHES, predicted.patches))
        command = ran.argv if ran else decisions.predicted_argv(predicted) if will else []
        return {
            "changed": changed,
            "node": self.name,
            "role": self.options.role,
            "from": decisions.current_version(before),
            "to": self.options.target,
            "done": not missing,
            "missing": missing or [],
            "components": listed,
            "steps": self._steps,
            "swap": self._outcome.to_json() if self._outcome else {},
            "kubelet_restarted": self._kubelet_restarted,
            "evidence": asdict(after),
            "addons": output.parse_addons(lines),
            "bypasses": decisions.bypasses(self.options),
            "command": command,
            # Ansible takes any rc but 0, null included, for a failure.
            **({"rc": ran.rc} if ran and ran.rc is not None else {}),
            "stdout_lines": streams["stdout"],
            "stderr_lines": streams["stderr"],
            "manifest_diff": manifest_diff,
            "plan": None,
            "notes": self.notes,
            "diff": _diff(listed, None if will else after.manifest_tags, manifest_diff),
        }


def missing_manifests(node: Node) -> list[str]:
    """Control-plane manifests that a control-plane node must have and this one lacks.

    None while a kubeadm or a swap runs, which move each away before they put the new one there.
    """
    if Runner(node).kubeadms() or swap_unit.running():
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


def _swap_step(step: t.Mapping[str, str]) -> JsonDict:
    """The same of a step of a swap, whose times are text."""
    started, finished = step["started"], step["finished"]
    took = seconds_between(started, finished)
    return {
        "name": f"swap/{step['name']}",
        "started": started,
        "finished": finished,
        "duration_s": round(took, 1) if took is not None else None,
        "outcome": "ok" if finished else "interrupted",
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
