# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""drain_node as a program, against a real API server with real budgets."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from drain_place import Json, Place, blocks, pod_of
from harness import objects, webhook
from harness.cluster import NEVER_READY, Cluster
from harness.modules import run_module
from harness.process import wait_for
from harness.webhook import denying_evictions


def test_plain_drain_is_predicted_done_and_not_done_again(place: Place) -> None:
    place.web(10, annotations={"evergreen.test/stop-after": "1s"})
    place.add_node(place.second)
    before = place.node()["metadata"]["resourceVersion"], [pod["metadata"]["resourceVersion"] for pod in place.pods()]

    predicted = place.drain(check_mode=True, run_id="r1")
    assert predicted["changed"]
    assert {pod["outcome"] for pod in predicted["pods"]} == {"would_be_evicted"}
    assert not place.is_cordoned()
    after = place.node()["metadata"]["resourceVersion"], [pod["metadata"]["resourceVersion"] for pod in place.pods()]
    assert before == after

    done = place.drain(run_id="r1")
    assert done["changed"] and done["cordoned_by_us"], done
    assert done["totals"] | {"attempts": 0} == predicted["totals"] | {"attempts": 0, "evicted": 10, "gone": 10}
    for result in (predicted, done):
        assert [(pod["name"], pod["decision"]) for pod in result["pods"]] == [
            (pod["name"], "evict") for pod in predicted["pods"]
        ]
    # Evicted at the same time: ten times one second one after the other would show.
    assert done["duration_s"] < 6
    assert all(
        pod["evicted_at"] <= pod["gone_at"] and pod["owner"].startswith("ReplicaSet/web-") for pod in done["pods"]
    )
    assert place.pods(place.first) == []
    assert done["cordons"][0]["run"] == "r1"
    assert done["diff"]["before"][place.first]["unschedulable"] is False
    assert done["diff"]["after"][place.first] == predicted["diff"]["after"][place.first] | {
        "at": done["cordons"][0]["at"]
    }

    for check_mode in (True, False):
        again = place.drain(check_mode=check_mode, run_id="r2")
        assert not again["changed"] and again["pods"] == [], again
        assert again["cordons"][0]["run"] == "r1"
    wait_for("the pods run elsewhere", lambda: len(place.pods(place.second)) == 10)


def test_waits_for_a_budget_until_it_lets_go(place: Place) -> None:
    place.web(3)
    place.budget("web", 1, minAvailable=2)
    # Nowhere else can a replacement run yet, so that the budget stays used up after the first eviction.
    later = threading.Timer(4, lambda: place.add_node(place.second))
    later.start()
    result = place.drain()
    later.join()
    assert result["totals"]["gone"] == 3, result
    assert [(entry["name"], entry["verdict"]) for entry in result["budgets"]] == [("web", "will_wait")]
    found = {key: blocks(result, key) for key in ("kind", "name", "needed", "healthy")}
    assert found == {"kind": {"budget"}, "name": {"web"}, "needed": {2}, "healthy": {2}}
    assert result["duration_s"] > 3.5
    assert result["totals"]["attempts"] > 4


def test_timeout_is_a_failure_that_names_what_is_left_and_why(place: Place) -> None:
    place.web(3)
    place.budget("web", 1, minAvailable=2)
    place.cluster.apply(objects.pod("stuck", place.name, on=place.first, stop_after="60s"))
    result = place.drain(wait_timeout=4, force=True)
    assert result["failed"] and result["changed"]
    assert len(result["left"]) == 3
    reasons = {entry["name"]: entry["reason"] for entry in result["left"]}
    assert reasons.pop("stuck").startswith("terminating, should be gone since 20")
    assert set(reasons.values()) == {"The disruption budget web needs 2 healthy pods and has 2 currently"}
    assert all(name in result["msg"] for name in reasons)
    assert "stays cordoned" in result["hint"]
    assert place.is_cordoned()
    assert 4 <= result["duration_s"] < 7
    place.kill("stuck")


def test_a_budget_that_lets_none_go_is_told_and_waited_for(place: Place) -> None:
    place.web(1)
    place.web(1, name="other")
    place.budget("web", 0, minAvailable=1)
    place.add_node(place.second)
    foreseen = place.drain(check_mode=True)
    assert not foreseen.get("failed"), foreseen
    assert "1 pods must be healthy and only 1 are expected" in str(foreseen["warnings"])
    outcomes = {pod["owner"].split("/")[1].split("-")[0]: pod["outcome"] for pod in foreseen["pods"]}
    assert outcomes == {"web": "would_wait", "other": "would_be_evicted"}
    assert not place.is_cordoned()

    helper = threading.Timer(2, lambda: place.cluster.kubectl("delete", "pdb", "web", "-n", place.name))
    helper.start()
    result = place.drain()
    helper.join()
    assert not result.get("failed") and result["totals"]["gone"] == 2, result


