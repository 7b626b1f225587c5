# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Entries of the findings on API versions and custom resources."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import removed_apis
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue.model import Entry
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER, NOTE, WARNING

ENTRIES: tuple[Entry, ...] = (
    Entry(
        id="removed-api-written",
        severities=(WARNING,),
        title="Objects are written in a version of an API that goes away",
        meaning="A field manager, or kubectl apply, last wrote these objects in a version that the target does not "
        "serve. The objects stay, the API server converts them. Whoever writes them fails at the next "
        "attempt: a pipeline, an operator, a repository.",
        cure="Change the manifest or the program to the newer version and let it write the object once. The "
        "managed fields then name the new version.",
        sources=(removed_apis.SOURCE,),
    ),
    Entry(
        id="helm-release-removed-api",
        severities=(WARNING,),
        title="A Helm release holds a version of an API that is not served",
        meaning="Helm compares the next version of a release with the manifest of the last one, and cannot where the "
        "API server does not know a version in it: `helm upgrade` and `helm rollback` fail. What runs is not "
        "concerned.",
        cure="Upgrade the chart before the cluster. A release that fails already is mended with the Helm plug-in "
        "mapkubeapis.",
        sources=("https://helm.sh/docs/topics/kubernetes_apis/",),
    ),
    Entry(
        id="crd-conversion-down",
        severities=(WARNING,),
        title="The conversion webhook of a custom resource has no endpoint",
        meaning="Objects of this kind may be stored in another version than the one that is asked for, and a webhook "
        "converts them. Its Service has no ready endpoint, so that they cannot be read. An API server that "
        "starts reads them all, and namespaces with such objects are not deleted.",
        cure="Bring the pods of the webhook back.",
        sources=(
            "https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/",
        ),
    ),
    Entry(
        id="crd-stored-version-gone",
        severities=(BLOCKER,),
        title="Objects may be stored in a version that their definition does not know",
        meaning="`status.storedVersions` of the CustomResourceDefinition names a version that is not in "
        "`spec.versions`. Objects that are stored in it cannot be read any more, by nobody.",
        cure="Put the version back into `spec.versions` with `served: false`, rewrite the objects, then take it "
        "out of `status.storedVersions`.",
        sources=(
            "https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/",
        ),
    ),
    Entry(
        id="crd-stored-version-unserved",
        severities=(NOTE,),
        title="Objects may be stored in a version that is not served any more",
        meaning="The definition still knows the version and no longer serves it. The API server reads such objects "
        "and converts them. The next version of the operator may drop the version, and its definition is then "
        "refused.",
        cure="Rewrite the objects, `kubectl get <kind> -A -o json | kubectl replace -f -` or a "
        "StorageVersionMigration, then take the version out of `status.storedVersions`.",
        sources=(
            "https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/",
        ),
    ),
)
