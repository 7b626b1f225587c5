# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An admission webhook that answers evictions, as a real API server calls it."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import threading
import typing as t
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from harness.cluster import Cluster, path_of

Json = dict[str, t.Any]
NAME = "evictions.evergreen.test"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    denials_left: int
    code: int
    message: str
    only: str
    act: t.Callable[[str], None]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        pod = review["request"]["name"]
        concerned = pod.startswith(self.server.only)
        allowed = not concerned or self.server.denials_left <= 0
        self.server.denials_left -= concerned
        if concerned:
            self.server.act(pod)
        response: Json = {"uid": review["request"]["uid"], "allowed": allowed}
        if not allowed:
            response["status"] = {"code": self.server.code, "message": self.server.message}
        body = json.dumps({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: t.Any) -> None:
        """Say nothing."""


@contextmanager
def denying_evictions(
    cluster: Cluster,
    namespace: str,
    place: Path,
    *,
    times: int,
    code: int = 403,
    message: str = "not today",
    only: str = "",
    act: t.Callable[[str], None] = lambda pod: None,
) -> t.Iterator[None]:
    """For the time of the context, the first `times` evictions in `namespace` are denied.

    `only` is what the names of the pods begin with that it is about. `act` is called with the name of each of them,
    whether it is denied or not, as often as its eviction is asked for.
    """
    certificate, key = place / "webhook.crt", place / "webhook.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=webhook", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-out", certificate, "-keyout", key),
        ],
        check=True,
        capture_output=True,
    )
    server = _Server(("127.0.0.1", 0), _Handler)
    server.denials_left, server.code, server.message, server.only, server.act = times, code, message, only, act
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    configuration = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [
            {
                "name": NAME,
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "clientConfig": {
                    "url": f"https://127.0.0.1:{server.server_port}/",
                    "caBundle": base64.b64encode(certificate.read_bytes()).decode(),
                },
                "rules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods/eviction"]}
                ],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            }
        ],
    }
    cluster.apply(configuration)
    try:
        yield
    finally:
        cluster.delete(path_of(configuration))
        server.shutdown()
        server.server_close()
