# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""bbolt's database file, read and checked in pure Python.

The layout is that of bbolt (``internal/common``: meta.go, page.go, inode.go,
bucket.go; all numbers little endian), as etcd uses it: buckets in the root and
nothing else, no bucket in another. What a bucket holds is its handler's matter.
One page is in memory at a time, so that the file's size does not matter.
"""

from __future__ import annotations

import os
import struct
import sys
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
_LEAF_ELEMENT = struct.Struct("<IIII")
_IN_BUCKET = struct.Struct("<QQ")
_HEADER_SIZE = 16
_ELEMENT_SIZE = 16
_BRANCH, _LEAF, _META_PAGE, _FREELIST = 0x01, 0x02, 0x04, 0x10
_PLAIN_ENTRY, _BUCKET_ENTRY = 0x00, 0x01
_DEPTH_LIMIT = 64
_BLOCK = 1 << 16

Entry = tuple[bytes, int, int]
"""(key, start and end of the value in the page)."""
Handler = t.Callable[[bytes, list[Entry]], None]
"""Takes a page and the entries of one leaf, in the order of their keys."""


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

    @property
    def content(self) -> tuple[int, ...]:
        """What both meta pages of a snapshot say alike; their transactions differ."""
        return self.page_size, self.root, self.freelist, self.pages


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
    own, kind, _count, _overflow = _PAGE_HEADER.unpack_from(data)
    magic, version, page_size, _flags, root, _sequence, freelist, pages, transaction, checksum = _META.unpack_from(
        data, _HEADER_SIZE
    )
    if magic != _MAGIC:
        raise DatabaseBroken(f"Meta page {number} has the magic {magic:#x}: this is not an etcd database.")
    if own != number or kind != _META_PAGE:
        raise DatabaseBroken(f"Meta page {number} says that it is page {own} with the flags {kind:#x}.")
    if version != _VERSION:
        raise DatabaseBroken(f"Meta page {number} has the format version {version}; {_VERSION} is known.")
    if checksum != fnv1a_64(data[_HEADER_SIZE : _HEADER_SIZE + _META.size - 8]):
        raise DatabaseBroken(f"The checksum of meta page {number} is wrong.")
    if page_size < 512 or page_size & (page_size - 1):
        raise DatabaseBroken(f"Meta page {number} gives a page size of {page_size} bytes.")
    return Meta(page_size, root, freelist, pages, transaction)


class Walk:
    """One pass over every page and bucket that the root reaches, and over the list of free pages.

    `handlers` take the entries of the buckets that they are named after; the
    structure of the other buckets is checked all the same. What is checked is
    what bbolt's own check does (tx_check.go), and that a page's entries fill it
    without gaps, as bbolt writes them: so a wrong offset or size is found even
    where it stays within the page.
    """

    def __init__(self, file: int, meta: Meta, handlers: t.Mapping[str, Handler]) -> None:
        self._file = file
        self._meta = meta
        self._handlers = handlers
        self._reached = bytearray(meta.pages)
        self._reached[0:2] = b"\1\1"
        self.buckets: list[str] = []

    def run(self) -> None:
        """Raise DatabaseBroken at the first thing that is wrong."""
        self._tree(self._meta.root, b"", None, _BUCKET_ENTRY, self._root_entries, 0)
        if self._meta.freelist == _NO_FREELIST:
            # etcd does not write its free list: a page that nothing reaches is a free one.
            return
        self._free_pages(self._meta.freelist)
        lost = self._reached.find(0)
        if lost >= 0:
            raise DatabaseBroken(f"Page {lost} is neither reached nor in the list of free pages.")

    def _free_pages(self, number: int) -> None:
        """Mark the free pages, a block of the list at a time."""
        page, flags, count, overflow = self._first_page(number)
        if flags != _FREELIST:
            raise DatabaseBroken(f"Page {number} is not the list of free pages.")
        self._reach(number, overflow)
        start = _HEADER_SIZE
        if count == 0xFFFF:
            # More than 16 bits can say: the first entry is the count.
            (count,) = struct.unpack_from("<Q", page, start)
            start += 8
        if start + 8 * count > (1 + overflow) * self._meta.page_size:
            raise DatabaseBroken("The list of free pages is longer than its page.")
        for at in range(start, start + 8 * count, _BLOCK):
            block = os.pread(self._file, min(_BLOCK, start + 8 * count - at), number * self._meta.page_size + at)
            free = array("Q", block)
            if sys.byteorder == "big":
                free.byteswap()
            for each in free:
                if not 2 <= each < self._meta.pages:
                    raise DatabaseBroken(f"The list of free pages names page {each}, which does not exist.")
                if self._reached[each]:
                    raise DatabaseBroken(f"Page {each} is in use and in the list of free pages, or in it twice.")
                self._reached[each] = 1

    def _first_page(self, number: int) -> tuple[bytes, int, int, int]:
        """(bytes without overflow, flags, element count, overflow)."""
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
        return data, flags, count, overflow

    def _reach(self, number: int, overflow: int) -> None:
        if any(self._reached[number : number + 1 + overflow]):
            raise DatabaseBroken(f"Page {number} is reached twice.")
        self._reached[number : number + 1 + overflow] = b"\1" * (1 + overflow)

    def _page(self, number: int) -> tuple[bytes, int, int]:
        """(bytes with the header and overflow, flags, element count) of a branch or a leaf."""
        data, flags, count, overflow = self._first_page(number)
        if flags not in (_BRANCH, _LEAF):
            raise DatabaseBroken(f"Page {number} is neither branch nor leaf (flags {flags:#x}).")
        if overflow:
            self._require_full(number, flags, count, overflow)
        self._reach(number, overflow)
        if overflow:
            size = self._meta.page_size
            data += os.pread(self._file, overflow * size, (number + 1) * size)
            if len(data) < (1 + overflow) * size:
                raise DatabaseBroken(f"The file ends inside of page {number}.")
        if _HEADER_SIZE + count * _ELEMENT_SIZE > len(data):
            raise DatabaseBroken(f"Page {number} claims {count} elements, more than fit.")
        return data, flags, count

    def _require_full(self, number: int, flags: int, count: int, overflow: int) -> None:
        """Raise DatabaseBroken where the last element ends before the overflow: before all of it would be read."""
        size = self._meta.page_size
        at = _HEADER_SIZE + (count - 1) * _ELEMENT_SIZE
        data = os.pread(self._file, _ELEMENT_SIZE, number * size + at) if count else b""
        used = 0
        if len(data) == _ELEMENT_SIZE:
            words = _LEAF_ELEMENT.unpack(data)
            used = at + (words[0] + words[1] if flags == _BRANCH else sum(words[1:]))
        # An older bbolt took one page more where the elements filled the last one to its end.
        if used < overflow * size:
            raise DatabaseBroken(f"Page {number} goes on for {overflow} pages, more than its elements fill.")

    def _tree(self, number: int, low: bytes, high: bytes | None, kind: int, handler: Handler, depth: int) -> None:
        """Check the pages from `number` down; their keys are from `low` on, and below `high`."""
        if depth > _DEPTH_LIMIT:
            raise DatabaseBroken(f"The tree is more than {_DEPTH_LIMIT} pages deep at page {number}.")
        page, flags, count = self._page(number)
        if flags == _LEAF:
            handler(page, leaf_entries(page, count, number, low, high, kind))
            return
        if not count:
            raise DatabaseBroken(f"Branch page {number} is empty.")
        children = branch_children(page, count, number, low, high)
        for index, (key, child) in enumerate(children):
            above = children[index + 1][0] if index + 1 < count else high
            self._tree(child, key, above, kind, handler, depth + 1)

    def _root_entries(self, page: bytes, entries: list[Entry]) -> None:
        for key, start, end in entries:
            name = key.decode("ascii", "replace")
            self.buckets.append(name)
            self._bucket(name, page[start:end], self._handlers.get(name, _nothing))

    def _bucket(self, name: str, value: bytes, handler: Handler) -> None:
        if len(value) < _IN_BUCKET.size:
            raise DatabaseBroken(f"The header of bucket {name!r} is cut off.")
        root, _sequence = _IN_BUCKET.unpack_from(value)
        if root:
            if len(value) > _IN_BUCKET.size:
                raise DatabaseBroken(f"Bucket {name!r} has a page of its own and is inline too.")
            self._tree(root, b"", None, _PLAIN_ENTRY, handler, 0)
            return
        # A small bucket is stored inline, as a page behind its header.
        inline = value[_IN_BUCKET.size :]
        if len(inline) < _HEADER_SIZE:
            raise DatabaseBroken(f"The inline bucket {name!r} is cut off.")
        own, flags, count, overflow = _PAGE_HEADER.unpack_from(inline)
        if flags != _LEAF or own or overflow:
            raise DatabaseBroken(f"The inline bucket {name!r} is not a leaf without a number (flags {flags:#x}).")
        if _HEADER_SIZE + count * _ELEMENT_SIZE > len(inline):
            raise DatabaseBroken(f"The inline bucket {name!r} claims {count} elements, more than fit.")
        entries = leaf_entries(inline, count, 0, b"", None, _PLAIN_ENTRY)
        if len(inline) != (entries[-1][2] if entries else _HEADER_SIZE):
            raise DatabaseBroken(f"The inline bucket {name!r} is longer than its entries.")
        handler(inline, entries)


def leaf_entries(page: bytes, count: int, number: int, low: bytes, high: bytes | None, kind: int) -> list[Entry]:
    """The entries of a leaf whose `count` elements fit; raise DatabaseBroken where one is not as bbolt writes it."""
    entries: list[Entry] = []
    at = _HEADER_SIZE
    end = _HEADER_SIZE + count * _ELEMENT_SIZE
    before = b""
    for flags, offset, key_size, value_size in _LEAF_ELEMENT.iter_unpack(page[at:end]):
        start = at + offset
        if start != end:
            raise _misplaced(number, len(entries), start, end)
        middle = start + key_size
        end = middle + value_size
        key = page[start:middle]
        if flags != kind or key <= before:
            raise _misfit(number, len(entries), flags, kind)
        before = key
        entries.append((key, middle, end))
        at += _ELEMENT_SIZE
    if end > len(page):
        raise DatabaseBroken(f"An element of page {number} reaches beyond the page.")
    if entries:
        _require_range(entries[0][0], before, number, low, high)
    return entries


def branch_children(page: bytes, count: int, number: int, low: bytes, high: bytes | None) -> list[tuple[bytes, int]]:
    """(first key, page) of each child, as `leaf_entries`."""
    children: list[tuple[bytes, int]] = []
    at = _HEADER_SIZE
    end = _HEADER_SIZE + count * _ELEMENT_SIZE
    before = b""
    for offset, key_size, child in _BRANCH_ELEMENT.iter_unpack(page[at:end]):
        start = at + offset
        if start != end:
            raise _misplaced(number, len(children), start, end)
        end = start + key_size
        key = page[start:end]
        if key <= before:
            raise _misfit(number, len(children))
        before = key
        children.append((key, child))
        at += _ELEMENT_SIZE
    if end > len(page):
        raise DatabaseBroken(f"An element of page {number} reaches beyond the page.")
    _require_range(children[0][0], before, number, low, high)
    return children


def _require_range(first: bytes, last: bytes, number: int, low: bytes, high: bytes | None) -> None:
    if first < low or (high is not None and last >= high):
        raise DatabaseBroken(f"Page {number} has keys outside of the range that its parent gives.")


def _misplaced(number: int, index: int, start: int, expected: int) -> DatabaseBroken:
    return DatabaseBroken(
        f"Element {index} of page {number} begins at byte {start}, where the one before it ends at {expected}."
    )


def _misfit(number: int, index: int, flags: int = 0, kind: int = 0) -> DatabaseBroken:
    if flags != kind:
        wanted = "a bucket" if kind == _BUCKET_ENTRY else "a plain entry"
        return DatabaseBroken(f"Element {index} of page {number} is not {wanted} (flags {flags:#x}).")
    return DatabaseBroken(f"The keys of page {number} are not in order at element {index}.")


def _nothing(page: bytes, entries: list[Entry]) -> None:
    """The handler of a bucket whose contents are not looked at."""
