# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What the probe asks: targets from the module's options and from a client of the API."""

from __future__ import annotations

import contextlib
import ssl
import threading
import typing as t
from collections.abc import Callable, Mapping

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import Client, Proxy, Tls
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.decisions import NAME, NAMESPACE
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.compose import API_TARGET, SERVICE_PREFIX
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.request import Headers, Target, split_url

# Answered by every cluster to whoever may read it; it goes through authentication, authorisation and etcd.
API_PATH = "/api/v1/namespaces/default"
# The lock of the run, which is renewed while the run is alive.
WATCH_PATH = (
    f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
    f"?fieldSelector=metadata.name%3D{NAME}&watch=true&allowWatchBookmarks=true"
)
# The static pods of the control plane, out of the API server's memory: as many in a large cluster as in a small one.
LIST_PATH = "/api/v1/namespaces/kube-system/pods?labelSelector=tier%3Dcontrol-plane&resourceVersion=0"
LIST_EVERY_S = 1.0
USER_AGENT = "evergreen.kubeadm-availability-probe"
REFRESH_EVERY_S = 60.0


class _NamedContext(ssl.SSLContext):
    """A context that asks for, and checks, another name than that of the address."""

    name: str | None = None

    def wrap_socket(self, *args: t.Any, **kwargs: t.Any) -> ssl.SSLSocket:
        if self.name:
            kwargs["server_hostname"] = self.name
        return super().wrap_socket(*args, **kwargs)


def tls_context(tls: Tls) -> ssl.SSLContext:
    """One context for all requests of a target. Raise EvergreenError where a file cannot be used."""
    context = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.name = tls.name
    context.check_hostname = tls.verify and tls.check_name
    try:
        if not tls.verify:
            context.verify_mode = ssl.CERT_NONE
        elif tls.ca_file:
            context.load_verify_locations(cafile=tls.ca_file)
        else:
            context.load_default_certs()
        if tls.cert_file:
            context.load_cert_chain(tls.cert_file, tls.key_file or None)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(file for file in (tls.ca_file, tls.cert_file, tls.key_file) if file)
        raise EvergreenError(f"The certificates of the probe cannot be loaded ({files}): {error}.") from error
    return context


def service_target(service: Mapping[str, t.Any]) -> Target:
    """The target of one entry of the option `services`; every status from 200 to 299 is good."""
    scheme, host, port, path = split_url(service["url"])
    context = None
    if scheme == "https":
        verify = service.get("validate_certs") is not False
        context = tls_context(Tls(verify=verify, ca_file=service.get("ca_cert")))
    return Target(
        name=SERVICE_PREFIX + service["name"],
        scheme=scheme,
        host=host,
        port=port,
        path=path,
        context=context,
        good=lambda status: 200 <= status <= 299,
        headers=lambda: [("User-Agent", USER_AGENT)],
    )


def api_targets(client: Client, stop: threading.Event) -> list[Target]:
    """The targets for the API as `client` reaches it: a read, a watch and a list. Only 200 is good.

    Starts a thread that renews the credentials until `stop` is set: a plugin
    that makes tokens may take seconds, and no request may wait for it.
    """
    scheme, host, port, prefix = split_url(client.base_url)
    context = None
    if scheme == "https":
        context = tls_context(client.tls)
    prefix = prefix.rstrip("/")
    read = Target(
        name=API_TARGET,
        scheme=scheme,
        host=host,
        port=port,
        path=prefix + API_PATH,
        context=context,
        good=lambda status: status == 200,
        headers=_renewed(
            lambda: [
                ("User-Agent", USER_AGENT),
                ("Accept", "application/json"),
                *client.credentials(),
            ],
            stop,
        ),
        proxy=_proxy(client.proxy),
    )
    return [
        read,
        read._replace(name=f"{API_TARGET}/watch", path=prefix + WATCH_PATH, watch=True),
        read._replace(name=f"{API_TARGET}/list", path=prefix + LIST_PATH, every_s=LIST_EVERY_S),
    ]


def _renewed(make: Callable[[], Headers], stop: threading.Event) -> Callable[[], Headers]:
    current = [make()]

    def renew() -> None:
        while not stop.wait(REFRESH_EVERY_S):
            # Where it fails the old ones may be good still; where they are not, answers 401 show it.
            with contextlib.suppress(Exception):
                current[0] = make()

    threading.Thread(target=renew, name="probe-credentials", daemon=True).start()
    return lambda: current[0]


def _proxy(proxy: Proxy | None) -> tuple[str, int, Mapping[str, str]] | None:
    """The proxy of the client as requests of the probe want it."""
    if proxy is None:
        return None
    if proxy.scheme != "http":
        raise EvergreenError(
            f"The probe cannot reach the API through the proxy {proxy.scheme}://{proxy.host}: "
            "it speaks to HTTP proxies only.",
            hint="Run the probe from where the API is reached without that proxy, or set api to false.",
        )
    return proxy.host, proxy.port, proxy.headers
