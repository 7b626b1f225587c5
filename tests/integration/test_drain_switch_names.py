# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task of kubernetes.core.k8s_drain goes on with drain_node by a change of its name: options, states, environment.

The names are those of kubernetes.core 6 (plugins/modules/k8s_drain.py,
plugins/doc_fragments/k8s_auth_options.py).
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.auth import AUTH_ARGUMENT_SPEC
from drain_place import Json, Place
from harness.cluster import ADMIN_TOKEN, Cluster
from harness.modules import run_module
from harness.process import free_ports

STATES = {"cordon": "cordoned", "drain": "drained", "uncordon": "uncordoned"}


@pytest.fixture
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Nothing about a cluster is known but what the test sets."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    return monkeypatch


def ca_cert(cluster: Cluster) -> str:
    return str(cluster.place / "pki" / "apiserver.crt")


def test_every_option_of_k8s_drain_is_taken_at_once(place: Place, no_environment: pytest.MonkeyPatch) -> None:
    place.web(1)
    place.web(1, "other")
    task: Json = {
        "host": place.cluster.url,
        "api_key": ADMIN_TOKEN,
        "ca_cert": ca_cert(place.cluster),
        "validate_certs": True,
        "kubeconfig": str(place.cluster.kubeconfig),
        "context": "harness",
        "client_cert": None,
        "client_key": None,
        "username": None,
        "password": None,
        "proxy": None,
        "no_proxy": "127.0.0.1",
        "proxy_headers": {"user_agent": "x"},
        "persist_config": False,
        "impersonate_user": "eve",
        "impersonate_groups": ["system:masters"],
        # A text there, a list here.
        "name": place.first,
        "pod_selectors": ["app=web"],
        "delete_options": {
            "terminate_grace_period": 5,
            "force": True,
            "ignore_daemonsets": True,
            "delete_emptydir_data": True,
            "disable_eviction": False,
            "wait_timeout": 30,
            "wait_sleep": 1,
        },
    }
    result = run_module("drain_node", task)
    assert not result.get("failed") and result["totals"]["gone"] == 1, result
    assert [pod["metadata"]["labels"]["app"] for pod in place.pods(place.first)] == ["other"]
    for old, new in {
        "validate_certs": "verify_ssl",
        "ca_cert": "ssl_ca_cert",
        "client_cert": "cert_file",
        "client_key": "key_file",
    }.items():
        task[new] = task.pop(old)
    result = run_module("drain_node", task, check_mode=True)
    assert not result.get("failed") and not result["changed"], result


@pytest.mark.parametrize("state", STATES)
def test_the_states_of_k8s_drain_mean_the_same(place: Place, state: str) -> None:
    place.bare("p")
    if state == "uncordon":
        place.drain(state="cordoned")
    result = place.drain(state=state, force=True)
    assert not result.get("failed") and result["changed"], result
    assert place.is_cordoned() is (state != "uncordon")
    assert len(place.pods(place.first)) == (0 if state == "drain" else 1)
    again = place.drain(state=STATES[state], force=True)
    assert not again["changed"], again


def test_without_a_state_the_node_is_drained(place: Place) -> None:
    place.web(1)
    result = run_module("drain_node", {**place.cluster.params, "name": place.first})
    assert result["totals"]["gone"] == 1 and place.is_cordoned(), result


# Environment without the prefix, and what is seen of it in the answer; {} is filled in by the test.
ENVIRONMENTS: dict[str, tuple[dict[str, str], str]] = {
    "kubeconfig": ({"KUBECONFIG": "{kubeconfig}"}, "There is no node"),
    "no kubeconfig": ({"KUBECONFIG": "/no/such/file"}, "/no/such/file does not exist"),
    "context": ({"KUBECONFIG": "{kubeconfig}", "CONTEXT": "other"}, "no context 'other'"),
    "token": ({"HOST": "{url}", "API_KEY": "{token}", "SSL_CA_CERT": "{ca}"}, "There is no node"),
    "wrong token": ({"HOST": "{url}", "API_KEY": "no", "SSL_CA_CERT": "{ca}"}, "401"),
    "no trust": ({"HOST": "{url}", "API_KEY": "{token}"}, "is not trusted"),
    "trust without a look": ({"HOST": "{url}", "API_KEY": "{token}", "VERIFY_SSL": "false"}, "There is no node"),
    # Basic authentication is no business of an API server: it answers as to a stranger.
    "password": ({"HOST": "{url}", "USERNAME": "a", "PASSWORD": "b", "VERIFY_SSL": "no"}, "answered 40"),
    "certificate": ({"KUBECONFIG": "{kubeconfig}", "CERT_FILE": "/no/cert", "KEY_FILE": "/no/key"}, "/no/cert"),
    "proxy": ({"KUBECONFIG": "{kubeconfig}", "PROXY": "http://127.0.0.1:{port}"}, "no answer"),
    "no proxy": (
        {"KUBECONFIG": "{kubeconfig}", "PROXY": "http://127.0.0.1:{port}", "NO_PROXY": "127.0.0.1"},
        "There is no node",
    ),
    "another user": ({"KUBECONFIG": "{kubeconfig}", "IMPERSONATE_USER": "eve"}, "to the user eve"),
    "another group": (
        {"KUBECONFIG": "{kubeconfig}", "IMPERSONATE_USER": "eve", "IMPERSONATE_GROUPS": "system:masters"},
        "There is no node",
    ),
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_environment_of_k8s_drain_is_read(cluster: Cluster, no_environment: pytest.MonkeyPatch, name: str) -> None:
    given, expected = ENVIRONMENTS[name]
    facts = {
        "kubeconfig": cluster.kubeconfig,
        "url": cluster.url,
        "token": ADMIN_TOKEN,
        "ca": ca_cert(cluster),
        "port": free_ports(1)[0],
    }
    for key, value in given.items():
        no_environment.setenv(f"K8S_AUTH_{key}", value.format(**facts))
    # A node that does not exist tells that the API server was reached and asked as an administrator.
    result = run_module("drain_node", {"name": "no-such-node", "delete_options": {"wait_timeout": 0}})
    assert result["failed"] and expected in result["msg"], result["msg"]
    assert ADMIN_TOKEN not in json.dumps(result)


@pytest.mark.parametrize(
    ("variable", "option"),
    [
        ("PERSIST_CONFIG", "persist_config"),
        ("PROXY_HEADERS_PROXY_BASIC_AUTH", "proxy_basic_auth"),
        ("PROXY_HEADERS_BASIC_AUTH", "basic_auth"),
        ("PROXY_HEADERS_USER_AGENT", "user_agent"),
    ],
)
def test_the_rest_of_the_environment_has_its_option(variable: str, option: str) -> None:
    """What no answer of this API server shows; the names alone are compared."""
    found = {**AUTH_ARGUMENT_SPEC, **AUTH_ARGUMENT_SPEC["proxy_headers"]["options"]}[option]
    assert found["fallback"][1] == [f"K8S_AUTH_{variable}"]
