# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""API versions that go away: in field managers, in kubectl's annotation and in Helm releases; and custom resources."""

from __future__ import annotations

import base64
import gzip
import json
import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import helm, removed_apis
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.objects import definition_of, volume_of
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.cases import cluster, decide, said

BETA = "flowcontrol.apiserver.k8s.io/v1beta3"


def flow_schema(manager_version: str = "", applied: str = "") -> dict[str, t.Any]:
    metadata: dict[str, t.Any] = {"name": "batch"}
    if manager_version:
        metadata["managedFields"] = [{"manager": "argocd", "apiVersion": manager_version}]
    if applied:
        metadata["annotations"] = {removed_apis.LAST_APPLIED: applied}
    return {"metadata": metadata}


@pytest.mark.parametrize(
    ("thing", "expected"),
    [
        (flow_schema(), []),
        (flow_schema("flowcontrol.apiserver.k8s.io/v1"), []),
        (flow_schema(BETA), ["field manager argocd"]),
        (flow_schema(applied=json.dumps({"apiVersion": BETA})), ["kubectl apply"]),
        (flow_schema(applied="{nonsense"), []),
        (flow_schema(applied="[]"), []),
    ],
)
def test_writers(thing: dict[str, t.Any], expected: list[str]) -> None:
    entries = removed_apis.going_away(31, 32)["/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"]
    assert [use["by"] for use in removed_apis.writers(thing, entries)] == expected


@pytest.mark.parametrize(
    ("current", "target", "expected"), [(31, 32, 2), (32, 33, 2), (34, 34, 0), (36, 37, 0), (31, 33, 4)]
)
def test_only_lists_that_are_concerned(current: int, target: int, expected: int) -> None:
    assert len(removed_apis.going_away(current, target)) == expected


def secret(manifest: str, *, name: str = "shop", revision: int = 1, kind: str = helm.SECRET_TYPE) -> dict[str, t.Any]:
    """As Helm 3 and 4 keep a release: JSON, packed, in base64, in a Secret's base64."""
    packed = base64.b64encode(gzip.compress(json.dumps({"manifest": manifest, "config": {"p": "hush"}}).encode()))
    return {
        "metadata": {
            "namespace": "apps",
            "name": f"sh.helm.release.v1.{name}.v{revision}",
            "labels": {"name": name, "version": str(revision), "owner": "helm"},
        },
        "type": kind,
        "data": {"release": base64.b64encode(packed).decode()},
    }


OLD = "# Source: a\n---\napiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata:\n  name: x\n"
NEW = "---\nkind: PodDisruptionBudget\napiVersion: 'policy/v1'\nspec:\n  template:\n    apiVersion: policy/v1beta1\n"


@pytest.mark.parametrize(
    ("secrets", "expected"),
    [
        ([], []),
        ([secret(OLD)], ["apps/shop"]),
        ([secret(NEW)], []),
        ([secret(OLD, revision=9), secret(NEW, revision=10)], []),
        ([secret(NEW, revision=1), secret(OLD, revision=2)], ["apps/shop"]),
        ([secret(OLD), secret(OLD, name="bank")], ["apps/shop", "apps/bank"]),
        ([secret(OLD, kind="Opaque")], []),
        ([{**secret(OLD), "data": {"release": "bm9uc2Vuc2U="}}], []),
        ([{**secret(OLD), "data": {}}], []),
    ],
)
def test_helm_releases(secrets: list[dict[str, t.Any]], expected: list[str]) -> None:
    releases = [release for entry in secrets if (release := helm.read_release(entry))]
    uses = helm.removed_uses(releases, 35)
    assert [use["where"] for use in uses] == expected
    assert "hush" not in str(releases)


def test_kinds_of_a_manifest() -> None:
    assert helm.kinds_of(OLD + NEW) == {("policy/v1beta1", "PodDisruptionBudget"), ("policy/v1", "PodDisruptionBudget")}
    assert helm.kinds_of("nothing: here") == frozenset()


