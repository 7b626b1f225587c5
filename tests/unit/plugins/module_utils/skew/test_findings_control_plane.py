# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Emulated versions, leases of the leaders, and how API servers stop."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_control_plane import LEADERS
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.flags import configured_flags
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.cases import (
    cluster,
    control_plane,
    decide,
    node,
    said,
    static,
)

CONFIG = {"apiVersion": "kubeadm.k8s.io/v1beta4", "kubernetesVersion": "v1.34.4"}


def with_flags(component: str, *flags: str) -> list[dict[str, t.Any]]:
    """The pods of a control plane, of which one has these flags."""
    others = [pod for pod in control_plane("c1") if pod["metadata"]["labels"]["component"] != component]
    return [*others, static(component, "c1", "3.6.5-0" if component == "etcd" else "v1.34.4", *flags)]


def extra(key: str, **arguments: str) -> dict[str, t.Any]:
    return {**CONFIG, key: {"extraArgs": [{"name": n.replace("_", "-"), "value": v} for n, v in arguments.items()]}}


@pytest.mark.parametrize(
    ("value", "target", "expected"),
    [
        ("1.31", "1.35.4", [("blocker", "emulated-version")]),
        ("kube=1.32", "1.35.4", [("warning", "emulated-version")]),
        ("1.35", "1.35.4", []),
        ("nonsense", "1.35.4", []),
    ],
)
def test_emulated_version(value: str, target: str, expected: list[t.Any]) -> None:
    config = extra("apiServer", emulated_version=value)
    flags = ("--etcd-servers=https://127.0.0.1:2379", f"--emulated-version={value}")
    verdict = decide(cluster(pods=with_flags("kube-apiserver", *flags), cluster_config=config), target)
    assert [(f["severity"], f["id"]) for f in verdict["findings"]] == expected


def two_planes(*flags: str) -> dict[str, t.Any]:
    servers = [
        static("kube-apiserver", name, "v1.34.4", "--etcd-servers=https://127.0.0.1:2379", *flags)
        for name in ("c1", "c2")
    ]
    return {
        "nodes": [node("c1", control_plane=True), node("c2", control_plane=True)],
        "pods": [*control_plane("c1")[1:], *control_plane("c2")[1:], *servers],
    }


def lease(name: str, renewed: str | None, holder: str = "c1_0a1b") -> dict[str, t.Any]:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": renewed}
    return {"metadata": {"namespace": "kube-system", "name": name}, "spec": spec}


NOW = lease("apiserver-x", "2026-01-31T12:10:00.000000Z")


@pytest.mark.parametrize(
    ("leases", "expected"),
    [
        ([], []),
        ([NOW, *(lease(name, "2026-01-31T12:09:59.000000Z") for name in LEADERS)], []),
        ([NOW, lease(LEADERS[1], "2026-01-31T12:09:20.000000Z")], []),
        ([NOW, lease(LEADERS[1], "2026-01-31T12:08:00.000000Z")], [LEADERS[1]]),
        ([NOW, lease(LEADERS[0], "2026-01-31T12:09:59.000000Z", holder="")], [LEADERS[0]]),
        ([NOW, lease(LEADERS[0], None)], [LEADERS[0]]),
        ([NOW, lease("somebody-else", "2020-01-01T00:00:00.000000Z")], []),
    ],
)
def test_leases_of_leaders(leases: list[dict[str, t.Any]], expected: list[str]) -> None:
    found = said(decide(cluster(leases=leases)))
    assert found == [("blocker", "leader-lease-stale", f"lease/kube-system/{name}") for name in expected]


def test_without_an_election_a_lease_is_a_leftover() -> None:
    pods = with_flags("kube-scheduler", "--leader-elect=false")
    config = extra("scheduler", leader_elect="false")
    leases = [NOW, lease("kube-scheduler", "2026-01-31T12:00:00.000000Z")]
    assert said(decide(cluster(pods=pods, cluster_config=config, leases=leases))) == []


def test_extra_args_of_both_shapes() -> None:
    listed = {"apiServer": {"extraArgs": [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]}}
    assert configured_flags(listed, "kube-apiserver") == {"a": ["1", "2"]}
    assert configured_flags({"apiServer": {"extraArgs": {"a": True}}}, "kube-apiserver") == {"a": ["true"]}
    assert configured_flags({"etcd": {"external": {}}}, "etcd") == {}
