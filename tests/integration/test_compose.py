# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests that real kubeadm writes in a dry run."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.compose import (
    ComposeError,
    NodeFacts,
    compose,
)
from harness.programs import VERSIONS, program
from harness.programs import kubeadm as run_kubeadm

OLD, NEW = sorted(VERSIONS)
PROXY = {"HTTPS_PROXY": "http://somebody:of-a-proxy@192.0.2.3:3128"}
CP2 = NodeFacts("cp2.example", "2001:db8::12", 7443, PROXY)
CLUSTER: dict[str, t.Any] = {
    "apiVersion": "kubeadm.k8s.io/v1beta4",
    "kind": "ClusterConfiguration",
    "kubernetesVersion": f"v{OLD}",
    "controlPlaneEndpoint": "api.example:6443",
    "certificatesDir": "/srv/pki",
    "networking": {"podSubnet": "fd00:1::/48", "serviceSubnet": "fd00:2::/112"},
    "apiServer": {"extraArgs": [{"name": "audit-log-maxage", "value": "7"}]},
}
EXTERNAL = {
    "endpoints": ["https://192.0.2.31:2379"],
    "caFile": "/etc/etcd/ca.crt",
    "certFile": "/srv/keys/client.crt",
    "keyFile": "/srv/keys/client.key",
}
COMPONENTS = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"]


@pytest.fixture
def kubeadm() -> str:
    return str(program(NEW, "kubeadm"))


def written(
    kubeadm: str, place: Path, *, version: str = NEW, patches: str = "", **more: t.Any
) -> tuple[dict[str, dict[str, t.Any]], list[str]]:
    """The container of each component, and notes."""
    notes: list[str] = []
    folder = place / "state/dry-run"
    made = compose(
        kubeadm,
        yaml.safe_dump({**CLUSTER, **more}),
        CP2,
        version=f"v{version}",
        patches=patches,
        etcd="etcd" not in more,
        folder=str(folder),
        note=notes.append,
    )
    assert not folder.exists()
    assert not Path("/etc/kubernetes/tmp").exists()
    return {name: yaml.safe_load(text)["spec"]["containers"][0] for name, text in made.items()}, notes


def test_stacked_etcd(kubeadm: str, tmp_path: Path) -> None:
    patches = tmp_path / "patches"
    patches.mkdir()
    operation = {"op": "add", "path": "/spec/containers/0/command/-", "value": "--v=4"}
    (patches / "kube-scheduler+json.json").write_text(yaml.safe_dump([operation]))
    made, notes = written(kubeadm, tmp_path, patches=str(patches))
    assert [*made] == [*COMPONENTS, "etcd"]
    assert notes == []
    server, etcd = made["kube-apiserver"], made["etcd"]
    assert server["image"] == f"registry.k8s.io/kube-apiserver:v{NEW}"
    flags = {"--advertise-address=2001:db8::12", "--secure-port=7443", "--client-ca-file=/srv/pki/ca.crt"}
    assert {*flags, "--audit-log-maxage=7"} <= {*server["command"]}
    assert made["kube-scheduler"]["command"][-1] == "--v=4"
    assert {"--name=cp2.example", "--initial-cluster=cp2.example=https://[2001:db8::12]:2380"} <= {*etcd["command"]}
    proxied = [{"name": "HTTPS_PROXY", "value": PROXY["HTTPS_PROXY"]}]
    assert {name: container.get("env", []) for name, container in made.items()} == {
        **dict.fromkeys(COMPONENTS, proxied),
        "etcd": [],
    }


def test_external_etcd_and_the_version_before(kubeadm: str, tmp_path: Path) -> None:
    made, _notes = written(kubeadm, tmp_path, version=OLD, etcd={"external": EXTERNAL})
    assert {name: container["image"].rpartition(":")[2] for name, container in made.items()} == dict.fromkeys(
        COMPONENTS, f"v{OLD}"
    )
    assert "--etcd-servers=https://192.0.2.31:2379" in made["kube-apiserver"]["command"]


def test_feature_gates_that_this_kubeadm_does_not_know(kubeadm: str, tmp_path: Path) -> None:
    gates = {"WaitForAllControlPlaneComponents": True, "NobodysGate": False, "NodeLocalCRISocket": True}
    made, notes = written(kubeadm, tmp_path, featureGates=gates)
    gone = "NobodysGate, WaitForAllControlPlaneComponents"
    assert notes == [f"kubeadm does not know {gone} in featureGates of kubeadm-config: left out."]
    assert made == written(kubeadm, tmp_path)[0]


def test_a_ca_whose_key_is_elsewhere(kubeadm: str, tmp_path: Path) -> None:
    """kubeadm init would ask for super-admin.conf, which a node that joined has not."""
    pki = tmp_path / "pki"
    run_kubeadm(NEW, tmp_path, "certs", "all", certificates=pki)
    (pki / "ca.key").unlink()
    made, _notes = written(kubeadm, tmp_path, certificatesDir=str(pki))
    assert f"--client-ca-file={pki}/ca.crt" in made["kube-apiserver"]["command"]
    assert (pki / "ca.crt").exists()


def test_kubeadms_own_words(kubeadm: str, tmp_path: Path) -> None:
    with pytest.raises(ComposeError, match=r'for cp2\.example: error: networking\.podSubnet: .*"nobody"'):
        written(kubeadm, tmp_path, networking={"podSubnet": "nobody"})
