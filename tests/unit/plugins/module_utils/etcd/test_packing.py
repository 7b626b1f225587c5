# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compression, and what is asked of a program that encrypts. Encryption itself is in the integration tests."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import (
    backup_names,
    encryption,
    packing,
    part_file,
    sidecar,
    verifying,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.encryption import Encryption, EncryptionFailed
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import EtcdError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.packing import Packing
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.part_file import Written
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.snapshot_file import SnapshotBroken
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.etcd.snapshots import STATUS, WHOLE

SHA256 = hashlib.sha256(WHOLE).hexdigest()
FINGERPRINT = "0123456789ABCDEF0123456789abcdef01234567"


def python(code: str) -> Encryption:
    """A program that stands where age or gpg would."""
    return Encryption((sys.executable, "-c", code), ".age")


UPPER = python("import sys; sys.stdout.write(sys.stdin.read().upper())")


def pack(tmp_path: Path, how: Packing, sha256: str = SHA256) -> tuple[Written, list[str]]:
    (tmp_path / "a.db.part").write_bytes(WHOLE)
    plain = Written(str(tmp_path / "a.db"), len(WHOLE), sha256)
    written, checks = packing.pack(plain.path + ".part", plain, how, reserve=0, deadline=Deadline(60))
    return written, [check.name for check in checks if not check.ok]


def test_gzip_reads_what_was_compressed(tmp_path: Path) -> None:
    written, bad = pack(tmp_path, Packing(gzip=True))
    assert bad == []
    assert written.path == str(tmp_path / "a.db.gz")
    part = tmp_path / "a.db.gz.part"
    content = part.read_bytes()
    assert gzip.decompress(content) == WHOLE
    assert (written.sha256, written.size) == (hashlib.sha256(content).hexdigest(), len(content))
    assert len(content) < len(WHOLE)
    assert part.stat().st_mode & 0o777 == 0o600
    # Not even the header says when or as what.
    assert content[3:8] == b"\0" * 5


def test_what_is_not_what_was_proven_is_found(tmp_path: Path) -> None:
    _written, bad = pack(tmp_path, Packing(gzip=True), "00" * 32)
    assert bad == ["packed a.db.gz", "unpacked a.db.gz"]


def test_a_compressed_snapshot_is_proven_by_its_contents(tmp_path: Path) -> None:
    path = tmp_path / "a.db.gz"
    path.write_bytes(gzip.compress(WHOLE))
    proof = verifying.prove(str(path))
    assert proof.ok
    said = STATUS["3.6.5"]["same_version"]
    assert proof.snapshot["sha256"] == SHA256
    assert (proof.snapshot["revision"], proof.snapshot["keys"]) == (said["revision"], said["totalKey"])
    assert proof.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.db.gz"]
    path.write_bytes(gzip.compress(WHOLE[:-1]))
    assert not verifying.prove(str(path)).ok


