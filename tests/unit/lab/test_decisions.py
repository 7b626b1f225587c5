# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `make lab` does, from what is there, and what it makes."""

from __future__ import annotations

import pytest
import yaml

from lab.cluster import ACCOUNT, for_account
from lab.commands import LabError
from lab.config import lab_of, read_releases
from lab.decisions import next_move

RUNNING = {"cp1": "running", "worker1": "running", "balancer": "running"}


@pytest.mark.parametrize(
    ("states", "made", "problems", "fresh", "move"),
    [
        pytest.param({}, None, None, False, "build", id="nothing in the inventory's place"),
        pytest.param({**RUNNING, "cp1": "absent"}, None, None, False, "build", id="a machine was never made"),
        pytest.param({**RUNNING, "cp1": "dead"}, None, None, False, "start", id="a machine died"),
        pytest.param(dict.fromkeys(RUNNING, "dead"), None, None, False, "start", id="the host was rebooted"),
        pytest.param({**RUNNING, "cp1": "dead", "worker1": "absent"}, None, None, False, "build", id="dead and absent"),
        pytest.param(RUNNING, False, None, False, "build", id="an earlier start was cut off"),
        pytest.param(RUNNING, True, ["worker1 is not Ready"], False, "wait", id="a node is still coming up"),
        pytest.param(RUNNING, True, [], False, "keep", id="all is well"),
        pytest.param(RUNNING, True, [], True, "build", id="a new one is asked for"),
        pytest.param({**RUNNING, "cp1": "dead"}, None, None, True, "build", id="a new one in place of a dead one"),
    ],
)
def test_next_move(
    states: dict[str, str], made: bool | None, problems: list[str] | None, fresh: bool, move: str
) -> None:
    assert next_move(states, made, problems, fresh) == move


def test_every_release_names_what_it_is_built_from() -> None:
    releases = read_releases()
    assert list(releases) == ["1.33.13", "1.34.4", "1.35.4", "1.36.3"]
    for release in releases.values():
        etcds = ["etcd"] * (1 + bool(release.etcd_bridge) + bool(release.etcd_tools))
        assert [program.name for program in release.programs()] == ["kubernetes", *etcds, "coredns", "pause"]
        assert all(program.version and not program.version.startswith("v") for program in release.programs())


INVENTORY = {
    "_meta": {
        "hostvars": {
            name: {
                "ansible_host": address,
                "lab_prefix": "lab",
                "lab_network": "10.77.0.0/24",
                "lab_pod_network": "10.244.0.0/16",
                "lab_kubernetes_version": "1.34.4",
                "lab_offered_versions": ["1.35.4"],
                "lab_profile": "clean",
            }
            for name, address in {"cp3": "10.77.0.13", "worker3": "10.77.0.23", "balancer": "10.77.0.2"}.items()
        }
    },
    "kube_control_plane": {"hosts": ["cp3"]},
    "lab_unmanaged": {"hosts": ["worker3"]},
    "lab_single_control_plane": {"hosts": ["cp3"]},
    "lab_single_worker": {"hosts": ["worker3"]},
    "lab_balancer": {"hosts": ["balancer"]},
}


@pytest.mark.parametrize(
    ("environment", "names", "certificates", "variables"),
    [
        pytest.param({}, {"cp3": "cp3"}, "/etc/kubernetes/pki", [], id="as kubeadm makes it"),
        pytest.param(
            {"LAB_PROFILE": "field"},
            {"cp3": "m3.field.example", "worker3": "worker3"},
            "/etc/kubernetes/ssl",
            ["HTTPS_PROXY", "NO_PROXY"],
            id="what years leave behind",
        ),
        pytest.param(
            {"LAB_PROFILE": "single"},
            {"cp3": "cp3", "worker3": "worker3"},
            "/etc/kubernetes/pki",
            [],
            id="one node of each kind",
        ),
    ],
)
def test_profile(environment: dict[str, str], names: dict[str, str], certificates: str, variables: list[str]) -> None:
    lab = lab_of(INVENTORY, environment)
    assert {machine.name: machine.node_name for machine in lab.nodes} == names
    assert lab.certificates == certificates
    assert [entry.partition("=")[0] for entry in lab.kubeadm_environment] == variables


def test_external_etcd() -> None:
    assert lab_of(INVENTORY, {}).etcd_endpoints == []
    assert lab_of(INVENTORY, {"LAB_PROFILE": "external-etcd"}).etcd_endpoints == ["https://10.77.0.13:2379"]


def test_a_profile_that_is_not_there() -> None:
    with pytest.raises(LabError, match="clean, field, single, external-etcd"):
        lab_of(INVENTORY, {"LAB_PROFILE": "fields"})


def test_the_kubeconfig_of_a_run_has_nothing_of_the_admin() -> None:
    admin = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "kubernetes", "cluster": {"server": "https://10.77.0.2:6443"}}],
        "users": [{"name": "kubernetes-admin", "user": {"client-certificate-data": "c", "client-key-data": "k"}}],
        "contexts": [{"name": "admin", "context": {"cluster": "kubernetes", "user": "kubernetes-admin"}}],
        "current-context": "admin",
    }
    assert yaml.safe_load(for_account(yaml.safe_dump(admin), "t0ken")) == {
        **admin,
        "users": [{"name": ACCOUNT, "user": {"token": "t0ken"}}],
        "contexts": [{"name": "admin", "context": {"cluster": "kubernetes", "user": ACCOUNT}}],
    }
