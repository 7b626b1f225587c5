# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What an upgrade of one node has to do, and whether it is done: pure functions on what was observed."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _emulation
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import utc_at
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import output
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import (
    CONTROL_PLANE_COMPONENTS,
    STATIC_POD_COMPONENTS,
    Evidence,
    JsonDict,
    MirrorPod,
    Options,
    Ran,
    StaticPod,
    Step,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._node_state import STATE
from ansible_collections.evergreen.kubeadm.plugins.module_utils._redaction import HIDDEN, redact
from ansible_collections.evergreen.kubeadm.plugins.module_utils._rollback.decisions import why_not
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.swap import PUT_BACK, Outcome
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
            hint="A kubeadm that was interrupted leaves it in the newest "
            "/etc/kubernetes/tmp/kubeadm-backup-manifests-*: copy it back, wait for the component, then run this "
            "again.",
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


def composes(installed: str, options: Options) -> bool:
    """Whether the installed kubeadm writes the manifests of the target.

    For an upgrade it is the target's own. A kubeadm also deploys the minor before its own, which is a rollback; one
    of the kubelet alone, as on a worker, needs no manifest.
    """
    if options.rollback and (options.role == "worker" or _skips(options, "control-plane")):
        return True
    try:
        kubeadm, target = Version.parse(installed), Version.parse(options.target)
    except VersionError:
        return False
    if not options.rollback:
        return kubeadm == target
    return kubeadm.major == target.major and kubeadm.minor - target.minor in (0, 1) and kubeadm >= target


def check_kubeadm(installed: str, options: Options, node: str) -> None:
    """Raise UpgradeError unless the installed kubeadm writes the manifests of the target."""
    if composes(installed, options):
        return
    seen = f"kubeadm on {node} is {installed}" if installed else f"kubeadm is not installed on {node}"
    if options.rollback:
        raise UpgradeError(
            f"{seen}, which does not deploy {options.target}.",
            hint="Install the package kubeadm of that minor or of the next one, and run this again.",
        )
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


def check_rollback(pods: t.Mapping[str, StaticPod], kubelet: str, options: Options, node: str) -> None:
    """Raise UpgradeError where the control plane of a node cannot be rolled back to the target.

    `kubelet` is the version that is installed and will run; empty where that is not known yet.
    """
    target = Version.parse(options.target)
    for name in CONTROL_PLANE_COMPONENTS:
        refusal = why_not(pods[name].tag, pods[name].flags.get(_emulation.FLAG), target)
        if refusal:
            raise UpgradeError(
                f"{name} on {node} cannot be rolled back to {target.tag}: {refusal.why}.",
                hint="See docs/rollback.md for when a rollback is possible. The alternative is a restore of etcd.",
            )
    if kubelet and Version.parse(kubelet).minor > target.minor:
        raise UpgradeError(
            f"The kubelet that is installed on {node} is {kubelet}, and a kubelet must not be newer than an API server "
            f"that it can reach; {target.tag} is older.",
            hint="Roll back the kubelets first (rollback_kubelets).",
        )


PHASES_OF_APPLY = 32
"""The minor from which ``kubeadm upgrade apply`` has phases, which can be run alone or skipped."""


def preflight_argv(kubeadm: str, options: Options) -> list[str]:
    """kubeadm's checks and the pull of its images alone; empty where they are skipped, or are no phase yet."""
    first = options.role == "first_control_plane"
    if _skips(options, "preflight") or not _has_phases(options):
        return []
    command = [kubeadm, "upgrade", *(["apply"] if first else ["node"]), "phase", "preflight"]
    if first:
        command += [options.target, "--yes", *_pre_release(options), *_flags(options, "kubeconfig")]
    return [*command, *_flags(options, "ignore-preflight-errors", "v")]


def renew_argv(kubeadm: str, certificates: str, options: Options) -> list[str]:
    """The command that renews the certificates of the components, where their keys are on the node."""
    # The default of kubeadm is not the folder that kubeadm-config names.
    return [kubeadm, "certs", "renew", "all", f"--cert-dir={certificates}", *_flags(options, "kubeconfig", "v")]


def kubelet_argvs(kubeadm: str, options: Options) -> list[list[str]]:
    """The commands that bring the kubelet's configuration and flags to the target."""
    first = options.role == "first_control_plane" and _has_phases(options)
    command = [kubeadm, "upgrade", *(["apply"] if first else ["node"]), "phase"]
    common = [*([options.target] if first else []), *_flags(options, "kubeconfig", "v")]
    found = []
    if not _skips(options, "kubelet-config"):
        found.append([*command, "kubelet-config", *common, *_flags(options, "patches")])
    if not _skips(options, "post-upgrade") and Version.parse(options.target).minor >= PHASES_OF_APPLY:
        found.append([*command, "post-upgrade", *common])
    return found


def needs_kubeadm(evidence: Evidence, options: Options) -> bool:
    """Whether kubeadm is to run, and not only the kubelet to follow. In a rollback it would upgrade again."""
    followed = replace(evidence, kubelet_running_version=evidence.kubelet_installed_version)
    return not options.rollback and bool(judge(followed, options))


def predicted_argv(options: Options) -> list[str]:
    """The last command that an upgrade will run; empty where it runs none."""
    if options.rollback:
        return []
    if options.role == "worker":
        return argv("kubeadm", options)
    return argv("kubeadm", last_word(options, checked=_has_phases(options)))


def last_word(options: Options, *, checked: bool) -> Options:
    """The options of the ``kubeadm upgrade`` after a swap.

    It does not copy the data of etcd, which is upgraded already, and does not repeat the checks that were made.
    """
    skipped = (*options.skip_phases, *(["preflight"] if checked and not _skips(options, "preflight") else []))
    return replace(options, skip_phases=skipped, etcd_upgrade=False)


def _has_phases(options: Options) -> bool:
    return options.role != "first_control_plane" or Version.parse(options.target).minor >= PHASES_OF_APPLY


def _flags(options: Options, *names: str) -> list[str]:
    """The flags of kubeadm of these names that the options ask for, in that order."""
    values: dict[str, t.Any] = {
        "kubeconfig": options.kubeconfig,
        "ignore-preflight-errors": ",".join(options.ignore_preflight_errors),
        "patches": options.patches,
        "certificate-renewal": "" if options.certificate_renewal else "false",
        "etcd-upgrade": "" if options.etcd_upgrade else "false",
        "skip-phases": ",".join(options.skip_phases),
        "v": options.verbosity,
    }
    return [f"--{name}={values[name]}" for name in names if values[name]]


def argv(kubeadm: str, options: Options) -> list[str]:
    """The command that upgrades the node."""
    if options.role == "first_control_plane":
        command = [kubeadm, "upgrade", "apply", options.target, "--yes", *_pre_release(options)]
    else:
        command = [kubeadm, "upgrade", "node"]
    names = (
        "kubeconfig",
        "ignore-preflight-errors",
        "patches",
        "certificate-renewal",
        "etcd-upgrade",
        "skip-phases",
        "v",
    )
    return [*command, *_flags(options, *names)]


def plan_argv(kubeadm: str, options: Options) -> list[str]:
    """``kubeadm upgrade plan`` for the target; with the version named it asks nothing of the internet."""
    command = [kubeadm, "upgrade", "plan", options.target, "-o", "json", *_pre_release(options)]
    return [*command, *_flags(options, "kubeconfig", "ignore-preflight-errors", "etcd-upgrade")]


def without_secrets(diff: str) -> str:
    """The changed lines of a diff of manifests, without values of variables and what looks like a secret."""
    kept: list[str] = []
    column: int | None = None
    for line in diff.splitlines():
        body = line[1:]
        # What is deeper than the key belongs to its value.
        if column is not None and len(body) - len(body.lstrip()) > column:
            continue
        variable = _VARIABLE.match(body)
        column = variable["before"].index("value") if variable else None
        if line.startswith(("+", "-", "@@")):
            kept.append(f"{line[0]}{variable['before']}{HIDDEN}" if variable else line)
    return redact("".join(f"{line}\n" for line in kept))


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


def judge(evidence: Evidence, options: Options, *, ready: bool = True) -> list[str]:
    """What is not yet as the upgrade must leave it; empty where this node's part is done.

    The evidence is that of kubeadm's own waiters: the manifests, the image
    tags of the static pods, the version that this very API server reports, and
    kubeadm's configuration in the cluster; and a kubelet that is the installed
    one. A worker has little of it: the running kubelet, which comes last in
    the order of an upgrade. With `ready` of False the Ready conditions of the
    pods do not count, which follow probes of ten seconds.
    """
    missing: list[str] = []
    if evidence.interrupted == options.target:
        missing.append(f"an upgrade of this node to {options.target} was interrupted")
    if not evidence.control_plane:
        if not _same(evidence.kubelet_running_version, options.target):
            missing.append(f"kubelet runs {evidence.kubelet_running_version or 'not'}, not {options.target}")
        return missing
    if not _skips(options, "control-plane"):
        missing += _judge_manifests(evidence, options)
        missing += _judge_processes(evidence, options, ready=ready)
    missing += judge_kubelet(evidence)
    if configures(evidence, options):
        seen = evidence.cluster_version or f"unknown ({evidence.cluster_version_error})"
        missing.append(f"kubernetesVersion in kubeadm-config is {seen}, not {options.target}")
    return missing


def kubelet_changes(evidence: Evidence) -> bool:
    """Whether a restart of the kubelet would be one of another version."""
    installed = evidence.kubelet_installed_version
    return bool(installed) and evidence.kubelet_running_version != installed


def restarts_kubelet(evidence: Evidence, options: Options) -> bool:
    """Whether a worker's kubelet is restarted: it is another one, or has its new configuration to read.

    One that is not the target's yet keeps the configuration with which it was started: it may not know the new one.
    """
    return kubelet_changes(evidence) or _same(evidence.kubelet_installed_version, options.target)


def judge_kubelet(evidence: Evidence) -> list[str]:
    """What the kubelet is not as it must be: the one that is installed runs."""
    if not kubelet_changes(evidence):
        return []
    running, installed = evidence.kubelet_running_version, evidence.kubelet_installed_version
    return [f"kubelet runs {running or 'not'}, and {installed} is installed"]


def configures(evidence: Evidence, options: Options) -> bool:
    """Whether kubeadm is still to move the version in kubeadm-config."""
    return (
        options.role == "first_control_plane"
        and not options.rollback
        and not _skips(options, "upload-config", "upload-config/kubeadm")
        and not _same(evidence.cluster_version, options.target)
    )


def _judge_processes(evidence: Evidence, options: Options, *, ready: bool) -> list[str]:
    missing = []
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
        elif ready and not pod.ready:
            missing.append(f"pod {component} is not Ready")
    return missing


def _judge_manifests(evidence: Evidence, options: Options) -> list[str]:
    missing = []
    for component, tag in evidence.manifest_tags.items():
        expected = evidence.expected_etcd_tag if component == "etcd" else options.target
        old = _older(tag, expected) if component == "etcd" else not _same(tag, expected)
        # kubeadm leaves an etcd that is newer than its own as it is.
        if expected and old and (component != "etcd" or (options.etcd_upgrade and not options.rollback)):
            missing.append(f"the manifest of {component} has {tag}, not {expected}")
        elif component in (evidence.differing or ()):
            missing.append(f"the manifest of {component} is not the one of {options.target} with these options")
    missing += [
        f"the manifest of {component} is not there"
        for component in CONTROL_PLANE_COMPONENTS
        if component not in evidence.manifest_tags
    ]
    return missing


def processes_lag(evidence: Evidence, options: Options) -> bool:
    """Whether the manifests and the kubelet are the target's, and waiting may be enough for the processes."""
    return (
        evidence.control_plane
        and not evidence.interrupted
        and not _skips(options, "control-plane")
        and not _judge_manifests(evidence, options)
        and not kubelet_changes(evidence)
        and bool(_judge_processes(evidence, options, ready=True))
    )


def others_not_ready(pods: t.Mapping[str, t.Mapping[str, MirrorPod]], node: str, options: Options) -> list[str]:
    """``etcd on cp2``: static pods of other nodes that must be Ready before those of `node` stop.

    A component of the newer version that is not ready is a reason for a rollback, so that it waits for etcd alone.
    """
    return [
        f"{name} on {other}"
        for other, found in sorted(pods.items())
        for name, pod in sorted(found.items())
        if other != node and not pod.ready and (name == "etcd" or not options.rollback)
    ]


def create_job_alone_failed(checks: t.Sequence[t.Mapping[str, str]]) -> bool:
    """Whether CreateJob is the only one of kubeadm's checks that failed, ``[{name}]``; it may pass a moment later.

    After a restart no controller manager leads until the earlier lease has expired, by default for 15 s, and kubeadm
    waits no longer than that for the Job of that check.
    """
    return bool(checks) and all(check["name"] == "CreateJob" for check in checks)


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
            upgrades = options.etcd_upgrade and not options.rollback and bool(evidence.expected_etcd_tag)
            to = evidence.expected_etcd_tag if upgrades and _older(tag, evidence.expected_etcd_tag) else tag
        found.append({"name": component, "from": tag, "to": to})
    return found


def current_version(evidence: Evidence) -> str:
    """``v1.34.4``: what the node runs now; its own API server's version, else its manifest's, else its kubelet's."""
    if not evidence.control_plane:
        return evidence.kubelet_running_version and f"v{evidence.kubelet_running_version}"
    return evidence.api_server_version or evidence.manifest_tags.get("kube-apiserver", "")


def busy(holder: JsonDict, kubeadms: t.Sequence[int], node: str, seconds: float) -> tuple[str, str]:
    """Message and hint where another task or kubeadm did not end in time.

    `holder` is ``{pid, started}`` of the task, as far as it is known.
    """
    runs = f"kubeadm upgrade (process {kubeadms[0]})" if kubeadms else ""
    if runs and not holder:
        message = f"{runs} is still running on {node}: it had not ended after {seconds:.0f} s."
    else:
        message = f"Another task{_process(holder)} is still at work on {node}: it had not ended after {seconds:.0f} s."
        message += f" {runs} runs." if runs else ""
    pids = ",".join(str(pid) for pid in (holder.get("pid"), *kubeadms) if pid)
    find = f"ps -fp {pids}" if pids else f"fuser -v {STATE}/kubeadm-upgrade.lock"
    hint = (
        "The task of a run that was killed continues to its end, or to its own timeout_s. See what it waits for: "
        f"{find} and tail {STATE}/kubeadm-upgrade.stdout on {node}. Then run this again, and it is waited for once "
        "more."
    )
    if holder.get("pid"):
        hint += f" If the task hangs, end it with kill {holder['pid']} before; a kubeadm that it started continues."
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
        message = f"{command} on {node} was ended{where}: it had not finished after {seconds:.0f} s. "
        message += f"Its last lines: {' | '.join(last)}" if last else "It had written nothing."
        return message, (
            f"See why it waits: journalctl -u kubelet -n 100 and crictl ps -a on {node}. Then run this again with more "
            "time: what is done is not done twice."
        )
    message = f"{command} on {node} failed{where} (exit code {ran.rc}): {' | '.join(errors) or 'it wrote no error'}."
    if any(output.RESTORED_ETCD in line.text for line in ran.lines):
        message += " kubeadm put the earlier etcd data back."
    if output.rolled_back(ran.lines):
        message += " kubeadm put the earlier manifests back."
        return message, (
            f"See on {node} why the component did not come up: journalctl -u kubelet -n 100. Correct it, then run "
            "this again."
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


def swap_failure(outcome: Outcome, node: str) -> tuple[str, str]:
    """Message and hint for a swap that did not end with the new components."""
    message = f"The swap to {outcome.purpose} on {node} failed: {outcome.cause.rstrip('.')}."
    if outcome.outcome == PUT_BACK:
        return (
            f"{message} The old manifests and the old kubelet are restored, and the node serves as before.",
            f"Its logs are in {outcome.logs} on {node}. Correct the cause, then run this again.",
        )
    hint = (
        f"See {outcome.logs}, journalctl -u kubelet -n 100 and crictl ps -a on {node}. Repair what they name; when the "
        "control plane of the node serves again, run this again."
    )
    return f"{message} The old manifests and the old kubelet were restored, and they do not serve either.", hint


def _skips(options: Options, *phases: str) -> bool:
    return any(phase in options.skip_phases for phase in phases)


def _same(seen: str, target: str) -> bool:
    try:
        return Version.parse(seen) == Version.parse(target)
    except VersionError:
        return False


def _older(seen: str, expected: str) -> bool:
    """Whether an image tag is older than the expected one; one that is no version is, unless they are equal."""
    try:
        return Version.parse(seen) < Version.parse(expected)
    except VersionError:
        return seen != expected


def is_newer(tag: str, other: str) -> bool:
    """Whether an image tag is a newer version than another one."""
    try:
        return Version.parse(tag) > Version.parse(other)
    except VersionError:
        return False
