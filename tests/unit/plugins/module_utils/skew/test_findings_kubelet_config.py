# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's kubelet configuration beside the ConfigMap's: what an upgrade takes back, and what is no difference."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Finding
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.cases import cluster, decide
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.test_findings_hosts import host

# As kubeadm 1.34 writes it, in the ConfigMap and on each node.
WRITTEN: dict[str, t.Any] = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "authentication": {
        "anonymous": {"enabled": False},
        "webhook": {"cacheTTL": "0s", "enabled": True},
        "x509": {"clientCAFile": "/etc/kubernetes/pki/ca.crt"},
    },
    "authorization": {"mode": "Webhook", "webhook": {"cacheAuthorizedTTL": "0s", "cacheUnauthorizedTTL": "0s"}},
    "cgroupDriver": "systemd",
    "clusterDNS": ["10.96.0.10"],
    "clusterDomain": "cluster.local",
    "containerRuntimeEndpoint": "",
    "cpuManagerReconcilePeriod": "0s",
    "failCgroupV1": False,
    "healthzPort": 10248,
    "kind": "KubeletConfiguration",
    "logging": {"flushFrequency": 0, "options": {"json": {"infoBufferSize": "0"}}, "verbosity": 0},
    "memorySwap": {},
    "rotateCertificates": True,
    "staticPodPath": "/etc/kubernetes/manifests",
}
NONE = {"cpuManagerPolicy": "none", "memoryManagerPolicy": "None"}


def findings(
    of_node: dict[str, t.Any], of_cluster: dict[str, t.Any] | None = None, target: str = "1.35.4", **kubelet: t.Any
) -> list[Finding]:
    info = {"config": {**WRITTEN, **of_node}, "manager_states": NONE, **kubelet}
    seen = cluster(kubelet_config={**WRITTEN, **(of_cluster or {})})
    return decide(seen, target, [host(role="worker", kubelet=info)])["findings"]


@pytest.mark.parametrize(
    ("of_node", "of_cluster", "kubelet", "severity", "told"),
    [
        ({"maxPods": 250}, {"maxPods": 110}, {}, "warning", "maxPods 250 becomes 110"),
        ({"maxPods": 250}, {}, {}, "warning", "maxPods 250 becomes 110"),
        ({"systemReserved": {"cpu": "500m", "memory": "2Gi"}}, {}, {}, "warning", "systemReserved.cpu 500m goes"),
        ({"evictionHard": {"nodefs.available": "5%"}}, {"evictionHard": {}}, {}, "warning", "nodefs.available 5% goes"),
        ({"topologyManagerPolicy": "single-numa-node"}, {}, {}, "warning", "single-numa-node becomes none"),
        ({"authentication": {"anonymous": {"enabled": True}}}, {}, {}, "warning", "anonymous.enabled true becomes fal"),
        ({"featureGates": {"NodeSwap": True}}, {}, {}, "warning", "featureGates.NodeSwap true goes"),
        ({"failSwapOn": False}, {}, {}, "warning", "failSwapOn false goes"),
        ({"serverTLSBootstrap": True}, {}, {}, "warning", "serverTLSBootstrap true becomes false"),
        ({"clusterDNS": ["169.254.25.10"]}, {}, {}, "warning", "clusterDNS ['169.254.25.10'] becomes ['10.96.0.10']"),
        ({}, {"maxParallelImagePulls": 4}, {}, "note", "maxParallelImagePulls 4 comes"),
        ({"cpuManagerPolicy": "static"}, {}, {"manager_states": {"cpuManagerPolicy": "static"}}, "blocker", "static b"),
        ({}, {"cpuManagerPolicy": "static"}, {}, "blocker", "becomes static"),
        (
            {"memoryManagerPolicy": "Static"},
            {},
            {"manager_states": {"memoryManagerPolicy": "Static"}},
            "blocker",
            "/var/lib/kubelet/memory_manager_state",
        ),
        # Without a look at the state file, what the node is configured with is what is in it.
        ({"cpuManagerPolicy": "static"}, {}, {"manager_states": None}, "blocker", "static becomes none"),
        # The kubelet was not restarted since, or its state was removed.
        ({"cpuManagerPolicy": "static"}, {}, {}, "warning", "static becomes none"),
        ({"cpuManagerPolicy": "static"}, {}, {"manager_states": {}}, "warning", "static becomes none"),
        # A part of it is kept.
        (
            {"maxPods": 250, "podPidsLimit": 4096},
            {},
            {"patches": [{"type": "strategic", "patch": {"maxPods": 250}}]},
            "warning",
            "so: podPidsLimit 4096 goes",
        ),
    ],
)
def test_what_the_upgrade_changes(
    of_node: dict[str, t.Any], of_cluster: dict[str, t.Any], kubelet: dict[str, t.Any], severity: str, told: str
) -> None:
    if kubelet.get("manager_states", "") is None:
        info = {"config": {**WRITTEN, **of_node}}
        seen = cluster(kubelet_config=WRITTEN)
        (found,) = decide(seen, "1.35.4", [host(role="worker", kubelet=info)])["findings"]
    else:
        (found,) = findings(of_node, of_cluster, **kubelet)
    assert (found["id"], found["severity"], found["subject"]) == ("kubelet-config-differs", severity, "node/w1")
    assert told in found["evidence"]
    assert ("worker_patches" in found["remedy"]) is (severity != "note")


