# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Which route to etcd is taken, and one look at the whole cluster through it."""

from __future__ import annotations

import dataclasses
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.etcdctl import Etcdctl, find_etcdctl
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.gateway import Gateway
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.grpc import Grpc
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import (
    Access,
    EtcdError,
    EtcdRefused,
    Member,
    RouteMissing,
    Seen,
    View,
)

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "manifest": {"type": "path", "default": "/etc/kubernetes/manifests/etcd.yaml"},
    "endpoint": {"type": "str"},
    "ca_cert": {"type": "path"},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "route": {"type": "str", "choices": ["auto", "grpc", "gateway", "etcdctl"], "default": "auto"},
    "etcdctl": {"type": "path"},
    "runtime_endpoint": {"type": "str"},
}
"""The options of the doc fragment _etcd."""

REQUEST_S = 5.0
"""Seconds for one small request; etcd's own request timeout is 5 s plus two elections."""
HASH_S = 60.0
"""Seconds for one hash: a member reads all of its keys for it."""
_THREADS = 16
Client = t.Union[Grpc, Gateway, Etcdctl]


def choose_server(access: Access, params: t.Mapping[str, t.Any]) -> Access:
    """The access to one of several servers: a follower, as a snapshot costs its member disk and network.

    Of several the one that has applied most, of equals the first; the leader where no follower answers, and `access`
    as it is where nobody does.
    """
    answered: list[tuple[bool, int, Access]] = []
    for url in access.servers if len(access.servers) > 1 else ():
        tried = dataclasses.replace(access, endpoint=url)
        try:
            status = open_client(tried, params)[0].status(url, REQUEST_S)
        except EtcdError:
            continue
        follows = status.leader not in (0, status.member_id) and not status.learner
        answered.append((follows, status.raft_applied_index, tried))
    return max(answered, key=lambda each: each[:2], default=(False, 0, access))[2]


def open_client(access: Access, params: t.Mapping[str, t.Any]) -> tuple[Client, str]:
    """The client of the wanted route, and why it is not gRPC where ``auto`` had to leave that."""
    wanted = params["route"]
    if wanted == "grpc":
        return Grpc(access), ""
    if wanted == "gateway":
        return Gateway(access), ""
    if wanted == "etcdctl":
        return _etcdctl(access, params), ""
    grpc = Grpc(access)
    missing = _missing(grpc, access, RouteMissing)
    if not missing:
        return grpc, ""
    gateway = Gateway(access)
    more = _missing(gateway, access, RouteMissing, EtcdRefused)
    if not more:
        return gateway, missing
    try:
        return _etcdctl(access, params), f"{missing} {more}"
    except RouteMissing as other:
        raise EtcdError(f"{missing} {more} {other.message}", hint=other.hint) from None


def _missing(client: Grpc | Gateway, access: Access, *kinds: type[EtcdError]) -> str:
    """Why another route has to be tried: a first question fails with one of these `kinds`."""
    try:
        client.status(access.endpoint, REQUEST_S)
    except kinds as error:
        return error.message
    except EtcdError:
        # No answer at all: another route would reach nothing either, and the look says what was seen.
        return ""
    return ""


def _etcdctl(access: Access, params: t.Mapping[str, t.Any]) -> Etcdctl:
    return find_etcdctl(
        access, etcdctl=params.get("etcdctl") or "", runtime_endpoint=params.get("runtime_endpoint") or ""
    )


def look(client: Client, access: Access, timeout_s: float = REQUEST_S) -> View:
    """Ask the access endpoint who is in the cluster, then every member at once how it is."""
    timeout_s = max(timeout_s, 0.2)
    try:
        own = client.status(access.endpoint, timeout_s)
        members = client.members(timeout_s)
    except EtcdError as error:
        return View(failure=error.message)

    def one(member: Member) -> Seen:
        urls = (access.endpoint,) if member.id == own.member_id else member.client_urls
        return _see(client, member, urls, timeout_s)

    with ThreadPoolExecutor(max_workers=min(_THREADS, len(members) or 1)) as pool:
        return View(members=tuple(pool.map(one, members)), local_id=own.member_id)


def with_hashes(client: Client, access: Access, view: View, timeout_s: float) -> View:
    """The view with the hash of each member that answered, all at the newest revision that all of these have.

    A member reads its whole key space for it.
    """
    revision = min((seen.status.revision for seen in view.members if seen.status), default=0)
    if not revision:
        return view

    def one(seen: Seen) -> Seen:
        if seen.status is None:
            return seen
        failure = "it advertises no client URL"
        for url in (access.endpoint,) if seen.member.id == view.local_id else seen.member.client_urls:
            try:
                return dataclasses.replace(seen, kv_hash=client.kv_hash(url, revision, timeout_s))
            except EtcdError as error:
                failure = error.message
        return dataclasses.replace(seen, hash_failure=failure)

    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        return dataclasses.replace(view, members=tuple(pool.map(one, view.members)))


def _see(client: Client, member: Member, urls: t.Sequence[str], timeout_s: float) -> Seen:
    failure = "it has never started" if not member.name else "it advertises no client URL"
    for url in urls:
        try:
            status = client.status(url, timeout_s)
        except EtcdError as error:
            failure = error.message
            continue
        if status.member_id != member.id:
            failure = f"at {url} another member answers (id {status.member_id:x})"
            continue
        try:
            client.read(url, timeout_s)
        except EtcdError as error:
            return Seen(member, status, read_failure=error.message)
        return Seen(member, status)
    return Seen(member, failure=failure)
