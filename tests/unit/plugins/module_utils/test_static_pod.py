# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import (
    certificates_dir,
    container_flags,
    image_tag,
    leader_lease,
)


@pytest.mark.parametrize(
    ("container", "flags"),
    [
        ({}, {}),
        ({"command": ["etcd"], "args": None}, {}),
        ({"command": ["etcd", "--a=b,c=d", "-e=f"]}, {"a": "b,c=d", "e": "f"}),
        ({"command": ["etcd", "--a"], "args": ["b", "c", "--d"]}, {"a": "b", "d": "true"}),
        ({"args": ["--a", "--b=", "--a=c"]}, {"a": "c", "b": ""}),
        ({"args": ["--a", "-", "--", "b", "--c", 1]}, {"a": "-", "c": "1"}),
    ],
)
def test_container_flags(container: dict[str, object], flags: dict[str, str]) -> None:
    assert container_flags(container) == flags


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("registry.k8s.io/kube-apiserver:v1.35.4", "v1.35.4"),
        ("registry.example:5000/k8s/etcd:3.6.6-0", "3.6.6-0"),
        ("registry.example:5000/k8s/etcd", ""),
        ("registry.example:5000/kube-apiserver@sha256:0a1b", ""),
        ("registry.k8s.io/etcd:3.6.6-0@sha256:0f", "3.6.6-0"),
        ("registry.k8s.io/etcd@sha256:0f", ""),
        ("", ""),
    ],
)
def test_image_tag(image: str, tag: str) -> None:
    assert image_tag(image) == tag


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, ""),
        ({"kube-apiserver": {"client-ca-file": "/etc/kubernetes/ssl/ca.crt"}}, "/etc/kubernetes/ssl"),
        ({"kube-controller-manager": {"root-ca-file": "/srv/pki/ca.crt"}}, "/srv/pki"),
        # A member of its own CA.
        ({"etcd": {"trusted-ca-file": "/srv/etcd/ca.crt"}}, ""),
        # Of one's own making: the others still say it.
        (
            {
                "kube-apiserver": {
                    "client-ca-file": "/etc/bundle/ca.crt",
                    "tls-cert-file": "/srv/pki/apiserver.crt",
                    "service-account-signing-key-file": "/srv/pki/sa.key",
                }
            },
            "/srv/pki",
        ),
        ({"kube-apiserver": {"client-ca-file": "/etc/bundle.pem", "tls-cert-file": "apiserver.crt"}}, ""),
    ],
)
def test_the_folder_of_certificates(flags: dict[str, dict[str, str]], expected: str) -> None:
    assert certificates_dir(flags) == expected


@pytest.mark.parametrize(
    ("flags", "lease"),
    [
        ({}, ("kube-system", "kube-scheduler")),
        ({"leader-elect-resource-name": "own"}, ("kube-system", "own")),
        ({"leader-elect-resource-namespace": "own"}, ("own", "kube-scheduler")),
    ],
)
def test_leader_lease(flags: dict[str, str], lease: tuple[str, str]) -> None:
    assert leader_lease(flags, "kube-scheduler") == lease
