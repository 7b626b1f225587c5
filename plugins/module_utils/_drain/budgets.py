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
    phase_of,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.selectors import from_object, meets

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FREE, WILL_WAIT, NEVER = "free", "will_wait", "can_never_succeed"
# What usually moves a budget that lets no pod go by its numbers.
OPERATORS_WAY = (
    "An operator that looks after these pods usually sees the cordon, and then moves them, their labels or the budget; "
    "its log says why it has not."
)
IF_HEALTHY, ALWAYS = "IfHealthyBudget", "AlwaysAllow"


def selects(budget: Json, pod: Json) -> bool:
    return budget["metadata"]["namespace"] == pod["metadata"]["namespace"] and meets(
        from_object((budget.get("spec") or {}).get("selector")), pod["metadata"].get("labels") or {}
    )


def is_counted(pod: Json) -> bool:
    """Whether budgets are asked at all for this pod."""
    return not (is_finished(pod) or is_terminating(pod) or phase_of(pod) == "Pending")


def needs_disruption(budget: Json, pod: Json) -> bool:
    """Whether evicting the pod takes one of the budget's allowed disruptions."""
    if is_ready(pod):
        return True
    if policy_of(budget) == ALWAYS:
        return False
    status = budget.get("status") or {}
    desired = status.get("desiredHealthy") or 0
    return not (desired > 0 and (status.get("currentHealthy") or 0) >= desired)


def key_of_budget(budget: Json) -> tuple[str, str]:
    """Namespace and name."""
    return budget["metadata"]["namespace"], budget["metadata"]["name"]


def gate_of(pod: Json, budgets: Iterable[Json]) -> Json | None:
    """The one budget that selects the pod; None where none does, or several, behind which no pace is any use."""
    own = [budget for budget in budgets if selects(budget, pod)]
    return own[0] if len(own) == 1 else None


