# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What an upgrade of one node has to do, and whether it is done: pure functions on what was observed."""

from __future__ import annotations

import re

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _emulation
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import utc_at
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.pod_logs import KEPT
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import output
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import (
    CONTROL_PLANE_COMPONENTS,
    STATIC_POD_COMPONENTS,
    Evidence,
    JsonDict,
    Options,
    Ran,
    Step,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._node_state import STATE
from ansible_collections.evergreen.kubeadm.plugins.module_utils._redaction import HIDDEN, redact
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version, VersionError

MOST_VERBOSE = 10
_VARIABLE = re.compile(r"(?P<before>\s*(?:-\s+)?value:\s*)\S")


class UpgradeError(EvergreenError):
    """An upgrade that cannot start, did not succeed or is not proven."""


def resolve_role(asked: str, is_control_plane: bool, missing: list[str], node: str) -> str:
    """The role to act in. `missing` are control-plane manifests that a control-plane node should have.

    Raises UpgradeError where the node is not what was asked, or is damaged:
    kubeadm takes a node without kube-apiserver.yaml for a worker and would
    silently leave its control plane alone.
    """
    if not is_control_plane:
        if asked in ("auto", "worker"):
            return "worker"
        raise UpgradeError(
            f"{node} is to be upgraded as {asked}, but it has no control-plane manifests and no admin.conf.",
            hint="Put the host into the group that it belongs to.",
        )
    if asked == "worker":
        raise UpgradeError(
            f"{node} is to be upgraded as a worker, but kubeadm made it a control-plane node.",
            hint="Use role control_plane, or first_control_plane where the upgrade begins.",
        )
    if missing:
        raise UpgradeError(
            f"{node} is a control-plane node, but {', '.join(missing)} is missing in /etc/kubernetes/manifests.",
            hint="An interrupted upgrade leaves it in the newest /etc/kubernetes/tmp/kubeadm-backup-manifests-*: "
            "copy it back, wait for the component, then run this again.",
        )
    return "control_plane" if asked == "auto" else asked


def check_options(options: Options) -> None:
    """Raise UpgradeError for what is never right."""
    if any(name.strip().lower() == "all" for name in options.ignore_preflight_errors):
        raise UpgradeError(
            "ignore_preflight_errors: all is refused: it hides every reason not to start.",
            hint="Name the checks that kubeadm reports, such as CreateJob.",
        )
    if not 0 <= options.verbosity <= MOST_VERBOSE:
        raise UpgradeError(
            f"verbosity {options.verbosity} is no level of kubeadm's log.",
            hint=f"Choose one from 0 to {MOST_VERBOSE}; 5 adds stack traces, 8 and more what is sent and received.",
        )


def check_kubeadm(installed: str, options: Options, node: str) -> None:
    """Raise UpgradeError unless the installed kubeadm is the target's: it would upgrade to its own ideas."""
    if installed == str(Version.parse(options.target)):
        return
    seen = f"kubeadm on {node} is {installed}" if installed else f"kubeadm is not installed on {node}"
    raise UpgradeError(
        f"{seen}, and {options.target} needs kubeadm {options.target}.",
        hint=f"Install the package kubeadm {options.target[1:]} on {node}, and nothing else yet, then run this again.",
    )


def check_cluster_version(evidence: Evidence, options: Options, node: str) -> None:
    """Raise UpgradeError where ``kubeadm upgrade node`` would bring the node to another version than the target.

    That command takes the version from kubeadm-config, which only ``kubeadm upgrade apply`` moves.
    """
    if options.role == "first_control_plane" or not evidence.cluster_version:
        return
    if Version.parse(evidence.cluster_version) != Version.parse(options.target):
        raise UpgradeError(
            f"kubeadm-config says {evidence.cluster_version}, so kubeadm upgrade node would bring {node} to that "
            f"version and not to {options.target}.",
            hint="Upgrade the first control-plane node first (role first_control_plane), then the others.",
        )


def argv(kubeadm: str, options: Options) -> list[str]:
    """The command that upgrades the node."""
    if options.role == "first_control_plane":
        command = [kubeadm, "upgrade", "apply", options.target, "--yes", *_pre_release(options)]
    else:
        command = [kubeadm, "upgrade", "node"]
    if options.kubeconfig:
        command.append(f"--kubeconfig={options.kubeconfig}")
    if options.ignore_preflight_errors:
        command.append(f"--ignore-preflight-errors={','.join(options.ignore_preflight_errors)}")
    if options.patches:
        command.append(f"--patches={options.patches}")
    if not options.certificate_renewal:
        command.append("--certificate-renewal=false")
    if not options.etcd_upgrade:
        command.append("--etcd-upgrade=false")
    if options.skip_phases:
        command.append(f"--skip-phases={','.join(options.skip_phases)}")
    if options.verbosity:
        command.append(f"--v={options.verbosity}")
    return command


def plan_argv(kubeadm: str, options: Options) -> list[str]:
    """``kubeadm upgrade plan`` for the target; with the version named it asks nothing of the internet."""
    command = [kubeadm, "upgrade", "plan", options.target, "-o", "json", *_pre_release(options)]
    if options.kubeconfig:
        command.append(f"--kubeconfig={options.kubeconfig}")
    if options.ignore_preflight_errors:
        command.append(f"--ignore-preflight-errors={','.join(options.ignore_preflight_errors)}")
    if not options.etcd_upgrade:
        command.append("--etcd-upgrade=false")
    return command


def without_secrets(diff: str) -> str:
    """The changed lines of a diff of manifests, without values of variables and what looks like a secret."""
    kept: list[str] = []
    column: int | None = None
    for line in diff.splitlines():
        body = line[1:]
        # What is deeper than the key goes on with its value.
        goes_on = column is not None and line[:1] in "+-" and len(body) - len(body.lstrip()) > column
        if goes_on:
            continue
        variable = _VARIABLE.match(body)
        column = variable["before"].index("value") if variable else None
        if line.startswith(("+", "-", "@@")):
            kept.append(f"{line[0]}{variable['before']}{HIDDEN}" if variable else line)
    return redact("".join(f"{line}\n" for line in kept))


def diff_argv(kubeadm: str, options: Options) -> list[str]:
    """``kubeadm upgrade diff``: the manifests of this node against those that the target would have."""
    command = [kubeadm, "upgrade", "diff", options.target]
    return [*command, f"--kubeconfig={options.kubeconfig}"] if options.kubeconfig else command


def _pre_release(options: Options) -> list[str]:
    pre = Version.parse(options.target).pre
    if not pre:
        return []
    return ["--allow-release-candidate-upgrades" if pre.startswith("rc") else "--allow-experimental-upgrades"]


def bypasses(options: Options) -> list[JsonDict]:
    """What the user switched off, for the report: ``[{option, value}]``."""
    found: list[JsonDict] = []
    if options.ignore_preflight_errors:
        found.append({"option": "ignore_preflight_errors", "value": list(options.ignore_preflight_errors)})
    if options.skip_phases:
        found.append({"option": "skip_phases", "value": list(options.skip_phases)})
    if not options.etcd_upgrade:
        found.append({"option": "etcd_upgrade", "value": False})
    if not options.certificate_renewal:
        found.append({"option": "certificate_renewal", "value": False})
    if Version.parse(options.target).pre:
        found.append({"option": "kubernetes_version", "value": options.target})
    return found


def judge(evidence: Evidence, options: Options) -> list[str]:
    """What is not yet as the upgrade must leave it; empty where this node's part is done.

    The evidence is that of kubeadm's own end-to-end waiters: image tags of the
    static pods, the version that this very API server reports, and kubeadm's
    configuration in the cluster. A worker has little of it: the running
    kubelet, which comes last in the order of an upgrade.
    """
    missing: list[str] = []
    if evidence.interrupted == options.target:
        missing.append(f"an earlier run to {options.target} on this node did not succeed")
    if not evidence.control_plane:
        if not _same(evidence.kubelet_running_version, options.target):
            missing.append(f"kubelet runs {evidence.kubelet_running_version or 'not'}, not {options.target}")
        return missing
    if not _skips(options, "control-plane"):
        missing += _judge_control_plane(evidence, options)
    configures = options.role == "first_control_plane" and not _skips(options, "upload-config", "upload-config/kubeadm")
    if configures and not _same(evidence.cluster_version, options.target):
        seen = evidence.cluster_version or f"unknown ({evidence.cluster_version_error})"
        missing.append(f"kubernetesVersion in kubeadm-config is {seen}, not {options.target}")
    return missing


def _judge_control_plane(evidence: Evidence, options: Options) -> list[str]:
    missing = _judge_manifests(evidence, options)
    server = f"the API server at {evidence.api_server}" if evidence.api_server else "this node's API server"
    if evidence.api_server_error:
        missing.append(f"{server} does not answer: {evidence.api_server_error}")
    else:
        if not _same(evidence.api_server_version, options.target):
            missing.append(f"{server} is {evidence.api_server_version or 'of unknown version'}, not {options.target}")
        if not evidence.api_server_ready:
            missing.append(f"{server} is not ready")
    if evidence.mirror_pods is None:
        missing.append("the control-plane pods of this node could not be read")
        return missing
    for component, tag in evidence.manifest_tags.items():
        pod = evidence.mirror_pods.get(component)
        if pod is None:
            missing.append(f"pod {component} is not there")
        elif pod.tag != tag:
            missing.append(f"pod {component} still is {pod.tag}, its manifest {tag}")
        elif not pod.ready:
            missing.append(f"pod {component} is not Ready")
    return missing


def _judge_manifests(evidence: Evidence, options: Options) -> list[str]:
    missing = [
        f"the manifest of {component} has {evidence.manifest_tags.get(component) or 'no tag'}, not {options.target}"
        for component in CONTROL_PLANE_COMPONENTS
        if not _same(evidence.manifest_tags.get(component, ""), options.target)
    ]
    missing += _emulation.left_over(evidence.manifest_tags, evidence.emulated_versions, options.extra_flags)
    etcd, expected = evidence.manifest_tags.get("etcd", ""), evidence.expected_etcd_tag
    # kubeadm leaves an etcd that is newer than its own as it is.
    if etcd and expected and options.etcd_upgrade and _older(etcd, expected):
        missing.append(f"the manifest of etcd has {etcd}, not {expected}")
    return missing


def processes_lag(evidence: Evidence, options: Options) -> bool:
    """Whether the manifests are the target's and the processes are not there yet, so that waiting may be enough."""
    return (
        evidence.control_plane
        and not _skips(options, "control-plane")
        and not _judge_manifests(evidence, options)
        and bool(_judge_control_plane(evidence, options))
    )


def components(evidence: Evidence, options: Options) -> list[JsonDict]:
    """``[{name, from, to}]``: what the upgrade changes on this node, or has changed already."""
    if not evidence.control_plane:
        return []
    found: list[JsonDict] = []
    for component in STATIC_POD_COMPONENTS:
        tag = evidence.manifest_tags.get(component)
        if tag is None or _skips(options, "control-plane"):
            continue
        to = options.target
        if component == "etcd":
            to = evidence.expected_etcd_tag if options.etcd_upgrade and evidence.expected_etcd_tag else tag
            to = to if _older(tag, to) else tag
        found.append({"name": component, "from": tag, "to": to})
    return found


def current_version(evidence: Evidence) -> str:
    """``v1.34.4``: what the node runs now; its own API server's version, else its manifest's, else its kubelet's."""
    if not evidence.control_plane:
        return evidence.kubelet_running_version and f"v{evidence.kubelet_running_version}"
    return evidence.api_server_version or evidence.manifest_tags.get("kube-apiserver", "")


def busy(holder: JsonDict, kubeadm: JsonDict, node: str, seconds: float) -> tuple[str, str]:
    """Message and hint where another task did not end in time.

    `holder` and `kubeadm` are ``{pid, started}`` of it and of the kubeadm that
    runs, as far as they are known.
    """
    message = f"Another task{_process(holder)} is still at work on {node}: it had not ended after {seconds:.0f} s."
    if kubeadm.get("pid"):
        message += f" kubeadm{_process(kubeadm)} runs."
    pids = ",".join(str(each["pid"]) for each in (holder, kubeadm) if each.get("pid"))
    find = f"ps -fp {pids}" if pids else f"fuser -v {STATE}/kubeadm-upgrade.lock"
    hint = (
        "The task of a run that was killed goes on to its end, or to its own timeout_s. See what it waits for: "
        f"{find} and tail {STATE}/kubeadm-upgrade.stdout on {node}. Then run this again, and it is waited for once "
        "more."
    )
    if holder.get("pid"):
        hint += f" If the task hangs, end it with kill {holder['pid']} before; a kubeadm that it started goes on."
    return message, hint


def _process(found: JsonDict) -> str:
    if not found.get("pid"):
        return ""
    since = f", since {utc_at(float(found['started']))}" if found.get("started") else ""
    return f" (process {found['pid']}{since})"


def failure(ran: Ran, steps: list[Step], node: str, seconds: float) -> tuple[str, str]:
    """Message and hint for a run of kubeadm that did not succeed."""
    command = " ".join(["kubeadm", *ran.argv[1:]])
    phase = output.failed_phase(ran.lines, steps)
    where = f" in phase {phase}" if phase else ""
    errors = output.error_lines(ran.lines)
    if ran.timed_out:
        last = [text for text in ran.stream("stdout") if text.strip()][-3:] + errors[-3:]
        earlier = _process({"pid": ran.pid, "started": ran.started})
        who = f", started by an earlier task{earlier}," if ran.attached else ""
        message = f"{command} on {node}{who} was ended{where}: it had not finished after {seconds:.0f} s. "
        message += f"Its last lines: {' | '.join(last)}" if last else "It had written nothing."
        return message, (
            f"See why it waits: journalctl -u kubelet -n 100 and crictl ps -a on {node}. Then run this again with more "
            "time: what is done is not done twice."
        )
    end = f"exit code {ran.rc}" if ran.rc is not None else "its exit code was not seen"
    message = f"{command} on {node} failed{where} ({end}): {' | '.join(errors) or 'it wrote no error'}."
    if any(output.RESTORED_ETCD in line.text for line in ran.lines):
        message += " kubeadm put the earlier etcd data back."
    if output.rolled_back(ran.lines):
        message += " kubeadm put the earlier manifests back."
        return message, (
            f"See on {node} why the component did not come up: its log, which is kept in {KEPT} where it wrote one, "
            "and journalctl -u kubelet -n 100. Cure it, then run this again."
        )
    checks = output.failed_checks(ran.lines)
    if checks:
        names = ",".join(check["name"] for check in checks)
        return message, (
            "Nothing was changed. Cure what the checks name, then run this again; a check that is known not to matter "
            f"here can be passed over by name (ignore_preflight_errors: {names}), and the report will say so."
        )
    if phase in ("start", "preflight"):
        return message, "Nothing was changed. Cure what kubeadm names, then run this again."
    if phase.startswith("control-plane/etcd"):
        return message, "Check the members: etcdctl endpoint health --cluster on a control-plane node. Then run again."
    return message, f"See journalctl -u kubelet -n 100 on {node}. Then run this again: what is done is not done twice."


def _skips(options: Options, *phases: str) -> bool:
    return any(phase in options.skip_phases for phase in phases)


def _same(seen: str, target: str) -> bool:
    try:
        return Version.parse(seen) == Version.parse(target)
    except VersionError:
        return False


def _older(seen: str, expected: str) -> bool:
    try:
        return Version.parse(seen) < Version.parse(expected)
    except VersionError:
        return seen != expected
