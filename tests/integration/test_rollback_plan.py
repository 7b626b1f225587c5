# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two parts of an upgrade and its way back, planned on API servers of which one is newer and emulates."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.modules import kubeadm_config, rollback_plan
from control_plane import COMPONENTS, remove, second_api_server, show, static_pod, task
from harness.cluster import Cluster
from harness.process import wait_for
from skew_place import CONFIG_MAPS, check, upgradable

EMULATES = "--emulated-version=1.34"


def emulating(cluster: Cluster, plane: str, address: str, *flags: str) -> None:
    """The static pods of a node as the first part of an upgrade leaves them."""
    for component in COMPONENTS:
        own = ("--etcd-servers=https://127.0.0.1:2379",) if component == "kube-apiserver" else ()
        at = address if component == "kube-apiserver" else ""
        show(cluster, static_pod(component, plane, "v1.35.4", address=at, flags=(*own, *flags)))


def plan(cluster: Cluster, **options: t.Any) -> dict[str, t.Any]:
    params = {**cluster.params, "kubernetes_version": "1.34.4", **options}
    return rollback_plan.plan(task(rollback_plan.ARGUMENT_SPEC, params))


def config(cluster: Cluster, version: str, *, check_mode: bool = False) -> dict[str, t.Any]:
    params = {**cluster.params, "kubernetes_version": version}
    return kubeadm_config.bring_about(task(kubeadm_config.ARGUMENT_SPEC, params, check_mode=check_mode))


def stored(cluster: Cluster) -> str:
    text = cluster.client.get(f"{CONFIG_MAPS}/kubeadm-config")["data"]["ClusterConfiguration"]
    return str(yaml.safe_load(text)["kubernetesVersion"])


def ids(result: t.Any) -> set[str]:
    return {found["id"] for found in result["findings"]}


def test_there_and_back(cluster: Cluster, unique: str, tmp_path: Path) -> None:
    plane, worker = f"{unique}c", f"{unique}w"
    # Other tests leave workers behind.
    others = {node["metadata"]["name"] for node in cluster.client.list("/api/v1/nodes")}
    with upgradable(cluster, plane, worker, {}):
        first = check(cluster, rollback_safe=True).result["hops"]
        assert [(hop["control_plane"], hop["workers"], hop["kubelets"]) for hop in first] == [([plane], [], [])]
        assert first[0]["extra_flags"] == {component: {"emulated-version": "1.34"} for component in COMPONENTS}
        assert plan(cluster)["control_plane"] == []
        with pytest.raises(EvergreenError, match="two parts"):
            check(cluster, rollback_safe=True, finalize=True)

        server, address = second_api_server(cluster, tmp_path)
        server.arguments.append(EMULATES)
        server.start()
        try:
            emulating(cluster, plane, address, EMULATES)
            config(cluster, "1.35.4")

            def answers() -> bool:
                return check(cluster).nodes[plane]["api_server_version"] == "1.35.4"

            wait_for("the newer API server answers", answers, 240)
            soaking = check(cluster)
            assert soaking.result["way_back"] == {"state": "soaking", "minor": "1.34", "nodes": [plane]}
            assert "upgrade-not-finalized" in ids(soaking.result)
            again = check(cluster, rollback_safe=True).result
            assert (again["hops"], again["upgrade_needed"]) == ([], False)
            (hop,) = check(cluster, finalize=True).result["hops"]
            assert (hop["control_plane"], set(hop["workers"]) - others) == ([plane], {worker})
            assert (hop["apply_needed"], hop["extra_flags"]) == (True, {})

            back = plan(cluster)
            assert (back["control_plane"], back["kubelets"], back["config_needed"]) == ([plane], [], True)
            assert (back["findings"], back["needed"], back["current"]) == ([], True, "1.35.4")
            assert "rollback-version" in ids(plan(cluster, kubernetes_version="1.33.1"))

            # Finalized: without the flag there is no way back.
            emulating(cluster, plane, address)
            assert "rollback-finalized" in ids(plan(cluster))
            assert plan(cluster, control_plane=False, kubelets=True)["findings"] == []
            with pytest.raises(EvergreenError, match="Neither"):
                plan(cluster, control_plane=False)
        finally:
            server.stop(kill=True)


def test_kubeadm_config_in_four_steps(cluster: Cluster, unique: str) -> None:
    with upgradable(cluster, f"{unique}c", f"{unique}w", {}):
        assert config(cluster, "1.35.4", check_mode=True)["changed"]
        assert stored(cluster) == "v1.34.4"
        done = config(cluster, "1.35.4")
        assert (done["changed"], done["before"], done["after"]) == (True, "v1.34.4", "v1.35.4")
        assert stored(cluster) == "v1.35.4"
        assert not config(cluster, "1.35.4", check_mode=True)["changed"]
        assert not config(cluster, "1.35.4")["changed"]


def test_without_kubeadm_config(cluster: Cluster) -> None:
    remove(cluster, f"{CONFIG_MAPS}/kubeadm-config")
    with pytest.raises(EvergreenError, match="There is no ClusterConfiguration"):
        config(cluster, "1.35.4")
