# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Findings on budgets, webhooks and APIs, which stop drains and API servers: pure."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.folding import some
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    BLOCKER,
    NOTE,
    WARNING,
    Cluster,
    Finding,
    Json,
    Request,
    Webhook,
    finding,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import Plan, drained_by
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

POLICY_SOURCE = "https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/"
WEBHOOK_PRACTICE = "https://kubernetes.io/docs/concepts/cluster-administration/admission-webhooks-good-practices/"
WEBHOOK_SLOW_S = 10
# The first minor whose API servers make ServiceCIDRs, of the default one, when they start.
SERVICE_CIDRS_SINCE = 33


def workload_findings(cluster: Cluster, request: Request, plan: Plan) -> list[Finding]:
    return [
        *_budgets(cluster, plan),
        *_deprecated(cluster, request),
        *_api_services(cluster),
        *_webhooks(cluster, plan),
    ]


def allows_none(budget: Json) -> str:
    """Why a budget never lets a pod go, whatever one waits for; empty where it may.

    A percentage of maxUnavailable is rounded up, so only 0 % of it is none.
    """
    status, spec = budget.get("status") or {}, budget.get("spec") or {}
    expected = status.get("expectedPods", 0)
    if status.get("disruptionsAllowed", 0) > 0 or expected == 0:
        return ""
    if spec.get("maxUnavailable") in (0, "0", "0%"):
        return f"maxUnavailable is {spec['maxUnavailable']}"
    desired = status.get("desiredHealthy", 0)
    if desired >= expected:
        return f"it wants {desired} healthy pods of {expected}"
    return ""


class PodIndex:
    """Pods by namespace and by label, so that a selector looks at few of them."""

    def __init__(self, pods: list[Json]) -> None:
        self._all: dict[str, list[Json]] = {}
        self._labelled: dict[tuple[str, str, str], list[Json]] = {}
        for pod in pods:
            namespace = _namespace(pod)
            self._all.setdefault(namespace, []).append(pod)
            for key, value in api.labels(pod).items():
                self._labelled.setdefault((namespace, key, value), []).append(pod)

    def matching(self, namespace: str, selector: Json | None) -> list[Json]:
        labelled = [
            self._labelled.get((namespace, key, value), [])
            for key, value in ((selector or {}).get("matchLabels") or {}).items()
        ]
        candidates = min(labelled, key=len) if labelled else self._all.get(namespace, [])
        return [pod for pod in candidates if api.matches_selector(selector, api.labels(pod))]


def _budgets(cluster: Cluster, plan: Plan) -> list[Finding]:
    nodes = {name for hop in plan.hops for name in drained_by(hop)}
    index = PodIndex([pod for pod in cluster.pods if api.node_of(pod) in nodes and api.is_evictable(pod)])
    found: list[Finding] = []
    budgets_of: dict[str, list[str]] = {}
    for budget in cluster.budgets:
        selector = (budget.get("spec") or {}).get("selector")
        pods = index.matching(_namespace(budget), selector)
        for pod in pods:
            budgets_of.setdefault(api.qualified(pod), []).append(api.name_of(budget))
        if pods:
            found += _budget(budget, pods)
    pairs: dict[tuple[str, ...], list[str]] = {}
    for pod_name, names in budgets_of.items():
        if len(names) > 1:
            pairs.setdefault((pod_name.split("/")[0], *sorted(names)), []).append(pod_name)
    for (namespace, *names), pod_names in sorted(pairs.items()):
        found.append(
            finding(
                "budgets-overlap",
                BLOCKER,
                f"poddisruptionbudget/{namespace}/{'+'.join(names)}",
                f"{len(names)} budgets cover the same pods ({some(pod_names)}), and the API server then refuses each "
                "eviction of them",
                "Change the selectors so that each pod is covered by one budget.",
                rules.TWO_BUDGETS_SOURCE,
            )
        )
    return found


