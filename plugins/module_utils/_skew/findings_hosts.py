# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Findings on what kubeadm_info found on the nodes: pure."""

from __future__ import annotations

from datetime import datetime, timezone

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    BLOCKER,
    NOTE,
    WARNING,
    Finding,
    Host,
    Json,
    NodeState,
    Request,
    finding,
    version_or_none,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import Plan
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version


def host_findings(
    hosts: list[Host],
    states: list[NodeState],
    request: Request,
    plan: Plan,
    kubelet_config: Json | None,
    now: float,
) -> list[Finding]:
    """`now` is in seconds since the epoch."""
    found = []
    kubelets = {state.name: state.kubelet for state in states}
    for host in hosts:
        subject = f"node/{host.name}"
        found += _cgroup(host, subject, request, kubelet_config)
        found += _swap(host, subject, kubelet_config)
        found += _disk(host, subject)
        found += _certificates(host, subject, now)
        found += _kubelet_flags(host, subject, kubelets.get(host.name), plan)
        found += _runtime(host, subject, request)
        found += _kubelet_files(host, subject, plan)
        found += _manifests(host, subject, request)
    return found


def _cgroup(host: Host, subject: str, request: Request, kubelet_config: Json | None) -> list[Finding]:
    if host.cgroup_version != 1 or request.target.minor < rules.CGROUP_V1_FAILS_SINCE:
        return []
    if (kubelet_config or {}).get("failCgroupV1") is False:
        return [
            finding(
                "cgroup-v1",
                WARNING,
                subject,
                "cgroup v1; kubelet-config allows it with failCgroupV1: false",
                "Move the node to cgroup v2: support for version 1 ends. kubeadm's preflight check SystemVerification "
                "fails on this node and has to be ignored by name.",
                rules.CGROUP_V1_SOURCE,
            )
        ]
    return [
        finding(
            "cgroup-v1",
            BLOCKER,
            subject,
            f"cgroup v1; a kubelet from 1.{rules.CGROUP_V1_FAILS_SINCE} on does not start on it",
            "Boot the node with cgroup v2 (systemd.unified_cgroup_hierarchy=1), or set failCgroupV1: false in the "
            "ConfigMap kube-system/kubelet-config before the upgrade.",
            rules.CGROUP_V1_SOURCE,
        )
    ]


def _swap(host: Host, subject: str, kubelet_config: Json | None) -> list[Finding]:
    if not host.swap_on:
        return []
    if (kubelet_config or {}).get("failSwapOn") is False:
        severity, remedy = NOTE, "Nothing: kubelet-config allows it with failSwapOn: false."
    else:
        severity = WARNING
        remedy = "Turn it off (swapoff -a, and /etc/fstab), or set failSwapOn: false: the kubelet may not start again."
    return [
        finding(
            "swap-on",
            severity,
            subject,
            "swap is on",
            remedy,
            "https://kubernetes.io/docs/concepts/cluster-administration/swap-memory-management/",
        )
    ]


def _disk(host: Host, subject: str) -> list[Finding]:
    if not host.etcd_bytes:
        return []
    needed = rules.ETCD_COPY_FACTOR * host.etcd_bytes
    # kubeadm copies to /etc/kubernetes/tmp; where that is not known by itself, it is on the root file system.
    place = next((p for p in ("/etc/kubernetes", "/etc", "/") if p in host.free_bytes), None)
    if place is None or host.free_bytes[place] >= needed:
        return []
    return [
        finding(
            "disk-too-small",
            BLOCKER,
            subject,
            f"{host.free_bytes[place] // 2**20} MiB are free on {place}, "
            f"etcd's database has {host.etcd_bytes // 2**20} MiB; twice its size is needed",
            "Free space; old copies are in /etc/kubernetes/tmp. Or defragment etcd.",
            rules.ETCD_COPY_SOURCE,
        )
    ]


def _certificates(host: Host, subject: str, now: float) -> list[Finding]:
    found = []
    for certificate in host.certificates:
        left_days = (certificate["not_after"] - now) / 86400
        path = str(certificate["path"])
        until = datetime.fromtimestamp(certificate["not_after"], timezone.utc).strftime("%Y-%m-%d")
        is_ca = path.rsplit("/", 1)[-1] in ("ca.crt", "front-proxy-ca.crt")
        if left_days <= 0:
            remedy = (
                "A certificate authority is not renewed by kubeadm; replace it by hand."
                if is_ca
                else f"On {host.name}: kubeadm certs renew all, then restart the control plane's static pods. For the "
                "kubelet's own certificate, restart the kubelet or join the node anew."
            )
            found.append(
                finding(
                    "certificate-expired",
                    BLOCKER,
                    subject,
                    f"{path} expired on {until}",
                    remedy,
                    rules.CERTIFICATE_SOURCE,
                )
            )
        elif left_days < (rules.CA_SOON_DAYS if is_ca else rules.CERTIFICATE_SOON_DAYS):
            remedy = (
                "Plan its replacement: kubeadm does not renew a certificate authority."
                if is_ca
                else "The upgrade renews the certificates of kubeadm, unless certificate renewal is turned off."
            )
            found.append(
                finding(
                    "certificate-expires-soon",
                    WARNING,
                    subject,
                    f"{path} expires on {until}, in {int(left_days)} days",
                    remedy,
                    rules.CERTIFICATE_SOURCE,
                )
            )
    return found


