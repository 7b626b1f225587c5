# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which requests of a run the rules of admission match: what skew_check says, and what a real API server does."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import ApiStatusError
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.test_readers import RULES
from control_plane import remove
from harness.cluster import Cluster
from harness.objects import namespace, pod
from harness.process import wait_for
from skew_place import check, upgradable

PLANE, WORKER, NAME, PLACE = "admitted-plane", "admitted-worker", "refuses", "admission"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{PLACE}/leases"
PODS = f"/api/v1/namespaces/{PLACE}/pods"
# Tells when the policy is in force.
CANARY = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["CREATE"]}


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> t.Iterator[Cluster]:
    with upgradable(cluster, PLANE, WORKER, {}):
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l", "namespace": PLACE}}
        cluster.apply(namespace(PLACE), lease, pod("p", PLACE, on=WORKER))
        yield cluster
        remove(cluster, f"{PODS}/p")
        cluster.client.request("DELETE", f"/api/v1/namespaces/{PLACE}")


def refused(cluster: Cluster, method: str, path: str, body: t.Any) -> bool:
    content_type = "application/merge-patch+json" if method == "PATCH" else None
    try:
        cluster.client.request(method, path, query={"dryRun": "All"}, body=body, content_type=content_type)
    except ApiStatusError as error:
        if NAME not in error.message:
            raise
        return True
    return False


@pytest.mark.parametrize(("rule", "expected"), RULES)
def test_rules(place: Cluster, rule: dict[str, t.Any], expected: list[str]) -> None:
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy"}
    spec = {
        "matchConstraints": {"resourceRules": [{"apiVersions": ["*"], **rule}, CANARY]},
        "validations": [{"expression": "false"}],
    }
    binding = {"policyName": NAME, "validationActions": ["Deny"]}
    # The server itself, and what runs beside it, are to go on.
    mine = [{"name": "mine", "expression": "has(request.dryRun) && request.dryRun"}]
    place.apply(
        {**kind, "metadata": {"name": NAME}, "spec": {**spec, "matchConditions": mine}},
        {**kind, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": NAME}, "spec": binding},
    )
    try:
        config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
        at = f"/api/v1/namespaces/{PLACE}/configmaps"
        wait_for("the policy is in force", lambda: refused(place, "POST", at, config_map))
        label = {"metadata": {"labels": {"a": "b"}}}
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "other"}}
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p", "namespace": PLACE}}
        asked = {
            "nodes": [("PATCH", f"/api/v1/nodes/{WORKER}", label)],
            "leases": [("PATCH", f"{LEASES}/l", label), ("POST", LEASES, lease)],
            "pods/eviction": [("POST", f"{PODS}/p/eviction", eviction)],
        }
        assert [name for name, tries in asked.items() if any(refused(place, *each) for each in tries)] == expected
        found = check(place).findings.get(("admission-policy-covers-run", f"validatingadmissionpolicy/{NAME}"))
        assert (found is not None) is bool(expected)
        assert all(name in found["evidence"] for name in expected)
    finally:
        for kind_of in ("validatingadmissionpolicybindings", "validatingadmissionpolicies"):
            remove(place, f"{ADMISSION}/{kind_of}/{NAME}")
        # What is gone is out of force a moment later.
        wait_for("the policy is out of force", lambda: not refused(place, "POST", at, config_map))
