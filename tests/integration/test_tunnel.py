# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ssh_tunnel to a real API server, through a real SSH server that writes down what it forwards."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api import auth
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import ApiUnreachable
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.errors import ConfigurationError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.io import direct_client
from harness import objects
from harness.cluster import STOP_AFTER, Cluster
from harness.modules import run_module
from harness.process import free_ports, wait_for
from harness.ssh_server import SshServer, fingerprint, new_key, serving
from tunnel_place import NOWHERE, refused

Json = dict[str, t.Any]

pytestmark = pytest.mark.usefixtures("nothing_from_the_environment")

# The API server's certificate has this name, which only the SSH server can resolve.
FAR_NAME = "kubernetes.default.svc"


@pytest.fixture
def server(tmp_path: Path) -> t.Iterator[SshServer]:
    with serving(tmp_path / "ssh", {FAR_NAME: "127.0.0.1", "elsewhere.test": "127.0.0.1"}) as made:
        yield made


def through(server: SshServer, cluster: Cluster, host: str = FAR_NAME, **changed: t.Any) -> Json:
    """Options to reach the API server of `cluster` by a name that means nothing here."""
    return {**cluster.params, "host": f"https://{host}:{cluster.port}", "ssh_tunnel": server.option(**changed)}


def test_requests_and_watches_go_through_the_server(
    cluster: Cluster, server: SshServer, fresh_namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A proxy of this machine has nothing to say where the SSH server connects.
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with pytest.raises(OSError):
        socket.getaddrinfo(FAR_NAME, 443)
    client = auth.connect(through(server, cluster))
    assert client.get(f"/api/v1/namespaces/{fresh_namespace}")["metadata"]["name"] == fresh_namespace
    assert server.events("forwarded") == [{"event": "forwarded", "to": FAR_NAME, "port": cluster.port}]
    path = f"/api/v1/namespaces/{fresh_namespace}/configmaps"
    # The controller manager puts one of its own into every namespace.
    wait_for("its CA bundle", lambda: client.list(path))
    _items, version = client.list_with_version(path)
    watch = client.watch(path, None, version, timeout_s=30)
    metadata = {"name": "big", "namespace": fresh_namespace}
    # More than one window of paramiko, there and back.
    data = {"filling": "x" * 900_000}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    for number in range(4):
        assert client.request("POST", path, body={**body, "metadata": {**metadata, "name": f"big{number}"}})
    seen = {}
    for event in watch:
        seen[event["object"]["metadata"]["name"]] = event["object"].get("data")
        if len(seen) == 4:
            break
    watch.close()
    assert seen == {f"big{number}": data for number in range(4)}
    assert server.count("key accepted") == 1
    # A watch that is closed is no connection any more, here and there.
    wait_for("the watch's channel is closed", lambda: server.count("channel closed") == 1)


def test_the_api_server_is_verified_as_without_a_tunnel(cluster: Cluster, server: SshServer) -> None:
    error = refused(through(server, cluster, host="elsewhere.test"))
    assert "is not trusted" in error.message and error.permanent
    assert server.count("forwarded") == 1


def test_many_requests_at_once_share_one_session(cluster: Cluster, server: SshServer) -> None:
    client = auth.connect(through(server, cluster))
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda _number: client.get("/api/v1/nodes", query={"limit": 1})["kind"], range(60)))
    assert found == ["NodeList"] * 60
    assert server.count("key accepted") == 1
    assert 1 < server.count("forwarded") <= 20
    # Connections are kept: the same again needs no new one.
    before = server.count("forwarded")
    client.get("/api/v1/nodes", query={"limit": 1})
    assert server.count("forwarded") == before


def test_each_api_server_is_asked_through_the_same_session(cluster: Cluster, server: SshServer) -> None:
    params = through(server, cluster)
    assert auth.connect(params).raw("GET", "/readyz") == (200, b"ok")
    assert direct_client(params, f"127.0.0.1:{cluster.port}").raw("GET", "/readyz") == (200, b"ok")
    assert [event["to"] for event in server.events("forwarded")] == [FAR_NAME, "127.0.0.1"]
    assert server.count("key accepted") == 1


