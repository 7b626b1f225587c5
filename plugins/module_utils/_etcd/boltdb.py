# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""etcd's database file, read and checked in pure Python.

The layout is bbolt's (``internal/common``: meta.go, page.go, bucket.go; all
numbers little endian) and, inside of the bucket ``key``, etcd's own: a record's
key is its revision (main, ``_``, sub, and ``t`` for a deletion), its value a
mvccpb.KeyValue. One page is in memory at a time.
"""

from __future__ import annotations

import os
import struct
import typing as t
from array import array
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import EtcdError

_MAGIC = 0xED0CDAED
_VERSION = 2
_NO_FREELIST = 0xFFFFFFFFFFFFFFFF
_PAGE_HEADER = struct.Struct("<QHHI")
_META = struct.Struct("<IIIIQQQQQQ")
_BRANCH_ELEMENT = struct.Struct("<IIQ")
_IN_BUCKET = struct.Struct("<QQ")
_HEADER_SIZE = 16
_ELEMENT_SIZE = 16
_BRANCH, _LEAF, _FREELIST = 0x01, 0x02, 0x10
_BUCKET_ENTRY = 0x01
_DEPTH_LIMIT = 64


class DatabaseBroken(EtcdError):
    """The file is not a whole and consistent etcd database."""


@dataclass(frozen=True)
class Meta:
    page_size: int
    root: int
    freelist: int
    pages: int
    """The high water mark: how many pages the database has."""
    transaction: int


@dataclass(frozen=True)
class Contents:
    """What a database holds."""

    revision: int
    """The store's revision, as an etcd started on this file reports it."""
    record_revision: int
    """The revision of the newest record, as etcdutl reports it: less than `revision` after some compactions."""
    keys: int
    """Live keys, as etcdutl 3.6 counts them."""
    records: int
    pages: int
    page_size: int
    buckets: tuple[str, ...]
    storage_version: str
    """``3.6.0``; empty before 3.6, which does not write it."""
    cluster_version: str


