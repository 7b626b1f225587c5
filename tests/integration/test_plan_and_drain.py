# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan and the drain agree: what the plan has a blocker for is what drain_node stops at with the same options."""

from __future__ import annotations

import re
import shlex
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.cluster import NEVER_READY, Cluster
from harness.modules import run_module
from harness.objects import budget, deployment, node, pod
from harness.process import wait_for
from skew_place import upgradable

Json = dict[str, t.Any]

PLANE, WORKER, OTHER = "agree-plane", "agree-worker", "agree-other"
POOL = {"pool": "agree"}
TIMEOUT = 20
SAFE = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
DRAIN = "cluster.x-k8s.io/drain"
HERE = {"kubernetes.io/hostname": WORKER}
DATA = [{"name": "data", "emptyDir": {}}]
# The pods that make trouble by themselves, as Deployments of one replica.
DEPLOYMENTS: dict[str, Json] = {
    "plain": {},
    "scratch": {"volumes": DATA},
    "memory": {"volumes": [{"name": "data", "emptyDir": {"medium": "Memory"}}]},
    "safe": {"volumes": DATA, "annotations": {SAFE: "data"}},
    "never": {},
    "doubled": {},
    "unready": {"annotations": {NEVER_READY: "yes"}},
    "strict": {"annotations": {NEVER_READY: "yes"}},
    # It comes back to its node.
    "tolerant": {"tolerations": [{"operator": "Exists"}], "node_selector": HERE},
}
# Pods without a controller, by their labels.
BARE: dict[str, dict[str, str]] = {
    "bare": {},
    "stays": {DRAIN: "skip"},
    "waits": {DRAIN: "wait-completed"},
    "ruled": {},
}
CASES = (*DEPLOYMENTS, "pair", "agent", *BARE, "held")
# What a drain stops at with its defaults.
STOPS = {"scratch", "never", "doubled", "strict", "bare", "waits", "ruled", "held"}


@pytest.fixture(scope="module")
def nodes(cluster: Cluster) -> t.Iterator[Cluster]:
    with upgradable(cluster, PLANE, WORKER, {}):
        cluster.client.patch(f"/api/v1/nodes/{WORKER}", {"metadata": {"labels": POOL}})
        yield cluster
    cluster.delete(f"/api/v1/nodes/{OTHER}")


@pytest.fixture
def space(nodes: Cluster, fresh_namespace: str) -> t.Iterator[str]:
    """A namespace with every case in it, all of whose pods are on the worker; another node comes after them."""
    cluster, name = nodes, fresh_namespace
    cluster.delete(f"/api/v1/nodes/{OTHER}")
    finalizers = {"metadata": {"finalizers": ["example.com/cleanup"]}}
    cluster.apply(pod("held", name, on=WORKER, labels={"app": "held"}))
    held = f"/api/v1/namespaces/{name}/pods/held"
    wait_for("the pod that will be held runs", lambda: cluster.client.get(held)["status"].get("podIP"))
    cluster.client.patch(held, finalizers)
    cluster.client.request("DELETE", held, body={"gracePeriodSeconds": 0})
    deleted = time.monotonic()
    for case, spec in DEPLOYMENTS.items():
        cluster.apply(deployment(case, name, 1, **{"node_selector": POOL, **spec}))
    cluster.apply(
        deployment("pair", name, 2, node_selector=POOL),
        deployment("agent", name, 1, kind="DaemonSet", node_selector=HERE),
        *(pod(case, name, on=WORKER, labels={"app": case, **labels}) for case, labels in BARE.items()),
        budget("pair", name, "pair", maxUnavailable=1),
        budget("never", name, "never", minAvailable=1),
        *(budget(f"doubled-{each}", name, "doubled", maxUnavailable=1) for each in "ab"),
        budget("unready", name, "unready", minAvailable=1, unhealthyPodEvictionPolicy="AlwaysAllow"),
        budget("strict", name, "strict", minAvailable=1),
    )
    wait_for("the pods run", lambda: len(_running(cluster, name)) == len(CASES) + 1)
    budgets = f"/apis/policy/v1/namespaces/{name}/poddisruptionbudgets"
    wait_for(
        "the budgets are counted",
        lambda: all((each.get("status") or {}).get("expectedPods") for each in cluster.client.list(budgets)),
    )
    cluster.apply(node(OTHER, labels=POOL))
    # Held for longer than a drain waits, by the API server's clock, which has whole seconds.
    wait_for("the held pod is overdue", lambda: time.monotonic() - deleted > TIMEOUT + 2)
    yield name
    run_module("drain_node", {**cluster.params, "name": WORKER, "state": "uncordoned"})
    cluster.kubectl("-n", name, "patch", "pod", "held", "-p", '{"metadata":{"finalizers":null}}', check=False)
    cluster.delete(f"/api/v1/namespaces/{name}")
    wait_for("its pods are gone", lambda: not cluster.client.list(f"/api/v1/namespaces/{name}/pods"))


