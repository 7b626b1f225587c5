# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Readers of what the API server sends beside plain objects: metrics and webhook configurations. Pure."""

from __future__ import annotations

import re
import typing as t

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


class FailClosed(t.NamedTuple):
    """A webhook with failurePolicy Fail that a Service of the cluster answers."""

    configuration: str
    name: str
    namespace: str
    service: str
    covers_pods: bool
    covers_service_cidrs: bool
    namespaces: Json
    narrowed: bool
    timeout_s: int


def fail_closed_webhooks(configurations: list[Json]) -> list[FailClosed]:
    """Those of validating and mutating configurations. Fail is the default of admissionregistration.k8s.io/v1."""
    found = []
    for configuration in configurations:
        for hook in configuration.get("webhooks") or []:
            service = (hook.get("clientConfig") or {}).get("service")
            if hook.get("failurePolicy", "Fail") != "Fail" or not service:
                continue
            found.append(
                FailClosed(
                    configuration=str((configuration.get("metadata") or {}).get("name", "")),
                    name=str(hook.get("name", "")),
                    namespace=str(service.get("namespace", "")),
                    service=str(service.get("name", "")),
                    covers_pods=_creates(hook, "", "pods"),
                    covers_service_cidrs=_creates(hook, "networking.k8s.io", "servicecidrs"),
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


def _creates(hook: Json, group: str, resource: str) -> bool:
    """Whether a rule of the webhook matches the creation of the resource."""
    cluster_scoped = resource == "servicecidrs"
    return any(
        any(entry in (group, "*") for entry in rule.get("apiGroups") or [])
        and any(entry in (resource, "*", "*/*") for entry in rule.get("resources") or [])
        and any(entry in ("CREATE", "*") for entry in rule.get("operations") or [])
        and (rule.get("scope") or "*") in ("*", "Cluster" if cluster_scoped else "Namespaced")
        for rule in hook.get("rules") or []
    )


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
