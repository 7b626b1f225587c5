# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a component is asked, which processes are its own, and whose connections are rejected."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import typing as t
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _yamlread
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods import asking, port, processes, swap_unit
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.asking import Request
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.component import Component
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.swap import Server, Swap, SwapError

POD = """\
metadata: {name: kube-apiserver, namespace: kube-system}
spec:
  containers:
  - name: sidecar
  - name: kube-apiserver
    command: [kube-apiserver, --secure-port=6443, --shutdown-delay-duration=1m2.5s]
"""


@pytest.mark.parametrize(
    ("container", "request_"),
    [
        pytest.param("{}", Request("c", "process"), id="no probe"),
        pytest.param("{readinessProbe: {exec: {command: [x]}}}", Request("c", "process"), id="exec"),
        pytest.param("{readinessProbe: {grpc: {port: 1}}}", Request("c", "process"), id="gRPC"),
        pytest.param(
            "{readinessProbe: {httpGet: {host: 192.0.2.1, path: /readyz, port: 6443, scheme: HTTPS}}, "
            "livenessProbe: {httpGet: {path: /livez, port: 6443}}}",
            Request("c", "HTTPS", ("192.0.2.1",), 6443, "/readyz"),
            id="readiness before liveness",
        ),
        pytest.param(
            "{ports: [{name: probe-port, containerPort: 2381}], "
            "livenessProbe: {httpGet: {path: /h, port: probe-port}}}",
            Request("c", "HTTP", ("192.0.2.7", "127.0.0.1"), 2381, "/h"),
            id="a named port, the node's address",
        ),
        pytest.param("{readinessProbe: {httpGet: {port: unknown}}}", Request("c", "process"), id="an unknown name"),
        pytest.param(
            "{startupProbe: {httpGet: {port: 80, httpHeaders: [{name: X, value: y}]}}}",
            Request("c", "HTTP", ("192.0.2.7", "127.0.0.1"), 80, "/", (("X", "y"),)),
            id="headers",
        ),
        pytest.param(
            "{readinessProbe: {tcpSocket: {port: 80}}}", Request("c", "TCP", ("192.0.2.7", "127.0.0.1"), 80), id="TCP"
        ),
    ],
)
def test_requests(container: str, request_: Request) -> None:
    pod = {"spec": {"containers": [{"name": "c", **_yamlread.load(container, typed=False)}]}}
    assert asking.requests(pod, ("192.0.2.7",)) == [request_]


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.end_headers()

    def log_message(self, *unused: object) -> None:
        pass


def test_answers() -> None:
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        at = server.server_address[1]
        assert asking.answers(Request("c", "HTTP", ("127.0.0.2", "127.0.0.1"), at, "/200"))
        assert not asking.answers(Request("c", "HTTP", ("127.0.0.1",), at, "/503"))
        assert not asking.answers(Request("c", "HTTPS", ("127.0.0.1",), at, "/200"))
        assert asking.answers(Request("c", "TCP", ("127.0.0.1",), at))
        server.shutdown()
    assert not asking.answers(Request("c", "TCP", ("127.0.0.1",), at))
    assert asking.answers(Request("c", "process"))


class TestComponent:
    def test_the_main_container_is_the_one_of_its_name(self, tmp_path: Path) -> None:
        (tmp_path / "m.yaml").write_text(POD)
        component = Component("kube-apiserver", str(tmp_path / "m.yaml"), ())
        assert component.pod == processes.StaticPod("kube-system", "kube-apiserver", "kube-apiserver")
        assert component.shutdown_delay() == 62.5
        assert Component("other", str(tmp_path / "m.yaml"), ()).pod.main == "sidecar"

    @pytest.mark.parametrize("text", ["", "a: [", "spec: {containers: []}"])
    def test_a_manifest_that_is_none(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "m.yaml").write_text(text)
        with pytest.raises(SwapError):
            Component("etcd", str(tmp_path / "m.yaml"), ())


