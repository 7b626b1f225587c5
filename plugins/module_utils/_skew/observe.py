# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Read the cluster through the API: the one place of the skew check that does I/O."""

from __future__ import annotations

import functools
import json
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import (
    ApiStatusError,
    ApiUnreachable,
    Client,
    Trim,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.retry import retrying
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd_bridge.io import RECORD, recorded_tag
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.io import READYZ, ApiServers
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import helm
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    ApiServerAnswer,
    Cluster,
    Definition,
    Json,
    RemovedUse,
    Volume,
    Webhook,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.objects import (
    Wanted,
    definition_of,
    lowest_minor,
    volume_of,
    without_managed_fields,
    without_other_fields,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.readers import (
    denying_policies,
    deprecated_apis,
    eviction_webhooks,
    fail_closed_webhooks,
    ready_nodes,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.removed_apis import going_away, writers
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.state import node_states, system_pods

# /metrics of a busy API server has some megabytes.
DIRECT_TIMEOUT_S = 20.0
REQUEST_TIMEOUT_S = 30.0

_KUBE_SYSTEM = "/api/v1/namespaces/kube-system"
_APPS = "/apis/apps/v1/namespaces/kube-system"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

# What a drain that surges asks of one object after the other.
SURGE_PATHS = {
    "ReplicaSet": "/apis/apps/v1/replicasets",
    "Deployment": "/apis/apps/v1/deployments",
    "PersistentVolumeClaim": "/api/v1/persistentvolumeclaims",
}

# Objects of these lists may have a megabyte each, and are kept in parts only.
LARGE_OBJECTS_A_PAGE = 20


class Reader:
    """Reads one part after the other. Nodes and pods must be readable; every other part may be refused."""

    def __init__(self, client: Client, servers: ApiServers, deadline: Deadline, wanted: Wanted) -> None:
        self._client = client
        self._wanted = wanted
        self._endpoints: dict[tuple[str, str], list[str]] = {}
        self._servers = servers
        self._deadline = deadline
        self._unreadable: dict[str, str] = {}
        self._eviction_webhooks: list[str] = []

    def read(self) -> Cluster:
        nodes = self._list("/api/v1/nodes", without_other_fields)
        pods = self._list("/api/v1/pods", without_managed_fields)
        cluster = Cluster(nodes=nodes, pods=pods, unreadable=self._unreadable)
        # The metrics of every API server are the longest answers; all else is read meanwhile.
        with ThreadPoolExecutor(max_workers=1) as pool:
            api_servers = pool.submit(self._api_servers, system_pods(cluster))
            self._read_rest(cluster)
            cluster.api_servers = api_servers.result()
        return cluster

    def _read_rest(self, cluster: Cluster) -> None:
        cluster.cluster_config = self._config_map("kubeadm-config", "ClusterConfiguration")
        cluster.kubelet_config = self._config_map("kubelet-config", "kubelet")
        cluster.etcd_bridge = recorded_tag(
            self._optional("etcd-bridge", lambda: self._get(f"{_KUBE_SYSTEM}/configmaps/{RECORD}"), None)
        )
        cluster.kube_proxy = self._optional("kube-proxy", lambda: self._get(f"{_APPS}/daemonsets/kube-proxy"), None)
        cluster.coredns = self._optional("coredns", lambda: self._get(f"{_APPS}/deployments/coredns"), None)
        cluster.kube_proxy_config = self._config_map("kube-proxy", "config.conf")
        cluster.corefile = self._corefile()
        cluster.leases = self._optional("leases", lambda: self._list(_LEASES), [])
        cluster.budgets = self._optional(
            "poddisruptionbudgets", lambda: self._list("/apis/policy/v1/poddisruptionbudgets"), []
        )
        cluster.api_services = self._optional(
            "apiservices", lambda: self._list("/apis/apiregistration.k8s.io/v1/apiservices"), []
        )
        cluster.webhooks = self._optional("webhooks", self._webhooks, [])
        cluster.eviction_webhooks = self._eviction_webhooks
        cluster.daemon_sets = self._optional("daemonsets", self._daemon_sets, None)
        if any((api.controller_of(pod) or {}).get("kind") == "Job" for pod in cluster.pods if not api.is_finished(pod)):
            jobs = self._optional("jobs", lambda: self._list("/apis/batch/v1/jobs", without_managed_fields), [])
            cluster.jobs = {api.qualified(job): job for job in jobs}
        if self._wanted.surge:
            cluster.surge_objects = self._surge_objects()
        cluster.policies = self._optional("validatingadmissionpolicies", self._policies, {})
        cluster.system_labels = self._optional("namespaces", self._system_labels, {})
        cluster.definitions = self._optional("customresourcedefinitions", self._definitions, [])
        cluster.volumes = self._optional("persistentvolumes", self._volumes, [])
        cluster.removed_uses = self._removed_uses(cluster)

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

    def _list(self, path: str, trim: Trim | None = None, **query: str) -> list[Json]:
        return retrying(lambda: self._client.list(path, query, trim=trim), self._deadline, what=f"listing {path}")

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
        validating = self._list(f"{_ADMISSION}/validatingwebhookconfigurations")
        self._eviction_webhooks = eviction_webhooks(validating)
        configurations = [*validating, *self._list(f"{_ADMISSION}/mutatingwebhookconfigurations")]
        found = []
        for hook in fail_closed_webhooks(configurations):
            found.append(
                Webhook(
                    configuration=hook.configuration,
                    name=hook.name,
                    service=f"{hook.namespace}/{hook.service}" if hook.service else "",
                    url=hook.url,
                    ready=self._ready_nodes(hook.namespace, hook.service) if hook.service else [],
                    covers_pods=hook.covers_pods,
                    covers_run=hook.covers_run,
                    covers_service_cidrs=hook.covers_service_cidrs,
                    namespaces=hook.namespaces,
                    narrowed=hook.narrowed,
                    timeout_s=hook.timeout_s,
                )
            )
        return found

    def _daemon_sets(self) -> set[tuple[str, str]]:
        return {(each["metadata"]["namespace"], api.name_of(each)) for each in self._list("/apis/apps/v1/daemonsets")}

    def _surge_objects(self) -> dict[tuple[str, str, str], Json]:
        found = {}
        for kind, path in SURGE_PATHS.items():
            plural = path.rpartition("/")[2]
            things = self._optional(plural, functools.partial(self._list, path, without_managed_fields), [])
            found.update({(kind, each["metadata"]["namespace"], api.name_of(each)): each for each in things})
        return found

    def _policies(self) -> dict[str, list[str]]:
        return denying_policies(
            self._list(f"{_ADMISSION}/validatingadmissionpolicies"),
            self._list(f"{_ADMISSION}/validatingadmissionpolicybindings"),
        )

    def _ready_nodes(self, namespace: str, service: str) -> list[str]:
        """Nodes of the ready endpoints of a Service, which is asked for once."""
        key = (namespace, service)
        if key not in self._endpoints:
            self._endpoints[key] = ready_nodes(
                self._list(
                    f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
                    labelSelector=f"kubernetes.io/service-name={service}",
                )
            )
        return self._endpoints[key]

    def _system_labels(self) -> dict[str, str]:
        return api.labels(self._get("/api/v1/namespaces/kube-system"))

    def _corefile(self) -> str | None:
        found = self._optional("corefile", lambda: self._get(f"{_KUBE_SYSTEM}/configmaps/coredns"), None)
        text = ((found or {}).get("data") or {}).get("Corefile")
        return None if text is None else str(text)

    def _definitions(self) -> list[Definition]:
        found = []
        for thing in self._pages(_DEFINITIONS, LARGE_OBJECTS_A_PAGE):
            service = definition_of(thing, []).get("service", "")
            namespace, _slash, name = service.partition("/")
            found.append(definition_of(thing, self._ready_nodes(namespace, name) if service else []))
        return found

    def _volumes(self) -> list[Volume]:
        return [volume_of(thing) for thing in self._list("/api/v1/persistentvolumes")]

    def _removed_uses(self, cluster: Cluster) -> list[RemovedUse]:
        """Of the kinds that lose a version on the way, and of Helm releases, those that use such a version."""
        current = lowest_minor(node_states(cluster))
        found: dict[tuple[str, str, str], RemovedUse] = {}
        for path, entries in going_away(current, self._wanted.target_minor).items():
            things = self._optional(path.rpartition("/")[2], functools.partial(self._list, path), [])
            for use in (use for thing in things for use in writers(thing, entries)):
                found[use["api_version"], use["where"], use["by"]] = use
        releases = self._optional("helm-releases", self._releases, []) if self._wanted.helm_releases else []
        return [*found.values(), *helm.removed_uses(releases, self._wanted.target_minor)]

    def _releases(self) -> list[helm.Release]:
        secrets = self._pages("/api/v1/secrets", LARGE_OBJECTS_A_PAGE, labelSelector=helm.SELECTOR)
        return [release for secret in secrets if (release := helm.read_release(secret)) is not None]

    def _pages(self, path: str, limit: int, **query: str) -> t.Iterator[Json]:
        """The items of a list whose objects are large, a page at a time, so that they are not all held at once."""
        token = ""
        while True:
            asked = {**query, "limit": limit, **({"continue": token} if token else {})}
            ask = functools.partial(self._client.get, path, query=asked)
            page = retrying(ask, self._deadline, what=f"listing {path}")
            yield from page.get("items") or []
            token = (page.get("metadata") or {}).get("continue") or ""
            if not token:
                return

    def _api_servers(self, pods: list[Json]) -> list[ApiServerAnswer]:
        answers = self._servers.ask(
            api.static_pods(pods, "kube-apiserver"), (READYZ, "/version", "/metrics"), timeout_s=DIRECT_TIMEOUT_S
        )
        found = []
        for entry in answers:
            errors = []
            readyz = entry["answers"].pop(READYZ)
            for path, answer in entry["answers"].items():
                if answer.get("status") != 200:
                    errors.append(f"{path}: {answer.get('error') or answer.get('status')}")
            body = entry["answers"]["/version"].get("body", "")
            found.append(
                ApiServerAnswer(
                    node=entry["node"],
                    address=entry["address"] or "",
                    readyz=readyz,
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