def analyse(budgets: Sequence[Json], records: Sequence[PodRecord]) -> list[Json]:
    """One entry for each budget that has a say in evicting `records`.

    ``{namespace, name, verdict, reason, advice, pods, unhealthy_pods, unhealthy_pod_eviction_policy,
    disruptions_allowed, current_healthy, desired_healthy, expected_pods}``; `verdict` is ``free``,
    ``will_wait`` or ``can_never_succeed``; `pods` are the names of those to be evicted, `unhealthy_pods`
    the ones among them that are not Ready; `advice` says what helps, and is empty where nothing is to be done.
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
            found = Judgement(
                NEVER,
                f"pod {shared[0]['metadata']['name']} has the budgets {' and '.join(names)}; "
                "the eviction API refuses pods with more than one",
                "Change the selectors so that one budget selects each pod.",
            )
        else:
            found = judge(budget, pods)
        status = budget.get("status") or {}
        entries.append(
            {
                "namespace": budget["metadata"]["namespace"],
                "name": budget["metadata"]["name"],
                **found._asdict(),
                "pods": sorted(pod["metadata"]["name"] for pod in pods),
                "unhealthy_pods": _names(pod for pod in pods if not is_ready(pod)),
                "unhealthy_pod_eviction_policy": policy_of(budget),
                "disruptions_allowed": status.get("disruptionsAllowed", 0),
                "current_healthy": status.get("currentHealthy", 0),
                "desired_healthy": status.get("desiredHealthy", 0),
                "expected_pods": status.get("expectedPods", 0),
            }
        )
    return entries


class Judgement(t.NamedTuple):
    """What a budget will do to a drain, why, and what helps."""

    verdict: str
    reason: str
    advice: str = ""


def judge(budget: Json, pods: Sequence[Json]) -> Judgement:
    """The judgement of one budget, where `pods` are to be evicted that have no other."""
    status = budget.get("status") or {}
    needed = sum(needs_disruption(budget, pod) for pod in pods)
    allowed = status.get("disruptionsAllowed") or 0
    if needed == 0:
        return Judgement(FREE, "evicting pods that are not Ready takes nothing from the budget")
    stuck = allows_none(budget)
    if stuck:
        return stuck
    if _is_stale(budget):
        return Judgement(WILL_WAIT, "the budget was changed and its status is not computed yet")
    if allowed >= needed:
        return Judgement(FREE, f"{allowed} disruptions are allowed, {needed} needed")
    if allowed > 0:
        return Judgement(WILL_WAIT, f"{allowed} of {needed} needed disruptions are allowed at a time")
    return _held_by_health(budget, pods)


def allows_none(budget: Json) -> Judgement | None:
    """Why the budget lets no pod go by its numbers, however long one waits; None where it may.

    Somebody may change it all the same: operators of databases and storage do, once the node of a pod is cordoned.
    """
    spec, status = budget.get("spec") or {}, budget.get("status") or {}
    failed = _sync_failure(status)
    # Such a budget is never observed, so this comes before the question whether its status is old.
    if failed:
        return Judgement(
            NEVER,
            f"the controller cannot compute the budget: {failed}",
            "Let it select only pods of controllers that can be scaled, or give minAvailable as a number.",
        )
    if _is_stale(budget) or (status.get("disruptionsAllowed") or 0) > 0:
        return None
    if str(spec.get("maxUnavailable", "")) in ("0", "0%"):
        return Judgement(
            NEVER, f"maxUnavailable is {spec['maxUnavailable']}", "Raise maxUnavailable for the time of the drain."
        )
    desired, expected = status.get("desiredHealthy") or 0, status.get("expectedPods") or 0
    if not 0 < expected <= desired:
        return None
    alone = " With surge_singletons a Deployment of one replica is moved without an eviction." * (expected == 1)
    return Judgement(
        NEVER,
        f"{desired} pods must be healthy and only {expected} are expected to exist",
        f"Run one replica more, or lower minAvailable for the time of the drain.{alone}",
    )


def _is_stale(budget: Json) -> bool:
    """Whether its status was computed of an older spec."""
    return ((budget.get("status") or {}).get("observedGeneration") or 0) < (budget["metadata"].get("generation") or 0)


def _held_by_health(budget: Json, pods: Sequence[Json]) -> Judgement:
    """A budget that would allow something if more pods were healthy."""
    status = budget.get("status") or {}
    healthy, desired, expected = (
        status.get(name) or 0 for name in ("currentHealthy", "desiredHealthy", "expectedPods")
    )
    reason = f"{healthy} of {expected} expected pods are healthy and {desired} must stay so"
    advice = f"Mend the {expected - healthy} pods that are not healthy." if healthy < expected else ""
    unready = _names(pod for pod in pods if not is_ready(pod))
    if unready and policy_of(budget) == IF_HEALTHY:
        advice += (
            f" With unhealthyPodEvictionPolicy: {ALWAYS} the budget lets those of them go "
            f"that are here: {', '.join(unready)}."
        )
    return Judgement(WILL_WAIT, reason, advice.strip())


def policy_of(budget: Json) -> str:
    """``spec.unhealthyPodEvictionPolicy``, or the default that the API server acts on."""
    return str((budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") or IF_HEALTHY)


def _names(pods: Iterable[Json]) -> list[str]:
    return sorted(pod["metadata"]["name"] for pod in pods)


def _sync_failure(status: Json) -> str | None:
    for condition in status.get("conditions") or []:
        if condition.get("type") == "DisruptionAllowed" and condition.get("reason") == "SyncFailed":
            return str(condition.get("message") or "SyncFailed")
    return None


def stuck(entries: Sequence[Json]) -> tuple[str, str] | None:
    """Which budgets let none of their pods go, and what helps; None where none is so."""
    found = [entry for entry in entries if entry["verdict"] == NEVER]
    if not found:
        return None
    named = "; ".join(
        f"{entry['namespace']}/{entry['name']} for {', '.join(entry['pods'])} ({entry['reason']})" for entry in found
    )
    advice = " ".join(dict.fromkeys(entry["advice"] for entry in found if entry["advice"]))
    return (
        f"These budgets let no pod go as they are: {named}.",
        f"{OPERATORS_WAY} Where there is no operator: {advice}".rstrip(),
    )
