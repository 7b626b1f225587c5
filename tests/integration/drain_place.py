# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where tests drain: two nodes and a namespace of one test, on a real control plane."""

from __future__ import annotations

import typing as t
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

import rbac_place
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import ApiStatusError
from ansible_collections.evergreen.kubeadm.plugins.modules import drain_node
from harness import objects
from harness.cluster import NEVER_READY, Cluster
from harness.modules import run_module
from harness.process import wait_for

Json = dict[str, t.Any]

# Options of the module that are not in delete_options.
TOP_LEVEL = tuple(name for name in drain_node.ARGUMENT_SPEC if name != "delete_options")


class Place:
    """Two nodes and a namespace of one test. `first` is the node that is drained."""

    def __init__(self, cluster: Cluster, unique: str) -> None:
        self.cluster = cluster
        self.name = unique
        self.first, self.second = f"{unique}-a", f"{unique}-b"
        self.pool = {"pool": unique}
        self._users = 0
        self._made: list[str] = []
        self._threads = ThreadPoolExecutor(max_workers=4)

    def add_node(self, name: str) -> None:
        self._made.append(f"/api/v1/nodes/{name}")
        self.cluster.apply(objects.node(name, labels=self.pool))
        wait_for(f"{name} is Ready", lambda: self.ready_node(name))

    def ready_node(self, name: str) -> bool:
        found = self.node(name)
        # Taints of a new node go after a moment; pods with nodeSelector wait for that.
        return "True" in _conditions(found) and not found["spec"].get("taints")

    def node(self, name: str | None = None) -> Json:
        return self.cluster.client.get(f"/api/v1/nodes/{name or self.first}")

    def is_cordoned(self, name: str | None = None) -> bool:
        return bool(self.node(name)["spec"].get("unschedulable"))

    def pods(self, on: str | None = None) -> list[Json]:
        query = {"fieldSelector": f"spec.nodeName={on}"} if on else {}
        return self.cluster.client.list(f"/api/v1/namespaces/{self.name}/pods", query)

    def pod(self, name: str) -> Json:
        return self.cluster.client.get(f"/api/v1/namespaces/{self.name}/pods/{name}")

    def stopping(self) -> list[str]:
        """Names of the pods that terminate."""
        return [each["metadata"]["name"] for each in self.pods() if each["metadata"].get("deletionTimestamp")]

    def bare(self, name: str, *, on: str | None = None, **options: t.Any) -> None:
        """A pod without a controller, running on the first node or on that of `on`."""
        self.cluster.apply(objects.pod(name, self.name, on=on or self.first, **options))
        wait_for(f"pod {name} runs", lambda: "True" in _conditions(self.pod(name)))

    def kill(self, name: str) -> None:
        """Take a pod away at once, without asking any budget."""
        self.cluster.kubectl("delete", "pod", name, "-n", self.name, "--force", "--grace-period=0", "--wait=false")

    def web(self, replicas: int = 2, name: str = "web", *, on: str | None = None, **options: t.Any) -> None:
        """A Deployment whose pods all run on the first node, before the second one is there; or bound to `on`."""
        selector = {"kubernetes.io/hostname": on} if on else self.pool
        self.cluster.apply(objects.deployment(name, self.name, replicas, node_selector=selector, **options))
        wanted = "False" if NEVER_READY in options.get("annotations", {}) else "True"
        wait_for(
            f"{replicas} pods of {name} run",
            lambda: (
                sum(pod["metadata"]["labels"].get("app") == name and wanted in _conditions(pod) for pod in self.pods())
                == replicas
            ),
        )

    def budget(self, name: str, allowed: int, app: str = "web", **spec: t.Any) -> None:
        self.cluster.apply(objects.budget(name, self.name, app, **spec))
        wait_for(
            f"budget {name} allows {allowed}",
            lambda: (
                self.budget_status(name).get("observedGeneration")
                and self.budget_status(name)["disruptionsAllowed"] == allowed
            ),
        )

    def budget_status(self, name: str) -> Json:
        path = f"/apis/policy/v1/namespaces/{self.name}/poddisruptionbudgets/{name}"
        return self.cluster.client.get(path).get("status") or {}

    def drop_budget(self, name: str) -> None:
        self.cluster.delete(f"/apis/policy/v1/namespaces/{self.name}/poddisruptionbudgets/{name}")

    def evictable(self) -> bool:
        """Whether the API server would evict a pod now."""
        return self.dry_eviction(self.pods(self.first)[0]["metadata"]["name"]) is None

    def dry_eviction(self, name: str) -> ApiStatusError | None:
        """What the API server has against the eviction of a pod; nothing is evicted."""
        path = f"/api/v1/namespaces/{self.name}/pods/{name}/eviction"
        body: Json = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": self.name}}
        try:
            self.cluster.client.request("POST", path, query={"dryRun": "All"}, body=body)
        except ApiStatusError as error:
            return error
        return None

    def drain(self, *, check_mode: bool = False, auth: Json | None = None, **options: t.Any) -> Json:
        """The result of the module with these options, whether they are in delete_options or not.

        `auth` are options of the connection that go over the harness' own.
        """
        top: Json = {name: options.pop(name) for name in TOP_LEVEL if name in options}
        arguments: Json = {
            **self.cluster.params,
            **(auth or {}),
            "name": [self.first],
            "delete_options": {"wait_timeout": 40, "wait_sleep": 1, **options},
            **top,
        }
        return run_module("drain_node", arguments, check_mode=check_mode)

    def start_drain(self, **options: t.Any) -> Future[Json]:
        """As `drain`, beside what the test goes on to do."""
        return self._threads.submit(self.drain, **options)

    def operator(self, when: t.Callable[[], t.Any], then: t.Callable[[], t.Any]) -> Future[t.Any]:
        """A controller of the test's own, which does something as soon as it sees something."""

        def work() -> t.Any:
            wait_for("what the operator waits for", when)
            return then()

        return self._threads.submit(work)

    def label(self, pod: str, **labels: str | None) -> None:
        path = f"/api/v1/namespaces/{self.name}/pods/{pod}"
        self.cluster.client.patch(path, {"metadata": {"labels": labels}})

    def user(self, *rules: Json) -> Json:
        """Options of the connection for a new user who may do this and nothing else."""
        self._users += 1
        return rbac_place.user(self.cluster, f"{self.name}-user{self._users}", rules)

    def leave(self) -> None:
        """Take away what the test had made."""
        self._threads.shutdown(wait=True)
        for path in (*self._made, f"/api/v1/nodes/{self.second}", f"/api/v1/namespaces/{self.name}"):
            self.cluster.delete(path)


def _conditions(of: Json) -> list[str]:
    return [each["status"] for each in (of.get("status") or {}).get("conditions") or [] if each["type"] == "Ready"]


def pod_of(result: Json, name: str) -> Json:
    """What a result says of one pod."""
    return t.cast("Json", next(pod for pod in result["pods"] if pod["name"] == name))


def blocks(result: Json, key: str) -> set[t.Any]:
    """What stood in the way of the pods of a result."""
    return {pod["blocked_by"][key] for pod in result["pods"] if pod["blocked_by"]}


@pytest.fixture
def place(cluster: Cluster, fresh_namespace: str) -> t.Iterator[Place]:
    made = Place(cluster, fresh_namespace)
    made.add_node(made.first)
    yield made
    made.leave()
