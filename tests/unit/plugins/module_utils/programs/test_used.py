# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._programs import used


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", {}),
        ("A=true", {"A": True}),
        ("A=true,B=False", {"A": True, "B": False}),
        ("kube:A=true, kube:B=false", {"A": True, "B": False}),
        ("A", {}),
        ("A=maybe", {}),
    ],
)
def test_gates_of_a_flag(value: str, expected: dict[str, bool]) -> None:
    assert used.gates_of(value) == expected


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"extraArgs": {"a": "1"}}, [("a", "1")]),
        ({"extraArgs": [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]}, [("a", "1"), ("a", "2")]),
        ({}, []),
        (None, []),
    ],
)
def test_extra_args(part: t.Any, expected: list[tuple[str, str]]) -> None:
    assert used.extra_args(part) == expected


def test_used_by_cluster() -> None:
    found = used.used_by_cluster(
        static_pods=[{"kube-apiserver": {"flags": {"secure-port": "6443", "feature-gates": "kube:A=true"}}}, {}],
        kubelet_flags=[{"name": "node-ip", "value": "192.0.2.1"}, {"name": "feature-gates", "value": "B=false"}],
        kubelet_configs=[{"featureGates": {"C": True}}, {"featureGates": {"B": False, "D": "no"}}, {}],
        cluster_config={
            "apiServer": {"extraArgs": {"feature-gates": "A=false", "audit-log-path": "/x"}},
            "scheduler": {"extraArgs": [{"name": "v", "value": "2"}]},
        },
        kube_proxy_config={"featureGates": {"E": True}},
    )
    assert found["kubelet"].flags == {"node-ip", "feature-gates"}
    assert found["kubelet"].gates == {("B", False), ("C", True)}
    assert found["kube-apiserver"].flags == {"secure-port", "feature-gates", "audit-log-path"}
    assert found["kube-apiserver"].gates == {("A", True), ("A", False)}
    assert found["kube-scheduler"].flags == {"v"}
    assert found["kube-controller-manager"].flags == frozenset()
    assert found["kube-proxy"].gates == {("E", True)}
