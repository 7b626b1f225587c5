# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Damage in every kind of page, with a digest that fits it: the structure itself gives it away."""

from __future__ import annotations

import struct

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import boltdb
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.etcd.snapshots import (
    BRANCH,
    DATA,
    FREE_LIST,
    LEAF,
    LISTED,
    PAGE,
    bad,
    changed,
    entries,
    flipped,
    pages,
    places,
    resealed,
    verify,
)

BRANCH_PAGE = pages(BRANCH, "key")[0]
RECORDS = next(each for each in pages(LEAF, "key") if len(entries(each)) > 1)
LARGE = next(each for each in pages(LEAF, "key") if struct.unpack_from("<I", DATA, each * PAGE + 12)[0])
ROOT = pages(LEAF)[0]
LIST = pages(FREE_LIST, data=LISTED)[0]
FREE = [struct.unpack_from("<Q", LISTED, LIST * PAGE + 16 + 8 * index)[0] for index in range(3)]


def test_fnv1a() -> None:
    # Test vectors of the FNV reference, http://www.isthe.com/chongo/tech/comp/fnv/.
    assert boltdb.fnv1a_64(b"") == 0xCBF29CE484222325
    assert boltdb.fnv1a_64(b"a") == 0xAF63DC4C8601EC8C
    assert boltdb.fnv1a_64(b"foobar") == 0x85944171F73967E8


def missed(start: int, size: int, check: str, data: bytes = DATA) -> list[int]:
    """Which bits of data[start:start + size], flipped one at a time, the check does not find."""
    bits = range(8 * start, 8 * (start + size))
    return [bit - 8 * start for bit in bits if bad(verify(resealed(flipped(data, bit)))) != [check]]


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(
    ("offset", "size"),
    [
        pytest.param(0, 8, id="number"),
        pytest.param(8, 2, id="kind"),
        pytest.param(16, 4, id="magic"),
        pytest.param(20, 4, id="version"),
        pytest.param(24, 4, id="page size"),
        pytest.param(28, 4, id="flags"),
        pytest.param(32, 16, id="root bucket"),
        pytest.param(48, 8, id="free list"),
        pytest.param(56, 8, id="high water mark"),
        pytest.param(64, 8, id="transaction"),
        pytest.param(72, 8, id="checksum"),
    ],
)
def test_every_bit_of_a_meta_page(number: int, offset: int, size: int) -> None:
    assert missed(number * PAGE + offset, size, "meta_pages") == []


@pytest.mark.parametrize(
    ("other", "what"),
    [((32, 3), "root"), ((48, 3), "free list"), ((56, 3), "high water mark")],
)
def test_meta_pages_that_contradict_each_other(other: tuple[int, int], what: str) -> None:
    at, value = other
    meta = bytearray(DATA[PAGE + 16 : PAGE + 72])
    meta[at - 16] ^= value
    page = bytes(meta) + boltdb.fnv1a_64(bytes(meta)).to_bytes(8, "little")
    found = verify(resealed(changed(PAGE + 16, *page)))
    assert bad(found) == ["meta_pages"], what
    assert "contradict" in found.checks[-1].seen


HEADER = [("number", 0, 8), ("kind", 8, 2), ("count", 10, 2), ("overflow", 12, 4)]


@pytest.mark.parametrize(
    ("page", "data"),
    [
        pytest.param(BRANCH_PAGE, DATA, id="branch"),
        pytest.param(RECORDS, DATA, id="leaf of records"),
        pytest.param(LARGE, DATA, id="leaf with overflow"),
        pytest.param(ROOT, DATA, id="leaf of buckets"),
        pytest.param(LIST, LISTED, id="free list"),
    ],
)
@pytest.mark.parametrize(("offset", "size"), [pytest.param(*each[1:], id=each[0]) for each in HEADER])
def test_every_bit_of_a_header(page: int, data: bytes, offset: int, size: int) -> None:
    assert missed(page * PAGE + offset, size, "structure", data) == []


@pytest.mark.parametrize("page", [pytest.param(RECORDS, id="records"), pytest.param(ROOT, id="buckets")])
@pytest.mark.parametrize(
    ("offset", "size"),
    [
        pytest.param(0, 4, id="flags"),
        pytest.param(4, 4, id="offset"),
        pytest.param(8, 4, id="size of the key"),
        pytest.param(12, 4, id="size of the value"),
    ],
)
def test_every_bit_of_a_leafs_elements(page: int, offset: int, size: int) -> None:
    for index in (0, 1, len(entries(page)) - 1):
        assert missed(page * PAGE + 16 + 16 * index + offset, size, "structure") == [], index


@pytest.mark.parametrize(("offset", "size"), [pytest.param(0, 4, id="offset"), pytest.param(4, 4, id="size")])
def test_every_bit_of_a_branchs_elements(offset: int, size: int) -> None:
    # A shorter key of the last one would lead to the same page for the same keys.
    (count,) = struct.unpack_from("<H", DATA, BRANCH_PAGE * PAGE + 10)
    for index in (0, 1, count - 2):
        assert missed(BRANCH_PAGE * PAGE + 16 + 16 * index + offset, size, "structure") == [], index


def test_every_bit_of_a_reference_to_a_child() -> None:
    """With a list of free pages, even the old version of a page that is now free is not taken for it."""
    (page,) = pages(BRANCH, "key", LISTED)[:1]
    for index in (0, 1):
        assert missed(page * PAGE + 16 + 16 * index + 8, 8, "structure", LISTED) == [], index


