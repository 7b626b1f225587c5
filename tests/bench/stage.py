# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a case plays: two nodes and a Deployment, whose pods each drain sends from one node to the other."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from bench.cases import NODES, PODS, STOP_AFTER, Case, key_of
from bench.measure import BenchError
from harness import objects
from harness.cluster import STOP_AFTER as STOP_AFTER_ANNOTATION
from harness.cluster import Cluster
from harness.process import wait_for

Json = dict[str, t.Any]

APP = "web"
# So many requests at a time fill a cluster; more do not make two cores faster.
THREADS = 8
CROWD = "crowd"


class Stage:
    """The pods of one case. `full` is the node that they are all on, `empty` the only one that can take them."""

    def __init__(self, cluster: Cluster, case: Case) -> None:
        self._cluster = cluster
        self.case = case
        self.name = key_of(case)
        self.full, self.empty = f"{self.name}-a", f"{self.name}-b"

    def set_up(self) -> None:
        case, pool = self.case, {"pool": self.name}
        self._cluster.apply(objects.namespace(self.name), objects.node(self.full, labels=pool))
        web = objects.deployment(
            APP, self.name, case.pods, node_selector=pool, annotations={STOP_AFTER_ANNOTATION: STOP_AFTER}
        )
        self._cluster.apply(web)
        if case.max_unavailable is not None:
            self._cluster.apply(objects.budget(APP, self.name, APP, maxUnavailable=case.max_unavailable))
        self._wait_all_on(self.full)
        self._cluster.apply(objects.node(self.empty, labels=pool))
        wait_for(f"{self.empty} is Ready", self._other_is_ready, 60)

    def drained(self) -> None:
        """Make ready for the next drain, in the other direction. BenchError where the node was not empty at once."""
        left = self._cluster.client.list("/api/v1/pods", {"fieldSelector": f"spec.nodeName={self.full}"})
        if left:
            raise BenchError(f"{len(left)} of {self.case.pods} pods were still on {self.full}")
        self._wait_all_on(self.empty)
        # What tools note on the node goes as well.
        freed: Json = {"metadata": {"annotations": {"evergreen.kubeadm/cordoned-by": None}}}
        self._cluster.client.patch(f"/api/v1/nodes/{self.full}", {**freed, "spec": {"unschedulable": None}})
        self.full, self.empty = self.empty, self.full
        wait_for(f"{self.empty} takes pods", self._other_is_ready, 60)

    def tear_down(self) -> None:
        """Take the case away, so that the next one does not have its load."""
        self._cluster.delete(f"/apis/apps/v1/namespaces/{self.name}/deployments/{APP}")
        pods = f"/api/v1/namespaces/{self.name}/pods"
        wait_for("the pods of the case are gone", lambda: not self._cluster.client.list(pods), 120, pause_s=0.5)
        for path in (f"nodes/{self.full}", f"nodes/{self.empty}", f"namespaces/{self.name}"):
            self._cluster.delete(f"/api/v1/{path}")

    def _wait_all_on(self, node: str) -> None:
        what = f"{self.case.pods} pods are Ready on {node} and their budget knows it"
        wait_for(what, lambda: self._all_on(node) and self._budget_is_full(), 180, pause_s=0.5)

    def _all_on(self, node: str) -> bool:
        pods = self._cluster.client.list(f"/api/v1/namespaces/{self.name}/pods")
        return len(pods) == self.case.pods and all(
            each["spec"].get("nodeName") == node and is_ready(each) and not each["metadata"].get("deletionTimestamp")
            for each in pods
        )

    def _budget_is_full(self) -> bool:
        """Whether the budget, where there is one, has seen that all pods are healthy."""
        if self.case.max_unavailable is None:
            return True
        path = f"/apis/policy/v1/namespaces/{self.name}/poddisruptionbudgets/{APP}"
        status = self._cluster.client.get(path).get("status") or {}
        return bool(
            status.get("disruptionsAllowed")
            and not status.get("disruptedPods")
            and status["currentHealthy"] == status["expectedPods"] == self.case.pods
        )

    def _other_is_ready(self) -> bool:
        found = self._cluster.client.get(f"/api/v1/nodes/{self.empty}")
        return is_ready(found) and not found["spec"].get("taints") and not found["spec"].get("unschedulable")


def is_ready(thing: Json) -> bool:
    """Whether the condition Ready of a pod or node is true."""
    conditions = (thing.get("status") or {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def crowd(cluster: Cluster, nodes: int, pods: int, progress: t.Callable[[str], None]) -> None:
    """Have `nodes` nodes with `pods` running pods beside those of a case; the pods are bound as they are made."""
    cluster.apply(objects.namespace(CROWD))
    names = [f"{CROWD}-{number}" for number in range(nodes)]
    made = [objects.pod(f"p{number}", CROWD, on=names[number % nodes]) for number in range(pods)]
    with ThreadPoolExecutor(max_workers=THREADS) as threads:
        progress(f"making {nodes} nodes")
        list(threads.map(cluster.apply, map(objects.node, names)))
        wait_for("the nodes are Ready", lambda: _all_ready(cluster, nodes), 180, pause_s=3)
        progress(f"making {pods} pods")
        list(
            threads.map(lambda pod: cluster.client.request("POST", f"/api/v1/namespaces/{CROWD}/pods", body=pod), made)
        )
    progress("waiting until they run")
    wait_for("the pods run", lambda: not _some_not_running(cluster), 300, pause_s=3)


def _all_ready(cluster: Cluster, at_least: int) -> bool:
    nodes = cluster.client.list("/api/v1/nodes")
    return len(nodes) >= at_least and all(is_ready(each) and not each["spec"].get("taints") for each in nodes)


def _some_not_running(cluster: Cluster) -> bool:
    query = {"fieldSelector": "status.phase!=Running", "limit": "1"}
    return bool(cluster.client.get(f"/api/v1/namespaces/{CROWD}/pods", query=query).get("items"))


def crowd_of(case: Case) -> tuple[int, int]:
    """How many nodes and pods are to be there beside the two nodes and the pods of the case."""
    return NODES - 2, PODS - case.pods