def test_a_drain_survives_the_end_of_its_session(cluster: Cluster, server: SshServer, fresh_namespace: str) -> None:
    name, pool = f"{fresh_namespace}-a", {"pool": fresh_namespace}
    pods = f"/api/v1/namespaces/{fresh_namespace}/pods"
    cluster.apply(objects.node(name, labels=pool))
    cluster.apply(
        objects.deployment("web", fresh_namespace, 3, node_selector=pool, annotations={STOP_AFTER: "6s"}),
    )
    wait_for(
        "the pods run on the node",
        lambda: [pod["status"].get("phase") for pod in cluster.client.list(pods)] == ["Running"] * 3,
    )
    results: list[Json] = []
    arguments = {**through(server, cluster), "name": [name], "delete_options": {"wait_timeout": 60, "wait_sleep": 1}}
    drain = threading.Thread(target=lambda: results.append(run_module("drain_node", arguments)))
    drain.start()
    wait_for(
        "pods of the node are being removed",
        lambda: any("deletionTimestamp" in pod["metadata"] for pod in cluster.client.list(pods)),
    )
    assert server.count("key accepted") == 1
    server.stop()
    time.sleep(1)
    server.start()
    drain.join(90)
    (result,) = results
    assert not result.get("failed"), result
    assert result["totals"]["gone"] == 3
    assert server.count("key accepted") == 2
    assert cluster.client.get(f"/api/v1/nodes/{name}")["spec"]["unschedulable"]


def test_a_server_with_another_key_is_not_used_again(cluster: Cluster, server: SshServer, tmp_path: Path) -> None:
    client = auth.connect(through(server, cluster))
    client.get("/version")
    server.stop()

    def asked() -> ApiUnreachable:
        with pytest.raises(ApiUnreachable) as caught:
            client.get("/version")
        return caught.value

    # The first one may still meet the connection that was there.
    away = f"The SSH server 127.0.0.1:{server.port} cannot be reached: Connection refused."
    wait_for("the end of the session is known", lambda: away in asked().message)
    assert not asked().permanent
    old = server.host_keys[0]
    server.host_keys = [new_key(tmp_path / "other")]
    server.start()
    for _again in range(2):
        error = asked()
        assert error.permanent
        assert fingerprint(old) in error.message and fingerprint(server.host_keys[0]) in error.message
    assert server.count("key accepted") == 1 and server.count("key refused") == 0
    # What was refused is not tried again: the second error is the first one.
    assert server.count("connected") == 2


def test_forwarding_that_is_not_allowed(cluster: Cluster, server: SshServer) -> None:
    server.stop()
    server.forwarding = False
    server.start()
    error = refused(through(server, cluster))
    assert error.permanent and "AllowTcpForwarding" in error.hint
    assert error.message == (
        f"The SSH server 127.0.0.1:{server.port} does not allow forwarding to {FAR_NAME}:{cluster.port}."
    )
    assert server.count("prohibited") == 1 and server.count("forwarded") == 0


def test_servers_that_cannot_be_reached(server: SshServer, cluster: Cluster) -> None:
    (port,) = free_ports(1)
    for changed, message in (
        ({"port": port}, f"The SSH server 127.0.0.1:{port} cannot be reached: Connection refused."),
        ({"host": "no-such-host.invalid"}, "The SSH server no-such-host.invalid is not known where this task runs"),
        # An API server answers with TLS.
        ({"port": cluster.port}, f"What answers at 127.0.0.1:{cluster.port} began no SSH session"),
    ):
        error = refused({**NOWHERE, "ssh_tunnel": server.option(**changed)})
        assert message in error.message and error.hint and not error.permanent


ENDING = """
import json, sys
from ansible.module_utils.testing import patch_module_args
from ansible_collections.evergreen.kubeadm.plugins.modules import drain_node
with patch_module_args(json.load(sys.stdin)):
    drain_node.main()
"""


