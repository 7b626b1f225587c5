# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""etcd, API server, controller manager, scheduler and kwok, started and stopped together."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path

import yaml

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.auth import connect
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import ApiStatusError, Client
from harness.process import Process, free_ports, wait_for
from lab import golang

ADMIN_TOKEN = "harness-admin"
# A pod with this annotation takes so long to stop, such as "3s".
STOP_AFTER = "evergreen.test/stop-after"
# A pod with this annotation runs and never becomes Ready.
NEVER_READY = "evergreen.test/never-ready"
# kwok runs the nodes that carry this.
FAKED = {"kwok.x-k8s.io/node": "fake"}

_POD_STATUS = """
phase: Running
hostIP: 127.0.0.1
podIP: {{ PodIPWith .spec.nodeName (or .spec.hostNetwork false) .metadata.uid .metadata.name .metadata.namespace }}
startTime: {{ Quote Now }}
conditions:
%s
containerStatuses:
{{ range .spec.containers }}
- name: {{ Quote .name }}
  image: {{ Quote .image }}
  ready: %s
  restartCount: 0
  state: {running: {startedAt: {{ Quote Now }}}}
{{ end }}
"""


def _stage(name: str, conditions: list[tuple[str, str]], **rest: t.Any) -> dict[str, t.Any]:
    expressions = [{"key": key, "operator": operator} for key, operator in conditions]
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": "Pod"},
            "selector": {"matchExpressions": expressions},
            **rest,
        },
    }


def _pod_stages() -> list[dict[str, t.Any]]:
    stages = []
    for name, ready, operator in (("run", "True", "DoesNotExist"), ("run-unready", "False", "Exists")):
        conditions = "\n".join(
            f'- {{type: {kind}, status: "{status}", lastTransitionTime: {{{{ Quote Now }}}}}}'
            for kind, status in (("Initialized", "True"), ("ContainersReady", ready), ("Ready", ready))
        )
        stages.append(
            _stage(
                name,
                [
                    (".metadata.deletionTimestamp", "DoesNotExist"),
                    (".status.podIP", "DoesNotExist"),
                    (f'.metadata.annotations["{NEVER_READY}"]', operator),
                ],
                next={"statusTemplate": _POD_STATUS % (conditions, ready.lower())},
            )
        )
    stop_after = {
        "durationMilliseconds": 0,
        "durationFrom": {"expressionFrom": f'.metadata.annotations["{STOP_AFTER}"]'},
    }
    stages.append(_stage("stop", [(".metadata.deletionTimestamp", "Exists")], delay=stop_after, next={"delete": True}))
    return stages