UID, OTHER_UID, REGULAR = "0123456789abcdef" * 2, "f" * 32, "12345678-1234-1234-1234-123456789abc"
MAIN, SIDECAR, SANDBOX, ENDED = "a" * 64, "b" * 64, "c" * 64, "d" * 64


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(f"0::/kubepods.slice/kubepods-pod{UID}.slice/cri-containerd-{MAIN}.scope\n", (UID, MAIN), id="v2"),
        pytest.param(
            f"0::/kubepods.slice/kubepods-burstable-pod{REGULAR.replace('-', '_')}.slice/crio-{MAIN}.scope/x\n",
            (REGULAR, MAIN),
            id="CRI-O, a pod of the API",
        ),
        pytest.param(
            f"12:pids:/kubepods/burstable/pod{UID}/{MAIN}\n1:name=systemd:/kubepods/burstable/pod{UID}/{MAIN}\n",
            (UID, MAIN),
            id="v1, cgroupfs",
        ),
        pytest.param("0::/system.slice/kubelet.service\n", ("", ""), id="no pod"),
        pytest.param(f"0::/kubepods.slice/kubepods-pod{UID}.slice\n", ("", ""), id="no container"),
    ],
)
def test_in_cgroup(text: str, found: tuple[str, str]) -> None:
    assert processes.in_cgroup(text) == found