def test_two_budgets_for_one_pod_are_named(place: Place) -> None:
    place.web(2)
    place.budget("web-1", 1, maxUnavailable=1)
    place.budget("web-2", 1, maxUnavailable=1)
    late = place.drain(wait_timeout=3)
    assert late["failed"] and "has the budgets web-1 and web-2" in late["msg"], late
    # What the API server itself says.
    assert "more than one PodDisruptionBudget" in late["msg"] and blocks(late, "kind") == {"budget"}
    assert len(place.pods(place.first)) == 2
    place.add_node(place.second)
    helper = threading.Timer(2, lambda: place.drop_budget("web-2"))
    helper.start()
    result = place.drain()
    helper.join()
    assert not result.get("failed") and result["totals"]["gone"] == 2, result


def test_pods_that_may_not_go_are_all_named_and_the_cordon_is_taken_back(place: Place) -> None:
    place.web(1)
    empty_dir: Json = {"volumes": [{"name": "data", "emptyDir": {}}]}
    place.cluster.apply(
        objects.pod("bare", place.name, on=place.first, **empty_dir),
        objects.deployment("agent", place.name, 0, node_selector=place.pool, kind="DaemonSet"),
        objects.pod("static", place.name, on=place.first, annotations={"kubernetes.io/config.mirror": "x"}),
    )
    wait_for("the DaemonSet has its pod", lambda: len(place.pods(place.first)) == 4)
    for check_mode in (True, False):
        result = place.drain(delete_emptydir_data=True, check_mode=check_mode)
        assert result["failed"] and not result["changed"]
        assert f"{place.name}/bare" in result["msg"] and f"{place.name}/agent-" in result["msg"]
        assert "force, ignore_daemonsets" in result["hint"] or "force, ignore_daemonsets" in result["msg"]
        assert pod_of(result, "static")["decision"] == "skip"
    assert not place.is_cordoned()
    assert "annotations" not in place.node()["metadata"] or not any(
        key.startswith("evergreen.kubeadm/") for key in place.node()["metadata"]["annotations"]
    )
    assert len(place.pods(place.first)) == 4

    result = place.drain(force=True, delete_emptydir_data=True, ignore_daemonsets=True)
    assert result["totals"]["gone"] == 2 and result["totals"]["skip"] == 2, result
    assert len(pod_of(result, "bare")["warnings"]) == 2
    assert len(result["warnings"]) == 2


def test_a_cordon_that_was_there_before_is_kept_after_a_refusal(place: Place) -> None:
    place.cluster.apply(objects.pod("bare", place.name, on=place.first))
    place.cluster.kubectl("cordon", place.first)
    result = place.drain()
    assert result["failed"] and not result["changed"]
    assert place.is_cordoned()


def test_grace_period_zero_removes_at_once(place: Place) -> None:
    place.web(2, annotations={"evergreen.test/stop-after": "60s"})
    place.add_node(place.second)
    result = place.drain(terminate_grace_period=0)
    assert result["totals"]["gone"] == 2, result
    assert result["duration_s"] < 5


def test_no_time_to_wait_is_one_try_each(place: Place) -> None:
    place.web(2, annotations={"evergreen.test/stop-after": "3s"})
    result = place.drain(wait_timeout=0)
    assert result["failed"] and result["changed"]
    assert [pod["attempts"] for pod in result["pods"]] == [1, 1]
    assert {pod["outcome"] for pod in result["pods"]} == {"evicted"}
    # Run again, it waits for what is terminating already, and that is no change of its own.
    place.add_node(place.second)
    result = place.drain()
    assert not result["changed"] and result["totals"]["wait"] == 2, result
    assert result["totals"]["gone"] == 2


def test_deleting_instead_of_evicting_ignores_budgets(place: Place) -> None:
    place.web(1)
    place.budget("web", 0, minAvailable=1)
    predicted = place.drain(disable_eviction=True, check_mode=True)
    assert predicted["pods"][0]["outcome"] == "would_be_evicted"
    assert len(place.pods(place.first)) == 1
    result = place.drain(disable_eviction=True)
    assert result["totals"]["gone"] == 1, result


def test_unready_pods_behind_a_budget_that_lets_them_go(place: Place) -> None:
    place.web(2, annotations={NEVER_READY: "yes"})
    place.budget("web", 0, minAvailable=1, unhealthyPodEvictionPolicy="AlwaysAllow")
    result = place.drain()
    assert result["budgets"][0]["verdict"] == "free"
    assert result["totals"]["gone"] == 2, result


