# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings by what the target's programs answered, and by the list of removed flags where they were not asked."""

from __future__ import annotations

import typing as t
from types import MappingProxyType

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.hosts import read_host
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Finding
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.programs import etcd_images
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.cases import (
    cluster,
    control_plane,
    decide,
    node,
    static,
)

CONFIG = "configmap/kube-system/kubelet-config"
CLUSTER_CONFIG = {"apiVersion": "kubeadm.k8s.io/v1beta4", "kubernetesVersion": "v1.34.4"}


def answer(**parts: t.Any) -> dict[str, t.Any]:
    return {"error": "", "flags": ["v", "feature-gates"], "feature_gates": {}, **parts}


SERVER = answer(
    flags=["v", "feature-gates", "etcd-servers", "enable-admission-plugins", "disable-admission-plugins"],
    feature_gates={"Listed": {"stage": "BETA", "default": True}},
    admission_plugins=["NodeRestriction", "PodSecurity"],
    asked_flags={"gone": "unknown", "hidden": "known"},
    asked_feature_gates={"Gone=true": "unknown", "Locked=false": "locked", "General=true": "known"},
)
KUBELET = answer(
    flags=["v", "feature-gates", "node-ip", "address"],
    deprecated_flags={"address": "Set it in the config file."},
    feature_gates={"Listed": {"stage": "BETA", "default": True}},
    asked_flags={"gone": "unknown", "pod-infra-container-image": "unknown"},
    asked_feature_gates={"Gone=true": "unknown", "Locked=false": "locked", "General=true": "known"},
)
ASKED: dict[str, t.Any] = {
    "kubelet": KUBELET,
    "kube-apiserver": SERVER,
    "kube-controller-manager": answer(),
    "kube-scheduler": answer(),
    "kube-proxy": answer(asked_feature_gates={"Gone=true": "unknown"}),
}


def found(
    *,
    manifest: tuple[str, ...] = (),
    extra: dict[str, str] | None = None,
    kubelet: dict[str, t.Any] | None = None,
    kubelet_config: dict[str, t.Any] | None = None,
    programs: t.Mapping[str, t.Any] | None = MappingProxyType(ASKED),
    target: str = "1.35.4",
    **result: t.Any,
) -> list[Finding]:
    """`extra` is in kubeadm-config and in the pod, `manifest` in the pod alone."""
    host = read_host({"node_name": "w1", "kubelet": kubelet or {}})
    assert host is not None
    given = None if programs is None else dict(programs)
    results = [{"kubernetes_version": target, "programs": given, **result}] if given is not None else []
    configured = tuple(f"--{name}={value}" for name, value in (extra or {}).items())
    seen = cluster(
        pods=pods(*configured, *manifest),
        cluster_config={
            **CLUSTER_CONFIG,
            "apiServer": {"extraArgs": [{"name": name, "value": value} for name, value in (extra or {}).items()]},
        },
        kubelet_config=kubelet_config or {},
    )
    return decide(seen, hosts=[host], programs=results)["findings"]


def pods(*flags: str) -> list[dict[str, t.Any]]:
    return [
        static("kube-apiserver", "c1", "v1.34.4", "--etcd-servers=https://e:2379", *flags),
        static("kube-controller-manager", "c1", "v1.34.4"),
        static("kube-scheduler", "c1", "v1.34.4"),
    ]


def said(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(f["severity"], f["id"], f["subject"]) for f in findings]


def test_what_the_target_knows_is_no_finding() -> None:
    assert (
        said(
            found(
                extra={
                    "v": "2",
                    "hidden": "1",
                    "feature-gates": "Listed=false,General=true",
                    "enable-admission-plugins": "NodeRestriction,PodSecurity",
                },
                kubelet={"flags": [{"name": "node-ip", "value": "192.0.2.1", "file": "/etc/default/kubelet"}]},
                kubelet_config={"featureGates": {"Listed": True, "General": True}},
            )
        )
        == []
    )


