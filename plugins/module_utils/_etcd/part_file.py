# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Files that get their name only when they are whole: the steps on the disk that all of them share."""

from __future__ import annotations

import errno
import hashlib
import os
import typing as t
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.backup_names import PART
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import EtcdError

BLOCK = 1 << 20
LOOK_EVERY = 16 << 20
"""Bytes between two looks at the free space."""
_MIB = 1 << 20


class NoSpace(EtcdError):
    """The file system has not the room."""


@dataclass(frozen=True)
class Written:
    """A file as it was written: `sha256` is that of the bytes that were given, not of those on the disk."""

    path: str
    size: int
    sha256: str


def create(part: str) -> int:
    """The descriptor of the new file `part`, mode 0600. Raises NoSpace or EtcdError."""
    try:
        return os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise failure(error, part, 0, "made") from None


def write(part: str, blocks: t.Iterable[bytes], *, reserve: int, deadline: Deadline) -> Written:
    """Write `blocks` to the new file `part`, mode 0600, and sync it; remove it again if anything fails.

    `reserve` is how many bytes have to stay free on the file system.
    """
    digest = hashlib.sha256()
    size = 0
    look_at = 0
    file = create(part)
    try:
        with os.fdopen(file, "wb", buffering=BLOCK) as out:
            for block in blocks:
                if size >= look_at:
                    require_space(os.path.dirname(part), len(block), reserve, size)
                    look_at = size + LOOK_EVERY
                if deadline.expired():
                    raise EtcdError(f"{part} was not written in time; {size} bytes had been.")
                out.write(block)
                digest.update(block)
                size += len(block)
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        remove(part)
        raise failure(error, part, size) from None
    except BaseException:
        remove(part)
        raise
    return Written(part, size, digest.hexdigest())


def read(path: str) -> t.Iterator[bytes]:
    """The file in blocks. Raises OSError."""
    with open(path, "rb", buffering=0) as file:
        while block := file.read(BLOCK):
            yield block


def sha256_of(path: str) -> tuple[str, int]:
    """(SHA-256 as hex, size in bytes) of the file on the disk. Raises OSError."""
    digest = hashlib.sha256()
    size = 0
    for block in read(path):
        digest.update(block)
        size += len(block)
    return digest.hexdigest(), size


def failure(error: OSError, part: str, written: int, what: str = "written") -> EtcdError:
    """What a failed write to `part` means."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace(
            f"{os.path.dirname(part)} is full: {written} bytes of {os.path.basename(part)} had been written."
        )
    return EtcdError(f"{part} could not be {what}: {error.strerror}.")


def free_bytes(path: str) -> int:
    """Bytes that this process may still write on the file system of `path`, or of its nearest parent that exists."""
    while not os.path.isdir(path):
        parent = os.path.dirname(path)
        if parent == path:
            break
        path = parent
    found = os.statvfs(path or "/")
    return found.f_bavail * found.f_frsize


def require_space(directory: str, needed: int, reserve: int, written: int) -> None:
    free = free_bytes(directory)
    if free < needed + reserve:
        raise NoSpace(
            f"{directory} has {free // _MIB} MiB free; {-(-needed // _MIB)} MiB are needed for the rest of the "
            f"file and {reserve // _MIB} MiB have to stay free ({written} bytes had been written)."
        )


def sync(path: str, flags: int = 0) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def sync_directory(directory: str) -> None:
    """Make the names in `directory` durable."""
    sync(directory, os.O_DIRECTORY)


def publish(parts: t.Sequence[str]) -> None:
    """Give verified ``.part`` files of one directory their names, in this order, and make them durable.

    Where one cannot be given, those before it are taken away.
    """
    made: list[str] = []
    try:
        for part in parts:
            path = part[: -len(PART)]
            if os.path.lexists(path):
                raise EtcdError(f"{path} already exists.", hint="Name another path; a snapshot is never overwritten.")
            os.rename(part, path)
            made.append(path)
        sync_directory(os.path.dirname(parts[0]))
    except BaseException as error:
        for path in made:
            remove(path)
        if isinstance(error, OSError):
            raise EtcdError(f"{part} could not be renamed: {error.strerror}.") from None
        raise


def remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
