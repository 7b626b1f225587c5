# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Reads one source after the other, takes the secrets out, and keeps to the limits of time and room."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.reading import Unreadable
from ansible_collections.evergreen.kubeadm.plugins.module_utils._redaction import redact

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.sources import Source


@dataclass(frozen=True)
class Gathered:
    """What one source gave; `error` says why it gave nothing."""

    name: str
    text: str = ""
    left_out: int = 0
    error: str = ""
    written: float | None = None

    def as_dict(self) -> dict[str, t.Any]:
        return {
            "name": self.name,
            "bytes": len(self.text.encode("utf-8", "replace")),
            "left_out": self.left_out,
            "error": self.error,
        }


def gather(sources: t.Sequence[Source], *, most_each: int, most_all: int, deadline: Deadline) -> list[Gathered]:
    """Every source, in its order; none of them can make another fail."""
    found: list[Gathered] = []
    room = most_all
    for source in sources:
        if deadline.expired():
            found.append(Gathered(source.name, error=f"left out: the time of {deadline.seconds:g} s was used up"))
            continue
        most = min(most_each, room)
        if most <= 0:
            found.append(Gathered(source.name, error="left out: the room for all files was used up"))
            continue
        made = _one(source, most, deadline)
        room -= len(made.text.encode("utf-8", "replace"))
        found.append(made)
    return found


def _one(source: Source, most: int, deadline: Deadline) -> Gathered:
    try:
        part = source.read(most, deadline)
    except Unreadable as error:
        return Gathered(source.name, error=redact(str(error)))
    except Exception as error:  # a source of which nobody thought must not cost the others
        return Gathered(source.name, error=redact(f"{type(error).__name__}: {error}"))
    text = redact(part.text)
    if len(text) > most:
        text = text[-most:].partition("\n")[2]
    return Gathered(source.name, text, part.left_out, written=part.written)
