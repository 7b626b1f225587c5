# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Findings on API versions that go away, and on custom resources. Pure."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.folding import some
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    BLOCKER,
    NOTE,
    WARNING,
    Cluster,
    Finding,
    RemovedUse,
    finding,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.removed_apis import SOURCE

DEFINITION_SOURCE = (
    "https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/"
)
HELM_SOURCE = "https://helm.sh/docs/topics/kubernetes_apis/"


def object_findings(cluster: Cluster) -> list[Finding]:
    return [*_removed_uses(cluster), *_definitions(cluster)]


def _removed_uses(cluster: Cluster) -> list[Finding]:
    """One finding for each version and kind, whoever writes it, and one for those in Helm releases."""
    grouped: dict[tuple[str, str, int, bool], list[RemovedUse]] = {}
    for use in cluster.removed_uses:
        key = (use["api_version"], use["kind"], use["removed"], use["by"] == "Helm release")
        grouped.setdefault(key, []).append(use)
    found = []
    for (api_version, kind, removed, helm), uses in sorted(grouped.items()):
        subject = f"{kind}.{api_version}"
        if helm:
            found.append(
                finding(
                    "helm-release-removed-api",
                    WARNING,
                    subject,
                    f"removed in 1.{removed}, and in the newest revision of the Helm releases "
                    f"{some([use['where'] for use in uses])}: the next helm upgrade or rollback of them fails",
                    "Upgrade the charts to a version with the newer API before. A release that cannot be upgraded any "
                    "more is mended with the Helm plug-in mapkubeapis.",
                    HELM_SOURCE,
                )
            )
            continue
        writers = sorted({use["by"] for use in uses})
        found.append(
            finding(
                "removed-api-written",
                WARNING,
                subject,
                f"removed in 1.{removed}, and written by {', '.join(writers[:3])}: {some([u['where'] for u in uses])}",
                "Change the manifest or the program that writes it to the newer version of the API. The objects "
                "themselves stay.",
                SOURCE,
            )
        )
    return found


def _definitions(cluster: Cluster) -> list[Finding]:
    found = []
    unknown: dict[str, list[str]] = {}
    unserved: dict[str, list[str]] = {}
    for definition in cluster.definitions:
        for version in definition["stored"]:
            if version not in definition["versions"]:
                unknown.setdefault(definition["name"], []).append(version)
            elif not definition["versions"][version]:
                unserved.setdefault(definition["name"], []).append(version)
        if definition["service"] and not definition["ready"]:
            found.append(
                finding(
                    "crd-conversion-down",
                    WARNING,
                    f"customresourcedefinition/{definition['name']}",
                    f"the service {definition['service']} of its conversion webhook has no ready endpoint: objects "
                    "that are stored in another version than the one asked for cannot be read",
                    "Bring its pods back. API servers that start read these objects, and so does what collects garbage "
                    "and deletes namespaces.",
                    DEFINITION_SOURCE,
                )
            )
    for name, versions in sorted(unknown.items()):
        found.append(
            finding(
                "crd-stored-version-gone",
                BLOCKER,
                f"customresourcedefinition/{name}",
                f"objects may be stored as {', '.join(versions)}, which it does not know any more: they cannot be read",
                "Put the version back into spec.versions (served: false), rewrite the objects, and take the version "
                "out of status.storedVersions.",
                DEFINITION_SOURCE,
            )
        )
    if unserved:
        told = [f"{name} {', '.join(versions)}" for name, versions in unserved.items()]
        found.append(
            finding(
                "crd-stored-version-unserved",
                NOTE,
                "customresourcedefinitions",
                f"objects may be stored in versions that are not served any more: {some(told)}",
                "Rewrite the objects (kubectl get -o json | kubectl replace -f -, or a StorageVersionMigration), then "
                "take the version out of status.storedVersions. Until then no version of the operator may drop it.",
                DEFINITION_SOURCE,
            )
        )
    return found
