# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The way to an SSH session: the server reached, its host key verified, the user logged in."""

from __future__ import annotations

import logging
import socket
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api import tunnel_hosts
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.errors import ApiUnreachable
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.tunnel_keys import Offer, nothing_to_offer

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline

# So that a step which has no time left fails as one, not as a call with a timeout of nothing.
SHORTEST_S = 0.1
LONGEST_S = 60.0
LOG_NAME = "evergreen.kubeadm.ssh"


class Login(t.NamedTuple):
    """Whom to reach, as whom, with what. `offers` are tried in their order."""

    host: str
    port: int
    user: str
    trust: tunnel_hosts.Trust
    offers: Sequence[Offer]

    @property
    def server(self) -> str:
        return tunnel_hosts.address(self.host, self.port)


def log_in(login: Login, deadline: Deadline) -> t.Any:
    """Reach the server, verify its host key, log in; return paramiko's Transport.

    Raises ApiUnreachable, a permanent one where trying again cannot help. The
    server is told nothing of the user before its host key is verified.
    """
    connection = _reach(login, deadline)
    transport = None
    try:
        transport, host_key = _negotiated(login, connection, deadline)
        verify(login, host_key)
        _authenticate(login, transport, deadline)
    except BaseException:
        if transport is None:
            connection.close()
        else:
            end(transport)
        raise
    return transport


def end(transport: t.Any) -> None:
    """Close it, and what would keep the process: paramiko's timer of an unfinished handshake is no daemon."""
    transport.packetizer.complete_handshake()
    transport.close()


def left(deadline: Deadline) -> float:
    """The seconds for one step."""
    return max(SHORTEST_S, deadline.clip(LONGEST_S))


def _reach(login: Login, deadline: Deadline) -> socket.socket:
    try:
        connection = socket.create_connection((login.host, login.port), left(deadline))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except socket.gaierror as error:
        raise ApiUnreachable(
            f"The SSH server {login.host} is not known where this task runs: {error.strerror}.",
            hint="Give its name or address as host of ssh_tunnel; aliases of ~/.ssh/config are not read.",
        ) from error
    except OSError as error:
        why = "no connection in time" if isinstance(error, socket.timeout) else error.strerror or error
        raise ApiUnreachable(
            f"The SSH server {login.server} cannot be reached: {why}.",
            hint="Check host and port of ssh_tunnel, and that an SSH server listens there.",
        ) from error
    return connection


def _negotiated(login: Login, connection: socket.socket, deadline: Deadline) -> tuple[t.Any, tunnel_hosts.HostKey]:
    """A transport whose keys are exchanged, and the host key that was offered; nothing is verified yet."""
    import paramiko

    transport = paramiko.Transport(connection)
    transport.set_log_channel(_quiet_log())
    try:
        security = transport.get_security_options()
        security.key_types = tunnel_hosts.ordered(security.key_types, login.trust)
        left_s = left(deadline)
        transport.banner_timeout = transport.handshake_timeout = left_s
        transport.start_client(timeout=left_s)
        # Where the time is over start_client returns in silence, and this raises.
        key = transport.get_remote_server_key()
    except Exception as error:
        end(transport)
        connection.close()
        if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
            raise ApiUnreachable(
                f"The SSH server {login.server} and paramiko have no algorithm in common: {error}.",
                hint="Install a newer paramiko for the Python of this task, or a newer SSH server.",
                permanent=True,
            ) from error
        if isinstance(error, (paramiko.SSHException, EOFError, OSError)):
            raise ApiUnreachable(
                f"What answers at {login.server} began no SSH session: {_said(error)}.",
                hint="Check that an SSH server listens there, and that it has room for another session.",
            ) from error
        raise
    return transport, tunnel_hosts.HostKey(key.get_name(), key.asbytes())


def _said(error: BaseException) -> str:
    """What happened, where paramiko's exceptions often carry no text."""
    if isinstance(error, EOFError):
        return "it closed the connection"
    return str(error).rstrip(".") or type(error).__name__


def _quiet_log() -> str:
    """The name of a logger that says nothing: what went wrong is in the error, and Python prints unheard errors."""
    logger = logging.getLogger(LOG_NAME)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
    return LOG_NAME


def verify(login: Login, offered: tunnel_hosts.HostKey) -> None:
    """Raise ApiUnreachable where the host key is not one that is trusted."""
    verdict = tunnel_hosts.judge(login.trust, offered)
    if verdict != tunnel_hosts.TRUSTED:
        message, hint = tunnel_hosts.refusal(verdict, login.trust, login.host, login.port, offered)
        raise ApiUnreachable(message, hint=hint, permanent=True)


def _authenticate(login: Login, transport: t.Any, deadline: Deadline) -> None:
    import paramiko

    if not login.offers:
        raise ApiUnreachable(
            f"The user {login.user} has no key to log in at the SSH server {login.server} with: {nothing_to_offer()}.",
            hint="Set key_file of ssh_tunnel, or add a key to ssh-agent.",
            permanent=True,
        )
    refused: list[str] = []
    for offer in login.offers:
        transport.auth_timeout = left(deadline)
        try:
            more = transport.auth_publickey(login.user, offer.key)
        except paramiko.BadAuthenticationType as error:
            raise refused_login(login, [*refused, offer.label], error.allowed_types) from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            if transport.is_active() and not deadline.expired():
                refused.append(offer.label)
                continue
            if refused and not deadline.expired():
                # Servers hang up after some keys (MaxAuthTries of sshd_config, 6 as shipped).
                raise refused_login(login, [*refused, offer.label], []) from error
            raise ApiUnreachable(
                f"The SSH server {login.server} ended the login of {login.user}: {_said(error)}.",
                hint=f"The key was that of {offer.label}.",
            ) from error
        if not more:
            return
        raise ApiUnreachable(
            f"The SSH server {login.server} takes the key {offer.label} of {login.user} and wants {', '.join(more)} "
            "besides, which ssh_tunnel does not do.",
            hint="Let this user in by key alone.",
            permanent=True,
        )
    raise refused_login(login, refused, [])


def refused_login(login: Login, tried: Sequence[str], wanted: Sequence[str]) -> ApiUnreachable:
    """The error for a server that lets none of the keys in. `wanted` are the methods that it asks for instead."""
    other = f" and wants {', '.join(wanted)}, which ssh_tunnel does not do" if wanted else ""
    return ApiUnreachable(
        f"The SSH server {login.server} does not let {login.user} in: it took none of the keys "
        f"{'; '.join(tried)}{other}.",
        hint="Check user and key_file of ssh_tunnel, and that the public key is in authorized_keys there.",
        permanent=True,
    )