def test_every_bit_of_a_reference_to_a_bucket() -> None:
    _key, value, _end = next(each for each in places(ROOT, LISTED) if LISTED[each[0] : each[1]] == b"key")
    assert missed(value, 8, "structure", LISTED) == []


def test_every_bit_of_an_inline_bucket() -> None:
    """Its page's header, behind the bucket's own of 16 bytes."""
    inline = [value for _key, value, _end in places(ROOT) if not any(DATA[value : value + 8])]
    assert len(inline) > 2
    for value in inline:
        assert missed(value + 16, 16, "structure") == []


def test_every_bit_of_the_list_of_free_pages() -> None:
    assert missed(LIST * PAGE + 16, 8 * len(FREE), "structure", LISTED) == []


def test_every_bit_of_a_first_key() -> None:
    """The key that a record's page is found by: out of order, out of range, or not its record's revision."""
    key, value, _end = places(RECORDS)[0]
    assert missed(key, 9, "structure") == []
    assert value - key == 17


@pytest.mark.parametrize(
    ("at", "new", "said"),
    [
        pytest.param(RECORDS * PAGE + 8, (0x04,), "neither branch nor leaf", id="a meta page in the tree"),
        pytest.param(RECORDS * PAGE + 10, (0xFF, 0x7F), "more than fit", id="too many elements"),
        pytest.param(RECORDS * PAGE + 12, (0xFF, 0xFF), "beyond the end", id="overflow beyond the file"),
        pytest.param(RECORDS * PAGE + 12, (1,), "more than its elements fill", id="overflow into another page"),
        pytest.param(RECORDS * PAGE + 16, (1,), "is not a plain entry", id="a bucket among records"),
        pytest.param(RECORDS * PAGE + 20, (0xFF, 0xFF), "begins at byte", id="a gap"),
        pytest.param(BRANCH_PAGE * PAGE + 10, (0, 0), "is empty", id="an empty branch"),
        pytest.param(BRANCH_PAGE * PAGE + 24, (0xFF, 0xFF), "leads to page", id="a child beyond the end"),
        pytest.param(BRANCH_PAGE * PAGE + 24, (0, 0), "leads to page", id="a child that is a meta page"),
        pytest.param(BRANCH_PAGE * PAGE + 24, (BRANCH_PAGE,), "reached twice", id="a child that is its parent"),
        pytest.param(BRANCH_PAGE * PAGE + 40, (*DATA[BRANCH_PAGE * PAGE + 24 :][:8],), "reached twice", id="twins"),
        pytest.param(ROOT * PAGE + 16, (0,), "is not a bucket", id="an entry among buckets"),
    ],
)
def test_what_is_said_of_it(at: int, new: tuple[int, ...], said: str) -> None:
    found = verify(resealed(changed(at, *new)))
    assert bad(found) == ["structure"]
    assert said in found.checks[-1].seen
    assert found.contents is None


def swapped(page: int, first: int, second: int) -> bytes:
    """A database with two children of a branch in each other's place."""
    one, two = (page * PAGE + 16 + 16 * index + 8 for index in (first, second))
    return changed(two, *DATA[one : one + 8], data=changed(one, *DATA[two : two + 8]))


def test_children_in_each_others_place() -> None:
    found = verify(resealed(swapped(BRANCH_PAGE, 0, 1)))
    assert bad(found) == ["structure"]
    assert "outside of the range" in found.checks[-1].seen


def test_keys_out_of_order() -> None:
    first, second = (place[0] for place in places(RECORDS)[:2])
    found = verify(
        resealed(changed(second, *DATA[first : first + 17], data=changed(first, *DATA[second : second + 17])))
    )
    assert bad(found) == ["structure"]
    assert "not in order" in found.checks[-1].seen


def free_list(*numbers: int) -> bytes:
    return changed(LIST * PAGE + 16, *struct.pack(f"<{len(numbers)}Q", *numbers), data=LISTED)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(LISTED, "", id="whole"),
        pytest.param(free_list(RECORDS), "in use and in the list", id="page in use"),
        pytest.param(free_list(FREE[0], FREE[0]), "or in it twice", id="page twice"),
        pytest.param(free_list(1), "does not exist", id="meta page"),
        pytest.param(free_list(1 << 40), "does not exist", id="page beyond the end"),
        pytest.param(changed(LIST * PAGE + 10, 1, 0, data=LISTED), "neither reached nor", id="pages lost"),
        pytest.param(changed(LIST * PAGE + 10, 0xFF, 0x7F, data=LISTED), "longer than its page", id="too long"),
        pytest.param(
            changed(LIST * PAGE + 10, 0xFF, 0xFF, *bytes(4), *bytes([0xFF] * 7), data=LISTED),
            "longer than its page",
            id="too long, counted in 64 bits",
        ),
    ],
)
def test_free_pages(data: bytes, said: str) -> None:
    found = verify(resealed(data))
    assert bad(found) == (["structure"] if said else [])
    assert said in found.checks[-1].seen


def test_a_count_of_free_pages_in_64_bits() -> None:
    (count,) = struct.unpack_from("<H", LISTED, LIST * PAGE + 10)
    listed = LISTED[LIST * PAGE + 16 :][: 8 * count]
    data = changed(LIST * PAGE + 10, 0xFF, 0xFF, data=LISTED)
    data = changed(LIST * PAGE + 16, *struct.pack("<Q", count), *listed, data=data)
    assert verify(resealed(data)).ok