def _budget(budget: Json, pods: list[Json]) -> list[Finding]:
    subject = f"poddisruptionbudget/{api.qualified(budget)}"
    names = some([f"{api.qualified(pod)} on {api.node_of(pod)}" for pod in pods])
    status = budget.get("status") or {}
    entry = api.condition(budget, "DisruptionAllowed") or {}
    if entry.get("reason") == "SyncFailed":
        return [
            finding(
                "budget-broken",
                BLOCKER,
                subject,
                f"the disruption controller cannot compute it: {entry.get('message', '')}; it covers {names}",
                "Give the pods a controller with a scale, or use minAvailable as a number.",
                rules.BUDGET_SOURCE,
            )
        ]
    never = allows_none(budget)
    if never:
        return [
            finding(
                "budget-never-allows",
                BLOCKER,
                subject,
                f"{never}, so it never lets a pod go; it covers {names}",
                "Run one replica more, or raise maxUnavailable for the time of the upgrade.",
                rules.BUDGET_SOURCE,
            )
        ]
    if status.get("disruptionsAllowed", 0) > 0 or not status.get("expectedPods", 0):
        return []
    unhealthy = [api.qualified(pod) for pod in pods if api.pod_trouble(pod)]
    told = f"; not ready: {some(unhealthy)}" if unhealthy else ""
    return [
        finding(
            "budget-used-up",
            WARNING,
            subject,
            f"{status.get('currentHealthy', 0)} pods are healthy, {status.get('desiredHealthy', 0)} are wanted, so "
            f"none may go now{told}; it covers {names}",
            "Make the pods healthy before; a drain waits for it until its timeout.",
            rules.BUDGET_SOURCE,
        )
    ]


def _deprecated(cluster: Cluster, request: Request) -> list[Finding]:
    asked: dict[tuple[str, str, str, str], list[str]] = {}
    for answer in cluster.api_servers:
        for entry in answer["deprecated"]:
            resource = entry["resource"] + (f"/{entry['subresource']}" if entry["subresource"] else "")
            key = (entry["group"], entry["version"], resource, entry["removed_release"])
            asked.setdefault(key, []).append(answer["node"])
    found = []
    for (group, version, resource, removed), nodes in sorted(asked.items()):
        subject = f"{resource}.{version}.{group}" if group else f"{resource}.{version}"
        where = f"asked of the API server of {', '.join(sorted(nodes))} since it started"
        minor = _minor(removed)
        if minor is not None and minor <= (request.target.major, request.target.minor):
            severity, when = BLOCKER, f"removed in {removed}"
            remedy = (
                "Find who asks: the audit log marks such requests with k8s.io/removed-release. Move it to the newer "
                "version of the API. The mark lasts until the API server restarts, also when nobody asks any more."
            )
        else:
            severity, when = NOTE, f"deprecated, removed in {removed}" if removed else "deprecated"
            remedy = "Nothing for this target; move it to the newer version of the API in time."
        found.append(
            finding("deprecated-api-in-use", severity, subject, f"{when}, {where}", remedy, rules.DEPRECATED_SOURCE)
        )
    return found


def _minor(text: str) -> tuple[int, int] | None:
    major, dot, minor = text.partition(".")
    return (int(major), int(minor)) if dot and major.isdigit() and minor.isdigit() else None


def _api_services(cluster: Cluster) -> list[Finding]:
    return [
        finding(
            "api-service-unavailable",
            BLOCKER,
            f"apiservice/{api.name_of(service)}",
            api.why_not(service, "Available"),
            "Bring its backend back, or delete the APIService where it is not used: it breaks discovery, and the "
            "deletion of namespaces.",
            "https://kubernetes.io/docs/concepts/extend-kubernetes/api-extension/apiserver-aggregation/",
        )
        for service in cluster.api_services
        if not api.is_true(service, "Available")
    ]


