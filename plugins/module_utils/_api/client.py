# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""One thin way to the API: JSON in, JSON out, on the connection that the kubernetes library configured."""

from __future__ import annotations

import http.client
import json
import threading
import typing as t
from urllib.parse import urlencode

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.errors import ApiStatusError, ApiUnreachable

if t.TYPE_CHECKING:
    from collections.abc import Generator

__all__ = [
    "APPLY_PATCH",
    "JSON",
    "JSON_PATCH",
    "MERGE_PATCH",
    "STRATEGIC_MERGE_PATCH",
    "ApiStatusError",
    "ApiUnreachable",
    "Client",
    "Proxy",
    "Tls",
]

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

Query = t.Optional[t.Mapping[str, t.Any]]
# Inside Client, `list` is the method.
Items = list[dict[str, t.Any]]
Trim = t.Callable[[dict[str, t.Any]], None]
Headers = list[tuple[str, str]]

PAGE_SIZE = 500  # kubectl's chunk size
CONNECT_TIMEOUT_S = 10.0
# How much longer than the server's own timeout a silent watch is listened to.
WATCH_GRACE_S = 5.0


class Tls(t.NamedTuple):
    """How a connection is made safe. Files are paths; `name` is what the certificate must name instead of the host."""

    verify: bool
    check_name: bool = True
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    name: str | None = None


class Proxy(t.NamedTuple):
    """The proxy that requests go through; `headers` are for the proxy itself. An SSH server has the scheme ``ssh``."""

    scheme: str
    host: str
    port: int
    headers: t.Mapping[str, str]


