# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Files of a backup, compressed and encrypted on their way to the disk, and read back."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import tempfile
import typing as t
import zlib
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import backup_names, encryption, part_file
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.encryption import Encryption
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import Check, EtcdError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.part_file import Written

_LEVEL = 1
"""Higher levels save a few percent of a snapshot and take several times as long."""
_GZIP = 31
"""What zlib calls a window of 32 KiB in the format of gzip."""


@dataclass(frozen=True)
class Packing:
    """What is done with the files of a backup."""

    gzip: bool = False
    encryption: Encryption | None = None

    @property
    def suffix(self) -> str:
        """What stands behind the name of a packed file; empty where nothing is packed."""
        return (backup_names.GZIP if self.gzip else "") + (self.encryption.suffix if self.encryption else "")


NOTHING = Packing()
"""Files as they are."""


def room(packing: Packing, plain: int) -> int:
    """Bytes on the disk while files of `plain` bytes are packed: both forms, and what packing can add at worst."""
    return 2 * plain + plain // 256 + part_file.BLOCK if packing.suffix else plain


def pack(
    path: str, plain: Written, packing: Packing, *, reserve: int, deadline: Deadline
) -> tuple[Written, list[Check]]:
    """Pack the file at `path`, which was proven to be `plain`, to the ``.part`` of its packed name; read it back.

    Returns the packed file by its name without ``.part``. The plain file stays.
    """
    target = plain.path + packing.suffix
    fed = hashlib.sha256()
    blocks = _watched(part_file.read(path), fed)
    if packing.gzip:
        blocks = compressed(blocks)
    if packing.encryption:
        blocks = encryption.encrypted(packing.encryption, blocks, deadline)
    part = target + backup_names.PART
    written = part_file.write(part, blocks, reserve=reserve, deadline=deadline)
    name = os.path.basename(target)
    same = fed.hexdigest() == plain.sha256
    checks = [Check(f"packed {name}", same, f"made from SHA-256 {fed.hexdigest()}")]
    try:
        sha256, size = part_file.sha256_of(part)
        same = (sha256, size) == (written.sha256, written.size)
        checks.append(Check(f"on_disk {name}", same, f"{size} bytes, {'as' if same else 'not as'} written"))
        if not packing.encryption:
            checks.append(_read_back(part, name, plain.sha256))
    except BaseException:
        part_file.remove(part)
        raise
    return Written(target, size, sha256), checks


def compressed(blocks: t.Iterable[bytes]) -> t.Iterator[bytes]:
    """`blocks` in the format of gzip, without a name or a time in its header."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    for block in blocks:
        packed = packer.compress(block)
        if packed:
            yield packed
    yield packer.flush()


def opened(path: str) -> t.IO[bytes]:
    """The plain contents of a file that is not encrypted; whoever asks closes it.

    Raises OSError; reading it raises EOFError where it is cut.
    """
    if path.endswith((backup_names.GZIP, backup_names.GZIP + backup_names.PART)):
        return t.cast("t.IO[bytes]", gzip.open(path, "rb"))
    return open(path, "rb")


def unpacked(path: str, reserve: int = 0) -> t.IO[bytes]:
    """A nameless file in the folder of `path` with its plain contents; whoever asks closes it.

    Raises EtcdError where there is no room, or where the contents are damaged.
    """
    directory = os.path.dirname(os.path.abspath(path))
    with contextlib.ExitStack() as on_failure:
        try:
            out = on_failure.enter_context(tempfile.TemporaryFile(dir=directory))
            _unpack(path, out, directory, reserve)
        except OSError as error:
            raise EtcdError(f"{path} could not be unpacked: {_said(error)}.") from None
        on_failure.pop_all()
        return out


@contextlib.contextmanager
def plain(path: str, into: str, reserve: int) -> t.Iterator[str]:
    """A path of the plain contents of a file that is not encrypted: `path` itself, or `into`, which is gone afterwards.

    What a killed one left at `into` is replaced. Raises EtcdError where there
    is no room, or where the contents are damaged.
    """
    if not backup_names.split_packed(path)[1]:
        yield path
        return
    part_file.remove(into)
    part_file.write(into, _unpacked_blocks(path), reserve=reserve, deadline=Deadline(None))
    try:
        yield into
    finally:
        part_file.remove(into)


def _unpacked_blocks(path: str) -> t.Iterator[bytes]:
    try:
        with opened(path) as source:
            while block := source.read(part_file.BLOCK):
                yield block
    except (OSError, EOFError, zlib.error) as error:
        raise EtcdError(f"{path} could not be unpacked: {_said(error)}.") from None


def _unpack(path: str, out: t.IO[bytes], directory: str, reserve: int) -> None:
    written = look_at = 0
    for block in _unpacked_blocks(path):
        if written >= look_at:
            part_file.require_space(directory, len(block), reserve, written)
            look_at = written + part_file.LOOK_EVERY
        out.write(block)
        written += len(block)
    out.flush()


def _read_back(part: str, name: str, expected: str) -> Check:
    digest = hashlib.sha256()
    try:
        with opened(part) as source:
            while block := source.read(part_file.BLOCK):
                digest.update(block)
    except (OSError, EOFError, zlib.error) as error:
        return Check(f"unpacked {name}", False, _said(error))
    return Check(f"unpacked {name}", digest.hexdigest() == expected, f"SHA-256 {digest.hexdigest()}")


def _watched(blocks: t.Iterable[bytes], digest: t.Any) -> t.Iterator[bytes]:
    for block in blocks:
        digest.update(block)
        yield block


def _said(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
