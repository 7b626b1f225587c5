# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real etcd cluster with TLS on loopback, from the binaries in the lab's cache."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import textwrap
import time
import typing as t
from pathlib import Path

from harness.process import free_ports
from lab import golang

ROOT = Path(__file__).resolve().parents[2]
MODULES = "ansible_collections.evergreen.kubeadm.plugins.modules"


ETCD = "3.6.5"
# The Go minor that each version asks for in its go.mod.
GO = {"3.5.21": "1.23", ETCD: "1.24", "3.7.3": "1.26"}


def binaries(version: str = ETCD) -> Path:
    return golang.build(golang.etcd(version, GO[version]), golang.cache_directory())


def etcdutl_status(path: str, version: str = ETCD) -> dict[str, t.Any]:
    """What etcd's own tool, of a version, says of a snapshot."""
    done = subprocess.run(
        [str(binaries(version) / "etcdutl"), "snapshot", "status", path, "-w", "json"],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


def make_certificates(place: Path) -> None:
    """ca, server and healthcheck-client as kubeadm names them: the server's is good for clients too."""
    place.mkdir(parents=True)

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=place, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=etcd-ca", "-days", "2")
    for name, usage in (("server", "serverAuth,clientAuth"), ("healthcheck-client", "clientAuth")):
        (place / f"{name}.ext").write_text(
            f"extendedKeyUsage={usage}\nsubjectAltName=DNS:localhost,IP:127.0.0.1\nkeyUsage=digitalSignature\n"
        )
        openssl("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-out", f"{name}.crt", "-days", "2", "-extfile", f"{name}.ext"),
        )


class Member:
    """One etcd process, with the static pod manifest that kubeadm would have written for it."""

    def __init__(self, name: str, place: Path, pki: Path, client_port: int, peer_port: int, extra: list[str]) -> None:
        self.name = name
        self.place = place
        self.pki = pki
        self.url = f"https://127.0.0.1:{client_port}"
        self.peer_url = f"https://127.0.0.1:{peer_port}"
        self.data = place / "data"
        self.manifest = place / "etcd.yaml"
        self.extra = extra
        self.version = ETCD
        self.process: subprocess.Popen[bytes] | None = None
        place.mkdir(parents=True)

    def arguments(self, initial_cluster: str) -> list[str]:
        return [
            f"--name={self.name}",
            f"--data-dir={self.data}",
            f"--listen-client-urls={self.url}",
            f"--advertise-client-urls={self.url}",
            f"--listen-peer-urls={self.peer_url}",
            f"--initial-advertise-peer-urls={self.peer_url}",
            f"--initial-cluster={initial_cluster}",
            f"--cert-file={self.pki}/server.crt",
            f"--key-file={self.pki}/server.key",
            f"--trusted-ca-file={self.pki}/ca.crt",
            "--client-cert-auth=true",
            f"--peer-cert-file={self.pki}/server.crt",
            f"--peer-key-file={self.pki}/server.key",
            f"--peer-trusted-ca-file={self.pki}/ca.crt",
            "--peer-client-cert-auth=true",
            "--unsafe-no-fsync",
            *self.extra,
        ]

    def start(self, initial_cluster: str) -> None:
        arguments = self.arguments(initial_cluster)
        command = "".join(f"    - {word}\n" for word in ["etcd", *arguments])
        self.manifest.write_text(
            textwrap.dedent(
                """\
                apiVersion: v1
                kind: Pod
                metadata:
                  name: etcd
                  namespace: kube-system
                spec:
                  containers:
                  - command:
                %s    image: registry.k8s.io/etcd:%s-0
                    name: etcd
                """
            )
            % (command, self.version)
        )
        with (self.place / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(binaries(self.version) / "etcd"), *arguments], stdout=log, stderr=log, start_new_session=True
            )

    def stop(self, number: int = signal.SIGKILL) -> None:
        if self.process and self.process.poll() is None:
            # One that is paused cannot end.
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(number)
            self.process.wait(20)


