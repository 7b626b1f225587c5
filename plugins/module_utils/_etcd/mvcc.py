# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What etcd keeps in its database: the records of the bucket ``key``, and its versions.

A record's key is its revision (main, ``_``, sub, and ``t`` for a deletion), its
value a mvccpb.KeyValue.
"""

from __future__ import annotations

import typing as t
from array import array
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.boltdb import DatabaseBroken, Entry, Meta, Walk

SHARES = 256
HELD_LIMIT = 4 << 20
"""Most records that LiveKeys holds at a time, at 8 bytes each."""
_VALUE_CUT = "A record's value is cut off."


@dataclass(frozen=True)
class Contents:
    """What a database holds."""

    revision: int
    """The store's revision, as an etcd started on this file reports it."""
    record_revision: int
    """The revision of the newest record, as etcdutl reports it: less than `revision` after some compactions."""
    keys: int
    """Live keys, as a member counts them. etcdutl 3.6 counts one more in a restored cluster, see `_Reader`."""
    records: int
    pages: int
    page_size: int
    buckets: tuple[str, ...]
    storage_version: str
    """``3.6.0``; empty before 3.6, which does not write it."""
    cluster_version: str


class LiveKeys:
    """Counts the keys that live at the end of a sequence of puts and deletions, in bounded memory.

    Only 8 bytes a record are kept: 63 bits of the key's hash and one for put
    or deletion, in 256 shares, so that a set of one 256th of the keys is the
    most that is in memory beside them. Two of a million keys share a hash, and
    the count is one less, about once in ten million snapshots.

    Counted are the shares from `first` on and below `stop`. At `limit` records
    the dead ones are dropped. Where that does not help, the upper half of the
    shares is, and `stop` is less; the same sequence has to be counted again for
    those. The sum of the counts is the number of keys.
    """

    def __init__(self, first: int = 0, stop: int = SHARES, limit: int | None = None) -> None:
        self.first = first
        self.stop = stop
        self._limit = limit or HELD_LIMIT
        self._held = 0
        self._shares = [array("Q") for _share in range(SHARES)]

    def add(self, key: bytes, deleted: bool) -> None:
        # The lowest bits choose the share, and stay equal within it.
        value = hash(key) & 0xFFFFFFFFFFFFFFFF
        share = value & 0xFF
        if self.first <= share < self.stop:
            self._shares[share].append(value | 1 if deleted else value & 0xFFFFFFFFFFFFFFFE)
            self._held += 1
            if self._held >= self._limit:
                self._make_room()

    def count(self) -> int:
        """How many there are; they are forgotten on the way."""
        total = 0
        while self._shares:
            total += len(_alive(self._shares.pop()))
        return total

    def _make_room(self) -> None:
        for number in range(self.first, self.stop):
            self._shares[number] = array("Q", _alive(self._shares[number]))
        self._held = sum(map(len, self._shares))
        while self._held > self._limit * 3 // 4 and self.stop - self.first > 1:
            self.stop = (self.first + self.stop + 1) // 2
            self._shares[self.stop :] = [array("Q") for _share in range(self.stop, SHARES)]
            self._held = sum(map(len, self._shares))


def _alive(share: t.Iterable[int]) -> set[int]:
    alive: set[int] = set()
    for value in share:
        if value & 1:
            alive.discard(value & 0xFFFFFFFFFFFFFFFE)
        else:
            alive.add(value)
    return alive


class _Reader:
    """Takes what the buckets of etcd hold, in one walk over the database.

    A restore that raises the revision leaves one record without a value at the
    new revision (etcdutl's v3_snapshot.go, unsafeBumpBucketsRevision). It is the
    record of no key.
    """

    def __init__(self, file: int, meta: Meta, keys: LiveKeys) -> None:
        self.keys = keys
        self.records = 0
        self.last_main = 0
        self.values: dict[str, bytes] = {}
        """Of the buckets ``meta`` and ``cluster``, which hold a few small ones."""
        self._walk = Walk(file, meta, {"key": self._records, "meta": self._values, "cluster": self._values})
        self._walk.run()
        self.buckets = tuple(self._walk.buckets)

    def _values(self, page: bytes, entries: list[Entry]) -> None:
        self.values.update({key.decode("ascii", "replace"): page[start:end] for key, start, end in entries})

    def _records(self, page: bytes, entries: list[Entry]) -> None:
        for key, start, end in entries:
            main = revision_of(key)
            self.last_main = main
            if start == end and len(key) == 17:
                continue
            name, modified = key_value(page, start, end)
            deleted = len(key) == 18
            if not deleted and modified != main:
                raise DatabaseBroken(f"The record of revision {main} says that it is of revision {modified}.")
            self.keys.add(name, deleted)
        self.records += len(entries)


