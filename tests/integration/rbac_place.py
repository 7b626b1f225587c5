# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of docs/rbac, and users of an API server who have rights like those in them."""

from __future__ import annotations

import typing as t
from pathlib import Path

import yaml

from harness.cluster import Cluster
from harness.process import wait_for

Json = dict[str, t.Any]

RBAC = "rbac.authorization.k8s.io"
FOLDER = Path(__file__).resolve().parents[2] / "docs" / "rbac"
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


class Right(t.NamedTuple):
    """One verb on one resource of a rule."""

    verb: str
    resource: str
    group: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}"


def documents(name: str) -> list[Json]:
    return list(yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")))


def roles(name: str) -> dict[str, list[Json]]:
    """The rules of the roles in a file; those of one name in several namespaces together."""
    found: dict[str, list[Json]] = {}
    for each in documents(name):
        if "rules" in each:
            found.setdefault(each["metadata"]["name"], []).extend(each["rules"])
    return found


def rights(rule: Json) -> list[Right]:
    """Those on resources; what is open to everybody by a path is not among them."""
    return [
        Right(verb, resource, group)
        for group in rule.get("apiGroups") or []
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


def without(rules: list[Json], missing: Right, of: Json | None = None) -> list[Json]:
    """The rules less one right, in the rule `of` alone where that is given; a rule that has no verb left is gone."""
    kept = []
    for rule in rules:
        if missing in rights(rule) and (of is None or rule is of):
            others = [name for name in rule["resources"] if name != missing.resource]
            verbs = [verb for verb in rule["verbs"] if verb != missing.verb]
            parts = [{**rule, "resources": others}, {**rule, "resources": [missing.resource], "verbs": verbs}]
            kept += [part for part in parts if part["resources"] and part["verbs"]]
        else:
            kept.append(rule)
    return kept


def demand(right: Right) -> str:
    """How a refusal names what is missing."""
    return f"Grant the verb {right.verb} on {right.resource}{f' (API group {right.group})' if right.group else ''}"


def token(cluster: Cluster, account: str) -> Json:
    """Options of the connection for a ServiceAccount of kube-system."""
    made = cluster.kubectl("--namespace", "kube-system", "create", "token", account, "--duration=24h")
    return {"api_key": made.stdout.strip()}


def user(cluster: Cluster, name: str, rules: t.Sequence[Json]) -> Json:
    """Options of the connection for a new user who may do this and nothing else."""
    meta = {"apiVersion": f"{RBAC}/v1", "metadata": {"name": name}}
    subject = {"apiGroup": RBAC, "kind": "User", "name": name}
    reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": name}
    cluster.apply(
        {**meta, "kind": "ClusterRole", "rules": list(rules)},
        {**meta, "kind": "ClusterRoleBinding", "roleRef": reference, "subjects": [subject]},
    )
    wait_for(f"the rights of {name} are in force", lambda: may_all(cluster, name, rules))
    return {"impersonate_user": name}


def may_all(cluster: Cluster, name: str, rules: t.Sequence[Json], namespace: str = "") -> bool:
    """Whether RBAC lets the user do all of it, in one namespace or everywhere."""
    return all(
        may(cluster, name, *right, namespace=namespace, of=(rule.get("resourceNames") or [""])[0])
        for rule in rules
        for right in rights(rule)
    )


def may(
    cluster: Cluster, name: str, verb: str, resource: str, group: str, *, namespace: str = "", of: str = ""
) -> bool:
    """Whether RBAC lets the user do this to the object `of`, or to any, as the API server's authorizer says."""
    plural, _slash, subresource = resource.partition("/")
    attributes = {"verb": verb, "group": group, "resource": plural, "subresource": subresource}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": name, "resourceAttributes": {**attributes, "namespace": namespace, "name": of}},
    }
    return bool(cluster.client.request("POST", REVIEWS, body=body)["status"]["allowed"])
