# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gRPC route against real etcd servers, beside the other two."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.etcdctl import Etcdctl
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.gateway import Gateway
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.grpc import Grpc
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import Access, EtcdRefused, EtcdUnreachable
from etcd_cluster import Cluster, binaries, etcdutl_status, module_result, run_module, start_module
from etcd_relay import Http1Proxy, Relay, through
from harness.process import free_ports

KEYS = 3000


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Cluster]:
    """One member with some MiB, to which nobody writes."""
    with Cluster(tmp_path_factory.mktemp("quiet"), ["only"]) as made:
        made.start()
        made.put(made.members[0], 0, KEYS, 1000)
        made.etcdctl(made.members[0], "del", "/registry/pods/default/p0000005")
        yield made


def access(cluster: Cluster) -> Access:
    return Access(
        endpoint=cluster.members[0].url,
        ca_cert=str(cluster.pki / "ca.crt"),
        client_cert=str(cluster.pki / "healthcheck-client.crt"),
        client_key=str(cluster.pki / "healthcheck-client.key"),
    )


def save(cluster: Cluster, place: Path, **more: t.Any) -> dict[str, t.Any]:
    options = {"manifest": str(cluster.members[0].manifest), "directory": str(place), "min_free_mib": 0, **more}
    return run_module("etcd_snapshot", options)


def test_both_routes_bring_the_same(quiet: Cluster, tmp_path: Path) -> None:
    found = {}
    for route in ("grpc", "gateway"):
        result = save(quiet, tmp_path / route, route=route)
        assert "failed" not in result, result
        assert result["route"] == route
        assert result["sha256"] == hashlib.sha256(Path(result["path"]).read_bytes()).hexdigest()
        status = etcdutl_status(result["path"])
        assert (result["revision"], result["keys"]) == (status["revision"], status["totalKey"])
        found[route] = status
    assert found["grpc"]["totalKey"] == KEYS - 1
    # The size is that of the file, which may grow by a page for nothing but its own bookkeeping.
    for same in ("revision", "totalKey", "version"):
        assert found["grpc"][same] == found["gateway"][same]


def test_both_clients_see_the_same(quiet: Cluster) -> None:
    url = quiet.members[0].url
    grpc, gateway = Grpc(access(quiet)), Gateway(access(quiet))
    assert grpc.members(5) == gateway.members(5)
    seen, expected = grpc.status(url, 5), gateway.status(url, 5)
    assert seen == expected
    assert seen.version == "3.6.5"
    assert seen.revision > KEYS // 100
    grpc.read(url, 5)
    assert grpc.count(seen.revision, 5) == gateway.count(seen.revision, 5) == KEYS - 1
    # The keys come in transactions of 100 from revision 2 on.
    assert grpc.count(11, 5) == 1000


def test_all_clients_get_the_same_hash(quiet: Cluster) -> None:
    url = quiet.members[0].url
    etcdctl = Etcdctl(access(quiet), etcdctl=str(binaries(quiet.members[0].version) / "etcdctl"))
    grpc, gateway = Grpc(access(quiet)), Gateway(access(quiet))
    newest = grpc.status(url, 5).revision
    found = grpc.kv_hash(url, newest, 5)
    assert found.value
    assert found == gateway.kv_hash(url, newest, 5) == etcdctl.kv_hash(url, newest, 10)
    assert grpc.kv_hash(url, newest - 1, 5).value != found.value


def test_auto_is_grpc(quiet: Cluster, tmp_path: Path) -> None:
    result = save(quiet, tmp_path)
    assert (result["route"], result["route_note"]) == ("grpc", "")


def test_behind_a_proxy_without_http2_auto_is_the_gateway(quiet: Cluster, tmp_path: Path) -> None:
    with Http1Proxy(quiet, quiet.members[0]) as proxy:
        result = run_module("etcd_snapshot", through(quiet, proxy.port, tmp_path / "auto"))
        named = run_module("etcd_snapshot", through(quiet, proxy.port, tmp_path / "grpc", route="grpc"))
    assert "failed" not in result, result
    assert result["route"] == "gateway"
    assert "does not offer HTTP/2" in result["route_note"]
    assert etcdutl_status(result["path"])["totalKey"] == KEYS - 1
    assert named["failed"]
    assert "does not offer HTTP/2" in named["msg"]
    assert not (tmp_path / "grpc").exists()


