# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gates of the user on a real API server, real HTTP servers and real commands.

The server that speaks for Prometheus is an HTTP server that sends answers as
Prometheus sends them.
"""

from __future__ import annotations

import itertools
import json
import shutil
import ssl
import subprocess
import threading
import time
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.auth import AUTH_ARGUMENT_SPEC
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.modules import cluster_gate
from control_plane import task
from harness.cluster import Cluster
from harness.modules import run_module
from harness.objects import deployment

Json = dict[str, t.Any]
TOKEN = "t0ken-that-nobody-may-see"


class Server(ThreadingHTTPServer):
    """Answers what `answers` says for a path: a status and a body, or a callable that gets the query and headers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, t.Any] = {}
        self.scheme = "http"

    def url(self, path: str = "") -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}{path}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        found = t.cast("Server", self.server).answers.get(url.path, (404, "no such page"))
        status, body = found(parse_qs(url.query), self.headers) if callable(found) else found
        data = body.encode()
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: t.Any) -> None:
        del format, args


@pytest.fixture
def server() -> t.Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def look(*gates: Json, check_mode: bool = False, **options: t.Any) -> Json:
    """One look unless `options` say otherwise, with options as Ansible fills them in."""
    params = {"gates": list(gates), "timeout_s": 0, "interval_s": 0.1, "consecutive": 1, **options}
    spec = {**AUTH_ARGUMENT_SPEC, **cluster_gate.ARGUMENT_SPEC}
    checked = ArgumentSpecValidator(spec).validate(params)
    assert checked.error_messages == []
    return cluster_gate.pass_gate(task(spec, checked.validated_parameters, check_mode=check_mode))


def refused(*gates: Json, **options: t.Any) -> EvergreenError:
    with pytest.raises(EvergreenError) as raised:
        look(*gates, **options)
    return raised.value


def web(expression: str, **options: t.Any) -> Json:
    about = {"api_version": "apps/v1", "kind": "Deployment", "expression": expression}
    return {"name": "web", "object": {**about, **options}}


def test_an_object_lets_through_when_it_becomes_so(cluster: Cluster, fresh_namespace: str) -> None:
    cluster.apply(deployment("web", fresh_namespace, 0, node_selector={"no": "node"}))
    scaled = web("spec.replicas == `2`", namespace=fresh_namespace, name="web")
    error = refused(scaled, **cluster.params)
    assert "gate web of Deployment" in error.message
    assert "the expression gives false" in error.message
    path = f"/apis/apps/v1/namespaces/{fresh_namespace}/deployments/web"
    timer = threading.Timer(0.5, lambda: cluster.client.patch(path, {"spec": {"replicas": 2}}))
    timer.start()
    try:
        result = look(scaled, timeout_s=20, **cluster.params)
    finally:
        timer.join()
    assert result["ready"]
    assert result["looks"] > 1


def test_objects_that_are_not_there(cluster: Cluster, fresh_namespace: str) -> None:
    cases: tuple[tuple[Json, str], ...] = (
        ({"name": "ghost"}, "there is none"),
        ({"label_selector": "app=ghost"}, "there is none"),
        ({"kind": "Ghost"}, "no kind Ghost in apps/v1"),
        ({"api_version": "ghost.example.org/v1"}, "no ghost.example.org/v1"),
        ({"name": "web", "namespace": None}, "the gate names none"),
    )
    for options, said in cases:
        about = {"namespace": fresh_namespace, **options}
        assert said in refused(web("spec", **about), **cluster.params).message


def test_what_is_in_no_namespace(cluster: Cluster) -> None:
    about = {"api_version": "v1", "kind": "Namespace", "expression": "status.phase == 'Active'"}
    assert look({"name": "all", "object": {**about, "name": "kube-system"}}, **cluster.params)["ready"]


def test_a_secret_is_not_shown(cluster: Cluster, fresh_namespace: str) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": fresh_namespace},
        "stringData": {"word": TOKEN},
    }
    cluster.apply(secret)
    about = {"api_version": "v1", "kind": "Secret", "namespace": fresh_namespace, "name": "s"}
    error = refused({"name": "s", "object": {**about, "expression": "data.word == 'x'"}}, **cluster.params)
    good = look({"name": "s", "object": {**about, "expression": "data.word"}}, **cluster.params)
    assert "the expression is not true" in error.message
    assert cluster.client.get(f"/api/v1/namespaces/{fresh_namespace}/secrets/s")["data"]["word"] not in str(good)


def test_http_without_any_cluster(server: Server) -> None:
    server.answers["/healthz"] = (200, '{"status": "ok"}')
    server.answers["/moved"] = (302, "")
    healthy = {"name": "shop", "http": {"url": server.url("/healthz"), "expression": "status == 'ok'"}}
    assert look(healthy)["checks"][0]["seen"] == "status 200, the expression gives true"
    assert "status 404" in refused({"name": "a", "http": {"url": server.url("/none")}}).message
    assert "status 302" in refused({"name": "a", "http": {"url": server.url("/moved")}}).message
    assert look({"name": "a", "http": {"url": server.url("/moved"), "status": [302]}})["ready"]
    server.answers["/healthz"] = (200, '{"status": "down"}')
    assert "the expression gives false" in refused(healthy).message


