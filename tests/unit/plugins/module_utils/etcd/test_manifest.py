# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import manifest
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.manifest import ManifestError

KUBEADM = """\
apiVersion: v1
kind: Pod
metadata:
  annotations:
    kubeadm.kubernetes.io/etcd.advertise-client-urls: https://10.0.0.10:2379
  labels:
    component: etcd
  name: etcd
spec:
  containers:
  - command:
    - etcd
    - --advertise-client-urls=https://10.0.0.10:2379
    - --cert-file=/etc/kubernetes/pki/etcd/server.crt
    - --data-dir=/var/lib/etcd
    - --feature-gates=InitialCorruptCheck=true
    - --initial-cluster=cp1=https://10.0.0.10:2380,cp2=https://10.0.0.11:2380
    - --key-file=/etc/kubernetes/pki/etcd/server.key
    - --listen-client-urls=https://127.0.0.1:2379,https://10.0.0.10:2379
    - --listen-metrics-urls=http://127.0.0.1:2381
    - --name=cp1
    - --trusted-ca-file=/etc/kubernetes/pki/etcd/ca.crt
    image: registry.k8s.io/etcd:3.6.5-0
    livenessProbe:
      httpGet:
        host: 127.0.0.1
        path: /livez
        port: probe-port
    name: etcd
    resources:
      requests: {cpu: 100m, memory: 100Mi}
    volumeMounts:
    - mountPath: /var/lib/etcd
      name: etcd-data
    - mountPath: /etc/kubernetes/pki/etcd
      name: etcd-certs
  hostNetwork: true
  volumes:
  - hostPath:
      path: /etc/kubernetes/pki/etcd
      type: DirectoryOrCreate
    name: etcd-certs
  - hostPath:
      path: /var/lib/etcd
      type: DirectoryOrCreate
    name: etcd-data
status: {}
"""


def test_the_manifest_that_kubeadm_writes() -> None:
    access = manifest.access_from_manifest(KUBEADM, lambda path: True)
    assert access.endpoint == "https://127.0.0.1:2379"
    assert access.name == "cp1"
    assert access.data_dir == "/var/lib/etcd"
    assert access.ca_cert == "/etc/kubernetes/pki/etcd/ca.crt"
    assert access.client_cert == "/etc/kubernetes/pki/etcd/healthcheck-client.crt"
    assert access.client_key == "/etc/kubernetes/pki/etcd/healthcheck-client.key"


def test_without_the_health_check_client_the_server_certificate_is_shown() -> None:
    access = manifest.access_from_manifest(KUBEADM, lambda path: False)
    assert (access.client_cert, access.client_key) == (
        "/etc/kubernetes/pki/etcd/server.crt",
        "/etc/kubernetes/pki/etcd/server.key",
    )


def test_paths_are_those_of_the_host() -> None:
    text = KUBEADM.replace("      path: /var/lib/etcd\n", "      path: /srv/etcd\n")
    access = manifest.access_from_manifest(text, lambda path: False)
    assert access.data_dir == "/srv/etcd"
    assert manifest.in_container("/srv/etcd/member", access.mounts) == "/var/lib/etcd/member"
    assert manifest.in_container("/srv/other", access.mounts) is None


def container(text: str) -> dict:
    return manifest.etcd_container(
        manifest.read_pod("spec:\n  containers:\n" + textwrap.indent(textwrap.dedent(text), "  "))
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("- command:\n  - etcd\n  - --name=cp1\n  - --data-dir=/d", id="kubeadm"),
        pytest.param("- command:\n    - etcd\n    - --name=cp1\n    - --data-dir=/d\n  name: etcd", id="deeper lists"),
        pytest.param('-\n  command: ["etcd", "--name=cp1", \'--data-dir=/d\']', id="flow list"),
        pytest.param('- command: [etcd,\n    --name=cp1,\n    "--data-dir=/d"\n    ]', id="flow list over lines"),
        pytest.param("- command: [etcd]\n  args:\n  - --name\n  - cp1\n  - --data-dir\n  - /d", id="separate values"),
        pytest.param("- command:\n  - /usr/local/bin/etcd\n  args: [-name=cp1, -data-dir, /d]", id="single dashes"),
        pytest.param(
            '- command:\n  - "etcd"\n  # a comment\n  - \'--name=cp1\'   # another\n\n  - "--data-dir=/d"', id="quotes"
        ),
        pytest.param("- command: [etcd, --data-dir=/d, --name=old, --name=cp1]", id="the last of two holds"),
        pytest.param(
            "- command: [etcd, --data-dir=/d]\n  env:\n  - name: ETCD_NAME\n    value: cp1\n"
            "  - {name: ETCD_DATA_DIR, value: /x}",
            id="environment below flags",
        ),
        pytest.param(
            "- name: sidecar\n  command: [sh, -c, 'sleep 1']\n"
            "- name: etcd\n  command: [etcd, --name=cp1, --data-dir=/d]",
            id="not the first container",
        ),
        pytest.param("- command:\n  - etcd\n  - >-\n    --name=cp1\n  - |-\n    --data-dir=/d", id="block scalars"),
    ],
)
def test_flags(text: str) -> None:
    flags = manifest.flags_of(container(text))
    assert (flags["name"], flags["data-dir"]) == ("cp1", "/d")


