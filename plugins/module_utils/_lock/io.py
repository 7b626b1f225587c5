# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The Lease on the API server: read, write where nobody was faster, and the server's clock."""

from __future__ import annotations

import typing as t
from datetime import datetime

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import ApiStatusError, Client
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.retry import retrying
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline, parse_time
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.decisions import Decision


class LostRace(Exception):
    """Somebody else changed the Lease since it was read: read it again and decide again."""


class LeaseStore:
    """One Lease. Every call is retried until `deadline` where the server gave no answer."""

    def __init__(self, client: Client, namespace: str, name: str, deadline: Deadline) -> None:
        self._client = client
        self._deadline = deadline
        self._what = f"the upgrade lock {namespace}/{name}"
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path = f"{self._collection}/{name}"
        self._namespace = namespace

    def read(self) -> dict[str, t.Any] | None:
        """The Lease; None where there is none."""
        try:
            return self._call("GET", self._path, what=f"reading {self._what}")
        except ApiStatusError as error:
            if error.status == 404:
                return None
            raise

    def server_time(self) -> datetime:
        """The API server's wall clock, to the second.

        A dry-run creation is answered with the ``creationTimestamp`` that the
        server would store. It needs no more rights than taking the lock does.
        """
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"generateName": "evergreen-kubeadm-clock-", "namespace": self._namespace},
        }
        answer = self._call(
            "POST", self._collection, query={"dryRun": "All"}, body=body, what="asking the API server for its time"
        )
        stamp = (answer.get("metadata") or {}).get("creationTimestamp")
        moment = parse_time(stamp)
        if moment is None:
            raise EvergreenError(f"The API server gave no usable time (creationTimestamp {stamp!r}).")
        return moment

    def write(self, decision: Decision) -> dict[str, t.Any]:
        """Carry out what is not ``refuse``, ``lost`` or ``none``; raise LostRace for 404 and 409.

        A write whose answer was lost is retried; the second try then meets the
        first one's Lease and raises LostRace, after which it is read again.
        """
        method, path = {"create": ("POST", self._collection), "delete": ("DELETE", self._path)}.get(
            decision.action, ("PUT", self._path)
        )
        try:
            return self._call(method, path, body=decision.body, what=f"writing {self._what}")
        except ApiStatusError as error:
            if error.status in (404, 409) and not _names_missing_namespace(error):
                raise LostRace from error
            raise

    def _call(self, method: str, path: str, *, what: str, **options: t.Any) -> dict[str, t.Any]:
        return retrying(
            lambda: self._client.request(method, path, timeout_s=max(1.0, self._deadline.clip(10.0)), **options),
            self._deadline,
            what=what,
        )


def _names_missing_namespace(error: ApiStatusError) -> bool:
    details = error.body.get("details") or {} if isinstance(error.body, dict) else {}
    return error.status == 404 and details.get("kind") == "namespaces"