def _kubelet_flags(host: Host, subject: str, kubelet: Version | None, plan: Plan) -> list[Finding]:
    """Flags that the next kubelet of this node refuses."""
    mine = [hop for hop in plan.hops if host.name in hop["workers"] or host.name in hop["control_plane"]]
    if not mine:
        return []
    found = []
    target = Version.parse(mine[-1]["to"])
    minors = [Version.parse(hop["to"]).minor for hop in mine]
    for entry in host.kubelet_flags:
        for rule in rules.REMOVED_FLAGS:
            if rule.component != "kubelet" or not rule.covers(str(entry.get("name", ""))):
                continue
            if target.minor < rule.since or (kubelet is not None and kubelet.minor >= rule.since):
                continue
            place = str(entry.get("file", "")) or "an unknown place"
            stripped = rules.STRIPPED_BY_KUBEADM.get(rule.name) in minors and place == rules.KUBEADM_FLAGS_FILE
            found.append(
                finding(
                    "kubelet-flag-removed",
                    WARNING if stripped else BLOCKER,
                    subject,
                    f"--{entry['name']} in {place}; a kubelet from 1.{rule.since} on does not start with it",
                    f"Nothing: kubeadm 1.{rule.since} takes it out while it upgrades the node."
                    if stripped
                    else f"Take it out of {place} before the new kubelet is started.",
                    rule.source,
                )
            )
    return found


def _kubelet_files(host: Host, subject: str, plan: Plan) -> list[Finding]:
    found = []
    minors = {
        Version.parse(hop["to"]).minor
        for hop in plan.hops
        if host.name in hop["workers"] or host.name in hop["control_plane"]
    }
    if "KUBELET_KUBEADM_ARGS" in host.empty_variables and rules.EMPTY_FLAGS_BREAK_IN in minors:
        found.append(
            finding(
                "kubelet-flags-empty",
                BLOCKER,
                subject,
                f"KUBELET_KUBEADM_ARGS is set to nothing, and kubeadm 1.{rules.EMPTY_FLAGS_BREAK_IN} fails on that",
                f"Set any flag in {rules.KUBEADM_FLAGS_FILE}, such as --v=2, until the node is upgraded.",
                rules.EMPTY_FLAGS_SOURCE,
            )
        )
    # kubeadm of 1.34 to 1.36 writes the file while it upgrades the node, so an earlier hop brings it.
    needs = any(minor >= rules.INSTANCE_CONFIG_NEEDED_SINCE for minor in minors)
    written = any(34 <= minor < rules.INSTANCE_CONFIG_NEEDED_SINCE for minor in minors)
    if host.instance_config is False and needs and not written:
        found.append(
            finding(
                "instance-config-missing",
                BLOCKER,
                subject,
                "/var/lib/kubelet/instance-config.yaml is missing, and kubeadm "
                f"1.{rules.INSTANCE_CONFIG_NEEDED_SINCE} needs it",
                f"Run kubeadm upgrade node on it with kubeadm 1.{rules.INSTANCE_CONFIG_NEEDED_SINCE - 1} before.",
                rules.INSTANCE_CONFIG_SOURCE,
            )
        )
    expected = f"system:node:{host.name}"
    if host.kubelet_client and host.kubelet_client != expected:
        found.append(
            finding(
                "kubelet-client-certificate",
                BLOCKER,
                subject,
                f"the kubelet authenticates as {host.kubelet_client}, not as {expected}",
                "Give the kubelet a certificate of its node; kubeadm upgrade cannot find the node by any other name.",
                rules.KUBELET_CLIENT_SOURCE,
            )
        )
    if host.external_ca:
        found.append(
            finding(
                "external-ca",
                WARNING,
                subject,
                "the key of the certificate authority is not on this node, so kubeadm cannot renew certificates",
                "Renew them by hand, and upgrade with certificate renewal turned off.",
                rules.CERTIFICATE_SOURCE,
            )
        )
    return found


def _runtime(host: Host, subject: str, request: Request) -> list[Finding]:
    version = version_or_none(host.runtime_version)
    if host.runtime_name != "containerd" or version is None or version.major >= 2:
        return []
    gone = request.target.minor >= rules.RUNTIME_CONFIG_NEEDED_SINCE
    return [
        finding(
            "container-runtime-old",
            BLOCKER if gone else NOTE,
            subject,
            f"containerd {version}; a kubelet from 1.{rules.RUNTIME_CONFIG_NEEDED_SINCE} on needs containerd 2",
            "Upgrade containerd to version 2 while the node is drained.",
            rules.RUNTIME_CONFIG_SOURCE,
        )
    ]


def _manifests(host: Host, subject: str, request: Request) -> list[Finding]:
    found = []
    for path in host.foreign_manifests:
        if path.endswith(rules.BACKUP_ENDINGS):
            found.append(
                finding(
                    "manifest-backup",
                    BLOCKER,
                    subject,
                    f"{path} is in the directory of static pods, and the kubelet runs it whatever its name ends in",
                    "Move it out of that directory.",
                    rules.BACKUP_MANIFEST_SOURCE,
                )
            )
    if request.target.minor >= rules.STATIC_POD_REFERENCES_REFUSED_SINCE:
        for name, references in sorted(host.api_references.items()):
            found.append(
                finding(
                    "static-pod-references",
                    BLOCKER,
                    subject,
                    f"the static pod {name} names {', '.join(references)}; a kubelet from "
                    f"1.{rules.STATIC_POD_REFERENCES_REFUSED_SINCE} on refuses it",
                    "Change the manifest so that it names no API objects.",
                    rules.STATIC_POD_REFERENCES_SOURCE,
                )
            )
    return found
