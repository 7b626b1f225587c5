# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What kubeadm is given for its dry run."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.compose import (
    ComposeError,
    NodeFacts,
    compose,
    configuration,
    node_facts,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node

CP1 = NodeFacts("cp1", "192.0.2.11", 6443, {})
ENDPOINT = "kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint"


def test_the_cluster_s_settings_with_another_version() -> None:
    cluster = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "kubernetesVersion": "v1.34.4",
        "certificatesDir": "/srv/pki",
    }
    made = [*yaml.safe_load_all(configuration(cluster, CP1, "v1.35.4", "/etc/patches"))]
    assert made == [
        {**cluster, "kubernetesVersion": "v1.35.4"},
        {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "InitConfiguration",
            "localAPIEndpoint": {"advertiseAddress": "192.0.2.11", "bindPort": 6443},
            "nodeRegistration": {"name": "cp1", "criSocket": "unix:///run/containerd/containerd.sock"},
            "patches": {"directory": "/etc/patches"},
        },
    ]
    assert "patches" not in configuration(cluster, CP1, "v1.35.4", "")


def server(endpoint: str | None, *flags: str, variables: dict[str, str] | None = None) -> str:
    environment = [{"name": name, "value": value} for name, value in (variables or {}).items()]
    pod = {
        "kind": "Pod",
        "metadata": {"annotations": {ENDPOINT: endpoint} if endpoint else {}},
        "spec": {"containers": [{"name": "kube-apiserver", "command": ["kube-apiserver", *flags], "env": environment}]},
    }
    return yaml.safe_dump(pod)


PROXY = {"HTTPS_PROXY": "http://192.0.2.3:3128"}


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (server("192.0.2.11:6443"), ("192.0.2.11", 6443, {})),
        (server("[2001:db8::11]:7443"), ("2001:db8::11", 7443, {})),
        # kubeadm goes by the annotation as well, whatever a hand edit set.
        (server("192.0.2.11:6443", "--advertise-address=192.0.2.99", "--secure-port=1"), ("192.0.2.11", 6443, {})),
        (server(None, "--advertise-address=192.0.2.11", "--secure-port=7443"), ("192.0.2.11", 7443, {})),
        (server("192.0.2.11:6443", variables={**PROXY, "GOGC": "50"}), ("192.0.2.11", 6443, PROXY)),
    ],
)
def test_what_is_known_of_a_node(manifest: str, expected: tuple[t.Any, ...], tmp_path: Path) -> None:
    folder = tmp_path / "etc/kubernetes/manifests"
    folder.mkdir(parents=True)
    (folder / "kube-apiserver.yaml").write_text(manifest)
    (tmp_path / "etc/hostname").write_text("CP1\n")
    assert node_facts(Node(tmp_path)) == NodeFacts("cp1", *expected)


def test_a_node_without_an_address(tmp_path: Path) -> None:
    with pytest.raises(ComposeError, match=r"kube-apiserver\.yaml is missing, or names none"):
        node_facts(Node(tmp_path))


@pytest.mark.parametrize(
    ("program", "text", "said"),
    [
        ("/nowhere/kubeadm", "{}", "No such file or directory: '/nowhere/kubeadm'"),
        ("/bin/false", "{}", "for cp1: exit code 1"),
        ("/bin/true", "{}", "kube-apiserver.yaml"),
        ("/bin/true", "a: &x 1", "kubeadm-config: line 1: anchors"),
    ],
)
def test_what_cannot_be_had(program: str, text: str, said: str, tmp_path: Path) -> None:
    folder = tmp_path / "dry-run"
    with pytest.raises(ComposeError) as raised:
        compose(program, text, CP1, version="v1.35.4", patches="", etcd=True, folder=str(folder))
    assert said in raised.value.message
    assert not folder.exists()
