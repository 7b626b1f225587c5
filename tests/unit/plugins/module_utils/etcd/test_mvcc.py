# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""etcd's records: their revisions, their keys, and how many of these live."""

from __future__ import annotations

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import mvcc
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.boltdb import DatabaseBroken
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.mvcc import LiveKeys
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.etcd.snapshots import (
    DATA,
    LEAF,
    bad,
    changed,
    entries,
    pages,
    places,
    resealed,
    verify,
)

RECORDS = next(each for each in pages(LEAF, "key") if len(entries(each)) > 1)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"\0" * 7 + b"\7_" + b"\0" * 8, 7),
        (b"\0" * 7 + b"\7_" + b"\0" * 8 + b"t", 7),
        (b"\0" * 7 + b"\7_" + b"\0" * 8 + b"x", None),
        (b"\0" * 7 + b"\7-" + b"\0" * 8, None),
        (b"\0" * 16, None),
        (b"", None),
    ],
)
def test_revision_of_a_record(key: bytes, expected: int | None) -> None:
    if expected is None:
        with pytest.raises(DatabaseBroken):
            mvcc.revision_of(key)
    else:
        assert mvcc.revision_of(key) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"\x0a\x01k", (b"k", 0)),
        (b"\x0a\x01k\x10\x05\x18\x96\x01\x20\x01\x2a\x02vv\x30\x09", (b"k", 150)),
        (b"\x0a\xc8\x01" + b"k" * 200 + b"\x18\x03", (b"k" * 200, 3)),
        (b"\x0a\x05k", None),
        (b"\x18\x01", None),
        (b"\x0a\x01k\x18\x80", None),
        (b"\x0a\x01k\x2a\x05v", None),
        (b"\x0a\x01k\x0d\x00", None),
        (b"", None),
    ],
)
def test_key_value(value: bytes, expected: tuple[bytes, int] | None) -> None:
    data = b"before" + value + b"after"
    if expected is None:
        with pytest.raises(DatabaseBroken):
            mvcc.key_value(data, 6, 6 + len(value))
    else:
        assert mvcc.key_value(data, 6, 6 + len(value)) == expected


def test_live_keys() -> None:
    keys = LiveKeys()
    for number in range(5000):
        keys.add(b"k%d" % number, False)
    for number in range(0, 5000, 5):
        keys.add(b"k%d" % number, True)
    keys.add(b"k0", False)
    keys.add(b"never there", True)
    keys.add(b"k1", False)
    assert keys.count() == 4001


@pytest.mark.parametrize(("limit", "parts"), [(10_000, 1), (1600, 2), (200, 15)])
def test_live_keys_that_have_no_room(limit: int, parts: int) -> None:
    """Each part is counted in a pass of its own; keys that were only written again need none."""
    total, first, counted = 0, 0, 0
    stop = mvcc.SHARES
    while first < mvcc.SHARES:
        keys = LiveKeys(first, stop, limit)
        for number in range(6000):
            keys.add(b"k%d" % (number % 3000), False)
        for number in range(0, 3000, 3):
            keys.add(b"k%d" % number, True)
        first, stop = keys.stop, min(2 * keys.stop - first, mvcc.SHARES)
        total, counted = total + keys.count(), counted + 1
    assert total == 2000
    assert counted >= parts


def test_few_keys_that_are_written_often_need_one_pass() -> None:
    keys = LiveKeys(limit=1000)
    for number in range(50_000):
        keys.add(b"k%d" % (number % 300), number % 7 == 0)
    assert keys.stop == mvcc.SHARES
    assert keys.count() == len([n for n in range(49_700, 50_000) if n % 7])


def test_a_record_whose_revision_is_not_its_own() -> None:
    _key, value, _end = places(RECORDS)[0]
    # Behind the key and the create revision, each with a tag and a length or a number.
    at = value + 2 + DATA[value + 1] + 2
    assert DATA[at] == 0x18
    found = verify(resealed(changed(at + 1, DATA[at + 1] ^ 1)))
    assert bad(found) == ["structure"]
    assert "says that it is of revision" in found.checks[-1].seen


@pytest.mark.parametrize(("limit", "more"), [(1000, False), (60, True)])
def test_keys_are_counted_in_as_many_walks_as_memory_asks_for(
    monkeypatch: pytest.MonkeyPatch, limit: int, more: bool
) -> None:
    walks = []
    walk = mvcc.Walk.run
    monkeypatch.setattr(mvcc.Walk, "run", lambda self: walks.append(self) or walk(self))
    monkeypatch.setattr(mvcc, "HELD_LIMIT", limit)
    found = verify(resealed(DATA))
    assert found.contents
    assert found.contents.keys == 119
    assert (len(walks) > 1) is more
