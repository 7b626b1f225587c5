# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an API server answers to a drain: each answer provoked for real.

Missing rights are in test_drain_rbac.py, what a network does in
test_drain_connection.py; budgets, webhooks that deny, several budgets and a
restarted API server in test_drain.py.
"""

from __future__ import annotations

import socket
import threading
import time
import typing as t
from contextlib import contextmanager

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.auth import connect
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import ApiStatusError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.answers import judge_answer
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.io import Conflict, DrainApi
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import Options
from drain_place import Json, Place, blocks
from harness import objects
from harness.cluster import Cluster, path_of
from harness.process import free_ports, wait_for

FLOW_CONTROL = "flowcontrol.apiserver.k8s.io"


def uid(pod: Json) -> str:
    return str(pod["metadata"]["uid"])


def refused(api: DrainApi, pod: Json, **options: t.Any) -> ApiStatusError:
    """The answer to the removal of a pod that cannot be removed."""
    with pytest.raises(ApiStatusError) as caught:
        api.remove(pod, Options(**options))
    return caught.value


def meaning(error: ApiStatusError) -> str:
    return judge_answer(error, attempt=1, wait_sleep=1, after_outage=False).kind


def test_a_resource_version_that_has_expired_begins_with_a_list(place: Place) -> None:
    """410: the second node's watch begins at a version that the restarted API server does not know any more."""
    place.add_node(place.second)
    for number, node in enumerate((place.first, place.second)):
        place.web(2, f"web{number}", on=node, annotations={"evergreen.test/stop-after": "4s"})
    pods = "/api/v1/pods"
    _items, version = place.cluster.client.list_with_version(pods)
    drain = place.start_drain(name=[place.first, place.second], wait_timeout=90)
    # Both nodes have been looked at by now, and the evictions made newer versions of pods.
    wait_for("pods of the first node stop", lambda: len(place.stopping()) == 2)
    place.cluster.api_server.stop(kill=True)
    place.cluster.start_api_server()
    with pytest.raises(ApiStatusError) as expired:
        list(place.cluster.client.watch(pods, None, version, 2))
    assert expired.value.status == 410
    result = drain.result()
    assert not result.get("failed") and result["totals"]["gone"] == 4, result
    assert result["totals"]["evicted"] == 4
    assert place.pods(place.first) == place.pods(place.second) == []


# Who is evicted: the pod that was there, and no other of its name.


def test_a_pod_of_the_same_name_elsewhere_is_left_alone(place: Place) -> None:
    """A StatefulSet makes its pod anew on another node while the eviction of the old one is tried again."""
    place.cluster.apply(objects.deployment("db", place.name, 1, node_selector=place.pool, kind="StatefulSet"))
    wait_for("db-0 runs", lambda: place.pods(place.first) and place.pod("db-0")["status"].get("podIP"))
    old = place.pod("db-0")
    place.budget("db", 0, "db", minAvailable=1)
    place.add_node(place.second)
    drain = place.start_drain()
    wait_for("the node is cordoned", place.is_cordoned)
    time.sleep(2)
    place.kill("db-0")
    new = wait_for("db-0 runs elsewhere", lambda: [each for each in place.pods(place.second) if uid(each) != uid(old)])
    place.drop_budget("db")
    result = drain.result()
    assert not result.get("failed"), result
    assert [(each["uid"], each["outcome"]) for each in result["pods"]] == [(uid(old), "gone")]
    # Somebody else took it away.
    assert result["totals"]["evicted"] == 0 and result["pods"][0]["evicted_at"] is None
    # There is nothing left to evict the new one; whoever would have by name had the time to.
    time.sleep(2)
    assert uid(place.pod("db-0")) == uid(new[0]) and place.stopping() == []


@pytest.mark.parametrize("disable_eviction", [False, True], ids=["evicted", "deleted"])
def test_the_uid_of_another_pod_is_refused_and_means_gone(place: Place, disable_eviction: bool) -> None:
    """409 of a UID that is not that of the pod, as the API server words it today; 404 without any pod."""
    place.bare("p")
    old = place.pod("p")
    api = DrainApi(place.cluster.client, Deadline(20))
    place.kill("p")
    wait_for("p is gone", lambda: place.pods() == [])
    error = refused(api, old, disable_eviction=disable_eviction)
    assert (error.status, meaning(error)) == (404, "gone")
    place.bare("p")
    error = refused(api, old, disable_eviction=disable_eviction)
    assert error.status == 409, error
    assert meaning(error) == "gone", error.server_message
    assert place.stopping() == []


