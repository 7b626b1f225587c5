# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""One look at the cluster through the API, and at each API server by itself."""

from __future__ import annotations

import json
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.auth import connect
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import (
    ApiStatusError,
    ApiUnreachable,
    Client,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.decisions import (
    NEEDS,
    Answer,
    ApiServer,
    Look,
    Wanted,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.model import Json
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.decisions import (
    NAME,
    NAMESPACE,
    NotReady,
    not_ready_before,
)

# A server that does not answer one of these small requests within this time is not ready.
DIRECT_TIMEOUT_S = 5.0


READYZ = "/readyz?verbose"


class ApiServers:
    """The API servers of the cluster, each asked at its own advertise address.

    The credentials and the CA are those of the configured connection. kubeadm
    puts the advertise address into each serving certificate, so the server
    name is checked as ever.
    """

    def __init__(self, module_params: dict[str, t.Any]) -> None:
        self._params = module_params
        self._clients: dict[str, Client] = {}

    def ask(
        self, pods: dict[str, Json], paths: tuple[str, ...], timeout_s: float = DIRECT_TIMEOUT_S
    ) -> list[dict[str, t.Any]]:
        """Ask the server of each pod (by node name) for each path, all servers at the same time.

        Returns ``{node, address, answers: {path: Answer}}`` each. `timeout_s` is for each request.
        """
        if not pods:
            return []
        addresses = {node: model.advertise_address(pod) for node, pod in sorted(pods.items())}
        # Loading a kubeconfig may run a credential plugin, which is not for many threads at once.
        failed = {address: self._connect(address) for address in set(addresses.values()) if address}

        def ask_one(item: tuple[str, str | None]) -> dict[str, t.Any]:
            node, address = item
            if address is None:
                answer = Answer(error="its static pod tells no advertise address")
                return {"node": node, "address": None, "answers": dict.fromkeys(paths, answer)}
            if failed[address]:
                answers = dict.fromkeys(paths, Answer(error=failed[address]))
            else:
                answers = {}
                for path in paths:
                    last = next(reversed(answers.values()), Answer())
                    # One that gave no answer is not waited for once more.
                    answers[path] = last if "error" in last else self._get(address, path, timeout_s)
            return {"node": node, "address": address, "answers": answers}

        with ThreadPoolExecutor(max_workers=min(16, len(addresses))) as pool:
            return list(pool.map(ask_one, addresses.items()))

    def _connect(self, address: str) -> str:
        """Make the client for an address; why it cannot be made, or empty."""
        if address not in self._clients:
            try:
                self._clients[address] = direct_client(self._params, address)
            except EvergreenError as error:
                return error.message
        return ""

    def _get(self, address: str, path: str, timeout_s: float) -> Answer:
        try:
            status, body = self._clients[address].raw("GET", path, timeout_s=timeout_s)
        except EvergreenError as error:
            return Answer(error=error.message)
        return Answer(status=status, body=body.decode("utf-8", "replace"))


def direct_client(module_params: dict[str, t.Any], address: str) -> Client:
    """A client for the API server at `address` (``host:port``), with the configured credentials.

    Made anew, as whether a proxy is used depends on the address.
    """
    return connect({**module_params, "host": f"https://{address}"})


class Observer:
    """Takes looks. What cannot be read is an entry in ``errors``, never an exception."""

    def __init__(self, client: Client, servers: ApiServers, wanted: Wanted, deadline: Deadline) -> None:
        self._client = client
        self._servers = servers
        self._wanted = wanted
        self._deadline = deadline
        self._parts = {part for name in wanted.conditions for part in NEEDS[name]}
        self._first_heartbeats: dict[str, str] | None = None
        self._before: NotReady | None = None

    def look(self) -> Look:
        found: dict[str, t.Any] = {"errors": {}}
        readers: dict[str, t.Callable[[], t.Any]] = {
            "nodes": self._read_nodes,
            "before": self._read_before,
            "system_pods": self._read_system_pods,
            "daemon_sets": lambda: self._list("/apis/apps/v1/namespaces/kube-system/daemonsets"),
            "workloads": self._read_workloads,
            "heartbeats": self._read_heartbeats,
        }
        for part, read in readers.items():
            if part in self._parts:
                self._read(found, part, read)
        if "api_servers" in self._parts and "system_pods" in found:
            self._read(found, "api_servers", lambda: self._read_api_servers(found["system_pods"]))
        elif "api_servers" in self._parts:
            found["api_servers"] = []
        if self._first_heartbeats is None:
            self._first_heartbeats = found.get("heartbeats")
        found["first_heartbeats"] = self._first_heartbeats or {}
        return t.cast("Look", found)

    @staticmethod
    def _read(found: dict[str, t.Any], part: str, read: t.Callable[[], t.Any]) -> None:
        try:
            found[part] = read()
        except (ApiStatusError, ApiUnreachable) as error:
            found["errors"][part] = error.message

    def _list(self, path: str, **query: str) -> list[Json]:
        return self._client.list(path, query, timeout_s=max(1.0, self._deadline.clip(10.0)))

    def _read_nodes(self) -> list[Json]:
        if not self._wanted.node:
            return self._list("/api/v1/nodes")
        nodes = self._list("/api/v1/nodes", fieldSelector=f"metadata.name={self._wanted.node}")
        if "api_servers" in self._parts:
            for label in model.CONTROL_PLANE_LABELS:
                nodes.extend(self._list("/api/v1/nodes", labelSelector=label))
        return list({model.name_of(node): node for node in nodes}.values())

    def _read_before(self) -> NotReady:
        """What was not ready when the upgrade began; nothing outside of an upgrade, and where it may not be read."""
        if self._before is None:
            path = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{NAME}"
            try:
                found = not_ready_before(self._client.get(path, timeout_s=max(1.0, self._deadline.clip(10.0))))
            except ApiStatusError as error:
                if error.status not in (403, 404):
                    raise
                found = None
            self._before = found[1] if found else {}
        return self._before

    def _read_system_pods(self) -> list[Json]:
        path = "/api/v1/namespaces/kube-system/pods"
        if not self._wanted.node:
            return self._list(path)
        pods = self._list(path, fieldSelector=f"spec.nodeName={self._wanted.node}")
        if "api_servers" in self._parts:
            pods.extend(self._list(path, labelSelector="component=kube-apiserver"))
        return list({model.name_of(pod): pod for pod in pods}.values())

    def _read_workloads(self) -> list[Json]:
        found: list[Json] = []
        for resource, kind in (
            ("deployments", "Deployment"),
            ("statefulsets", "StatefulSet"),
            ("daemonsets", "DaemonSet"),
        ):
            # The items of a list carry no kind of their own.
            found.extend({**item, "kind": kind} for item in self._list(f"/apis/apps/v1/{resource}"))
        return found

    def _read_heartbeats(self) -> dict[str, str]:
        path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        query = {"fieldSelector": f"metadata.name={self._wanted.node}"} if self._wanted.node else {}
        leases = self._list(path, **query)
        return {model.name_of(lease): (lease.get("spec") or {}).get("renewTime", "") for lease in leases}

    def _read_api_servers(self, pods: list[Json]) -> list[ApiServer]:
        answers = self._servers.ask(model.static_pods(pods, "kube-apiserver"), (READYZ, "/version"))
        return [
            ApiServer(
                node=entry["node"],
                address=entry["address"],
                readyz=entry["answers"][READYZ],
                version=_git_version(entry["answers"]["/version"]),
            )
            for entry in answers
        ]


def _git_version(answer: Answer) -> Answer:
    """The answer of /version with its gitVersion as the body."""
    if answer.get("status") != 200:
        return answer
    try:
        return Answer(status=200, body=str(json.loads(answer.get("body", ""))["gitVersion"]))
    except (ValueError, KeyError, TypeError):
        return Answer(error="its /version is not the JSON of a Kubernetes API server")
