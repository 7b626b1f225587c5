# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What a node remembers of a restore, so that the next run knows how far it came."""

from __future__ import annotations

import fcntl
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline, utc_now
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import EtcdError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._restore.model import STEPS, Note

NAME = "restore.json"
_LOCK = "restore.lock"
_POLL_S = 0.2


class Locked:
    """Keeps other tasks of a restore away from this node until its end.

    A run whose controller was killed leaves a task that goes on for a while.
    Raises EtcdError where that does not end before the deadline.
    """

    def __init__(self, folder: str, deadline: Deadline) -> None:
        self._folder = folder
        self._deadline = deadline
        self._file: t.IO[str] | None = None

    def __enter__(self) -> Locked:
        path = f"{self._folder}/{_LOCK}"
        try:
            _node_state.make_folder(self._folder)
            self._file = open(path, "w", encoding="utf-8")
        except OSError as error:
            raise EtcdError(f"{path} could not be made: {error.strerror}.", hint="Run this as root.") from None
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return self
            except OSError:
                if self._deadline.expired():
                    self._file.close()
                    raise EtcdError(
                        f"Another task of a restore still runs on this node after {self._deadline.seconds:g} s.",
                        hint="Wait for it to end, then run this again.",
                    ) from None
            self._deadline.sleep(_POLL_S)

    def __exit__(self, *unused: object) -> None:
        if self._file:
            self._file.close()


def read(folder: str) -> Note:
    """The note in `folder`; empty where there is none. Raises EtcdError where it is not one."""
    path = f"{folder}/{NAME}"
    try:
        found = _node_state.read_json(path)
    except (OSError, ValueError) as error:
        raise EtcdError(
            f"The note of an earlier restore, {path}, could not be read: {error}.",
            hint="Look at it; it says how far that restore came.",
        ) from None
    if found and (found.get("step") not in STEPS or not found.get("token")):
        raise EtcdError(f"{path} is not the note of a restore that this version knows.")
    return t.cast("Note", found)


def write(folder: str, note: Note) -> Note:
    """Replace the note in one step; return it as it was written."""
    now = utc_now()
    written = Note(**{**note, "updated": now})
    try:
        _node_state.write_json(f"{folder}/{NAME}", written)
    except OSError as error:
        raise EtcdError(f"{folder}/{NAME} could not be written: {error.strerror}.") from None
    return written


def reached(note: Note, token: str, step: str) -> bool:
    """Whether the restore `token` has come to `step` on this node."""
    return note.get("token") == token and STEPS.index(note.get("step", "")) >= STEPS.index(step)
