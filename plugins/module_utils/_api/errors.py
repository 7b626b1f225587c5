# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What can go wrong between this collection and an API server, and what an answer means."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError

# The sentence that the RBAC authorizer's refusal is made of
# (k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/errors.go).
_REFUSED = re.compile(
    r'User "(?P<user>.*?)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]+)")?'
)
_WEBHOOK_DENIED = re.compile(r'admission webhook "(?P<name>[^"]+)" denied the request')
_WEBHOOK_FAILED = re.compile(r'failed calling webhook "(?P<name>[^"]+)"')
# etcd and gRPC errors that pass through the API server as status 500 while a
# member restarts or leadership moves.
_STORAGE_AWAY = re.compile(
    r"etcdserver: (?:leader changed|no leader|request timed out|server stopped|too many requests|not capable)"
    r"|rpc error: code = (?:Unavailable|Canceled)"
    r"|connection refused|connection reset|unexpected EOF|http2: client connection"
)


class ConfigurationError(EvergreenError):
    """The connection to the API cannot even be tried: no library, no configuration, no such context."""


class ApiUnreachable(EvergreenError):
    """No answer came. Whether the request was carried out is not known.

    `permanent` is true where trying again cannot help, such as a certificate
    that is not trusted.
    """

    def __init__(self, message: str, *, hint: str = "", permanent: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.permanent = permanent


class ApiStatusError(EvergreenError):
    """An answer with an HTTP status of 400 or more.

    `reason` and `message` are those of the Status object in the answer (of the
    HTTP status line and body where there is none), `body` is the Status object,
    `retry_after` is in seconds, from the header or the Status' details.
    `message` of the exception carries the request as well.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        body: dict[str, t.Any] | None = None,
        retry_after: float | None = None,
        *,
        request: str = "",
    ) -> None:
        self.status = status
        self.reason = reason
        self.server_message = message
        self.body = body or {}
        self.retry_after = retry_after
        text = f"{request + ': ' if request else ''}the API server answered {status} {reason}".rstrip()
        super().__init__(f"{text}: {message.rstrip('.')}." if message else f"{text}.", hint=hint_for(status, message))

    @property
    def causes(self) -> list[dict[str, t.Any]]:
        """``details.causes`` of the Status: ``[{reason, message, field}]``."""
        return list((self.body.get("details") or {}).get("causes") or [])

    def has_cause(self, reason: str) -> bool:
        return any(cause.get("reason") == reason for cause in self.causes)


def hint_for(status: int, message: str) -> str:
    """The next step for a refused request; empty where the server's message says enough."""
    if status == 401:
        return "The API server does not know these credentials; check the token, certificate or exec plugin in use."
    if status == 403:
        found = _REFUSED.search(message)
        if found:
            where = f" in the namespace {found['namespace']}" if found["namespace"] else ", cluster-wide"
            group = f" (API group {found['group']})" if found["group"] else ""
            return f"Grant the verb {found['verb']} on {found['resource']}{group}{where} to the user {found['user']}."
    return ""


def webhook_that_denied(message: str) -> str | None:
    """The name of the admission webhook that said no; None where none did."""
    found = _WEBHOOK_DENIED.search(message)
    return found["name"] if found else None


def webhook_that_failed(message: str) -> str | None:
    """The name of the admission webhook that could not be asked; None where it was not that."""
    found = _WEBHOOK_FAILED.search(message)
    return found["name"] if found else None


def is_flow_control(error: ApiStatusError) -> bool:
    """Whether a 429 asks the client to slow down.

    The other 429, of an eviction that a budget does not allow now, carries the
    cause ``DisruptionBudget`` (pkg/registry/core/pod/storage/eviction.go).
    """
    return error.status == 429 and not error.has_cause("DisruptionBudget")


def means_no_answer(error: ApiStatusError) -> bool:
    """Whether the status only says that nobody was there to decide: a restarting server or its etcd."""
    if error.status in (502, 503, 504):
        return True
    if error.status != 500 or webhook_that_failed(error.server_message):
        return False
    return bool(_STORAGE_AWAY.search(error.server_message))