def test_a_server_that_refuses_http2_is_no_grpc_route(quiet: Cluster) -> None:
    """openssl's server answers a client that offers only another protocol with an alert."""
    (port,) = free_ports(1)
    place = quiet.pki
    server = subprocess.Popen(
        [
            *("openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-alpn", "http/1.1", "-quiet"),
            *("-cert", str(place / "server.crt"), "-key", str(place / "server.key")),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        options = {**through(quiet, port, quiet.place), "state": "healthy", "timeout_s": 1, "route": "grpc"}
        for unused in ("directory", "label", "min_free_mib"):
            options.pop(unused)
        end = time.monotonic() + 20
        while True:
            result = run_module("etcd_member", options)
            assert result["failed"]
            if "refused" not in result["msg"] or time.monotonic() > end:
                break
        assert "does not offer HTTP/2" in result["msg"]
    finally:
        server.kill()
        server.wait(10)


@pytest.mark.parametrize("limit", [60_000, 1_000_000, 3_000_000])
def test_a_stream_that_is_cut_leaves_nothing(quiet: Cluster, tmp_path: Path, limit: int) -> None:
    with Relay(quiet.members[0], limit, cut=True) as relay:
        result = run_module("etcd_snapshot", through(quiet, relay.port, tmp_path, route="grpc"))
        assert relay.reached.is_set()
    assert result["failed"]
    assert "snapshot stream" in result["msg"]
    assert not result["changed"]
    assert list(tmp_path.iterdir()) == []


def test_a_stream_that_falls_silent_is_given_up(quiet: Cluster, tmp_path: Path) -> None:
    with Relay(quiet.members[0], 1_000_000, cut=False) as relay:
        begin = time.monotonic()
        result = run_module("etcd_snapshot", through(quiet, relay.port, tmp_path, route="grpc", timeout_s=2))
        assert relay.reached.is_set()
    assert result["failed"]
    assert "no byte came in time" in result["msg"]
    assert 2 <= time.monotonic() - begin < 20
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def doomed(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Cluster]:
    """A member of its own that a test may do anything to."""
    with Cluster(tmp_path_factory.mktemp("doomed"), ["only"]) as made:
        made.start()
        yield made


def test_a_server_that_is_killed_in_the_middle_leaves_nothing(doomed: Cluster, tmp_path: Path) -> None:
    # More than what is on the way at once, so that the server is really in the middle: window, buffers, relay.
    member = doomed.members[0]
    doomed.put(member, 0, 4000, 10_000)
    with Relay(member, 8_000_000, cut=False) as relay:
        saving = start_module("etcd_snapshot", through(doomed, relay.port, tmp_path, route="grpc"))
        assert relay.reached.wait(20)
        time.sleep(0.3)
        assert [entry.suffix for entry in tmp_path.iterdir()] == [".part"]
        member.stop(signal.SIGKILL)
        relay.go_on.set()
        result = module_result(saving)
    assert result["failed"]
    assert "snapshot stream" in result["msg"]
    assert not result["changed"]
    assert list(tmp_path.iterdir()) == []


def test_a_client_certificate_that_etcd_does_not_trust(quiet: Cluster, doomed: Cluster, tmp_path: Path) -> None:
    strangers = {
        "client_cert": str(doomed.pki / "healthcheck-client.crt"),
        "client_key": str(doomed.pki / "healthcheck-client.key"),
    }
    for certificate in (strangers, {"client_cert": None, "client_key": None}):
        options = through(quiet, 0, tmp_path, endpoint=quiet.members[0].url, route="grpc")
        result = run_module("etcd_snapshot", {**options, **certificate})
        assert result["failed"]
        assert "did not answer" in result["msg"]
        assert "does not accept the client certificate" in result["msg"]
    assert list(tmp_path.iterdir()) == []


def test_what_etcd_refuses_is_said(doomed: Cluster, tmp_path: Path) -> None:
    member = doomed.members[0]
    doomed.put(member, 0, 200, 10)
    revision = Grpc(access(doomed)).status(member.url, 5).revision
    doomed.etcdctl(member, "compact", str(revision))
    with pytest.raises(EtcdRefused) as compacted:
        Grpc(access(doomed)).count(2, 5)
    assert "compacted" in compacted.value.reason
    assert "OUT_OF_RANGE" in compacted.value.message
    with pytest.raises(EtcdRefused) as nobody:
        Grpc(access(doomed)).move_leader(12345, 5)
    assert "refused MoveLeader" in nobody.value.message

    # With etcd's authentication, the common name of the certificate is the user.
    doomed.etcdctl(member, "user", "add", "root", "--no-password")
    doomed.etcdctl(member, "user", "grant-role", "root", "root")
    doomed.etcdctl(member, "user", "add", "healthcheck-client", "--no-password")
    doomed.etcdctl(member, "user", "grant-role", "healthcheck-client", "root")
    doomed.etcdctl(member, "auth", "enable")
    result = save(doomed, tmp_path / "allowed", route="grpc")
    assert "failed" not in result, result
    assert save(doomed, tmp_path / "gateway", route="gateway")["failed"]
    doomed.etcdctl(member, "user", "revoke-role", "healthcheck-client", "root")
    refused = save(doomed, tmp_path / "refused", route="grpc")
    assert refused["failed"]
    assert "PERMISSION_DENIED" in refused["msg"]
    assert "is not allowed to" in refused["msg"]
    assert not (tmp_path / "refused").exists()


def test_an_etcd_without_tls(tmp_path: Path) -> None:
    client, peer = free_ports(2)
    url = f"http://127.0.0.1:{client}"
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                str(binaries() / "etcd"),
                f"--data-dir={tmp_path / 'data'}",
                f"--listen-client-urls={url}",
                f"--advertise-client-urls={url}",
                f"--listen-peer-urls=http://127.0.0.1:{peer}",
                f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
                f"--initial-cluster=default=http://127.0.0.1:{peer}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        options = {"endpoint": url, "directory": str(tmp_path / "saved"), "min_free_mib": 0, "route": "grpc"}
        end = time.monotonic() + 30
        while True:
            try:
                Grpc(Access(endpoint=url)).read(url, 2)
                break
            except EtcdUnreachable:
                assert time.monotonic() < end, (tmp_path / "log").read_text()[-2000:]
                time.sleep(0.1)
        # etcdutl takes the revision from the newest key.
        subprocess.run(
            [str(binaries() / "etcdctl"), f"--endpoints={url}", "put", "/registry/a", "b"],
            check=True,
            capture_output=True,
        )
        result = run_module("etcd_snapshot", options)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    assert "failed" not in result, result
    assert result["revision"] == etcdutl_status(result["path"])["revision"]
