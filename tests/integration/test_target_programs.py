# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""target_programs asks the real programs of 1.34.4 and 1.35.4, fetches them by apt, and leaves nothing behind."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.modules import skew_check, target_programs
from apt_place import needs_apt, package, signer
from control_plane import remove, task
from etcd_cluster import start_module
from harness.cluster import Cluster
from harness.modules import run_module
from harness.process import wait_for
from harness.programs import VERSIONS, binaries, program, scratch_folder
from skew_place import CONFIG_MAPS, config_map

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the module is for root, and drops to nobody")


@pytest.fixture
def scratch() -> t.Iterator[Path]:
    with scratch_folder() as folder:
        yield folder


def ask(scratch: Path, version: str = "1.35.4", **options: t.Any) -> dict[str, t.Any]:
    params = {"kubernetes_version": version, "binaries": binaries(version), "scratch": str(scratch), **options}
    result = target_programs.ask(task(target_programs.ARGUMENT_SPEC, params))
    assert list(scratch.glob("evergreen-target-programs-*")) == []
    return result


def test_two_versions_differ_in_what_they_know(scratch: Path) -> None:
    flags = [{"name": "pod-infra-container-image", "value": "p"}, {"name": "node-ip", "value": "192.0.2.1"}]
    old, new = (ask(scratch, version, kubelet_flags=flags)["programs"] for version in VERSIONS)
    for programs in (old, new):
        assert [name for name, answer in programs.items() if answer["error"]] == []
        assert "etcd-servers" in programs["kube-apiserver"]["flags"]
        assert "NodeRestriction" in programs["kube-apiserver"]["admission_plugins"]
        assert "leader-elect" in programs["kube-scheduler"]["flags"]
        assert programs["kubelet"]["feature_gates"]["SELinuxMount"]["stage"] in ("ALPHA", "BETA")
        assert "SELinuxMount" in programs["kube-proxy"]["feature_gates"]
    assert "pod-infra-container-image" in old["kubelet"]["flags"]
    assert new["kubelet"]["asked_flags"] == {"pod-infra-container-image": "unknown"}
    assert "NodeDeclaredFeatureValidator" not in old["kube-apiserver"]["admission_plugins"]
    assert "NodeDeclaredFeatureValidator" in new["kube-apiserver"]["admission_plugins"]


def test_images_of_the_version(scratch: Path) -> None:
    result = ask(scratch, image_repository="registry.example:5000/k8s")
    images = {entry["name"]: entry for entry in result["images"]}
    assert images["kube-apiserver"]["image"] == "registry.example:5000/k8s/kube-apiserver:v1.35.4"
    assert images["etcd"]["tag"].startswith("3.6.")
    assert {"coredns", "pause", "kube-proxy"} <= set(images)
    assert not result["changed"]


def test_gates_are_asked_of_each_program(scratch: Path) -> None:
    pods = [{"kube-scheduler": {"flags": {"feature-gates": "CPUManager=true,NodeSwap=true", "no-such": "1"}}}]
    result = ask(scratch, static_pods=pods, kubelet_feature_gates=[{"NodeSwap": False, "SELinuxMount": True}])
    scheduler, kubelet = result["programs"]["kube-scheduler"], result["programs"]["kubelet"]
    assert scheduler["asked_feature_gates"] == {"CPUManager=true": "unknown", "NodeSwap=true": "known"}
    assert scheduler["asked_flags"] == {"no-such": "unknown"}
    assert kubelet["asked_feature_gates"] == {"NodeSwap=false": "locked", "SELinuxMount=true": "known"}


def test_what_the_cluster_uses_is_asked_for_and_judged(cluster: Cluster, scratch: Path) -> None:
    kubelet = {"kind": "KubeletConfiguration", "featureGates": {"CPUManager": True}, "maxPods": -3, "noSuchField": 1}
    cluster.apply(
        config_map(
            "kubeadm-config",
            "ClusterConfiguration",
            {
                "apiVersion": "kubeadm.k8s.io/v1beta4",
                "kind": "ClusterConfiguration",
                "kubernetesVersion": "v1.34.4",
                "imageRepository": "registry.example",
                "apiServer": {
                    "extraArgs": [
                        {"name": "cloud-config", "value": "/x"},
                        {"name": "enable-admission-plugins", "value": "PodSecurityPolicy"},
                    ]
                },
            },
        ),
        config_map("kubelet-config", "kubelet", kubelet),
        config_map("kube-proxy", "config.conf", {"featureGates": {"NodeSwap": False}}),
    )
    try:
        result = ask(scratch, kubeconfig=str(cluster.kubeconfig))
        params = {**cluster.params, "kubernetes_version": "1.35.4", "programs": [result]}
        findings = skew_check.check(task(skew_check.ARGUMENT_SPEC, params))["findings"]
    finally:
        for name in ("kubeadm-config", "kubelet-config", "kube-proxy"):
            remove(cluster, f"{CONFIG_MAPS}/{name}")
    assert result["notes"] == []
    assert result["images"][0]["image"].startswith("registry.example/")
    assert result["programs"]["kube-apiserver"]["asked_flags"]["cloud-config"] == "unknown"
    assert result["kubelet_config"]["asked"]
    assert result["kubelet_config"]["unknown_fields"] == ["noSuchField"]
    assert [error.split()[0] for error in result["kubelet_config"]["errors"]] == ["maxPods"]
    found = {(entry["id"], entry["subject"]): entry for entry in findings}
    config = "configmap/kube-system/kubelet-config"
    for mark in (
        ("flag-removed", "kube-apiserver --cloud-config"),
        ("admission-plugin-unknown", "kube-apiserver --enable-admission-plugins=PodSecurityPolicy"),
        ("feature-gate-unknown", config),
        ("kubelet-config-refused", config),
        ("feature-gate-locked", "configmap/kube-system/kube-proxy"),
    ):
        assert found[mark]["severity"] == "blocker"
        assert "1.35.4 was asked" in found[mark]["evidence"]
    assert found["kubelet-config-field-unknown", config]["severity"] == "warning"


