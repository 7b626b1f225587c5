# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""One HTTP request as a new client makes it, and what became of it."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
import typing as t
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError

BODY_LIMIT = 1 << 20


Headers = list[tuple[str, str]]


class Target(t.NamedTuple):
    """What is asked.

    `good` tells by the HTTP status whether an answer counts, `headers` is
    called for each request, `proxy` is ``(host, port, headers)``. Where
    `every_s` is 0, the rate is that of the probe. A `watch` is asked once and
    again when it ends.
    """

    name: str
    scheme: str
    host: str
    port: int
    path: str
    context: ssl.SSLContext | None
    good: Callable[[int], bool]
    headers: Callable[[], Headers]
    proxy: tuple[str, int, Mapping[str, str]] | None = None
    every_s: float = 0.0
    watch: bool = False


def split_url(url: str) -> tuple[str, str, int, str]:
    """``(scheme, host, port, path with query)``; raise EvergreenError where `url` is not for HTTP."""
    hint = "Write it such as http://10.0.0.10:30080/ or https://[fd00::1]:8443/healthz."
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise EvergreenError(f"{url!r} is not a URL: {error}.", hint=hint) from error
    if parts.scheme not in ("http", "https") or not host:
        raise EvergreenError(f"{url!r} is not an HTTP or HTTPS URL.", hint=hint)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path


class BadAnswer(Exception):
    """An answer came, and it is not a good one."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"HTTP {status} {reason}".strip())
        self.status = status


class Request:
    """One request with a limit for all of it: name resolution, connection, TLS, answer."""

    def __init__(self, target: Target, timeout_s: float) -> None:
        self.target = target
        self._end = time.monotonic() + timeout_s
        self._socket: socket.socket | None = None

    def run(self) -> None:
        """Raise OSError, http.client.HTTPException or BadAnswer where no good and complete answer came."""
        with self._asked() as answer:
            _read_whole(answer)
            self._check(answer)

    def lines(self, silent_s: float) -> Iterator[bytes]:
        """An empty line when a good answer begins, and then its own as they come; raise as `run` does.

        An answer that is silent for `silent_s` seconds has broken off.
        """
        with self._asked() as answer:
            self._check(answer)
            yield b""
            if self._socket is not None:
                self._socket.settimeout(silent_s)
            yield from answer

    @contextlib.contextmanager
    def _asked(self) -> Iterator[http.client.HTTPResponse]:
        target = self.target
        host, port, _headers = target.proxy or (target.host, target.port, {})
        if target.context:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=self._left(), context=target.context
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=self._left())
        if target.proxy:
            connection.set_tunnel(target.host, target.port, dict(target.proxy[2]))
        try:
            connection.connect()
            # http.client forgets the socket as soon as it has read the headers.
            self._socket = connection.sock
            self._socket.settimeout(self._left())
            connection.putrequest("GET", target.path)
            for name, value in [*target.headers(), ("Connection", "close")]:
                connection.putheader(name, value)
            connection.endheaders()
            yield connection.getresponse()
        finally:
            connection.close()

    def _check(self, answer: http.client.HTTPResponse) -> None:
        if not self.target.good(answer.status):
            raise BadAnswer(answer.status, answer.reason)

    def abort(self) -> None:
        """Wake the thread that hangs in this request's socket; called from another thread."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise socket.timeout("timed out")
        return left


def _read_whole(answer: http.client.HTTPResponse) -> None:
    """Read the body, up to a limit; raise IncompleteRead where it ends before its announced length."""
    size = 0
    while size < BODY_LIMIT:
        part = answer.read(65536)
        if not part:
            if answer.length:
                raise http.client.IncompleteRead(b"", answer.length)
            return
        size += len(part)


def classify(error: BaseException) -> tuple[str, str]:
    """``(class, message)`` of what a request raised; the classes are listed in RETURN of availability_probe."""
    message = str(error) or type(error).__name__
    if isinstance(error, BadAnswer):
        return f"http_{error.status}", message
    if isinstance(error, socket.timeout):
        return "timeout", message
    if isinstance(error, socket.gaierror):
        return "name_resolution", message
    if isinstance(error, ssl.SSLEOFError):
        return "closed", message
    if isinstance(error, ssl.SSLError):
        return "tls", message
    if isinstance(error, ConnectionRefusedError):
        return "refused", message
    if isinstance(error, (http.client.RemoteDisconnected, http.client.IncompleteRead, BrokenPipeError)):
        return "closed", message
    if isinstance(error, ConnectionResetError):
        return "reset", message
    if isinstance(error, http.client.HTTPException):
        return "protocol", message
    if isinstance(error, OSError):
        return "network", message
    return "defect", f"{type(error).__name__}: {message}"