def test_a_pod_that_vanishes_while_its_budget_holds_it_is_gone(place: Place) -> None:
    place.web(1)
    place.budget("web", 0, minAvailable=1)
    (pod,) = place.pods()
    drain = place.start_drain()
    wait_for("the node is cordoned", place.is_cordoned)
    time.sleep(1.5)
    place.kill(pod["metadata"]["name"])
    result = drain.result()
    assert not result.get("failed") and result["totals"] | {"attempts": 0} == result["totals"] | {
        "attempts": 0,
        "gone": 1,
        "evicted": 0,
        "failed": 0,
    }, result


def test_a_node_that_others_write_to_is_cordoned_without_taking_anything_back(place: Place) -> None:
    """409 of a Node that has changed since it was read."""
    path = f"/api/v1/nodes/{place.first}"
    client = place.cluster.client
    api = DrainApi(client, Deadline(20))
    stale = place.node()["metadata"]["resourceVersion"]
    client.patch(path, {"metadata": {"labels": {"count": "0"}}})
    with pytest.raises(Conflict):
        api.patch_node(place.first, {"metadata": {"resourceVersion": stale}, "spec": {"unschedulable": True}}, "try")
    assert not place.is_cordoned()

    stop = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        while not stop.is_set():
            written += 1
            client.patch(path, {"metadata": {"labels": {"count": str(written)}}})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for state in ("cordoned", "uncordoned") * 3:
            result = place.drain(state=state)
            assert not result.get("failed") and result["changed"], result
            assert place.is_cordoned() is (state == "cordoned")
    finally:
        stop.set()
        writer.join()
    assert place.node()["metadata"]["labels"]["count"] == str(written)


# What an API server says instead of evicting.


@contextmanager
def webhook_at(cluster: Cluster, namespace: str, url: str, *, timeout_s: int = 5) -> t.Iterator[str]:
    """Evictions in `namespace` must be allowed by a webhook at `url`; gives the webhook's name."""
    name = f"{namespace}.evictions.example.com"
    configuration: Json = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [
            {
                "name": name,
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "timeoutSeconds": timeout_s,
                "clientConfig": {"url": url},
                "rules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods/eviction"]}
                ],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            }
        ],
    }
    cluster.apply(configuration)
    try:
        yield name
    finally:
        cluster.delete(path_of(configuration))


def test_a_webhook_without_a_backend_is_waited_for_and_named(place: Place) -> None:
    place.web(2)
    (port,) = free_ports(1)
    with webhook_at(place.cluster, place.name, f"https://127.0.0.1:{port}/") as name:
        wait_for("the webhook is in force", lambda: not place.evictable())
        predicted = place.drain(check_mode=True)
        assert {pod["outcome"] for pod in predicted["pods"]} == {"would_wait"}
        result = place.drain(wait_timeout=4)
        assert result["failed"] and not place.stopping(), result
        assert blocks(result, "kind") == {"webhook"} and blocks(result, "name") == {name}
        assert name in result["msg"] and "connection refused" in result["msg"]
        assert all(pod["attempts"] > 1 for pod in result["pods"])
        # It may be one of the pods that move: the drain goes on as soon as it is there again.
        drain = place.start_drain()
        time.sleep(2)
        assert not drain.done()
    assert drain.result()["totals"]["gone"] == 2, drain.result()


@contextmanager
def one_eviction_at_a_time(place: Place) -> t.Iterator[Json]:
    """Priority and fairness has no seat for evictions of one user, who is in need of no other right.

    A level without seats still executes one request at a time. So one that
    waits for a webhook which never answers keeps all others out.
    """
    cluster = place.cluster
    auth = place.user({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]})
    reference = {"apiVersion": f"{FLOW_CONTROL}/v1", "metadata": {"name": place.name}}
    level = {
        **reference,
        "kind": "PriorityLevelConfiguration",
        "spec": {
            "type": "Limited",
            "limited": {
                "nominalConcurrencyShares": 0,
                "lendablePercent": 0,
                "borrowingLimitPercent": 0,
                "limitResponse": {"type": "Reject"},
            },
        },
    }
    user = {"kind": "User", "user": {"name": auth["impersonate_user"]}}
    evictions = {"verbs": ["create"], "apiGroups": [""], "resources": ["pods/eviction"], "namespaces": ["*"]}
    schema = {
        **reference,
        "kind": "FlowSchema",
        "spec": {
            "priorityLevelConfiguration": {"name": place.name},
            "matchingPrecedence": 100,
            "rules": [{"subjects": [user], "resourceRules": [evictions]}],
        },
    }
    root = f"/apis/{FLOW_CONTROL}/v1"
    made = {f"{root}/prioritylevelconfigurations": level, f"{root}/flowschemas": schema}
    for collection, body in made.items():
        cluster.client.request("POST", collection, body=body)
    try:
        yield auth
    finally:
        for collection in reversed(made):
            cluster.delete(f"{collection}/{place.name}")


