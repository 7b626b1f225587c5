# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Findings on what kubeadm_info found on the nodes: pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import SOCKETS
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_certificates import certificate_findings
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_kubelet_config import (
    config_after,
    kubelet_config_findings,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_machine import machine_findings
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_packages import package_findings
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
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.state import system_pods
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import CERTIFICATES
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version


def host_findings(
    hosts: list[Host],
    states: list[NodeState],
    request: Request,
    plan: Plan,
    cluster: Cluster,
    now: float,
) -> list[Finding]:
    """`now` is in seconds since the epoch."""
    found = []
    known = {state.name: state for state in states}
    servers = _api_server_addresses(cluster)
    mixed = len({*servers.values()}) > 1 and any(
        Version.parse(hop["from"]).minor != Version.parse(hop["to"]).minor for hop in plan.hops
    )
    annotations = {api.name_of(node): api.annotations_of(node) for node in cluster.nodes}
    for host in hosts:
        subject = f"node/{host.name}"
        ahead = versions_ahead(plan, host.name)
        config = config_after(host, cluster.kubelet_config)
        found += machine_findings(host, subject, request, config, ahead=ahead, now=now)
        if ahead and not request.rollback_safe:
            found += kubelet_config_findings(host, subject, cluster.kubelet_config)
        found += certificate_findings(host, subject, cluster, now)
        found += _kubelet_flags_file(host, subject, ahead)
        found += _kubelet_files(host, subject, {version.minor for version in ahead})
        found += _host_name(host, subject, ahead)
        found += _kubelet_server(host, subject, cluster, servers, mixed=mixed)
        found += _manifests(host, subject, request)
        found += _cri_socket(host, subject, annotations.get(host.name), cluster, ahead)
        found += _admin_conf(host, subject, cluster) if ahead and host.role == "control_plane" else []
        found += _proxies(host, subject) if ahead and host.role == "control_plane" else []
        found += package_findings(host, subject, known.get(host.name), ahead, now)
    return found


def _kubelet_flags_file(host: Host, subject: str, ahead: list[Version]) -> list[Finding]:
    """What kubeadm makes of its file of kubelet flags; `ahead` are the versions that the node goes through."""
    found = []
    broken = [str(version) for version in ahead if str(version) in rules.EMPTY_FLAGS_BREAK_IN]
    if "KUBELET_KUBEADM_ARGS" in host.empty_variables and broken:
        found.append(
            finding(
                "kubelet-flags-empty",
                BLOCKER,
                subject,
                f"KUBELET_KUBEADM_ARGS is set to nothing, and kubeadm {', '.join(broken)} fails on that",
                f"Upgrade to a newer patch instead, or set any flag in {rules.KUBEADM_FLAGS_FILE}, such as --v=2.",
                rules.EMPTY_FLAGS_SOURCE,
            )
        )
    states = {
        "missing": f"{rules.KUBEADM_FLAGS_FILE} is missing",
        "other": f"{rules.KUBEADM_FLAGS_FILE} does not begin with {rules.FLAGS_FILE_BEGINS}",
    }
    minor = rules.FLAGS_FILE_NEEDED_IN
    if host.flags_file in states and any(version.minor == minor for version in ahead):
        found.append(
            finding(
                "kubelet-flags-file",
                BLOCKER,
                subject,
                f"{states[host.flags_file]}, and kubeadm 1.{minor} ends with an error over it",
                f"On {host.name}, make {rules.FLAGS_FILE_BEGINS}... the first line of the file.",
                rules.FLAGS_FILE_SOURCE,
            )
        )
    return found


def _kubelet_files(host: Host, subject: str, minors: set[int]) -> list[Finding]:
    """`minors` are those that the node's kubelet goes through."""
    found = []
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
    wrong = _identity(host)
    if wrong:
        found.append(
            finding(
                "kubelet-client-certificate",
                BLOCKER,
                subject,
                wrong,
                "Give the kubelet a certificate of its node; kubeadm upgrade cannot find the node by any other name.",
                rules.KUBELET_CLIENT_SOURCE,
            )
        )
    return [*found, *_authorities(host, subject)]


def _authorities(host: Host, subject: str) -> list[Finding]:
    """Certificate authorities that kubeadm takes for somebody else's."""
    missing = [name for name in rules.SIGNED_BY if name in host.ca_keys_missing]
    if not missing:
        return []
    signed = "; ".join(f"{name} ({', '.join(rules.SIGNED_BY[name])})" for name in missing)
    return [
        finding(
            "external-ca",
            WARNING,
            subject,
            f"not on this node: {', '.join(f'{host.certificates_dir}/{name}.key' for name in missing)}, so kubeadm "
            f"cannot renew the certificates of {signed}",
            "Keep a copy of the keys with your backups, and renew the certificates by your own means. The upgrade "
            "leaves them as they are and renews the others. It ends with an error where one of them is not of the "
            "authority on the node, or has no key there.",
            rules.CERTIFICATE_SOURCE,
        )
    ]


def _identity(host: Host) -> str:
    """What is wrong with whom the kubelet says to be, in words; empty where nothing is, or it is not known."""
    expected, group = f"system:node:{host.name}", "system:nodes"
    if not host.kubelet_client:
        return ""
    if host.kubelet_client != expected:
        return f"the kubelet authenticates as {host.kubelet_client}, not as {expected}"
    if host.kubelet_groups is not None and group not in host.kubelet_groups:
        seen = ", ".join(host.kubelet_groups) or "none"
        return f"the kubelet's certificate is of the groups {seen}, not of {group}"
    return ""


def _admin_conf(host: Host, subject: str, cluster: Cluster) -> list[Finding]:
    if host.admin_conf is not False:
        return []
    config = cluster.cluster_config or {}
    endpoint = (
        f" --control-plane-endpoint {config['controlPlaneEndpoint']}" if config.get("controlPlaneEndpoint") else ""
    )
    return [
        finding(
            "admin-conf-missing",
            BLOCKER,
            subject,
            "/etc/kubernetes/admin.conf is not there, by which kubeadm reaches the API on a control-plane node",
            f"On {host.name}, put it back for the upgrade: kubeadm init phase kubeconfig admin --kubernetes-version "
            f"{config.get('kubernetesVersion') or 'stable-1'} --cert-dir "
            f"{config.get('certificatesDir') or CERTIFICATES}{endpoint}",
            rules.ADMIN_CONF_SOURCE,
        )
    ]


def _proxies(host: Host, subject: str) -> list[Finding]:
    """Proxy variables of the static pods that are not those of kubeadm's environment, which it would copy."""
    here, kept = set(host.proxies.get("environment", [])), set(host.proxies.get("static_pods", []))
    told = {
        "the static pods have, and the environment of kubeadm has not": kept - here,
        "the environment of kubeadm has, and the static pods have not": here - kept,
        "have another value in the environment of kubeadm than in the static pods": set(
            host.proxies.get("differing", [])
        ),
    }
    parts = [f"{', '.join(sorted(names))} {what}" for what, names in told.items() if names]
    if not parts:
        return []
    return [
        finding(
            "proxy-variables",
            NOTE,
            subject,
            "; ".join(parts),
            "Nothing: the run gives kubeadm the proxy variables of the static pods, so that they stay as they are. To "
            "change them, set them in the extraEnvs of apiServer, controllerManager and scheduler in kubeadm-config.",
            rules.PROXY_SOURCE,
        )
    ]


def _cri_socket(
    host: Host, subject: str, annotations: dict[str, str] | None, cluster: Cluster, ahead: list[Version]
) -> list[Finding]:
    """The socket in the Node's annotation, by which the first kubeadm on the way looks for the container runtime."""
    if annotations is None or not ahead or not host.runtime_socket:
        return []
    told, minor = annotations.get(rules.CRI_SOCKET), ahead[0].minor
    local = minor >= rules.CRI_SOCKET_LOCAL_SINCE or (cluster.cluster_config or {}).get("featureGates", {}).get(
        "NodeLocalCRISocket"
    )
    if told is None:
        needed = host.instance_config is False if local else True
        if not needed or minor >= rules.CRI_SOCKET_DETECTED_SINCE:
            return []
        severity = BLOCKER
        evidence = (
            f"the Node has no annotation {rules.CRI_SOCKET}, and kubeadm {ahead[0]} ends with an error without it"
        )
    elif _socket(told) == _socket(host.runtime_socket):
        return []
    else:
        # It is asked for where kubeadm pulls images, and is proven dead where it is one that was looked for.
        asked = host.role == "control_plane" or minor >= rules.CRI_SOCKET_ASKED_ON_WORKERS_SINCE
        dead = host.runtime_sockets is not None and _socket(told) in set(SOCKETS) - set(host.runtime_sockets)
        severity = BLOCKER if asked and dead else WARNING
        evidence = (
            f"the Node's annotation {rules.CRI_SOCKET} is {told}, its kubelet uses {host.runtime_socket}; kubeadm "
            f"{ahead[0]} goes by the annotation"
        )
    return [
        finding(
            "cri-socket-differs",
            severity,
            subject,
            evidence,
            f"kubectl annotate node {host.name} --overwrite {rules.CRI_SOCKET}={host.runtime_socket}",
            rules.CRI_SOCKET_SOURCE,
        )
    ]


def _socket(text: str) -> str:
    path = text[len("unix://") :] if text.startswith("unix://") else text
    return path[len("/var") :] if path.startswith("/var/run/") else path


def _host_name(host: Host, subject: str, ahead: list[Version]) -> list[Finding]:
    if not host.hostname or host.hostname.lower() == host.name:
        return []
    broken = [str(version) for version in ahead if str(version) in rules.HOSTNAME_BREAKS_IN]
    return [
        finding(
            "host-name-differs",
            BLOCKER if broken else NOTE,
            subject,
            f"the host is named {host.hostname}, its node {host.name}"
            + (f"; kubeadm {', '.join(broken)} looks for the node by the host's name" if broken else ""),
            "Upgrade to a newer patch instead: this one cannot upgrade the node."
            if broken
            else "Nothing: the name of the node is taken from the kubelet's certificate.",
            rules.HOSTNAME_SOURCE,
        )
    ]


def _api_server_addresses(cluster: Cluster) -> dict[str, str]:
    """``host:port`` of each API server, by node."""
    pods = api.static_pods(system_pods(cluster), "kube-apiserver")
    found = {name: api.advertise_address(pod) for name, pod in pods.items()}
    return {name: address for name, address in found.items() if address}


def _kubelet_server(
    host: Host, subject: str, cluster: Cluster, servers: dict[str, str], *, mixed: bool
) -> list[Finding]:
    """Where the kubelet finds the API: `mixed` is whether API servers will differ in their minor for a while."""
    asked = urlsplit(host.kubelet_server).hostname
    if not asked:
        return []
    own = host.advertise_address
    if own:
        if not mixed or asked in (own, "localhost", "127.0.0.1", "::1"):
            return []
        return [
            finding(
                "kubelet-server-not-local",
                NOTE,
                subject,
                f"kubelet.conf names {host.kubelet_server}, not the API server of this node at {own}, so that it "
                "is upgraded after the last API server",
                f"On {host.name}, set the server in /etc/kubernetes/kubelet.conf to "
                f"https://{servers.get(host.name, own)} and restart the kubelet; kubeadm from 1.33 on makes new "
                "control-plane nodes so.",
                rules.KUBELET_SERVER_SOURCE,
            )
        ]
    endpoint = str((cluster.cluster_config or {}).get("controlPlaneEndpoint") or "")
    known = {urlsplit(f"//{address}").hostname for address in (endpoint, *servers.values()) if address}
    # A proxy of the worker's own is a usual way to reach all API servers.
    if not known or cluster.cluster_config is None or asked in (*known, "localhost", "127.0.0.1", "::1"):
        return []
    return [
        finding(
            "kubelet-server-unknown",
            WARNING,
            subject,
            f"kubelet.conf names {host.kubelet_server}, which is neither the controlPlaneEndpoint of kubeadm-config "
            "nor the address of an API server",
            "See that this address goes on to lead to an API server while single ones are away, or set it to the "
            "controlPlaneEndpoint.",
            rules.KUBELET_SERVER_SOURCE,
        )
    ]


def _manifests(host: Host, subject: str, request: Request) -> list[Finding]:
    found = []
    for path in host.foreign_manifests:
        pod = host.foreign_pods.get(path, "")
        if path.endswith(rules.BACKUP_ENDINGS) or pod in rules.KUBEADM_STATIC_PODS:
            named = f", another pod named {pod}" if pod else ""
            found.append(
                finding(
                    "manifest-backup",
                    BLOCKER,
                    subject,
                    f"{path}{named} is in the directory of static pods, and the kubelet runs it whatever the file is "
                    "called",
                    "Move it out of that directory.",
                    rules.BACKUP_MANIFEST_SOURCE,
                )
            )
    for path, why in sorted(host.broken_manifests.items()):
        if not path.endswith(rules.BACKUP_ENDINGS):
            found.append(
                finding(
                    "manifest-unreadable",
                    WARNING,
                    subject,
                    f"{path} cannot be read as a pod: {why}",
                    "Correct it, or move it out of that directory: the kubelet cannot run it either.",
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
