# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""A restore that harms nobody: the snapshot is restored into a scratch etcd, read back, compared, and thrown away.

The scratch etcd is one member that listens on Unix sockets in a folder of mode
0700: it holds every Secret of the cluster, and no port of the machine leads to
it. It ends when the process that started it does.
"""

from __future__ import annotations

import bisect
import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import typing as t
from array import array
from dataclasses import dataclass, field
from datetime import datetime

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import (
    backup_names,
    boltdb,
    etcdutl,
    mvcc,
    packing,
    part_file,
    programs,
    snapshot_file,
    verifying,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.etcdutl import Membership
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.grpc import Grpc
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import Access, Check, EtcdError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._restore.model import BUMP, JsonDict

PREFIX = "rehearsal-"
_NAME = "rehearsal"
_PEER_URL = "http://localhost:2380"
"""Advertised to nobody: a single member has no peer, but etcd wants one."""
_CLIENT_URL = "http://localhost:2379"
_POLL_S = 0.1
_PAGE_S = 60.0
_GRACE_S = 10.0
_SOCKET_LIMIT = 107
"""Bytes of the path of a Unix socket (unix(7))."""
_PR_SET_PDEATHSIG = 1
_NICE = 10
_SAID_LIMIT = 500


class RehearsalFailed(EtcdError):
    """A backup that could not be restored, or did not come back as it was saved."""


@dataclass(frozen=True)
class Wish:
    path: str
    scratch: str
    """The folder for everything that the rehearsal writes."""
    etcd: str = ""
    etcdutl: str = ""
    """The programs; empty where they are to be looked for."""
    pod: programs.Pod = field(default_factory=programs.Pod)
    reserve: int = 0
    """Bytes that have to stay free."""


def newest(directory: str, label: str) -> str:
    """The newest snapshot of a folder by its name, among those that can be read without a private key.

    Raises EtcdError where there is none, or where the newest one is encrypted:
    an older one that is not would tell nothing of it.
    """
    try:
        names = os.listdir(directory)
    except OSError as error:
        raise EtcdError(f"The directory {directory} could not be read: {error.strerror}.") from None
    own = [found for found in map(backup_names.own_name, names) if found and found.is_snapshot]
    if label:
        own = [found for found in own if found.label == backup_names.clean_label(label)]
    if not own:
        raise EtcdError(
            f"{directory} holds no snapshot{f' with the label {label}' if label else ''}.",
            hint="Save one with evergreen.kubeadm.etcd_snapshot, or name a path.",
        )
    last = max(own, key=lambda found: found.taken)
    path = os.path.join(directory, last.name + last.suffix)
    require_readable(path)
    return path


def require_young(path: str, max_age_hours: float, now: datetime) -> None:
    """Raise RehearsalFailed where the snapshot is older by its name, or has a name that does not tell."""
    own = backup_names.own_name(os.path.basename(path))
    if own is None:
        raise EtcdError(f"The name of {path} does not tell when it was taken, so max_age_hours cannot be judged.")
    hours = (now - own.taken).total_seconds() / 3600
    if hours > max_age_hours:
        raise RehearsalFailed(
            f"The newest backup, {path}, is {hours:.1f} hours old, more than {max_age_hours:g}.",
            hint="See why no backup was saved since: the timer, the schedule, or the playbook's last run.",
        )


def require_readable(path: str) -> None:
    if backup_names.is_encrypted(path):
        raise EtcdError(
            f"{path} is encrypted, and what is in it cannot be rehearsed without the private key.",
            hint="Decrypt it to a file that you name with path, where the key may be, and rehearse that.",
        )


def prove(wish: Wish) -> verifying.Proof:
    """The proof of the snapshot's file. Raises SnapshotBroken where it is none."""
    require_readable(wish.path)
    proof = verifying.prove(wish.path)
    if not proof.ok:
        said = ", ".join(f"{check.name} ({check.seen})" for check in proof.checks if not check.ok)
        raise snapshot_file.SnapshotBroken(
            f"The snapshot {wish.path} must not be relied on: {said}.",
            result={"checks": [check.as_dict() for check in proof.checks]},
        )
    return proof


