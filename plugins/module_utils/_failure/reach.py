# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""A host that cannot be reached, as a failure like any other. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping

from ansible_collections.evergreen.kubeadm.plugins.module_utils._redaction import redact

Json = Mapping[str, t.Any]


def failure(host: str, reason: str) -> dict[str, t.Any]:
    """The result of a task whose host could not be reached; not ``unreachable``, for which no rescue runs."""
    said = redact(" ".join(reason.split()))[:1000]
    message = f"{host} could not be reached any more. Whether it serves is not known: look at it first."
    return {"failed": True, "changed": False, "reached": False, "msg": f"{message} {said}".rstrip()}


def unreached(results: Iterable[t.Any]) -> str | None:
    """Why a host could not be reached, by the first of the registered `results` that says so; None where all did."""
    for result in results:
        if not isinstance(result, Mapping):
            continue
        items = result.get("results")
        if isinstance(items, list) and (reason := unreached(items)) is not None:
            return reason
        if result.get("unreachable"):
            return str(result.get("msg") or "")
    return None
