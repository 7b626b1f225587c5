# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Waits until the volumes of a drained node are detached."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import utc_now
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.io import DrainApi
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import Json, PodRecord
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.volumes import attached, claims_that_stay, told
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline

POLL_S = 2.0


class Detach:
    """`volumes` are those that were seen attached, as `attached` describes them, each with `detached_at`."""

    def __init__(self, api: DrainApi, deadline: Deadline) -> None:
        self._api = api
        self._deadline = deadline
        self.volumes: list[Json] = []

    def look(self, node: str, records: Sequence[PodRecord]) -> list[Json]:
        """What is attached to `node` now but for the volumes of pods that stay there."""
        found = attached(self._api.volume_attachments(), node)
        if found:
            keys = sorted(claims_that_stay(records, node))
            claims = [self._api.find("PersistentVolumeClaim", *key) for key in keys]
            staying = {(claim.get("spec") or {}).get("volumeName") for claim in claims if claim}
            found = [entry for entry in found if entry["volume"] not in staying]
        self._note(node, found)
        return found

    def wait(self, node: str, records: Sequence[PodRecord]) -> None:
        """Return when nothing is attached any more. Raises EvergreenError at the deadline."""
        while True:
            found = self.look(node, records)
            if not found:
                return
            if self._deadline.expired():
                raise EvergreenError(
                    f"All pods have left node {node}, and after {self._deadline.seconds:g} s it still has volumes "
                    f"attached: {told(found)}.",
                    hint="The node stays cordoned. The CSI driver of a volume detaches it; its log says what holds it.",
                )
            self._deadline.sleep(POLL_S)

    def _note(self, node: str, found: Sequence[Json]) -> None:
        known = {entry["attachment"]: entry for entry in self.volumes}
        there = {entry["attachment"]: entry for entry in found}
        for name, entry in there.items():
            if name not in known:
                self.volumes.append({**entry, "detached_at": None})
        for name, entry in known.items():
            if name in there:
                entry["detach_error"] = there[name]["detach_error"]
            elif entry["node"] == node:
                entry["detached_at"] = entry["detached_at"] or utc_now()
