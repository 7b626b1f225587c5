# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/rbac is enough for every module that talks to the API, and is not the power of a cluster admin."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest
import test_controller_manager_hold
import yaml
from test_plan_playbook import plan, run

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.auth import connect
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import ApiStatusError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd_bridge.io import (
    CONFIG_MAPS,
    KUBEADM_CONFIG,
    RECORD,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.decisions import CONDITIONS
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.decisions import NAME as LOCK
from control_plane import remove
from harness.cluster import Cluster
from harness.modules import run_module
from harness.objects import controlled, deployment
from harness.process import Process, wait_for
from rbac_place import FOLDER, Json, documents, may_all, rights, roles, token, user, without
from skew_place import upgradable

ACCOUNT = "evergreen-upgrade"
USER = f"system:serviceaccount:kube-system:{ACCOUNT}"
PLANE, WORKER = "rbac-plane", "rbac-worker"
FILES = sorted(path.name for path in FOLDER.iterdir())
# Roles and where they are in force; everywhere is an empty namespace.
BOUND = [
    (each["roleRef"]["name"], each["metadata"].get("namespace", ""))
    for each in documents("upgrade.yml")
    if each["kind"].endswith("Binding")
]
RULES: dict[tuple[str, str], list[Json]] = {
    (each["metadata"]["name"], each["metadata"].get("namespace", "")): each["rules"]
    for file in FILES
    for each in documents(file)
    if "rules" in each
}
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"

manager, KCM = test_controller_manager_hold.manager, test_controller_manager_hold.KCM


def readable(result: Json) -> bool:
    return "unreadable" not in {found["id"] for found in result["findings"]}


# What each module does in a run, step by step, and what proves that it was done.
STEPS: dict[str, list[tuple[Json, t.Callable[[Json], t.Any]]]] = {
    "upgrade_lock": [
        ({"holder": "r1", "state": "held"}, lambda result: result["action"] == "acquired"),
        ({"holder": "r1", "state": "renewed"}, lambda result: result["action"] == "renewed"),
        ({"holder": "r1", "state": "released"}, lambda result: result["action"] == "released"),
    ],
    "node_taint": [
        ({"name": [WORKER], "exclusive": True, "run_id": "r1"}, lambda result: result["changed"]),
        ({"name": [WORKER], "state": "absent"}, lambda result: result["actions"][0]["action"] == "removed"),
    ],
    "cluster_gate": [
        (
            {
                "conditions": list(CONDITIONS),
                "node": PLANE,
                "kubernetes_version": "1.34.4",
                "workload_namespaces": ["default"],
                "timeout_s": 60,
                "consecutive": 1,
            },
            lambda result: {check["name"] for check in result["checks"]} == set(CONDITIONS),
        )
    ],
    # Giving back needs a controller manager: see below.
    "controller_manager_hold": [({"holder": "r1", "state": "held"}, lambda result: result["changed"])],
    "etcd_bridge": [
        ({"image_tag": "3.5.27-0"}, lambda result: result["after"] == "3.5.27-0"),
        ({"image_tag": "3.5.28-0"}, lambda result: result["after"] == result["recorded"] == "3.5.28-0"),
        ({"state": "absent"}, lambda result: result["changed"] and result["recorded"] == ""),
    ],
    "kubeadm_config": [
        ({"kubernetes_version": "1.35.4"}, lambda result: result["changed"]),
        ({"kubernetes_version": "1.34.4"}, lambda result: result["changed"]),
    ],
    "availability_probe": [
        (
            {"duration_s": 2},
            lambda result: all(each["requests"] > each["failed"] == 0 for each in result["targets"].values()),
        )
    ],
    "rollback_plan": [({"kubernetes_version": "1.33.13"}, readable)],
    "skew_check": [({"kubernetes_version": "1.35.4", "helm_releases": False}, readable)],
    "drain_node": [
        ({"name": [WORKER], "delete_options": {"wait_timeout": 60}}, lambda result: result["totals"]["gone"] == 1),
        ({"name": [WORKER], "state": "uncordoned"}, lambda result: result["changed"]),
    ],
}
# Each right of the roles of upgrade.yml: the module, its rule and the right. A gate does without what the lock holds.
OWN = [
    (module, rule, right)
    for module in STEPS
    for rule in roles("upgrade.yml").get(f"evergreen-{module.replace('_', '-')}", [])
    for right in rights(rule)
    if (module, rule.get("resourceNames")) != ("cluster_gate", [LOCK])
]


@pytest.fixture(scope="module")
def planned(cluster: Cluster) -> t.Iterator[Cluster]:
    """A control plane with its configuration, and a worker with a pod."""
    with upgradable(cluster, PLANE, WORKER, {}):
        web = deployment("rbac-web", "default", 1, node_selector={"kubernetes.io/hostname": WORKER})
        cluster.apply(web)
        yield cluster
        cluster.delete("/apis/apps/v1/namespaces/default/deployments/rbac-web")


@pytest.fixture
def serving(planned: Cluster) -> t.Iterator[Cluster]:
    """The pod is there, a Lease for a leader, and nothing of an earlier test."""
    path = "/apis/apps/v1/namespaces/default/deployments/rbac-web"
    wait_for("its pod is ready", lambda: planned.client.get(path).get("status", {}).get("readyReplicas"))
    planned.apply(controlled("Lease", "coordination.k8s.io/v1", KCM, "kube-system", {}))
    yield planned
    for left in (f"{LEASES}/{LOCK}", f"{LEASES}/{KCM}", f"{CONFIG_MAPS}/{RECORD}"):
        remove(planned, left)
    planned.client.patch(f"/api/v1/nodes/{WORKER}", {"spec": {"taints": None}})


@pytest.fixture(scope="module")
def account(planned: Cluster, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Json]:
    """The folder applied, and a kubeconfig of its ServiceAccount made, as docs/connecting.md has it."""
    wait_for("the namespace of node leases", lambda: planned.client.get("/api/v1/namespaces/kube-node-lease"))
    planned.kubectl("apply", "-f", str(FOLDER))
    wait_for("the rights are in force", lambda: all(may_all(planned, USER, RULES[role], role[1]) for role in BOUND))
    file = str(tmp_path_factory.mktemp("rbac") / "upgrade.conf")
    config = ("--kubeconfig", file, "config")
    authority = f"--certificate-authority={planned.place / 'pki' / 'apiserver.crt'}"
    planned.kubectl(*config, "set-cluster", "kubernetes", f"--server={planned.url}", authority, "--embed-certs")
    planned.kubectl(*config, "set-credentials", ACCOUNT, f"--token={token(planned, ACCOUNT)['api_key']}")
    planned.kubectl(*config, "set-context", ACCOUNT, "--cluster=kubernetes", f"--user={ACCOUNT}")
    planned.kubectl(*config, "use-context", ACCOUNT)
    yield {"kubeconfig": file}
    planned.kubectl("delete", "-f", str(FOLDER))


def walk(cluster: Cluster, module: str, auth: Json, **changes: t.Any) -> tuple[bool, str]:
    """Take the steps of a module; whether all were done, and the result of the last, or of the first that was not."""
    done, told = True, ""
    for options, proof in STEPS[module]:
        result = run_module(module, {**cluster.params, **auth, **options, **changes})
        done, told = not result.get("failed") and bool(proof(result)), json.dumps(result).replace('\\"', '"')
        if not done:
            break
    return done, told


@pytest.mark.parametrize("file", FILES)
def test_each_rule_says_what_needs_it(file: str) -> None:
    lines = (FOLDER / file).read_text(encoding="utf-8").splitlines()
    starts = [number for number, line in enumerate(lines) if re.match("  - (apiGroups|nonResourceURLs):", line)]
    assert len(starts) == sum(map(len, roles(file).values()))
    for number in starts:
        assert lines[number - 1].startswith("  # "), f"line {number + 1} has no comment above"


def test_every_module_of_the_api_has_its_role_and_its_test() -> None:
    group = yaml.safe_load((FOLDER.parents[1] / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"]
    assert set(group["api"]) == set(STEPS)
    needed = {f"evergreen-{module.replace('_', '-')}" for module in group["api"]}
    # It reads what skew_check reads.
    assert {name for name, _namespace in BOUND} == needed - {"evergreen-rollback-plan"}
    # A role that is in several namespaces is bound in each.
    assert set(BOUND) == {role for role in RULES if role[0] in needed}


@pytest.mark.parametrize("module", STEPS)
def test_the_account_does_the_work_of_each_module(serving: Cluster, account: Json, module: str) -> None:
    done, told = walk(serving, module, account)
    assert done, told


def test_the_account_holds_the_controller_managers(cluster: Cluster, manager: Process, account: Json) -> None:
    options = {**cluster.params, **account, "holder": "r1", "timeout_s": 60}
    held = run_module("controller_manager_hold", {**options, "state": "held"})
    assert held["changed"], held
    # The leader has ended with its Lease; its kubelet would start it again.
    manager.start()
    released = run_module("controller_manager_hold", {**options, "state": "released"})
    assert released["changed"], released


@pytest.mark.parametrize(("module", "rule", "missing"), OWN, ids=[f"{each[0]}-{each[2]}" for each in OWN])
def test_each_right_is_needed(serving: Cluster, unique: str, module: str, rule: Json, missing: t.Any) -> None:
    rules = roles("upgrade.yml")[f"evergreen-{module.replace('_', '-')}"]
    (same,) = (each for each in rules if each == rule)
    auth = user(serving, f"rbac-{unique}", without(rules, missing, same))
    done, told = walk(serving, module, auth, **({"timeout_s": 0} if module == "cluster_gate" else {}))
    # The probe counts what was refused.
    refusal = "http_403" if module == "availability_probe" else f'cannot {missing.verb} resource "{missing.resource}"'
    assert not done and refusal in told, told


REFUSED: list[tuple[str, str]] = [
    ("DELETE", "/api/v1/namespaces/default/pods/rbac-web"),
    ("POST", "/api/v1/namespaces/default/pods"),
    ("POST", f"/api/v1/namespaces/kube-system/pods/etcd-{PLANE}/exec"),
    ("GET", "/api/v1/secrets"),
    ("GET", "/api/v1/namespaces/kube-system/secrets"),
    ("PATCH", "/apis/apps/v1/namespaces/default/deployments/rbac-web"),
    ("PATCH", "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy"),
    ("DELETE", f"/api/v1/nodes/{WORKER}"),
    ("PATCH", f"/api/v1/nodes/{WORKER}/status"),
    ("PATCH", f"{CONFIG_MAPS}/coredns"),
    ("DELETE", KUBEADM_CONFIG),
    ("PUT", f"{LEASES}/kube-scheduler"),
    ("DELETE", f"{LEASES}/{KCM}"),
    ("PATCH", f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{WORKER}"),
    ("PATCH", "/apis/policy/v1/namespaces/default/poddisruptionbudgets/web"),
    ("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"),
    ("POST", f"/api/v1/namespaces/kube-system/serviceaccounts/{ACCOUNT}/token"),
    ("GET", "/api/v1/namespaces/kube-public/configmaps"),
]


@pytest.mark.parametrize(("method", "path"), REFUSED)
def test_what_the_folder_does_not_grant_is_refused(planned: Cluster, account: Json, method: str, path: str) -> None:
    client = connect({**planned.params, **account})
    with pytest.raises(ApiStatusError) as refused:
        client.request(method, path, body={} if method in ("POST", "PUT", "PATCH") else None)
    assert refused.value.status == 403, refused.value


def test_a_gate_on_an_object_needs_its_own_rule(serving: Cluster, account: Json) -> None:
    gate = {
        "api_version": "apps/v1",
        "kind": "Deployment",
        "namespace": "default",
        "expression": "status.readyReplicas",
    }
    options = {**serving.params, **account, "timeout_s": 0, "consecutive": 1}
    by_name = {**options, "gates": [{"name": "web", "object": {**gate, "name": "rbac-web"}}]}
    assert '403 Forbidden: deployments.apps "rbac-web"' in run_module("cluster_gate", by_name)["msg"]
    auth = user(serving, "rbac-gate", [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]}])
    assert run_module("cluster_gate", {**by_name, **serving.params, **auth})["ready"]


def test_the_plan_of_the_account_is_that_of_the_admin(serving: Cluster, account: Json, tmp_path: Path) -> None:
    plans = []
    for auth in (account, serving.params):
        argv, env = plan(
            serving, tmp_path, upgrade_kubeconfig=auth["kubeconfig"], preflight_helm_releases=auth is not account
        )
        done = run(argv, env, tmp_path)
        made = json.loads((tmp_path / "upgrade-plan.json").read_text())
        plans.append((done.returncode, made["hops"], {(found["id"], found["subject"]) for found in made["findings"]}))
    assert plans[0] == plans[1] and plans[0][1]
