# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A backup as a restore needs to know it, of real snapshots and real archives."""

from __future__ import annotations

import gzip
import hashlib
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import archive, node_files
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import EtcdError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._restore import examining
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.etcd import control_plane_files
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.etcd.snapshots import WHOLE

NAME = "etcd-a-20260131T120000123Z.db"
SHA256 = hashlib.sha256(WHOLE).hexdigest()


def put(place: Path, *, gzipped: bool = False, with_archive: bool = True) -> Path:
    if with_archive:
        root = place / "node"
        control_plane_files.make_node(root)
        facts = {
            "snapshot": {"name": NAME, "sha256": SHA256},
            "members": [{"name": "cp2"}, {"name": "cp1"}],
            "node": "cp2",
            "time": "2026-01-31T12:00:05.000Z",
        }
        content = b"".join(archive.blocks(node_files.collect(str(root)), facts))
        (place / f"{NAME}.node.tar").write_bytes(content)
    path = place / (NAME + (".gz" if gzipped else ""))
    path.write_bytes(gzip.compress(WHOLE) if gzipped else WHOLE)
    return path


@pytest.mark.parametrize("gzipped", [False, True])
def test_examine(tmp_path: Path, gzipped: bool) -> None:
    path = put(tmp_path, gzipped=gzipped)
    found = examining.examine(str(path))
    assert found["plain_sha256"] == SHA256
    assert (found["sha256"] == SHA256) is not gzipped
    assert found["plain_size"] == len(WHOLE)
    assert (found["revision"], found["keys"], found["storage_version"]) == (128, 119, "3.6.0")
    assert (found["has_archive"], found["node"], found["members"]) == (True, "cp2", ["cp2", "cp1"])
    assert found["taken"] == "2026-01-31T12:00:05.000Z"
    assert found["files"] == [str(path), str(tmp_path / f"{NAME}.node.tar")]
    paths = {file["path"] for file in found["shared_files"]}
    assert {"/etc/kubernetes/pki/ca.crt", "/etc/kubernetes/pki/etcd/ca.crt"} <= paths
    # What Secrets are encrypted with, wherever it is.
    assert "/srv/encryption/config.yaml" in paths
    assert not any(path.endswith(".key") for path in paths)


def test_another_folder_of_certificates(tmp_path: Path) -> None:
    root = tmp_path / "node"
    control_plane_files.make_node(root)
    (root / "etc/kubernetes/pki").rename(root / "etc/kubernetes/ssl")
    api_server = root / "etc/kubernetes/manifests/kube-apiserver.yaml"
    api_server.write_text(api_server.read_text().replace("/etc/kubernetes/pki", "/etc/kubernetes/ssl"))
    facts = {"snapshot": {"name": NAME, "sha256": SHA256}, "members": [], "node": "cp1", "time": ""}
    (tmp_path / f"{NAME}.node.tar").write_bytes(b"".join(archive.blocks(node_files.collect(str(root)), facts)))
    paths = {file["path"] for file in examining.examine(str(put(tmp_path, with_archive=False)))["shared_files"]}
    assert {"/etc/kubernetes/ssl/ca.crt", "/etc/kubernetes/ssl/etcd/ca.crt", "/srv/encryption/config.yaml"} == paths


def test_an_archive_of_a_release_that_knew_one_folder() -> None:
    about = {"files": [{"path": "/etc/kubernetes/pki/ca.crt", "sha256": "a"}, {"path": "/etc/other", "sha256": "b"}]}
    assert examining.shared_files(about) == [{"path": "/etc/kubernetes/pki/ca.crt", "sha256": "a"}]


def test_without_an_archive(tmp_path: Path) -> None:
    found = examining.examine(str(put(tmp_path, with_archive=False)))
    assert (found["has_archive"], found["shared_files"], found["members"]) == (False, [], [])
    # The name tells when it was taken.
    assert found["taken"] == "2026-01-31T12:00:00.123000Z"


def test_an_archive_of_another_snapshot(tmp_path: Path) -> None:
    path = put(tmp_path)
    bundle = tmp_path / f"{NAME}.node.tar"
    bundle.write_bytes(bundle.read_bytes().replace(SHA256.encode(), b"0" * 64))
    with pytest.raises(EtcdError, match="archive_snapshot"):
        examining.examine(str(path))


def test_what_is_encrypted_has_to_be_decrypted_first(tmp_path: Path) -> None:
    path = tmp_path / f"{NAME}.gz.age"
    path.write_bytes(b"age-encryption.org/v1")
    with pytest.raises(EtcdError, match="is encrypted") as caught:
        examining.examine(str(path))
    assert "--decrypt" in caught.value.hint


def test_a_damaged_snapshot(tmp_path: Path) -> None:
    path = put(tmp_path)
    content = bytearray(WHOLE)
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(EtcdError, match="must not be relied on"):
        examining.examine(str(path))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("registry.k8s.io/kube-apiserver:v1.34.4", "1.34.4"),
        ("registry.k8s.io/etcd:3.6.5-0", "3.6.5"),
        ("localhost:5000/etcd:3.6.5-0", "3.6.5"),
        ("localhost:5000/etcd@sha256:0123", ""),
        ("etcd", ""),
        ("", ""),
    ],
)
def test_image_version(image: str, expected: str) -> None:
    assert examining.image_version(image) == expected


@pytest.mark.parametrize("text", ["", "a: [", "kind: Pod", "spec:\n  containers: []"])
def test_a_manifest_without_an_image(text: str) -> None:
    assert examining.image_of(text) == ""


def test_the_version_of_the_api_server(tmp_path: Path, monkeypatch: t.Any) -> None:
    with_image = control_plane_files.APISERVER.replace(
        "    name: kube-apiserver\n    volume",
        "    name: kube-apiserver\n    image: r/kube-apiserver:v1.34.4\n    volume",
    )
    monkeypatch.setattr(control_plane_files, "APISERVER", with_image)
    assert examining.examine(str(put(tmp_path)))["kubernetes_version"] == "1.34.4"
    assert os.listdir(tmp_path)
