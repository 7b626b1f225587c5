# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The nodes that a run went on without, from its journal. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.events import data_of

Json = dict[str, t.Any]


def set_aside(events: Sequence[Json]) -> list[Json]:
    """``{host, node, time, step, message, hint, says, diagnostics, serving}`` of each, in their order."""
    found: dict[str, Json] = {}
    for event in events:
        if event.get("event") != "set_aside" or not event.get("host"):
            continue
        data = data_of(event)
        host = str(event["host"])
        found[host] = {
            "host": host,
            "node": data.get("node") or host,
            "time": event.get("time"),
            "step": data.get("step"),
            "message": data.get("message") or "The journal does not say what failed.",
            "hint": data.get("hint") or "",
            "says": [str(line) for line in data.get("says") or []],
            "diagnostics": data.get("diagnostics") or "",
            "serving": data.get("serving"),
        }
    return list(found.values())
