# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Ask a component of this node's own control plane how it is."""

from __future__ import annotations

import http.client
import ssl
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.api import NoAnswer, NodeApi
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.kubeconfig import Kubeconfig
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import container_flags

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node

ADMIN = "/etc/kubernetes/admin.conf"
REQUEST_S = 5.0
SECURE_PORTS = {"kube-apiserver": "6443", "kube-controller-manager": "10257", "kube-scheduler": "10259"}
"""The ports that they listen on unless --secure-port says otherwise (kubernetes.io, Ports and Protocols)."""


class ComponentError(EvergreenError):
    """A component that cannot be asked."""


class Component:
    """One of kube-apiserver, kube-controller-manager, kube-scheduler on this node.

    `words` is its command line. The API is asked at this node's own API server.
    Raises ComponentError where the node has no credentials or no address.
    """

    def __init__(self, node: Node, name: str, words: t.Sequence[str], api_server_words: t.Sequence[str]) -> None:
        self._node_name = node.node_name()
        self._name = name
        self._flags = container_flags({"command": words})
        flags = container_flags({"command": api_server_words})
        host, port = flags.get("advertise-address", ""), flags.get("secure-port", "6443")
        text = node.read(ADMIN)
        if text is None or not host:
            missing = (
                f"{ADMIN} cannot be read" if text is None else "its API server's manifest has no advertise-address"
            )
            raise ComponentError(
                f"{name} on {self._node_name} cannot be asked: {missing}.",
                hint="Run this as root on a node of kubeadm.",
            )
        try:
            self._api = NodeApi(Kubeconfig.parse(text, ADMIN), f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        except ValueError as error:
            raise ComponentError(f"{name} on {self._node_name} cannot be asked: {error}.") from None

    @property
    def port(self) -> int:
        """The port that it serves on."""
        return int(self._flags.get("secure-port", SECURE_PORTS[self._name]))

    def ready(self) -> bool:
        """Whether it says so: an API server on /readyz, the others on /healthz. Raises NoAnswer."""
        return self._api.ready(REQUEST_S) if self._name == "kube-apiserver" else self._healthy()

    def mirror_words(self) -> list[str] | None:
        """Its command line as its mirror pod has it. Raises NoAnswer and Refused."""
        return self._api.static_pod_words(self._node_name, self._name, REQUEST_S)

    def _healthy(self) -> bool:
        # Its certificate is one that it made for itself. Nothing is told to it, and it is asked on loopback.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        host = self._flags.get("bind-address", "127.0.0.1")
        connection = http.client.HTTPSConnection(
            host if host not in ("0.0.0.0", "::") else "127.0.0.1", self.port, timeout=REQUEST_S, context=context
        )
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(
                f"{self._name} gave no answer on port {self.port}: {type(error).__name__}: {error}."
            ) from error
        finally:
            connection.close()
