# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The archive of a node's files: what is in it, and that every change to it is found."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import archive, node_files
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import EtcdError
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.etcd.control_plane_files import (
    SECRET,
    make_node,
    put,
)

SNAPSHOT = {"name": "etcd-a.db", "sha256": "ab" * 32, "revision": 7}
FACTS = {"snapshot": SNAPSHOT, "node": "cp1", "members": []}


def made(root: Path) -> bytes:
    return b"".join(archive.blocks(node_files.collect(str(root)), FACTS))


def verify(content: bytes, name: str = "etcd-a.db", sha256: str = "ab" * 32) -> archive.VerifiedArchive:
    return archive.verify(io.BytesIO(content), name=name, sha256=sha256)


def bad(found: archive.VerifiedArchive) -> list[str]:
    return [check.name for check in found.checks if not check.ok]


def test_every_file_is_in_it_as_it_was(tmp_path: Path) -> None:
    expected = make_node(tmp_path)
    (tmp_path / "etc/kubernetes/pki/link.crt").symlink_to("ca.crt")
    content = made(tmp_path)
    assert len(content) <= archive.size_of(node_files.collect(str(tmp_path)))
    found = verify(content)
    assert bad(found) == []
    assert found.manifest["snapshot"] == SNAPSHOT
    entries = {entry["path"]: entry for entry in found.manifest["files"]}
    assert sorted(entries) == sorted([*expected, "/etc/kubernetes/pki/link.crt"])
    assert entries["/etc/kubernetes/pki/link.crt"]["link"] == "ca.crt"
    key = entries["/etc/kubernetes/pki/ca.key"]
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    assert (key["mode"], key["uid"], key["sha256"]) == ("0600", os.getuid(), digest)
    assert found.manifest["left_out"] == [{"path": "/etc/oidc/ca.crt", "reason": "No such file or directory"}]
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        assert tar.getnames()[0] == "manifest.json"
    result = archive.as_result("x.tar", len(content), "00", found.manifest)
    assert SECRET not in json.dumps([result, found.manifest, [check.as_dict() for check in found.checks]])


def test_tar_puts_the_files_back(tmp_path: Path) -> None:
    expected = make_node(tmp_path / "node")
    # A path that is too long for the first header of a tar.
    expected.append(f"/etc/kubernetes/pki/{'d' * 90}/{'e' * 120}.crt")
    put(tmp_path / "node", expected[-1], "long")
    (tmp_path / "a.tar").write_bytes(made(tmp_path / "node"))
    assert bad(verify((tmp_path / "a.tar").read_bytes())) == []
    back = tmp_path / "back"
    back.mkdir()
    subprocess.run(
        ["tar", "-x", "--strip-components=1", "-f", str(tmp_path / "a.tar"), "-C", str(back), "files"], check=True
    )
    for path in expected:
        one, other = (place / path.lstrip("/") for place in (tmp_path / "node", back))
        assert one.read_bytes() == other.read_bytes()
        assert one.stat().st_mode == other.stat().st_mode


def test_every_flipped_bit_that_matters_is_found(tmp_path: Path) -> None:
    make_node(tmp_path)
    content = made(tmp_path)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        members = tar.getmembers()
    assert len(members) > 10
    for member in members[1:]:
        # Of a header the name, the mode and the owner; of a content its first and its last byte.
        header = [member.offset, member.offset + 103, member.offset + 110]
        for at in [*header, member.offset_data, member.offset_data + member.size - 1]:
            changed = bytearray(content)
            changed[at] ^= 1
            assert bad(verify(bytes(changed))), (member.name, at)


def test_a_cut_archive_is_found(tmp_path: Path) -> None:
    make_node(tmp_path)
    content = made(tmp_path)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        last = tar.getmembers()[-1]
    end = last.offset_data + last.size
    for length in [0, 1, 511, 512, 513, *range(600, end, 1009), end - 1]:
        assert "archive" in bad(verify(content[:length])), length


def repacked(content: bytes, drop: str = "", add: str = "", first: bool = True) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(content)) as tar, tarfile.open(fileobj=out, mode="w") as new:
        for member in tar.getmembers():
            if member.name != drop and (first or member.name != "manifest.json"):
                new.addfile(member, tar.extractfile(member))
        if add:
            new.addfile(tarfile.TarInfo(add))
    return out.getvalue()


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    make_node(tmp_path)
    content = made(tmp_path)
    assert bad(verify(repacked(content))) == []
    assert bad(verify(repacked(content, drop="files/etc/kubernetes/pki/ca.key"))) == ["archive"]
    assert bad(verify(repacked(content, add="files/etc/shadow"))) == ["archive"]
    assert bad(verify(repacked(content, first=False))) == ["archive"]
    assert bad(verify(b"")) == ["archive"]
    assert bad(verify(content, name="etcd-b.db")) == ["archive_snapshot"]
    assert bad(verify(content, sha256="cd" * 32)) == ["archive_snapshot"]
    assert bad(verify(content, sha256="")) == []


def test_files_of_two_moments_are_not_saved_together(tmp_path: Path) -> None:
    make_node(tmp_path)
    real = node_files.collect(str(tmp_path))

    class Late(tuple):
        """The files; when the last has been read, another one is written anew."""

        def __iter__(self):  # type: ignore[no-untyped-def]
            yield from tuple.__iter__(self)
            put(tmp_path, "/etc/kubernetes/admin.conf", "renewed")

    files = node_files.NodeFiles(Late(real.files), real.left_out)
    with pytest.raises(EtcdError, match=r"admin\.conf changed while"):
        b"".join(archive.blocks(files, FACTS))
    (tmp_path / "etc/kubernetes/admin.conf").unlink()
    with pytest.raises(EtcdError, match=r"admin\.conf could not be read"):
        b"".join(archive.blocks(real, FACTS))
