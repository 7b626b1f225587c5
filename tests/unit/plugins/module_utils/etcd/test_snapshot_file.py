# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots are received, kept and verified as files."""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import subprocess
import tempfile
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import part_file, snapshot_file
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import EtcdError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.snapshot_file import SnapshotBroken
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.etcd.snapshots import (
    BRANCH,
    DATA,
    LEAF,
    PAGE,
    STATUS,
    WHOLE,
    bad,
    flipped,
    load,
    pages,
    places,
    resealed,
    verify,
)


@pytest.mark.parametrize("name", STATUS)
def test_a_whole_snapshot(name: str) -> None:
    whole = load(name)
    found = verify(whole)
    assert found.ok
    assert [check.name for check in found.checks] == ["size", "digest", "meta_pages", "length", "structure"]
    assert found.sha256 == hashlib.sha256(whole).hexdigest()
    contents = found.contents
    assert contents
    said = STATUS[name]["3.6.5"]
    assert contents.record_revision == said["revision"] == STATUS[name]["same_version"]["revision"]
    assert contents.keys == said["totalKey"]
    assert contents.pages * contents.page_size == said["totalSize"]
    assert contents.storage_version == said["version"]
    assert (contents.revision, contents.records) == (128, 121)
    minor = "3.6" if name == "free-list" else name.rpartition(".")[0]
    assert contents.cluster_version == f"{minor}.0"
    assert {"key", "meta", "members", "lease", "auth"} <= set(contents.buckets)


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 79, 80, 4096, 4128, 8192, 50000, len(DATA), len(WHOLE) - 1])
def test_a_cut_file_is_found(length: int) -> None:
    found = verify(WHOLE[:length])
    assert not found.ok
    assert "digest" in bad(found)
    # With a digest that fits, as if etcd itself had cut it, the length still gives it away.
    assert {"size", "meta_pages", "length"} & set(bad(verify(resealed(DATA[: min(length, len(DATA) - PAGE)]))))


