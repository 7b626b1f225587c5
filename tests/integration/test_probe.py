# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The probe against real HTTP servers on loopback that stop, hang, lie and come back."""

from __future__ import annotations

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.auth import connect
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.decisions import NAME, NAMESPACE
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report import probe
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.compose import availability
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.journal import read
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.request import Target
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.targets import api_targets, service_target
from ansible_collections.evergreen.kubeadm.plugins.modules import availability_probe
from harness.cluster import Cluster
from harness.controller import controller
from harness.process import wait_for
from harness.tcp_proxy import TcpProxy


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by the path: ``/ok``, ``/503``, ``/short`` (half a body), ``/hang``, ``/drip`` (a byte at a time).

    ``/gone`` is a watch whose history is gone.
    """

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/hang":
            time.sleep(3)
            return
        if self.path == "/drip":
            for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 60:
                self.wfile.write(bytes([byte]))
                time.sleep(0.05)
            return
        if self.path.startswith("/gone"):
            self.send_response(200)
            self.end_headers()
            event = '{"type": "ERROR", "object": {"code": 410, "message": "too old resource version"}}\n'
            self.wfile.write(event.encode())
            self.close_connection = True
            return
        self.send_response(503 if self.path == "/503" else 200)
        self.send_header("Content-Length", "10")
        self.end_headers()
        self.wfile.write(b"half" if self.path == "/short" else b"0123456789")
        self.close_connection = True

    def log_message(self, format: str, *args: t.Any) -> None:
        """Keep the output of the tests clean."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """A probe that gave up breaks the connection; that is what is tested."""


def may_be_served_first() -> bool:
    """Whether this process has CAP_SYS_NICE, which is bit 23; root in a container may not (capabilities(7))."""
    status = Path("/proc/self/status").read_text().splitlines()
    return any(line.startswith("CapEff:") and int(line.split()[1], 16) >> 23 & 1 for line in status)


@contextmanager
def serving(port: int = 0) -> Iterator[int]:
    server = Server(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def settings(tmp_path: Path, **changes: t.Any) -> probe.Settings:
    chosen: dict[str, t.Any] = {
        "rate_per_s": 20,
        "timeout_s": 1.0,
        "duration_s": 30,
        "idle_limit_s": 30,
        "stop_file": str(tmp_path / "stop"),
        "heartbeat": None,
        "output": str(tmp_path / "probe.jsonl"),
    }
    return probe.Settings(**{**chosen, **changes})


class Running:
    """A probe in a thread; `end` stops it and gives its result."""

    def __init__(self, urls: dict[str, str], chosen: probe.Settings, api: dict[str, t.Any] | None = None) -> None:
        self.stop = threading.Event()
        self._result: dict[str, t.Any] = {}
        targets: list[Target] = [service_target({"name": name, "url": url}) for name, url in urls.items()]
        if api:
            targets += api_targets(connect(api), self.stop)
        self._thread = threading.Thread(
            target=lambda: self._result.update(probe.run(targets, chosen, self.stop)), daemon=True
        )
        self._thread.start()

    def result(self, within_s: float) -> dict[str, t.Any]:
        self._thread.join(within_s)
        assert not self._thread.is_alive(), "the probe did not end in time"
        return self._result

    def end(self) -> dict[str, t.Any]:
        self.stop.set()
        return self.result(3)


def test_an_outage_is_counted_and_its_length_is_measured(tmp_path: Path) -> None:
    with serving() as port:
        running = Running({"web": f"http://127.0.0.1:{port}/ok"}, settings(tmp_path))
        time.sleep(1.2)
    down = time.monotonic()
    time.sleep(1.0)
    with serving(port):
        outage = time.monotonic() - down
        time.sleep(1.0)
        result = running.end()
    web = result["targets"]["service/web"]
    assert result["ended_by"] == "signal"
    assert 55 <= web["requests"] <= 75
    assert 14 <= web["failed"] <= 26
    assert outage - 0.1 <= web["longest_gap_s"] <= outage + 0.6
    assert set(web["errors"]) <= {"refused", "reset", "closed"}
    assert sum(web["errors"].values()) == web["failed"]
    # What the report makes of the file is what the probe says itself.
    [(name, seen)] = availability(read(str(tmp_path / "probe.jsonl")))["services"].items()
    assert name == "web"
    assert (seen["requests"], seen["failed"]) == (web["requests"], web["failed"])
    assert seen["longest_gap_s"] == pytest.approx(web["longest_gap_s"], abs=0.002)
    assert len(seen["failures"]) == web["failed"]


@pytest.mark.parametrize("path", ["/hang", "/drip"])
def test_the_rate_is_kept_while_requests_hang(tmp_path: Path, path: str) -> None:
    with serving() as port:
        urls = {"hanging": f"http://127.0.0.1:{port}{path}", "good": f"http://127.0.0.1:{port}/ok"}
        running = Running(urls, settings(tmp_path))
        time.sleep(2.0)
        targets = running.end()["targets"]
    hanging, good = targets["service/hanging"], targets["service/good"]
    assert 34 <= hanging["requests"] <= 46
    assert hanging["failed"] == hanging["requests"]
    assert set(hanging["errors"]) == {"timeout"}
    assert all(0.95 <= failure["after_s"] <= 1.9 for failure in hanging["failures"])
    assert hanging["longest_gap_s"] >= 1.9
    assert 34 <= good["requests"] <= 46
    assert good["failed"] == 0
    assert good["longest_gap_s"] < 1.0


@pytest.mark.parametrize("path, error", [("/503", "http_503"), ("/short", "closed")])
def test_an_answer_that_is_not_good_fails(tmp_path: Path, path: str, error: str) -> None:
    with serving() as port:
        running = Running({"web": f"http://127.0.0.1:{port}{path}"}, settings(tmp_path))
        time.sleep(0.5)
        web = running.end()["targets"]["service/web"]
    assert web["requests"] == web["failed"] > 0
    assert set(web["errors"]) == {error}


def test_a_listener_that_never_accepts_is_a_timeout_and_ends_in_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:
        port = listener.getsockname()[1]
        running = Running({"web": f"http://127.0.0.1:{port}/"}, settings(tmp_path))
        time.sleep(1.0)
        begin = time.monotonic()
        web = running.end()["targets"]["service/web"]
        assert time.monotonic() - begin < 2.5
    assert web["failed"] == web["requests"] > 0
    assert set(web["errors"]) == {"timeout"}


@pytest.mark.skipif(not may_be_served_first(), reason="the system grants it where CAP_SYS_NICE is")
def test_it_is_served_before_other_processes(tmp_path: Path) -> None:
    options = {"api": False, "output": str(tmp_path / "probe.jsonl"), "duration_s": 60, "rate_per_s": 5}
    with serving() as port:
        services = [{"name": "web", "url": f"http://127.0.0.1:{port}/ok"}]
        arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {**options, "services": services}})
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        # As in the background of Ansible, whose wrapper lives on in the same session.
        command = ["sh", "-c", '"$@"; exit', "sh", sys.executable, "-m", availability_probe.__name__, arguments]
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True) as process:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            try:
                wait_for("the probe asks", lambda: len(read(str(tmp_path / "probe.jsonl"))) > 1, 30)
                child = int(children.read_text())
                threads = [int(name) for name in os.listdir(f"/proc/{child}/task")]
                assert len(threads) > 1
                assert {os.getpriority(os.PRIO_PROCESS, each) for each in threads} == {availability_probe.NICE}
                group = Path(f"/proc/{child}/autogroup")
                assert not group.exists() or f"nice {availability_probe.NICE}" in group.read_text()
            finally:
                # As Ansible ends a background task whose time is over.
                process.kill()
        wait_for("the probe ends with its parent", lambda: read(str(tmp_path / "probe.jsonl"))[-1].get("end"), 5)
    assert read(str(tmp_path / "probe.jsonl"))[-1]["end"] == "parent"


def test_the_stop_file_ends_it(tmp_path: Path) -> None:
    with serving() as port:
        running = Running({"web": f"http://127.0.0.1:{port}/ok"}, settings(tmp_path))
        time.sleep(0.3)
        (tmp_path / "stop").touch()
        result = running.result(2)
    assert result["ended_by"] == "stop_file"
    assert result["targets"]["service/web"]["failed"] == 0


def test_the_next_probe_ends_the_one_that_a_killed_run_left(tmp_path: Path) -> None:
    with serving() as port:
        left = Running({"web": f"http://127.0.0.1:{port}/ok"}, settings(tmp_path))
        time.sleep(0.3)
        following = Running({"web": f"http://127.0.0.1:{port}/ok"}, settings(tmp_path))
        assert left.result(3)["ended_by"] == "replaced"
        (tmp_path / "stop").touch()
        assert following.result(3)["ended_by"] == "stop_file"


def test_it_ends_within_a_second_when_its_controller_is_killed(tmp_path: Path) -> None:
    with serving() as port, controller() as run:
        running = Running({"web": f"http://127.0.0.1:{port}/ok"}, settings(tmp_path, controller=run.identity))
        time.sleep(1.0)
        run.kill()
        killed = time.monotonic()
        result = running.result(3)
    assert time.monotonic() - killed < 1.5
    assert result["ended_by"] == "controller"
    assert result["targets"]["service/web"]["requests"] >= 15
    assert result["targets"]["service/web"]["failed"] == 0


@pytest.mark.parametrize("place", [{"host": "elsewhere"}, {"pid": None}], ids=["of another host", "incomplete"])
def test_a_controller_that_cannot_be_seen_does_not_end_it(tmp_path: Path, place: dict[str, t.Any]) -> None:
    with controller() as gone:
        identity = {**gone.identity, **place}
    with serving() as port:
        running = Running({"web": f"http://127.0.0.1:{port}/ok"}, settings(tmp_path, controller=identity))
        time.sleep(0.8)
        assert running.end()["ended_by"] == "signal"


def test_its_time_ends_it(tmp_path: Path) -> None:
    with serving() as port:
        result = Running({"web": f"http://127.0.0.1:{port}/ok"}, settings(tmp_path, duration_s=0.4)).result(2)
    assert result["ended_by"] == "duration"


def test_a_journal_that_nobody_touches_ends_it(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    journal.write_text("{}\n", encoding="utf-8")
    with serving() as port:
        urls = {"web": f"http://127.0.0.1:{port}/ok"}
        running = Running(urls, settings(tmp_path, heartbeat=str(journal), idle_limit_s=1.6))
        begin = time.monotonic()
        for number in range(4):
            time.sleep(0.5)
            journal.write_text("{}\n" * (number + 2), encoding="utf-8")
        journal.unlink()  # as when a new run moves it aside: no touch, and no end at once
        result = running.result(6)
    assert result["ended_by"] == "idle"
    assert time.monotonic() - begin >= 3.2


def test_a_step_of_hours_does_not_end_the_probe_of_a_living_run(tmp_path: Path) -> None:
    """Nothing is written to the journal meanwhile, and no time is set."""
    journal = tmp_path / "journal.jsonl"
    journal.write_text("{}\n", encoding="utf-8")
    with serving() as port, controller() as run:
        chosen = settings(tmp_path, heartbeat=str(journal), idle_limit_s=0.3, duration_s=0, controller=run.identity)
        running = Running({"web": f"http://127.0.0.1:{port}/ok"}, chosen)
        time.sleep(1.5)
        run.kill()
        run.process.wait()
        result = running.result(3)
    assert result["ended_by"] == "controller"
    assert result["targets"]["service/web"]["requests"] > 8


def test_the_output_holds_whole_lines_at_any_moment(tmp_path: Path) -> None:
    output = tmp_path / "probe.jsonl"
    output.write_text('{"old": true}\n', encoding="utf-8")
    with serving() as port:
        running = Running({"web": f"http://127.0.0.1:{port}/ok"}, settings(tmp_path))
        seen, begun = 0, False
        for _look in range(50):
            time.sleep(0.05)
            begun = begun or ((tmp_path / "probe.jsonl.1").exists() and output.exists())
            text = output.read_text(encoding="utf-8") if begun else ""
            lines = [json.loads(line) for line in text.splitlines()]
            seen = max(seen, len(lines))
            assert not text or text.endswith("\n")
        running.end()
    assert seen >= 2
    assert (tmp_path / "probe.jsonl.1").read_text(encoding="utf-8") == '{"old": true}\n'


def test_the_api_is_asked_with_the_credentials_of_the_kubeconfig(cluster: Cluster, tmp_path: Path) -> None:
    running = Running({}, settings(tmp_path, timeout_s=2), cluster.params)
    time.sleep(1.5)
    targets = running.end()["targets"]
    assert 20 <= targets["api"]["requests"] <= 34
    assert [targets[name]["requests"] for name in ("api/watch", "api/list")] == [1, 2]
    for name in ("api", "api/watch"):
        assert (targets[name]["failed"], targets[name]["errors"]) == (0, {})
        assert targets[name]["longest_gap_s"] < 1


def test_a_watch_that_breaks_is_resumed(cluster: Cluster, tmp_path: Path) -> None:
    with TcpProxy(cluster.url) as proxy:
        running = Running({}, settings(tmp_path), {**cluster.params, "host": proxy.url})
        for _time in range(3):
            time.sleep(0.8)
            proxy.cut()
        time.sleep(0.8)
        watch = running.end()["targets"]["api/watch"]
    assert (watch["requests"], watch["failed"]) == (4, 0)
    assert watch["longest_gap_s"] < 0.8


def test_a_watch_that_is_not_resumed_has_failed(cluster: Cluster, tmp_path: Path) -> None:
    with TcpProxy(cluster.url) as proxy:
        running = Running({}, settings(tmp_path), {**cluster.params, "host": proxy.url})
        time.sleep(0.8)
        proxy._answers.clear()
        proxy.cut()
        time.sleep(1.6)
        proxy.pass_answers()
        time.sleep(0.8)
        watch = running.end()["targets"]["api/watch"]
    assert watch["errors"]["timeout"] >= 1
    assert watch["requests"] == watch["failed"] + 2
    assert 1.5 <= watch["longest_gap_s"] <= 3


def test_a_watch_whose_history_is_gone_has_failed(tmp_path: Path) -> None:
    with serving() as port:
        target = service_target({"name": "watch", "url": f"http://127.0.0.1:{port}/gone?watch=true"})
        stop = threading.Event()
        threading.Timer(0.5, stop.set).start()
        watch = probe.run([target._replace(watch=True)], settings(tmp_path), stop)["targets"]["service/watch"]
    assert set(watch["errors"]) == {"http_410"}
    assert watch["failed"] == watch["requests"] / 2 > 0


def test_what_is_seen_of_the_lock_is_where_a_watch_is_resumed(cluster: Cluster, tmp_path: Path) -> None:
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
    }
    path = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
    [_read, target, _list] = api_targets(connect(cluster.params), threading.Event())
    lane = probe.WatchLane(target, 2.0, 1, lambda _line: None)
    lane.ask()
    wait_for("it stands", lambda: lane._stands, pause_s=0.02)
    made = cluster.client.request("POST", path, body=lease)
    try:
        version = made["metadata"]["resourceVersion"]
        wait_for("it is seen", lambda: lane._version == version, timeout_s=5, pause_s=0.02)
    finally:
        cluster.delete(f"{path}/{NAME}")


@pytest.mark.parametrize(
    "options, error",
    [
        ({"api_key": "nobody-has-this-token"}, "http_401"),
        ({"impersonate_user": "nobody", "impersonate_groups": ["a", "b"]}, "http_403"),
    ],
)
def test_the_api_must_let_the_user_in(cluster: Cluster, tmp_path: Path, options: dict[str, t.Any], error: str) -> None:
    running = Running({}, settings(tmp_path, timeout_s=2), {**cluster.params, **options})
    time.sleep(0.5)
    api = running.end()["targets"]["api"]
    assert api["requests"] == api["failed"] > 0
    assert set(api["errors"]) == {error}


def test_a_certificate_that_nobody_trusts_is_a_failure(cluster: Cluster, tmp_path: Path) -> None:
    running = Running({"web": f"{cluster.url}/readyz"}, settings(tmp_path, timeout_s=2))
    time.sleep(0.5)
    web = running.end()["targets"]["service/web"]
    assert web["requests"] == web["failed"] > 0
    assert set(web["errors"]) == {"tls"}
