# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""A plan and its findings in sentences, for a person who reads the run: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.cut_off import CutOff
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Finding, Json
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import Hop

CLEARED = "What it left is to be put back, and the lock to be released."


def grouped(findings: Sequence[Mapping[str, object]]) -> list[Json]:
    """Findings that differ in their subject alone become one, with `subjects` in place of `subject`.

    The order is that of the first of each. A key that a finding does not have counts as empty.
    """
    groups: dict[tuple[str, ...], Json] = {}
    for found in findings:
        words = {key: str(found.get(key) or "") for key in ("id", "severity", "evidence", "remedy", "source")}
        subjects = groups.setdefault(tuple(words.values()), {**words, "subjects": []})["subjects"]
        if found.get("subject") and found["subject"] not in subjects:
            subjects.append(found["subject"])
    return list(groups.values())


def nothing_to_do(target: str, nodes: Sequence[Mapping[str, object]], findings: Sequence[Mapping[str, object]]) -> str:
    """The verdict of a plan without anything to do; `nodes` and `findings` are the plan's."""
    outside = {found["subject"] for found in findings if found["id"] == "cluster-node-not-in-inventory"}
    left = [str(node["name"]) for node in nodes if not node.get("done") and f"node/{node['name']}" in outside]
    if left:
        return (
            f"Nothing to do: the inventory's nodes are at {target}. Not at it, and in no inventory: {', '.join(left)}."
        )
    return f"Nothing to do: the cluster is at {target}."


def summary(
    target: str,
    hops: Sequence[Hop],
    findings: Sequence[Finding],
    *,
    needed: bool,
    nodes: Sequence[Mapping[str, object]] = (),
    leftovers: Sequence[str] = (),
    cut_off: CutOff | None = None,
    unfinished: bool = False,
) -> list[str]:
    """One line a hop, then one a kind of finding.

    `leftovers` are nodes with the soft taint of an earlier run, `cut_off` is a
    run that has not given its lock back. With `unfinished` a run that failed
    left its Lease.
    """
    lines = [] if needed else [nothing_to_do(target, nodes, findings)]
    if leftovers and not hops:
        lines.append(f"The soft taint of an earlier run is to be taken off {', '.join(leftovers)}.")
    if cut_off and not hops:
        lines.append(f"{cut_off.told()}. {CLEARED}")
    if unfinished and not hops:
        lines.append("The Lease of a run that did not end the upgrade is to be removed.")
    for hop in hops:
        control_plane = ", ".join(hop["control_plane"]) or "done"
        workers = ", ".join(hop["workers"]) or "none"
        lines.append(f"{hop['from']} to {hop['to']}: control plane {control_plane}; workers {workers}")
    for found in grouped(findings):
        subjects = ", ".join(found["subjects"])
        lines.append(f"{found['severity']} {found['id']} ({subjects}): {found['evidence']}. {found['remedy']}")
    return lines
