# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""A journal of JSON lines in a file whose room is taken beforehand, so that a full disk does not stop who writes it."""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state

SIZE = 128 * 1024


class Journal:
    """The entries of one journal. Another process may append while this one reads."""

    def __init__(self, path: str) -> None:
        self.path = path

    def create(self) -> None:
        """Make it empty, with its room on the disk. Raises OSError."""
        _node_state.replace(self.path, b"\0" * SIZE)

    def read(self) -> list[dict[str, t.Any]]:
        """The entries; none where there is no journal. One that was cut off by a power loss is left out."""
        return [json.loads(line) for line in self._lines()]

    def append(self, entry: t.Mapping[str, t.Any]) -> None:
        """Write an entry so that a power loss does not take it. Raises OSError."""
        offset = sum(len(line) + 1 for line in self._lines())
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            data = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
            while data:
                written = os.pwrite(descriptor, data, offset)
                data, offset = data[written:], offset + written
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)

    def _lines(self) -> list[bytes]:
        try:
            with open(self.path, "rb") as file:
                content = file.read()
        except FileNotFoundError:
            return []
        found = []
        # The next entry is written over what is left of one that was cut off.
        for line in content.split(b"\n")[:-1]:
            try:
                json.loads(line)
            except ValueError:
                break
            found.append(line)
        return found
