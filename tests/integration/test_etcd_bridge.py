# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bridge of etcd set and taken out in the kubeadm-config of a real API server."""

from __future__ import annotations

import typing as t

import pytest
import yaml

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import ApiStatusError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd_bridge import io
from ansible_collections.evergreen.kubeadm.plugins.modules import etcd_bridge
from control_plane import remove, task
from etcd_cluster import run_module
from harness.cluster import Cluster

CONFIGURATION: dict[str, t.Any] = {
    "apiVersion": "kubeadm.k8s.io/v1beta4",
    "kind": "ClusterConfiguration",
    "kubernetesVersion": "v1.33.13",
    "etcd": {"local": {"dataDir": "/var/lib/etcd"}},
}
TAG = "3.5.27-0"


@pytest.fixture
def configured(cluster: Cluster) -> t.Iterator[Cluster]:
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "kubeadm-config", "namespace": "kube-system"},
            "data": {"ClusterConfiguration": yaml.safe_dump(CONFIGURATION), "kept": "as it is"},
        }
    )
    yield cluster
    for path in (io.KUBEADM_CONFIG, f"{io.CONFIG_MAPS}/{io.RECORD}"):
        remove(cluster, path)


def bridge(cluster: Cluster, *, check_mode: bool = False, **options: t.Any) -> dict[str, t.Any]:
    return etcd_bridge.bring_about(
        task(etcd_bridge.ARGUMENT_SPEC, {**cluster.params, "timeout_s": 20, **options}, check_mode=check_mode)
    )


def stored(cluster: Cluster) -> dict[str, t.Any]:
    data = cluster.client.get(io.KUBEADM_CONFIG)["data"]
    assert data["kept"] == "as it is"
    return yaml.safe_load(data["ClusterConfiguration"])


def record(cluster: Cluster) -> str | None:
    try:
        return cluster.client.get(f"{io.CONFIG_MAPS}/{io.RECORD}")["data"]["imageTag"]
    except ApiStatusError as error:
        if error.status != 404:
            raise
        return None


def test_check_run_check_run(configured: Cluster) -> None:
    predicted = bridge(configured, image_tag=TAG, check_mode=True)
    assert (predicted["changed"], predicted["before"], predicted["after"]) == (True, "", TAG)
    assert (stored(configured), record(configured)) == (CONFIGURATION, None)
    assert bridge(configured, image_tag=TAG) == predicted
    assert stored(configured)["etcd"] == {"local": {"dataDir": "/var/lib/etcd", "imageTag": TAG}}
    assert record(configured) == TAG
    for check_mode in (True, False):
        assert bridge(configured, image_tag=TAG, check_mode=check_mode)["changed"] is False

    gone = bridge(configured, state="absent", check_mode=True)
    assert (gone["changed"], gone["before"], gone["after"]) == (True, TAG, "")
    assert record(configured) == TAG
    assert bridge(configured, state="absent") == gone
    assert (stored(configured), record(configured)) == (CONFIGURATION, None)
    assert bridge(configured, state="absent")["changed"] is False


def test_a_tag_of_somebody_else_stays(configured: Cluster) -> None:
    theirs = {**CONFIGURATION, "etcd": {"local": {"imageTag": "3.5.30-0"}}}
    configured.client.patch(io.KUBEADM_CONFIG, {"data": {"ClusterConfiguration": yaml.safe_dump(theirs)}})
    assert bridge(configured, state="absent")["changed"] is False
    assert stored(configured) == theirs


def test_somebody_is_faster(configured: Cluster) -> None:
    store = io.Store(configured.client, Deadline(20))
    configuration = store.configuration()
    changed = {**CONFIGURATION, "clusterName": "other"}
    configured.client.patch(io.KUBEADM_CONFIG, {"data": {"ClusterConfiguration": yaml.safe_dump(changed)}})
    with pytest.raises(EvergreenError, match="changed by somebody else"):
        store.write_configuration({**configuration, "clusterName": "ours"})
    assert stored(configured) == changed


def test_what_cannot_be(configured: Cluster) -> None:
    with pytest.raises(EvergreenError, match="no version of etcd"):
        bridge(configured, image_tag="newest")
    external = {**CONFIGURATION, "etcd": {"external": {"endpoints": ["https://10.0.0.1:2379"]}}}
    configured.client.patch(io.KUBEADM_CONFIG, {"data": {"ClusterConfiguration": yaml.safe_dump(external)}})
    with pytest.raises(EvergreenError, match="external"):
        bridge(configured, image_tag=TAG)
    configured.client.patch(io.KUBEADM_CONFIG, {"data": {"ClusterConfiguration": "- a list"}})
    with pytest.raises(EvergreenError, match="no ClusterConfiguration"):
        bridge(configured, image_tag=TAG)
    assert record(configured) is None


def test_as_a_task(configured: Cluster) -> None:
    result = run_module("etcd_bridge", {**configured.params, "state": "present"})
    assert result["failed"]
    assert "image_tag" in result["msg"]
