# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tree of files and real programs stands for the node: what is gathered, its limits, and no secret in it."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _processes
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.gathering import Gathered, gather
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.reading import (
    Unreadable,
    output_of,
    tail_of,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.sources import (
    LOGS_MOST,
    Source,
    pod_log_sources,
    sources,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node

STATIC = "/var/log/pods/kube-system_kube-apiserver-cp1_0a1b2c3d4e5f60718293a4b5c6d7e8f9/kube-apiserver"
PROXY = "/var/log/pods/kube-system_kube-proxy-x7k2p_11111111-2222-3333-4444-555555555555/kube-proxy"
FOREIGN = "/var/log/pods/shop_cart-0_0a1b2c3d4e5f60718293a4b5c6d7e8f9/cart"
PROGRAM = '#!/bin/sh\necho "$0 $*" >> {calls}\n{body}\n'


def body(seed: str) -> str:
    return base64.b64encode(hashlib.sha512(seed.encode()).digest()).decode()[:64]


# Put together here, so that no secret stands in the project.
SECRETS = {
    "bootstrap": "abcdef" + "." + "0123456789abcdef",
    "jwt": "eyJ" + "hbGciOiJSUzI1NiJ9x" + ".eyJ" + "pc3MiOiJrdWJlIn0x" + "." + body("jwt")[:20],
    "pem": body("pem line"),
    "kubeconfig": base64.b64encode(("key " * 40).encode()).decode(),
    "certificate": hashlib.sha256(b"certificate").hexdigest(),
    "url": "hunter" + "2x9",
    "flag": "correct" + "horse7",
    "basic": base64.b64encode(b"robot:battery staple 7").decode(),
    "cloud": "wJalrXUtnFEMI/K7MDENG" + "/bPxRfiCYEXAMPLEKEY",
}
PEM = "-----BEGIN {0}PRIVATE KEY-----\n{1}\nAbc9\n-----END {0}PRIVATE KEY-----".format("EC ", SECRETS["pem"])
LOG = f"""\
Flag --token={SECRETS["bootstrap"]} has been deprecated
Authorization: Bearer {SECRETS["jwt"]}
{PEM}
    client-key-data: {SECRETS["kubeconfig"]}
[upload-certs] Using certificate key:
{SECRETS["certificate"]}
GET https://robot:{SECRETS["url"]}@registry.example/v2/
running tool --registry-password {SECRETS["flag"]} --v=2
"Authorization":"Basic {SECRETS["basic"]}"
AWS_SECRET_ACCESS_KEY={SECRETS["cloud"]}
"""
MANIFEST = f"""\
spec:
  containers:
  - command: [kube-apiserver, --advertise-address=10.0.0.1]
    env:
    - name: REGISTRY_PASSWORD
      value: "{SECRETS["flag"]}"
"""


def put(node: Node, path: str, text: str, mode: int = 0o644) -> Path:
    file = node.path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
    return file


def program(node: Node, name: str, body_: str) -> None:
    put(node, f"/usr/bin/{name}", PROGRAM.format(calls=node.path("/calls"), body=body_), 0o755)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """Secrets in every kind of source."""
    made = Node(tmp_path)
    put(made, "/leak", LOG)
    for name in ("journalctl", "systemctl", "crictl"):
        program(made, name, f"cat {made.path('/leak')}; echo the end of {name} >&2; exit 3")
    put(made, f"{STATIC}/0.log", LOG)
    put(made, f"{STATIC}/1.log", LOG + "Error: unknown flag: --bad\n")
    put(made, f"{PROXY}/0.log", "I0101 proxy\n")
    put(made, f"{FOREIGN}/0.log", "of a user\n")
    put(made, "/etc/kubernetes/manifests/kube-apiserver.yaml", MANIFEST)
    put(made, "/var/lib/kubelet/config.yaml", "kind: KubeletConfiguration\n")
    put(made, "/var/lib/kubelet/kubeadm-flags.env", f'KUBELET_KUBEADM_ARGS="--token={SECRETS["flag"]} --x=1"\n')
    put(made, "/var/lib/evergreen-kubeadm/kubeadm-upgrade.stderr", LOG)
    put(made, "/proc/loadavg", "0.1 0.2 0.3 1/100 7\n")
    put(made, "/proc/7/cmdline", f"/usr/bin/kubelet\0--token={SECRETS['bootstrap']}\0--v=2\0")
    put(made, "/proc/7/status", "Name:\tkubelet\nState:\tS (sleeping)\nVmRSS:\t  1234 kB\n")
    put(made, "/proc/8/cmdline", "/bin/sh\0-c\0of somebody else\0")
    return made


def everything(node: Node, **limits: t.Any) -> dict[str, Gathered]:
    limits = {"most_each": 1 << 18, "most_all": 1 << 22, "deadline": Deadline(30), **limits}
    return {each.name: each for each in gather(sources(node, 30), **limits)}


def test_no_secret_leaves_the_node(node: Node) -> None:
    found = everything(node)
    with_secrets = ("kubelet.log", "runtime.log", "kernel.log", "services.txt", "containers.txt", "processes.txt")
    for name in (*with_secrets, "kubelet-flags.env", "manifest-kube-apiserver.yaml", "kubeadm-upgrade.stderr"):
        assert "(hidden)" in found[name].text, name
    everything_said = repr(found)
    for name, secret in SECRETS.items():
        assert secret in LOG + MANIFEST, "the table of secrets is the one that was planted"
        assert secret not in everything_said, name


def test_what_is_of_use_is_there(node: Node) -> None:
    found = everything(node)
    logs = [name for name in found if name.startswith("pod-")]
    assert sorted(logs) == [
        "pod-kube-apiserver-cp1-0a1b2c3d-kube-apiserver-0.log",
        "pod-kube-apiserver-cp1-0a1b2c3d-kube-apiserver-1.log",
        "pod-kube-proxy-x7k2p-11111111-kube-proxy-0.log",
    ]
    # Of a file its age is known; what a program says is of now.
    assert abs((found["kubeadm-upgrade.stderr"].written or 0) - time.time()) < 600
    assert found["kubelet.log"].written is None
    assert "Error: unknown flag: --bad" in found["pod-kube-apiserver-cp1-0a1b2c3d-kube-apiserver-1.log"].text
    assert "the end of journalctl" in found["kubelet.log"].text
    assert found["processes.txt"].text == "7 S (sleeping) 1234 /usr/bin/kubelet --token=(hidden) --v=2\n"
    assert "0.1 0.2 0.3" in found["machine.txt"].text
    assert "kube-apiserver.yaml" in found["files.txt"].text
    assert "MiB free" in found["disk.txt"].text
    assert "--advertise-address=10.0.0.1" in found["manifest-kube-apiserver.yaml"].text
    # What is not there is said, and fails nothing.
    assert "not there" in found["etcd.txt"].error
    assert "No such file" in found["kubelet-instance-config.yaml"].error
    calls = node.path("/calls").read_text()
    assert "--unit=kubelet" in calls and "--since=-30min" in calls and "--unit=containerd" in calls


def test_old_logs_and_too_many_are_left_out(node: Node) -> None:
    for number in range(LOGS_MOST + 5):
        put(node, f"/var/log/pods/kube-system_p{number}_{number:032x}/c/0.log", "x\n")
    assert len(pod_log_sources(node, 30)) == LOGS_MOST
    for folder in node.path("/var/log/pods").iterdir():
        for file in folder.rglob("*.log"):
            os.utime(file, (0, time.time() - 3600))
    assert pod_log_sources(node, 30) == []


def test_each_source_and_all_together_are_bounded(node: Node) -> None:
    put(node, f"{STATIC}/1.log", "".join(f"line {number}\n" for number in range(100_000)))
    found = everything(node, most_each=1000, most_all=2500)
    assert sum(len(each.text) for each in found.values()) <= 2500
    assert all(len(each.text) <= 1000 for each in found.values())
    assert all("room for all files" in each.error for each in everything(node, most_all=0).values())
    log = tail_of(str(node.path(f"{STATIC}/1.log")), 1000)
    assert log.text.endswith("line 99999\n") and log.text.startswith("line ")
    assert log.left_out + len(log.text) == node.path(f"{STATIC}/1.log").stat().st_size


def test_no_time_is_left(node: Node) -> None:
    found = everything(node, deadline=Deadline(0))
    assert all("was used up" in each.error for each in found.values())


def test_a_source_that_nobody_thought_of(node: Node) -> None:
    def broken(most: int, deadline: Deadline) -> t.Any:
        raise RuntimeError(f"token={SECRETS['flag']}")

    (first, second) = gather([Source("a", broken), sources(node, 30)[0]], most_each=9, most_all=9, deadline=Deadline(5))
    assert first.error == "RuntimeError: token=(hidden)"
    assert second.name and not second.error.startswith("RuntimeError")


def test_a_program_that_hangs_is_ended(tmp_path: Path) -> None:
    seconds = f"3600.{os.getpid()}"
    begin = time.monotonic()
    part = output_of(["sh", "-c", f"echo before; sleep {seconds}; echo after"], 1000, 0.5, Deadline(60))
    assert part.text == "before\n"
    assert time.monotonic() - begin < 30
    # What was killed is gone a moment later.
    while _processes.running(["sleep", seconds]):
        assert time.monotonic() - begin < 60
        time.sleep(0.05)
    with pytest.raises(Unreadable, match="no answer in time"):
        output_of(["sleep", seconds], 1000, 60, Deadline(0.3))
    with pytest.raises(Unreadable, match="ended with 3 and said nothing"):
        output_of(["sh", "-c", "exit 3"], 1000, 10, Deadline(10))
    with pytest.raises(Unreadable, match="No such file"):
        output_of([str(tmp_path / "none")], 1000, 10, Deadline(10))


def test_a_program_that_says_too_much() -> None:
    part = output_of(["seq", "1", "200000"], 1000, 60, Deadline(60))
    assert part.text.endswith("200000\n") and len(part.text) <= 1000
    assert part.left_out + len(part.text) == sum(len(str(number)) + 1 for number in range(1, 200001))


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(Unreadable, match="no regular file"):
        tail_of(str(tmp_path / "fifo"), 10)


def test_every_process() -> None:
    # A process that is just being started has no command line yet: it says when it runs.
    words = ["sh", "-c", "echo here; read line", f"evergreen-{os.getpid()}"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None and child.stdout.readline() == b"here\n"
            (found,) = [each for each in _processes.every() if each.pid == child.pid]
            assert found.words == words
            assert found.state and found.memory_kib >= 0
        finally:
            child.kill()