def test_a_block_scalar_that_keeps_its_line_break_is_what_etcd_is_given() -> None:
    flags = manifest.flags_of(container("- command:\n  - etcd\n  - >-\n    --name=cp1\n  - |\n    --data-dir=/d"))
    assert (flags["name"], flags["data-dir"]) == ("cp1", "/d\n")


def test_a_flag_without_value_is_true() -> None:
    assert manifest.flags_of({"command": ["etcd", "--client-cert-auth", "--name=a"]}) == {
        "client-cert-auth": "true",
        "name": "a",
    }


def test_json_is_a_manifest_too() -> None:
    text = (
        '{"spec": {"containers": [{"name": "etcd", "command": ["etcd", "--listen-client-urls=http://0.0.0.0:2379"]}]}}'
    )
    assert manifest.access_from_manifest(text).endpoint == "http://127.0.0.1:2379"


@pytest.mark.parametrize(
    ("urls", "expected"),
    [
        ("https://10.0.0.1:2379,https://127.0.0.1:2379", "https://127.0.0.1:2379"),
        ("http://127.0.0.1:2379, https://10.0.0.1:2379", "https://10.0.0.1:2379"),
        ("https://0.0.0.0:2379", "https://127.0.0.1:2379"),
        ("https://[::]:2379", "https://[::1]:2379"),
        ("unix:///s,https://10.0.0.1:2379", "https://10.0.0.1:2379"),
    ],
)
def test_the_url_to_ask(urls: str, expected: str) -> None:
    assert manifest.local_url(urls) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("# only this\n", "is empty"),
        ("{", "JSON"),
        ("spec:\n  containers:\n  - name: x\n", "no etcd container"),
        ("kind: Pod\n", "no etcd container"),
        ("- a\n- b\n", "no etcd container"),
        ("spec: &anchor\n  a: b\n", "line 1:"),
        ("spec:\n  a: *other\n", "line 2:"),
        ("spec:\n  a: 'open\n", "line 2:"),
        ("spec:\n    a: b\n  c: d\n", "line 3:"),
        ("spec: {containers: [{name: etcd, command: [etcd, --config-file=/c]}]}", "/c"),
        (
            "spec: {containers: [{name: etcd, command: [etcd, '--listen-client-urls=unix:///x']}]}",
            "names no client URL",
        ),
    ],
)
def test_what_cannot_be_read_is_said(text: str, said: str) -> None:
    with pytest.raises(ManifestError) as caught:
        manifest.access_from_manifest(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"client_cert": "/c"}, "belong together"),
        ({"endpoint": "10.0.0.1:2379"}, "is not one URL"),
        ({"endpoint": "https://a:2379,https://b:2379"}, "is not one URL"),
        ({"manifest": "/nonexistent/etcd.yaml"}, "/nonexistent/etcd.yaml"),
    ],
)
def test_options_that_lead_nowhere(params: dict, said: str) -> None:
    with pytest.raises(ManifestError) as caught:
        manifest.find_access(params)
    assert said in str(caught.value)


def test_an_endpoint_needs_no_manifest() -> None:
    access = manifest.find_access({"endpoint": "https://10.0.0.1:2379/", "ca_cert": "/ca", "manifest": "/nonexistent"})
    assert (access.endpoint, access.ca_cert, access.data_dir) == ("https://10.0.0.1:2379", "/ca", "")


API_SERVER = """\
apiVersion: v1
kind: Pod
spec:
  containers:
  - name: audit
    command: [tail, --etcd-servers=https://192.0.2.9:2379]
  - name: kube-apiserver
    command:
    - kube-apiserver
    - --etcd-servers=https://192.0.2.31:2379,https://192.0.2.32:2379/
    - --etcd-cafile=/etcd/ca.pem
    - --etcd-certfile=/etcd/node.pem
    - --etcd-keyfile=/etcd/node-key.pem
    volumeMounts: [{mountPath: /etcd, name: etcd}]
  volumes: [{name: etcd, hostPath: {path: /etc/ssl/etcd/ssl}}]
"""


def test_an_external_etcd_is_reached_as_the_api_server_does(tmp_path: Path) -> None:
    (tmp_path / "kube-apiserver.yaml").write_text(API_SERVER)
    found = manifest.find_access({"manifest": str(tmp_path / "etcd.yaml")})
    assert found.servers == ("https://192.0.2.31:2379", "https://192.0.2.32:2379")
    assert found.endpoint == found.servers[0]
    assert (found.ca_cert, found.client_cert, found.client_key, found.data_dir) == (
        "/etc/ssl/etcd/ssl/ca.pem",
        "/etc/ssl/etcd/ssl/node.pem",
        "/etc/ssl/etcd/ssl/node-key.pem",
        "",
    )
    given = manifest.find_access({"manifest": str(tmp_path / "etcd.yaml"), "ca_cert": "/other.pem"})
    assert given.ca_cert == "/other.pem"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (API_SERVER.replace("--etcd-servers", "--servers"), "has no --etcd-servers"),
        (API_SERVER.replace("name: kube-apiserver", "name: other"), "has no container kube-apiserver"),
        ("a: [b", "could not be read"),
        (None, "could not be read"),
    ],
)
def test_where_neither_says_how(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "kube-apiserver.yaml").write_text(text)
    with pytest.raises(manifest.ManifestError, match=said):
        manifest.find_access({"manifest": str(tmp_path / "etcd.yaml")})
