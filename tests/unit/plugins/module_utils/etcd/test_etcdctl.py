# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import etcdctl
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import Access, RouteMissing

PKI = "/etc/kubernetes/pki/etcd"
ACCESS = Access(
    endpoint="https://127.0.0.1:2379",
    ca_cert=f"{PKI}/ca.crt",
    client_cert=f"{PKI}/healthcheck-client.crt",
    client_key=f"{PKI}/healthcheck-client.key",
    data_dir="/srv/etcd",
    mounts=((PKI, PKI), ("/var/lib/etcd", "/srv/etcd")),
)


def test_on_the_host() -> None:
    assert etcdctl.host_argv(ACCESS, "/usr/bin/etcdctl", ACCESS.endpoint, 30, ["snapshot", "save", "/b/a.db.part"]) == [
        "/usr/bin/etcdctl",
        "--endpoints=https://127.0.0.1:2379",
        f"--cacert={PKI}/ca.crt",
        f"--cert={PKI}/healthcheck-client.crt",
        f"--key={PKI}/healthcheck-client.key",
        "--dial-timeout=5.000s",
        "--command-timeout=30.000s",
        "snapshot",
        "save",
        "/b/a.db.part",
    ]


def test_in_the_static_pod() -> None:
    argv = etcdctl.pod_argv(ACCESS, "/bin/crictl", "unix:///r.sock", "abc", "https://127.0.0.1:2379", 1.5, ["version"])
    assert argv == [
        "/bin/crictl",
        "--runtime-endpoint=unix:///r.sock",
        "exec",
        "--sync",
        "--timeout=6",
        "abc",
        "etcdctl",
        "--endpoints=https://127.0.0.1:2379",
        f"--cacert={PKI}/ca.crt",
        f"--cert={PKI}/healthcheck-client.crt",
        f"--key={PKI}/healthcheck-client.key",
        "--dial-timeout=1.500s",
        "--command-timeout=1.500s",
        "version",
    ]


def test_certificates_that_the_pod_does_not_see() -> None:
    elsewhere = Access(endpoint=ACCESS.endpoint, ca_cert="/root/ca.crt", mounts=ACCESS.mounts)
    with pytest.raises(RouteMissing, match=r"/root/ca\.crt"):
        etcdctl.pod_argv(elsewhere, "crictl", "", "abc", ACCESS.endpoint, 5, [])


def test_without_certificates_none_are_named() -> None:
    plain = Access(endpoint="http://127.0.0.1:2379")
    argv = etcdctl.host_argv(plain, "etcdctl", plain.endpoint, 2, ["version"])
    assert argv == [
        "etcdctl",
        "--endpoints=http://127.0.0.1:2379",
        "--dial-timeout=2.000s",
        "--command-timeout=2.000s",
        "version",
    ]


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(RouteMissing, match="not an executable"):
        etcdctl.find_etcdctl(ACCESS, etcdctl="/nonexistent/etcdctl")
