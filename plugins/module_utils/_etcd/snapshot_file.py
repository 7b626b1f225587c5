# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Snapshot files: written so that a broken one never looks whole, and verified from what is on the disk.

A snapshot is the database followed by the 32 bytes of its SHA-256 (etcd's
maintenance.go). Its name ends in ``.part`` until it has been verified.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import boltdb, mvcc, part_file
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.boltdb import DatabaseBroken
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import Check, EtcdError, Received
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.mvcc import Contents
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.part_file import BLOCK, LOOK_EVERY

DIGEST_SIZE = 32


class SnapshotBroken(EtcdError):
    """A snapshot that must not be relied on."""


@dataclass
class Verified:
    """What the verification of one file found; `contents` is None where the structure could not be read."""

    size: int
    sha256: str
    contents: Contents | None = None
    checks: list[Check] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)


class DirectoryLock:
    """An advisory lock on a directory, so that only one save at a time writes there and its parts are not stale."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._file = -1

    def __enter__(self) -> DirectoryLock:
        try:
            self._file = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise EtcdError(f"The directory {self._directory} could not be opened: {error.strerror}.") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise EtcdError(
                f"Another save is writing to {self._directory}.", hint="Wait for it to end, or use another directory."
            ) from None
        return self

    def __exit__(self, *unused: object) -> None:
        os.close(self._file)


def make_directory(directory: str) -> bool:
    """Make `directory` readable for its owner only, if it is not there; return whether it was made."""
    try:
        os.makedirs(directory, mode=0o700)
    except FileExistsError:
        if not os.path.isdir(directory):
            raise EtcdError(f"{directory} is not a directory.") from None
        return False
    except OSError as error:
        raise EtcdError(f"The directory {directory} could not be made: {error.strerror}.") from None
    return True


def receive(
    stream: t.Iterable[tuple[bytes | memoryview, int]], part: str, *, reserve: int, deadline: Deadline
) -> Received:
    """Write a snapshot stream to the new file `part`, mode 0600, and sync it; remove it again if anything fails.

    `stream` gives (bytes, bytes of the database still to come); its last pair
    is the digest. The bytes of a pair are used up before the next is asked for.
    `reserve` is how many bytes have to stay free on the file system, looked at
    before the first byte and on the way; `deadline` is looked at with each pair.
    """
    directory = os.path.dirname(part)
    started = time.monotonic()
    data_digest = hashlib.sha256()
    size = 0
    total = -1
    trailer = b""
    look_at = 0
    file = part_file.create(part)
    try:
        with os.fdopen(file, "wb", buffering=BLOCK) as out:
            for blob, remaining in stream:
                if total < 0:
                    total = len(blob) + remaining
                if deadline.expired():
                    raise EtcdError(f"The save did not end in time; {size} of {total} bytes had come.")
                if size >= look_at:
                    part_file.require_space(directory, total - size, reserve, size)
                    look_at = size + LOOK_EVERY
                if size < total:
                    data_digest.update(blob)
                    size += len(blob)
                else:
                    trailer += blob
                    if len(trailer) > DIGEST_SIZE:
                        break
                out.write(blob)
            if size != total or len(trailer) != DIGEST_SIZE:
                raise SnapshotBroken(
                    f"The snapshot stream ended early: {size} of {max(total, 0)} bytes of the database and "
                    f"{len(trailer)} of {DIGEST_SIZE} bytes of its digest came."
                )
            if data_digest.digest() != trailer:
                raise SnapshotBroken("The snapshot was damaged on the way: its SHA-256 is not the one that etcd sent.")
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        part_file.remove(part)
        raise part_file.failure(error, part, size) from None
    except BaseException:
        part_file.remove(part)
        raise
    data_digest.update(trailer)
    return Received(size + DIGEST_SIZE, time.monotonic() - started, data_digest.hexdigest())


def take_over(source: str, part: str, *, reserve: int) -> None:
    """Move the file that another program wrote at `source` to the new file `part`, mode 0600, and sync it."""
    directory = os.path.dirname(part)
    try:
        if os.stat(source, follow_symlinks=False).st_dev == os.stat(directory).st_dev:
            if source != part:
                os.rename(source, part)
            os.chmod(part, 0o600)
            part_file.sync(part)
            return
        size = os.stat(source).st_size
        part_file.require_space(directory, size, reserve, 0)
        with open(source, "rb") as read, os.fdopen(part_file.create(part), "wb") as out:
            shutil.copyfileobj(read, out, BLOCK)
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        part_file.remove(part)
        raise part_file.failure(error, part, 0) from None
    except BaseException:
        part_file.remove(part)
        raise
    part_file.remove(source)


def verify(path: str) -> Verified:
    """Read the whole file and check size, digest, meta pages and every page of the tree.

    Raises SnapshotBroken only where the file cannot be read at all; what is
    wrong with its contents is in the checks.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise SnapshotBroken(f"The snapshot {path} could not be opened: {error.strerror}.") from None
    try:
        return verify_open(file, path)
    finally:
        os.close(file)


def verify_open(file: int, path: str) -> Verified:
    """As `verify`, of an open file; `path` is what errors call it."""
    try:
        return _verify(file)
    except OSError as error:
        raise SnapshotBroken(f"The snapshot {path} could not be read: {error.strerror}.") from None


def _verify(file: int) -> Verified:
    size = os.fstat(file).st_size
    sha256, data_digest, trailer = _digests(file, size)
    found = Verified(size, sha256)
    whole = size % 512 == DIGEST_SIZE and size > DIGEST_SIZE
    found.checks.append(
        Check("size", whole, f"{size} bytes" + ("" if whole else ", which is no database with a digest behind it"))
    )
    same = data_digest == trailer
    said = f"SHA-256 {data_digest.hex()}" + ("" if same else f", while the file ends with {trailer.hex() or 'nothing'}")
    found.checks.append(Check("digest", same, said))
    try:
        meta = boltdb.read_meta(file, 0)
        second = boltdb.read_meta(file, meta.page_size)
        if second.content != meta.content:
            raise DatabaseBroken("The two meta pages contradict each other.")
    except DatabaseBroken as error:
        found.checks.append(Check("meta_pages", False, error.message))
        return found
    found.checks.append(Check("meta_pages", True, f"transaction {meta.transaction}, pages of {meta.page_size} bytes"))
    expected = meta.pages * meta.page_size
    fits = size - DIGEST_SIZE == expected
    found.checks.append(Check("length", fits, f"{size - DIGEST_SIZE} bytes, {meta.pages} pages are {expected} bytes"))
    if not fits:
        return found
    try:
        found.contents = mvcc.read_contents(file, meta)
    except DatabaseBroken as error:
        found.checks.append(Check("structure", False, error.message))
        return found
    contents = found.contents
    found.checks.append(
        Check(
            "structure",
            True,
            f"{len(contents.buckets)} buckets, {contents.records} records, {contents.keys} live keys, "
            f"revision {contents.revision}",
        )
    )
    return found


def _digests(file: int, size: int) -> tuple[str, bytes, bytes]:
    """(SHA-256 of the file as hex, SHA-256 of all but the last 32 bytes, those 32 bytes)."""
    digest = hashlib.sha256()
    left = max(size - DIGEST_SIZE, 0)
    at = 0
    while left:
        block = os.pread(file, min(left, BLOCK), at)
        if not block:
            break
        digest.update(block)
        at += len(block)
        left -= len(block)
    trailer = os.pread(file, DIGEST_SIZE, at)
    data_digest = digest.digest()
    digest.update(trailer)
    return digest.hexdigest(), data_digest, trailer
