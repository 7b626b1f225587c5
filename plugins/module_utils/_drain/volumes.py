# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Which volumes are still attached to a drained node. Pure.

A volume that is attached cannot be used on another node, and a node that is
stopped with one loses it by force (https://kubernetes.io/docs/concepts/storage/persistent-volumes/).
"""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import Json, PodRecord
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.singletons import claim_names


def claims_that_stay(records: t.Sequence[PodRecord], node: str) -> set[tuple[str, str]]:
    """Namespace and name of the PersistentVolumeClaims of pods that the drain leaves on `node`."""
    return {
        (record.pod["metadata"]["namespace"], name)
        for record in records
        if record.node == node and not record.leaves
        for name in claim_names(record.pod)
    }


def attached(attachments: t.Sequence[Json], node: str) -> list[Json]:
    """``[{node, volume, attachment, detach_error}]`` of what is attached to `node`."""
    found = []
    for attachment in attachments:
        spec, status = attachment.get("spec") or {}, attachment.get("status") or {}
        if spec.get("nodeName") != node:
            continue
        found.append(
            {
                "node": node,
                "volume": (spec.get("source") or {}).get("persistentVolumeName"),
                "attachment": attachment["metadata"]["name"],
                "detach_error": (status.get("detachError") or {}).get("message"),
            }
        )
    return sorted(found, key=lambda entry: entry["attachment"])


def told(found: t.Sequence[Json]) -> str:
    """What is attached, for a message."""
    return "; ".join(
        (entry["volume"] or entry["attachment"]) + (f" ({entry['detach_error']})" if entry["detach_error"] else "")
        for entry in found
    )