def test_uses_are_told_by_kind() -> None:
    uses = removed_apis.writers(
        flow_schema(BETA), removed_apis.going_away(31, 32)["/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"]
    )
    releases = [helm.read_release(secret(OLD, name=f"r{number}")) for number in range(5)]
    uses += helm.removed_uses([release for release in releases if release], 35)
    verdict = decide(cluster(removed_uses=uses))
    assert said(verdict) == [
        ("warning", "helm-release-removed-api", "PodDisruptionBudget.policy/v1beta1"),
        ("warning", "removed-api-written", f"FlowSchema/PriorityLevelConfiguration.{BETA}"),
    ]
    assert "apps/r0, apps/r1, apps/r2 and 2 more" in verdict["findings"][0]["evidence"]


def definition(stored: list[str], *, webhook: bool = False, **versions: bool) -> dict[str, t.Any]:
    spec: dict[str, t.Any] = {"versions": [{"name": name, "served": served} for name, served in versions.items()]}
    if webhook:
        service = {"namespace": "a", "name": "b"}
        spec["conversion"] = {"strategy": "Webhook", "webhook": {"clientConfig": {"service": service}}}
    return {"metadata": {"name": "x.example.org"}, "spec": spec, "status": {"storedVersions": stored}}


@pytest.mark.parametrize(
    ("thing", "ready", "expected"),
    [
        (definition(["v1"], v1=True), [], []),
        (definition(["v1", "v1beta1"], v1=True), [], [("blocker", "crd-stored-version-gone")]),
        (definition(["v1", "v1beta1"], v1=True, v1beta1=False), [], [("note", "crd-stored-version-unserved")]),
        (definition(["v1"], webhook=True, v1=True), [], [("warning", "crd-conversion-down")]),
        (definition(["v1"], webhook=True, v1=True), ["w1"], []),
    ],
)
def test_definitions(thing: dict[str, t.Any], ready: list[str], expected: list[t.Any]) -> None:
    verdict = decide(cluster(definitions=[definition_of(thing, ready)]))
    assert [(f["severity"], f["id"]) for f in verdict["findings"]] == expected


def term(key: str, *values: str) -> dict[str, t.Any]:
    return {"matchExpressions": [{"key": key, "operator": "In", "values": list(values)}]}


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ([], []),
        ([term("kubernetes.io/hostname", "w1")], ["w1"]),
        ([term("kubernetes.io/hostname", "w1"), term("kubernetes.io/hostname", "w2")], ["w1", "w2"]),
        ([term("kubernetes.io/hostname", "w1"), term("topology.kubernetes.io/zone", "a")], []),
        ([term("topology.kubernetes.io/zone", "a")], []),
    ],
)
def test_volumes_that_name_their_nodes(terms: list[t.Any], expected: list[str]) -> None:
    spec = {"local": {"path": "/d"}, "capacity": {}, "nodeAffinity": {"required": {"nodeSelectorTerms": terms}}}
    found = volume_of({"metadata": {"name": "v"}, "spec": spec})
    assert (found["nodes"], found["kind"], found["claim"]) == (expected, "local", "")


# Served at that minor, deprecated, and with a release that removes it (k8s.io/api, APILifecycleDeprecated).
DEPRECATED = [
    (34, "/apis/storage.k8s.io/v1beta1/"),
    (33, "/apis/storagemigration.k8s.io/v1alpha1/"),
    (34, "/apis/resource.k8s.io/v1beta1/"),
    (29, "/apis/flowcontrol.apiserver.k8s.io/v1beta3/"),
]


@pytest.mark.parametrize(("since", "beginning"), DEPRECATED)
def test_nothing_deprecated_is_listed(since: int, beginning: str) -> None:
    """The API server would note it, and the next plan blame somebody for it."""
    for current in range(since, 38):
        asked = removed_apis.going_away(current, 40)
        assert [path for path in asked if path.startswith(beginning)] == []