def revision_of(key: bytes) -> int:
    """The main revision of a record's key: 8 bytes, ``_``, 8 bytes, and ``t`` for a deletion; big endian."""
    if len(key) not in (17, 18) or key[8] != 0x5F or (len(key) == 18 and key[17] != 0x74):
        raise DatabaseBroken(f"A record has the key {key[:32].hex()}, which is not a revision.")
    return int.from_bytes(key[:8], "big")


def key_value(data: bytes, at: int, end: int) -> tuple[bytes, int]:
    """(key, mod_revision) of the mvccpb.KeyValue in data[at:end]: fields 1 and 3; the others have to be whole."""
    key = b""
    modified = 0
    while at + 1 < end:
        tag = data[at]
        number = data[at + 1]
        at += 2
        if number > 0x7F:
            number &= 0x7F
            shift = 7
            while True:
                if at >= end or shift > 63:
                    raise DatabaseBroken(_VALUE_CUT)
                byte = data[at]
                at += 1
                number |= (byte & 0x7F) << shift
                if byte < 0x80:
                    break
                shift += 7
        if tag == 0x0A:
            key = data[at : at + number]
            at += number
        elif tag == 0x18:
            modified = number
        elif not 0x08 <= tag < 0x80 or tag & 5:
            # Fields have numbers from 1 on, below 16 here, and are varints (0) or have a length (2).
            raise DatabaseBroken(f"A record's value has a field of the unknown kind {tag:#x}.")
        elif tag & 7 == 2:
            at += number
    if at != end or not key:
        raise DatabaseBroken(f"{_VALUE_CUT[:-1]} or has no key.")
    return key, modified


def read_contents(file: int, meta: Meta) -> Contents:
    """Walk every page of the open `file`; raise DatabaseBroken at the first thing that is wrong."""
    reader = _Reader(file, meta, LiveKeys())
    if "key" not in reader.buckets or "meta" not in reader.buckets:
        raise DatabaseBroken(f"The database has the buckets {', '.join(reader.buckets) or 'none'}, not those of etcd.")
    # etcd starts at revision 1, and never below a compaction (mvcc/kvstore.go, restore).
    compacted = [
        revision_of(reader.values[name])
        for name in ("scheduledCompactRev", "finishedCompactRev")
        if reader.values.get(name)
    ]
    return Contents(
        revision=max([1, reader.last_main, *compacted]),
        record_revision=reader.last_main,
        keys=_live_keys(file, meta, reader.keys),
        records=reader.records,
        pages=meta.pages,
        page_size=meta.page_size,
        buckets=reader.buckets,
        storage_version=reader.values.get("storageVersion", b"").decode("ascii", "replace"),
        cluster_version=reader.values.get("clusterVersion", b"").decode("ascii", "replace"),
    )


def each_put(file: int, meta: Meta, take: t.Callable[[bytes], None]) -> None:
    """Give `take` the mvccpb.KeyValue of every record that is no deletion, live or not."""

    def records(page: bytes, entries: list[Entry]) -> None:
        for key, start, end in entries:
            if len(key) != 18 and start < end:
                take(page[start:end])

    Walk(file, meta, {"key": records}).run()


def _live_keys(file: int, meta: Meta, keys: LiveKeys) -> int:
    """The count of `keys`, and of the shares that had no room in it: a walk for each so many of them."""
    total = keys.count()
    while keys.stop < SHARES:
        keys = LiveKeys(keys.stop, min(2 * keys.stop - keys.first, SHARES))
        total += _Reader(file, meta, keys).keys.count()
    return total
