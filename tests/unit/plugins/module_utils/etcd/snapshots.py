# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The snapshots in fixtures, and what can be done to them. See fixtures/README.md."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import struct
import typing as t
from pathlib import Path

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import snapshot_file

FIXTURES = Path(__file__).parent / "fixtures"
STATUS: dict[str, t.Any] = json.loads((FIXTURES / "snapshots.json").read_text())
PAGE = 4096
BRANCH, LEAF, FREE_LIST = 0x01, 0x02, 0x10


def load(name: str) -> bytes:
    return gzip.decompress((FIXTURES / f"{name}.db.gz").read_bytes())


WHOLE = load("3.6.5")
DATA = WHOLE[:-32]
LISTED = load("free-list")[:-32]


def resealed(data: bytes) -> bytes:
    """`data` with the digest that etcd would send for it: damage that was there before the snapshot."""
    return data + hashlib.sha256(data).digest()


def changed(at: int, *new: int, data: bytes = DATA) -> bytes:
    return data[:at] + bytes(new) + data[at + len(new) :]


def flipped(data: bytes, bit: int) -> bytes:
    return changed(bit // 8, data[bit // 8] ^ 1 << bit % 8, data=data)


def verify(content: bytes) -> snapshot_file.Verified:
    file = os.memfd_create("snapshot")
    try:
        os.write(file, content)
        return snapshot_file.verify(f"/proc/self/fd/{file}")
    finally:
        os.close(file)


def bad(found: snapshot_file.Verified) -> list[str]:
    return [check.name for check in found.checks if not check.ok]


def pages(kind: int, bucket: str | None = None, data: bytes = DATA) -> list[int]:
    """The pages of a kind that are in use, of one bucket or of the root; read by other code than that under test."""
    if kind == FREE_LIST:
        return [struct.unpack_from("<Q", data, 48)[0]]
    roots = {None: struct.unpack_from("<Q", data, 32)[0]}
    for leaf in _below(roots[None], data)[LEAF]:
        for key, value in entries(leaf, data):
            roots[key.decode()] = struct.unpack_from("<Q", value)[0]
    return _below(roots[bucket], data)[kind]


def _below(number: int, data: bytes) -> dict[int, list[int]]:
    _own, kind, count, _overflow = struct.unpack_from("<QHHI", data, number * PAGE)
    found: dict[int, list[int]] = {BRANCH: [], LEAF: []}
    found[kind].append(number)
    for index in range(count if kind == BRANCH else 0):
        (child,) = struct.unpack_from("<Q", data, number * PAGE + 16 + 16 * index + 8)
        for each, numbers in _below(child, data).items():
            found[each] += numbers
    return found


def entries(leaf: int, data: bytes = DATA) -> list[tuple[bytes, bytes]]:
    """(key, value) of each entry."""
    return [(data[key:value], data[value:end]) for key, value, end in places(leaf, data)]


def places(leaf: int, data: bytes = DATA) -> list[tuple[int, int, int]]:
    """Where in the file the key of each entry begins, its value begins, and that ends."""
    found = []
    (count,) = struct.unpack_from("<H", data, leaf * PAGE + 10)
    for index in range(count):
        at = leaf * PAGE + 16 + 16 * index
        _flags, offset, key_size, value_size = struct.unpack_from("<IIII", data, at)
        key = at + offset
        found.append((key, key + key_size, key + key_size + value_size))
    return found
