# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two parts of an upgrade that can be taken back: what each plans, and what it finds."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._emulation import COMPONENTS, flags_to_add
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Cluster
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.cases import (
    cluster,
    decide,
    node,
    static,
)

EMULATES = "--emulated-version=1.34"
IDS = ("upgrade-not-finalized", "finalize-too-early", "rollback-not-possible", "etcd-waits-for-finalize")
CONFIG = {"apiVersion": "kubeadm.k8s.io/v1beta4", "kubernetesVersion": "v1.35.4"}
Parts = dict[str, tuple[str, bool]]


def planes(parts: Parts, *, etcd: str = "3.6.5-0", **changes: t.Any) -> Cluster:
    """Control-plane nodes by name: their tag, and whether they emulate 1.34; with one worker at 1.34.4."""
    pods = []
    for name, (tag, emulates) in parts.items():
        flags = (EMULATES,) if emulates else ()
        pods += [static("kube-apiserver", name, tag, "--etcd-servers=https://127.0.0.1:2379", *flags)]
        pods += [static(component, name, tag, *flags) for component in COMPONENTS[1:]]
        pods += [static("etcd", name, etcd)]
    nodes = [node(name, control_plane=True) for name in parts]
    return cluster(**{"nodes": [*nodes, node("w1")], "pods": pods, **changes})


OLD, NEW, EMULATING = ("v1.34.4", False), ("v1.35.4", False), ("v1.35.4", True)


def told(verdict: t.Any) -> list[str]:
    return [found["id"] for found in verdict["findings"] if found["id"] in IDS]


@pytest.mark.parametrize(
    ("parts", "left"),
    [
        ({"c1": OLD, "c2": OLD}, ["c1", "c2"]),
        ({"c1": EMULATING, "c2": OLD}, ["c2"]),
        ({"c1": OLD, "c2": EMULATING}, ["c1"]),
    ],
)
def test_the_first_part_is_the_control_plane_alone(parts: Parts, left: list[str]) -> None:
    verdict = decide(planes(parts), rollback_safe=True)
    (hop,) = verdict["hops"]
    assert hop["control_plane"] == left
    assert (hop["workers"], hop["kubelets"]) == ([], [])
    assert (hop["from"], hop["to"], hop["rollback_safe"]) == ("1.34.4", "1.35.4", True)
    assert hop["extra_flags"] == flags_to_add(34)
    assert (hop["apply_needed"], hop["applies_on"]) == (True, left[0])
    assert told(verdict) == []


def test_the_first_part_is_done_when_all_of_it_emulates() -> None:
    verdict = decide(planes({"c1": EMULATING, "c2": EMULATING}, cluster_config=CONFIG), rollback_safe=True)
    assert verdict["hops"] == []
    assert not verdict["upgrade_needed"]
    assert verdict["way_back"] == {"state": "soaking", "minor": "1.34", "nodes": ["c1", "c2"]}
    assert told(verdict) == []


def test_a_component_that_was_not_reached_is_left() -> None:
    found = planes({"c1": EMULATING}, cluster_config=CONFIG)
    scheduler = next(pod for pod in found.pods if api.labels(pod)["component"] == "kube-scheduler")
    scheduler["spec"]["containers"][0]["image"] = "registry.k8s.io/kube-scheduler:v1.34.4"
    scheduler["spec"]["containers"][0]["command"] = ["kube-scheduler"]
    verdict = decide(found, rollback_safe=True)
    assert verdict["hops"][0]["control_plane"] == ["c1"]
    assert verdict["way_back"]["state"] == "partial"
    assert told(verdict) == []


def test_a_node_is_told_with_its_host() -> None:
    verdict = decide(planes({"m3.example.org": OLD, "c2": OLD}), inventory_hosts={"cp3": "m3.example.org"})
    hosts = {node["name"]: node["host"] for node in verdict["nodes"]}
    assert hosts == {"m3.example.org": "cp3", "c2": "", "w1": ""}


def test_neither_option_goes_on_by_itself() -> None:
    for parts in ({"c1": EMULATING, "c2": EMULATING}, {"c1": EMULATING, "c2": OLD}):
        assert told(decide(planes(parts))) == ["upgrade-not-finalized"]
    assert told(decide(planes({"c1": OLD, "c2": NEW}))) == []


def test_the_second_part_takes_all_that_waited() -> None:
    verdict = decide(planes({"c1": EMULATING, "c2": EMULATING}, cluster_config=CONFIG), finalize=True)
    (hop,) = verdict["hops"]
    assert (hop["control_plane"], hop["workers"]) == (["c1", "c2"], ["w1"])
    assert hop["kubelets"] == ["c1", "c2", "w1"]
    assert (hop["rollback_safe"], hop["extra_flags"], hop["apply_needed"]) == (False, {}, True)
    assert told(verdict) == []