def fnv1a_64(data: bytes) -> int:
    """FNV-1a, 64 bits: the checksum of a meta page."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def read_meta(file: int, at: int) -> Meta:
    """The meta page that begins at byte `at` of the open `file`; raise DatabaseBroken where it is not valid."""
    number = 0 if at == 0 else 1
    data = os.pread(file, _HEADER_SIZE + _META.size, at)
    if len(data) < _HEADER_SIZE + _META.size:
        raise DatabaseBroken(f"The file ends inside of meta page {number}.")
    magic, version, page_size, _flags, root, _sequence, freelist, pages, transaction, checksum = _META.unpack_from(
        data, _HEADER_SIZE
    )
    if magic != _MAGIC:
        raise DatabaseBroken(f"Meta page {number} has the magic {magic:#x}: this is not an etcd database.")
    if version != _VERSION:
        raise DatabaseBroken(f"Meta page {number} has the format version {version}; {_VERSION} is known.")
    if checksum != fnv1a_64(data[_HEADER_SIZE : _HEADER_SIZE + _META.size - 8]):
        raise DatabaseBroken(f"The checksum of meta page {number} is wrong.")
    if page_size < 512 or page_size & (page_size - 1):
        raise DatabaseBroken(f"Meta page {number} gives a page size of {page_size} bytes.")
    return Meta(page_size, root, freelist, pages, transaction)


class LiveKeys:
    """Counts the keys that live at the end of a sequence of puts and deletions.

    Only 8 bytes a record are kept: 63 bits of the key's hash and one for put
    or deletion, in 256 sequences, so that a set of one 256th of the keys is the
    most that is in memory beside them. Two of a million keys share a hash, and
    the count is one less, about once in ten million snapshots.
    """

    def __init__(self) -> None:
        self._shares = [array("Q") for _share in range(256)]

    def add(self, key: bytes, deleted: bool) -> None:
        # The lowest bits choose the share, and stay equal within it.
        value = hash(key) & 0xFFFFFFFFFFFFFFFF
        self._shares[value & 0xFF].append(value | 1 if deleted else value & 0xFFFFFFFFFFFFFFFE)

    def count(self) -> int:
        total = 0
        for share in self._shares:
            alive: set[int] = set()
            for value in share:
                if value & 1:
                    alive.discard(value & 0xFFFFFFFFFFFFFFFE)
                else:
                    alive.add(value)
            total += len(alive)
        return total


class _Walk:
    """One pass over every page and bucket that the root reaches."""

    def __init__(self, file: int, meta: Meta) -> None:
        self._file = file
        self._meta = meta
        self._reached = bytearray(meta.pages)
        self._reached[0:2] = b"\1\1"
        self.keys = LiveKeys()
        self.records = 0
        self.last_main = 0
        self.buckets: list[str] = []
        self.meta_values: dict[str, bytes] = {}

    def run(self) -> None:
        free = self._free_pages()
        self._tree(self._meta.root, b"", None, self._root_entry, 0)
        if free is None:
            # etcd does not write its free list: a page that nothing reaches is a free one.
            return
        for number in free:
            if self._reached[number]:
                raise DatabaseBroken(f"Page {number} is in use and in the list of free pages.")
            self._reached[number] = 1
        lost = self._reached.find(0)
        if lost >= 0:
            raise DatabaseBroken(f"Page {lost} is neither reached nor in the list of free pages.")

    def _free_pages(self) -> list[int] | None:
        if self._meta.freelist == _NO_FREELIST:
            return None
        page, flags, count = self._page(self._meta.freelist)
        if flags != _FREELIST:
            raise DatabaseBroken(f"Page {self._meta.freelist} is not the list of free pages.")
        at = _HEADER_SIZE
        if count == 0xFFFF:
            # More than 16 bits can say: the first entry is the count.
            (count,) = struct.unpack_from("<Q", page, at)
            at += 8
        if at + 8 * count > len(page):
            raise DatabaseBroken("The list of free pages is longer than its page.")
        free = list(struct.unpack_from(f"<{count}Q", page, at))
        if any(not 2 <= number < self._meta.pages for number in free):
            raise DatabaseBroken("The list of free pages names a page that does not exist.")
        return free

    def _page(self, number: int) -> tuple[bytes, int, int]:
        """(bytes with the header and overflow, flags, element count)."""
        size = self._meta.page_size
        if not 2 <= number < self._meta.pages:
            raise DatabaseBroken(f"A reference leads to page {number} of {self._meta.pages}.")
        data = os.pread(self._file, size, number * size)
        if len(data) < size:
            raise DatabaseBroken(f"The file ends inside of page {number}.")
        own, flags, count, overflow = _PAGE_HEADER.unpack_from(data)
        if own != number:
            raise DatabaseBroken(f"Page {number} says that it is page {own}.")
        if number + overflow >= self._meta.pages:
            raise DatabaseBroken(f"Page {number} goes on for {overflow} pages, beyond the end.")
        if any(self._reached[number : number + 1 + overflow]):
            raise DatabaseBroken(f"Page {number} is reached twice.")
        self._reached[number : number + 1 + overflow] = b"\1" * (1 + overflow)
        if overflow:
            data += os.pread(self._file, overflow * size, (number + 1) * size)
            if len(data) < (1 + overflow) * size:
                raise DatabaseBroken(f"The file ends inside of page {number}.")
        return data, flags, count

    def _tree(self, number: int, low: bytes, high: bytes | None, entry: _Entry, depth: int) -> None:
        if depth > _DEPTH_LIMIT:
            raise DatabaseBroken(f"The tree is more than {_DEPTH_LIMIT} pages deep at page {number}.")
        page, flags, count = self._page(number)
        if flags == _LEAF:
            self._leaf(page, count, number, low, high, entry)
            return
        if flags != _BRANCH:
            raise DatabaseBroken(f"Page {number} is neither branch nor leaf (flags {flags:#x}).")
        if not count:
            raise DatabaseBroken(f"Branch page {number} is empty.")
        if _HEADER_SIZE + count * _ELEMENT_SIZE > len(page):
            raise DatabaseBroken(f"Page {number} claims {count} elements, more than fit.")
        children: list[tuple[bytes, int]] = []
        for index in range(count):
            at = _HEADER_SIZE + index * _ELEMENT_SIZE
            offset, key_size, child = _BRANCH_ELEMENT.unpack_from(page, at)
            if at + offset + key_size > len(page):
                raise DatabaseBroken(f"Element {index} of page {number} reaches beyond the page.")
            children.append((page[at + offset : at + offset + key_size], child))
        self._ordered([key for key, _child in children], number, low, high)
        for index, (key, child) in enumerate(children):
            self._tree(child, key, children[index + 1][0] if index + 1 < count else high, entry, depth + 1)

    @staticmethod
    def _ordered(keys: list[bytes], number: int, low: bytes, high: bytes | None) -> None:
        for before, after in zip(keys, keys[1:]):
            if before >= after:
                raise DatabaseBroken(f"The keys of page {number} are not in order.")
        if keys and (keys[0] < low or (high is not None and keys[-1] >= high)):
            raise DatabaseBroken(f"Page {number} has keys outside of the range that its parent gives.")

    def _leaf(self, page: bytes, count: int, number: int, low: bytes, high: bytes | None, entry: _Entry) -> None:
        if _HEADER_SIZE + count * _ELEMENT_SIZE > len(page):
            raise DatabaseBroken(f"Page {number} claims {count} elements, more than fit.")
        limit = len(page)
        elements = struct.unpack_from(f"<{4 * count}I", page, _HEADER_SIZE)
        keys: list[bytes] = []
        at = _HEADER_SIZE
        for index in range(0, 4 * count, 4):
            flags, offset, key_size, value_size = elements[index : index + 4]
            start = at + offset
            middle = start + key_size
            end = middle + value_size
            if end > limit:
                raise DatabaseBroken(f"Element {index // 4} of page {number} reaches beyond the page.")
            key = page[start:middle]
            keys.append(key)
            entry(flags, key, page, middle, end)
            at += _ELEMENT_SIZE
        self._ordered(keys, number, low, high)

    def _root_entry(self, flags: int, key: bytes, page: bytes, start: int, end: int) -> None:
        name = key.decode("ascii", "replace")
        if not flags & _BUCKET_ENTRY:
            raise DatabaseBroken(f"The root holds {name!r}, which is not a bucket.")
        self.buckets.append(name)
        entry = {"key": self._record, "meta": self._meta_entry, "cluster": self._meta_entry}.get(name, self._any_entry)
        self._bucket(name, page, start, end, entry)

    def _bucket(self, name: str, page: bytes, start: int, end: int, entry: _Entry) -> None:
        if end - start < _IN_BUCKET.size:
            raise DatabaseBroken(f"The header of bucket {name!r} is cut off.")
        root, _sequence = _IN_BUCKET.unpack_from(page, start)
        if root:
            self._tree(root, b"", None, entry, 0)
            return
        # A small bucket is stored inline, as a page behind its header.
        inline = page[start + _IN_BUCKET.size : end]
        if len(inline) < _HEADER_SIZE:
            raise DatabaseBroken(f"The inline bucket {name!r} is cut off.")
        _own, flags, count, _overflow = _PAGE_HEADER.unpack_from(inline)
        if flags != _LEAF:
            raise DatabaseBroken(f"The inline bucket {name!r} is not a leaf (flags {flags:#x}).")
        self._leaf(inline, count, 0, b"", None, entry)

    def _any_entry(self, flags: int, key: bytes, page: bytes, start: int, end: int) -> None:
        if flags & _BUCKET_ENTRY:
            self._bucket(key.decode("ascii", "replace"), page, start, end, self._any_entry)

    def _meta_entry(self, flags: int, key: bytes, page: bytes, start: int, end: int) -> None:
        del flags
        self.meta_values[key.decode("ascii", "replace")] = page[start:end]

    def _record(self, flags: int, key: bytes, page: bytes, start: int, end: int) -> None:
        del flags
        main = revision_of(key)
        name, modified = key_value(page, start, end)
        deleted = len(key) == 18
        if not deleted and modified != main:
            raise DatabaseBroken(f"The record of revision {main} says that it is of revision {modified}.")
        self.last_main = main
        self.records += 1
        self.keys.add(name, deleted)


_Entry = t.Callable[[int, bytes, bytes, int, int], None]
"""(element flags, key, page, start and end of the value in the page)."""


def revision_of(key: bytes) -> int:
    """The main revision of a record's key: 8 bytes, ``_``, 8 bytes, and ``t`` for a deletion; big endian."""
    if len(key) not in (17, 18) or key[8] != 0x5F or (len(key) == 18 and key[17] != 0x74):
        raise DatabaseBroken(f"A record has the key {key[:32].hex()}, which is not a revision.")
    return int.from_bytes(key[:8], "big")