def test_a_damaged_compressed_snapshot_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.db.gz"
    whole = gzip.compress(WHOLE)
    for length in (0, 1, 10, 100, len(whole) // 2, len(whole) - 8, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(EtcdError, match="could not be unpacked") if length else pytest.raises(AssertionError):
            assert verifying.prove(str(path)).ok
    for at in range(12, len(whole), 499):
        changed = bytearray(whole)
        changed[at] ^= 1
        path.write_bytes(changed)
        with pytest.raises(EtcdError, match="could not be unpacked"):
            verifying.prove(str(path))


def test_the_plain_contents_are_there_while_they_are_needed(tmp_path: Path) -> None:
    path, packed, into = tmp_path / "a.db", tmp_path / "a.db.gz", tmp_path / "plain"
    path.write_bytes(WHOLE)
    packed.write_bytes(gzip.compress(WHOLE))
    into.write_bytes(b"what a killed one left")
    with packing.plain(str(path), str(into), 0) as plain:
        assert plain == str(path)
    assert into.exists()
    with pytest.raises(RuntimeError), packing.plain(str(packed), str(into), 0) as plain:
        assert plain == str(into)
        assert (into.read_bytes(), into.stat().st_mode & 0o777) == (WHOLE, 0o600)
        raise RuntimeError
    assert sorted(os.listdir(tmp_path)) == ["a.db", "a.db.gz"]


def test_damaged_contents_are_never_taken_for_plain_ones(tmp_path: Path) -> None:
    packed, into = tmp_path / "a.db.gz", tmp_path / "plain"
    packed.write_bytes(gzip.compress(WHOLE)[:-9])
    with pytest.raises(EtcdError, match="could not be unpacked"), packing.plain(str(packed), str(into), 0):
        raise AssertionError("it was taken")
    packed.write_bytes(gzip.compress(WHOLE))
    too_much = 2**63
    with pytest.raises(part_file.NoSpace), packing.plain(str(packed), str(into), too_much):
        raise AssertionError("it was taken")
    assert os.listdir(tmp_path) == ["a.db.gz"]


def test_blocks_of_any_size_go_through_a_program() -> None:
    blocks = [b"a", b"", b"b" * 3_000_000, b"c"]
    assert b"".join(encryption.encrypted(UPPER, blocks, Deadline(60))) == b"".join(blocks).upper()


@pytest.mark.parametrize(
    ("program", "said"),
    [
        pytest.param(python("import sys; sys.exit('no such key')"), "no such key", id="fails at once"),
        pytest.param(python("import sys; sys.stdin.read(9); sys.exit(3)"), "exit code 3", id="fails on the way"),
        pytest.param(python("import os; os.kill(os.getpid(), 9)"), "exit code -9", id="killed"),
        pytest.param(python("import os; os.close(0); print('x')"), "did not take all", id="takes no input"),
        pytest.param(Encryption(("/nonexistent/age",), ".age"), "could not be started", id="not there"),
    ],
)
def test_a_program_that_fails_leaves_nothing(tmp_path: Path, program: Encryption, said: str) -> None:
    with pytest.raises(EncryptionFailed, match=said):
        pack(tmp_path, Packing(encryption=program))
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.db.part"]


def test_a_program_that_hangs_is_ended() -> None:
    with pytest.raises(EncryptionFailed, match="in time"):
        list(encryption.encrypted(python("import time; time.sleep(600)"), [b"x" * 1_000_000], Deadline(0.2)))
    silent = python("import os, time; os.close(1); time.sleep(600)")
    with pytest.raises(EncryptionFailed, match="in time"):
        list(encryption.encrypted(silent, [b"x" * 1_000_000], Deadline(1)))


def test_what_cannot_be_read_is_not_half_encrypted(tmp_path: Path) -> None:
    def blocks() -> t.Iterator[bytes]:
        yield b"one"
        raise OSError(5, "Input/output error")

    stream = encryption.encrypted(UPPER, blocks(), Deadline(60))
    with pytest.raises(EtcdError, match="Input/output error"):
        part_file.write(str(tmp_path / "a.part"), stream, reserve=0, deadline=Deadline(60))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("age", "gpg"),
    [
        (["AGE-SECRET-KEY-1QQPQQQQ"], []),
        (["age1abc", "-o/etc/passwd"], []),
        (["--identity"], []),
        ([""], []),
        (["ssh-dss AAAA"], []),
        (["age1abc\n"], []),
        ([], ["admin@example.org"]),
        ([], ["0123456789ABCDEF"]),
        ([], ["--output=/etc/passwd"]),
        ([], ["key.asc"]),
        (["age1abc"], [FINGERPRINT]),
    ],
)
def test_what_is_no_public_key_is_refused_and_not_repeated(age: list[str], gpg: list[str]) -> None:
    with pytest.raises(EncryptionFailed) as caught:
        encryption.find(age, gpg)
    assert not [word for word in [*age, *gpg] if word and word in str(caught.value)]


