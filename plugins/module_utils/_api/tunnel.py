# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The option ssh_tunnel: connections to the API server through an SSH server (direct-tcpip, RFC 4254, 7.2).

Names are resolved by the SSH server, and TLS goes from end to end: the tunnel
carries bytes. One session carries all connections of a process.
"""

from __future__ import annotations

import getpass
import os
import threading
import typing as t
from dataclasses import dataclass, field

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api import tunnel_hosts, tunnel_keys, tunnel_login
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.errors import ApiUnreachable, ConfigurationError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.tunnel_option import TUNNEL_OPTION
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.tunnel_pump import connected
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.tunnel_session import Session
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError

if t.TYPE_CHECKING:
    import socket
    from collections.abc import Callable

KNOWN_HOSTS = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")


@dataclass(frozen=True)
class TunnelOptions:
    """The checked option. `connect_timeout` is in seconds, for all of the way to a session."""

    host: str
    port: int
    user: str
    key_file: str | None
    key_passphrase: str | None = field(repr=False)
    known_hosts: str | None
    host_key: str | None
    connect_timeout: float

    @property
    def server(self) -> str:
        return tunnel_hosts.address(self.host, self.port)


def options_from(given: t.Mapping[str, t.Any]) -> TunnelOptions:
    """The option as a TunnelOptions; a ConfigurationError names what does not fit."""
    defaults = {name: option.get("default") for name, option in TUNNEL_OPTION["options"].items()}
    values = {**defaults, **{name: value for name, value in given.items() if name in defaults and value is not None}}
    host = (values["host"] or "").strip().strip("[]")
    if not host or any(sign in host for sign in "/@ "):
        raise ConfigurationError(
            f"The host of ssh_tunnel is {values['host']!r}, and must be the name or the address of an SSH server.",
            hint="User and port have suboptions of their own.",
        )
    if not 0 < values["port"] < 65536:
        raise ConfigurationError(f"The port of ssh_tunnel is {values['port']}, and must be from 1 to 65535.")
    if values["connect_timeout"] < 1:
        raise ConfigurationError("The connect_timeout of ssh_tunnel must be at least 1 second.")
    if values["known_hosts"] and values["host_key"]:
        raise ConfigurationError("known_hosts and host_key of ssh_tunnel say both whom to trust; give one of them.")
    return TunnelOptions(**{**values, "host": host, "user": values["user"] or _current_user()})


def _current_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise ConfigurationError(
            "The user that this task runs as has no name here, as happens in containers.",
            hint="Set user of ssh_tunnel.",
        ) from error


def load_trust(options: TunnelOptions) -> tunnel_hosts.Trust:
    """What is known of the server: the host_key that was given, else what known_hosts files say."""
    if options.host_key:
        trust = tunnel_hosts.pinned(options.host_key)
        if trust is None:
            raise ConfigurationError(
                "The host_key of ssh_tunnel is neither a fingerprint such as SHA256:... nor a public key such as "
                "ssh-ed25519 AAAA....",
                hint="ssh-keygen -lf prints the fingerprint of the server's /etc/ssh/ssh_host_ed25519_key.pub.",
            )
        return trust
    entries = []
    paths = [options.known_hosts] if options.known_hosts else list(KNOWN_HOSTS)
    for path in map(os.path.expanduser, paths):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                entries.extend(tunnel_hosts.parse_known_hosts(file.read()))
        except OSError as error:
            # Of the usual files none has to be there.
            if options.known_hosts:
                raise ConfigurationError(
                    f"The known_hosts {path} of ssh_tunnel cannot be read: {error.strerror}."
                ) from error
    return tunnel_hosts.trust_of(entries, options.host, options.port, " or ".join(paths))


class Tunnel:
    """The way through one SSH server. May be used from several threads."""

    def __init__(self, options: TunnelOptions) -> None:
        try:
            import paramiko  # noqa: F401 (only whether it is there)
        except ImportError as error:
            raise ConfigurationError(
                f"ssh_tunnel needs the Python library paramiko, which is not there where this task runs: {error}.",
                hint="Install paramiko >= 3.4.0 for the Python of this task.",
            ) from error
        self.options = options
        self._trust = load_trust(options)
        self._offers = tunnel_keys.source(options.key_file, options.key_passphrase)
        self._lock = threading.Lock()
        self._attempt: _Attempt | None = None

    def prepare(self) -> None:
        """Open the session. Raise what no later try can mend; the rest is left to the requests and their retries."""
        with self._lock:
            if self._attempt and self._attempt.over():
                return
        try:
            self._session(self.options.connect_timeout)
        except ApiUnreachable as error:
            if error.permanent:
                raise

    def connect(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """A stream socket to ``host:port`` as the SSH server sees it. Raises ApiUnreachable."""
        deadline = Deadline(timeout_s)
        channel = self._session(timeout_s).open(host, port, deadline)
        return connected(channel, f"tunnel to {tunnel_hosts.address(host, port)}")

    def _session(self, timeout_s: float) -> Session:
        """The session that there is, or a new one.

        One is opened at a time, whoever waits for it, and for as long as
        `connect_timeout` says even where a caller has no time left. A refusal
        is remembered: a server that counts failed logins is not asked again.
        """
        with self._lock:
            if self._attempt is None or self._attempt.over():
                self._attempt = _Attempt(self._open, self.options.server)
                self._attempt.start()
            attempt = self._attempt
        return attempt.result(timeout_s)

    def _open(self) -> Session:
        options = self.options
        login = tunnel_login.Login(options.host, options.port, options.user, self._trust, self._offers())
        return Session(tunnel_login.log_in(login, Deadline(options.connect_timeout)), options.server)


class _Attempt(threading.Thread):
    """A session that is being opened, is open, or could not be opened."""

    def __init__(self, open_it: Callable[[], Session], server: str) -> None:
        super().__init__(name=f"SSH session of {server}", daemon=True)
        self._open_it = open_it
        self._server = server
        self._done = threading.Event()
        self._session: Session | None = None
        self._error: Exception | None = None

    def run(self) -> None:
        try:
            self._session = self._open_it()
        except Exception as error:
            self._error = error
        self._done.set()

    def over(self) -> bool:
        """Whether another attempt is in place: the session broke, or there was none for a reason that may pass."""
        if not self._done.is_set():
            return False
        if self._session:
            return not self._session.active()
        return isinstance(self._error, ApiUnreachable) and not self._error.permanent

    def result(self, timeout_s: float) -> Session:
        if not self._done.wait(max(0.0, timeout_s)):
            raise ApiUnreachable(f"The SSH session with {self._server} is not there after {timeout_s:g} s.")
        if self._session:
            return self._session
        if isinstance(self._error, EvergreenError):
            # An error of its own for each caller, since who passes it on writes into it.
            permanent = getattr(self._error, "permanent", True)
            raise ApiUnreachable(self._error.message, hint=self._error.hint, permanent=permanent) from self._error
        raise t.cast("Exception", self._error)


_tunnels: dict[tuple[int, TunnelOptions], Tunnel] = {}
_tunnels_lock = threading.Lock()


def tunnel_for(given: t.Mapping[str, t.Any]) -> Tunnel:
    """The tunnel for a value of the option; the same one for all clients of a process.

    Raises ConfigurationError for what is wrong on this side.
    """
    # A process that was forked has the objects of its parent, and none of the threads.
    key = (os.getpid(), options_from(given))
    with _tunnels_lock:
        if key not in _tunnels:
            _tunnels[key] = Tunnel(key[1])
        return _tunnels[key]


def lead_through(pool_manager: t.Any, tunnel: Tunnel) -> None:
    """Have all connections of a urllib3.PoolManager made through `tunnel`; everything else about them stays."""
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    def tunnelled(pool: t.Any) -> t.Any:
        def new_conn(connection: t.Any) -> socket.socket:
            # The timeout for connecting; urllib3 sets that for reading on the socket afterwards.
            given = connection.timeout
            timeout_s = given if isinstance(given, (int, float)) else tunnel.options.connect_timeout
            return tunnel.connect(connection.host, connection.port, timeout_s)

        made = type(pool.ConnectionCls.__name__, (pool.ConnectionCls,), {"_new_conn": new_conn})
        return type(pool.__name__, (pool,), {"ConnectionCls": made})

    pool_manager.pool_classes_by_scheme = {
        "http": tunnelled(HTTPConnectionPool),
        "https": tunnelled(HTTPSConnectionPool),
    }
