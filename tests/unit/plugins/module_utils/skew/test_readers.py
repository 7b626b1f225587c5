# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics, webhook configurations and endpoints as the API server sends them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import readers

METRICS = """\
# HELP apiserver_requested_deprecated_apis [STABLE] Gauge of deprecated APIs that have been requested
# TYPE apiserver_requested_deprecated_apis gauge
apiserver_requested_deprecated_apis{group="",removed_release="",resource="nodes",subresource="",version="v1"} 1
apiserver_requested_deprecated_apis{group="g",removed_release="1.36",resource="r",subresource="s",version="v1beta1"} 1
apiserver_requested_deprecated_apis{group="h",removed_release="1.36",resource="r",subresource="",version="v1beta1"} 0
apiserver_request_total{code="200",group="g"} 1
"""


def test_deprecated_apis() -> None:
    assert readers.deprecated_apis(METRICS) == [
        {"group": "", "version": "v1", "resource": "nodes", "subresource": "", "removed_release": ""},
        {"group": "g", "version": "v1beta1", "resource": "r", "subresource": "s", "removed_release": "1.36"},
    ]


SERVICE = {"service": {"namespace": "a", "name": "b"}}
PODS = {"apiGroups": [""], "resources": ["pods"], "operations": ["CREATE"]}


@pytest.mark.parametrize(
    ("hook", "expected"),
    [
        ({"clientConfig": SERVICE, "failurePolicy": "Fail", "rules": [PODS]}, [True]),
        ({"clientConfig": SERVICE, "rules": [PODS]}, [True]),
        ({"clientConfig": SERVICE, "failurePolicy": "Ignore", "rules": [PODS]}, []),
        ({"clientConfig": SERVICE, "rules": [{**PODS, "apiGroups": ["*"], "resources": ["*"]}]}, [True]),
        ({"clientConfig": SERVICE, "rules": [{**PODS, "resources": ["secrets"]}]}, [False]),
        ({"clientConfig": SERVICE, "rules": [{**PODS, "operations": ["DELETE"]}]}, [False]),
        ({"clientConfig": SERVICE, "rules": [{**PODS, "apiGroups": ["apps"]}]}, [False]),
    ],
)
def test_fail_closed_webhooks(hook: dict[str, t.Any], expected: list[bool]) -> None:
    configuration = {"metadata": {"name": "c"}, "webhooks": [{"name": "h", **hook}]}
    found = readers.fail_closed_webhooks([configuration])
    assert [entry.covers_pods for entry in found] == expected
    assert all((e.configuration, e.name, e.namespace, e.service) == ("c", "h", "a", "b") for e in found)


def test_a_webhook_by_url() -> None:
    url = "https://somebody:hush@policy.example:8443/validate?token=hush"
    hook = {"name": "h", "clientConfig": {"url": url}, "rules": [PODS]}
    (found,) = readers.fail_closed_webhooks([{"metadata": {"name": "c"}, "webhooks": [hook]}])
    assert (found.url, found.service, found.covers_pods) == ("https://policy.example:8443/validate", "", True)


LEASES = "coordination.k8s.io"
ALL_OF_A_RUN = ["nodes", "leases", "pods/eviction"]
RULES = [
    ({"apiGroups": [""], "resources": ["nodes"], "operations": ["UPDATE"]}, ["nodes"]),
    ({"apiGroups": [""], "resources": ["nodes"], "operations": ["CREATE", "DELETE"]}, []),
    ({"apiGroups": [""], "resources": ["nodes"], "operations": ["*"], "scope": "Namespaced"}, []),
    ({"apiGroups": [LEASES], "resources": ["leases"], "operations": ["UPDATE"]}, ["leases"]),
    ({"apiGroups": [LEASES], "resources": ["*"], "operations": ["CREATE"]}, ["leases"]),
    ({"apiGroups": ["apps"], "resources": ["*"], "operations": ["*"]}, []),
    ({"apiGroups": [""], "resources": ["pods/eviction"], "operations": ["CREATE"]}, ["pods/eviction"]),
    ({"apiGroups": [""], "resources": ["pods/*"], "operations": ["CREATE"]}, ["pods/eviction"]),
    ({"apiGroups": [""], "resources": ["*/eviction"], "operations": ["*"]}, ["pods/eviction"]),
    ({"apiGroups": [""], "resources": ["pods"], "operations": ["*"]}, []),
    # Without a slash it has no subresources.
    ({"apiGroups": ["*"], "resources": ["*"], "operations": ["*"]}, ["nodes", "leases"]),
    ({"apiGroups": ["*"], "resources": ["*/*"], "operations": ["*"]}, ALL_OF_A_RUN),
]


@pytest.mark.parametrize(("rule", "expected"), RULES)
def test_the_requests_of_a_run(rule: dict[str, t.Any], expected: list[str]) -> None:
    hook = {"name": "h", "clientConfig": SERVICE, "rules": [rule]}
    (found,) = readers.fail_closed_webhooks([{"metadata": {"name": "c"}, "webhooks": [hook]}])
    assert found.covers_run == expected
    policy = {"metadata": {"name": "p"}, "spec": {"matchConstraints": {"resourceRules": [rule]}}}
    binding = {"spec": {"policyName": "p", "validationActions": ["Deny"]}}
    denies = {"p": expected} if expected else {}
    assert readers.denying_policies([policy], [binding]) == denies
    policy["spec"]["failurePolicy"] = "Fail"
    assert readers.denying_policies([policy], [binding]) == denies
    # Not bound, bound to warn alone, and one that lets through what it cannot judge.
    assert readers.denying_policies([policy], []) == {}
    binding["spec"]["validationActions"] = ["Warn", "Audit"]
    assert readers.denying_policies([policy], [binding]) == {}
    binding["spec"]["validationActions"] = ["Deny", "Audit"]
    policy["spec"]["failurePolicy"] = "Ignore"
    assert readers.denying_policies([policy], [binding]) == {}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"apiGroups": ["*"], "resources": ["*"], "operations": ["*"]}, True),
        ({"apiGroups": ["*"], "resources": ["*/*"], "operations": ["CREATE"], "scope": "*"}, True),
        ({"apiGroups": ["*"], "resources": ["*"], "operations": ["*"], "scope": "Namespaced"}, False),
        ({"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "operations": ["*"]}, False),
        ({"apiGroups": ["*"], "resources": ["*"], "operations": ["UPDATE"]}, False),
    ],
)
def test_webhooks_that_see_service_cidrs(rule: dict[str, t.Any], expected: bool) -> None:
    hook = {"name": "h", "clientConfig": SERVICE, "rules": [rule], "timeoutSeconds": 5, "objectSelector": {}}
    (found,) = readers.fail_closed_webhooks([{"metadata": {"name": "c"}, "webhooks": [hook]}])
    assert (found.covers_service_cidrs, found.timeout_s, found.narrowed) == (expected, 5, False)


def test_ready_nodes() -> None:
    slices: list[dict[str, t.Any]] = [
        {
            "endpoints": [
                {"nodeName": "w1", "conditions": {"ready": True}},
                {"nodeName": "w2", "conditions": {"ready": False}},
            ]
        },
        {"endpoints": [{"nodeName": "w3", "conditions": {}}, {}]},
        {"endpoints": None},
    ]
    assert readers.ready_nodes(slices) == ["w1", "w3", ""]
