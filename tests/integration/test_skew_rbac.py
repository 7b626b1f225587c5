# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/rbac/skew_check.yml is enough for skew_check, changes nothing, and each right in it is for something."""

from __future__ import annotations

import copy
import typing as t
from pathlib import Path

import pytest
import yaml

from harness.cluster import Cluster, path_of
from harness.objects import controlled, pod_spec
from harness.process import wait_for
from skew_place import check, upgradable

Json = dict[str, t.Any]
FILE = Path(__file__).resolve().parents[2] / "docs" / "rbac" / "skew_check.yml"
DOCUMENTS: list[Json] = list(yaml.safe_load_all(FILE.read_text(encoding="utf-8")))
NAME = "evergreen-skew-check"
RULES = [rule for each in DOCUMENTS for rule in each.get("rules") or []]
PLANE, WORKER = "rights-plane", "rights-worker"
# What is not there is not read, so that a missing right only shows where something is: what each of these is read for.
SHOWN = {
    "persistentvolumes": ["persistentvolumes"],
    "poddisruptionbudgets": ["poddisruptionbudgets"],
    "validatingwebhookconfigurations": ["webhooks"],
    "apiservices": ["apiservices"],
    "customresourcedefinitions": ["customresourcedefinitions"],
    "volumeattributesclasses": ["volumeattributesclasses"],
    "namespaces": ["namespaces"],
    "leases": ["leases"],
    "daemonsets": ["daemonsets", "kube-proxy"],
    "deployments": ["coredns"],
    "jobs": ["jobs"],
}
NIGHT = controlled(
    "Job",
    "batch/v1",
    "rights-night",
    "default",
    {"template": {"spec": pod_spec(restartPolicy="Never", nodeSelector={"pool": "nowhere"})}},
)


@pytest.fixture(scope="module")
def planned(cluster: Cluster) -> t.Iterator[Cluster]:
    with upgradable(cluster, PLANE, WORKER, {}):
        # Jobs are read where pods of one are.
        cluster.apply(NIGHT)
        wait_for("the Job has its pod", lambda: cluster.client.get(path_of(NIGHT)).get("status", {}).get("active"))
        yield cluster
        cluster.delete(path_of(NIGHT))


def user(cluster: Cluster, name: str, missing: str = "") -> Json:
    """Options of the connection for a user who has the roles of the file, without one resource."""
    made = []
    for each in copy.deepcopy(DOCUMENTS):
        if each["kind"] == "ServiceAccount" or each["metadata"]["name"] != NAME:
            continue
        each["metadata"]["name"] = name
        if "rules" in each:
            for rule in each["rules"]:
                rule["resources"] = [entry for entry in rule.get("resources") or [] if entry != missing]
            each["rules"] = [rule for rule in each["rules"] if rule["resources"] or rule.get("nonResourceURLs")]
            for rule in each["rules"]:
                if rule.get("nonResourceURLs"):
                    del rule["resources"]
        else:
            each["roleRef"]["name"] = name
            each["subjects"] = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}]
        made.append(each)
    cluster.apply(*made)
    wait_for("the rights are in force", lambda: not unreadable(cluster, name, allowed=SHOWN.get(missing, [])))
    return {"impersonate_user": name}


def unreadable(cluster: Cluster, name: str, allowed: t.Sequence[str] = ()) -> list[str]:
    try:
        found = check(cluster, auth={"impersonate_user": name}, helm_releases=False).findings
    except Exception as error:  # nodes and pods must be readable, and are not at once
        return [str(error)]
    ids = ("unreadable", "api-server-not-asked")
    return [subject for id, subject in found if id in ids and subject not in allowed and subject != ""]


def test_nothing_in_it_changes_anything() -> None:
    assert {verb for rule in RULES for verb in rule["verbs"]} == {"get", "list"}


def test_each_rule_says_what_it_is_for() -> None:
    lines = FILE.read_text(encoding="utf-8").splitlines()
    groups = {}
    for number, line in enumerate(lines):
        if line.startswith(("  - apiGroups:", "  - nonResourceURLs:")):
            above = lines[number - 1].strip()
            groups[number] = above.startswith(("#", "verbs:"))
    assert len(groups) == len(RULES)
    assert all(groups.values())


def test_the_service_account_of_the_file_can_read_all_of_it(planned: Cluster) -> None:
    planned.apply(*DOCUMENTS)
    try:
        account = f"/api/v1/namespaces/kube-system/serviceaccounts/{NAME}"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        token = planned.client.request("POST", f"{account}/token", body=request)["status"]["token"]
        auth = {"api_key": token}

        def whole() -> bool:
            try:
                found = check(planned, auth=auth, helm_releases=False).findings
            except Exception:  # the rights are not in force at once
                return False
            return not [id for id, _subject in found if id in ("unreadable", "api-server-not-asked")]

        wait_for("everything can be read", whole, 120)
        refused = check(planned, auth=auth, helm_releases=True)
        assert [subject for id, subject in refused.findings if id == "unreadable"] == ["helm-releases"]
        assert token not in str(refused.result)
        as_admin = check(planned, helm_releases=False)
        assert refused.result["hops"] == as_admin.result["hops"]
    finally:
        for document in reversed(DOCUMENTS):
            planned.delete(path_of(document))


@pytest.mark.parametrize("missing", sorted(SHOWN))
def test_a_missing_right_is_told_and_the_rest_is_judged(planned: Cluster, missing: str) -> None:
    auth = user(planned, f"skew-without-{missing}", missing)
    found = check(planned, auth=auth, helm_releases=False)
    assert [subject for id, subject in found.findings if id == "unreadable"] == SHOWN[missing]
    assert found.result["hops"]


def test_moves_by_a_rollout_need_the_optional_role(planned: Cluster) -> None:
    auth = user(planned, "skew-surging")

    def refused() -> list[str]:
        found = check(planned, auth=auth, helm_releases=False, drain={"surge_singletons": True})
        return [subject for id, subject in found.findings if id == "unreadable"]

    assert refused() == ["deployments", "persistentvolumeclaims", "replicasets"]
    role: Json = copy.deepcopy(next(each for each in DOCUMENTS if each["metadata"]["name"] == f"{NAME}-surge"))
    binding = copy.deepcopy(next(each for each in DOCUMENTS if each["kind"] == "ClusterRoleBinding"))
    role["metadata"]["name"] = binding["metadata"]["name"] = binding["roleRef"]["name"] = "skew-surging-optional"
    binding["subjects"] = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "skew-surging"}]
    planned.apply(role, binding)
    wait_for("the optional rights are in force", lambda: not refused())
