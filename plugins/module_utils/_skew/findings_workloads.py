# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Findings on budgets, webhooks and APIs, which stop drains and API servers: pure."""

from __future__ import annotations

import json

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.budgets import FREE, NEVER, key_of_budget
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.drains import Drains
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
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.operators import moved_by
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import Plan
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

POLICY_SOURCE = "https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/"
WEBHOOK_PRACTICE = "https://kubernetes.io/docs/concepts/cluster-administration/admission-webhooks-good-practices/"
WEBHOOK_SLOW_S = 10
# The first minor whose API servers make ServiceCIDRs, of the default one, when they start.
SERVICE_CIDRS_SINCE = 33


def workload_findings(cluster: Cluster, request: Request, plan: Plan, drains: Drains) -> list[Finding]:
    return [
        *_budgets(cluster, drains),
        *_deprecated(cluster, request),
        *_api_services(cluster),
        *_webhooks(cluster, plan),
    ]


def _budgets(cluster: Cluster, drains: Drains) -> list[Finding]:
    """What the drain's judgements of the budgets say, one finding for each budget that lets nothing go."""
    pods = {record.key: record.pod for record in drains.records}
    budgets_of: dict[str, set[str]] = {}
    for entry in drains.budgets:
        for name in _covered(entry):
            budgets_of.setdefault(name, set()).add(entry["name"])
    pairs: dict[tuple[str, ...], list[str]] = {}
    for pod_name, budget_names in budgets_of.items():
        if len(budget_names) > 1:
            pairs.setdefault((pod_name.split("/")[0], *sorted(budget_names)), []).append(pod_name)
    covered: dict[tuple[str, str], set[str]] = {}
    judged: dict[tuple[str, str], Json] = {}
    for entry in drains.budgets:
        key, its_names = (entry["namespace"], entry["name"]), _covered(entry)
        if any(len(budgets_of[name]) > 1 for name in its_names):
            continue  # What the drain says of it is that it overlaps.
        covered.setdefault(key, set()).update(its_names)
        if key not in judged or entry["verdict"] == NEVER:
            judged[key] = entry
    found: list[Finding] = []
    objects = {key_of_budget(budget): budget for budget in cluster.budgets}
    for key, entry in judged.items():
        its_pods = [pods[name] for name in sorted(covered[key])]
        found += _budget(objects[key], entry, its_pods, drains, cluster.eviction_webhooks)
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


def _covered(entry: Json) -> set[str]:
    return {f"{entry['namespace']}/{name}" for name in entry["pods"]}


def _budget(budget: Json, entry: Json, pods: list[Json], drains: Drains, eviction_webhooks: list[str]) -> list[Finding]:
    subject = f"poddisruptionbudget/{api.qualified(budget)}"
    names = some([f"{api.qualified(pod)} on {api.node_of(pod)}" for pod in pods])
    wait = f"a drain waits for it, up to {drains.options.wait_timeout} s (kubelet_drain_timeout_s)"
    if entry["verdict"] == NEVER:
        broken = (api.condition(budget, "DisruptionAllowed") or {}).get("reason") == "SyncFailed"
        mover = moved_by(budget, pods, eviction_webhooks)
        if mover:
            severity = WARNING
            evidence = f"by its numbers it never lets a pod go ({entry['reason']}), but {mover}: {wait}"
            remedy = (
                "See that the operator is at work, and that it has another instance to put in the place of this one. "
                "Where nothing moves, the upgrade stops at that node."
            )
        else:
            severity, evidence = BLOCKER, f"{entry['reason']}, so it never lets a pod go"
            remedy = entry["advice"] if broken else f"{entry['advice']} {_let_go(budget, pods, drains)}"
        evidence += f"; it covers {names}"
        if broken:
            return [finding("budget-broken", severity, subject, evidence, remedy, rules.BUDGET_SOURCE)]
        return [finding("budget-never-allows", severity, subject, evidence, remedy, rules.BUDGET_SOURCE)]
    if entry["verdict"] == FREE or entry["disruptions_allowed"] > 0:
        return []
    unhealthy = [api.qualified(pod) for pod in pods if api.pod_trouble(pod)]
    not_ready = f"; not ready: {some(unhealthy)}" if unhealthy else ""
    return [
        finding(
            "budget-used-up",
            WARNING,
            subject,
            f"{entry['reason']}, so none may go now{not_ready}; it covers {names}",
            f"{entry['advice'] or 'Look again in a moment.'} Until it lets one go, {wait}.",
            rules.BUDGET_SOURCE,
        )
    ]


def _let_go(budget: Json, pods: list[Json], drains: Drains) -> str:
    """The commands that let the pods of a budget go for the time of the upgrade."""
    # A number of minAvailable holds for pods of whatever owner.
    change: Json = {"maxUnavailable": None, "minAvailable": max(0, (budget["status"].get("expectedPods") or 0) - 1)}
    if any(api.pod_trouble(pod) for pod in pods):
        change["unhealthyPodEvictionPolicy"] = "AlwaysAllow"
    text = (
        f"For the time of the upgrade: kubectl -n {_namespace(budget)} patch poddisruptionbudget {api.name_of(budget)} "
        f"--type=merge -p '{json.dumps({'spec': change}, separators=(',', ':'))}'."
    )
    alone = (budget.get("status") or {}).get("expectedPods") == 1 and not drains.options.surge_singletons
    if alone and all((api.controller_of(pod) or {}).get("kind") == "ReplicaSet" for pod in pods):
        text += (
            " Or -e kubelet_drain_surge_singletons=true, which moves the one pod of a Deployment without an eviction "
            "where its strategy lets the next pod start first."
        )
    return text


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
