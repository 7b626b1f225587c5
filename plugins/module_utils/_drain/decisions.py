# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Which pods a drain removes, which it leaves, and which forbid it."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.groups import SKIP, WAIT_COMPLETED, treatment
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import (
    Json,
    Options,
    PodRecord,
    controller_of,
    daemon_set_of,
    has_empty_dir,
    is_finished,
    is_mirror,
    is_terminating,
    phase_of,
    scheduled_at,
    tolerates_cordon,
    workload_of,
)

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence


DECISIONS = ("evict", "surge", "wait", "wait_completed", "skip", "returns", "refuse")
COUNTED_OUTCOMES = ("gone", "completed", "abandoned", "failed")
# A workload that came back so often is not evicted any more.
RETURNS = 2


def classify(
    pod: Json, node: str, options: Options, daemon_sets: Collection[tuple[str, str]], *, after_cordon: bool = False
) -> PodRecord:
    """The record of one pod, with the decision about it.

    What concerns pods in general comes first, then what its label or a rule
    asks for, then what forbids its removal: a pod that the drain leaves alone
    or that ends by itself cannot forbid it.

    The filters and their order are those of kubectl (kubernetes/kubectl,
    pkg/drain/filters.go): DaemonSet, mirror, local storage, unreplicated.
    Two departures. All refusals and warnings of a pod are kept, where kubectl
    keeps the last. A pod that is terminating already is waited for and never
    refused: whatever its removal costs has been decided by somebody else, and
    a drain that is run again must not stop at what its first run removed.

    `daemon_sets` are the (namespace, name) of those that exist. `after_cordon` says that the pod came after the
    cordon: where it tolerates that, its eviction would only bring the next one.
    """
    record = PodRecord(pod=pod, node=node, decision="evict")
    finished = is_finished(pod)
    daemon_set = daemon_set_of(pod)
    if daemon_set and not finished:
        if daemon_set in daemon_sets:
            record.decision = "skip" if options.ignore_daemonsets else "refuse"
            record.reasons.append(f"managed by DaemonSet {daemon_set[1]}, which would recreate it on the node")
        elif options.force:
            record.warnings.append(f"its DaemonSet {daemon_set[1]} does not exist; nothing will recreate it")
        else:
            record.decision = "refuse"
            record.reasons.append(f"its DaemonSet {daemon_set[1]} does not exist, so nothing would recreate it")
    if is_mirror(pod) and record.decision != "skip":
        record.decision, record.reasons = "skip", ["a static pod, which only the kubelet can stop"]
    if record.decision == "skip":
        return record
    asked = treatment(pod, options.rules, by_priority=options.by_priority)
    record.group = asked.group
    if asked.warning:
        record.warnings.append(asked.warning)
    if asked.behaviour == SKIP:
        record.decision, record.reasons = "skip", [asked.reason]
        return record
    if is_terminating(pod):
        return _terminating(record, options)
    if asked.behaviour == WAIT_COMPLETED:
        record.decision, record.reasons = "wait_completed", [asked.reason]
        if finished:
            record.outcome = "completed"
        return record
    if daemon_set in daemon_sets and not finished:
        # Only ignore_daemonsets decides about it: it stays then, and loses nothing.
        return record
    if after_cordon and not finished and tolerates_cordon(pod):
        _leave(record, "it came after the cordon, whose taint it tolerates")
        return record
    if not finished and has_empty_dir(pod):
        if options.delete_emptydir_data:
            record.warnings.append("the data of its emptyDir volumes is lost")
        else:
            record.decision = "refuse"
            record.reasons.append("it has emptyDir volumes, whose data would be lost")
    if not finished and controller_of(pod) is None:
        if options.force:
            record.warnings.append("no controller will recreate it")
        else:
            record.decision = "refuse"
            record.reasons.append("no controller would recreate it")
    if record.decision == "evict":
        record.reasons.append(f"finished ({phase_of(pod)})" if finished else "movable")
        late = outlasts(pod, options)
        if late and not finished:
            record.warnings.append(late)
    return record


def came_after(pod: Json, since: str) -> bool:
    """Whether it came to its node after a cordon of ours, in seconds of the API server; empty is no such cordon.

    In the same second counts: what was there has been evicted by the drain that cordoned.
    """
    return bool(since) and scheduled_at(pod) >= since


def outlasts(pod: Json, options: Options) -> str:
    """Why a pod may still be stopping when the drain's time is over; empty where its grace period is shorter."""
    own = (pod.get("spec") or {}).get("terminationGracePeriodSeconds") or 0
    grace = own if options.grace is None else options.grace
    if not options.wait_timeout or grace <= options.wait_timeout:
        return ""
    return f"it has {grace} s to stop, and the drain ends after {options.wait_timeout} s"


Workload = tuple[str, str, str]
"""Node, namespace, and kind and name of what keeps a pod."""