def rehearse(wish: Wish, deadline: Deadline, *, check_mode: bool) -> JsonDict:
    """Restore, start, read back, compare, throw away. Raises RehearsalFailed with all checks where one fails."""
    proof = prove(wish)
    if check_mode:
        return _result(wish, proof, {}, proof.checks)
    snapshot_file.make_directory(wish.scratch)
    with snapshot_file.DirectoryLock(wish.scratch):
        for name in os.listdir(wish.scratch):
            # What a killed rehearsal has left; none runs now, since this one has the lock.
            if name.startswith(PREFIX):
                shutil.rmtree(os.path.join(wish.scratch, name))
        with tempfile.TemporaryDirectory(prefix=PREFIX, dir=wish.scratch) as folder:
            return _rehearse(wish, proof, folder, deadline)


def _rehearse(wish: Wish, proof: verifying.Proof, folder: str, deadline: Deadline) -> JsonDict:
    utility = programs.find("etcdutl", wish.etcdutl, wish.pod, folder)
    server = programs.find("etcd", wish.etcd, wish.pod, folder)
    bump = BUMP if etcdutl.can_bump(utility.path) else 0
    expected = proof.snapshot
    revision = expected["revision"] + bump
    with packing.plain(wish.path, os.path.join(folder, "snapshot.db"), wish.reserve) as path:
        size = os.path.getsize(path)
        part_file.require_space(folder, 2 * size, wish.reserve, 0)
        told = etcdutl.status(utility.path, path, deadline)
        data_dir = os.path.join(folder, "data")
        membership = Membership(_NAME, (_PEER_URL,), f"{_NAME}={_PEER_URL}", _NAME)
        etcdutl.restore(utility.path, path, data_dir, membership, bump, deadline)
        with _Scratch(server.path, data_dir, folder) as etcd:
            status = etcd.wait(deadline)
            # At this very revision: leases go on expiring, and take their keys with them.
            read, kinds = _read_back(etcd.client, revision)
        found = _recognised(path, read)
    checks = [
        *proof.checks,
        Check("etcdutl", told.size + snapshot_file.DIGEST_SIZE == size, f"etcdutl {utility.version} accepts it"),
        Check("restored_revision", status.revision == revision, f"{status.revision}, expected {revision}"),
        Check("restored_keys", len(read) == expected["keys"], f"{len(read)}, expected {expected['keys']}"),
        Check("restored_values", found == len(read), f"{found} of {len(read)} are records of the snapshot"),
    ]
    known = {
        "kinds": kinds,
        "etcd_version": server.version,
        "etcdutl_version": utility.version,
        "bump_revision": bump,
    }
    result = _result(wish, proof, known, checks)
    bad = [check for check in checks if not check.ok]
    if bad:
        said = ", ".join(f"{check.name} ({check.seen})" for check in bad)
        raise RehearsalFailed(
            f"The restore of {wish.path} did not bring back what was saved: {said}.",
            hint="Do not rely on this backup. Save a new one and rehearse that.",
            result=result,
        )
    return result


def _result(wish: Wish, proof: verifying.Proof, known: JsonDict, checks: t.Iterable[Check]) -> JsonDict:
    """The keys of the module's result; `known` is what only the scratch etcd can tell."""
    return {
        "path": wish.path,
        "sha256": proof.sha256,
        "revision": proof.snapshot["revision"],
        "keys": proof.snapshot["keys"],
        "kinds": {},
        "etcd_version": "",
        "etcdutl_version": "",
        "bump_revision": 0,
        **known,
        "checks": [check.as_dict() for check in checks],
    }


