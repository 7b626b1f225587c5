# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/rbac/skew_check.yml is enough for skew_check, changes nothing, and each right in it is for something."""

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.removed_apis import REMOVED_APIS
from harness.cluster import Cluster, path_of
from harness.objects import controlled, pod_spec
from harness.process import wait_for
from rbac_place import documents, rights, token
from skew_place import check, upgradable

Json = dict[str, t.Any]
DOCUMENTS = documents("skew_check.yml")
NAME = "evergreen-skew-check"
RULES = [rule for each in DOCUMENTS for rule in each.get("rules") or []]
PLANE, WORKER = "rights-plane", "rights-worker"
# What is not there is not read, so that a missing right only shows where something is: what each of these is read for.
SHOWN = {
    "persistentvolumes": ["persistentvolumes"],
    "poddisruptionbudgets": ["poddisruptionbudgets"],
    "validatingwebhookconfigurations": ["webhooks"],
    "validatingadmissionpolicies": ["validatingadmissionpolicies"],
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


def test_every_list_of_a_version_that_goes_away_may_be_read() -> None:
    allowed = {(right.group, right.resource) for rule in RULES for right in rights(rule) if right.verb == "list"}
    asked = {path for entry in REMOVED_APIS for path in entry.lists}
    assert {(path.split("/")[2], path.split("/")[4]) for path in asked} <= allowed


def test_the_service_account_of_the_file_can_read_all_of_it(planned: Cluster) -> None:
    planned.apply(*DOCUMENTS)
    try:
        auth = token(planned, NAME)

        def whole() -> bool:
            try:
                found = check(planned, auth=auth, helm_releases=False).findings
            except Exception:  # the rights are not in force at once
                return False
            return not [id for id, _subject in found if id in ("unreadable", "api-server-not-asked")]

        wait_for("everything can be read", whole, 120)
        refused = check(planned, auth=auth, helm_releases=True)
        assert [subject for id, subject in refused.findings if id == "unreadable"] == ["helm-releases"]
        assert auth["api_key"] not in str(refused.result)
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
