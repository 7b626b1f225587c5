# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The command line of a container of a static pod."""

from __future__ import annotations

import typing as t

VERBOSITY = "v"
"""The flag with the level of the log, which all components of Kubernetes have. Of several the last holds."""
CERTIFICATES = "/etc/kubernetes/pki"
"""Where kubeadm has its certificates and keys unless ``certificatesDir`` names another folder."""
_CERTIFICATE_FLAGS = (
    ("kube-apiserver", "client-ca-file", "/ca.crt"),
    ("kube-apiserver", "kubelet-client-certificate", "/apiserver-kubelet-client.crt"),
    ("kube-apiserver", "proxy-client-cert-file", "/front-proxy-client.crt"),
    ("kube-apiserver", "requestheader-client-ca-file", "/front-proxy-ca.crt"),
    ("kube-apiserver", "service-account-signing-key-file", "/sa.key"),
    ("kube-apiserver", "tls-cert-file", "/apiserver.crt"),
    ("kube-controller-manager", "cluster-signing-key-file", "/ca.key"),
    ("kube-controller-manager", "root-ca-file", "/ca.crt"),
    ("kube-controller-manager", "service-account-private-key-file", "/sa.key"),
)
"""Component, flag, and what kubeadm writes into it behind ``certificatesDir``."""


def image_tag(image: str) -> str:
    """``v1.35.4`` of ``registry:5000/a/kube-apiserver:v1.35.4@sha256:...``; empty where there is no tag."""
    name = image.partition("@")[0].rpartition("/")[2]
    return name.partition(":")[2]


def container_words(container: t.Mapping[str, t.Any]) -> list[str]:
    """`command` and `args` of a container as one list, the program first."""
    return [str(word) for key in ("command", "args") for word in container.get(key) or ()]


def flag_values(container: t.Mapping[str, t.Any]) -> list[tuple[str, str]]:
    """(name, value) of each flag of a container, in their order; one that is repeated is there more than once.

    ``--name=value``, ``--name value`` and ``-name=value`` are known, what is no
    flag is left out. A flag without a value is ``true``, as the Go flag packages
    take it.
    """
    found: list[tuple[str, str]] = []
    pending = False
    for word in container_words(container):
        if word.startswith("-") and word.strip("-"):
            name, equals, value = word.lstrip("-").partition("=")
            found.append((name, value if equals else "true"))
            pending = not equals
        else:
            if pending:
                found[-1] = (found[-1][0], word)
            pending = False
    return found


def logs_less(container: t.Mapping[str, t.Any], level: int) -> bool:
    """Whether the log of a container has a lower level than `level`: ``--v``, or 0 without it."""
    value = container_flags(container).get(VERBOSITY, "0")
    return not value.isdigit() or int(value) < level


def container_flags(container: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The flags of a container by name; where one is repeated, the last holds."""
    return dict(flag_values(container))


def leader_lease(flags: t.Mapping[str, str], component: str) -> tuple[str, str]:
    """Namespace and name of the Lease by which `component` elects its leader, with the defaults of its flags."""
    return (
        flags.get("leader-elect-resource-namespace", "kube-system"),
        flags.get("leader-elect-resource-name", component),
    )


def certificates_dir(flags: t.Mapping[str, t.Mapping[str, str]]) -> str:
    """The ``certificatesDir`` of kubeadm as the `flags` of its static pods tell, by component; empty where none does.

    Each flag may be set to something else by the user, so that the most of them say it.
    """
    folders = [
        value[: -len(end)]
        for component, flag, end in _CERTIFICATE_FLAGS
        if (value := flags.get(component, {}).get(flag, "")).startswith("/") and value.endswith(end)
    ]
    return max(folders, key=folders.count, default="")


def etcd_servers(flags: t.Mapping[str, str]) -> list[str]:
    """The client URLs of ``--etcd-servers``, among the flags of a kube-apiserver."""
    urls = [url.strip().rstrip("/") for url in flags.get("etcd-servers", "").split(",")]
    return [url for url in urls if url.startswith(("https://", "http://"))]
