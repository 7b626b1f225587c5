# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Ask an API server with the credentials that a node has, over http.client.

A control-plane node asks its own API server at the address that it advertises,
not the balancer of the kubeconfig: only so is the answer about this node.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import typing as t
from pathlib import Path
from urllib.parse import quote, urlsplit

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _yamlread
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import JsonDict, MirrorPod
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import image_tag
from ansible_collections.evergreen.kubeadm.plugins.module_utils._tls import client_context

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.kubeconfig import Kubeconfig


class NoAnswer(EvergreenError):
    """No HTTP answer came: refused, reset, timed out, or the TLS handshake failed. Worth another try."""


class Refused(EvergreenError):
    """The API server answered with an error status.

    While it starts, it answers 403 until it has read its RBAC objects, and 500 or 503 for a while.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class NodeApi:
    """An API server and a node's credentials for it. One connection a request: the server may restart in between."""

    def __init__(self, kubeconfig: Kubeconfig, address: str = "", root: Path = Path("/")) -> None:
        """`address` is ``host:port`` to ask instead of the kubeconfig's server. Raises ValueError."""
        parts = urlsplit(f"https://{address}" if address else kubeconfig.server)
        if parts.scheme != "https" or not parts.hostname:
            raise ValueError(f"{kubeconfig.path}: {kubeconfig.server} is not an https address")
        self.host = parts.hostname
        self.port = parts.port or (443 if not address else 6443)
        self._server_name = "" if address else str(kubeconfig.cluster.get("tls-server-name") or "")
        self._context = _tls(kubeconfig, root)
        self._headers = {"Accept": "application/json"}
        if kubeconfig.user.get("token"):
            self._headers["Authorization"] = f"Bearer {kubeconfig.user['token']}"

    def request(self, path: str, timeout_s: float = 10.0) -> tuple[int, bytes]:
        """GET `path`; the status and the body. Raises NoAnswer."""
        connection = _Connection(self.host, self.port, timeout_s, self._context, self._server_name)
        try:
            connection.request("GET", path, headers=self._headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(
                f"The API server at {self.host}:{self.port} gave no answer to GET {path}: "
                f"{type(error).__name__}: {error}."
            ) from error
        finally:
            connection.close()

    def get(self, path: str, timeout_s: float = 10.0) -> JsonDict:
        """GET an object. Raises NoAnswer and Refused."""
        status, body = self.request(path, timeout_s)
        try:
            value = json.loads(body)
        except ValueError:
            value = {}
        if status != 200 or not isinstance(value, dict):
            said = value.get("message") if isinstance(value, dict) else None
            raise Refused(
                f"The API server at {self.host}:{self.port} answered GET {path} with {status}: "
                f"{said or body[:200].decode('utf-8', 'replace')}",
                status,
            )
        return value

    def version(self, timeout_s: float = 10.0) -> str:
        """``v1.35.4``. Raises NoAnswer and Refused."""
        return str(self.get("/version", timeout_s).get("gitVersion") or "")

    def ready(self, timeout_s: float = 10.0) -> bool:
        """Whether /readyz says so. Raises NoAnswer."""
        return self.request("/readyz", timeout_s)[0] == 200

    def cluster_configuration(self, timeout_s: float = 10.0) -> JsonDict:
        """kubeadm's ClusterConfiguration, from its ConfigMap. Raises NoAnswer and Refused."""
        config_map = self.get("/api/v1/namespaces/kube-system/configmaps/kubeadm-config", timeout_s)
        text = str((config_map.get("data") or {}).get("ClusterConfiguration") or "")
        try:
            return _yamlread.load_mapping(text)
        except _yamlread.UnreadableYaml as error:
            raise Refused(f"ConfigMap kube-system/kubeadm-config cannot be read: {error}", 200) from error

    def node_addresses(self, node_name: str, timeout_s: float = 10.0) -> list[str]:
        """The internal IP addresses of a Node. Raises NoAnswer and Refused."""
        status = self.get(f"/api/v1/nodes/{quote(node_name)}", timeout_s).get("status") or {}
        return [str(each["address"]) for each in status.get("addresses") or [] if each.get("type") == "InternalIP"]

    def mirror_pods(self, timeout_s: float = 10.0) -> dict[str, dict[str, MirrorPod]]:
        """The control-plane pods by node and component. Raises NoAnswer and Refused."""
        return parse_mirror_pods(
            self.get("/api/v1/namespaces/kube-system/pods?labelSelector=tier%3Dcontrol-plane", timeout_s)
        )


def parse_mirror_pods(pod_list: JsonDict) -> dict[str, dict[str, MirrorPod]]:
    """Component, image tag and readiness by node from a PodList of the control plane."""
    nodes: dict[str, dict[str, MirrorPod]] = {}
    for pod in pod_list.get("items") or []:
        metadata = pod.get("metadata") or {}
        component = str((metadata.get("labels") or {}).get("component") or "")
        if not component or "kubernetes.io/config.mirror" not in (metadata.get("annotations") or {}):
            continue
        containers = (pod.get("spec") or {}).get("containers") or []
        main = next((c for c in containers if c.get("name") == component), containers[0] if containers else {})
        conditions = (pod.get("status") or {}).get("conditions") or []
        nodes.setdefault(str((pod.get("spec") or {}).get("nodeName") or ""), {})[component] = MirrorPod(
            component=component,
            tag=image_tag(str(main.get("image") or "")),
            ready=any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
            and not metadata.get("deletionTimestamp"),
        )
    return nodes


class _Connection(http.client.HTTPSConnection):
    """HTTPS to `host`, where the certificate may have to be for another name."""

    def __init__(self, host: str, port: int, timeout: float, context: ssl.SSLContext, server_name: str) -> None:
        super().__init__(host, port, timeout=timeout, context=context)
        self._tls = context
        self._server_name = server_name or host

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._server_name)


def _tls(kubeconfig: Kubeconfig, root: Path) -> ssl.SSLContext:
    ca = kubeconfig.ca_pem(root)
    context = client_context(ca_data=ca)
    certificate, key = kubeconfig.client_certificate_pem(root), kubeconfig.client_key_pem(root)
    if certificate and key:
        # The ssl module takes a client's key from a file only; this one never touches a disk.
        descriptor = os.memfd_create("client")
        try:
            os.write(descriptor, f"{certificate}\n{key}\n".encode("ascii"))
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        except ssl.SSLError as error:
            raise ValueError(f"the client certificate and key of {kubeconfig.path} do not load: {error}") from error
        finally:
            os.close(descriptor)
    return context
