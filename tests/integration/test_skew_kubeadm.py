# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What skew_check knows of kubeadm as data, beside what kubeadm itself writes."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import coredns, rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.flags import flags_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.kubeadm_defaults import DEFAULT_FLAGS
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.pod_drift import pod_drift
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.kubeadm.mirror import mirrored
from control_plane import remove, show
from harness.cluster import Cluster
from harness.programs import VERSIONS, kube, kubeadm
from skew_place import CONFIG_MAPS, check, configured, upgradable


def addon(version: str, place: Path) -> dict[str, dict[str, t.Any]]:
    """The objects of kubeadm's CoreDNS, by their kinds."""
    kubeconfig = ("--kubeconfig", str(place / "none"))
    text = kubeadm(version, place, "addon", "coredns", "--print-manifest", *kubeconfig)
    return {each["kind"]: each for each in yaml.safe_load_all(text) if each}


@pytest.mark.parametrize("version", sorted(VERSIONS))
def test_the_flags_are_kubeadms(version: str, tmp_path: Path) -> None:
    kubeadm(version, tmp_path, "control-plane", "all", "--dry-run")
    kubeadm(version, tmp_path, "etcd", "local", "--dry-run")
    for component, defaults in DEFAULT_FLAGS.items():
        manifest = yaml.safe_load((tmp_path / f"{component}.yaml").read_text())
        found = flags_of(manifest["spec"]["containers"][0]["command"])
        assert set(found) <= set(defaults)
        # What is left out is for another etcd, or for a member that joins.
        assert all("etcd" in component for name in defaults if name not in found), component
        fixed = {name: [value] for name, value in defaults.items() if value is not None and name in found}
        assert {name: found[name] for name in fixed} == fixed


@pytest.mark.parametrize("version", sorted(VERSIONS))
def test_the_gates_are_kubeadms(version: str, tmp_path: Path) -> None:
    """kubeadm refuses a file with a gate of its own that it does not know."""
    minor = int(version.split(".")[1])
    for gate in [*rules.KUBEADM_GATES, "NobodysGate"]:
        config = tmp_path / "gate.yaml"
        head = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
        config.write_text(f"{head}kubernetesVersion: v{version}\nfeatureGates: {{{gate}: true}}\n")
        command = ["kubeadm", "config", "validate", "--config", str(config)]
        done = subprocess.run(command, executable=kube(version), capture_output=True, text=True, check=False)
        refused = f"{gate} is not a valid feature name" in done.stderr
        assert (refused, done.returncode != 0) == (not rules.kubeadm_knows_gate(gate, minor),) * 2, gate


# Each setting that has a say in what kubeadm writes beside flags.
SETTINGS: dict[str, t.Any] = {
    "imageRepository": "mirror.example",
    "apiServer": {
        "extraEnvs": [{"name": "GOGC", "value": "50"}, {"name": "NO_PROXY", "value": "10.0.0.0/8"}],
        "extraVolumes": [
            {"name": "audit", "hostPath": "/etc/audit", "mountPath": "/etc/audit", "readOnly": True},
            {"name": "ca-certs", "hostPath": "/srv/certs", "mountPath": "/etc/ssl/certs", "pathType": "Directory"},
        ],
    },
    "controllerManager": {"extraArgs": [{"name": "flex-volume-plugin-dir", "value": "/opt/flex"}]},
    "scheduler": {"extraVolumes": [{"name": "policy", "hostPath": "/etc/policy", "mountPath": "/policy"}]},
}
STACKED = {
    "imageRepository": "etcd.example",
    "imageTag": "3.6.5-own",
    "dataDir": "/data/etcd",
    "extraEnvs": [{"name": "ETCD_QUOTA", "value": "1"}],
}
EXTERNAL = {
    "endpoints": ["https://192.0.2.31:2379"],
    "caFile": "/etc/etcd/ca.crt",
    "certFile": "/srv/keys/client.crt",
    "keyFile": "/srv/keys/client.key",
}
PROXY = {"HTTPS_PROXY": "http://192.0.2.3:3128", "no_proxy": "10.0.0.0/8"}


