# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files made from snapshot-3.6.5.db.gz of a real etcd 3.6.5: 120 keys and a large one, 3 deletions, 1 put again."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import threading
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import boltdb, part_file, snapshot_file
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.boltdb import DatabaseBroken, LiveKeys
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import EtcdError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.snapshot_file import SnapshotBroken

WHOLE = gzip.decompress((Path(__file__).parent / "snapshot-3.6.5.db.gz").read_bytes())
DATA = WHOLE[:-32]
PAGE = 4096


def resealed(data: bytes) -> bytes:
    """`data` with the digest that etcd would send for it: damage that was there before the snapshot."""
    return data + hashlib.sha256(data).digest()


def changed(at: int, *new: int) -> bytes:
    return DATA[:at] + bytes(new) + DATA[at + len(new) :]


def verify(tmp_path: Path, content: bytes) -> snapshot_file.Verified:
    path = tmp_path / "s.db"
    path.write_bytes(content)
    return snapshot_file.verify(str(path))


def bad(found: snapshot_file.Verified) -> list[str]:
    return [check.name for check in found.checks if not check.ok]


def test_a_whole_snapshot(tmp_path: Path) -> None:
    found = verify(tmp_path, WHOLE)
    assert found.ok
    assert [check.name for check in found.checks] == ["size", "digest", "meta_pages", "length", "structure"]
    assert found.sha256 == hashlib.sha256(WHOLE).hexdigest()
    contents = found.contents
    assert contents
    # What etcdutl 3.6.5 snapshot status says of it.
    assert (contents.record_revision, contents.keys, contents.pages * contents.page_size) == (126, 119, 110592)
    assert (contents.revision, contents.records, contents.storage_version) == (126, 125, "3.6.0")
    assert {"key", "meta", "members", "lease", "auth"} <= set(contents.buckets)


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 79, 80, 4096, 4128, 8192, 50000, 110560, 110592, 110623])
def test_a_cut_file_is_found(tmp_path: Path, length: int) -> None:
    found = verify(tmp_path, WHOLE[:length])
    assert not found.ok
    assert "digest" in bad(found)
    # With a digest that fits, as if etcd itself had cut it, the length still gives it away.
    assert {"size", "meta_pages", "length"} & set(bad(verify(tmp_path, resealed(DATA[: min(length, 110560)]))))


def test_every_flipped_bit_that_was_tried_is_found(tmp_path: Path) -> None:
    for at in [*range(0, len(WHOLE), 997), *range(len(WHOLE) - 32, len(WHOLE))]:
        content = bytearray(WHOLE)
        content[at] ^= 1 << (at % 8)
        assert "digest" in bad(verify(tmp_path, bytes(content))), at


def test_more_bytes_than_there_are_pages(tmp_path: Path) -> None:
    assert bad(verify(tmp_path, resealed(DATA + b"\0" * PAGE))) == ["length"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(changed(16, 0), id="magic of meta 0"),
        pytest.param(changed(20, 3), id="version of meta 0"),
        pytest.param(changed(25, 0), id="page size of meta 0"),
        pytest.param(changed(64, DATA[64] ^ 1), id="transaction of meta 0"),
        pytest.param(changed(72, DATA[72] ^ 1), id="checksum of meta 0"),
        pytest.param(changed(PAGE + 16, 0), id="magic of meta 1"),
        pytest.param(changed(PAGE + 56, DATA[PAGE + 56] ^ 1), id="high water mark of meta 1"),
    ],
)
def test_meta_pages_are_checked_beyond_the_digest(tmp_path: Path, content: bytes) -> None:
    assert bad(verify(tmp_path, resealed(content))) == ["meta_pages"]


