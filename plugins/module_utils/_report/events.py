# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Readers of the journal's events that the parts of a report share. Pure, and tolerant of what is not there."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.evergreen.kubeadm.plugins.module_utils._loose_data import dict_of

Json = dict[str, t.Any]


def data_of(event: Json | None) -> Json:
    return dict_of((event or {}).get("data"))


def count(value: object) -> int | None:
    """A number of things; a template may have made a text of it."""
    text = str(value)
    return int(text) if text.isdigit() else None


def node_of_host(host: str, known: Mapping[str, Json]) -> str:
    """The name of the node that the inventory calls `host`: as the plan says, the same, or the only one with its
    first label (``cp1`` and ``cp1.example.org``); `host` itself where there is none.
    """
    for name, node in known.items():
        if node.get("host") == host:
            return name
    if host in known:
        return host
    alike = [name for name in known if name.split(".")[0] == host.split(".", maxsplit=1)[0]]
    return alike[0] if len(alike) == 1 else host
