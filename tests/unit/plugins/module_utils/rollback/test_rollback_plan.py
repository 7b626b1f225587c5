# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes go back, in which order, and what stands against it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._emulation import COMPONENTS
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.cut_off import CutOff
from ansible_collections.evergreen.kubeadm.plugins.module_utils._rollback.plan import Request, RollbackPlan, make_plan
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Cluster
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

Json = dict[str, t.Any]
NOW = 1_800_000_000.0
OLD, NEW, EMULATING = ("v1.34.4", ""), ("v1.35.4", ""), ("v1.35.4", "1.34")


def static(component: str, on: str, tag: str, *flags: str) -> Json:
    image = f"registry.k8s.io/{component}:{tag}"
    return {
        "metadata": {
            "namespace": "kube-system",
            "name": f"{component}-{on}",
            "labels": {"component": component},
            "annotations": {api.MIRROR_ANNOTATION: "hash"},
        },
        "spec": {
            "nodeName": on,
            "containers": [{"name": component, "image": image, "command": [component, *flags]}],
        },
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }


def node(name: str, kubelet: str, *, control_plane: bool = False, cordoned: bool = False) -> Json:
    return {
        "metadata": {
            "name": name,
            "labels": {"node-role.kubernetes.io/control-plane": ""} if control_plane else {},
            "annotations": {api.CORDON_ANNOTATION: "run"} if cordoned else {},
        },
        "spec": {"unschedulable": True} if cordoned else {},
        "status": {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": kubelet}},
    }


def cluster(
    planes: dict[str, tuple[str, str]], *nodes: Json, kubelet: str = "v1.34.4", etcd: str = "3.6.5-0"
) -> Cluster:
    pods = []
    for name, (tag, emulated) in planes.items():
        flags = (f"--emulated-version={emulated}",) if emulated else ()
        pods += [static(component, name, tag, *flags) for component in COMPONENTS]
        pods.append(static("etcd", name, etcd))
    return Cluster(
        nodes=[*(node(name, kubelet, control_plane=True) for name in planes), *nodes],
        pods=pods,
        cluster_config={"kubernetesVersion": "v1.35.4", "imageRepository": "registry.example"},
    )


def plan(found: Cluster, target: str = "1.34.4", accepted: list[Json] | None = None, **request: t.Any) -> RollbackPlan:
    return make_plan(found, Request(Version.parse(target), **request), accepted or [], now=NOW)


def ids(made: RollbackPlan) -> list[str]:
    return [found["id"] for found in made["findings"]]


def test_the_last_node_of_the_upgrade_goes_back_first() -> None:
    made = plan(cluster({"c1": EMULATING, "c2": EMULATING, "c3": EMULATING}), order=["c1", "c3", "c2"])
    assert made["control_plane"] == ["c2", "c3", "c1"]
    assert (made["kubelets"], made["config_needed"], made["needed"], made["blockers"]) == ([], True, True, 0)
    assert (made["current"], made["image_repository"]) == ("1.35.4", "registry.example")


@pytest.mark.parametrize(
    ("planes", "left"),
    [
        ({"c1": EMULATING, "c2": OLD}, ["c1"]),
        ({"c1": OLD, "c2": OLD}, []),
    ],
)
def test_what_is_back_is_left_out(planes: dict[str, tuple[str, str]], left: list[str]) -> None:
    made = plan(cluster(planes))
    assert made["control_plane"] == left
    assert ids(made) == []


def test_all_is_back_and_the_run_that_took_it_back_was_cut_off() -> None:
    found = cluster({"c1": OLD})
    found.cluster_config = {"kubernetesVersion": "v1.34.4"}
    done = plan(found)
    assert (done["needed"], done["cut_off"]) == (False, None)
    run = CutOff("r1", "", "controller_gone")
    made = make_plan(found, Request(Version.parse("1.34.4")), [], run, now=NOW)
    assert (made["needed"], made["control_plane"], made["kubelets"], made["config_needed"]) == (True, [], [], False)
    assert made["cut_off"] == {"run_id": "r1", "since": "", "reason": "controller_gone"}
    assert made["summary"][1] == f"{run.told()}. What it left is to be put back, and the lock to be released."


def test_a_node_that_was_begun_comes_first() -> None:
    found = cluster({"c1": EMULATING, "c2": EMULATING})
    for each in found.pods:
        if each["metadata"]["name"] == "kube-scheduler-c1":
            each["spec"]["containers"][0].update(
                image="registry.k8s.io/kube-scheduler:v1.34.4", command=["kube-scheduler"]
            )
    assert plan(found, order=["c1", "c2"])["control_plane"] == ["c1", "c2"]


@pytest.mark.parametrize(
    ("planes", "target", "found"),
    [
        ({"c1": EMULATING}, "1.34.4", []),
        ({"c1": NEW}, "1.34.4", ["rollback-finalized"] * 3),
        ({"c1": EMULATING, "c2": NEW}, "1.34.4", ["rollback-finalized"] * 3),
        ({"c1": EMULATING}, "1.33.9", ["rollback-version"] * 3),
        ({"c1": EMULATING}, "1.36.1", ["rollback-version"] * 3),
        ({"c1": NEW}, "1.35.1", []),
        ({"c1": EMULATING}, "1.35.1", []),
    ],
)
def test_where_there_is_no_way_back(planes: dict[str, tuple[str, str]], target: str, found: list[str]) -> None:
    about_components = ("rollback-finalized", "rollback-version")
    made = plan(cluster(planes), target)
    assert [id for id in ids(made) if id in about_components] == found
    blockers = [each for each in made["findings"] if each["severity"] == "blocker"]
    assert bool(made["refusal"]) == bool(blockers)
    assert all(each["id"] in made["refusal"] and each["subject"] in made["refusal"] for each in blockers)


def test_another_patch_while_it_soaks() -> None:
    made = plan(cluster({"c1": ("v1.35.4", "1.34"), "c2": ("v1.35.1", "1.34")}), "1.35.1")
    assert made["control_plane"] == ["c1"]
    assert ids(made) == []


def test_kubelets_of_workers_go_first_and_the_others_with_their_control_plane() -> None:
    workers = (node("w1", "v1.35.4"), node("w2", "v1.34.4"), node("w3", "v1.34.4", cordoned=True))
    found = cluster({"c1": EMULATING}, *workers, kubelet="v1.35.4")
    assert ids(plan(found)) == ["rollback-kubelet-newer"] * 2
    made = plan(found, kubelets=True)
    assert (made["kubelets"], made["workers"], made["control_plane"]) == (["w3", "w1", "c1"], ["w3", "w1"], ["c1"])
    assert ids(made) == []


@pytest.mark.parametrize(
    ("kubelet", "server", "blocked"),
    [
        ("v1.35.4", "https://192.0.2.1:6443", False),
        ("v1.35.4", "https://127.0.0.1:6443", False),
        ("v1.35.4", "https://balancer.example:6443", True),
        ("v1.35.4", "", True),
        # Within a minor no API server is too old for it.
        ("v1.34.9", "https://balancer.example:6443", False),
    ],
)
def test_a_kubelet_that_would_meet_an_older_api_server(kubelet: str, server: str, blocked: bool) -> None:
    found = cluster({"c1": EMULATING, "c2": EMULATING}, kubelet=kubelet)
    for each in found.pods:
        if each["metadata"]["labels"]["component"] == "kube-apiserver":
            number = each["spec"]["nodeName"][1:]
            each["spec"]["containers"][0]["command"].append(f"--advertise-address=192.0.2.{number}")
    servers = {"c1": server, "c2": "https://192.0.2.2:6443"}
    made = plan(found, kubelets=True, kubelet_servers=servers)
    assert [(each["id"], each["subject"]) for each in made["findings"]] == (
        [("rollback-kubelet-newer", "node/c1")] if blocked else []
    )
    assert ids(plan(found, kubelets=True, control_plane=False)) == []


def test_the_only_api_server_may_be_reached_by_any_name() -> None:
    found = cluster({"c1": EMULATING}, kubelet="v1.35.4")
    assert ids(plan(found, kubelets=True, kubelet_servers={"c1": "https://api.example:6443"})) == []


@pytest.mark.parametrize(
    ("planes", "target", "request_", "version", "emulated"),
    [
        (EMULATING, "1.34.4", {}, "1.34.4", ""),
        # To another patch of the newer minor: the rollback to the older one stays possible.
        (EMULATING, "1.35.1", {}, "1.35.1", "1.34"),
        (("v1.35.4", "kube=1.34"), "1.35.1", {}, "1.35.1", "kube=1.34"),
        (NEW, "1.35.1", {}, "1.35.1", ""),
        (OLD, "1.34.4", {}, "1.34.4", ""),
        # Kubelets alone: the control plane stays what it is.
        (EMULATING, "1.34.4", {"control_plane": False, "kubelets": True}, "1.35.4", "1.34"),
    ],
)
def test_what_the_control_plane_of_a_node_is_to_be(
    planes: tuple[str, str], target: str, request_: Json, version: str, emulated: str
) -> None:
    (entry,) = plan(cluster({"c1": planes}), target, **request_)["nodes"]
    assert entry["kubernetes_version"] == version
    assert entry["extra_flags"] == ({c: {"emulated-version": emulated} for c in COMPONENTS} if emulated else {})


def test_kubelets_alone_go_as_far_as_the_policy_lets_them() -> None:
    found = cluster({"c1": NEW}, node("w1", "v1.35.4"), kubelet="v1.35.4")
    made = plan(found, control_plane=False, kubelets=True)
    assert (made["kubelets"], made["config_needed"]) == (["w1", "c1"], False)
    assert (made["workers"], made["control_plane"]) == (["w1"], ["c1"])
    assert made["summary"][0] == "rollback to 1.34.4: kubelets w1, c1; control plane none"
    assert ids(made) == []
    assert ids(plan(found, "1.32.9", control_plane=False, kubelets=True)) == []
    assert ids(plan(found, "1.31.9", control_plane=False, kubelets=True)) == ["rollback-kubelet-too-old"]


def test_etcd_of_a_newer_minor() -> None:
    found = cluster({"c1": EMULATING}, etcd="3.7.0-0")
    assert ids(plan(found)) == ["rollback-etcd-newer"]
    accepted = plan(found, accepted=[{"id": "rollback-etcd-newer", "reason": "tried"}])
    assert (accepted["blockers"], [each["id"] for each in accepted["accepted"]]) == (0, ["rollback-etcd-newer"])


def test_kube_proxy_of_a_newer_minor() -> None:
    found = cluster({"c1": EMULATING})
    containers = [{"name": "kube-proxy", "image": "registry.k8s.io/kube-proxy:v1.35.4"}]
    found.kube_proxy = {"spec": {"template": {"spec": {"containers": containers}}}}
    assert ids(plan(found)) == ["rollback-addon-newer"]
    assert ids(plan(found, control_plane=False, kubelets=True)) == []


def test_what_is_final_cannot_be_accepted() -> None:
    with pytest.raises(EvergreenError, match="cannot be accepted"):
        plan(cluster({"c1": NEW}), accepted=[{"id": "rollback-finalized", "reason": "never mind"}])


def test_no_control_plane() -> None:
    made = plan(Cluster(nodes=[node("w1", "v1.34.4")]))
    assert ids(made) == ["control-plane-unknown"]
    assert not made["needed"]


def test_two_hosts_of_one_node_stop_it() -> None:
    """The run would take back one of them, and hold the other for it."""
    found = cluster({"c1": EMULATING})
    request = Request(Version.parse("1.34.4"), hosts={"c1": "c1", "alias": "c1"})
    plan = make_plan(found, request, [], now=NOW)
    assert plan["blockers"] == 1
    assert [(each["id"], each["subject"]) for each in plan["findings"]] == [("inventory-hosts-of-one-node", "node/c1")]
    assert make_plan(found, Request(Version.parse("1.34.4"), hosts={"c1": "c1"}), [], now=NOW)["blockers"] == 0