class Cluster:
    """Members on loopback; `post` asks one of them as any client would."""

    def __init__(self, place: Path, names: t.Sequence[str], extra: t.Sequence[str] = (), version: str = ETCD) -> None:
        self.place = place
        self.pki = place / "pki" / "etcd"
        make_certificates(self.pki)
        ports = free_ports(2 * len(names))
        self.members = [
            Member(name, place / name, self.pki, ports[2 * index], ports[2 * index + 1], list(extra))
            for index, name in enumerate(names)
        ]
        for member in self.members:
            member.version = version
        self.initial = ",".join(f"{member.name}={member.peer_url}" for member in self.members)
        self.context = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
        self.context.load_cert_chain(self.pki / "healthcheck-client.crt", self.pki / "healthcheck-client.key")

    def start(self) -> None:
        for member in self.members:
            member.start(self.initial)
        for member in self.members:
            self.wait(member)

    def wait(self, member: Member, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while True:
            try:
                self.post(member, "kv/range", {"key": "aA=="})
                return
            except (OSError, RuntimeError, http.client.HTTPException):
                if time.monotonic() > end:
                    raise RuntimeError((member.place / "log").read_text()[-3000:]) from None
                time.sleep(0.1)

    def stop(self) -> None:
        for member in self.members:
            member.stop()

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def post(self, member: Member, path: str, body: dict[str, t.Any]) -> dict[str, t.Any]:
        port = int(member.url.rsplit(":", 1)[1])
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=self.context)
        try:
            connection.request("POST", f"/v3/{path}", json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {text[:300]!r}")
        return json.loads(text)

    def put(self, member: Member, first: int, last: int, size: int, prefix: str = "/registry/pods/default/p") -> None:
        """Keys first to last - 1 with values of `size` bytes, 100 in one transaction."""
        for start in range(first, last, 100):
            puts = [
                {
                    "requestPut": {
                        "key": base64.b64encode(f"{prefix}{number:07}".encode()).decode(),
                        "value": base64.b64encode(os.urandom(size)).decode(),
                    }
                }
                for number in range(start, min(start + 100, last))
            ]
            self.post(member, "kv/txn", {"success": puts})

    def leader(self) -> Member:
        for member in self.members:
            if member.process and member.process.poll() is None:
                status = self.post(member, "maintenance/status", {})
                if status["leader"] == status["header"]["member_id"]:
                    return member
        raise RuntimeError("no member leads")

    def follower(self) -> Member:
        return next(member for member in self.members if member is not self.leader())

    def etcdctl_command(self, member: Member) -> list[str]:
        """etcdctl of the member's version, with what it needs to reach it."""
        return [
            str(binaries(member.version) / "etcdctl"),
            f"--endpoints={member.url}",
            f"--cacert={self.pki}/ca.crt",
            f"--cert={self.pki}/healthcheck-client.crt",
            f"--key={self.pki}/healthcheck-client.key",
        ]

    def etcdctl(self, member: Member, *arguments: str) -> str:
        command = [*self.etcdctl_command(member), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class LargeCluster(Cluster):
    """One member with a database as large as etcd lets it be by default."""

    SIZE = 15_000
    KEYS = 140_000

    def __init__(self, place: Path) -> None:
        super().__init__(place, ["only"], ["--quota-backend-bytes=8589934592"])

    def start(self) -> None:
        super().start()
        self.put(self.members[0], 0, self.KEYS, self.SIZE)


def start_module(name: str, arguments: dict[str, t.Any], check_mode: bool = False) -> subprocess.Popen[str]:
    """The module as a process of its own, as on a managed node; give its answer to `module_result`."""
    tree = str(ROOT / ".collections")
    read, write = os.pipe()
    text = json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": check_mode}})
    with os.fdopen(write, "w") as out:
        out.write(text)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", f"{MODULES}.{name}"],
            stdin=read,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": tree},
        )
    finally:
        os.close(read)


def module_result(process: subprocess.Popen[str], timeout_s: float = 60) -> dict[str, t.Any]:
    out, said = process.communicate(timeout=timeout_s)
    if not out.strip().startswith("{"):
        raise RuntimeError(f"the module gave no result (exit code {process.returncode}): {out}{said}")
    return json.loads(out)


def run_module(name: str, arguments: dict[str, t.Any], check_mode: bool = False) -> dict[str, t.Any]:
    return module_result(start_module(name, arguments, check_mode))