class _Scratch:
    """An etcd of one member on a restored data directory."""

    def __init__(self, program: str, data_dir: str, folder: str) -> None:
        self._folder = folder
        self._socket = os.path.join(folder, "client")
        if len(self._socket.encode()) > _SOCKET_LIMIT:
            raise EtcdError(f"The path {self._socket} is too long for a Unix socket.", hint="Name a shorter scratch.")
        self._log = os.path.join(folder, "log")
        self._argv = [
            program,
            f"--name={_NAME}",
            f"--data-dir={data_dir}",
            # Relative to its own folder.
            "--listen-client-urls=unix://client",
            f"--advertise-client-urls={_CLIENT_URL}",
            "--listen-peer-urls=unix://peer",
            f"--initial-advertise-peer-urls={_PEER_URL}",
            f"--initial-cluster={_NAME}={_PEER_URL}",
            # Nothing of it is kept, and the disk may be the one that the live etcd waits for.
            "--unsafe-no-fsync",
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self.client = Grpc(Access(endpoint=f"unix://{self._socket}"))

    def __enter__(self) -> _Scratch:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ETCD_")}
        try:
            with open(self._log, "wb") as log:
                self._process = subprocess.Popen(
                    self._argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self._folder,
                    env=environment,
                    preexec_fn=_end_with_parent,  # noqa: PLW1509 - this module has no other thread
                )
        except OSError as error:
            raise EtcdError(f"{self._argv[0]} could not be started: {error.strerror}.") from None
        return self

    def __exit__(self, *unused: object) -> None:
        process = self._process
        if process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_S)
                return

    def wait(self, deadline: Deadline) -> t.Any:
        """The member's status, once it answers. Raises EtcdError where it ends, or does not answer in time."""
        while True:
            if self._process and self._process.poll() is not None:
                raise RehearsalFailed(
                    f"The scratch etcd ended with {self._process.returncode} on the restored data: {self._last_word()}",
                    hint="It has to be of the minor of the etcd that the snapshot is of, or of the next.",
                )
            try:
                return self.client.status(f"unix://{self._socket}", 5.0)
            except EtcdError as error:
                if deadline.expired():
                    raise RehearsalFailed(
                        f"The scratch etcd did not answer within {deadline.seconds:g} s: {error.message}"
                    ) from None
            time.sleep(_POLL_S)

    def _last_word(self) -> str:
        with open(self._log, encoding="utf-8", errors="replace") as log:
            lines = [line.strip() for line in log if line.strip()]
        last = (lines or ["it said nothing"])[-1]
        try:
            entry = json.loads(last)
            last = ": ".join(str(entry[key]) for key in ("msg", "error") if entry.get(key))
        except (ValueError, AttributeError):
            pass
        return last[:_SAID_LIMIT]


def _end_with_parent() -> None:
    """In the child, before etcd: end when this module is killed, and let the live etcd go first."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(_NICE)


def _read_back(client: Grpc, revision: int) -> tuple[array[int], dict[str, int]]:
    """(a hash of each live key with all that etcd says of it, in order; how many there are of each kind)."""
    read = array("q")
    kinds: dict[str, int] = {}
    for key, message in client.key_values(revision, _PAGE_S):
        read.append(hash(message))
        kind = kind_of(key)
        kinds[kind] = kinds.get(kind, 0) + 1
    return array("q", sorted(read)), dict(sorted(kinds.items()))


def kind_of(key: bytes) -> str:
    """``/registry/pods`` of ``/registry/pods/default/web``: the first two parts; all of a key that has not so many."""
    return "/".join(key.decode("utf-8", "replace").split("/")[:3])


def _recognised(path: str, read: array[int]) -> int:
    """How many of the hashes in `read` are those of records in the snapshot.

    etcd writes a record and answers with it in the same bytes, so that key,
    value, revisions, version and lease are compared at once.
    """
    found = 0

    def take(record: bytes) -> None:
        nonlocal found
        value = hash(record)
        at = bisect.bisect_left(read, value)
        if at < len(read) and read[at] == value:
            found += 1

    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        mvcc.each_put(descriptor, boltdb.read_meta(descriptor, 0), take)
    finally:
        os.close(descriptor)
    return found


SCRATCH = os.path.join(_node_state.STATE, "rehearsal")
