# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What skew_check finds of objects, pods and leaders on a real API server, before a hop from 1.34.4 to 1.35.4.

Other tests put their own objects into the same cluster, so each assertion is
on subjects of this file.
"""

from __future__ import annotations

import base64
import gzip
import json
import typing as t

import pytest

from control_plane import remove
from harness.cluster import Cluster, path_of
from harness.objects import budget, controlled, deployment, namespace, pod, pod_spec
from harness.process import wait_for
from skew_place import CONFIG_MAPS, check, config_map, upgradable

PLANE, WORKER, SHOP = "objects-plane", "objects-worker", "objects-shop"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CLASSES = "/apis/storage.k8s.io/v1/volumeattributesclasses"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
EVERYWHERE = [{"operator": "Exists"}]


@pytest.fixture(scope="module")
def shop(cluster: Cluster) -> t.Iterator[Cluster]:
    with upgradable(cluster, PLANE, WORKER, {}):
        cluster.apply(namespace(SHOP))
        yield cluster
        cluster.delete(f"/api/v1/namespaces/{SHOP}")


def definition(group: str, served: bool, stored: str, conversion: dict[str, t.Any]) -> dict[str, t.Any]:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [
        {"name": "v1beta1", "served": served, "storage": stored == "v1beta1", "schema": schema},
        {"name": "v1", "served": True, "storage": stored == "v1", "schema": schema},
    ]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "names": {"plural": "things", "kind": "Thing"},
            "scope": "Namespaced",
            "versions": versions,
            "conversion": conversion,
        },
    }


def test_custom_resources(shop: Cluster) -> None:
    service = {"namespace": "default", "name": "nobody", "path": "/convert"}
    webhook = {"clientConfig": {"service": service}, "conversionReviewVersions": ["v1"]}
    moved, asking = "moved.evergreen.test", "asking.evergreen.test"
    try:
        shop.client.request("POST", DEFINITIONS, body=definition(moved, True, "v1beta1", {"strategy": "None"}))
        shop.client.patch(
            f"{DEFINITIONS}/things.{moved}", {"spec": definition(moved, False, "v1", {"strategy": "None"})["spec"]}
        )
        conversion = {"strategy": "Webhook", "webhook": webhook}
        shop.client.request("POST", DEFINITIONS, body=definition(asking, True, "v1", conversion))
        found = check(shop)
    finally:
        for group in (moved, asking):
            remove(shop, f"{DEFINITIONS}/things.{group}")
    unserved = found.findings["crd-stored-version-unserved", "customresourcedefinitions"]
    assert f"things.{moved} v1beta1" in unserved["evidence"]
    down = found.findings["crd-conversion-down", f"customresourcedefinition/things.{asking}"]
    assert "default/nobody" in down["evidence"]


def test_who_writes_a_version_that_goes_away(shop: Cluster) -> None:
    applied = json.dumps({"apiVersion": "storage.k8s.io/v1alpha1", "kind": "VolumeAttributesClass"})
    made = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "VolumeAttributesClass",
        "metadata": {
            "name": "objects-gold",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied},
        },
        "driverName": "csi.evergreen.test",
        "parameters": {"iops": "9"},
    }
    try:
        shop.client.request("POST", CLASSES, body=made)
        found = check(shop)
        entry = found.findings["removed-api-written", "VolumeAttributesClass.storage.k8s.io/v1alpha1"]
        assert "objects-gold" in entry["evidence"]
        assert "kubectl apply" in entry["evidence"]
        # A patch of the same minor takes nothing away.
        assert not [id for id, _subject in check(shop, "1.34.5").findings if id == "removed-api-written"]
    finally:
        remove(shop, f"{CLASSES}/objects-gold")


def release(name: str, revision: int, api_version: str, status: str = "deployed") -> dict[str, t.Any]:
    manifest = f"---\napiVersion: {api_version}\nkind: CronJob\nmetadata:\n  name: nightly\n"
    packed = gzip.compress(json.dumps({"manifest": manifest, "config": {"password": "hush"}}).encode())
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "namespace": SHOP,
            "name": f"sh.helm.release.v1.{name}.v{revision}",
            "labels": {"owner": "helm", "name": name, "version": str(revision), "status": status},
        },
        "type": "helm.sh/release.v1",
        "data": {"release": base64.b64encode(base64.b64encode(packed)).decode()},
    }


def test_helm_releases(shop: Cluster) -> None:
    # More than a page of them.
    shop.apply(*(release(f"fine{number}", 1, "batch/v1") for number in range(25)))
    shop.apply(release("old", 2, "batch/v1beta1"), release("past", 1, "batch/v1beta1", "superseded"))
    found = check(shop)
    entry = found.findings["helm-release-removed-api", "CronJob.batch/v1beta1"]
    assert f"{SHOP}/old" in entry["evidence"]
    assert f"{SHOP}/past" not in entry["evidence"]
    assert f"{SHOP}/fine" not in entry["evidence"]
    assert "hush" not in str(found.result)
    without = check(shop, helm_releases=False)
    assert not [id for id, _subject in without.findings if id == "helm-release-removed-api"]


def test_pods_that_are_hard_to_move(shop: Cluster) -> None:
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "objects-disk"},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "local": {"path": "/disk"},
            "claimRef": {"namespace": SHOP, "name": "disk"},
            "nodeAffinity": {
                "required": {
                    "nodeSelectorTerms": [
                        {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [WORKER]}]}
                    ]
                }
            },
        },
    }
    claim = {"name": "d", "persistentVolumeClaim": {"claimName": "disk"}}
    night = pod_spec(restartPolicy="Never", nodeSelector={"kubernetes.io/hostname": WORKER})
    greedy = [{"name": "main", "image": "x", "resources": {"requests": {"cpu": "100000"}}}]
    try:
        shop.apply(
            volume,
            pod("bare", SHOP, on=WORKER, tolerations=EVERYWHERE, volumes=[{"name": "e", "emptyDir": {}}, claim]),
            pod("greedy", SHOP, on=WORKER, containers=greedy, terminationGracePeriodSeconds=3600),
            controlled("Job", "batch/v1", "night", SHOP, {"backoffLimit": 0, "template": {"spec": night}}),
            deployment("lone", SHOP, 1, node_selector={"kubernetes.io/hostname": WORKER}),
        )
        path = f"/api/v1/namespaces/{SHOP}/pods"

        def all_run() -> bool:
            ready = [
                entry
                for each in shop.client.list(path)
                for entry in each["status"].get("conditions") or []
                if entry["type"] == "Ready" and entry["status"] == "True"
            ]
            return len(ready) == 4

        wait_for("the pods run", all_run)
        found = check(shop).findings
        subject = f"namespace/{SHOP}"
        assert f"{SHOP}/bare" in found["pod-unmanaged", subject]["evidence"]
        assert "1 pod " in found["pod-local-data", subject]["evidence"]
        assert {found[id, subject]["severity"] for id in ("pod-unmanaged", "pod-local-data")} == {"blocker"}
        assert f"{SHOP}/night-" in found["job-not-repeatable", subject]["evidence"]
        assert f"{SHOP}/greedy" in found["pod-grace-too-long", subject]["evidence"]
        longer = check(shop, drain={"wait_timeout": 3600, "force": True}).findings
        assert ("pod-grace-too-long", subject) not in longer
        assert longer["pod-unmanaged", subject]["severity"] == "note"
        assert "1 pod " in found["pod-tolerates-everything", subject]["evidence"]
        assert f"{SHOP}/bare" in found["volume-pinned", subject]["evidence"]
        assert "deployment/lone" in found["workload-singleton", subject]["evidence"]
        assert "100000" in found["capacity-short", f"node/{WORKER}"]["evidence"]
    finally:
        remove(shop, "/api/v1/persistentvolumes/objects-disk")
        for name in ("bare", "greedy"):
            remove(shop, f"/api/v1/namespaces/{SHOP}/pods/{name}")
        remove(shop, f"/apis/apps/v1/namespaces/{SHOP}/deployments/lone")
        remove(shop, f"/apis/batch/v1/namespaces/{SHOP}/jobs/night")


def test_a_budget_that_a_webhook_answers_for(shop: Cluster) -> None:
    """With a webhook about evictions alone, its operator may move the pod; without one nobody does."""
    hook = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "objects-drain"},
        "webhooks": [
            {
                "name": "drain.evergreen.test",
                "clientConfig": {"service": {"namespace": SHOP, "name": "nobody"}},
                "rules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods/eviction"]}
                ],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": SHOP}},
                "failurePolicy": "Ignore",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }
        ],
    }
    budgets = f"/apis/policy/v1/namespaces/{SHOP}/poddisruptionbudgets"
    key = ("budget-never-allows", f"poddisruptionbudget/{SHOP}/broker")
    try:
        shop.apply(
            deployment("broker", SHOP, 1, kind="StatefulSet", node_selector={"kubernetes.io/hostname": WORKER}),
            budget("broker", SHOP, "broker", maxUnavailable=0),
        )
        status = f"{budgets}/broker"
        wait_for("the budget is counted", lambda: shop.client.get(status).get("status", {}).get("currentHealthy"))
        assert check(shop).findings[key]["severity"] == "blocker"
        shop.apply(hook)
        answered = check(shop).findings[key]
        assert answered["severity"] == "warning"
        assert "drain.evergreen.test" in answered["evidence"]
    finally:
        remove(shop, path_of(hook))
        remove(shop, f"{budgets}/broker")
        remove(shop, f"/apis/apps/v1/namespaces/{SHOP}/statefulsets/broker")


def test_a_leader_that_is_gone(shop: Cluster) -> None:
    """What says "now" is the Lease that the API server renews for itself."""
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "kube-scheduler", "namespace": "kube-system"},
        "spec": {
            "holderIdentity": f"{PLANE}_0a1b",
            "leaseDurationSeconds": 15,
            "renewTime": "2026-01-31T12:00:00.000000Z",
        },
    }
    key = "leader-lease-stale", "lease/kube-system/kube-scheduler"
    names = [each["metadata"]["name"] for each in shop.client.list(LEASES)]
    assert [name for name in names if name.startswith("apiserver-")]
    assert key not in check(shop).findings
    try:
        shop.client.request("POST", LEASES, body=lease)
        entry = check(shop).findings[key]
        assert entry["severity"] == "blocker"
        assert PLANE in entry["evidence"]
        assert "0a1b" not in entry["evidence"]
    finally:
        remove(shop, f"{LEASES}/kube-scheduler")


def test_flags_and_addons(shop: Cluster) -> None:
    agent = [{"name": "calico-node", "image": "quay.io/calico/node:v3.29.1"}]
    corefile = ".:53 {\n  errors\n  records example.org {\n  }\n}\n"
    spec = {"containers": [{"name": "coredns", "image": "registry.k8s.io/coredns/coredns:v1.12.1"}]}
    dns = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "coredns", "namespace": "kube-system"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"k8s-app": "kube-dns"}},
            "template": {"metadata": {"labels": {"k8s-app": "kube-dns"}}, "spec": spec},
        },
    }
    try:
        shop.apply(
            pod("calico-node-x", SHOP, on=WORKER, containers=agent),
            config_map("coredns", "Corefile", corefile),
            config_map("kube-proxy", "config.conf", {"mode": "ipvs"}),
            dns,
        )
        found = check(shop).findings
    finally:
        remove(shop, f"/api/v1/namespaces/{SHOP}/pods/calico-node-x")
        for path in (f"{CONFIG_MAPS}/coredns", f"{CONFIG_MAPS}/kube-proxy"):
            remove(shop, path)
        remove(shop, "/apis/apps/v1/namespaces/kube-system/deployments/coredns")
    assert "3.29.1" in found["addon-not-supported", "addon/Calico"]["evidence"]
    assert "records" in found["coredns-plugin-unknown", "configmap/kube-system/coredns"]["evidence"]
    assert "resources" in found["coredns-customised", "deployment/kube-system/coredns"]["evidence"]
    assert "ipvs" in found["release-change", "1.35"]["evidence"]
