# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client against a real API server: configurations, credentials, lists, watches."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api import auth, client
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import ApiStatusError, ApiUnreachable
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.errors import ConfigurationError
from harness import objects
from harness.cluster import ADMIN_TOKEN, Cluster
from harness.modules import run_module
from harness.process import free_ports, wait_for

Json = dict[str, t.Any]


@pytest.fixture(autouse=True)
def nothing_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)


def config(cluster: Cluster) -> Json:
    return t.cast("Json", json.loads(cluster.kubeconfig.read_text()))


def ca_cert(cluster: Cluster) -> str:
    return str(cluster.place / "pki" / "apiserver.crt")


def review(params: Json) -> Json:
    """Whom the API server takes the client for."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    return t.cast("Json", auth.connect(params).request("POST", path, body=body)["status"]["userInfo"])


def who(params: Json) -> str:
    return str(review(params)["username"])


def test_every_way_to_give_a_configuration(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    explicit = {"host": cluster.url, "api_key": ADMIN_TOKEN, "ca_cert": ca_cert(cluster)}
    text = cluster.kubeconfig.read_text()
    for params in (
        {"kubeconfig": str(cluster.kubeconfig)},
        {"kubeconfig": str(cluster.kubeconfig), "context": "harness"},
        {"kubeconfig": auth.kubeconfig_option(config(cluster))},
        {"kubeconfig": auth.kubeconfig_option(text)},
        {"kubeconfig": config(cluster)},
        explicit,
        {**explicit, "ca_cert": None, "validate_certs": False},
        # Another address with the credentials of the kubeconfig.
        {"kubeconfig": str(cluster.kubeconfig), "host": cluster.url},
    ):
        assert who(params) == "admin", params
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    assert who({}) == "admin"
    # Each group is a header of its own, for requests with a body too.
    seen = review({"impersonate_user": "eve", "impersonate_groups": ["a", "b"]})
    assert (seen["username"], seen["groups"]) == ("eve", ["a", "b", "system:authenticated"])


def exec_plugin(cluster: Cluster, script: Path, text: str) -> Json:
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(0o755)
    found = config(cluster)
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(script), "interactiveMode": "Never"}
    found["users"][0]["user"] = {"exec": plugin}
    return {"kubeconfig": found}


def test_an_exec_plugin_gives_the_token_and_renews_it(cluster: Cluster, tmp_path: Path) -> None:
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        # Expired when it comes, so that each request asks for the next one.
        "status": {"token": ADMIN_TOKEN, "expirationTimestamp": "2020-01-01T00:00:00Z"},
    }
    calls = tmp_path / "calls"
    params = exec_plugin(cluster, tmp_path / "plugin", f"echo >> {calls}\necho '{json.dumps(credential)}'")
    made = auth.connect(params)
    assert made.get("/api/v1/nodes", query={"limit": 1})["kind"] == "NodeList"
    before = calls.read_text()
    assert made.get("/api/v1/nodes", query={"limit": 1})["kind"] == "NodeList"
    assert len(calls.read_text()) > len(before)
    # The server of the kubeconfig comes with each renewal; the one that is asked for stays.
    params["kubeconfig"]["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{free_ports(1)[0]}"
    direct = auth.connect({**params, "host": cluster.url})
    for _again in range(2):
        assert direct.get("/api/v1/nodes", query={"limit": 1})["kind"] == "NodeList"


def test_configurations_that_cannot_be_used(cluster: Cluster, tmp_path: Path) -> None:
    path = str(cluster.kubeconfig)
    broken = exec_plugin(cluster, tmp_path / "plugin", "echo no ticket >&2; exit 1")
    for params, message in (
        ({}, "There is no connection to a cluster"),
        ({"kubeconfig": "/no/such/file"}, "The kubeconfig /no/such/file does not exist"),
        (
            {"kubeconfig": path, "context": "other"},
            f"There is no context 'other' in the kubeconfig {path}; it has: harness",
        ),
        ({"kubeconfig": auth.kubeconfig_option("a: [secret\n")}, "is not YAML"),
        ({"kubeconfig": path, "ca_cert": "/no/such/ca"}, "The file /no/such/ca of the option ca_cert"),
        (broken, "gave no credentials"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            auth.connect(params)
        assert message in str(caught.value) and "secret" not in str(caught.value)


def test_no_answer(cluster: Cluster) -> None:
    (port,) = free_ports(1)
    nobody = auth.connect({**cluster.params, "host": f"https://127.0.0.1:{port}"})
    with pytest.raises(ApiUnreachable, match="Connection refused") as caught:
        nobody.get("/version")
    assert not caught.value.permanent
    with pytest.raises(ApiUnreachable, match="Connection refused"):
        nobody.raw("GET", "/readyz")
    stranger = auth.connect({"host": cluster.url, "api_key": ADMIN_TOKEN})
    with pytest.raises(ApiUnreachable, match="is not trusted") as caught:
        stranger.get("/version")
    assert caught.value.permanent


def test_refusals_by_the_server(cluster: Cluster) -> None:
    with pytest.raises(ApiStatusError) as caught:
        auth.connect({**cluster.params, "api_key": "wrong"}).get("/api/v1/nodes")
    assert caught.value.status == 401 and "credentials" in caught.value.hint
    with pytest.raises(ApiStatusError) as caught:
        auth.connect({**cluster.params, "impersonate_user": "eve"}).get("/api/v1/nodes")
    assert caught.value.status == 403
    assert caught.value.hint == "Grant the verb list on nodes, cluster-wide to the user eve."
    assert cluster.client.raw("GET", "/readyz") == (200, b"ok")
    assert auth.connect({**cluster.params, "impersonate_user": "eve"}).raw("GET", "/metrics")[0] == 403


def test_lists_come_in_pages_and_watches_go_on_from_them(
    cluster: Cluster, fresh_namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PAGE_SIZE", 2)
    path = f"/api/v1/namespaces/{fresh_namespace}/configmaps"

    def config_map(name: str) -> Json:
        metadata = {"name": name, "namespace": fresh_namespace}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}

    # The controller manager puts one of its own into every namespace.
    wait_for("its CA bundle", lambda: cluster.client.list(path))
    cluster.apply(*(config_map(f"c{number}") for number in range(5)))
    items, version = cluster.client.list_with_version(path)
    assert {f"c{number}" for number in range(5)} < {item["metadata"]["name"] for item in items}
    assert len(items) == 6
    trimmed = cluster.client.list(path, trim=lambda item: item.pop("metadata", None))
    assert len(trimmed) == 6
    assert not any("metadata" in item for item in trimmed)
    cluster.apply(config_map("later"))
    cluster.delete(f"{path}/c0")
    seen = [
        (event["type"], event["object"]["metadata"]["name"])
        for event in cluster.client.watch(path, None, version, timeout_s=2)
        if event["type"] != "BOOKMARK"
    ]
    assert seen == [("ADDED", "later"), ("DELETED", "c0")]
    watch = cluster.client.watch(path, None, version, timeout_s=30)
    assert next(watch)["object"]["metadata"]["name"] == "later"
    watch.close()
    with pytest.raises(ApiStatusError):
        list(cluster.client.watch("/api/v1/namespaces/x/no-such-things", None, "", timeout_s=1))


def test_patches_of_every_type(cluster: Cluster, unique: str) -> None:
    cluster.apply(objects.node(unique, faked=False))
    path = f"/api/v1/nodes/{unique}"
    for content_type, query, body in (
        (client.MERGE_PATCH, None, {"metadata": {"labels": {"a": "1"}}}),
        (client.STRATEGIC_MERGE_PATCH, None, {"metadata": {"labels": {"b": "1"}}}),
        (client.JSON_PATCH, None, [{"op": "add", "path": "/metadata/labels/c", "value": "1"}]),
        (
            client.APPLY_PATCH,
            {"fieldManager": "test", "force": True},
            {"apiVersion": "v1", "kind": "Node", "metadata": {"name": unique, "labels": {"d": "1"}}},
        ),
    ):
        cluster.client.patch(path, body, content_type, query=query)
    labels = cluster.client.get(path)["metadata"]["labels"]
    assert {key: labels.get(key) for key in "abcd"} == dict.fromkeys("abcd", "1")
    cluster.delete(path)


def test_results_show_no_secret_of_a_kubeconfig(cluster: Cluster) -> None:
    result = run_module("drain_node", {"kubeconfig": config(cluster), "name": ["nobody"], "state": "cordoned"})
    assert result["failed"] and "There is no node nobody" in result["msg"]
    assert ADMIN_TOKEN not in json.dumps(result)
    assert result["invocation"]["module_args"]["kubeconfig"] == "(given by content)"