def test_arguments() -> None:
    assert encryption.age_arguments(["age1abc", "ssh-ed25519 AAAA me@home"])[1:] == [
        *("--recipient", "age1abc"),
        *("--recipient", "ssh-ed25519 AAAA me@home"),
    ]
    spaced = " ".join(FINGERPRINT[at : at + 4] for at in range(0, 40, 4))
    words = encryption.gpg_arguments([spaced, "/root/key.asc"])
    assert words[words.index("--recipient") + 1] == FINGERPRINT
    assert words[words.index("--recipient-file") + 1] == "/root/key.asc"
    assert "--no-keyring" not in words
    assert "--no-keyring" in encryption.gpg_arguments(["/root/key.asc"])
    assert encryption.find([], []) is None


def test_a_program_that_is_not_on_the_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EncryptionFailed, match="age is not on this machine"):
        encryption.find(["age1abc"], [])
    with pytest.raises(EncryptionFailed, match="gpg is not on this machine"):
        encryption.find([], [FINGERPRINT])


KNOWN = {
    "snapshot": {
        "name": "a.db",
        "sha256": SHA256,
        "size": len(WHOLE),
        "revision": 126,
        "keys": 119,
        "etcd_version": "3.6.5",
        "storage_version": "3.6.0",
    }
}


def encrypted_files(tmp_path: Path) -> Path:
    path = tmp_path / "a.db.age"
    path.write_bytes(b"ciphertext")
    row = Written(str(path), 10, hashlib.sha256(b"ciphertext").hexdigest())
    (tmp_path / "a.db.json").write_bytes(sidecar.text(KNOWN, [row]))
    return path


def test_an_encrypted_snapshot_is_proven_by_its_sidecar(tmp_path: Path) -> None:
    path = encrypted_files(tmp_path)
    assert verifying.prove(str(path)).ok
    result = verifying.verify(str(path), "")
    assert (result["plain_sha256"], result["revision"], result["keys"]) == (SHA256, 126, 119)
    path.write_bytes(b"Ciphertext")
    assert not verifying.prove(str(path)).ok
    path.write_bytes(b"ciphertext2")
    assert not verifying.prove(str(path)).ok
    path.rename(tmp_path / "b.db.age")
    with pytest.raises(SnapshotBroken, match="nothing beside it says"):
        verifying.prove(str(tmp_path / "b.db.age"))


def test_what_was_decrypted_is_compared_with_the_sidecar(tmp_path: Path) -> None:
    encrypted_files(tmp_path)
    plain = tmp_path / "a.db"
    plain.write_bytes(WHOLE)
    assert verifying.prove(str(plain)).ok
    other = json.loads((tmp_path / "a.db.json").read_text())
    other["snapshot"]["sha256"] = "00" * 32
    (tmp_path / "a.db.json").write_text(json.dumps(other))
    assert [check.name for check in verifying.prove(str(plain)).checks if not check.ok] == ["sidecar"]


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"snapshot": {}},
        {"files": [{"name": "../a.db.age"}]},
        {"files": [{"name": "/etc/shadow"}]},
        {"files": [{}]},
        {"files": None},
    ],
)
def test_a_sidecar_that_is_none(tmp_path: Path, change: dict[str, t.Any]) -> None:
    path = encrypted_files(tmp_path)
    whole = json.loads((tmp_path / "a.db.json").read_text())
    for text in (json.dumps({**whole, **change}), "[]", "{", ""):
        (tmp_path / "a.db.json").write_text(text)
        with pytest.raises(SnapshotBroken):
            verifying.prove(str(path))


def test_a_file_that_the_sidecar_does_not_list(tmp_path: Path) -> None:
    path = encrypted_files(tmp_path)
    os.rename(path, tmp_path / "a.db.gz.age")
    bad = [check.name for check in verifying.prove(str(tmp_path / "a.db.gz.age")).checks if not check.ok]
    assert bad == ["sidecar", "ciphertext a.db.age"]


@pytest.mark.parametrize("packed", backup_names.PACKED)
def test_names_of_packed_files(packed: str) -> None:
    assert backup_names.split_packed("/x/a.db" + packed) == ("/x/a.db", packed)


def test_room_for_both_forms() -> None:
    assert packing.room(packing.NOTHING, 100) == 100
    assert packing.room(Packing(gzip=True), 1 << 30) > 2 << 30
