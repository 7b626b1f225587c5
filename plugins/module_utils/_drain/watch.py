# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""A watch that is taken up again whatever happens to it."""

from __future__ import annotations

import queue
import threading
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import ApiStatusError, ApiUnreachable
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.errors import means_no_answer
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import Json

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A watch that hears nothing for this long is begun anew, in case its server died without a word.
ROUND_S = 20.0
PAUSE_AFTER_ERROR_S = 1.0
LONGEST_PAUSE_S = 16.0


class Seen(t.NamedTuple):
    """What a watch tells of the objects `of` (``pod``, ``budget``, ``node``).

    `kind` is ``there`` (one object, new or changed), ``gone`` (one object), ``all`` (every object that there
    is), ``outage`` (no API server answers) or ``refused`` (it does, and does not let us watch).
    """

    of: str
    kind: str
    objects: list[Json]
    message: str = ""


class Watch(threading.Thread):
    """Puts a Seen into `sink` for whatever happens to some objects after `version`, until stopped.

    `listing` returns the objects and their resourceVersion in one try;
    `watching` takes a resourceVersion and seconds and yields events. After an
    error of any kind, an expired version (410) or a restart of the API server,
    the objects are listed again and the watch goes on from there. Without a
    `version` it begins with a list.
    """

    def __init__(
        self,
        of: str,
        listing: Callable[[], tuple[list[Json], str]],
        watching: Callable[[str, float], Iterator[Json]],
        version: str,
        sink: queue.SimpleQueue[t.Any],
    ) -> None:
        super().__init__(name=f"watch of {of}s", daemon=True)
        self._of = of
        self._listing = listing
        self._watching = watching
        self._version = version
        self._sink = sink
        self._stopped = threading.Event()
        self._refusals = 0

    def stop(self) -> None:
        """It ends at its next event, or at the end of its round; nobody needs to wait for that."""
        self._stopped.set()

    def run(self) -> None:
        while not self._stopped.is_set():
            try:
                if not self._version:
                    objects, self._version = self._listing()
                    self._tell("all", objects)
                for event in self._watching(self._version, ROUND_S):
                    self._take(event)
                    if self._stopped.is_set():
                        return
            except (ApiStatusError, ApiUnreachable) as error:
                self._version = ""
                if isinstance(error, ApiStatusError) and error.status == 410:
                    continue
                self._stopped.wait(self._pause_after(error))
            else:
                self._refusals = 0

    def _pause_after(self, error: ApiStatusError | ApiUnreachable) -> float:
        """Tell of the error, and say for how many seconds to be quiet."""
        if isinstance(error, ApiUnreachable) or means_no_answer(error):
            self._tell("outage", [], error.message)
            return PAUSE_AFTER_ERROR_S
        self._tell("refused", [], f"{error.message} {error.hint}".strip())
        # An API server that has just started refuses for a moment; a missing right stays missing.
        self._refusals += 1
        return float(min(PAUSE_AFTER_ERROR_S * 2 ** (self._refusals - 1), LONGEST_PAUSE_S))

    def _take(self, event: Json) -> None:
        found = event.get("object") or {}
        self._version = (found.get("metadata") or {}).get("resourceVersion") or self._version
        if event["type"] == "DELETED":
            self._tell("gone", [found])
        elif event["type"] in ("ADDED", "MODIFIED"):
            self._tell("there", [found])

    def _tell(self, kind: str, objects: list[Json], message: str = "") -> None:
        self._sink.put(Seen(self._of, kind, objects, message))
