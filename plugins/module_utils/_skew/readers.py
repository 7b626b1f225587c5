# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Readers of what the API server sends beside plain objects: metrics and webhook configurations. Pure."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import urlsplit

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import DeprecatedApi, Json

DEFAULT_WEBHOOK_TIMEOUT_S = 10  # of admissionregistration.k8s.io/v1
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def deprecated_apis(metrics: str) -> list[DeprecatedApi]:
    """Samples of ``apiserver_requested_deprecated_apis`` that are not 0, from the Prometheus text format."""
    found = []
    for line in metrics.splitlines():
        if not line.startswith("apiserver_requested_deprecated_apis{"):
            continue
        body, _brace, value = line.rpartition("}")
        if value.strip().split(" ")[0] in ("0", "0.0"):
            continue
        labels = dict(_LABEL.findall(body))
        found.append(
            DeprecatedApi(
                group=labels.get("group", ""),
                version=labels.get("version", ""),
                resource=labels.get("resource", ""),
                subresource=labels.get("subresource", ""),
                removed_release=labels.get("removed_release", ""),
            )
        )
    return found


# What a run asks of an API server while a node is away, and what kubelets and leaders do: resource, group, operations.
RUN_REQUESTS = (
    ("nodes", "", ("UPDATE",)),
    ("leases", "coordination.k8s.io", ("CREATE", "UPDATE")),
    ("pods/eviction", "", ("CREATE",)),
)


class FailClosed(t.NamedTuple):
    """A webhook with failurePolicy Fail. Where no Service answers it, `url` is that of what does."""

    configuration: str
    name: str
    namespace: str
    service: str
    url: str
    covers_pods: bool
    covers_run: list[str]
    covers_service_cidrs: bool
    namespaces: Json
    narrowed: bool
    timeout_s: int


def fail_closed_webhooks(configurations: list[Json]) -> list[FailClosed]:
    """Those of validating and mutating configurations. Fail is the default of admissionregistration.k8s.io/v1."""
    found = []
    for configuration in configurations:
        for hook in configuration.get("webhooks") or []:
            client = hook.get("clientConfig") or {}
            service = client.get("service") or {}
            if hook.get("failurePolicy", "Fail") != "Fail":
                continue
            found.append(
                FailClosed(
                    configuration=str((configuration.get("metadata") or {}).get("name", "")),
                    name=str(hook.get("name", "")),
                    namespace=str(service.get("namespace", "")),
                    service=str(service.get("name", "")),
                    url="" if service else _place(str(client.get("url", ""))),
                    covers_pods=_covers(hook.get("rules"), "pods", "", ("CREATE",)),
                    covers_run=covers_run(hook.get("rules")),
                    covers_service_cidrs=_covers(hook.get("rules"), "servicecidrs", "networking.k8s.io", ("CREATE",)),
                    namespaces=hook.get("namespaceSelector") or {},
                    narrowed=bool(hook.get("objectSelector") or hook.get("matchConditions")),
                    timeout_s=int(hook.get("timeoutSeconds") or DEFAULT_WEBHOOK_TIMEOUT_S),
                )
            )
    return found


def eviction_webhooks(configurations: list[Json]) -> list[str]:
    """Names of those webhooks whose rules are about evictions alone.

    One that sees evictions among other things, as policy engines do, does not move the pods that it refuses.
    """
    return [
        str(hook.get("name", ""))
        for configuration in configurations
        for hook in configuration.get("webhooks") or []
        if {resource for rule in hook.get("rules") or [] for resource in rule.get("resources") or []}
        == {"pods/eviction"}
    ]


def denying_policies(policies: list[Json], bindings: list[Json]) -> dict[str, list[str]]:
    """The requests of a run that ValidatingAdmissionPolicies with failurePolicy Fail match, by their names.

    One that no binding has deny, or that matches none of these, is left out.
    """
    bound = {
        (binding.get("spec") or {}).get("policyName")
        for binding in bindings
        if "Deny" in ((binding.get("spec") or {}).get("validationActions") or [])
    }
    found = {}
    for policy in policies:
        name, spec = str((policy.get("metadata") or {}).get("name", "")), policy.get("spec") or {}
        covered = covers_run((spec.get("matchConstraints") or {}).get("resourceRules"))
        if name in bound and covered and spec.get("failurePolicy", "Fail") == "Fail":
            found[name] = covered
    return found


def covers_run(rules: list[Json] | None) -> list[str]:
    """Those of RUN_REQUESTS that rules of admission match."""
    return [name for name, group, operations in RUN_REQUESTS if _covers(rules, name, group, operations)]


def _covers(rules: list[Json] | None, name: str, group: str, operations: tuple[str, ...]) -> bool:
    """Whether a rule matches one of the operations on a resource; ``*`` is every one, and no subresource."""
    scope = "Cluster" if name in ("servicecidrs", "nodes") else "Namespaced"
    resource, slash, part = name.partition("/")
    meant = {name, "*/*", f"{resource}/*", f"*/{part}"} if slash else {name, "*", "*/*"}
    return any(
        any(entry in (group, "*") for entry in rule.get("apiGroups") or [])
        and any(entry in meant for entry in rule.get("resources") or [])
        and any(entry in (*operations, "*") for entry in rule.get("operations") or [])
        and (rule.get("scope") or "*") in ("*", scope)
        for rule in rules or []
    )


def _place(url: str) -> str:
    """A URL without user and query, which may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def ready_nodes(slices: list[Json]) -> list[str]:
    """Nodes of the ready endpoints in EndpointSlices, one entry an endpoint.

    An absent ``ready`` counts as ready, as the API says of it.
    """
    return [
        str(endpoint.get("nodeName") or "")
        for entry in slices
        for endpoint in entry.get("endpoints") or []
        if (endpoint.get("conditions") or {}).get("ready") is not False
    ]