def test_only_selected_pods_are_removed(place: Place) -> None:
    place.web(1)
    place.web(1, name="other")
    result = place.drain(pod_selectors=["app=web"])
    assert [pod["owner"].split("-")[0] for pod in result["pods"]] == ["ReplicaSet/web"]
    assert [pod["metadata"]["labels"]["app"] for pod in place.pods(place.first)] == ["other"]


def test_pods_of_a_namespace_that_is_being_deleted(place: Place) -> None:
    place.cluster.apply(
        objects.pod("last", place.name, on=place.first, annotations={"evergreen.test/stop-after": "2s"})
    )
    place.cluster.delete(f"/api/v1/namespaces/{place.name}")
    result = place.drain(force=True)
    assert not result.get("failed"), result
    assert place.pods(place.first) == []


def test_a_webhook_that_asks_for_patience_gets_it(place: Place, tmp_path: Path) -> None:
    place.web(1)
    with denying_evictions(place.cluster, place.name, tmp_path, times=3, code=429, message="still moving it"):
        wait_for("the webhook is in force", lambda: not place.evictable())
        result = place.drain()
    assert result["totals"]["gone"] == 1, result
    assert result["pods"][0]["attempts"] >= 2
    assert blocks(result, "message") == {f'admission webhook "{webhook.NAME}" denied the request: still moving it'}


def test_missing_rights_are_named(cluster: Cluster, place: Place) -> None:
    place.web(1)
    role: Json = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": place.name}}
    role["rules"] = [{"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["get", "list", "watch"]}]
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": place.name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": place.name},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "viewer"}],
    }
    cluster.apply(role, binding)
    arguments = {**cluster.params, "name": [place.first], "impersonate_user": "viewer"}
    result = run_module("drain_node", arguments)
    assert result["failed"] and not result["changed"]
    assert "Grant the verb patch on nodes, cluster-wide to the user viewer" in result["msg"]
    result = run_module("drain_node", {**cluster.params, "name": [place.first], "api_key": "wrong"})
    assert result["failed"] and "401" in result["msg"] and "wrong" not in result["msg"]
    result = run_module("drain_node", {**cluster.params, "name": ["no-such-node"]})
    assert result["msg"].startswith("There is no node no-such-node")


def test_uncordon_leaves_alone_what_others_cordoned(place: Place) -> None:
    place.cluster.kubectl("cordon", place.first)
    result = place.drain(state="uncordoned")
    assert not result["changed"] and not result["cordoned_by_us"] and "somebody else" in str(result["warnings"])
    assert place.is_cordoned()
    result = place.drain(state="uncordoned", only_own=False)
    assert result["changed"] and not place.is_cordoned()

    for check_mode, changed in ((True, True), (False, True), (True, False), (False, False)):
        result = place.drain(state="cordoned", run_id="r1", check_mode=check_mode)
        assert result["changed"] is changed and result["cordoned_by_us"], (check_mode, result)
    # Uncordoned and cordoned again by hand: the annotation is ours, the cordon is not.
    place.cluster.kubectl("uncordon", place.first)
    place.cluster.kubectl("cordon", place.first)
    result = place.drain(state="uncordoned")
    assert not result["changed"] and place.is_cordoned()
    place.cluster.kubectl("uncordon", place.first)

    place.drain(state="cordoned", run_id="r2")
    for check_mode, changed in ((True, True), (False, True), (True, False), (False, False)):
        result = place.drain(state="uncordoned", run_id="r3", check_mode=check_mode)
        assert result["changed"] is changed, (check_mode, result)
    assert not place.is_cordoned()
    assert "evergreen.kubeadm/cordoned-by" not in place.node()["metadata"]["annotations"]


def test_goes_on_after_the_api_server_was_restarted(place: Place) -> None:
    place.web(5, annotations={"evergreen.test/stop-after": "3s"})
    place.budget("web", 2, maxUnavailable=2)
    place.add_node(place.second)
    results: list[Json] = []
    drain = threading.Thread(target=lambda: results.append(place.drain(wait_timeout=60)))
    drain.start()
    wait_for("the first pods terminate", lambda: any("deletionTimestamp" in pod["metadata"] for pod in place.pods()))
    place.cluster.api_server.stop(kill=True)
    time.sleep(1.5)
    place.cluster.start_api_server()
    drain.join()
    (result,) = results
    assert not result.get("failed"), result
    assert result["totals"]["gone"] == 5, result
    assert place.pods(place.first) == []
