# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How drain_node orders pods, moves single ones, and waits for what else holds a node."""

from __future__ import annotations

import threading
import time
import typing as t

from drain_place import Place
from harness import objects
from harness.process import wait_for

Json = dict[str, t.Any]
SLOW = {"evergreen.test/stop-after": "1s"}


def _by_app(result: Json) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = {}
    for pod in result["pods"]:
        app = (pod["owner"] or pod["name"]).split("/")[-1].split("-")[0]
        found.setdefault(app, []).append(pod)
    return found


def _one(result: Json) -> Json:
    (pod,) = result["pods"]
    return t.cast("Json", pod)


class Availability:
    """Counts, for as long as it runs, how few pods of an app are Ready and not stopping."""

    def __init__(self, place: Place, app: str) -> None:
        self._place = place
        self._app = app
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.fewest = 1000
        self.looks = 0

    def __enter__(self) -> Availability:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.is_set():
            serving = [
                pod
                for pod in self._place.pods()
                if pod["metadata"]["labels"].get("app") == self._app
                and "deletionTimestamp" not in pod["metadata"]
                and any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions") or [])
            ]
            self.fewest = min(self.fewest, len(serving))
            self.looks += 1
            time.sleep(0.02)


def test_groups_leave_one_after_the_other(place: Place) -> None:
    place.web(3, name="front", annotations=SLOW)
    place.web(3, name="back", annotations=SLOW)
    place.web(2, name="middle", annotations=SLOW)
    place.add_node(place.second)
    rules = [{"selector": "app=back", "order": 10}, {"selector": "app in (front)", "order": -5}]
    predicted = place.drain(pod_rules=rules, check_mode=True)
    done = place.drain(pod_rules=rules)
    assert done["totals"]["gone"] == 8, done
    assert (
        [pod["order"] for pod in predicted["pods"]]
        == [pod["order"] for pod in done["pods"]]
        == [-5] * 3
        + [
            0,
            0,
        ]
        + [10] * 3
    )
    by_app = _by_app(done)
    for before, after in (("front", "middle"), ("middle", "back")):
        assert max(pod["gone_at"] for pod in by_app[before]) <= min(pod["evicted_at"] for pod in by_app[after])


def test_lower_priorities_leave_first_where_asked(place: Place) -> None:
    name = f"{place.name}-high"
    place.cluster.apply(
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": 1000,
        }
    )
    place.web(2, name="low", annotations=SLOW)
    place.web(2, name="high", annotations=SLOW, priorityClassName=name)
    done = place.drain(order_by_priority=True)
    by_app = _by_app(done)
    assert max(pod["gone_at"] for pod in by_app["low"]) <= min(pod["evicted_at"] for pod in by_app["high"])
    place.cluster.delete(f"/apis/scheduling.k8s.io/v1/priorityclasses/{name}")


def test_labels_and_rules_keep_pods_or_wait_for_their_end(place: Place) -> None:
    label = "cluster.x-k8s.io/drain"
    place.cluster.apply(
        objects.pod("stays", place.name, on=place.first, labels={label: "skip"}),
        objects.pod("stays-too", place.name, on=place.first, labels={"app": "agent"}),
        objects.pod("job", place.name, on=place.first, labels={label: "wait-completed"}),
    )
    wait_for("the pods run", lambda: sum(pod["status"]["phase"] == "Running" for pod in place.pods()) == 3)
    rules = [{"selector": "app=agent", "namespaces": [place.name], "behaviour": "skip"}]

    # None of them has a controller, and none is removed: nothing forbids the drain.
    late = place.drain(pod_rules=rules, wait_timeout=2)
    assert late["failed"] and [entry["name"] for entry in late["left"]] == ["job"]
    assert late["left"][0]["reason"] == "not completed yet (Running)"

    predicted = place.drain(pod_rules=rules, check_mode=True)
    outcomes = {pod["name"]: (pod["decision"], pod["outcome"]) for pod in predicted["pods"]}
    assert outcomes == {
        "stays": ("skip", "untouched"),
        "stays-too": ("skip", "untouched"),
        "job": ("wait_completed", "would_wait"),
    }
    path = f"/api/v1/namespaces/{place.name}/pods/job/status"
    ends = threading.Timer(2, lambda: place.cluster.client.patch(path, {"status": {"phase": "Succeeded"}}))
    ends.start()
    done = place.drain(pod_rules=rules)
    ends.join()
    assert not done.get("failed"), done
    assert {pod["name"]: pod["outcome"] for pod in done["pods"]} == {
        "stays": "untouched",
        "stays-too": "untouched",
        "job": "completed",
    }
    assert done["totals"]["completed"] == 1 and done["totals"]["evicted"] == 0
    assert len(place.pods(place.first)) == 3