def pages() -> dict[int, tuple[int, int]]:
    """(flags, count) of every page in the file by number, free ones included."""
    found = {}
    for number in range(2, len(DATA) // PAGE):
        own, flags, count, _overflow = struct.unpack_from("<QHHI", DATA, number * PAGE)
        if own == number:
            found[number] = (flags, count)
    return found


def used(tmp_path: Path, flag: int) -> int:
    """A page of the kind `flag` that the tree reaches: one whose wrong number is noticed."""
    for number, (flags, count) in pages().items():
        broken = changed(number * PAGE, number + 1 & 0xFF)
        if flags == flag and count > 1 and bad(verify(tmp_path, resealed(broken))):
            return number
    raise AssertionError(f"no page with the flag {flag}")


def test_the_fixture_has_a_tree(tmp_path: Path) -> None:
    assert used(tmp_path, 0x01)
    assert used(tmp_path, 0x02)


@pytest.mark.parametrize(
    ("flag", "offset", "new", "said"),
    [
        pytest.param(0x02, 8, (0x04,), "neither branch nor leaf", id="kind of a leaf"),
        pytest.param(0x02, 10, (0xFF, 0x7F), "more than fit", id="count of a leaf"),
        pytest.param(0x02, 12, (0xFF, 0xFF), "beyond the end", id="overflow of a leaf"),
        pytest.param(0x02, 20, (0xFF, 0xFF), "beyond the page", id="offset of a leaf's element"),
        pytest.param(0x02, 28, (0xFF, 0xFF), "beyond the page", id="size of a leaf's value"),
        pytest.param(0x01, 10, (0, 0), "is empty", id="count of a branch"),
        pytest.param(0x01, 16, (0xFF, 0xFF), "beyond the page", id="offset of a branch's element"),
        pytest.param(0x01, 24, (0xFF, 0xFF), "leads to page", id="child beyond the end"),
        pytest.param(0x01, 24, (0, 0), "leads to page", id="child that is a meta page"),
    ],
)
def test_the_structure_is_checked_beyond_the_digest(
    tmp_path: Path, flag: int, offset: int, new: tuple[int, ...], said: str
) -> None:
    at = used(tmp_path, flag) * PAGE + offset
    found = verify(tmp_path, resealed(changed(at, *new)))
    assert bad(found) == ["structure"]
    assert said in found.checks[-1].seen
    assert found.contents is None


def test_two_references_to_one_page(tmp_path: Path) -> None:
    at = used(tmp_path, 0x01) * PAGE
    first = DATA[at + 24 : at + 32]
    found = verify(tmp_path, resealed(DATA[: at + 40] + first + DATA[at + 48 :]))
    assert bad(found) == ["structure"]
    assert "twice" in found.checks[-1].seen


def test_a_record_whose_revision_is_not_its_own(tmp_path: Path) -> None:
    number = next(n for n, (flags, count) in pages().items() if flags == 0x02 and count > 1 and _is_record(n))
    at = number * PAGE
    offset, key_size = struct.unpack_from("<II", DATA, at + 20)
    key_at = at + 16 + offset
    value_at = key_at + key_size
    mod_at = value_at + 2 + DATA[value_at + 1] + 2
    assert DATA[mod_at] == 0x18
    found = verify(tmp_path, resealed(changed(mod_at + 1, DATA[mod_at + 1] ^ 1)))
    assert bad(found) == ["structure"]
    assert "says that it is of revision" in found.checks[-1].seen


def _is_record(number: int) -> bool:
    at = number * PAGE
    _flags, offset, key_size, _size = struct.unpack_from("<IIII", DATA, at + 16)
    key = DATA[at + 16 + offset : at + 16 + offset + key_size]
    return key_size == 17 and key[8:9] == b"_" and bool(bad_number(number))


def bad_number(number: int) -> bool:
    """Whether the tree reaches the page: its wrong number is noticed by the walk."""
    broken = changed(number * PAGE, number + 1 & 0xFF)
    file = os.memfd_create("s")
    try:
        os.write(file, broken)
        boltdb.read_contents(file, boltdb.read_meta(file, 0))
    except DatabaseBroken:
        return True
    finally:
        os.close(file)
    return False


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
            boltdb.revision_of(key)
    else:
        assert boltdb.revision_of(key) == expected


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
            boltdb.key_value(data, 6, 6 + len(value))
    else:
        assert boltdb.key_value(data, 6, 6 + len(value)) == expected


def test_fnv1a() -> None:
    # Test vectors of the FNV reference, http://www.isthe.com/chongo/tech/comp/fnv/.
    assert boltdb.fnv1a_64(b"") == 0xCBF29CE484222325
    assert boltdb.fnv1a_64(b"a") == 0xAF63DC4C8601EC8C
    assert boltdb.fnv1a_64(b"foobar") == 0x85944171F73967E8


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


def stream(content: bytes, size: int = 32768, digest: bytes | None = None, total: int | None = None) -> list:
    whole = len(content) if total is None else total
    blobs = [content[at : at + size] for at in range(0, len(content), size)]
    messages = [(blob, whole - min(len(content), (index + 1) * size)) for index, blob in enumerate(blobs)]
    return [*messages, (hashlib.sha256(content).digest() if digest is None else digest, 0)]


def test_receiving(tmp_path: Path) -> None:
    part = tmp_path / "a.db.part"
    got = snapshot_file.receive(stream(DATA), str(part), reserve=0, deadline=Deadline(60))
    assert part.read_bytes() == WHOLE
    assert (got.size, got.sha256) == (len(WHOLE), hashlib.sha256(WHOLE).hexdigest())
    assert part.stat().st_mode & 0o777 == 0o600
    part_file.publish([str(part)])
    assert [path.name for path in tmp_path.iterdir()] == ["a.db"]


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        pytest.param([], "ended early", id="nothing"),
        pytest.param(stream(DATA)[:1], "ended early", id="after the first message"),
        pytest.param(stream(DATA)[:-1], "ended early", id="before the digest"),
        pytest.param([*stream(DATA)[:-1], (b"x" * 31, 0)], "ended early", id="a short digest"),
        pytest.param([*stream(DATA), (b"more", 0)], "ended early", id="more after the digest"),
        pytest.param(stream(DATA)[1:], "SHA-256", id="the first message is missing"),
        pytest.param(stream(DATA, digest=b"x" * 32), "SHA-256", id="another digest"),
    ],
)
def test_a_broken_stream_leaves_nothing(tmp_path: Path, messages: list, said: str) -> None:
    with pytest.raises(SnapshotBroken) as caught:
        snapshot_file.receive(messages, str(tmp_path / "a.db.part"), reserve=0, deadline=Deadline(60))
    assert said in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_stream_that_takes_too_long_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(EtcdError, match="did not end in time"):
        snapshot_file.receive(stream(DATA), str(tmp_path / "a.db.part"), reserve=0, deadline=Deadline(0))
    assert list(tmp_path.iterdir()) == []


