# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Readers of objects of which the skew check keeps a part only: pure."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    Definition,
    Json,
    NodeState,
    Volume,
)

_HOST_LABELS = ("kubernetes.io/hostname", "metadata.name")
# Keys of a PersistentVolume's spec that are not its source.
_NO_SOURCE = {
    *("accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy"),
    *("storageClassName", "volumeAttributesClassName", "volumeMode"),
}


class Wanted(t.NamedTuple):
    """How far the reading of objects goes."""

    target_minor: int
    helm_releases: bool = True
    surge: bool = False
    """Whether what a move by a rollout is judged by is read."""


def lowest_minor(states: list[NodeState]) -> int:
    """The minor of the oldest API server, or else of the oldest kubelet; 0 where none is known."""
    servers = [state.api_server.minor for state in states if state.is_control_plane and state.api_server]
    return min(servers or [state.kubelet.minor for state in states if state.kubelet], default=0)


def without_managed_fields(thing: Json) -> None:
    """Takes them off: much of what is read of a pod, and nothing is decided by them."""
    (thing.get("metadata") or {}).pop("managedFields", None)


def without_other_fields(thing: Json) -> None:
    """Takes those off a node, except who has cordoned it."""
    metadata = thing.get("metadata") or {}
    metadata["managedFields"] = [
        {"manager": entry.get("manager"), "fieldsV1": {"f:spec": {"f:unschedulable": {}}}}
        for entry in metadata.get("managedFields") or []
        if "f:unschedulable" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    ]


def definition_of(thing: Json, ready: list[str]) -> Definition:
    spec, status = thing.get("spec") or {}, thing.get("status") or {}
    conversion = spec.get("conversion") or {}
    service = ((conversion.get("webhook") or {}).get("clientConfig") or {}).get("service") or {}
    asks = conversion.get("strategy") == "Webhook" and bool(service)
    return Definition(
        name=api.name_of(thing),
        versions={str(entry.get("name")): bool(entry.get("served")) for entry in spec.get("versions") or []},
        stored=[str(version) for version in status.get("storedVersions") or []],
        service=f"{service.get('namespace')}/{service.get('name')}" if asks else "",
        ready=ready,
    )


def volume_of(thing: Json) -> Volume:
    spec = thing.get("spec") or {}
    claim = spec.get("claimRef") or {}
    return Volume(
        name=api.name_of(thing),
        claim=f"{claim.get('namespace')}/{claim.get('name')}" if claim else "",
        kind=next((key for key in sorted(spec) if key not in _NO_SOURCE), ""),
        nodes=_nodes_of(spec),
    )


def _nodes_of(spec: Json) -> list[str]:
    """The nodes that the affinity of a volume names; empty where it names none, or a zone."""
    found: set[str] = set()
    terms = ((spec.get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms") or []
    for term in terms:
        named = [
            rule.get("values") or []
            for rule in [*(term.get("matchExpressions") or []), *(term.get("matchFields") or [])]
            if rule.get("key") in _HOST_LABELS and rule.get("operator") == "In"
        ]
        if not named:
            return []
        found.update(str(value) for values in named for value in values)
    return sorted(found)
