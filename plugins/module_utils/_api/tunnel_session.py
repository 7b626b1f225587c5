# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""One SSH session: kept alive, and channels through it."""

from __future__ import annotations

import collections
import threading
import time
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api import tunnel_login
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.errors import ApiUnreachable
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.tunnel_hosts import address

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline

# A dead peer is noticed after both of them at the latest.
KEEPALIVE_S = 10.0
KEEPALIVE_ANSWER_S = 15.0
_PROHIBITED = 1  # SSH_OPEN_ADMINISTRATIVELY_PROHIBITED, RFC 4254, 5.1
_CONNECT_FAILED = 2  # SSH_OPEN_CONNECT_FAILED


class Session:
    """An authenticated session. May be used from several threads."""

    def __init__(self, transport: t.Any, server: str) -> None:
        self._transport = transport
        self._server = server
        self._asked: collections.Counter[tuple[str, int]] = collections.Counter()
        self._lock = threading.Lock()
        threading.Thread(target=self._keep_alive, name=f"keepalive of {server}", daemon=True).start()

    def active(self) -> bool:
        return bool(self._transport.is_active())

    def open(self, host: str, port: int, deadline: Deadline) -> t.Any:
        """A channel to ``host:port`` as the SSH server sees it. Raises ApiUnreachable."""
        import paramiko

        target, timeout_s = (host, port), tunnel_login.left(deadline)
        with self._lock:
            self._asked[target] += 1
        try:
            return self._transport.open_channel("direct-tcpip", target, ("127.0.0.1", 0), timeout=timeout_s)
        except paramiko.ChannelException as error:
            raise refused_channel(self._server, target, error.code, sure=self._asks_only(target)) from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            why = (
                f"did not connect to {address(*target)} within {timeout_s:g} s"
                if self.active()
                else "ended the session"
            )
            raise ApiUnreachable(f"The SSH server {self._server} {why}.") from error
        finally:
            with self._lock:
                self._asked[target] -= 1

    def close(self) -> None:
        tunnel_login.end(self._transport)

    def _asks_only(self, target: tuple[str, int]) -> bool:
        """Whether no other target is asked for now: paramiko keeps one error for all channels that fail together."""
        with self._lock:
            return not any(count for other, count in self._asked.items() if other != target)

    def _keep_alive(self) -> None:
        """Ask the server something every KEEPALIVE_S seconds, and end the session where it does not answer.

        paramiko's own keepalive asks for no answer, so that a peer which has
        vanished is noticed only when the system gives its packets up.
        """
        while self.active():
            time.sleep(KEEPALIVE_S)
            watchdog = threading.Timer(KEEPALIVE_ANSWER_S, self.close)
            watchdog.daemon = True
            watchdog.start()
            try:
                # Every server answers, if only that it does not know this request (RFC 4254, 4).
                self._transport.global_request("keepalive@openssh.com", wait=True)
            except Exception:
                # Of whatever kind: who cannot ask cannot be heard either.
                self.close()
            finally:
                watchdog.cancel()


def refused_channel(server: str, target: tuple[str, int], code: int, *, sure: bool) -> ApiUnreachable:
    """The error for a channel that the server did not open, by the reason of RFC 4254, 5.1.

    `sure` is false where the reason may be that of another target.
    """
    where = address(*target)
    if code == _PROHIBITED:
        return ApiUnreachable(
            f"The SSH server {server} does not allow forwarding to {where}.",
            hint="Allow it for this user: AllowTcpForwarding and PermitOpen in sshd_config, and the options "
            "restrict, no-port-forwarding and permitopen in authorized_keys.",
            permanent=sure,
        )
    if code == _CONNECT_FAILED:
        return ApiUnreachable(
            f"The SSH server {server} cannot connect to {where}.",
            hint="Check that this name and port lead to a running API server from there.",
        )
    return ApiUnreachable(f"The SSH server {server} opened no channel to {where} (reason {code} of RFC 4254).")
