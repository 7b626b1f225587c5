# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods that come to a node although it is cordoned, by a scheduler or past it, and how a drain ends all the same."""

from __future__ import annotations

import threading
import typing as t
from contextlib import contextmanager

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.auth import connect
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.io import DrainApi
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import Options
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.work import Work
from drain_place import Json, Place
from harness import objects
from harness.process import wait_for

# So that the next pod is there before the one that it takes the place of is gone.
SLOW = {"evergreen.test/stop-after": "1s"}
EVERYTHING = [{"operator": "Exists"}]


def by_decision(result: Json, decision: str) -> list[Json]:
    return [pod for pod in result["pods"] if pod["decision"] == decision]


def test_a_deployment_that_tolerates_the_cordon_is_evicted_once_and_then_left(place: Place) -> None:
    """It has no other node to go to, as where its ports are those of the node and the others are taken."""
    place.web(2)
    place.web(1, "net-operator", on=place.first, annotations=SLOW, tolerations=EVERYTHING)
    place.add_node(place.second)
    result = place.drain(wait_timeout=30)
    assert not result.get("failed"), result
    (kept,) = by_decision(result, "returns")
    assert (kept["outcome"], kept["attempts"], kept["owner"].split("-")[0]) == ("untouched", 0, "ReplicaSet/net"), kept
    assert result["totals"] | {"attempts": 0} == result["totals"] | {
        "attempts": 0,
        "evict": 3,
        "evicted": 3,
        "gone": 3,
        "returns": 1,
    }
    assert f"of Deployment {place.name}/net-operator: it came after the cordon" in str(result["warnings"])
    assert result["duration_s"] < 20 and place.stopping() == []
    assert [pod["metadata"]["name"] for pod in place.pods(place.first)] == [kept["name"]]

    # What is left is left by the next drain as well.
    for check_mode in (True, False):
        again = place.drain(check_mode=check_mode)
        assert not again.get("failed") and not again["changed"], again
        assert [pod["uid"] for pod in by_decision(again, "returns")] == [kept["uid"]]


def test_a_single_pod_that_tolerates_the_cordon_is_one_rollout(place: Place) -> None:
    place.web(1, tolerations=EVERYTHING)
    path = f"/apis/apps/v1/namespaces/{place.name}/deployments/web"
    before = place.cluster.client.get(path)["metadata"]["generation"]
    result = place.drain(surge_singletons=True, wait_timeout=30)
    assert not result.get("failed"), result
    assert result["totals"] | {"attempts": 0} == result["totals"] | {"attempts": 0, "surge": 1, "returns": 1, "gone": 1}
    assert place.cluster.client.get(path)["metadata"]["generation"] == before + 1
    assert f"of Deployment {place.name}/web" in str(result["warnings"])


@contextmanager
def put_back(place: Place, kind: str, api_version: str, uid: str, **spec: t.Any) -> t.Iterator[None]:
    """A controller that keeps one pod on the first node, whatever is done to it."""
    owner = {"apiVersion": api_version, "kind": kind, "name": "agent", "uid": uid, "controller": True}
    ended = threading.Event()

    def work() -> None:
        number = 0
        while not ended.is_set():
            living = [pod for pod in place.pods() if not pod["metadata"].get("deletionTimestamp")]
            if not living:
                number += 1
                place.cluster.apply(objects.pod(f"agent-{number}", place.name, owner=owner, stop_after="1s", **spec))
            ended.wait(0.05)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        wait_for("its pod runs", lambda: place.pods(place.first) and place.pods(place.first)[0]["status"].get("podIP"))
        yield
    finally:
        ended.set()
        thread.join()


def test_a_controller_that_binds_its_pods_to_the_node_is_evicted_twice_at_most(place: Place) -> None:
    """It asks no scheduler, so its pods need not tolerate anything."""
    settings = objects.controlled("ConfigMap", "v1", "agent", place.name, {})
    (owner,) = place.cluster.apply(settings)
    with put_back(place, "ConfigMap", "v1", owner["metadata"]["uid"], on=place.first):
        result = place.drain(wait_timeout=30)
    assert not result.get("failed"), result
    assert result["totals"]["evicted"] == 2 and len(by_decision(result, "returns")) == 1, result["totals"]
    assert "came back 2 times although the node is cordoned" in str(result["warnings"])


