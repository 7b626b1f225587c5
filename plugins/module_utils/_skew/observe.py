# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Read the cluster through the API: the one place of the skew check that does I/O."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import (
    ApiStatusError,
    ApiUnreachable,
    Client,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.retry import retrying
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.io import ApiServers
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    ApiServerAnswer,
    Cluster,
    Json,
    Webhook,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.readers import (
    deprecated_apis,
    fail_closed_webhooks,
    ready_nodes,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.state import system_pods

# /metrics of a busy API server has some megabytes.
DIRECT_TIMEOUT_S = 20.0
REQUEST_TIMEOUT_S = 30.0

_KUBE_SYSTEM = "/api/v1/namespaces/kube-system"
_APPS = "/apis/apps/v1/namespaces/kube-system"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"


class Reader:
    """Reads one part after the other. Nodes and pods must be readable; every other part may be refused."""

    def __init__(self, client: Client, servers: ApiServers, deadline: Deadline) -> None:
        self._client = client
        self._servers = servers
        self._deadline = deadline
        self._unreadable: dict[str, str] = {}

    def read(self) -> Cluster:
        cluster = Cluster(
            nodes=self._list("/api/v1/nodes"), pods=self._list("/api/v1/pods"), unreadable=self._unreadable
        )
        cluster.cluster_config = self._config_map("kubeadm-config", "ClusterConfiguration")
        cluster.kubelet_config = self._config_map("kubelet-config", "kubelet")
        cluster.kube_proxy = self._optional("kube-proxy", lambda: self._get(f"{_APPS}/daemonsets/kube-proxy"), None)
        cluster.coredns = self._optional("coredns", lambda: self._get(f"{_APPS}/deployments/coredns"), None)
        cluster.budgets = self._optional(
            "poddisruptionbudgets", lambda: self._list("/apis/policy/v1/poddisruptionbudgets"), []
        )
        cluster.api_services = self._optional(
            "apiservices", lambda: self._list("/apis/apiregistration.k8s.io/v1/apiservices"), []
        )
        cluster.webhooks = self._optional("webhooks", self._webhooks, [])
        cluster.api_servers = self._api_servers(system_pods(cluster))
        return cluster

    def _optional(self, part: str, read: t.Callable[[], t.Any], default: t.Any) -> t.Any:
        try:
            return read()
        except ApiStatusError as error:
            if error.status != 404:
                self._unreadable[part] = error.message
            return default
        except ApiUnreachable as error:
            self._unreadable[part] = error.message
            return default

    def _get(self, path: str) -> Json:
        return retrying(
            lambda: self._client.get(path, timeout_s=max(1.0, self._deadline.clip(REQUEST_TIMEOUT_S))),
            self._deadline,
            what=f"reading {path}",
        )

    def _list(self, path: str, **query: str) -> list[Json]:
        return retrying(lambda: self._client.list(path, query), self._deadline, what=f"listing {path}")

    def _config_map(self, name: str, key: str) -> Json | None:
        """The YAML under `key`, as a dict; None where it is not there."""
        found = self._optional(name, lambda: self._get(f"{_KUBE_SYSTEM}/configmaps/{name}"), None)
        text = ((found or {}).get("data") or {}).get(key)
        if not text:
            return None
        # A dependency of the kubernetes client, which connect() has imported before this.
        import yaml

        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            self._unreadable[name] = f"its {key} is not YAML: {error}"
            return None
        return value if isinstance(value, dict) else None

    def _webhooks(self) -> list[Webhook]:
        configurations = [
            *self._list(f"{_ADMISSION}/validatingwebhookconfigurations"),
            *self._list(f"{_ADMISSION}/mutatingwebhookconfigurations"),
        ]
        endpoints: dict[tuple[str, str], list[str]] = {}
        found = []
        for hook in fail_closed_webhooks(configurations):
            key = (hook.namespace, hook.service)
            if key not in endpoints:
                endpoints[key] = ready_nodes(
                    self._list(
                        f"/apis/discovery.k8s.io/v1/namespaces/{hook.namespace}/endpointslices",
                        labelSelector=f"kubernetes.io/service-name={hook.service}",
                    )
                )
            found.append(
                Webhook(
                    configuration=hook.configuration,
                    name=hook.name,
                    service=f"{hook.namespace}/{hook.service}",
                    ready=endpoints[key],
                    covers_pods=hook.covers_pods,
                )
            )
        return found

    def _api_servers(self, pods: list[Json]) -> list[ApiServerAnswer]:
        answers = self._servers.ask(
            api.static_pods(pods, "kube-apiserver"), ("/version", "/metrics"), timeout_s=DIRECT_TIMEOUT_S
        )
        found = []
        for entry in answers:
            errors = []
            for path, answer in entry["answers"].items():
                if answer.get("status") != 200:
                    errors.append(f"{path}: {answer.get('error') or answer.get('status')}")
            body = entry["answers"]["/version"].get("body", "")
            found.append(
                ApiServerAnswer(
                    node=entry["node"],
                    address=entry["address"] or "",
                    version=_git_version(body) if entry["answers"]["/version"].get("status") == 200 else "",
                    deprecated=deprecated_apis(entry["answers"]["/metrics"].get("body", "")),
                    error="; ".join(errors),
                )
            )
        return found


def _git_version(body: str) -> str:
    try:
        return str(json.loads(body)["gitVersion"])
    except (ValueError, KeyError, TypeError):
        return ""