def key_value(data: bytes, at: int, end: int) -> tuple[bytes, int]:
    """(key, mod_revision) of the mvccpb.KeyValue in data[at:end]: fields 1 and 3; the others have to be whole."""
    key = b""
    modified = 0
    while at < end:
        tag = data[at]
        at += 1
        number = 0
        shift = 0
        while True:
            if at >= end or shift > 63:
                raise DatabaseBroken("A record's value is cut off.")
            byte = data[at]
            at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        if tag == 0x0A:
            key = data[at : at + number]
        elif tag == 0x18:
            modified = number
        if tag & 7 == 2:
            at += number
        elif tag & 7:
            raise DatabaseBroken(f"A record's value has a field of the unknown kind {tag:#x}.")
    if at != end or not key:
        raise DatabaseBroken("A record's value is cut off or has no key.")
    return key, modified


def read_contents(file: int, meta: Meta) -> Contents:
    """Walk every page of the open `file`; raise DatabaseBroken at the first thing that is wrong."""
    walk = _Walk(file, meta)
    walk.run()
    if "key" not in walk.buckets or "meta" not in walk.buckets:
        raise DatabaseBroken(f"The database has the buckets {', '.join(walk.buckets) or 'none'}, not those of etcd.")
    # etcd starts at revision 1, and never below a compaction (mvcc/kvstore.go, restore).
    compacted = [
        revision_of(walk.meta_values[name])
        for name in ("scheduledCompactRev", "finishedCompactRev")
        if walk.meta_values.get(name)
    ]
    return Contents(
        revision=max([1, walk.last_main, *compacted]),
        record_revision=walk.last_main,
        keys=walk.keys.count(),
        records=walk.records,
        pages=meta.pages,
        page_size=meta.page_size,
        buckets=tuple(walk.buckets),
        storage_version=walk.meta_values.get("storageVersion", b"").decode("ascii", "replace"),
        cluster_version=walk.meta_values.get("clusterVersion", b"").decode("ascii", "replace"),
    )