class FakeNode:
    """The folders that the kubelet writes, and a /proc."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = processes.Place(*(str(folder / name) for name in ("pods", "containers", "proc")))
        for name in self.place:
            Path(name).mkdir()

    def container(self, pod: str, uid: str, name: str, container_id: str, attempt: int = 0) -> None:
        folder = self.folder / "pods" / f"{pod}_{uid}" / name
        folder.mkdir(parents=True, exist_ok=True)
        namespace, _underscore, full = pod.partition("_")
        link = self.folder / "containers" / f"{full}_{namespace}_{name}-{container_id}.log"
        link.symlink_to(folder / f"{attempt}.log")
        (folder / f"{attempt}.log").write_text("log")

    def process(self, pid: int, uid: str, container_id: str, **status: str) -> None:
        folder = self.folder / "proc" / str(pid)
        folder.mkdir(exist_ok=True)
        (folder / "cgroup").write_text(
            f"0::/kubepods.slice/kubepods-pod{uid}.slice/cri-containerd-{container_id}.scope\n"
        )
        words = {"Name": "x", "State": "S (sleeping)", "PPid": "1", "NSpid": f"{pid}\t1", **status}
        (folder / "status").write_text("".join(f"{key}:\t{value}\n" for key, value in words.items()))


@pytest.fixture
def node(tmp_path: Path) -> FakeNode:
    node = FakeNode(tmp_path)
    node.container("kube-system_kube-apiserver-cp1", UID, "kube-apiserver", ENDED)
    node.container("kube-system_kube-apiserver-cp1", UID, "kube-apiserver", MAIN, 1)
    node.container("kube-system_kube-apiserver-cp1", UID, "sidecar", SIDECAR)
    node.container("kube-system_kube-apiserver-proxy-cp1", OTHER_UID, "haproxy", "e" * 64)
    return node


@pytest.fixture
def pod(node: FakeNode) -> processes.StaticPod:
    return processes.StaticPod("kube-system", "kube-apiserver", "kube-apiserver", node.place)


class TestStaticPod:
    def test_containers(self, pod: processes.StaticPod) -> None:
        assert pod.uids() == {UID}
        assert pod.started() == {MAIN, ENDED}

    def test_processes(self, node: FakeNode, pod: processes.StaticPod) -> None:
        node.process(10, UID, MAIN)
        node.process(11, UID, MAIN, NSpid="11\t7", PPid="10")
        node.process(12, UID, SIDECAR)
        node.process(13, UID, SANDBOX, Name="pause")
        node.process(14, UID, MAIN, State="Z (zombie)")
        node.process(15, OTHER_UID, "e" * 64)
        assert {(each.pid, each.first) for each in pod.processes()} == {(10, True), (11, False), (12, True)}
        assert pod.runs() == {MAIN}

    def test_in_the_host_s_process_namespace(self, node: FakeNode, pod: processes.StaticPod) -> None:
        node.process(10, UID, MAIN, NSpid="10", PPid="5")
        node.process(11, UID, MAIN, NSpid="11", PPid="10")
        assert {(each.pid, each.first) for each in pod.processes()} == {(10, True), (11, False)}

    def test_logs(self, node: FakeNode, pod: processes.StaticPod) -> None:
        assert set(pod.logs(time.time() - 60)) == {
            f"kube-apiserver_{UID[:8]}_{name}.log" for name in ("kube-apiserver_0", "kube-apiserver_1", "sidecar_0")
        }
        assert pod.logs(time.time() + 60) == {}

    def test_a_node_without_logs(self, tmp_path: Path) -> None:
        nothing = processes.StaticPod("n", "p", "m", processes.Place(*[str(tmp_path / "none")] * 3))
        assert (nothing.uids(), nothing.started(), nothing.processes()) == (set(), set(), [])


ENDS_AT_SIGTERM = "import time; print(flush=True); time.sleep(60)"
IGNORES_SIGTERM = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {ENDS_AT_SIGTERM}"


@pytest.mark.parametrize(
    ("program", "signal_"),
    [
        pytest.param(ENDS_AT_SIGTERM, signal.SIGTERM, id="SIGTERM"),
        pytest.param(IGNORES_SIGTERM, signal.SIGKILL, id="SIGKILL after the grace"),
    ],
)
def test_stop(node: FakeNode, pod: processes.StaticPod, program: str, signal_: int) -> None:
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        t.cast("t.IO[bytes]", process.stdout).readline()
        node.process(process.pid, UID, MAIN)

        def gone() -> None:
            process.wait()
            for name in ("cgroup", "status"):
                os.unlink(node.folder / "proc" / str(process.pid) / name)

        thread = threading.Thread(target=gone)
        thread.start()
        pod.stop(0.5)
        thread.join()
    assert process.returncode == -signal_


SERVER = Server(("192.0.2.1", "2001:db8::1"), 6443)


class TestPort:
    def test_nft(self) -> None:
        lines = port.nft_rules(SERVER).splitlines()
        reject = "tcp dport 6443 tcp flags & (fin|syn|rst|ack) == syn reject with tcp reset"
        assert f'iifname != "lo" ip daddr 192.0.2.1 {reject}' in lines
        assert f'iifname != "lo" ip6 daddr 2001:db8::1 {reject}' in lines

    def test_iptables(self) -> None:
        assert " ".join(port.iptables_rule("192.0.2.1", 6443)) == (
            "! --in-interface lo --destination 192.0.2.1 --protocol tcp --dport 6443 --syn "
            "--match comment --comment evergreen.kubeadm-swap --jump REJECT --reject-with tcp-reset"
        )

    def test_own_rules(self) -> None:
        listed = (
            '-P INPUT ACCEPT\n-A INPUT -m comment --comment "kubernetes health check" -j KUBE-NODEPORTS\n'
            "-A INPUT -d 192.0.2.1/32 ! -i lo -p tcp -m comment --comment evergreen.kubeadm-swap -j REJECT\n"
        )
        rule = "-d 192.0.2.1/32 ! -i lo -p tcp -m comment --comment evergreen.kubeadm-swap -j REJECT"
        assert port.own_rules(listed) == [["--delete", "INPUT", *rule.split()]]


def test_the_unit_resumes_before_the_kubelet_starts() -> None:
    text = swap_unit.unit_text(Swap("s", "v1.35.4", ()), "/usr/bin/python3")
    program = "/usr/bin/python3 /var/lib/evergreen-kubeadm/swap/program.pyz"
    for line in (
        "Before=kubelet.service",
        "Restart=on-failure",
        "WantedBy=multi-user.target",
        f"ExecStart={program} run /var/lib/evergreen-kubeadm/swap",
        f"ExecStopPost={program} safe /var/lib/evergreen-kubeadm/swap",
    ):
        assert line in text.splitlines()