def test_the_second_part_is_gone_on_with_after_a_kill() -> None:
    verdict = decide(planes({"c1": NEW, "c2": EMULATING}, cluster_config=CONFIG), finalize=True)
    assert verdict["hops"][0]["control_plane"] == ["c1", "c2"]
    assert verdict["way_back"]["nodes"] == ["c2"]
    assert told(verdict) == []


def test_finalizing_what_is_not_upgraded_is_refused() -> None:
    verdict = decide(planes({"c1": EMULATING, "c2": OLD}), finalize=True)
    assert told(verdict) == ["finalize-too-early"]
    assert verdict["blockers"] >= 1
    assert "found, nothing was changed: " in verdict["refusal"]


def test_an_operators_own_emulation_is_none_of_it() -> None:
    args = [{"name": "emulated-version", "value": "1.34"}]
    config = {**CONFIG, **{key: {"extraArgs": args} for key in ("apiServer", "controllerManager", "scheduler")}}
    verdict = decide(planes({"c1": EMULATING}, cluster_config=config))
    assert verdict["way_back"]["state"] == "none"
    assert told(verdict) == []


@pytest.mark.parametrize(
    ("parts", "target", "request_", "config", "count"),
    [
        # More than one hop.
        ({"c1": OLD}, "1.36.3", {"available": ["1.35.4"]}, {}, 1),
        # Newer than it may be.
        ({"c1": NEW, "c2": OLD}, "1.35.4", {}, {}, 1),
        # An operator's own flag.
        ({"c1": OLD}, "1.35.4", {}, {"apiServer": {"extraArgs": {"min-compatibility-version": "1.34"}}}, 1),
        # Nothing in the way.
        ({"c1": OLD}, "1.35.4", {}, {"apiServer": {"extraArgs": {"v": "2"}}}, 0),
        # Within a minor nothing is emulated.
        ({"c1": OLD}, "1.34.7", {}, {"apiServer": {"extraArgs": {"emulated-version": "1.33"}}}, 0),
    ],
)
def test_what_makes_a_way_back_impossible_is_said_before(
    parts: Parts, target: str, request_: dict[str, t.Any], config: dict[str, t.Any], count: int
) -> None:
    found = planes(parts, cluster_config={**CONFIG, "kubernetesVersion": "v1.34.4", **config})
    assert told(decide(found, target, rollback_safe=True, **request_)).count("rollback-not-possible") == count


def test_a_minor_that_nothing_emulates() -> None:
    parts = {"c1": ("v1.30.9", False)}
    old = planes(parts, etcd="3.5.15-0", nodes=[node("c1", "v1.30.9", control_plane=True)])
    assert "rollback-not-possible" in told(decide(old, "1.31.4", rollback_safe=True))
    parts = {"c1": ("v1.31.4", False)}
    old = planes(parts, etcd="3.5.15-0", nodes=[node("c1", "v1.31.4", control_plane=True)])
    assert "rollback-not-possible" not in told(decide(old, "1.32.1", rollback_safe=True))


def test_a_patch_needs_no_flags() -> None:
    verdict = decide(planes({"c1": OLD}), "1.34.7", rollback_safe=True)
    assert verdict["hops"][0]["extra_flags"] == {}
    assert verdict["hops"][0]["rollback_safe"]


def test_etcd_waits() -> None:
    old = {"c1": ("v1.33.13", False)}
    found = planes(old, etcd="3.5.27-0", nodes=[node("c1", "v1.33.13", control_plane=True)])
    assert told(decide(found, "1.34.4", rollback_safe=True)) == ["etcd-waits-for-finalize"]
    assert told(decide(found, "1.34.4")) == []


def test_a_bridge_of_etcd_goes_before_and_the_way_back_is_one_hop_still() -> None:
    old = {"c1": ("v1.33.13", False)}
    found = planes(
        old,
        etcd="3.5.24-0",
        nodes=[node("c1", "v1.33.13", control_plane=True)],
        cluster_config={"apiVersion": "kubeadm.k8s.io/v1beta4", "kubernetesVersion": "v1.33.13"},
    )
    verdict = decide(found, "1.34.4", rollback_safe=True)
    assert [(hop["from"], hop["to"], hop["rollback_safe"]) for hop in verdict["hops"]] == [
        ("1.33.13", "1.33.13", False),
        ("1.33.13", "1.34.4", True),
    ]
    assert "rollback-not-possible" not in told(verdict)