class Cluster:
    """A control plane of one API server on loopback.

    ``kubeconfig`` is the path for cluster-admin, ``client`` speaks as it, and
    ``params`` are module options to reach the cluster with.
    """

    def __init__(self, place: Path, *, version: str = "1.34.4", go: str = "1.24", etcd: str = "3.6.5") -> None:
        self.place = place
        self.version = version
        cache = golang.cache_directory()
        kubernetes = golang.build(golang.kubernetes(version, go), cache)
        self._etcd_binary = golang.build(golang.etcd(etcd, "1.24"), cache) / "etcd"
        self._kwok_binary = golang.build(golang.kwok("0.7.0", "1.24"), cache) / "kwok"
        place.mkdir(parents=True, exist_ok=True)
        self.bin = place / "bin"
        self.bin.mkdir()
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"):
            (self.bin / name).symlink_to(kubernetes / name)
        ports = free_ports(6)
        self.port = ports[2]
        self.url = f"https://127.0.0.1:{self.port}"
        self.kubeconfig = place / "admin.conf"
        self._tokens = {ADMIN_TOKEN: ("admin", "system:masters")}
        self._write_files()
        self.etcd = self._process(
            self._etcd_binary,
            *("--data-dir", place / "etcd", "--unsafe-no-fsync", "--log-level=error"),
            *("--listen-client-urls", f"http://127.0.0.1:{ports[0]}"),
            *("--advertise-client-urls", f"http://127.0.0.1:{ports[0]}"),
            *("--listen-peer-urls", f"http://127.0.0.1:{ports[1]}"),
        )
        self.api_server = self._process(
            self.bin / "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{ports[0]}",
            *("--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--secure-port={self.port}"),
            *("--endpoint-reconciler-type=none", f"--cert-dir={place / 'pki'}", "--authorization-mode=RBAC"),
            *(f"--token-auth-file={place / 'tokens.csv'}", "--service-cluster-ip-range=10.96.0.0/16"),
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={place / 'sa.pem'}",
            f"--service-account-signing-key-file={place / 'sa.pem'}",
            # Pods of tests then need no service account, which the controller manager makes after a while.
            "--disable-admission-plugins=ServiceAccount",
            "--shutdown-delay-duration=0s",
        )
        self.controller_manager = self._process(
            self.bin / "kube-controller-manager",
            *(f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--bind-address=127.0.0.1"),
            *(f"--secure-port={ports[3]}", f"--cert-dir={place / 'pki'}"),
            *("--kube-api-qps=200", "--kube-api-burst=400"),
        )
        self.scheduler = self._process(
            self.bin / "kube-scheduler",
            *(f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--bind-address=127.0.0.1"),
            *(f"--secure-port={ports[4]}", f"--cert-dir={place / 'pki'}"),
            *("--kube-api-qps=200", "--kube-api-burst=400"),
        )
        self.kwok = self._process(
            self._kwok_binary,
            *("--kubeconfig", self.kubeconfig, "--config", place / "stages.yaml", "--node-ip", "127.0.0.1"),
            *("--manage-nodes-with-annotation-selector", "kwok.x-k8s.io/node=fake"),
            *("--node-lease-duration-seconds", "40", "--server-address", f"127.0.0.1:{ports[5]}"),
        )
        self._client: Client | None = None

    @property
    def params(self) -> dict[str, t.Any]:
        return {"kubeconfig": str(self.kubeconfig)}

    @property
    def client(self) -> Client:
        if self._client is None:
            self._client = connect(self.params)
        return self._client

    def start(self) -> None:
        """Start all of it and wait until pods can be made and scheduled; some 10 seconds."""
        try:
            self.etcd.start()
            self.start_api_server()
            for process in (self.controller_manager, self.scheduler, self.kwok):
                process.start()
            wait_for("the namespace default", lambda: self._found("/api/v1/namespaces/default"))
        except BaseException:
            self.stop()
            raise

    def start_api_server(self) -> None:
        self.api_server.start()
        self.wait_ready()

    def wait_ready(self, timeout_s: float = 180.0) -> None:
        def ready() -> bool:
            if not self.api_server.running():
                raise RuntimeError(f"kube-apiserver ended:\n{self.api_server.tail()}")
            # The server writes the certificate that the kubeconfig trusts when it first starts.
            return (self.place / "pki" / "apiserver.crt").exists() and self.client.raw("GET", "/readyz")[0] == 200

        wait_for("the API server is ready", ready, timeout_s)

    def stop(self) -> None:
        """Stop all of it; what it wrote is nobody's, so nobody waits for a clean end."""
        for process in (self.kwok, self.scheduler, self.controller_manager, self.api_server, self.etcd):
            process.stop(kill=True)

    def add_user(self, name: str, *groups: str) -> dict[str, t.Any]:
        """Module options for another user; known to the API server after its next start."""
        token = f"harness-{name}"
        self._tokens[token] = (name, ",".join(groups))
        self._write_tokens()
        return {**self.params, "api_key": token}

    def apply(self, *objects: dict[str, t.Any]) -> list[dict[str, t.Any]]:
        """Create objects, or replace those that exist."""
        return [self._apply(each) for each in objects]

    def delete(self, path: str) -> None:
        """Have the object at an API path deleted, without waiting for its end; it may be gone already."""
        try:
            self.client.request("DELETE", path)
        except ApiStatusError as error:
            if error.status != 404:
                raise

    def kubectl(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [str(self.bin / "kubectl"), "--kubeconfig", str(self.kubeconfig), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {done.stderr}")
        return done

    def _apply(self, wanted: dict[str, t.Any]) -> dict[str, t.Any]:
        path = path_of(wanted)
        collection, name = path.rsplit("/", 1)
        try:
            made = self.client.request("POST", collection, body=wanted)
        except ApiStatusError as error:
            if error.status != 409:
                raise
            made = self.client.patch(path, wanted)
        if wanted.get("status"):
            # Creation drops the status of most kinds.
            made = self.client.patch(f"{collection}/{name}/status", {"status": wanted["status"]})
        return made

    def _found(self, path: str) -> bool:
        try:
            return bool(self.client.get(path))
        except ApiStatusError:
            return False

    def _process(self, *arguments: str | Path) -> Process:
        return Process(arguments, self.place / f"{Path(arguments[0]).name}.log")

    def _write_tokens(self) -> None:
        lines = [f'{token},{user},{user},"{groups}"' for token, (user, groups) in self._tokens.items()]
        (self.place / "tokens.csv").write_text("\n".join(lines) + "\n")

    def _write_files(self) -> None:
        self._write_tokens()
        subprocess.run(
            [
                "openssl",
                "genpkey",
                "-algorithm",
                "RSA",
                "-pkeyopt",
                "rsa_keygen_bits:2048",
                "-out",
                self.place / "sa.pem",
            ],
            check=True,
            capture_output=True,
        )
        os.chmod(self.place / "sa.pem", 0o600)
        (self.place / "stages.yaml").write_text(yaml.safe_dump_all(_pod_stages()))
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "harness",
            "contexts": [{"name": "harness", "context": {"cluster": "harness", "user": "admin"}}],
            "clusters": [
                {
                    "name": "harness",
                    "cluster": {
                        "server": self.url,
                        "certificate-authority": str(self.place / "pki" / "apiserver.crt"),
                    },
                }
            ],
            "users": [{"name": "admin", "user": {"token": ADMIN_TOKEN}}],
        }
        self.kubeconfig.write_text(json.dumps(config))


_PLURALS = {
    "Ingress": "ingresses",
    "PriorityClass": "priorityclasses",
    "NetworkPolicy": "networkpolicies",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
}
_CLUSTER_SCOPED = {"Namespace", "Node", "PersistentVolume", "ClusterRole", "ClusterRoleBinding", "PriorityClass"}


def path_of(wanted: dict[str, t.Any]) -> str:
    """The API path of an object: ``/apis/apps/v1/namespaces/default/deployments/web``."""
    kind, metadata = wanted["kind"], wanted["metadata"]
    root = "/api" if "/" not in wanted["apiVersion"] else "/apis"
    cluster_scoped = kind in _CLUSTER_SCOPED or kind.endswith("WebhookConfiguration") or "AdmissionPolicy" in kind
    scope = "" if cluster_scoped else f"/namespaces/{metadata.get('namespace', 'default')}"
    return f"{root}/{wanted['apiVersion']}{scope}/{_PLURALS.get(kind, kind.lower() + 's')}/{metadata['name']}"
