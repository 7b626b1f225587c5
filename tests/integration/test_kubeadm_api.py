# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node's own small client against a real API server.

Client certificates and a restarting server are in test_kubeadm_upgrade.py,
where real kubeadm makes the former and causes the latter.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.api import NoAnswer, NodeApi, Refused
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.kubeconfig import Kubeconfig
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import MirrorPod

if t.TYPE_CHECKING:
    from harness.cluster import Cluster

CLUSTER_CONFIGURATION = """\
apiServer:
  certSANs:
  - 192.0.2.10
  extraArgs:
  - name: shutdown-delay-duration
    value: 5s
apiVersion: kubeadm.k8s.io/v1beta4
dns: {}
etcd:
  local:
    dataDir: /var/lib/etcd
    imageTag: 3.6.12-0
kind: ClusterConfiguration
kubernetesVersion: v1.34.4
"""


def api(cluster: Cluster, address: str = "", **user: str) -> NodeApi:
    config = json.loads(cluster.kubeconfig.read_text())
    config["users"][0]["user"].update(user)
    return NodeApi(Kubeconfig.parse(json.dumps(config), str(cluster.kubeconfig)), address)


def test_version_and_readiness(cluster: Cluster) -> None:
    assert api(cluster).version() == "v1.34.4"
    assert api(cluster).ready() is True


def test_an_address_of_its_own(cluster: Cluster) -> None:
    config = Kubeconfig.parse(cluster.kubeconfig.read_text(), str(cluster.kubeconfig))
    elsewhere = Kubeconfig(config.path, "https://192.0.2.1:1", config.cluster, config.user)
    assert NodeApi(elsewhere, f"127.0.0.1:{cluster.port}").version() == "v1.34.4"


def test_cluster_configuration(cluster: Cluster) -> None:
    with pytest.raises(Refused, match="not found") as caught:
        api(cluster).cluster_configuration()
    assert caught.value.status == 404
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "kubeadm-config", "namespace": "kube-system"},
            "data": {"ClusterConfiguration": CLUSTER_CONFIGURATION},
        }
    )
    try:
        found = api(cluster).cluster_configuration()
    finally:
        cluster.kubectl("delete", "configmap", "-n", "kube-system", "kubeadm-config")
    assert found["kubernetesVersion"] == "v1.34.4"
    assert found["etcd"]["local"]["imageTag"] == "3.6.12-0"
    assert found["apiServer"]["extraArgs"] == [{"name": "shutdown-delay-duration", "value": "5s"}]


def test_mirror_pods(cluster: Cluster, unique: str) -> None:
    names = [f"{unique}a", f"{unique}b"]
    for name in names:
        cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": f"kube-scheduler-{name}",
                    "namespace": "kube-system",
                    "labels": {"component": "kube-scheduler", "tier": "control-plane"},
                    "annotations": {"kubernetes.io/config.mirror": "x", "kubernetes.io/config.hash": "x"},
                },
                "spec": {
                    "nodeName": name,
                    "hostNetwork": True,
                    "containers": [
                        {"name": "kube-scheduler", "image": f"registry.k8s.io/kube-scheduler:v1.35.4-{name}"}
                    ],
                },
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
            }
        )
    try:
        found = api(cluster).mirror_pods()
    finally:
        for name in names:
            cluster.kubectl("delete", "pod", "-n", "kube-system", f"kube-scheduler-{name}", "--force", "--wait=false")
    assert {name: found[name] for name in names} == {
        name: {"kube-scheduler": MirrorPod("kube-scheduler", f"v1.35.4-{name}", True)} for name in names
    }


def test_internal_addresses_of_a_node(cluster: Cluster, unique: str) -> None:
    addresses = [
        {"type": "InternalIP", "address": "192.0.2.11"},
        {"type": "Hostname", "address": "cp1"},
        {"type": "InternalIP", "address": "2001:db8::11"},
    ]
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": unique}, "status": {"addresses": addresses}}
    cluster.apply(node)
    try:
        assert api(cluster).node_addresses(unique) == ["192.0.2.11", "2001:db8::11"]
    finally:
        cluster.kubectl("delete", "node", unique)


def test_a_wrong_credential_is_refused_and_not_told(cluster: Cluster) -> None:
    with pytest.raises(Refused) as caught:
        api(cluster, token="wrong-secret").cluster_configuration()
    assert caught.value.status == 401
    assert "wrong-secret" not in str(caught.value)


def test_nobody_listens(cluster: Cluster) -> None:
    with pytest.raises(NoAnswer, match=r"127\.0\.0\.1:1 gave no answer to GET /version: ConnectionRefusedError"):
        api(cluster, "127.0.0.1:1").version()


def test_a_server_that_the_ca_did_not_sign_is_no_answer(cluster: Cluster) -> None:
    config = json.loads(cluster.kubeconfig.read_text())
    other = Path(__file__).parents[1] / "unit/plugins/module_utils/kubeadm/fixtures/apiserver.crt"
    config["clusters"][0]["cluster"]["certificate-authority"] = str(other)
    with pytest.raises(NoAnswer, match="CERTIFICATE_VERIFY_FAILED"):
        NodeApi(Kubeconfig.parse(json.dumps(config), "k")).version()