def test_a_daemonset_of_another_group_is_left_where_it_comes_back(place: Place) -> None:
    """As OpenKruise's: it binds by affinity, and its pods tolerate what those of a DaemonSet do."""
    group, version = "apps.kruise.io", "v1alpha1"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"daemonsets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "DaemonSet", "plural": "daemonsets"},
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    place.cluster.client.request("POST", crds, body=definition)
    try:
        kruise = objects.controlled("DaemonSet", f"{group}/{version}", "agent", place.name, {})
        path = f"/apis/{group}/{version}/namespaces/{place.name}/daemonsets"

        def made() -> Json | None:
            served = place.cluster.client.raw("GET", path)[0] == 200
            return place.cluster.client.request("POST", path, body=kruise) if served else None

        owner = wait_for("the kind is served", made)
        term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [place.first]}]}
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
        spec: Json = {
            "affinity": {"nodeAffinity": required},
            "tolerations": [{"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"}],
        }
        with put_back(place, "DaemonSet", f"{group}/{version}", owner["metadata"]["uid"], **spec):
            result = place.drain(wait_timeout=30, ignore_daemonsets=True)
        assert not result.get("failed"), result
        assert result["totals"]["evicted"] == 1 and len(by_decision(result, "returns")) == 1, result["totals"]
        assert "of DaemonSet" in str(result["warnings"])
    finally:
        place.cluster.delete(f"{crds}/daemonsets.{group}")


class Interrupted(DrainApi):
    """Real requests; after the first list of pods something happens that the drain could not see in it."""

    def __init__(self, place: Place, then: t.Callable[[], None]) -> None:
        super().__init__(place.cluster.client, Deadline(30))
        self._then: t.Callable[[], None] | None = then

    def pods(self, node: str, selector: str = "") -> tuple[list[Json], str]:
        found = super().pods(node, selector)
        then, self._then = self._then, None
        if then:
            then()
        return found


def drained(place: Place, api: DrainApi) -> Json:
    work = Work(api, Options(wait_timeout=30, force=True), Deadline(30), run_id="", check_mode=False)
    work.drain([place.first])
    return work.report()


def test_a_pod_that_was_on_its_way_to_an_empty_node_is_evicted(place: Place) -> None:
    """The scheduler had placed it before it saw the cordon, and it is bound after the node was found to be empty."""
    result = drained(place, Interrupted(place, lambda: place.bare("late")))
    assert [(pod["name"], pod["decision"], pod["outcome"]) for pod in result["pods"]] == [("late", "evict", "gone")]
    assert place.pods(place.first) == []


def test_a_pod_that_was_on_its_way_beside_others_is_evicted(place: Place) -> None:
    place.bare("there", stop_after="1s")
    result = drained(place, Interrupted(place, lambda: place.bare("late")))
    assert {pod["name"]: pod["outcome"] for pod in result["pods"]} == {"there": "gone", "late": "gone"}
    assert place.pods(place.first) == []


class Astray(DrainApi):
    """The first eviction goes to a path that the API server does not know, as behind a load balancer with a fault."""

    def __init__(self, place: Place) -> None:
        super().__init__(place.cluster.client, Deadline(30))
        wrong = {"host": f"{place.cluster.url}/wrong"}
        self._wrong = DrainApi(connect({**place.cluster.params, **wrong}), Deadline(30))
        self.strayed = 0

    def remove(self, pod: Json, options: Options, *, dry_run: bool = False) -> None:
        if not self.strayed:
            self.strayed += 1
            self._wrong.remove(pod, options, dry_run=dry_run)
        super().remove(pod, options, dry_run=dry_run)


def test_a_404_that_is_not_about_the_pod_does_not_count_as_its_end(place: Place) -> None:
    place.bare("p")
    api = Astray(place)
    result = drained(place, api)
    assert api.strayed == 1 and place.pods(place.first) == [], result
    assert [(pod["outcome"], pod["attempts"]) for pod in result["pods"]] == [("gone", 2)]


class Forgetful(Interrupted):
    """One pod is asked for by the name of another, which is what the API server then denies to know."""

    asked = 1

    def remove(self, pod: Json, options: Options, *, dry_run: bool = False) -> None:
        if self.asked:
            self.asked -= 1
            pod = {**pod, "metadata": {**pod["metadata"], "name": "nobody"}}
        super().remove(pod, options, dry_run=dry_run)


def test_a_pod_that_counts_as_gone_and_is_still_listed_is_opened_again(place: Place) -> None:
    place.bare("p")
    result = drained(place, Forgetful(place, lambda: None))
    assert place.pods(place.first) == [], result
    assert [(pod["outcome"], pod["attempts"]) for pod in result["pods"]] == [("gone", 2)]
