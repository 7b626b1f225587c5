# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What of a plan is shown to people, in the words that the terminal and the page have in common. Pure."""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Mapping, Sequence

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER, SEVERITIES
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.summary import nothing_to_do

Json = dict[str, t.Any]

HOP_HEADINGS = ("hop", "control plane", "workers", "etcd")
POOL_HEADINGS = ("pool", "nodes", "drains", "pods", "moves", "expected")
BUDGET_HEADINGS = ("budget", "pods", "why")
SINGLETON_HEADINGS = ("pod", "of", "node", "down for about")
TIME_HEADINGS = ("step", "node", "times", "seconds each", "from")

_STATES = {"never": "never lets go", "waits": "lets none go now", "in_turn": "in turns"}
_KINDS = {"first_control_plane": "first control plane", "control_plane": "control plane", "worker": "worker"}


def title(plan: Mapping[str, t.Any]) -> str:
    current, target = plan.get("current") or "unknown", plan.get("target")
    if not plan.get("upgrade_needed"):
        return f"{target}: nothing to do"
    return f"{target}: nothing to upgrade" if _only_left_behind(plan) else f"{current} to {target}"


def verdict(plan: Mapping[str, t.Any]) -> str:
    """The last sentence: whether an upgrade could start."""
    blockers = int(plan.get("blockers") or 0)
    if blockers:
        ids = sorted({each["id"] for each in plan.get("findings") or [] if each["severity"] == BLOCKER})
        return f"{counted(blockers, 'blocker')} in the way of {plan.get('target')}: {some(ids, 10)}."
    if not plan.get("upgrade_needed"):
        return nothing_to_do(str(plan.get("target")), plan.get("nodes") or [], plan.get("findings") or [])
    if _only_left_behind(plan):
        return (
            f"Nothing is to be upgraded: the cluster is at {plan.get('target')}. What an earlier run left "
            f"({', '.join(_left_by(plan))}) is to be put back."
        )
    return f"Nothing stands in the way of {plan.get('target')}."


def _only_left_behind(plan: Mapping[str, t.Any]) -> bool:
    """Whether all that is to be done is to put back what earlier runs left."""
    return not plan.get("blockers") and not plan.get("hops") and bool(_left_by(plan))


def _left_by(plan: Mapping[str, t.Any]) -> list[str]:
    """The runs whose lock or soft taints are still there."""
    runs = {node.get("tainted_by") for node in plan.get("nodes") or []} | {(plan.get("cut_off") or {}).get("run_id")}
    return sorted(run for run in runs if run)


def found_counts(plan: Mapping[str, t.Any]) -> str:
    """``1 blocker, 2 warnings, 3 notes``."""
    counts = Counter(each["severity"] for each in plan.get("findings") or [])
    told = [counted(counts[severity], severity) for severity in SEVERITIES if counts[severity]]
    accepted = len(plan.get("accepted") or [])
    return ", ".join([*told, *([f"{accepted} accepted"] if accepted else [])]) or "none"


def hop_rows(plan: Mapping[str, t.Any], names: int) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for hop in plan.get("hops") or []:
        etcd = hop.get("etcd") or {}
        minors = [minor for minor in (etcd.get("from_minor"), etcd.get("to_minor")) if minor]
        tag = hop.get("etcd_image_tag")
        rows.append(
            (
                steps_of(hop),
                some(hop["control_plane"], names) or "done",
                some(hop["workers"], names) or "none",
                (" to ".join(dict.fromkeys(minors)) or "-") + (f" ({tag})" if tag else ""),
            )
        )
    return rows


def steps_of(hop: Mapping[str, t.Any]) -> str:
    """``1.34.4 to 1.35.4``; a hop of etcd alone stays at its version, and so does one that ends another."""
    if hop["from"] != hop["to"]:
        return f"{hop['from']} to {hop['to']}" + (", to be taken back or finalized" if hop.get("rollback_safe") else "")
    rest = not hop.get("etcd_image_tag") and (hop.get("kubelets") or hop.get("workers"))
    return f"{hop['to']}, what is left of it" if rest else f"{hop['to']}, etcd alone"


def cost_lines(cost: Mapping[str, t.Any]) -> list[str]:
    """The cost in sentences."""
    time = cost["time"]
    runs = counted(time["runs"], "earlier run")
    basis = {0.0: "all of it guessed, as no earlier run was measured", 1.0: f"measured in {runs}"}.get(
        time["measured_share"], f"{time['measured_share']:.0%} of it measured in {runs}, the rest guessed"
    )
    moves = "no pod moves"
    if cost["pods"]:
        moves = (
            f"{counted(cost['pods'], 'pod')} to move, {counted(cost['moves'], 'time')} at the least, "
            f"about {cost['expected_moves']:,.0f} expected"
        )
    in_place = cost.get("in_place") or 0
    kept = f"{counted(in_place, 'kubelet')} replaced with the pods on the node, " if in_place else ""
    return [
        f"{counted(cost['drains'], 'drain')}, {kept}{moves}.",
        f"About {duration(time['seconds'])} with one node after the other; {basis}.",
    ]


def pool_rows(cost: Mapping[str, t.Any]) -> list[tuple[str, ...]]:
    return [
        (
            pool["name"],
            *(str(pool[key]) for key in ("nodes", "drains", "pods", "moves")),
            f"{pool['expected_moves']:.0f}",
        )
        for pool in cost["pools"]
    ]


def budget_rows(cost: Mapping[str, t.Any], limit: int) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        (each["budget"], str(each["pods"]), f"{_STATES[each['state']]}: {each['why']}")
        for each in cost["budgets"][:limit]
    ]
    return _with_rest(rows, len(cost["budgets"]))


def singleton_rows(cost: Mapping[str, t.Any], limit: int) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for each in cost["singletons"][:limit]:
        grace = f", and up to {duration(each['grace_s'])} to stop" if each["grace_s"] else ""
        # Conditions have whole seconds, and no pod moves in none.
        down = "not known" if each["down_s"] is None else duration(max(1.0, each["down_s"]))
        times = f", {each['times']} times" if each["times"] > 1 else ""
        told = f"{down}{grace}{times}" if each["comes_back"] else "for good: nothing makes it anew"
        rows.append((each["pod"], each["owner"] or "-", each["node"], told))
    return _with_rest(rows, len(cost["singletons"]))


def time_rows(cost: Mapping[str, t.Any]) -> list[tuple[str, ...]]:
    return [
        (
            part["step"],
            _KINDS[part["kind"]],
            str(part["count"]),
            f"{part['seconds_each']:g}",
            f"{counted(part['samples'], 'measurement')}" if part["source"] == "measured" else "guess",
        )
        for part in cost["time"]["parts"]
    ]


def counted(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def some(names: Sequence[str], limit: int) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3 h 20 min``: as exact as such figures are."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def _with_rest(rows: list[tuple[str, ...]], total: int) -> list[tuple[str, ...]]:
    left = total - len(rows)
    if left > 0:
        rows.append((f"and {left} more", *[""] * (len(rows[0]) - 1)))
    return rows