def _running(cluster: Cluster, name: str) -> list[Json]:
    pods = cluster.client.list(f"/api/v1/namespaces/{name}/pods")
    return [
        each for each in pods if each["status"].get("phase") == "Running" and each["spec"].get("nodeName") == WORKER
    ]


def blockers(cluster: Cluster, name: str, drain: Json) -> list[Json]:
    """Those of the plan that are about pods of the namespace."""
    options = {"kubernetes_version": "1.35.4", "inventory_nodes": [PLANE, WORKER], "drain": drain}
    result = run_module("skew_check", {**cluster.params, **options})
    assert not result.get("failed"), result
    return [each for each in result["findings"] if each["severity"] == "blocker" and f"{name}/" in each["evidence"]]


def blocked(cluster: Cluster, name: str, drain: Json) -> set[str]:
    """The cases that blockers of the plan name."""
    told = " ".join(found["evidence"] for found in blockers(cluster, name, drain))
    named = set(re.findall(rf"\b{name}/([a-z0-9-]+)", told))
    pods = cluster.client.list(f"/api/v1/namespaces/{name}/pods")
    return {each["metadata"]["labels"]["app"] for each in pods if each["metadata"]["name"] in named}


def stopped(cluster: Cluster, name: str, drain: Json) -> set[str]:
    """The cases that a drain of their pods alone fails for."""
    top = {key: drain[key] for key in ("pod_rules", "surge_singletons") if key in drain}
    options = {"ignore_daemonsets": True, "wait_sleep": 1, **{key: drain[key] for key in drain if key not in top}}
    common = {**cluster.params, "name": WORKER, "run_id": "agree"}
    # What fails takes back its own cordon, which the others still need.
    assert not run_module("drain_node", {**common, "state": "cordoned"}).get("failed")

    def fails(case: str) -> bool:
        selectors = [f"app={case}"]
        result = run_module("drain_node", {**common, **top, "pod_selectors": selectors, "delete_options": options})
        return bool(result.get("failed"))

    with ThreadPoolExecutor(max_workers=len(CASES)) as pool:
        answers = dict(zip(CASES, pool.map(fails, CASES), strict=True))
    return {case for case, failed in answers.items() if failed}


@pytest.mark.parametrize(
    ("drain", "stops"),
    [
        pytest.param({}, STOPS, id="the defaults"),
        pytest.param({"delete_emptydir_data": True, "force": True}, STOPS - {"scratch", "bare", "ruled"}, id="losing"),
        pytest.param({"surge_singletons": True}, STOPS - {"never", "doubled"}, id="surging"),
        pytest.param({"disable_eviction": True}, STOPS - {"never", "doubled", "strict"}, id="past budgets"),
        pytest.param(
            {"ignore_daemonsets": False, "pod_rules": [{"selector": "app=ruled", "behaviour": "skip"}]},
            (STOPS - {"ruled"}) | {"agent"},
            id="rules",
        ),
    ],
)
def test_the_plan_and_the_drain_agree(nodes: Cluster, space: str, drain: Json, stops: set[str]) -> None:
    given = {**drain, "wait_timeout": TIMEOUT}
    foreseen = blocked(nodes, space, given)
    assert foreseen == stops
    assert stopped(nodes, space, given) == foreseen


def test_the_remedies_let_the_drain_pass(nodes: Cluster, space: str) -> None:
    """The first command of each remedy is carried out as it stands, until the plan has no blocker any more."""
    drain = {"wait_timeout": TIMEOUT}
    budgets = f"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets"

    def counted() -> bool:
        each_one = nodes.client.list(budgets)
        return all(each["status"]["observedGeneration"] == each["metadata"]["generation"] for each in each_one)

    # Two budgets over one pod have no command, since either may be the wrong one.
    nodes.delete(f"{budgets}/doubled-b")
    carried_out: set[str] = set()
    while found := blockers(nodes, space, drain):
        commands = {re.findall(r"kubectl (.+?)(?=\. |\.$|, or )", each["remedy"])[0] for each in found}
        assert not commands & carried_out, found
        for command in commands:
            nodes.kubectl(*shlex.split(command))
        carried_out |= commands
        wait_for("the budgets are counted", counted)
    assert len(carried_out) >= 6
    assert stopped(nodes, space, drain) == set()
