# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers whose CA is as kubeadm made it up to 1.18, asked by a Python that is as strict as 3.13."""

from __future__ import annotations

import base64
import http.server
import ssl
import subprocess
import threading
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3.connection
import urllib3.util.ssl_

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api import auth
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.errors import ConfigurationError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import tls
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import Access
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.api import NoAnswer, NodeApi
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.kubeconfig import Kubeconfig

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: a, cluster: {{server: "https://127.0.0.1:{port}", certificate-authority-data: {ca}}}}}]
users: [{{name: a, user: {{client-certificate-data: {certificate}, client-key-data: {key}}}}}]
contexts: [{{name: a, context: {{cluster: a, user: a}}}}]
current-context: a
"""


class _Version(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: t.Any) -> None:
        return


class Server:
    """A server on loopback that wants a client certificate of its CA, without a key identifier in any of them."""

    def __init__(self, place: Path) -> None:
        self.place = place
        certificate("ca", place)
        for name in ("server", "client"):
            certificate(name, place)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(place / "server.crt", place / "server.key")
        context.load_verify_locations(place / "ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Version)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.port = self.http.server_port
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def kubeconfig(self, ca: str = "ca") -> str:
        texts = {"ca": f"{ca}.crt", "certificate": "client.crt", "key": "client.key"}
        coded = {key: base64.b64encode((self.place / name).read_bytes()).decode() for key, name in texts.items()}
        return KUBECONFIG.format(port=self.port, **coded)


def certificate(name: str, place: Path) -> None:
    """One with no extension but those that Go made before 1.15."""
    config = place / f"{name}.cnf"
    lines = ["[req]", "distinguished_name = dn", "[dn]", "[own]"]
    if name.endswith("ca"):
        lines += ["basicConstraints = critical,CA:TRUE", "keyUsage = critical,keyCertSign,digitalSignature"]
    else:
        lines += ["subjectAltName = IP:127.0.0.1"]
    lines += ["subjectKeyIdentifier = none", "authorityKeyIdentifier = none"]
    config.write_text("\n".join(lines) + "\n")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=place, check=True, capture_output=True)

    request = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-config", config.name)
    own = ("-keyout", f"{name}.key", "-subj", f"/CN={name}")
    openssl("req", "-new", *request, *own, "-out", f"{name}.csr")
    signer = ("-signkey", f"{name}.key") if name.endswith("ca") else ("-CA", "ca.crt", "-CAkey", "ca.key")
    serial = () if name.endswith("ca") else ("-CAcreateserial",)
    extensions = ("-extfile", config.name, "-extensions", "own")
    openssl("x509", "-req", "-in", f"{name}.csr", *signer, *serial, "-days", "2", "-out", f"{name}.crt", *extensions)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("tls"))
    certificate("other-ca", made.place)
    yield made
    made.http.shutdown()


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """The flags that Python 3.13 sets, and urllib3 there as well."""
    default, of_urllib3 = ssl.create_default_context, urllib3.util.ssl_.create_urllib3_context

    def strictly(make: t.Callable[..., ssl.SSLContext]) -> t.Callable[..., ssl.SSLContext]:
        def made(*args: t.Any, **kwargs: t.Any) -> ssl.SSLContext:
            context = make(*args, **kwargs)
            context.verify_flags |= ssl.VERIFY_X509_STRICT
            return context

        return made

    monkeypatch.setattr(ssl, "create_default_context", strictly(default))
    for module in (urllib3.util.ssl_, urllib3.connection):
        monkeypatch.setattr(module, "create_urllib3_context", strictly(of_urllib3))


def test_the_server_is_one_that_a_strict_client_refuses(server: Server) -> None:
    context = ssl.create_default_context(cafile=str(server.place / "ca.crt"))
    context.load_cert_chain(server.place / "client.crt", server.place / "client.key")
    pool = urllib3.PoolManager(ssl_context=context, retries=False)
    with pytest.raises(urllib3.exceptions.SSLError, match="Missing Authority Key Identifier"):
        pool.request("GET", f"https://127.0.0.1:{server.port}/version")


def test_the_api_server_asked_by_its_node(server: Server) -> None:
    api = NodeApi(Kubeconfig.parse(server.kubeconfig(), "admin.conf"))
    assert api.request("/version") == (200, b"{}")
    with pytest.raises(NoAnswer, match="certificate verify failed"):
        NodeApi(Kubeconfig.parse(server.kubeconfig("other-ca"), "admin.conf")).request("/version")


def test_etcd(server: Server) -> None:
    def context(ca: str) -> ssl.SSLContext:
        files = {
            key: str(server.place / name) for key, name in (("client_cert", "client.crt"), ("client_key", "client.key"))
        }
        return tls.client_context(Access(f"https://127.0.0.1:{server.port}", ca_cert=str(server.place / ca), **files))

    url = f"https://127.0.0.1:{server.port}/health"
    assert urllib3.PoolManager(ssl_context=context("ca.crt")).request("GET", url).status == 200
    with pytest.raises(urllib3.exceptions.SSLError, match="certificate verify failed"):
        urllib3.PoolManager(ssl_context=context("other-ca.crt"), retries=False).request("GET", url)


def test_the_api_server_asked_by_the_controller(server: Server) -> None:
    assert auth.connect({"kubeconfig": server.kubeconfig()}).get("/version") == {}
    with pytest.raises(Exception, match="certificate verify failed"):
        auth.connect({"kubeconfig": server.kubeconfig("other-ca")}).get("/version")


def test_a_ca_that_cannot_be_read(server: Server, tmp_path: Path) -> None:
    broken = tmp_path / "ca.crt"
    broken.write_text("no certificate")
    with pytest.raises(ConfigurationError, match="cannot be set up"):
        auth.connect({"host": "https://127.0.0.1:1", "api_key": "a", "ca_cert": str(broken)})