@pytest.mark.parametrize(
    ("extra", "manifest", "expected"),
    [
        ({"gone": "1"}, (), ("blocker", "flag-removed", "kube-apiserver --gone")),
        ({}, ("--gone=1",), ("warning", "flag-removed", "kube-apiserver --gone")),
        (
            {"feature-gates": "Gone=true"},
            (),
            ("blocker", "feature-gate-unknown", "kube-apiserver --feature-gates=Gone"),
        ),
        # Whatever value it has.
        (
            {"feature-gates": "Gone=false"},
            (),
            ("blocker", "feature-gate-unknown", "kube-apiserver --feature-gates=Gone"),
        ),
        (
            {},
            ("--feature-gates=kube:Gone=true",),
            ("warning", "feature-gate-unknown", "kube-apiserver --feature-gates=Gone"),
        ),
        (
            {"feature-gates": "Locked=false"},
            (),
            ("blocker", "feature-gate-locked", "kube-apiserver --feature-gates=Locked"),
        ),
        (
            {"enable-admission-plugins": "NodeRestriction,PodSecurityPolicy"},
            (),
            ("blocker", "admission-plugin-unknown", "kube-apiserver --enable-admission-plugins=PodSecurityPolicy"),
        ),
        (
            {},
            ("--disable-admission-plugins=Old",),
            ("warning", "admission-plugin-unknown", "kube-apiserver --disable-admission-plugins=Old"),
        ),
        ({"other": "1"}, (), ("note", "target-answer-missing", "kube-apiserver 1.35.4")),
        ({"feature-gates": "Other=true"}, (), ("note", "target-answer-missing", "kube-apiserver 1.35.4")),
    ],
)
def test_control_plane(extra: dict[str, str], manifest: tuple[str, ...], expected: tuple[str, str, str]) -> None:
    assert said(found(extra=extra, manifest=manifest)) == [expected]


def test_what_is_in_the_pod_alone_and_known_to_the_target() -> None:
    assert said(found(manifest=("--v=2",))) == []


def test_etcd_images() -> None:
    images = [{"name": "etcd", "image": "r/etcd:3.6.11-0", "tag": "3.6.11-0"}, {"name": "pause", "tag": "3.10"}]
    results = [{"kubernetes_version": "v1.35.4", "images": images}, {"kubernetes_version": "1.36.3"}, {}]
    assert etcd_images(results) == {"1.35.4": "3.6.11-0"}


DEFAULT, OWN = "/etc/default/kubelet", "/var/lib/kubelet/kubeadm-flags.env"


@pytest.mark.parametrize(
    ("name", "value", "file", "expected"),
    [
        ("gone", "1", DEFAULT, ("blocker", "kubelet-flag-removed", "node/w1")),
        ("pod-infra-container-image", "p", DEFAULT, ("blocker", "kubelet-flag-removed", "node/w1")),
        ("pod-infra-container-image", "p", OWN, ("warning", "kubelet-flag-removed", "node/w1")),
        ("address", "::", DEFAULT, ("note", "kubelet-flag-deprecated", "node/w1")),
        ("feature-gates", "Gone=true", DEFAULT, ("blocker", "feature-gate-unknown", "node/w1")),
        ("feature-gates", "Locked=false", DEFAULT, ("blocker", "feature-gate-locked", "node/w1")),
        ("other", "1", DEFAULT, ("note", "target-answer-missing", "kubelet 1.35.4")),
    ],
)
def test_kubelet_flags(name: str, value: str, file: str, expected: tuple[str, str, str]) -> None:
    (entry,) = found(kubelet={"flags": [{"name": name, "value": value, "file": file}]})
    assert said([entry]) == [expected]
    assert "was asked" in entry["evidence"] or entry["severity"] != "blocker"


def test_deprecated_flags_of_kubeadms_own_file_are_kubeadms() -> None:
    assert found(kubelet={"flags": [{"name": "address", "value": "::", "file": OWN}]}) == []


def test_gates_of_the_kubelet_config() -> None:
    gates = {"Gone": True, "Locked": False, "General": True}
    everywhere = found(kubelet_config={"featureGates": gates}, kubelet={"config": {"featureGates": gates}})
    assert said(everywhere) == [
        ("blocker", "feature-gate-locked", CONFIG),
        ("blocker", "feature-gate-unknown", CONFIG),
    ]
    only_here = found(kubelet={"config": {"featureGates": {"Gone": True}}})
    assert said(only_here) == [
        ("warning", "feature-gate-unknown", "node/w1"),
        ("warning", "kubelet-config-differs", "node/w1"),
    ]