def test_a_program_that_is_none(scratch: Path) -> None:
    broken = scratch / "broken"
    broken.write_text("#!/bin/sh\necho no help\n")
    broken.chmod(0o755)
    result = ask(
        scratch, binaries={"kubelet": str(broken), "kubeadm": str(program("1.35.4", "kubeadm"))}, images="never"
    )
    assert "lists no flags" in result["programs"]["kubelet"]["error"]
    assert result["programs"]["kube-apiserver"]["error"] == "images is never"
    assert not result["kubelet_config"]["asked"]


def test_a_task_that_is_ended_from_outside_leaves_nothing_behind(scratch: Path) -> None:
    slow, work = scratch / "slow", scratch / "work"
    work.mkdir()
    slow.write_text(f"#!/bin/sh\necho $$ > {scratch}/asked\nexec sleep 60\n")
    slow.chmod(0o755)
    scratch.chmod(0o777)  # nobody writes there
    options = {"kubernetes_version": "1.35.4", "binaries": {"kubelet": str(slow)}, "scratch": str(work)}
    process = start_module("target_programs", {**options, "download": False, "images": "never"})
    wait_for("the program is asked", (scratch / "asked").exists)
    assert len(list(work.iterdir())) == 1
    process.terminate()
    process.communicate(timeout=30)
    assert list(work.iterdir()) == []


def test_refused_options(scratch: Path) -> None:
    with pytest.raises(EvergreenError, match="kubectl"):
        ask(scratch, binaries={"kubectl": "/bin/true"})
    with pytest.raises(EvergreenError, match="kubelet"):
        ask(scratch, binaries={"kubelet": "/nonexistent"})
    with pytest.raises(EvergreenError):
        ask(scratch / "missing")
    assert list(scratch.iterdir()) == []


# -- packages


@pytest.fixture
def repository(scratch: Path) -> t.Iterator[Path]:
    """A signed repository with kubeadm and kubelet 1.35.4, as flat as the community's."""
    place = scratch / "core:/stable:/v1.35/deb"
    for name in ("kubeadm", "kubelet"):
        package(place, name, "1.35.4", {name: program("1.35.4", name)})
    with signer(scratch / "g") as made:
        made.sign(place)
        (place / "key.asc").write_text(made.key)
        yield place


@needs_apt
@pytest.mark.parametrize("keyring", ["key.asc", "no-such-file"])
def test_packages_are_fetched_and_not_installed(scratch: Path, repository: Path, keyring: str) -> None:
    installed = Path("/var/lib/dpkg/status").read_bytes()
    sources = sorted(Path("/etc/apt").rglob("*"))
    lists = sorted(Path("/var/lib/apt/lists").iterdir())
    result = ask(
        scratch,
        binaries={},
        images="never",
        repository_url=f"file://{repository}",
        keyring=str(repository / keyring),
    )
    kubelet = result["programs"]["kubelet"]
    assert (kubelet["error"], "node-ip" in kubelet["flags"]) == ("", True)
    assert [entry["tag"] for entry in result["images"] if entry["name"] == "kube-proxy"] == ["v1.35.4"]
    assert Path("/var/lib/dpkg/status").read_bytes() == installed
    assert sorted(Path("/etc/apt").rglob("*")) == sources
    assert sorted(Path("/var/lib/apt/lists").iterdir()) == lists


@needs_apt
def test_a_repository_that_another_key_signed_is_refused(scratch: Path, repository: Path) -> None:
    with signer(scratch / "s") as stranger:
        key = scratch / "stranger.asc"
        key.write_text(stranger.key)
        options = {"binaries": {}, "images": "never", "repository_url": f"file://{repository}/", "keyring": str(key)}
        result = ask(scratch, **options)
        assert "apt-get failed" in result["programs"]["kubelet"]["error"]
        assert result["images"] == []
        # The one that is named is on the node, and is not that of the repository.
        result = ask(scratch, **options, key_fingerprint=stranger.fingerprint)
        assert "apt-get failed" in result["programs"]["kubelet"]["error"]
        options["keyring"] = str(scratch / "no-such-file.asc")
        result = ask(scratch, **options, key_fingerprint=stranger.fingerprint)
    assert f"node_prepare_key_fingerprint is {stranger.fingerprint}" in result["programs"]["kubelet"]["error"]


def test_the_module_itself(scratch: Path) -> None:
    options = {
        "kubernetes_version": "1.35.4",
        "binaries": {"kubelet": str(program("1.35.4", "kubelet"))},
        "scratch": str(scratch),
        "download": False,
        "images": "never",
    }
    first = run_module("target_programs", options, check_mode=True)
    second = run_module("target_programs", options)
    assert first["programs"] == {**second["programs"], "kubelet": first["programs"]["kubelet"]}
    assert (first["changed"], second["changed"]) == (False, False)
    assert first["programs"]["kubelet"]["flags"] == second["programs"]["kubelet"]["flags"]
    assert "download is false" in " ".join(second["notes"])
    assert list(scratch.iterdir()) == []
