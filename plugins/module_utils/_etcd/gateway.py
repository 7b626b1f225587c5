# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""etcd's JSON gateway over mutual TLS: no binary and no library is needed on the node.

The gateway is part of every etcd server and on by default
(``--enable-grpc-gateway``); paths and field names are those of etcd's
``rpc.proto``.
"""

from __future__ import annotations

import base64
import http.client
import json
import typing as t
from urllib.parse import urlsplit

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import tls
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import (
    Access,
    EtcdError,
    EtcdRefused,
    EtcdUnreachable,
    KvHash,
    Member,
    RouteMissing,
    Status,
    hash_from_json,
    members_from_json,
    status_from_json,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._tls import cause

_ALL_KEYS = base64.b64encode(b"\0").decode("ascii")
_READ_SIZE = 1 << 18
_ANSWER_LIMIT = 64 << 20
STALL_S = 30.0
"""Seconds without one byte after which a snapshot stream counts as dead."""


class Gateway:
    """A client of one member's gateway; other members are asked by passing their URL. Safe to use from threads."""

    route = "gateway"

    def __init__(self, access: Access) -> None:
        self._access = access
        self._tls = tls.client_context(access) if access.endpoint.startswith("https://") or access.ca_cert else None

    def status(self, url: str, timeout_s: float) -> Status:
        return status_from_json(self._call("/v3/maintenance/status", {}, timeout_s, url))

    def members(self, timeout_s: float) -> list[Member]:
        # Not linearizable: the list has to be readable without a quorum, to say what is wrong.
        return members_from_json(self._call("/v3/cluster/member/list", {}, timeout_s))

    def read(self, url: str, timeout_s: float) -> None:
        key = base64.b64encode(b"health").decode("ascii")
        self._call("/v3/kv/range", {"key": key, "count_only": True}, timeout_s, url)

    def count(self, revision: int, timeout_s: float) -> int:
        question = {
            "key": _ALL_KEYS,
            "range_end": _ALL_KEYS,
            "count_only": True,
            "serializable": True,
            "revision": str(revision),
        }
        return int(self._call("/v3/kv/range", question, timeout_s).get("count", 0))

    def kv_hash(self, url: str, revision: int, timeout_s: float) -> KvHash:
        question = {"revision": str(revision)}
        return hash_from_json(self._call("/v3/maintenance/hashkv", question, timeout_s, url), revision)

    def move_leader(self, target: int, timeout_s: float) -> None:
        self._call("/v3/maintenance/transfer-leadership", {"targetID": str(target)}, timeout_s)

    def snapshot(self, stall_s: float = STALL_S) -> t.Iterator[tuple[bytes, int]]:
        """The database, then its SHA-256, as (bytes, bytes of the database still to come).

        The last pair is the 32 bytes of the digest (etcd's maintenance.go). A
        stream that ends early, or carries an error, raises.
        """
        url = self._access.endpoint
        connection = self._connect(url, stall_s)
        try:
            yield from _messages(self._open(connection, url, "/v3/maintenance/snapshot", {}), url)
        except (OSError, http.client.HTTPException) as error:
            raise EtcdUnreachable(f"The snapshot stream from {url} broke: {cause(error)}.") from None
        finally:
            connection.close()

    def _call(
        self, path: str, question: dict[str, t.Any], timeout_s: float, url: str | None = None
    ) -> dict[str, t.Any]:
        url = url or self._access.endpoint
        connection = self._connect(url, timeout_s)
        try:
            text = self._open(connection, url, path, question).read(_ANSWER_LIMIT)
        except (OSError, http.client.HTTPException) as error:
            raise EtcdUnreachable(f"etcd at {url} did not answer: {cause(error)}.", hint=tls.hint(error)) from None
        finally:
            connection.close()
        return _json(text, url)

    def _connect(self, url: str, timeout_s: float) -> http.client.HTTPConnection:
        parts = urlsplit(url)
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.hostname or "", parts.port or 2379, timeout=max(timeout_s, 0.05))
        if self._tls is None:
            self._tls = tls.client_context(self._access)
        return http.client.HTTPSConnection(
            parts.hostname or "", parts.port or 2379, timeout=max(timeout_s, 0.05), context=self._tls
        )

    @staticmethod
    def _open(
        connection: http.client.HTTPConnection, url: str, path: str, question: dict[str, t.Any]
    ) -> http.client.HTTPResponse:
        connection.request("POST", path, json.dumps(question), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.status == 200:
            return answer
        text = answer.read(1 << 16)
        if answer.status == 404:
            raise RouteMissing(f"etcd at {url} has no JSON gateway at {path} (HTTP 404).")
        raise EtcdRefused(
            f"etcd at {url} refused {path}: HTTP {answer.status}, {_reason(text)}.",
            status=answer.status,
            reason=_reason(text),
        )


def _messages(answer: http.client.HTTPResponse, url: str) -> t.Iterator[tuple[bytes, int]]:
    pieces: list[bytes] = []
    while True:
        data = answer.read1(_READ_SIZE)
        if not data:
            break
        while True:
            line, newline, data = data.partition(b"\n")
            pieces.append(line)
            if not newline:
                break
            text = b"".join(pieces)
            pieces = []
            if text:
                yield _message(text, url)
    if any(pieces):
        yield _message(b"".join(pieces), url)


def _message(text: bytes, url: str) -> tuple[bytes, int]:
    answer = _json(text, url)
    if "error" in answer:
        said = answer["error"]
        raise EtcdError(f"etcd at {url} broke the snapshot off: {said.get('message', said)}.")
    result = answer.get("result") or {}
    return base64.b64decode(result.get("blob", "")), int(result.get("remaining_bytes", 0))


def _json(text: bytes, url: str) -> dict[str, t.Any]:
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise EtcdUnreachable(f"What answers at {url} is not etcd's JSON gateway: it said {text[:80]!r}.")
    return answer


def _reason(text: bytes) -> str:
    try:
        answer = json.loads(text)
        return str(answer.get("message") or answer.get("error") or text[:200])
    except (ValueError, AttributeError):
        return repr(text[:200])