def test_a_single_pod_moves_by_a_rollout_without_a_gap(place: Place) -> None:
    place.web(1, annotations=SLOW)
    place.budget("web", 0, minAvailable=1)
    told = place.drain(check_mode=True)["warnings"]
    assert "surge_singletons" in str(told), told
    place.add_node(place.second)
    predicted = place.drain(surge_singletons=True, check_mode=True)
    assert predicted["changed"] and _one(predicted)["outcome"] == "would_be_surged", predicted
    with Availability(place, "web") as seen:
        done = place.drain(surge_singletons=True)
    assert not done.get("failed"), done
    pod = _one(done)
    assert (pod["decision"], pod["outcome"], pod["evicted_at"]) == ("surge", "gone", None)
    assert pod["surged_at"] <= pod["gone_at"] and done["changed"]
    assert seen.fewest == 1 and seen.looks > 20
    assert [found["spec"]["nodeName"] for found in place.pods()] == [place.second]
    again = place.drain(surge_singletons=True)
    assert not again["changed"] and again["pods"] == []


def test_a_rollout_that_an_earlier_run_began_is_waited_for(place: Place) -> None:
    place.web(1)
    # Nowhere can the new pod run yet.
    late = place.drain(surge_singletons=True, wait_timeout=3)
    assert late["failed"] and "The old pod still runs" in late["msg"], late
    assert "rollout undo deployment/web" in late["hint"]
    assert _one(late)["blocked_by"]["kind"] == "rollout"
    (running,) = place.pods(place.first)
    assert "deletionTimestamp" not in running["metadata"]
    generation = _deployment(place)["metadata"]["generation"]

    with Availability(place, "web") as seen:
        again = place.start_drain(surge_singletons=True)
        time.sleep(2)
        place.add_node(place.second)
        done = again.result()
    assert _one(done)["outcome"] == "gone" and seen.fewest == 1, done
    assert _deployment(place)["metadata"]["generation"] == generation


def _deployment(place: Place) -> Json:
    return place.cluster.client.get(f"/apis/apps/v1/namespaces/{place.name}/deployments/web")


def test_a_single_pod_that_cannot_be_surged_says_why_and_is_evicted(place: Place) -> None:
    place.web(1)
    patch: Json = {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}}
    place.cluster.client.patch(f"/apis/apps/v1/namespaces/{place.name}/deployments/web", patch)
    place.add_node(place.second)
    done = place.drain(surge_singletons=True)
    pod = _one(done)
    assert (pod["decision"], pod["outcome"]) == ("evict", "gone"), done
    assert pod["reason"] == "movable; not moved by a rollout: the strategy of its Deployment is Recreate"


def test_evictions_keep_the_pace_of_their_budget(place: Place) -> None:
    place.web(20, annotations=SLOW)
    place.budget("web", 2, maxUnavailable=2)
    place.add_node(place.second)
    done = place.drain(wait_timeout=120)
    assert done["totals"]["gone"] == 20, done
    # Asked in vain at most now and then, where a status was overtaken.
    assert done["totals"]["attempts"] <= 24, done["totals"]


