# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Whether PodDisruptionBudgets will let a drain go on, judged before the first eviction.

The rules are those of the eviction subresource
(kubernetes/kubernetes, pkg/registry/core/pod/storage/eviction.go).
"""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import (
    Json,
    PodRecord,
    is_finished,
    is_ready,
    is_terminating,
    key_of,
    matches,
    phase_of,
)

if t.TYPE_CHECKING:
    from collections.abc import Sequence

FREE, WILL_WAIT, NEVER = "free", "will_wait", "can_never_succeed"


def selects(budget: Json, pod: Json) -> bool:
    return budget["metadata"]["namespace"] == pod["metadata"]["namespace"] and matches(
        (budget.get("spec") or {}).get("selector"), pod["metadata"].get("labels") or {}
    )


def is_counted(pod: Json) -> bool:
    """Whether budgets are asked at all for this pod."""
    return not (is_finished(pod) or is_terminating(pod) or phase_of(pod) == "Pending")


def needs_disruption(budget: Json, pod: Json) -> bool:
    """Whether evicting the pod takes one of the budget's allowed disruptions."""
    if is_ready(pod):
        return True
    policy = (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") or "IfHealthyBudget"
    if policy == "AlwaysAllow":
        return False
    status = budget.get("status") or {}
    desired = status.get("desiredHealthy") or 0
    return not (desired > 0 and (status.get("currentHealthy") or 0) >= desired)


def analyse(budgets: Sequence[Json], records: Sequence[PodRecord]) -> list[Json]:
    """One entry for each budget that has a say in evicting `records`.

    ``{namespace, name, verdict, reason, pods, disruptions_allowed, current_healthy,
    desired_healthy, expected_pods}``; `verdict` is ``free``, ``will_wait`` or
    ``can_never_succeed``; `pods` are the names of those to be evicted.
    """
    concerned = [record.pod for record in records if record.decision == "evict" and is_counted(record.pod)]
    by_pod = {key_of(pod): [budget for budget in budgets if selects(budget, pod)] for pod in concerned}
    entries = []
    for budget in budgets:
        pods = [pod for pod in concerned if selects(budget, pod)]
        if not pods:
            continue
        shared = [pod for pod in pods if len(by_pod[key_of(pod)]) > 1]
        if shared:
            names = sorted(each["metadata"]["name"] for each in by_pod[key_of(shared[0])])
            verdict = NEVER
            reason = (
                f"pod {shared[0]['metadata']['name']} has the budgets {' and '.join(names)}; "
                "the eviction API refuses pods with more than one"
            )
        else:
            verdict, reason = judge(budget, sum(needs_disruption(budget, pod) for pod in pods))
        status = budget.get("status") or {}
        entries.append(
            {
                "namespace": budget["metadata"]["namespace"],
                "name": budget["metadata"]["name"],
                "verdict": verdict,
                "reason": reason,
                "pods": sorted(pod["metadata"]["name"] for pod in pods),
                "disruptions_allowed": status.get("disruptionsAllowed", 0),
                "current_healthy": status.get("currentHealthy", 0),
                "desired_healthy": status.get("desiredHealthy", 0),
                "expected_pods": status.get("expectedPods", 0),
            }
        )
    return entries


def judge(budget: Json, needed: int) -> tuple[str, str]:
    """Verdict and reason for `needed` disruptions of one budget."""
    spec, status = budget.get("spec") or {}, budget.get("status") or {}
    allowed, healthy = status.get("disruptionsAllowed") or 0, status.get("currentHealthy") or 0
    desired, expected = status.get("desiredHealthy") or 0, status.get("expectedPods") or 0
    if needed == 0:
        return FREE, "evicting pods that are not Ready takes nothing from the budget"
    if (status.get("observedGeneration") or 0) < (budget["metadata"].get("generation") or 0):
        return WILL_WAIT, "the budget was changed and its status is not computed yet"
    failed = _sync_failure(status)
    if failed:
        return NEVER, f"the controller cannot compute the budget: {failed}"
    if allowed >= needed:
        return FREE, f"{allowed} disruptions are allowed, {needed} needed"
    if allowed > 0:
        return WILL_WAIT, f"{allowed} of {needed} needed disruptions are allowed at a time"
    if str(spec.get("maxUnavailable", "")) in ("0", "0%"):
        return NEVER, f"maxUnavailable is {spec['maxUnavailable']}"
    if expected > 0 and desired >= expected:
        return NEVER, f"{desired} pods must be healthy and only {expected} are expected to exist"
    return WILL_WAIT, f"{healthy} pods are healthy and {desired} must stay so"


def _sync_failure(status: Json) -> str | None:
    for condition in status.get("conditions") or []:
        if condition.get("type") == "DisruptionAllowed" and condition.get("reason") == "SyncFailed":
            return str(condition.get("message") or "SyncFailed")
    return None


def stuck(entries: Sequence[Json]) -> tuple[str, str] | None:
    """Message and hint that name every budget that can never let go; None where none is so."""
    found = [entry for entry in entries if entry["verdict"] == NEVER]
    if not found:
        return None
    named = "; ".join(
        f"{entry['namespace']}/{entry['name']} for {', '.join(entry['pods'])} ({entry['reason']})" for entry in found
    )
    return (
        f"Budgets can never let these pods be evicted, so nothing was evicted: {named}.",
        "Scale the workload up or change its budget; wait_for_stuck_budgets in delete_options waits for that instead.",
    )