def _webhooks(cluster: Cluster, plan: Plan) -> list[Finding]:
    found = []
    versions = [Version.parse(text).minor for hop in plan.hops for text in (hop["from"], hop["to"])]
    gains_service_cidrs = bool(versions) and min(versions) < SERVICE_CIDRS_SINCE <= max(versions)
    for hook in cluster.webhooks:
        subject = f"webhook/{hook['configuration']}/{hook['name']}"
        pods = "; its rules cover the creation of pods" if hook["covers_pods"] else ""
        asked = f"; its rules cover {', '.join(hook['covers_run'])}" if hook["covers_run"] else ""
        if hook["url"]:
            if hook["covers_pods"] or hook["covers_run"]:
                found.append(
                    finding(
                        "webhook-by-url",
                        WARNING,
                        subject,
                        f"failurePolicy is Fail and {hook['url']} answers it, of which the cluster knows no more"
                        f"{pods}{asked}",
                        "See that it answers, and that it does not run on one node of the cluster alone or behind what "
                        "the upgrade restarts. Or set failurePolicy: Ignore for the time of the upgrade.",
                        rules.WEBHOOK_SOURCE,
                    )
                )
        elif not hook["ready"]:
            found.append(
                finding(
                    "webhook-down",
                    BLOCKER,
                    subject,
                    f"failurePolicy is Fail and the service {hook['service']} has no ready endpoint{pods}",
                    "Bring its pods back, or set failurePolicy: Ignore for the time of the upgrade.",
                    rules.WEBHOOK_SOURCE,
                )
            )
        elif len(set(hook["ready"])) == 1 and (hook["covers_pods"] or hook["covers_run"]):
            found.append(
                finding(
                    "webhook-on-one-node",
                    WARNING,
                    subject,
                    f"failurePolicy is Fail and all {len(hook['ready'])} ready endpoints of the service "
                    f"{hook['service']} are on the node {hook['ready'][0] or 'unknown'}{pods}{asked}",
                    "Run two replicas on two nodes: while that node is drained, what its rules cover is refused. No "
                    "pod "
                    "can be created, this webhook's own included; no pod be evicted; no node cordoned or uncordoned; "
                    "or "
                    "no lease renewed, so that nodes count as dead.",
                    rules.WEBHOOK_SOURCE,
                )
            )
        if hook["covers_service_cidrs"] and not hook["narrowed"] and gains_service_cidrs:
            found.append(
                finding(
                    "webhook-blocks-service-cidr",
                    WARNING,
                    subject,
                    f"failurePolicy is Fail and its rules cover every kind. An API server of 1.{SERVICE_CIDRS_SINCE} "
                    "makes the first ServiceCIDR when it starts, and is not ready until it has; this webhook may "
                    "refuse a kind that it cannot look up on the older API servers",
                    "Name the kinds in its rules, or set failurePolicy: Ignore until all API servers are upgraded.",
                    rules.WEBHOOK_SOURCE,
                )
            )
        if _covers_system_pods(hook, cluster.system_labels):
            found.append(
                finding(
                    "webhook-covers-system-pods",
                    WARNING,
                    subject,
                    "failurePolicy is Fail and its rules cover the pods of kube-system: while it does not answer, "
                    "CoreDNS, kube-proxy and the network's own pods cannot be made",
                    "Leave kube-system out: a namespaceSelector with kubernetes.io/metadata.name NotIn [kube-system].",
                    WEBHOOK_PRACTICE,
                )
            )
        if hook["timeout_s"] > WEBHOOK_SLOW_S:
            found.append(
                finding(
                    "webhook-slow",
                    NOTE,
                    subject,
                    f"failurePolicy is Fail and each request that it covers waits up to {hook['timeout_s']} s for it",
                    f"Set timeoutSeconds to {WEBHOOK_SLOW_S} or less: evictions and new pods wait as long.",
                    WEBHOOK_PRACTICE,
                )
            )
    return [*found, *_policies(cluster, plan)]


def _policies(cluster: Cluster, plan: Plan) -> list[Finding]:
    return [
        finding(
            "admission-policy-covers-run",
            WARNING,
            f"validatingadmissionpolicy/{name}",
            f"failurePolicy is Fail, it is bound to deny, and its rules cover {', '.join(covered)}: it may refuse what "
            "the run, a kubelet or a leader does",
            "Read its validations. Try what a run does, as its user: kubectl drain <node> --dry-run=server "
            "--ignore-daemonsets. Leave the user of the run and system:nodes out by matchConditions.",
            POLICY_SOURCE,
        )
        for name, covered in sorted(cluster.policies.items())
        if plan.hops
    ]


def _covers_system_pods(hook: Webhook, system_labels: dict[str, str]) -> bool:
    """Not where conditions on objects may leave them out, or where the labels of kube-system are not known."""
    if not hook["covers_pods"] or hook["narrowed"] or not system_labels:
        return False
    return api.matches_selector(hook["namespaces"], system_labels)


def _namespace(thing: Json) -> str:
    return str((thing.get("metadata") or {}).get("namespace", ""))