def run_and_time(arguments: Json, tmp_path: Path) -> tuple[Json, float, int, str]:
    """``(result, seconds from the result to the end of the process, exit status, stderr)``."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"}
    with (tmp_path / "stderr").open("w+") as said:
        pipes: Json = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": said}
        with subprocess.Popen([sys.executable, "-c", ENDING], env=env, text=True, **pipes) as process:
            assert process.stdin and process.stdout
            process.stdin.write(json.dumps(arguments))
            process.stdin.close()
            # Empty lines come first.
            result = next(json.loads(line) for line in process.stdout if line.strip())
            at = time.monotonic()
            status = process.wait(30)
            took = time.monotonic() - at
        said.seek(0)
        return result, took, status, said.read()


def test_the_process_ends_with_the_module(
    cluster: Cluster, server: SshServer, fresh_namespace: str, tmp_path: Path
) -> None:
    name = f"{fresh_namespace}-a"
    cluster.apply(objects.node(name))
    pod = objects.pod("bare", fresh_namespace, on=name, stop_after="1s")
    cluster.apply(pod)
    options = {"force": True, "wait_timeout": 60, "wait_sleep": 1}
    arguments = {**through(server, cluster), "name": [name], "delete_options": options}
    result, took, status, stderr = run_and_time(arguments, tmp_path)
    assert not result.get("failed"), result
    assert result["totals"]["gone"] == 1 and server.count("forwarded") >= 1
    assert (status, stderr) == (0, "") and took < 5  # paramiko itself would wait for 15


def test_the_process_ends_where_no_session_came_about(server: SshServer, tmp_path: Path) -> None:
    """A peer that says it is an SSH server and then nothing; paramiko would wait for it at the end of the process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = []

        def greet() -> None:
            while True:
                try:
                    connection, _peer = listener.accept()
                except OSError:
                    return
                connection.sendall(b"SSH-2.0-silent\r\n")
                taken.append(connection)

        threading.Thread(target=greet, daemon=True).start()
        port = listener.getsockname()[1]
        arguments = {
            **NOWHERE,
            "ssh_tunnel": server.option(port=port, connect_timeout=1),
            "name": ["nobody"],
            "delete_options": {"wait_timeout": 0},
        }
        result, took, status, stderr = run_and_time(arguments, tmp_path)
        assert result["failed"] and f"What answers at 127.0.0.1:{port} began no SSH session" in result["msg"]
        assert taken and (status, stderr) == (1, "") and took < 5  # paramiko itself would wait for 15


def test_what_goes_together_with_a_tunnel(server: SshServer, cluster: Cluster) -> None:
    with pytest.raises(ConfigurationError, match="ssh_tunnel and proxy are two ways"):
        auth.connect({**NOWHERE, "ssh_tunnel": server.option(), "proxy": "http://127.0.0.1:1"})
    both = {"ssh_tunnel": server.option(known_hosts="/dev/null"), "name": ["x"]}
    assert "mutually exclusive" in run_module("drain_node", {**NOWHERE, **both})["msg"]
    # The probe measures from where it runs, and says so.
    result = run_module("availability_probe", through(server, cluster), check_mode=True)
    assert result["failed"] and "cannot reach the API through the proxy ssh://127.0.0.1" in result["msg"]


@pytest.mark.parametrize(
    ("module", "options", "check_mode"),
    [
        ("cluster_gate", {"conditions": ["node_ready"]}, True),
        ("skew_check", {"kubernetes_version": "1.34.4"}, False),
        ("upgrade_lock", {"holder": "tunnel@test", "name": "tunnel-test"}, False),
        ("drain_node", {"name": ["no-such-node"], "state": "uncordoned"}, False),
    ],
)
def test_every_module_of_the_api_takes_it(
    cluster: Cluster, server: SshServer, module: str, options: Json, check_mode: bool
) -> None:
    result = run_module(module, {**through(server, cluster), **options}, check_mode=check_mode)
    assert server.count("forwarded") >= 1 and server.count("key accepted") == 1
    # They answer with what they saw of the cluster, as they do without a tunnel.
    seen = {"cluster_gate": "checks", "skew_check": "findings", "upgrade_lock": "lock", "drain_node": "msg"}[module]
    assert result[seen] and "SSH" not in json.dumps(result.get("msg", "")), result
    assert module != "drain_node" or "There is no node no-such-node" in result["msg"]