def test_http_that_does_not_answer_in_time(server: Server) -> None:
    def slow(query: Json, headers: t.Any) -> tuple[int, str]:
        del query, headers
        time.sleep(2)
        return 200, ""

    server.answers["/slow"] = slow
    error = refused({"name": "slow", "http": {"url": server.url("/slow"), "timeout_s": 0.3}}, timeout_s=1)
    assert "no answer" in error.message
    port = server.server_address[1]
    server.shutdown()
    server.server_close()
    assert "refused" in refused({"name": "gone", "http": {"url": f"http://127.0.0.1:{port}/"}}).message


def test_certificates_are_checked(server: Server, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=gate"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.scheme = "https"
    server.answers["/"] = (200, "")
    assert "certificate" in refused({"name": "a", "http": {"url": server.url("/")}}).message.lower()
    assert look({"name": "a", "http": {"url": server.url("/"), "ca_path": str(certificate)}})["ready"]
    assert look({"name": "a", "http": {"url": server.url("/"), "validate_certs": False}})["ready"]


def test_a_token_is_sent_and_shown_nowhere(server: Server) -> None:
    def echo(query: Json, headers: t.Any) -> tuple[int, str]:
        del query
        return (200 if headers["Authorization"] == f"Bearer {TOKEN}" else 401), f"you are {headers['Authorization']}"

    server.answers["/"] = echo
    about = {"url": server.url("/"), "headers": {"Authorization": f"Bearer {TOKEN}"}}
    arguments = {"timeout_s": 0, "consecutive": 1}
    good = run_module("cluster_gate", {**arguments, "gates": [{"name": "a", "http": about}]})
    bad = run_module("cluster_gate", {**arguments, "gates": [{"name": "a", "http": {**about, "status": [201]}}]})
    assert good["ready"]
    assert "status 200, expected 201" in bad["msg"]
    assert TOKEN not in json.dumps([good, bad])


def prometheus(server: Server, **options: t.Any) -> Json:
    return {
        "name": "alerts",
        "prometheus": {"url": server.url("/prom/"), "query": 'ALERTS{severity="critical"}', **options},
    }


def test_prometheus(server: Server) -> None:
    asked: list[str] = []
    samples: list[Json] = []

    def query(asks: Json, headers: t.Any) -> tuple[int, str]:
        del headers
        asked.extend(asks["query"])
        return 200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": samples}})

    server.answers["/prom/api/v1/query"] = query
    assert look(prometheus(server, expect="empty"))["ready"]
    assert asked == ['ALERTS{severity="critical"}']
    samples.append({"metric": {"__name__": "ALERTS", "alertname": "Down"}, "value": [1767225600.781, "1"]})
    assert 'ALERTS{alertname="Down"} 1' in refused(prometheus(server, expect="empty")).message
    assert look(prometheus(server, expression="value == `1`"))["ready"]
    bad = {"status": "error", "errorType": "bad_data", "error": "1:3: parse error"}
    server.answers["/prom/api/v1/query"] = (400, json.dumps(bad))
    assert "bad_data: 1:3: parse error" in refused(prometheus(server, expect="empty")).message


def command(*argv: str, **options: t.Any) -> Json:
    return {"name": "command", "command": {"argv": list(argv), **options}}


def test_commands() -> None:
    sh = shutil.which("sh") or "sh"
    assert look(command("true"))["ready"]
    assert "ended with 3: busy" in refused(command(sh, "-c", "echo busy >&2; exit 3")).message
    assert "No such file" in refused(command("/no/such/program")).message
    # Without a shell the text is one argument.
    assert look(command("test", "$HOME; exit 1", "=", "$HOME; exit 1"))["ready"]


def test_a_command_that_does_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    hanging = command("sh", "-c", f"(sleep 3; touch {mark}) & sleep 60", timeout_s=0.5)
    began = time.monotonic()
    assert "had not ended after 0.5 s" in refused(hanging, timeout_s=1).message
    assert time.monotonic() - began < 10
    time.sleep(3.5)
    assert not mark.exists()


def test_in_check_mode_no_command_is_run(tmp_path: Path, server: Server) -> None:
    mark = tmp_path / "mark"
    server.answers["/"] = (200, "")
    result = look(command("touch", str(mark)), {"name": "h", "http": {"url": server.url("/")}}, check_mode=True)
    assert not mark.exists()
    assert [check["ok"] for check in result["checks"]] == [False, True]
    assert result["ready"] is False


def test_gates_must_hold_together_for_as_long_as_asked(server: Server) -> None:
    """One is bad in the third look, the other in the fifth: what was good before counts for nothing."""
    bad_at: list[float] = []

    def bad_once(look: int) -> t.Callable[..., tuple[int, str]]:
        looks = itertools.count(1)

        def answer(*_asked: t.Any) -> tuple[int, str]:
            if next(looks) != look:
                return 200, ""
            bad_at.append(time.monotonic())
            return 503, ""

        return answer

    server.answers.update({"/a": bad_once(3), "/b": bad_once(5)})
    gates = [{"name": name, "http": {"url": server.url(f"/{name}")}} for name in ("a", "b")]
    result = look(*gates, timeout_s=120, hold_s=3)
    assert result["ready"]
    assert len(bad_at) == 2
    assert time.monotonic() - bad_at[-1] >= 3


def test_what_fits_not_together_is_said() -> None:
    assert "within the timeout_s" in refused(command("true"), timeout_s=5, hold_s=6).message
    assert "proves nothing" in refused().message