def evict_as(place: Place, namespace: str, name: str, auth: Json) -> ApiStatusError | None:
    """What is answered to a dry eviction by another user."""
    path = f"/api/v1/namespaces/{namespace}/pods/{name}/eviction"
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
    client = connect({**place.cluster.params, **auth})
    try:
        client.request("POST", path, query={"dryRun": "All"}, body=body, timeout_s=40)
    except ApiStatusError as error:
        return error
    return None


def test_flow_control_is_waited_out_as_the_server_asks(place: Place) -> None:
    """429 with Retry-After and without a budget: the API server has too much to do."""
    place.web(3)
    place.add_node(place.second)
    busy = f"{place.name}-busy"
    place.cluster.apply(objects.namespace(busy))
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        webhook_at(place.cluster, busy, f"https://127.0.0.1:{silent.getsockname()[1]}/", timeout_s=15),
        one_eviction_at_a_time(place) as auth,
    ):
        name = place.pods()[0]["metadata"]["name"]
        silent.settimeout(15)
        # The flow schema and the webhook come into force after a moment: begin until both have.
        for _try in range(10):
            holder = threading.Thread(target=evict_as, args=(place, busy, "nobody", auth))
            holder.start()
            try:
                connection, _address = silent.accept()
            except TimeoutError:
                holder.join()
                continue
            answer = evict_as(place, place.name, name, auth)
            if answer is not None and answer.status == 429:
                break
            connection.close()
            holder.join()
        assert answer is not None and answer.status == 429, answer
        assert answer.retry_after and not answer.has_cause("DisruptionBudget"), answer
        with connection:
            result = place.drain(auth=auth, wait_timeout=3, wait_sleep=30)
            assert holder.is_alive(), "the seat was given up too early"
            assert result["failed"] and not place.stopping(), result
            assert blocks(result, "kind") == {"flow_control"}
            assert "too many requests" in result["msg"].lower()
            drain = place.start_drain(auth=auth, wait_sleep=30)
            holder.join()
        # wait_sleep is for budgets; here the server's own Retry-After counts, some seconds.
        result = drain.result()
        assert not result.get("failed") and result["totals"]["gone"] == 3, result
        assert result["duration_s"] < 25
    place.cluster.delete(f"/api/v1/namespaces/{busy}")


@pytest.mark.parametrize("judged_before", [False, True], ids=["from the beginning", "later"])
def test_a_budget_that_cannot_be_computed_is_named(place: Place, judged_before: bool) -> None:
    """SyncFailed: a Job has no scale that a maxUnavailable could be taken of."""
    if judged_before:
        # Computed once, over no pods at all.
        place.budget("batch", 0, "batch", maxUnavailable=1)
    template = {"metadata": {"labels": {"app": "batch"}}, "spec": objects.pod_spec(nodeSelector=place.pool)}
    template["spec"]["restartPolicy"] = "Never"
    job = objects.controlled("Job", "batch/v1", "batch", place.name, {"template": template})
    place.cluster.apply(job)
    wait_for("the pod of the Job runs", lambda: place.pods(place.first) and place.pods()[0]["status"].get("podIP"))
    if not judged_before:
        place.cluster.apply(objects.budget("batch", place.name, "batch", maxUnavailable=1))

    def reason() -> bool:
        conditions = place.budget_status("batch").get("conditions") or []
        return any(each["reason"] == "SyncFailed" for each in conditions)

    wait_for("the budget is not computed", reason)
    assert not place.evictable()
    foreseen, late = place.drain(check_mode=True), place.drain(wait_timeout=3)
    for result in (foreseen, late):
        assert [entry["verdict"] for entry in result["budgets"]] == ["can_never_succeed"], result["budgets"]
        assert "scale" in str(result["warnings"]) and "batch" in str(result["warnings"])
    assert late["failed"] and "scale" in late["msg"] and place.stopping() == [], late
    # Somebody gives a number of pods, which needs no scale.
    drain = place.start_drain()
    place.drop_budget("batch")
    place.cluster.apply(objects.budget("batch", place.name, "batch", minAvailable=0))
    assert drain.result()["totals"]["gone"] >= 1, drain.result()
