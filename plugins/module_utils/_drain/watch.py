# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""One watch on the pods of a node, taken up again whatever happens to it."""

from __future__ import annotations

import queue
import threading
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import ApiStatusError, ApiUnreachable
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.errors import means_no_answer
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import Json, uid_of

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.io import DrainApi

# A watch that hears nothing for this long is begun anew, in case its server died without a word.
ROUND_S = 20.0
PAUSE_AFTER_ERROR_S = 1.0


class Seen(t.NamedTuple):
    """What the watch tells: `kind` is ``pod``, ``gone``, ``all`` (`pods` is every pod there is) or ``outage``."""

    kind: str
    pods: list[Json]
    message: str = ""


class PodWatch(threading.Thread):
    """Puts a Seen into `sink` for whatever happens to the pods of `node` after `version`, until stopped.

    After an error of any kind, an expired version (410) or a restart of the
    API server, the pods are listed again and the watch goes on from there.
    """

    def __init__(self, api: DrainApi, node: str, version: str, sink: queue.SimpleQueue[t.Any]) -> None:
        super().__init__(name=f"watch of {node}", daemon=True)
        self._api = api
        self._node = node
        self._version = version
        self._sink = sink
        self._stopped = threading.Event()

    def stop(self) -> None:
        """It ends at its next event, or at the end of its round; nobody needs to wait for that."""
        self._stopped.set()

    def run(self) -> None:
        while not self._stopped.is_set():
            try:
                if not self._version:
                    pods, self._version = self._api.list_pods_once(self._node)
                    self._sink.put(Seen("all", pods))
                for event in self._api.watch_pods(self._node, self._version, ROUND_S):
                    self._take(event)
                    if self._stopped.is_set():
                        return
            except (ApiStatusError, ApiUnreachable) as error:
                self._version = ""
                if isinstance(error, ApiStatusError) and error.status == 410:
                    continue
                if isinstance(error, ApiUnreachable) or means_no_answer(error):
                    self._sink.put(Seen("outage", [], error.message))
                self._stopped.wait(PAUSE_AFTER_ERROR_S)

    def _take(self, event: Json) -> None:
        found = event.get("object") or {}
        self._version = (found.get("metadata") or {}).get("resourceVersion") or self._version
        if event["type"] == "DELETED":
            self._sink.put(Seen("gone", [found]))
        elif event["type"] in ("ADDED", "MODIFIED"):
            self._sink.put(Seen("pod", [found]))


def uids(pods: list[Json]) -> set[str]:
    return {uid_of(pod) for pod in pods}