def written(version: str, place: Path, settings: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    """The manifests that kubeadm writes where a proxy is set, by component."""
    more = {"more": yaml.safe_dump(settings), "variables": PROXY}
    kubeadm(version, place, "control-plane", "all", "--dry-run", **more)
    if "external" not in settings["etcd"]:
        kubeadm(version, place, "etcd", "local", "--dry-run", **more)
    return {
        component: yaml.safe_load(file.read_text())
        for component in DEFAULT_FLAGS
        if (file := place / f"{component}.yaml").exists()
    }


@pytest.mark.parametrize("etcd", [{"local": STACKED}, {"external": EXTERNAL}], ids=["stacked", "external"])
@pytest.mark.parametrize("version", sorted(VERSIONS))
def test_the_rest_is_kubeadms(version: str, etcd: dict[str, t.Any], tmp_path: Path) -> None:
    settings = {**SETTINGS, "etcd": etcd}
    made = written(version, tmp_path, settings)
    config = {**settings, "kubernetesVersion": f"v{version}"}
    assert {name: pod_drift(name, pod, config) for name, pod in made.items()} == dict.fromkeys(made, ([], []))
    assert len(made) == (4 if "local" in etcd else 3)
    # Without the settings, everything that they brought is foreign.
    plain = {"kubernetesVersion": f"v{version}"}
    found = {name: pod_drift(name, pod, plain).edited for name, pod in made.items()}
    server = ["environment: GOGC", "mounts: /etc/audit, /etc/ssl/certs", "repository of the image"]
    if "external" in etcd:
        server[1] = "mounts: /etc/audit, /etc/etcd, /etc/ssl/certs, /srv/keys"
    assert found["kube-apiserver"] == server
    assert found["kube-scheduler"] == ["mounts: /policy", "repository of the image"]
    flexvolumes = [] if int(version.split(".")[1]) > 35 else ["mounts: /opt/flex"]
    assert found["kube-controller-manager"] == [*flexvolumes, "repository of the image"]
    if "local" in etcd:
        assert found["etcd"] == [
            "environment: ETCD_QUOTA",
            "mounts: /data/etcd",
            "without the mounts: /var/lib/etcd",
            "repository of the image",
            "tag of the image",
        ]


def test_nothing_is_found_on_static_pods_that_kubeadm_wrote(cluster: Cluster, tmp_path: Path) -> None:
    """The API server and its admission fill in what is no edit."""
    plane = "written-plane"
    settings = {**SETTINGS, "etcd": {"local": {**STACKED, "imageTag": "3.6.5-0"}}}
    pods = written("1.34.4", tmp_path, settings)
    ours = ("static-pod-edited", "static-pod-behind-config")
    with upgradable(cluster, plane, "written-worker", {}):
        cluster.client.patch(f"/api/v1/nodes/{plane}", {"metadata": {"labels": {"topology.kubernetes.io/zone": "a"}}})
        for name, pod in pods.items():
            show(cluster, mirrored(pod, name, plane))
        with configured(cluster, settings):
            clean = check(cluster)
        other = check(cluster)
    assert {mark for mark in clean.findings if mark[0] in ours} == set()
    edited = {("static-pod-edited", f"pod/kube-system/{name}-{plane}") for name in pods}
    assert {mark for mark in other.findings if mark[0] in ours} == edited


@pytest.mark.parametrize("version", sorted(VERSIONS))
def test_coredns_is_kubeadms(version: str, tmp_path: Path) -> None:
    made = addon(version, tmp_path)
    assert coredns.customised(made["Deployment"]) == []
    image = made["Deployment"]["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image.endswith(f":v{coredns.DEPLOYED[int(version.split('.')[1])]}")
    plugins = coredns.plugins_of(made["ConfigMap"]["data"]["Corefile"])
    assert len(plugins) == 10
    assert set(plugins) <= coredns.KNOWN_PLUGINS


def test_nothing_is_found_on_an_addon_that_kubeadm_wrote(cluster: Cluster, tmp_path: Path) -> None:
    """The API server fills in defaults, which are no customisation."""
    made = addon("1.34.4", tmp_path)
    made["Deployment"]["spec"]["replicas"] = 0
    try:
        with upgradable(cluster, "kubeadm-plane", "kubeadm-worker", {}):
            cluster.apply(made["ConfigMap"], made["Deployment"])
            found = check(cluster)
            cluster.client.patch(f"{CONFIG_MAPS}/coredns", {"data": {"Corefile": ".:53 {\n  records x\n}\n"}})
            other = check(cluster)
    finally:
        remove(cluster, f"{CONFIG_MAPS}/coredns")
        remove(cluster, "/apis/apps/v1/namespaces/kube-system/deployments/coredns")
    assert found.result["addons"]["coredns"] == "1.12.1"
    about = {id for id, subject in found.findings if "coredns" in subject}
    assert about == set()
    assert {id for id, subject in other.findings if "coredns" in subject} == {"coredns-plugin-unknown"}
