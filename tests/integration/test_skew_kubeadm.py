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
from control_plane import remove
from harness.cluster import Cluster
from harness.programs import VERSIONS, kubeadm, program
from skew_place import CONFIG_MAPS, check, upgradable


def addon(version: str, place: Path) -> dict[str, dict[str, t.Any]]:
    """The objects of kubeadm's CoreDNS, by their kinds."""
    kubeconfig = ("--kubeconfig", str(place / "none"))
    text = kubeadm(version, place, "addon", "coredns", "--print-manifest", *kubeconfig)
    return {each["kind"]: each for each in yaml.safe_load_all(text) if each}


@pytest.mark.parametrize("version", sorted(VERSIONS))
def test_the_gates_are_kubeadms(version: str, tmp_path: Path) -> None:
    """kubeadm refuses a file with a gate of its own that it does not know."""
    minor = int(version.split(".")[1])
    for gate in [*rules.KUBEADM_GATES, "NobodysGate"]:
        config = tmp_path / "gate.yaml"
        head = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
        config.write_text(f"{head}kubernetesVersion: v{version}\nfeatureGates: {{{gate}: true}}\n")
        command = [program(version, "kubeadm"), "config", "validate", "--config", config]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        refused = f"{gate} is not a valid feature name" in done.stderr
        assert (refused, done.returncode != 0) == (not rules.kubeadm_knows_gate(gate, minor),) * 2, gate


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