def _fields() -> dict[str, int]:
    """A byte of each kind of page and field, those included that only the digest protects."""
    branch, root = pages(BRANCH, "key")[0] * PAGE, pages(LEAF)[0] * PAGE
    leaf = next(each for each in pages(LEAF, "key") if len(places(each)) > 1)
    key, value, end = places(leaf)[0]
    inline = next(start for _key, start, _end in places(pages(LEAF)[0]) if not any(DATA[start : start + 8]))
    unused = next(each for each in range(2, len(DATA) // PAGE) if each not in _used())
    return {
        "meta 0": 30,
        "meta 1": PAGE + 60,
        "meta page's unused end": 2000,
        "branch header": branch + 10,
        "branch element": branch + 18,
        "branch key": branch + 16 + 16 * int.from_bytes(DATA[branch + 10 : branch + 12], "little") + 8,
        "root element": root + 20,
        "inline bucket": inline + 26,
        "leaf header": leaf * PAGE + 14,
        "leaf element": leaf * PAGE + 28,
        "record's revision": key + 7,
        "record's sub-revision": key + 16,
        "record's key": value + 5,
        "record's value": end - 4,
        "page with overflow": _large() * PAGE + PAGE + 77,
        "free page": unused * PAGE + 99,
        "digest's first byte": len(DATA),
        "digest's last byte": len(WHOLE) - 1,
    }


def _used() -> set[int]:
    found = {*pages(LEAF), *pages(BRANCH, "key"), *pages(LEAF, "key")}
    return found | set(range(_large(), _large() + 9))


def _large() -> int:
    return next(each for each in pages(LEAF, "key") if DATA[each * PAGE + 12])


@pytest.mark.parametrize("field", _fields())
def test_every_flipped_bit_is_found(field: str) -> None:
    at = _fields()[field]
    for bit in range(8 * at, 8 * at + 8):
        assert "digest" in bad(verify(flipped(WHOLE, bit)))


def test_more_bytes_than_there_are_pages() -> None:
    assert bad(verify(resealed(DATA + b"\0" * PAGE))) == ["length"]


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


def cut(messages: list, length: int) -> list:
    """As much of a stream as has `length` bytes in all."""
    left = []
    for blob, remaining in messages:
        if length <= 0:
            break
        left.append((blob[:length], remaining))
        length -= len(blob)
    return left


# Of meta pages, pages, messages of 32 KiB, and the digest: before, at and behind each edge.
EDGES = [16, 80, PAGE, 2 * PAGE, 3 * PAGE, 32768, 65536, len(DATA) - PAGE, len(DATA), len(DATA) + 16, len(WHOLE)]


@pytest.mark.parametrize("length", sorted({edge + near for edge in EDGES for near in (-1, 0, 1)} - {len(WHOLE)}))
def test_a_stream_that_is_cut_leaves_nothing(tmp_path: Path, length: int) -> None:
    messages = stream(DATA) if length < len(WHOLE) else [*stream(DATA), (b"x", 0)]
    with pytest.raises(SnapshotBroken, match="ended early"):
        snapshot_file.receive(cut(messages, length), str(tmp_path / "a.db.part"), reserve=0, deadline=Deadline(60))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("at", [0, 16, PAGE + 72, 3 * PAGE, 40_000, len(DATA) - 1])
def test_a_bit_flipped_on_the_way_leaves_nothing(tmp_path: Path, at: int) -> None:
    messages = stream(flipped(DATA, 8 * at + at % 8), digest=hashlib.sha256(DATA).digest())
    with pytest.raises(SnapshotBroken, match="SHA-256"):
        snapshot_file.receive(messages, str(tmp_path / "a.db.part"), reserve=0, deadline=Deadline(60))
    assert list(tmp_path.iterdir()) == []


def test_time_is_looked_at_with_each_message(tmp_path: Path) -> None:
    deadline = Deadline(60)
    come = 0

    def slowly() -> t.Iterator[tuple[bytes, int]]:
        nonlocal come
        for message in stream(DATA, size=1024):
            come += 1
            if come == 5:
                deadline._end = 0.0
            yield message

    with pytest.raises(EtcdError, match="did not end in time; 4096 of"):
        snapshot_file.receive(slowly(), str(tmp_path / "a.db.part"), reserve=0, deadline=deadline)
    assert come == 5


@pytest.fixture
def small_disk(tmp_path: Path) -> t.Iterator[Path]:
    """A file system of 512 KiB: room for the snapshot, until somebody else writes."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(place)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_fills_up_leaves_nothing(small_disk: Path) -> None:
    def beside_another_writer() -> t.Iterator[tuple[bytes, int]]:
        for index, message in enumerate(stream(DATA)):
            yield message
            if index == 0:
                with contextlib.suppress(OSError), (small_disk / "other").open("wb", buffering=0) as other:
                    while True:
                        other.write(b"x" * 4096)

    with pytest.raises(part_file.NoSpace, match="is full"):
        snapshot_file.receive(beside_another_writer(), str(small_disk / "a.db.part"), reserve=0, deadline=Deadline(60))
    whole = small_disk.parent / "whole"
    whole.write_bytes(WHOLE)
    with pytest.raises(part_file.NoSpace):
        snapshot_file.take_over(str(whole), str(small_disk / "a.db.part"), reserve=0)
    assert [entry.name for entry in small_disk.iterdir()] == ["other"]
    assert whole.read_bytes() == WHOLE


@pytest.fixture
def short_files() -> t.Iterator[None]:
    """No file may be longer than 20,000 bytes; Python ignores the signal, and the write fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("short_files")
def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(EtcdError, match="could not be written: File too large"):
        snapshot_file.receive(stream(DATA), str(tmp_path / "a.db.part"), reserve=0, deadline=Deadline(60))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def closed(tmp_path: Path) -> t.Iterator[Path]:
    """A directory with one file, neither of which is this user's to write or read. For root, that is another user."""
    place = tmp_path / "closed"
    place.mkdir()
    (place / "mine.db").write_bytes(WHOLE)
    (place / "mine.db").chmod(0)
    (place / "proven.db.part").write_bytes(WHOLE)
    place.chmod(0o500)
    user = os.geteuid()
    ways: dict[Path, int] = {}
    if user == 0:
        # The way there is open to that other user meanwhile, as far as it is pytest's own.
        temporary = Path(tempfile.gettempdir())
        ways = {
            each: each.stat().st_mode & 0o7777 for each in (tmp_path, *tmp_path.parents) if temporary in each.parents
        }
        for each, mode in ways.items():
            each.chmod(mode | 0o011)
        place.chmod(0o755)
        os.seteuid(65534)
    try:
        yield place
    finally:
        os.seteuid(user)
        place.chmod(0o700)
        for each, mode in ways.items():
            each.chmod(mode)


def test_no_permission_is_said(closed: Path) -> None:
    path = str(closed / "mine.db")
    cases: list[tuple[t.Callable[[], object], str]] = [
        (lambda: snapshot_file.verify(path), "could not be opened: Permission denied"),
        (lambda: snapshot_file.make_directory(str(closed / "new")), "could not be made: Permission denied"),
        (
            lambda: snapshot_file.receive(stream(DATA), f"{path}.part", reserve=0, deadline=Deadline(60)),
            "could not be made: Permission denied",
        ),
        (lambda: part_file.publish([str(closed / "proven.db.part")]), "could not be renamed: Permission denied"),
    ]
    for act, said in cases:
        with pytest.raises(EtcdError, match=said):
            act()
    assert sorted(entry.name for entry in closed.iterdir()) == ["mine.db", "proven.db.part"]


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
