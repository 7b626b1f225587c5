# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which requests a user made, by the API server's audit log. Pure but for `AuditLog`."""

from __future__ import annotations

import json
import typing as t
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import parse_qs

Json = dict[str, t.Any]


def policy(users: Iterable[str]) -> Json:
    """An audit policy that has every request of `users` in the log, and nobody else's."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "users": sorted(users)}, {"level": "None"}],
    }


def count(events: Iterable[Json], seen: set[str]) -> dict[str, Counter[str]]:
    """For each user how many requests of each kind, such as ``create pods/eviction``, are among `events`.

    A watch is in the log when it begins and when it ends, under one auditID:
    a request counts once. `seen` holds the IDs that were counted before, and
    gets those that are counted now.
    """
    counted: dict[str, Counter[str]] = {}
    for event in events:
        if event["auditID"] in seen:
            continue
        seen.add(event["auditID"])
        counted.setdefault(event["user"]["username"], Counter())[_kind(event)] += 1
    return counted


def unlimited(events: Iterable[Json]) -> list[str]:
    """The addresses of lists that were asked for as a whole: without a limit."""
    found = []
    for event in events:
        address, _mark, query = event["requestURI"].partition("?")
        if event["verb"] == "list" and not parse_qs(query).get("limit"):
            found.append(address)
    return found


def _kind(event: Json) -> str:
    target = event.get("objectRef")
    if not target:
        return f"{event['verb']} {event['requestURI'].partition('?')[0]}"
    name = "/".join(filter(None, (target.get("resource"), target.get("subresource"))))
    return f"{event['verb']} {name}"


class AuditLog:
    """The log that an API server on this machine writes, read piece by piece."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._seen: set[str] = set()

    def take(self) -> dict[str, Counter[str]]:
        """As `count`, of what has been written since the last call."""
        return count(self.events(), self._seen)

    def events(self) -> list[Json]:
        """What has been written since the last call."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]  # the last line may be half written
        self._offset += len(whole)
        return [json.loads(line) for line in whole.splitlines()]