def test_the_kubelet_config_itself() -> None:
    refused = {"asked": True, "source": CONFIG, "errors": ["maxPods -3 must not be negative"], "unknown_fields": []}
    assert said(_with_config(refused)) == [("blocker", "kubelet-config-refused", CONFIG)]
    unknown = {"asked": True, "source": CONFIG, "errors": [], "unknown_fields": ["old"]}
    assert said(_with_config(unknown)) == [("warning", "kubelet-config-field-unknown", CONFIG)]
    assert said(_with_config({**refused, "asked": False})) == []


def _with_config(config: dict[str, t.Any]) -> list[Finding]:
    result = {"kubernetes_version": "1.35.4", "programs": ASKED, "kubelet_config": config}
    seen = cluster(nodes=[node("c1", control_plane=True)], pods=pods(), cluster_config=CLUSTER_CONFIG)
    return decide(seen, programs=[result])["findings"]


def test_kube_proxy() -> None:
    gates = {"Gone": True}
    assert said(found(kube_proxy_feature_gates=gates)) == [
        ("blocker", "feature-gate-unknown", "configmap/kube-system/kube-proxy")
    ]


def test_without_an_answer_the_list_of_removed_flags_is_left() -> None:
    flags = [{"name": "pod-infra-container-image", "value": "p", "file": DEFAULT}]
    (entry,) = found(programs=None, kubelet={"flags": flags}, kubelet_config={"featureGates": {"Gone": True}})
    assert said([entry]) == [("blocker", "kubelet-flag-removed", "node/w1")]
    assert "list of removed flags" in entry["evidence"]
    # Answers of another version are none.
    assert said(found(target="1.36.0", kubelet={"flags": flags})) == [("blocker", "kubelet-flag-removed", "node/w1")]


def test_a_program_that_could_not_be_asked() -> None:
    programs = {**ASKED, "kube-apiserver": answer(error="the image is not on the node", flags=[])}
    assert said(found(programs=programs, extra={"gone": "1", "cloud-config": "/x"})) == [
        ("blocker", "flag-removed", "kube-apiserver --cloud-config"),
        ("note", "target-program-not-asked", "kube-apiserver 1.35.4"),
    ]


@pytest.mark.parametrize(
    ("gate", "versions", "hop"),
    [
        ("ControlPlaneKubeletLocalMode", ("1.34.4", "1.35.4", "1.36.3"), "1.36.3"),
        ("ControlPlaneKubeletLocalMode", ("1.34.4", "1.35.4"), ""),
        ("EtcdLearnerMode", ("1.32.4", "1.33.4", "1.34.4"), "1.33.4"),
        ("WaitForAllControlPlaneComponents", ("1.34.4", "1.35.4"), "1.35.4"),
        ("NodeLocalCRISocket", ("1.34.4", "1.35.4", "1.36.3"), ""),
        ("RootlessControlPlane", ("1.34.4", "1.35.4"), ""),
        ("PublickeysECDSA", ("1.34.4", "1.35.4"), "1.35.4"),
        # Of kubeadm that was not read.
        ("SomethingNew", ("1.36.3", "1.37.0"), ""),
        ("NodeLocalCRISocket", ("1.36.3", "1.37.0"), "1.37.0"),
    ],
)
@pytest.mark.parametrize("value", [True, False])
def test_gates_of_kubeadm_itself(gate: str, versions: tuple[str, ...], hop: str, value: bool) -> None:
    before, *between, target = versions
    config = {"apiVersion": "kubeadm.k8s.io/v1beta4", "kubernetesVersion": f"v{before}", "featureGates": {gate: value}}
    seen = cluster(
        nodes=[node("c1", f"v{before}", control_plane=True)],
        pods=control_plane("c1", f"v{before}", None),
        cluster_config=config,
    )
    findings = decide(seen, target, available=[*between])["findings"]
    found = [entry for entry in findings if "featureGates" in entry["subject"]]
    subject = f"configmap/kube-system/kubeadm-config featureGates.{gate}"
    assert said(found) == ([("warning", "feature-gate-unknown", subject)] if hop else [])
    if hop:
        assert f"In the hop to {hop} " in found[0]["evidence"]
        assert f"take featureGates.{gate} out" in found[0]["remedy"]
