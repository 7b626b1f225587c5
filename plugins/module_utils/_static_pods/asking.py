# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Ask the components of this node whether they are ready, as the probes of their manifests do."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import typing as t
from dataclasses import dataclass

TIMEOUT_S = 3.0
PROBES = ("readinessProbe", "livenessProbe", "startupProbe")
HTTP, HTTPS, TCP, PROCESS = "HTTP", "HTTPS", "TCP", "process"
"""PROCESS: nothing can be asked (an exec or gRPC probe, or none), so its process has to run."""


@dataclass(frozen=True)
class Request:
    """How one container is asked. One of the hosts has to answer."""

    container: str
    kind: str
    hosts: tuple[str, ...] = ()
    port: int = 0
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()


def requests(pod: t.Any, addresses: t.Sequence[str]) -> list[Request]:
    """A request for each container of a manifest, read without types.

    `addresses` are those of the node, which are asked where a probe names no host.
    """
    return [_request(container, (*addresses, "127.0.0.1")) for container in containers(pod)]


def containers(pod: t.Any) -> list[dict[str, t.Any]]:
    spec = pod.get("spec") if isinstance(pod, dict) else None
    found = spec.get("containers") if isinstance(spec, dict) else None
    return [each for each in found or () if isinstance(each, dict)]


def _request(container: dict[str, t.Any], hosts: tuple[str, ...]) -> Request:
    name = str(container.get("name"))
    probe: dict[str, t.Any] = next((container[each] for each in PROBES if container.get(each)), {})
    action = probe.get("httpGet") or probe.get("tcpSocket")
    port = _port(container, (action or {}).get("port"))
    if not action or not port:
        return Request(name, PROCESS)
    hosts = (action["host"],) if action.get("host") else hosts
    if "httpGet" not in probe:
        return Request(name, TCP, hosts, port)
    headers = tuple((each["name"], each.get("value") or "") for each in action.get("httpHeaders") or ())
    return Request(name, str(action.get("scheme") or HTTP).upper(), hosts, port, action.get("path") or "/", headers)


def _port(container: dict[str, t.Any], port: t.Any) -> int:
    """A port by number, or by the name that the container gives it; 0 where it has none of that name."""
    if str(port).isdigit():
        return int(port)
    named = {each.get("name"): each.get("containerPort") for each in container.get("ports") or ()}
    return int(named.get(port) or 0)


def answers(request: Request) -> bool:
    """Whether a container says that it is ready, on one of its hosts. True for a PROCESS, which is asked nothing."""
    return request.kind == PROCESS or any(_answers(request, host) for host in request.hosts)


def _answers(request: Request, host: str) -> bool:
    try:
        if request.kind == TCP:
            socket.create_connection((host, request.port), TIMEOUT_S).close()
            return True
        with contextlib.closing(_connection(request, host)) as connection:
            connection.request("GET", request.path, headers=dict(request.headers))
            # As the kubelet takes it.
            return 200 <= connection.getresponse().status < 400
    except (OSError, ValueError, http.client.HTTPException):
        return False


def _connection(request: Request, host: str) -> http.client.HTTPConnection:
    if request.kind == HTTP:
        return http.client.HTTPConnection(host, request.port, timeout=TIMEOUT_S)
    # The kubelet verifies nothing either. A default context would read all certificates of the system, each time.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(host, request.port, timeout=TIMEOUT_S, context=context)
