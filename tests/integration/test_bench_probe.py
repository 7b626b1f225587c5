# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The benchmark's probe, as client-go has it, against a real API server whose connections break."""

from __future__ import annotations

import json
import subprocess
import time
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.cluster import Cluster
from harness.process import wait_for
from harness.tcp_proxy import TcpProxy
from lab import golang

CLIENTS = {"kept", "list", "write", "watch"}
Json = dict[str, t.Any]


@pytest.fixture(scope="module")
def program() -> Path:
    return golang.build(golang.probe("0.34.4", "1.24"), golang.cache_directory()) / "probe"


class Running:
    """The probe through a proxy. `lines` is what it has printed, without what is no request."""

    def __init__(self, output: Path, process: subprocess.Popen[bytes]) -> None:
        self._output = output
        self.process = process

    def lines(self, client: str = "") -> list[Json]:
        whole = self._output.read_bytes().rpartition(b"\n")[0].splitlines()
        return [line for line in map(json.loads, whole) if line["client"] == (client or line["client"])]

    def requests(self, client: str) -> list[Json]:
        return [line for line in self.lines(client) if line.get("what") != "connection"]

    def failed(self, client: str) -> list[Json]:
        return [line for line in self.requests(client) if not line["ok"]]


@contextmanager
def probing(program: Path, cluster: Cluster, url: str, place: Path) -> Iterator[Running]:
    kubeconfig, output = place / "kubeconfig", place / "output"
    kubeconfig.write_text(cluster.kubeconfig.read_text().replace(cluster.url, url))
    with (
        output.open("wb") as file,
        subprocess.Popen([program, "--kubeconfig", kubeconfig], stdin=subprocess.PIPE, stdout=file) as process,
    ):
        running = Running(output, process)
        wait_for("each client has asked", lambda: {line["client"] for line in running.lines()} >= CLIENTS)
        yield running
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


def config_maps(cluster: Cluster) -> list[str]:
    listed = cluster.client.list("/api/v1/namespaces/default/configmaps")
    return [each["metadata"]["name"] for each in listed if each["metadata"]["name"].startswith("probe-")]


def test_nothing_fails_and_each_client_keeps_its_connection(program: Path, cluster: Cluster, tmp_path: Path) -> None:
    with probing(program, cluster, cluster.url, tmp_path) as running:
        time.sleep(3)
    for client in CLIENTS:
        assert running.failed(client) == []
        assert [line["what"] for line in running.lines(client) if line.get("what") == "connection"] == ["connection"]
    assert 50 <= len(running.requests("kept")) <= 90
    assert {line["what"] for line in running.requests("list")} >= {"nodes", "pods", "leases"}
    assert len(running.requests("watch")) == len(running.requests("write")) >= 5
    assert all(line["seconds"] < 1 for line in running.requests("kept"))
    assert config_maps(cluster) == []


def test_a_watch_that_breaks_is_resumed_and_no_event_is_lost(program: Path, cluster: Cluster, tmp_path: Path) -> None:
    with TcpProxy(cluster.url) as proxy, probing(program, cluster, proxy.url, tmp_path) as running:
        for _time in range(3):
            time.sleep(1)
            proxy.cut()
        time.sleep(1)
    seen = running.requests("watch")
    assert running.failed("watch") == []
    assert len([line for line in seen if line.get("what") == "resume"]) == 3
    assert len([line for line in seen if "what" not in line]) >= 6


def test_answers_that_do_not_come_are_failures(program: Path, cluster: Cluster, tmp_path: Path) -> None:
    with TcpProxy(cluster.url) as proxy, probing(program, cluster, proxy.url, tmp_path) as running:
        proxy._answers.clear()
        time.sleep(3.5)
        proxy.pass_answers()
        time.sleep(1.5)
    kept = running.failed("kept")
    assert 10 <= len(kept) <= 50
    assert all("deadline exceeded" in line["error"] and line["seconds"] >= 2 for line in kept)
    # What was written meanwhile is seen when answers pass again.
    assert running.failed("write")
    assert not [line for line in running.failed("watch") if "lost" in line["error"]]


def test_an_event_that_never_came_is_a_failure(program: Path, cluster: Cluster, tmp_path: Path) -> None:
    with probing(program, cluster, cluster.url, tmp_path) as running:
        [name] = config_maps(cluster)
        time.sleep(1)
        cluster.client.patch(f"/api/v1/namespaces/default/configmaps/{name}", {"data": {"number": "20"}})
        wait_for("the probe says so", lambda: running.failed("watch"))
    lost = [line["error"] for line in running.failed("watch")]
    assert 10 <= len(lost) <= 20
    assert lost[-1] == "event 19 was lost"
