# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""API versions that Kubernetes no longer serves, as data, and who still writes in one. Pure.

A list of objects shows every object in the version that is asked for. Who
writes them in which version is in their managedFields and in kubectl's
annotation.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Json, RemovedUse

SOURCE = "https://kubernetes.io/docs/reference/using-api/deprecation-guide/"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class RemovedApi(t.NamedTuple):
    """From 1.`since` on `api_version` has none of the kinds. `lists` are paths that list the objects since then.

    None of a version that is deprecated itself: an API server notes that it was asked for one, and the next plan would
    take that for somebody else's doing.
    """

    since: int
    api_version: str
    kinds: tuple[str, ...]
    lists: tuple[str, ...] = ()


# kubernetes.io/docs/reference/using-api/deprecation-guide, and the release notes for versions that were alpha.
REMOVED_APIS = (
    RemovedApi(16, "extensions/v1beta1", ("Deployment", "DaemonSet", "ReplicaSet", "NetworkPolicy")),
    RemovedApi(16, "apps/v1beta1", ("Deployment", "StatefulSet")),
    RemovedApi(16, "apps/v1beta2", ("Deployment", "DaemonSet", "ReplicaSet", "StatefulSet")),
    RemovedApi(22, "extensions/v1beta1", ("Ingress",)),
    RemovedApi(22, "networking.k8s.io/v1beta1", ("Ingress", "IngressClass")),
    RemovedApi(22, "apiextensions.k8s.io/v1beta1", ("CustomResourceDefinition",)),
    RemovedApi(
        22,
        "admissionregistration.k8s.io/v1beta1",
        ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
    ),
    RemovedApi(22, "rbac.authorization.k8s.io/v1beta1", ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")),
    RemovedApi(22, "apiregistration.k8s.io/v1beta1", ("APIService",)),
    RemovedApi(22, "coordination.k8s.io/v1beta1", ("Lease",)),
    RemovedApi(22, "scheduling.k8s.io/v1beta1", ("PriorityClass",)),
    RemovedApi(22, "storage.k8s.io/v1beta1", ("CSIDriver", "CSINode", "StorageClass", "VolumeAttachment")),
    RemovedApi(25, "batch/v1beta1", ("CronJob",), ("/apis/batch/v1/cronjobs",)),
    RemovedApi(25, "discovery.k8s.io/v1beta1", ("EndpointSlice",)),
    RemovedApi(
        25,
        "autoscaling/v2beta1",
        ("HorizontalPodAutoscaler",),
        ("/apis/autoscaling/v2/horizontalpodautoscalers",),
    ),
    RemovedApi(
        25,
        "policy/v1beta1",
        ("PodDisruptionBudget", "PodSecurityPolicy"),
        ("/apis/policy/v1/poddisruptionbudgets",),
    ),
    RemovedApi(25, "node.k8s.io/v1beta1", ("RuntimeClass",), ("/apis/node.k8s.io/v1/runtimeclasses",)),
    RemovedApi(
        26,
        "autoscaling/v2beta2",
        ("HorizontalPodAutoscaler",),
        ("/apis/autoscaling/v2/horizontalpodautoscalers",),
    ),
    RemovedApi(26, "flowcontrol.apiserver.k8s.io/v1beta1", ("FlowSchema", "PriorityLevelConfiguration")),
    RemovedApi(
        27, "storage.k8s.io/v1beta1", ("CSIStorageCapacity",), ("/apis/storage.k8s.io/v1/csistoragecapacities",)
    ),
    RemovedApi(29, "flowcontrol.apiserver.k8s.io/v1beta2", ("FlowSchema", "PriorityLevelConfiguration")),
    RemovedApi(
        32,
        "flowcontrol.apiserver.k8s.io/v1beta3",
        ("FlowSchema", "PriorityLevelConfiguration"),
        (
            "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
            "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations",
        ),
    ),
    RemovedApi(
        33,
        "admissionregistration.k8s.io/v1alpha1",
        ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
        (
            "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
            "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
        ),
    ),
    RemovedApi(
        34,
        "resource.k8s.io/v1alpha3",
        ("DeviceClass", "ResourceClaim", "ResourceClaimTemplate", "ResourceSlice"),
        (
            "/apis/resource.k8s.io/v1beta1/deviceclasses",
            "/apis/resource.k8s.io/v1beta1/resourceclaims",
            "/apis/resource.k8s.io/v1beta1/resourceclaimtemplates",
        ),
    ),
    RemovedApi(
        35,
        "storage.k8s.io/v1alpha1",
        ("VolumeAttributesClass",),
        ("/apis/storage.k8s.io/v1/volumeattributesclasses",),
    ),
    RemovedApi(35, "storagemigration.k8s.io/v1alpha1", ("StorageVersionMigration",)),
)


def going_away(current_minor: int, target_minor: int) -> dict[str, list[RemovedApi]]:
    """What is served now and not at the target, by the paths that list its objects."""
    found: dict[str, list[RemovedApi]] = {}
    for entry in REMOVED_APIS:
        if current_minor < entry.since <= target_minor:
            for path in entry.lists:
                found.setdefault(path, []).append(entry)
    return found


def gone_at(target_minor: int, api_version: str, kind: str) -> int | None:
    """The minor since when a kind is not served in this version, where that is the target or before it."""
    for entry in REMOVED_APIS:
        if entry.since <= target_minor and entry.api_version == api_version and kind in entry.kinds:
            return entry.since
    return None


def writers(thing: Json, entries: t.Sequence[RemovedApi]) -> list[RemovedUse]:
    """Who writes an object in one of these versions: field managers, and kubectl apply."""
    versions = {entry.api_version: entry for entry in entries}
    name = api.qualified(thing).lstrip("/")
    found = {}
    for field in (thing.get("metadata") or {}).get("managedFields") or []:
        entry = versions.get(str(field.get("apiVersion", "")))
        manager = str(field.get("manager", ""))
        if entry is not None:
            found[entry.api_version, manager] = _use(entry, thing, name, f"field manager {manager}")
    applied = _applied_version(api.annotations_of(thing).get(LAST_APPLIED))
    if applied in versions:
        found[applied, ""] = _use(versions[applied], thing, name, "kubectl apply")
    return list(found.values())


def _use(entry: RemovedApi, thing: Json, name: str, by: str) -> RemovedUse:
    # The items of a list do not name their kind.
    kind = str(thing.get("kind") or "/".join(entry.kinds))
    return RemovedUse(api_version=entry.api_version, kind=kind, removed=entry.since, where=name, by=by)


def _applied_version(text: str | None) -> str:
    try:
        found = json.loads(text or "")
    except ValueError:
        return ""
    return str(found.get("apiVersion", "")) if isinstance(found, dict) else ""