def test_budgets_say_what_helps(place: Place) -> None:
    place.web(2, annotations={"evergreen.test/never-ready": "yes"})
    place.budget("web", 0, minAvailable=1)
    (found,) = place.drain(check_mode=True)["budgets"]
    assert found["verdict"] == "will_wait"
    assert found["unhealthy_pod_eviction_policy"] == "IfHealthyBudget"
    assert len(found["unhealthy_pods"]) == 2
    assert "Mend the 2 pods" in found["advice"] and "AlwaysAllow" in found["advice"]
    # And so it is.
    path = f"/apis/policy/v1/namespaces/{place.name}/poddisruptionbudgets/web"
    place.cluster.client.patch(path, {"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}})
    done = place.drain()
    assert done["totals"]["gone"] == 2 and done["budgets"][0]["verdict"] == "free", done


def _attach(place: Place, name: str, volume: str) -> None:
    place.cluster.client.request(
        "POST",
        "/apis/storage.k8s.io/v1/volumeattachments",
        body={
            "apiVersion": "storage.k8s.io/v1",
            "kind": "VolumeAttachment",
            "metadata": {"name": name},
            "spec": {
                "attacher": "csi.example.org",
                "nodeName": place.first,
                "source": {"persistentVolumeName": volume},
            },
        },
    )


def test_waits_until_volumes_are_detached(place: Place) -> None:
    held, kept = f"{place.name}-held", f"{place.name}-kept"
    place.cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "kept", "namespace": place.name},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
                "volumeName": kept,
                "storageClassName": "",
            },
        },
        objects.pod(
            "stays",
            place.name,
            on=place.first,
            labels={"cluster.x-k8s.io/drain": "skip"},
            volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "kept"}}],
        ),
    )
    place.web(1)
    for name in (held, kept):
        _attach(place, name, name)
    path = "/apis/storage.k8s.io/v1/volumeattachments"
    try:
        predicted = place.drain(wait_for_volume_detach=True, check_mode=True)
        assert [(entry["volume"], entry["detached_at"]) for entry in predicted["volumes"]] == [(held, None)]
        late = place.drain(wait_for_volume_detach=True, wait_timeout=4)
        assert late["failed"] and f"still has volumes attached: {held}." in late["msg"], late
        assert late["totals"]["gone"] == 1
        helper = threading.Timer(3, lambda: place.cluster.delete(f"{path}/{held}"))
        helper.start()
        done = place.drain(wait_for_volume_detach=True)
        helper.join()
        assert not done.get("failed"), done
        assert [(entry["volume"], bool(entry["detached_at"])) for entry in done["volumes"]] == [(held, True)]
        assert done["duration_s"] > 2
    finally:
        for name in (held, kept):
            place.cluster.delete(f"{path}/{name}")


def test_pods_whose_kubelet_is_dead_are_not_waited_for_where_allowed(place: Place) -> None:
    # Nobody runs this node, and the control plane says so.
    place.cluster.apply(objects.node(place.second, faked=False))
    status = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "silent"}
    path = f"/api/v1/nodes/{place.second}/status"
    place.cluster.client.patch(path, {"status": {"conditions": [status]}})
    place.cluster.apply(objects.pod("lost", place.name, on=place.second))
    late = place.drain(name=place.second, force=True, wait_timeout=4)
    assert late["failed"] and "no kubelet confirms" in late["left"][0]["reason"], late

    done = place.drain(name=place.second, force=True, unreachable_timeout=2)
    assert not done.get("failed"), done
    assert _one(done)["outcome"] == "abandoned" and done["totals"]["abandoned"] == 1
    assert "nobody knows whether it still runs" in str(done["warnings"])
    # It is left to the control plane: nothing was deleted by force.
    assert [pod["metadata"]["name"] for pod in place.pods(place.second)] == ["lost"]
    # A node whose kubelet answers is waited for.
    place.cluster.apply(objects.pod("slow", place.name, on=place.first, stop_after="4s"))
    patient = place.drain(force=True, unreachable_timeout=1)
    assert _one(patient)["outcome"] == "gone" and patient["duration_s"] > 3, patient


def test_contradictions_are_told_and_nothing_is_changed(place: Place) -> None:
    place.web(1)
    for options, told in (
        ({"wait_for_volume_detach": True, "pod_selectors": ["app=web"]}, "give one of the two"),
        ({"surge_singletons": True, "state": "cordoned"}, "the state is cordoned"),
        ({"pod_selectors": ["app in web"]}, "'app in web' is no requirement"),
        ({"pod_rules": [{"selector": "app==="}]}, "'app===' is no requirement"),
        ({"wait_sleep": -1}, "must be at least 0"),
    ):
        result = place.drain(**options)
        assert result["failed"] and told in result["msg"], (options, result)
    assert "unschedulable" not in place.node()["spec"]
    assert len(place.pods(place.first)) == 1
