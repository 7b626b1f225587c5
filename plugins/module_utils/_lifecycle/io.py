# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Nodes, their conditions and the Events about them on the API server."""

from __future__ import annotations

import typing as t
from urllib.parse import quote

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import (
    STRATEGIC_MERGE_PATCH,
    ApiStatusError,
    Client,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.retry import retrying
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline

Json = dict[str, t.Any]

NODES = "/api/v1/nodes"
EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"
FIELD_MANAGER = "evergreen-kubeadm-lifecycle"
REQUEST_TIMEOUT_S = 10.0


class Api:
    """Reads and writes; each is tried again until `deadline` where the server gave no answer."""

    def __init__(self, client: Client, deadline: Deadline) -> None:
        self._client = client
        self._deadline = deadline

    def node(self, name: str) -> Json:
        try:
            return self._call("GET", _node(name))
        except ApiStatusError as error:
            if error.status == 404:
                raise EvergreenError(
                    f"There is no node {name} in the cluster.", hint="Give the name of the Node object."
                ) from error
            raise

    def nodes(self) -> list[Json]:
        return retrying(
            lambda: self._client.list(NODES, timeout_s=self._timeout()), self._deadline, what="listing nodes"
        )

    def has_event(self, name: str) -> bool:
        try:
            self._call("GET", f"{EVENTS}/{quote(name, safe='')}")
        except ApiStatusError as error:
            if error.status == 404:
                return False
            raise
        return True

    def create_event(self, event: Json) -> bool:
        """Whether it was not there; one of that name says the same."""
        try:
            self._call("POST", EVENTS, event)
        except ApiStatusError as error:
            if error.status == 409:
                return False
            raise
        return True

    def patch_status(self, name: str, patch: Json) -> None:
        self._call("PATCH", f"{_node(name)}/status?fieldManager={FIELD_MANAGER}", patch)

    def _call(self, method: str, path: str, body: Json | None = None) -> Json:
        return retrying(
            lambda: self._client.request(
                method,
                path,
                body=body,
                content_type=STRATEGIC_MERGE_PATCH if method == "PATCH" else None,
                timeout_s=self._timeout(),
            ),
            self._deadline,
            what=f"{method} {path.partition('?')[0]}",
        )

    def _timeout(self) -> float:
        return max(1.0, self._deadline.clip(REQUEST_TIMEOUT_S))


def _node(name: str) -> str:
    return f"{NODES}/{quote(name, safe='')}"