class Client:
    """Requests to one API server (or load balancer). May be used from several threads.

    `configuration` and `pool_manager` are those of the kubernetes library; see
    ``auth.connect``. Paths begin with ``/`` and may carry a query of their own.
    """

    def __init__(
        self,
        configuration: t.Any,
        pool_manager: t.Any,
        *,
        base_url: str,
        headers: Headers,
        ssh_server: Proxy | None = None,
    ) -> None:
        self._configuration = configuration
        self._ssh_server = ssh_server
        self._pool = pool_manager
        self.base_url = base_url.rstrip("/")
        self._headers = headers
        # The hook that renews a token changes the configuration.
        self._auth_lock = threading.Lock()

    @property
    def tls(self) -> Tls:
        """What a connection made elsewhere needs to trust the server, and to be trusted, as those of this client."""
        configuration = self._configuration
        return Tls(
            verify=bool(configuration.verify_ssl),
            check_name=configuration.assert_hostname is not False,
            ca_file=configuration.ssl_ca_cert,
            cert_file=configuration.cert_file,
            key_file=configuration.key_file,
            name=getattr(configuration, "tls_server_name", None),
        )

    @property
    def proxy(self) -> Proxy | None:
        """What is between here and the server; None for a direct connection.

        The SSH server of a tunnel, or the proxy that the library chose for this server, which minds no_proxy.
        """
        from urllib3.util import parse_url

        if self._ssh_server:
            return self._ssh_server
        pool = self._pool
        # urllib3 keeps the address of a SOCKS proxy under another name.
        address = getattr(pool, "proxy", None) or parse_url(getattr(pool, "proxy_url", None) or "")
        if not address.host:
            return None
        headers = dict(getattr(pool, "proxy_headers", None) or {})
        return Proxy(address.scheme or "http", address.host, address.port or 80, headers)

    def credentials(self) -> Headers:
        """The headers that say who asks: a token, renewed where it is due, and whom to impersonate.

        May run the plugin that makes tokens, which takes its time.
        """
        return [*self._headers, *self._authorization()]

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Query = None,
        body: t.Any = None,
        content_type: str | None = None,
        timeout_s: float = 30.0,
    ) -> dict[str, t.Any]:
        """The JSON object that the server answered; ``{}`` for an empty answer.

        Raises ApiStatusError for a status of 400 or more, ApiUnreachable where
        no whole answer came within `timeout_s` seconds.
        """
        response = self._send(method, path, query=query, body=body, content_type=content_type, timeout_s=timeout_s)
        if response.status >= 400:
            raise self._status_error(method, path, response.status, response.reason, response.headers, response.data)
        if not response.data:
            return {}
        try:
            answer = json.loads(response.data)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ApiUnreachable(
                f"{method} {path}: what answered at {self.base_url} is not a Kubernetes API server: "
                f"status {response.status}, {response.data[:60]!r}.",
                hint="Check the address; a proxy or a load balancer may answer in its place.",
            )
        return answer

    def raw(self, method: str, path: str, *, query: Query = None, timeout_s: float = 10.0) -> tuple[int, bytes]:
        """The status and the bytes of any answer: for ``/readyz``, ``/metrics``. Raises ApiUnreachable only."""
        response = self._send(method, path, query=query, body=None, content_type=None, timeout_s=timeout_s)
        return response.status, response.data

    def get(self, path: str, *, query: Query = None, timeout_s: float = 30.0) -> dict[str, t.Any]:
        return self.request("GET", path, query=query, timeout_s=timeout_s)

    def patch(
        self,
        path: str,
        body: t.Any,
        content_type: str = MERGE_PATCH,
        *,
        query: Query = None,
        timeout_s: float = 30.0,
    ) -> dict[str, t.Any]:
        return self.request("PATCH", path, query=query, body=body, content_type=content_type, timeout_s=timeout_s)

    def list(self, path: str, query: Query = None, *, timeout_s: float = 30.0, trim: Trim | None = None) -> Items:
        """All items, fetched in pages. `trim` takes off each what is not needed, before the next page is fetched."""
        return self.list_with_version(path, query, timeout_s=timeout_s, trim=trim)[0]

    def list_with_version(
        self, path: str, query: Query = None, *, timeout_s: float = 30.0, trim: Trim | None = None
    ) -> tuple[Items, str]:
        """All items and the resourceVersion that they are of: where a watch begins.

        A list whose ``continue`` token has expired (410) is begun anew, once.
        """
        for last_try in (False, True):
            items: Items = []
            token = ""
            try:
                while True:
                    page_query = {**(query or {}), "limit": PAGE_SIZE, **({"continue": token} if token else {})}
                    page = self.get(path, query=page_query, timeout_s=timeout_s)
                    fetched = page.get("items") or []
                    if trim is not None:
                        for item in fetched:
                            trim(item)
                    items.extend(fetched)
                    metadata = page.get("metadata") or {}
                    token = metadata.get("continue") or ""
                    if not token:
                        return items, metadata.get("resourceVersion") or ""
            except ApiStatusError as error:
                if last_try or error.status != 410 or not token:
                    raise
        raise AssertionError("not reached")

    def watch(
        self, path: str, query: Query = None, resource_version: str = "", timeout_s: float = 60.0
    ) -> Generator[dict[str, t.Any], None, None]:
        """Events ``{type, object}`` after `resource_version`, until the server ends the watch after `timeout_s`.

        An ERROR event is raised as ApiStatusError (410: list again), a broken
        connection as ApiUnreachable. BOOKMARK events are passed on; the caller
        keeps the resourceVersion. Closing the generator closes the connection.
        """
        import urllib3

        watch_query = {
            **(query or {}),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": max(1, int(timeout_s)),
            **({"resourceVersion": resource_version} if resource_version else {}),
        }
        response = self._send(
            "GET",
            path,
            query=watch_query,
            body=None,
            content_type=None,
            timeout_s=max(1.0, timeout_s) + WATCH_GRACE_S,
            stream=True,
        )
        try:
            if response.status >= 400:
                data = response.read(decode_content=True)
                raise self._status_error("GET", path, response.status, response.reason, response.headers, data)
            rest = b""
            for chunk in response.stream(amt=None, decode_content=True):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield self._event(path, line)
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            raise ApiUnreachable(f"The watch of {path} at {self.base_url} broke off: {_why(error)}.") from error
        finally:
            response.close()
            response.release_conn()

    def _event(self, path: str, line: bytes) -> dict[str, t.Any]:
        event = json.loads(line)
        if event.get("type") != "ERROR":
            return t.cast("dict[str, t.Any]", event)
        status = event.get("object") or {}
        raise ApiStatusError(
            int(status.get("code") or 500),
            status.get("reason") or "",
            status.get("message") or "",
            status,
            request=f"watch of {path}",
        )

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Query,
        body: t.Any,
        content_type: str | None,
        timeout_s: float,
        stream: bool = False,
    ) -> t.Any:
        import urllib3
        from urllib3._collections import HTTPHeaderDict

        url = f"{self.base_url}{path}"
        if query:
            url += ("&" if "?" in path else "?") + urlencode({key: _text(value) for key, value in query.items()})
        headers = HTTPHeaderDict({"Accept": JSON, "User-Agent": "evergreen.kubeadm"})
        for name, value in self.credentials():
            headers.add(name, value)
        if body is not None:
            headers["Content-Type"] = content_type or JSON
        try:
            # Not request(): for methods that have a body, that of urllib3 1.26 makes one header of repeated
            # ones, and so one group of all that are impersonated. This one sends what it is given.
            return self._pool.request_encode_url(
                method,
                url,
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT_S, timeout_s), read=timeout_s),
                retries=False,
                redirect=False,
                preload_content=not stream,
            )
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            raise self._unreachable(method, path, error) from error

    def _authorization(self) -> Headers:
        with self._auth_lock:
            settings = self._configuration.auth_settings()
        return [
            ("Authorization", entry["value"])
            for entry in settings.values()
            if entry.get("in") == "header" and entry.get("key") == "authorization" and entry.get("value")
        ]

    def _unreachable(self, method: str, path: str, error: Exception) -> ApiUnreachable:
        why = _why(error)
        if "certificate verify failed" in why.lower() or "doesn't match" in why.lower():
            return ApiUnreachable(
                f"The certificate of the API server at {self.base_url} is not trusted: {why}.",
                hint="Check ca_cert and that the certificate names this address.",
                permanent=True,
            )
        through = f" through the SSH server {self._ssh_server.host}" if self._ssh_server else ""
        return ApiUnreachable(
            f"{method} {path}: no answer from the API server at {self.base_url}{through}: {why}.",
            hint="Check that the address is right and that an API server runs there.",
        )

    @staticmethod
    def _status_error(
        method: str, path: str, status: int, reason: str, headers: t.Mapping[str, str], data: bytes
    ) -> ApiStatusError:
        try:
            body = json.loads(data)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            body = {"message": data[:300].decode("utf-8", "replace").strip()}
        return ApiStatusError(
            status,
            body.get("reason") or reason or "",
            body.get("message") or "",
            body,
            retry_after_of(headers.get("Retry-After"), body),
            request=f"{method} {path.split('?', 1)[0]}",
        )


def retry_after_of(header: str | None, body: dict[str, t.Any]) -> float | None:
    """Seconds from the ``Retry-After`` header, else from the Status' ``details.retryAfterSeconds``; None without."""
    for value in (header, (body.get("details") or {}).get("retryAfterSeconds")):
        try:
            if value is not None and float(value) > 0:
                return float(value)
        except (TypeError, ValueError):
            continue  # an HTTP date; API servers send seconds
    return None


def _text(value: t.Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _why(error: BaseException) -> str:
    """The innermost reason, without the object addresses that urllib3 puts in its messages."""
    seen: BaseException = error
    while True:
        inner = getattr(seen, "reason", None)
        if not isinstance(inner, BaseException):
            inner = seen.args[-1] if seen.args and isinstance(seen.args[-1], BaseException) else seen.__cause__
        if not isinstance(inner, BaseException) or inner is seen:
            break
        seen = inner
    text = str(seen)
    if ">: " in text:
        text = text.split(">: ", 1)[1]
    return text.rstrip(".") or type(seen).__name__
