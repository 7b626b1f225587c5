# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The soft taint of nodes that are yet to be upgraded: whose it is, and the patches that put it on and take it off."""

from __future__ import annotations

import typing as t
from collections.abc import Collection

Json = dict[str, t.Any]

KEY = "evergreen.kubeadm/outdated"
# The scheduler takes another node where one fits. Nothing is evicted, and nothing is kept from being scheduled.
EFFECT = "PreferNoSchedule"

ADDED, UPDATED, REMOVED = "added", "updated", "removed"


def is_ours(taint: Json) -> bool:
    """A taint is known by its key and effect: a node has no two with both the same."""
    return taint.get("key") == KEY and taint.get("effect") == EFFECT


def run_of(node: Json) -> str | None:
    """The run that put the taint on, empty where it gave no name; None without the taint."""
    for taint in taints_of(node):
        if is_ours(taint):
            return str(taint.get("value") or "")
    return None


def taints_of(node: Json) -> list[Json]:
    return list((node.get("spec") or {}).get("taints") or [])


def is_wanted(node: Json, state: str, names: Collection[str] | None, run: str, *, exclusive: bool) -> bool | None:
    """Whether `node` is to have the taint; None where it is to stay as it is.

    `names` of None are all nodes. With `exclusive` and the state `present` no
    other node is to have it. With `run` and the state `absent` only the taints
    of that run go.
    """
    named = names is None or node["metadata"]["name"] in names
    if state == "present":
        return True if named else False if exclusive else None
    return False if named and (not run or run_of(node) == run) else None


def action_for(node: Json, wanted: bool | None, run: str) -> str | None:
    """``added``, ``updated`` (it named another run) or ``removed``; None where nothing is to be done."""
    present = run_of(node)
    if wanted is None or (present == run if wanted else present is None):
        return None
    if not wanted:
        return REMOVED
    return ADDED if present is None else UPDATED


def taints_after(node: Json, action: str, run: str) -> list[Json]:
    """The taints of `node` after `action`: ours at the end, all others as they are and where they are."""
    others = [taint for taint in taints_of(node) if not is_ours(taint)]
    if action == REMOVED:
        return others
    return [*others, {"key": KEY, "effect": EFFECT, **({"value": run} if run else {})}]


def patch_for(node: Json, action: str, run: str) -> Json:
    """The merge patch for `action`.

    It replaces the whole list of taints, so the resourceVersion makes it fail
    where somebody else changed the Node since it was read.
    """
    return {
        "metadata": {"resourceVersion": node["metadata"]["resourceVersion"]},
        "spec": {"taints": taints_after(node, action, run) or None},
    }


def words(taints: list[Json]) -> list[str]:
    """``key=value:effect`` of each, as kubectl writes them."""
    return [
        f"{taint.get('key')}{'=' + str(taint['value']) if taint.get('value') else ''}:{taint.get('effect')}"
        for taint in taints
    ]