def count_returns(late: Sequence[PodRecord], before: Mapping[Workload, int]) -> dict[Workload, int]:
    """How often pods of each workload came to a node whose pods were evicted already, those of this look included.

    `late` are the pods that a look after an eviction found. One that was on its way when the node was cordoned is
    evicted. Of a workload that came back for the second time no pod is: its controller puts them there.
    """
    moved = {id(record): _workload(record) for record in late if record.decision == "evict"}
    counts = {**before, **{key: before.get(key, 0) + 1 for key in moved.values()}}
    for record in late:
        times = counts.get(moved.get(id(record), ("", "", "")), 0)
        if times >= RETURNS:
            _leave(record, f"its workload came back {times} times although the node is cordoned")
    return counts


def _workload(record: PodRecord) -> Workload:
    """Pods without a controller count together: who makes one of them again does so by another name."""
    kind, namespace, name = workload_of(record.pod) or ("", record.pod["metadata"]["namespace"], "")
    return record.node, namespace, f"{kind} {name}"


def _leave(record: PodRecord, reason: str) -> None:
    """Leave the pod on the cordoned node, as that of a DaemonSet is left."""
    record.decision, record.reasons = "returns", [reason]
    kind, namespace, name = workload_of(record.pod) or ("", "", "")
    owner = f"of {kind} {namespace}/{name}" if kind else "without a controller"
    record.warnings = [f"left on the cordoned node, {owner}: {reason}"]


def _terminating(record: PodRecord, options: Options) -> PodRecord:
    """Wait for it; remove it again only where that shortens its grace period."""
    own = record.pod["metadata"].get("deletionGracePeriodSeconds")
    record.decision, record.reasons = "wait", ["terminating already"]
    if options.grace is not None and own is not None and options.grace < own:
        record.decision, record.reasons = "evict", [f"terminating with {own} s of grace, {options.grace} s are wanted"]
    return record


# Which option lets a refused pod go, by the beginning of its reason.
_WAYS_OUT = (
    ("managed by DaemonSet", "ignore_daemonsets"),
    ("its DaemonSet", "force"),
    ("it has emptyDir", "delete_emptydir_data"),
    ("no controller", "force"),
)


def ways_out(record: PodRecord) -> set[str]:
    """The options that a pod is refused for the want of."""
    if record.decision != "refuse":
        return set()
    return {option for way, option in _WAYS_OUT for reason in record.reasons if reason.startswith(way)}


def refusal(records: Iterable[PodRecord], *, late: bool = False) -> tuple[str, str] | None:
    """Message and hint that name every pod that forbids the drain; None where none does.

    `late` says that pods have been evicted already.
    """
    refused = [record for record in records if record.decision == "refuse"]
    if not refused:
        return None
    named = "; ".join(f"{record.key} on {record.node} ({', '.join(record.reasons)})" for record in refused)
    count = "1 pod" if len(refused) == 1 else f"{len(refused)} pods"
    options = sorted({option for record in refused for option in ways_out(record)})
    consequence = "and came while others were evicted" if late else "so nothing was evicted"
    return (
        f"{count} may not be removed, {consequence}: {named}.",
        f"Move or delete them, or set in delete_options, where their loss is fine: {', '.join(options)}.",
    )


def why_left(record: PodRecord, *, node_ready: bool) -> str:
    """Why a pod is still there at the deadline."""
    metadata = record.pod["metadata"]
    if record.outcome == "failed" and record.blocked_by:
        return str(record.blocked_by["message"]).rstrip(".")
    if is_terminating(record.pod) or record.outcome == "evicted":
        parts = ["terminating"]
        if metadata.get("deletionTimestamp"):
            parts.append(f"should be gone since {metadata['deletionTimestamp']}")
        if metadata.get("deletionGracePeriodSeconds"):
            parts.append(f"has {metadata['deletionGracePeriodSeconds']} s to stop")
        if metadata.get("finalizers"):
            parts.append(f"held by the finalizers {', '.join(metadata['finalizers'])}")
        if not node_ready:
            parts.append("its node is not Ready, so no kubelet confirms that it stopped")
        return ", ".join(parts)
    if record.blocked_by:
        return str(record.blocked_by["message"])
    if record.decision == "wait_completed":
        return f"not completed yet ({phase_of(record.pod)})"
    if record.decision == "surge":
        return "its Deployment is not moved yet"
    return "not evicted yet"


def left_over(records: Sequence[PodRecord], *, node_ready: bool) -> list[Json]:
    """The pods that should be gone and are not, each with why: ``[{node, namespace, name, reason}]``."""
    return [
        {
            "node": record.node,
            "namespace": record.pod["metadata"]["namespace"],
            "name": record.pod["metadata"]["name"],
            "reason": why_left(record, node_ready=node_ready),
        }
        for record in records
        if record.leaves and not record.is_over
    ]


def totals(records: Sequence[PodRecord]) -> dict[str, int]:
    """Counts by decision and by outcome."""
    decided = {name: sum(record.decision == name for record in records) for name in DECISIONS}
    return {
        "pods": len(records),
        **decided,
        "evicted": sum(record.evicted_at is not None for record in records),
        **{name: sum(record.outcome == name for record in records) for name in COUNTED_OUTCOMES},
        "attempts": sum(record.attempts for record in records),
    }