def test_no_room_is_seen_before_the_first_byte(tmp_path: Path) -> None:
    with pytest.raises(part_file.NoSpace, match="MiB free"):
        snapshot_file.receive(stream(DATA), str(tmp_path / "a.db.part"), reserve=1 << 60, deadline=Deadline(60))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"older")
    (tmp_path / "a.db.part").write_bytes(b"mine")
    with pytest.raises(EtcdError, match="already exists"):
        part_file.publish([str(tmp_path / "a.db.part")])
    assert (tmp_path / "a.db").read_bytes() == b"older"
    # Nor is a part followed to where a link points.
    (tmp_path / "b.db.part").symlink_to(tmp_path / "target")
    with pytest.raises(EtcdError, match="could not be made"):
        snapshot_file.receive(stream(DATA), str(tmp_path / "b.db.part"), reserve=0, deadline=Deadline(60))
    assert not (tmp_path / "target").exists()


def test_one_save_a_directory(tmp_path: Path) -> None:
    with snapshot_file.DirectoryLock(str(tmp_path)):
        refused: list[Exception] = []

        def second() -> None:
            try:
                with snapshot_file.DirectoryLock(str(tmp_path)):
                    pass
            except EtcdError as error:
                refused.append(error)

        thread = threading.Thread(target=second)
        thread.start()
        thread.join(10)
        assert len(refused) == 1
    with snapshot_file.DirectoryLock(str(tmp_path)):
        pass


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(SnapshotBroken, match=r"/nonexistent/a\.db"):
        snapshot_file.verify("/nonexistent/a.db")
