# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What the answer of a gRPC call means where etcd was asked."""

from __future__ import annotations

import typing as t
from urllib.parse import unquote

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import (
    EtcdRefused,
    EtcdUnreachable,
    RouteMissing,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._grpc.call import CONTENT_TYPE, Broken

_SAID_LIMIT = 300
_UNIMPLEMENTED = "12"
_DEADLINE_EXCEEDED = "4"
_STATUS = {
    "1": ("CANCELLED", "the call was cancelled"),
    "2": ("UNKNOWN", "it failed"),
    "3": ("INVALID_ARGUMENT", "it does not accept what was asked"),
    "4": ("DEADLINE_EXCEEDED", "it was not done in time"),
    "5": ("NOT_FOUND", "there is no such thing"),
    "6": ("ALREADY_EXISTS", "it is there already"),
    "7": ("PERMISSION_DENIED", "the etcd user of this client certificate is not allowed to"),
    "8": ("RESOURCE_EXHAUSTED", "a limit of the server is reached"),
    "9": ("FAILED_PRECONDITION", "the cluster is not in the state for it"),
    "10": ("ABORTED", "it was given up"),
    "11": ("OUT_OF_RANGE", "that revision cannot be had"),
    "12": ("UNIMPLEMENTED", "the server does not know the call"),
    "13": ("INTERNAL", "the server failed inside"),
    "14": ("UNAVAILABLE", "the member cannot serve it now"),
    "15": ("DATA_LOSS", "the member has lost data"),
    "16": ("UNAUTHENTICATED", "the server does not know this client"),
}
"""Status code, its name, and what it means here."""
_HINTS = {
    "7": "Use a client certificate whose common name is an etcd user with the role root.",
    "14": "See the member's log; it may have no leader or be starting.",
    "16": "Authentication is on in etcd: use a client certificate whose common name is an etcd user.",
}


def require_grpc(head: t.Mapping[str, str], url: str) -> None:
    """Raise RouteMissing where the head of the answer is not that of a gRPC server."""
    status = head.get(":status", "")
    kind = head.get("content-type", "")
    if status in ("429", "502", "503", "504"):
        raise EtcdUnreachable(f"What stands before etcd at {url} cannot reach it: HTTP {status}.")
    if status != "200" or not kind.startswith(CONTENT_TYPE):
        raise RouteMissing(f"What answers at {url} does not speak gRPC: HTTP {status or 'without a status'}, {kind!r}.")


def require_ok(trailers: t.Mapping[str, str], method: str, url: str) -> None:
    """Raise what the status in the trailers means, unless it is 0. A stream without one has not ended well."""
    code = trailers.get("grpc-status")
    if code == "0":
        return
    if code is None:
        raise Broken("the answer ended without a status")
    said = " ".join(unquote(trailers.get("grpc-message", ""), errors="replace").split())[:_SAID_LIMIT]
    name, meaning = _STATUS.get(code, (f"status {code[:20]}", "it failed"))
    what = method.rsplit("/", 1)[-1]
    sentence = f"etcd at {url} refused {what}: {meaning} ({name}{': ' if said else ''}{said})."
    if code == _UNIMPLEMENTED:
        raise RouteMissing(sentence)
    if code == _DEADLINE_EXCEEDED:
        raise EtcdUnreachable(sentence)
    raise EtcdRefused(sentence, reason=said or name, hint=_HINTS.get(code, ""))
