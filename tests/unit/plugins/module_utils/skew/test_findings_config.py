# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings on kubeadm-config, removed flags and the way of etcd, both ways."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.cases import (
    cluster,
    control_plane,
    decide,
    node,
    said,
    static,
)

CONFIG = {"apiVersion": "kubeadm.k8s.io/v1beta4", "kubernetesVersion": "v1.36.3"}
AT_136: dict[str, t.Any] = {
    "nodes": [node("c1", "v1.36.3", control_plane=True)],
    "pods": control_plane("c1", "v1.36.3", "3.6.11-0"),
    "cluster_config": CONFIG,
}
WITH_EXPERIMENT = {
    **AT_136,
    "pods": [*control_plane("c1", "v1.36.3", "3.6.11-0")[:3], static("etcd", "c1", "3.6.11-0", "--experimental-x=1")],
}
AT_133: dict[str, t.Any] = {
    "nodes": [node("c1", "v1.33.1", control_plane=True)],
    "pods": control_plane("c1", "v1.33.1", "3.5.24-0"),
    "cluster_config": {**CONFIG, "kubernetesVersion": "v1.33.1"},
}


@pytest.mark.parametrize(
    ("changes", "target", "expected"),
    [
        (AT_133, "1.34.4", [("note", "etcd-bridge", "etcd")]),
        (
            {**AT_133, "cluster_config": {"kubernetesVersion": "v1.33.2", "apiVersion": "kubeadm.k8s.io/v1beta4"}},
            "1.34.4",
            [
                ("blocker", "etcd-before-3.6", "pod/kube-system/etcd-c1"),
                ("note", "kubeadm-config-differs", "configmap/kube-system/kubeadm-config"),
            ],
        ),
        (
            {
                **AT_133,
                "cluster_config": {
                    **CONFIG,
                    "kubernetesVersion": "v1.33.1",
                    "etcd": {"local": {"imageTag": "3.5.24-0"}},
                },
            },
            "1.34.4",
            [("warning", "etcd-pinned", "configmap/kube-system/kubeadm-config")],
        ),
        (
            {
                **AT_133,
                "pods": control_plane("c1", "v1.33.1", "3.5.27-0"),
                "cluster_config": {
                    **CONFIG,
                    "kubernetesVersion": "v1.33.1",
                    "etcd": {"local": {"imageTag": "3.5.27-0"}},
                },
                "etcd_bridge": "3.5.27-0",
            },
            "1.34.4",
            [],
        ),
        (AT_133, "1.33.9", []),
        ({**AT_133, "pods": control_plane("c1", "v1.33.1", "3.5.26-0")}, "1.34.4", []),
        (AT_136, "1.37.0", []),
        (
            {**AT_136, "pods": control_plane("c1", "v1.36.3", "3.6.8-0")},
            "1.37.0",
            [("note", "etcd-bridge", "etcd")],
        ),
        (
            {**AT_136, "cluster_config": {**CONFIG, "apiVersion": "kubeadm.k8s.io/v1beta3"}},
            "1.37.0",
            [("blocker", "kubeadm-config-version", "configmap/kube-system/kubeadm-config")],
        ),
        ({**AT_136, "cluster_config": {**CONFIG, "apiVersion": "kubeadm.k8s.io/v1beta3"}}, "1.36.4", []),
        (
            {
                **WITH_EXPERIMENT,
                "cluster_config": {
                    **CONFIG,
                    "etcd": {"local": {"extraArgs": [{"name": "experimental-x", "value": "1"}]}},
                    "controllerManager": {"extraArgs": [{"name": "concurrent-service-syncs", "value": "2"}]},
                },
            },
            "1.37.0",
            [
                ("blocker", "flag-removed", "etcd --experimental-x"),
                ("blocker", "flag-removed", "kube-controller-manager --concurrent-service-syncs"),
            ],
        ),
        (
            {
                **AT_136,
                "pods": [
                    *control_plane("c1", "v1.36.3", "3.6.11-0")[:1],
                    static("kube-controller-manager", "c1", "v1.36.3", "--concurrent-service-syncs=2"),
                    *control_plane("c1", "v1.36.3", "3.6.11-0")[2:],
                ],
            },
            "1.37.0",
            [("warning", "flag-removed", "kube-controller-manager --concurrent-service-syncs")],
        ),
        (
            {
                **WITH_EXPERIMENT,
                "cluster_config": {**CONFIG, "etcd": {"local": {"extraArgs": {"experimental-x": "1"}}}},
            },
            "1.36.4",
            [],
        ),
        (
            {
                **AT_133,
                "pods": [
                    *control_plane("c1", "v1.33.1", "3.5.26-0")[:3],
                    static("etcd", "c1", "3.5.26-0", "--enable-v2=false"),
                ],
                "cluster_config": {
                    **AT_133["cluster_config"],
                    "etcd": {"local": {"extraArgs": [{"name": "enable-v2", "value": "false"}]}},
                },
            },
            "1.34.4",
            [("blocker", "flag-removed", "etcd --enable-v2")],
        ),
    ],
)
def test_versions(changes: dict[str, t.Any], target: str, expected: list[t.Any]) -> None:
    found = [entry for entry in said(decide(cluster(**changes), target)) if entry[1] != "release-change"]
    assert found == expected
