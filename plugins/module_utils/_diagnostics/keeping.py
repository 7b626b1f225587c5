# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Keep what a static pod said last, also when the pod and its logs are gone before anybody asks.

An API server of a new version that cannot start says why in its log. kubeadm
waits five minutes for it and puts the earlier manifest back, and with that the
kubelet removes the pod that failed, its containers and its folder of logs. So
the logs are held open while kubeadm runs: a file that is open can be read after
its name is gone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.pod_logs import (
    KEPT,
    OF_ONE_CONTAINER,
    STATIC_POD,
    PodLog,
    pod_logs,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.reading import Unreadable, tail_of_open
from ansible_collections.evergreen.kubeadm.plugins.module_utils._redaction import redact

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node

LOGS_MOST = 32
"""Four components as they were before, of the new version, and put back, with two logs each, are 24."""
BYTES_EACH = 1 << 16
# A container that failed is removed with the next one but one, 10 s later at the earliest (the kubelet's back-off).
_PAUSE_S = 1.0


class Held(t.NamedTuple):
    """A log that is open. `new` says that it was not there when kubeadm began."""

    log: PodLog
    descriptor: int
    new: bool


def surplus(held: t.Iterable[PodLog]) -> list[str]:
    """The names of logs that need not be held any longer. Pure.

    The newest two of a container stay, and the newest 32 in all.
    """
    of: dict[str, int] = {}
    stay = 0
    names: list[str] = []
    for log in sorted(held, key=lambda each: each.written, reverse=True):
        of[log.container] = of.get(log.container, 0) + 1
        if of[log.container] > OF_ONE_CONTAINER or stay == LOGS_MOST:
            names.append(log.name)
        else:
            stay += 1
    return names


def forget(node: Node) -> None:
    """Remove what was kept of an earlier run; what cannot be removed stays."""
    shutil.rmtree(node.path(KEPT), ignore_errors=True)


class LogKeeper:
    """Holds the logs of the static pods as long as its ``with`` lasts, and writes their ends where it is told to."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._held: dict[str, Held] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="log keeper", daemon=True)

    def __enter__(self) -> LogKeeper:
        forget(self._node)
        self._look(new=False)
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop()
        for name in list(self._held):
            self._let_go(name)

    def save(self) -> str:
        """Write the ends of the logs that are gone or may go, and say so in a sentence; nothing where there are none.

        Logs that were there before kubeadm and still are stay where they are.
        """
        self._stop()
        self._look(new=True)
        going = [held for held in self._held.values() if held.new or not self._is_there(held)]
        try:
            for held in going:
                # What is no file has no end.
                with contextlib.suppress(Unreadable):
                    self._write(held)
        except OSError as error:
            return f"What its static pods said last could not be kept in {KEPT}: {error.strerror}."
        return f"What its static pods said last is kept in {KEPT} until kubeadm is run again." if going else ""

    def _write(self, held: Held) -> None:
        part = tail_of_open(held.descriptor, BYTES_EACH)
        folder = str(self._node.path(KEPT))
        path = os.path.join(folder, held.log.name)
        _node_state.make_folder(folder)
        _node_state.replace(path, redact(part.text).encode("utf-8", "replace"))
        # How old it is decides later whether it is of this run.
        if part.written is not None:
            os.utime(path, (part.written, part.written))

    def _work(self) -> None:
        while not self._over.wait(_PAUSE_S):
            self._look(new=True)

    def _stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _look(self, *, new: bool) -> None:
        for log in pod_logs(self._node, STATIC_POD):
            known = self._held.get(log.name)
            if known and self._is_there(known):
                self._held[log.name] = known._replace(log=log)
                continue
            # The kubelet rotates a log that has grown: the name is that of another file then.
            with contextlib.suppress(OSError):
                descriptor = os.open(self._node.path(log.path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                self._let_go(log.name)
                self._held[log.name] = Held(log, descriptor, known.new if known else new)
        for name in surplus(held.log for held in self._held.values()):
            self._let_go(name)

    def _is_there(self, held: Held) -> bool:
        try:
            return os.path.samestat(os.stat(self._node.path(held.log.path)), os.fstat(held.descriptor))
        except OSError:
            return False

    def _let_go(self, name: str) -> None:
        held = self._held.pop(name, None)
        if held:
            os.close(held.descriptor)