SOCKET = {"containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock"}
STATIC = {"cpuManagerPolicy": "static"}


@pytest.mark.parametrize(
    ("of_node", "of_cluster", "kubelet"),
    [
        ({}, {}, {}),
        (
            {"syncFrequency": "5m0s", "volumeStatsAggPeriod": "90s"},
            {"syncFrequency": "5m", "volumeStatsAggPeriod": "1m30s"},
            {},
        ),
        ({"maxPods": 110, "cpuManagerPolicy": "none"}, {}, {}),
        ({"evictionPressureTransitionPeriod": "0s", "imageMaximumGCAge": "0s", "shutdownGracePeriod": "0s"}, {}, {}),
        ({"resolvConf": "/run/systemd/resolve/resolv.conf"}, {}, {}),
        (SOCKET, {}, {"instance_config": SOCKET}),
        ({"maxPods": 250}, {}, {"drop_ins": {"maxPods": 250}}),
        ({"maxPods": 250}, {}, {"drop_ins": {"maxPods": 300}}),
        ({"systemReserved": {"cpu": "1"}}, {}, {"drop_ins": {"systemReserved": {"cpu": "1"}}}),
        ({"maxPods": 250}, {}, {"flags": [{"name": "max-pods", "value": "250", "file": "/etc/default/kubelet"}]}),
        ({"maxPods": 250}, {}, {"patches": [{"type": "merge", "patch": {"maxPods": 250}}]}),
        (
            {"systemReserved": {"cpu": "1"}},
            {},
            {"patches": [{"type": "json", "patch": [{"op": "add", "path": "/systemReserved", "value": {"cpu": "1"}}]}]},
        ),
        (STATIC, {}, {"manager_states": STATIC, "patches": [{"type": "strategic", "patch": STATIC}]}),
        ({}, {}, {"manager_states": STATIC, "drop_ins": STATIC}),
        (
            {},
            {},
            {"manager_states": STATIC, "flags": [{"name": "cpu-manager-policy", "value": "static"}]},
        ),
    ],
)
def test_what_is_no_difference(
    of_node: dict[str, t.Any], of_cluster: dict[str, t.Any], kubelet: dict[str, t.Any]
) -> None:
    assert [entry["id"] for entry in findings(of_node, of_cluster, **kubelet)] == []


def test_a_node_that_is_done_is_left_alone() -> None:
    assert findings({"maxPods": 250}, target="1.34.4") == []


def test_the_configuration_that_counts_has_the_drop_ins() -> None:
    info = {"config": WRITTEN, "drop_ins": {"failCgroupV1": True, "failSwapOn": False}}
    hosts = [host(cgroup_version=1, swap_on=True, kubelet=info)]
    found = decide(cluster(kubelet_config=WRITTEN), "1.35.4", hosts)["findings"]
    assert [(entry["severity"], entry["id"]) for entry in found] == [("blocker", "cgroup-v1"), ("note", "swap-on")]
