# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Findings on the certificates of a node: who uses each one, and what really renews it. Pure."""

from __future__ import annotations

import re
import typing as t
from datetime import datetime, timezone

from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._loose_data import dicts_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.flags import configured_flags, flags_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    BLOCKER,
    NOTE,
    WARNING,
    Cluster,
    Finding,
    Host,
    finding,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.state import system_pods

KUBELET_SERVING = "/var/lib/kubelet/pki/kubelet.crt"
KUBELET_CLIENT = "/etc/kubernetes/kubelet.conf"
_METRICS_SERVER = re.compile(r"/metrics-server[:@]")
_AUTHORITIES = ("ca", "front-proxy-ca", "etcd/ca")


class _Kind(t.NamedTuple):
    """What a certificate is for: severities where it is over and where it soon is, what that means, and the cures."""

    over: str
    soon: str
    soon_days: int
    note: str
    over_cure: str
    soon_cure: str


def certificate_findings(host: Host, subject: str, cluster: Cluster, now: float) -> list[Finding]:
    """`now` is in seconds since the epoch."""
    found = []
    for certificate in host.certificates:
        path, left_days = str(certificate["path"]), (certificate["not_after"] - now) / 86400
        kind = _kind(host, path, cluster)
        if kind is None or left_days >= kind.soon_days:
            continue
        until = datetime.fromtimestamp(certificate["not_after"], timezone.utc).strftime("%Y-%m-%d")
        over = left_days <= 0
        severity = kind.over if over else kind.soon
        told = f"expired on {until}" if over else f"expires on {until}, in {int(left_days)} days"
        if severity:
            found.append(
                finding(
                    "certificate-expired" if over else "certificate-expires-soon",
                    severity,
                    subject,
                    f"{path} {told}{kind.note}",
                    kind.over_cure if over else kind.soon_cure,
                    rules.CERTIFICATE_SOURCE,
                )
            )
    return found


def _kind(host: Host, path: str, cluster: Cluster) -> _Kind | None:
    if path == KUBELET_SERVING:
        return _kubelet_serving(host, cluster)
    if path == KUBELET_CLIENT:
        return _kubelet_client(host)
    name = _name(path)
    if name in _AUTHORITIES:
        cure = (
            "kubeadm renews no certificate authority. Replace it by hand: "
            "https://kubernetes.io/docs/tasks/tls/manual-rotation-of-ca-certificates/"
        )
        return _Kind(BLOCKER, WARNING, rules.CA_SOON_DAYS, "", cure, f"Plan ahead: {cure}")
    if path.endswith(".conf") and host.role == "worker":
        return _unused(path)
    authority = next((ca for ca, names in rules.SIGNED_BY.items() if name in names), "")
    if authority and host.role != "worker" and not (host.external_etcd and authority == "etcd/ca"):
        return _of_kubeadm(host, name, authority)
    if path in host.certificates_used:
        cure = "kubeadm did not make it and does not renew it: renew it by the means that it came from."
        return _Kind(BLOCKER, WARNING, rules.CERTIFICATE_SOON_DAYS, ", and a static pod is started with it", cure, cure)
    return _unused(path)


def _unused(path: str) -> _Kind:
    """Left over, such as a copy of before a renewal."""
    cure = f"Nothing for the upgrade: no component is started with it. If nothing else reads it, remove {path}."
    return _Kind(NOTE, "", rules.CERTIFICATE_SOON_DAYS, "", cure, "")


def _of_kubeadm(host: Host, name: str, authority: str) -> _Kind:
    days = rules.CERTIFICATE_SOON_DAYS
    if authority in host.ca_keys_missing:
        cure = (
            f"kubeadm cannot renew it, since the key of {authority} is not on {host.name}: renew it by your own means."
        )
        return _Kind(NOTE if name == "super-admin.conf" else BLOCKER, WARNING, days, "", cure, cure)
    renews = "The upgrade renews the certificates of kubeadm, unless certificate renewal is turned off."
    if name == "super-admin.conf":
        return _Kind(NOTE, NOTE, days, ", and no component uses it", renews, renews)
    over = f"On {host.name}: kubeadm certs renew all, then restart the static pods of the control plane."
    return _Kind(BLOCKER, WARNING, days, "", over, renews)


def _kubelet_client(host: Host) -> _Kind:
    """kubeadm renews it never; the kubelet does, from 70 % of its life on, and keeps it beside kubelet.conf."""
    user = f"system:node:{host.name}"
    over = (
        f"On a control-plane node: kubeadm kubeconfig user --org system:nodes --client-name {user} > kubelet.conf. "
        f"Make it {KUBELET_CLIENT} on {host.name}, remove /var/lib/kubelet/pki/kubelet-client* there, and restart the "
        "kubelet. Where kubelet-client-current.pem there is valid, name that file in kubelet.conf instead."
    )
    soon = (
        f"The kubelet renews it itself and should have done so long ago. See on {host.name} whether rotateCertificates "
        "is true in /var/lib/kubelet/config.yaml and whether kubelet.conf names kubelet-client-current.pem; and: "
        "kubectl get csr"
    )
    return _Kind(BLOCKER, WARNING, rules.CERTIFICATE_SOON_DAYS, "", over, soon)


def _kubelet_serving(host: Host, cluster: Cluster) -> _Kind | None:
    """The kubelet signs it itself, once; None where it serves another one."""
    config = {**host.kubelet_config, **host.kubelet_drop_ins}
    flags = {str(entry.get("name")): str(entry.get("value")) for entry in host.kubelet_flags}
    if config.get("serverTLSBootstrap") or config.get("tlsCertFile"):
        return None
    if flags.get("rotate-server-certificates") == "true" or flags.get("tls-cert-file"):
        return None
    verifying = _verifying(cluster)
    severity = WARNING if verifying else NOTE
    key = KUBELET_SERVING.replace(".crt", ".key")
    cure = (
        f"On {host.name}: mv {KUBELET_SERVING} {key} /root/ && systemctl restart kubelet, and the kubelet makes a new "
        "one for a year. Or set serverTLSBootstrap: true in kubelet-config and approve the requests. Neither kubeadm "
        "nor the upgrade renews it."
    )
    note = f"; {', '.join(verifying)} may verify it" if verifying else "; nothing that is known here verifies it"
    return _Kind(severity, severity, rules.CERTIFICATE_SOON_DAYS, note, cure, cure)


def _verifying(cluster: Cluster) -> list[str]:
    """Who verifies the serving certificates of kubelets."""
    found = []
    flag = "kubelet-certificate-authority"
    servers = api.static_pods(system_pods(cluster), "kube-apiserver").values()
    if flag in configured_flags(cluster.cluster_config, "kube-apiserver") or any(
        flag in flags_of(api.pod_arguments(pod)) for pod in servers
    ):
        found.append(f"the API servers (--{flag})")
    for pod in cluster.pods:
        for container in dicts_of((pod.get("spec") or {}).get("containers")):
            words = [*(container.get("command") or []), *(container.get("args") or [])]
            insecure = flags_of([str(word) for word in words]).get("kubelet-insecure-tls", ["false"])[-1]
            if _METRICS_SERVER.search(str(container.get("image"))) and insecure == "false":
                found.append(f"metrics-server ({api.qualified(pod)}, without --kubelet-insecure-tls)")
    return found[:3]


def _name(path: str) -> str:
    """As kubeadm names it: ``apiserver``, ``etcd/server``, ``admin.conf``."""
    folder, _slash, name = path.rpartition("/")
    name = name[: -len(".crt")] if name.endswith(".crt") else name
    return f"etcd/{name}" if folder.endswith("/etcd") else name
