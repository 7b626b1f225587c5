# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flags of the live control plane beside kubeadm's, leases of the leaders, and how API servers stop."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_control_plane import LEADERS
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.flags import configured_flags, flags_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.kubeadm_defaults import DEFAULT_FLAGS
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.cases import (
    cluster,
    control_plane,
    decide,
    node,
    said,
    static,
)

FIXTURES = Path(__file__).resolve().parent.parent / "kubeadm" / "fixtures"
CONFIG = {"apiVersion": "kubeadm.k8s.io/v1beta4", "kubernetesVersion": "v1.34.4"}
SCHEDULER = "pod/kube-system/kube-scheduler-c1"


def with_flags(component: str, *flags: str) -> list[dict[str, t.Any]]:
    """The pods of a control plane, of which one has these flags."""
    others = [pod for pod in control_plane("c1") if pod["metadata"]["labels"]["component"] != component]
    return [*others, static(component, "c1", "3.6.5-0" if component == "etcd" else "v1.34.4", *flags)]


def extra(key: str, **arguments: str) -> dict[str, t.Any]:
    return {**CONFIG, key: {"extraArgs": [{"name": n.replace("_", "-"), "value": v} for n, v in arguments.items()]}}


@pytest.mark.parametrize("version", ["1.34.4", "1.35.4"])
@pytest.mark.parametrize("component", sorted(DEFAULT_FLAGS))
def test_the_defaults_are_those_of_real_manifests(version: str, component: str) -> None:
    manifest = yaml.safe_load((FIXTURES / version / f"{component}.yaml").read_text())
    found = flags_of(manifest["spec"]["containers"][0]["command"])
    # The fixtures were made with these extraArgs.
    for name in ("audit-log-format", "shutdown-delay-duration"):
        found.pop(name, None)
    assert set(found) <= set(DEFAULT_FLAGS[component])
    fixed = {name: value for name, value in DEFAULT_FLAGS[component].items() if value is not None and name in found}
    assert {name: found[name] for name in fixed} == {name: [value] for name, value in fixed.items()}


@pytest.mark.parametrize(
    ("pods", "config", "expected"),
    [
        pytest.param(
            with_flags("kube-scheduler", "--bind-address=127.0.0.1", "--leader-elect=true"), CONFIG, [], id="defaults"
        ),
        pytest.param(
            with_flags("kube-scheduler", "--bind-address=0.0.0.0"),
            CONFIG,
            [("warning", "static-pod-edited", SCHEDULER)],
            id="another value than the default",
        ),
        pytest.param(
            with_flags("kube-scheduler", "--bind-address=0.0.0.0"),
            extra("scheduler", bind_address="0.0.0.0"),
            [],
            id="the value of extraArgs",
        ),
        pytest.param(
            with_flags("kube-scheduler", "--v=2"),
            extra("scheduler", v="4"),
            [("warning", "static-pod-edited", SCHEDULER)],
            id="another value than extraArgs",
        ),
        pytest.param(
            with_flags("kube-scheduler", "--v=4"),
            CONFIG,
            [("warning", "static-pod-edited", SCHEDULER)],
            id="a flag of nobody",
        ),
        pytest.param(
            control_plane("c1"),
            extra("scheduler", v="4"),
            [("warning", "static-pod-behind-config", SCHEDULER)],
            id="extraArgs that do not run yet",
        ),
        pytest.param(
            with_flags("kube-scheduler", "--v=4"), {**CONFIG, "scheduler": {"extraArgs": {"v": 4}}}, [], id="map"
        ),
        pytest.param(
            with_flags("etcd", "--quota-backend-bytes=8589934592", "--snapshot-count=10000"),
            {**CONFIG, "etcd": {"local": {"extraArgs": {"quota-backend-bytes": "8589934592"}}}},
            [],
            id="etcd",
        ),
        pytest.param(
            with_flags("etcd", "--quota-backend-bytes=8589934592"),
            CONFIG,
            [("warning", "static-pod-edited", "pod/kube-system/etcd-c1")],
            id="etcd edited",
        ),
    ],
)
def test_flags_that_kubeadm_would_not_write(pods: list[t.Any], config: dict[str, t.Any], expected: list[t.Any]) -> None:
    assert said(decide(cluster(pods=pods, cluster_config=config))) == expected


def test_values_of_flags_are_not_told() -> None:
    verdict = decide(cluster(pods=with_flags("kube-scheduler", "--token=hush", "--bind-address=hush")))
    assert "--token" in verdict["findings"][0]["evidence"]
    assert "hush" not in str(verdict["findings"])


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


@pytest.mark.parametrize(
    ("flags", "config", "expected"),
    [
        ((), {"controlPlaneEndpoint": "vip:6443"}, ["no-shutdown-delay"]),
        ((), {}, []),
        (
            ("--shutdown-delay-duration=20s",),
            {**extra("apiServer", shutdown_delay_duration="20s"), "controlPlaneEndpoint": "vip:6443"},
            [],
        ),
    ],
)
def test_shutdown_delay(flags: tuple[str, ...], config: dict[str, t.Any], expected: list[str]) -> None:
    verdict = decide(cluster(**two_planes(*flags), cluster_config={**CONFIG, **config}))
    assert [f["id"] for f in verdict["findings"]] == expected


def test_one_api_server_needs_no_delay() -> None:
    assert said(decide(cluster(cluster_config={**CONFIG, "controlPlaneEndpoint": "vip:6443"}))) == []


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
