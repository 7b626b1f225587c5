# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Findings on flags, feature gates and admission plug-ins, by what the target's own programs say: pure.

Where a program of the target was not asked, the list of removed flags in
rules.py is what is known of its flags, and nothing is known of its gates.
"""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._programs.used import gates_of, plain_gates
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_kubelet_flags import (
    kubelet_flag_findings,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.flags import configured_flags, flags_of, gone
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.hosts import versions_ahead
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    BLOCKER,
    NOTE,
    WARNING,
    Cluster,
    Finding,
    Host,
    NodeState,
    Request,
    finding,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import Plan
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.programs import (
    LOCKED,
    UNKNOWN,
    UNSURE,
    Program,
    Programs,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.state import system_pods
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

_ADMISSION_FLAGS = ("enable-admission-plugins", "disable-admission-plugins", "admission-control")
_CONFIG_REMEDY = "Take it out of the extraArgs of kubeadm-config, and out of the patches that you give to kubeadm."


def program_findings(
    cluster: Cluster, hosts: list[Host], states: list[NodeState], request: Request, plan: Plan, programs: Programs
) -> list[Finding]:
    unsure: set[tuple[str, str]] = set()
    kubelets = {state.name: state.kubelet for state in states}
    kubelet = programs.asked.get("kubelet")
    found = [*_control_plane(cluster, request, programs, unsure), *_etcd(cluster, states, plan)]
    for host in hosts:
        ahead = versions_ahead(plan, host.name)
        if ahead:
            # The target's programs speak for a node that the plan brings there.
            asked = kubelet if ahead[-1] == request.target else None
            found += kubelet_flag_findings(host, kubelets.get(host.name), ahead, asked, unsure)
    found += _kubelet_gates(cluster, [host for host in hosts if versions_ahead(plan, host.name)], kubelet, unsure)
    found += _kubelet_config(programs)
    found += _kube_proxy(programs, unsure)
    found += _kubeadm_gates(cluster, plan)
    found += _not_asked(programs, unsure, request)
    return found


class _Use(t.NamedTuple):
    """A flag of a control-plane component, and whether kubeadm would write it again."""

    component: str
    name: str
    values: frozenset[str]
    configured: bool


def _uses(cluster: Cluster, component: str) -> list[_Use]:
    """What is configured counts where it is: kubeadm writes that into the new manifest."""
    configured = configured_flags(cluster.cluster_config, component)
    values = {name: set(found) for name, found in configured.items()}
    for pod in api.static_pods(system_pods(cluster), component).values():
        for name, found in flags_of(api.pod_arguments(pod)).items():
            if name not in configured:
                values.setdefault(name, set()).update(found)
    return [_Use(component, name, frozenset(found), name in configured) for name, found in sorted(values.items())]


def _control_plane(
    cluster: Cluster, request: Request, programs: Programs, unsure: set[tuple[str, str]]
) -> list[Finding]:
    found = []
    for component in api.VERSIONED_COMPONENTS:
        program = programs.asked.get(component)
        for use in _uses(cluster, component):
            found += _flag(use, program, request, unsure)
            if program is None:
                continue
            if use.name == "feature-gates":
                gates: dict[str, bool] = {}
                for value in sorted(use.values):
                    gates.update(gates_of(value))
                for name, value_of in sorted(gates.items()):
                    found += _gate(program, name, value_of, use, unsure)
            if use.name in _ADMISSION_FLAGS:
                found += _plugins(program, use, unsure)
    return found


def _flag(use: _Use, program: Program | None, request: Request, unsure: set[tuple[str, str]]) -> list[Finding]:
    verdict = gone(use.component, use.name, request.target, program)
    if verdict.unsure:
        unsure.add((use.component, f"--{use.name}"))
    if not verdict.why:
        return []
    return [
        finding(
            "flag-removed",
            BLOCKER if use.configured else WARNING,
            f"{use.component} --{use.name}",
            f"{verdict.why}; {_place(use)}",
            _CONFIG_REMEDY,
            verdict.source,
        )
    ]


def _etcd(cluster: Cluster, states: list[NodeState], plan: Plan) -> list[Finding]:
    """etcd is not asked; flags that the etcd on the way is known not to start with."""
    if not any(state.etcd for state in states):
        return []
    ahead = [rules.etcd_minor_for(Version.parse(hop["to"]).minor) for hop in plan.hops]
    reached = max((minor for minor in ahead if minor is not None), default=(0, 0))
    found = []
    for name in configured_flags(cluster.cluster_config, "etcd"):
        rule = rules.removed_etcd_flag(name, reached)
        if rule is not None:
            found.append(
                finding(
                    "flag-removed",
                    BLOCKER,
                    f"etcd --{name}",
                    f"etcd {rule.since[0]}.{rule.since[1]} does not start with it; it is set in kubeadm-config",
                    _CONFIG_REMEDY,
                    rule.source,
                )
            )
    return found


def _place(use: _Use) -> str:
    if use.configured:
        return "it is set in kubeadm-config, so that the new pod would not start"
    return "it is set in the static pod and not in kubeadm-config, so that kubeadm leaves it out, unless a patch has it"


def _gate(program: Program, name: str, value: bool, use: _Use, unsure: set[tuple[str, str]]) -> list[Finding]:
    subject = f"{use.component} --feature-gates={name}"
    severity = BLOCKER if use.configured else WARNING
    return _gate_finding(program, name, value, subject, severity, _place(use), _CONFIG_REMEDY, unsure)


def _gate_finding(
    program: Program,
    name: str,
    value: bool,
    subject: str,
    severity: str,
    place: str,
    remedy: str,
    unsure: set[tuple[str, str]],
) -> list[Finding]:
    said = program.gate(name, value)
    if said == UNSURE:
        unsure.add((program.name, f"feature gate {name}"))
        return []
    if said not in (UNKNOWN, LOCKED):
        return []
    text = f"{name}={str(value).lower()}"
    why = "does not know this feature gate" if said == UNKNOWN else f"does not take {text}: the gate is locked"
    return [
        finding(
            "feature-gate-unknown" if said == UNKNOWN else "feature-gate-locked",
            severity,
            subject,
            f"{program.name} {program.version} was asked and {why}; {place}",
            remedy,
            rules.FEATURE_GATES_SOURCE,
        )
    ]


def _plugins(program: Program, use: _Use, unsure: set[tuple[str, str]]) -> list[Finding]:
    found = []
    names = {name.strip() for value in use.values for name in value.split(",") if name.strip()}
    for name in sorted(names):
        said = program.plugin(name)
        if said == UNSURE:
            unsure.add((program.name, f"admission plug-in {name}"))
        elif said == UNKNOWN:
            found.append(
                finding(
                    "admission-plugin-unknown",
                    BLOCKER if use.configured else WARNING,
                    f"{use.component} --{use.name}={name}",
                    f"{program.name} {program.version} was asked and does not know this plug-in; {_place(use)}",
                    "Take the name out of the flag in the extraArgs of kubeadm-config.",
                    rules.ADMISSION_SOURCE,
                )
            )
    return found


def _kubelet_gates(
    cluster: Cluster, hosts: list[Host], kubelet: Program | None, unsure: set[tuple[str, str]]
) -> list[Finding]:
    """Of the ConfigMap, from which kubeadm writes the file of each node anew, and of what only a node has."""
    if kubelet is None:
        return []
    found = []
    of_cluster = plain_gates((cluster.kubelet_config or {}).get("featureGates"))
    subject = "configmap/kube-system/kubelet-config"
    for name, value in sorted(of_cluster.items()):
        remedy = f"Take featureGates.{name} out of the KubeletConfiguration in the ConfigMap before the upgrade."
        place = "kubeadm writes it to every node"
        found += _gate_finding(kubelet, name, value, subject, BLOCKER, place, remedy, unsure)
    for host in hosts:
        drop_ins = plain_gates(host.kubelet_drop_ins.get("featureGates"))
        for name, value in sorted(drop_ins.items()):
            place, remedy = "it is in a drop-in of the node's kubelet", "Take it out of that drop-in (--config-dir)."
            found += _gate_finding(kubelet, name, value, f"node/{host.name}", BLOCKER, place, remedy, unsure)
        for name, value in sorted(plain_gates(host.kubelet_config.get("featureGates")).items()):
            if of_cluster.get(name) != value and name not in drop_ins:
                place = "it is in the node's config.yaml and not in the ConfigMap, from which kubeadm writes that file"
                remedy = "Take it out of that file, and out of the patches that you give to kubeadm."
                found += _gate_finding(kubelet, name, value, f"node/{host.name}", WARNING, place, remedy, unsure)
    return found


def _kubelet_config(programs: Programs) -> list[Finding]:
    config, kubelet = programs.kubelet_config, programs.asked.get("kubelet")
    if kubelet is None or not config.get("asked"):
        return []
    subject = str(config.get("source") or "kubelet-config")
    found = [
        finding(
            "kubelet-config-refused",
            BLOCKER,
            subject,
            f"kubelet {kubelet.version} was asked and refuses it: {error}",
            "Correct the field in the ConfigMap kube-system/kubelet-config before the upgrade.",
            rules.KUBELET_CONFIG_SOURCE,
        )
        for error in config.get("errors") or []
    ]
    unknown = config.get("unknown_fields") or []
    if unknown:
        found.append(
            finding(
                "kubelet-config-field-unknown",
                WARNING,
                subject,
                f"kubelet {kubelet.version} was asked and does not know {', '.join(unknown)}: it ignores them",
                "Take them out of the ConfigMap, and see in the release notes what took their place.",
                rules.KUBELET_CONFIG_SOURCE,
            )
        )
    return found


def _kube_proxy(programs: Programs, unsure: set[tuple[str, str]]) -> list[Finding]:
    """kube-proxy is built from the same list of gates as the kubelet, but is asked itself or not at all."""
    program = programs.asked.get("kube-proxy")
    if program is None:
        return []
    found = []
    for name, value in sorted(plain_gates(programs.kube_proxy_gates).items()):
        subject, place = "configmap/kube-system/kube-proxy", "kube-proxy would not start on any node"
        remedy = f"Take featureGates.{name} out of config.conf in the ConfigMap kube-system/kube-proxy."
        found += _gate_finding(program, name, value, subject, BLOCKER, place, remedy, unsure)
    return found


def _kubeadm_gates(cluster: Cluster, plan: Plan) -> list[Finding]:
    """Of the ClusterConfiguration, by the first hop whose kubeadm does not know one.

    `kubeadm upgrade` only says so and goes on; it refuses what it reads from a file.
    """
    found = []
    for name in sorted(plain_gates((cluster.cluster_config or {}).get("featureGates"))):
        hop = next(
            (hop for hop in plan.hops if not rules.kubeadm_knows_gate(name, Version.parse(hop["to"]).minor)), None
        )
        if hop is None:
            continue
        needed = plan.hops.index(hop) > 0 or rules.kubeadm_knows_gate(name, Version.parse(hop["from"]).minor)
        found.append(
            finding(
                "feature-gate-unknown",
                WARNING,
                f"configmap/kube-system/kubeadm-config featureGates.{name}",
                f"kubeadm {hop['to']} does not know this gate of its own, by its source. In the hop to {hop['to']} "
                "kubeadm upgrade notes that and goes on; kubeadm init phase, kubeadm config and kubeadm certs refuse "
                "a configuration file that has it",
                f"kubectl -n kube-system edit configmap kubeadm-config, and take featureGates.{name} out of the "
                "ClusterConfiguration before that hop"
                + (f"; kubeadm up to {hop['from']} knows it, and goes by its own default without it" if needed else ""),
                rules.KUBEADM_GATES_SOURCE,
            )
        )
    return found


def _not_asked(programs: Programs, unsure: set[tuple[str, str]], request: Request) -> list[Finding]:
    found = [
        finding(
            "target-program-not-asked",
            NOTE,
            f"{name} {request.target}",
            why,
            "Its flags are compared with the list of removed flags only, and its feature gates not at all. Pull the "
            "images of the target beforehand, or let target_programs do so (images: pull).",
        )
        for name, why in sorted(programs.errors.items())
    ]
    for name in sorted({program for program, _what in unsure}):
        what = ", ".join(sorted(entry for program, entry in unsure if program == name))
        found.append(
            finding(
                "target-answer-missing",
                NOTE,
                f"{name} {request.target}",
                f"not in its help, and it was not asked for: {what}",
                "Run target_programs where it sees them, or give it the static_pods and kubelet_flags of all nodes.",
            )
        )
    return found
