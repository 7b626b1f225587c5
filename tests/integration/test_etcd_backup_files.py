# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a backup, made by etcd_snapshot from a real etcd."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import typing as t
from pathlib import Path

import pytest
from etcd_node import KEY, make_node

from etcd_cluster import Cluster, etcdutl_status, run_module
from lab import golang


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("backup-files"), ["cp1"]) as made:
        made.start()
        made.put(made.members[0], 0, 300, 1000)
        yield made


@pytest.fixture
def node(etcd: Cluster, tmp_path: Path) -> Path:
    return make_node(tmp_path / "node", etcd.members[0])


def save(etcd: Cluster, place: Path, check_mode: bool = False, **more: t.Any) -> dict[str, t.Any]:
    options = {"manifest": str(etcd.members[0].manifest), "directory": str(place), "min_free_mib": 1, **more}
    return run_module("etcd_snapshot", options, check_mode)


def verify(path: str, **more: t.Any) -> dict[str, t.Any]:
    return run_module("etcd_snapshot", {"state": "verified", "path": path, **more})


def failed(result: dict[str, t.Any]) -> list[str]:
    return [check["name"] for check in result.get("checks", ()) if not check["ok"]]


def names(place: Path) -> list[str]:
    return sorted(entry.name for entry in place.iterdir())


def test_old_snapshots_go_and_the_newest_that_verifies_stays(etcd: Cluster, tmp_path: Path) -> None:
    saved = [save(etcd, tmp_path)["path"] for _time in range(4)]
    (tmp_path / "notes.txt").write_text("mine")
    for path in saved[2:]:
        with Path(path).open("r+b") as file:
            file.truncate(8192)
    options = {"state": "pruned", "directory": str(tmp_path), "keep_last": 1}
    before = names(tmp_path)
    told = run_module("etcd_snapshot", options, True)
    assert names(tmp_path) == before
    result = run_module("etcd_snapshot", options)
    assert "failed" not in result, result
    for key in ("changed", "kept", "pruned", "removed", "freed", "diff"):
        assert result[key] == told[key], key
    assert names(tmp_path) == sorted(["notes.txt", Path(saved[1]).name, Path(saved[3]).name])
    assert etcdutl_status(saved[1])["totalKey"] == 300
    assert not run_module("etcd_snapshot", options)["changed"]
    for wrong in ({}, {"keep_last": 0}):
        refused = run_module("etcd_snapshot", {"state": "pruned", "directory": str(tmp_path), **wrong})
        assert refused["failed"]
        assert "keep_last" in refused["msg"]


def test_the_files_of_the_node_are_saved_beside_the_snapshot(etcd: Cluster, node: Path, tmp_path: Path) -> None:
    place = tmp_path / "backups"
    told = save(etcd, place, True, node_files=True, root=str(node))
    assert not place.exists()
    assert told["files"] == [told["path"], told["path"] + ".node.tar"]
    result = save(etcd, place, node_files=True, root=str(node))
    assert "failed" not in result, result
    assert KEY not in json.dumps(result)
    path, bundle = map(Path, result["files"])
    assert names(place) == sorted([path.name, bundle.name])
    assert bundle.stat().st_mode & 0o777 == 0o600
    assert result["archive"]["sha256"] == hashlib.sha256(bundle.read_bytes()).hexdigest()
    assert "/etc/kubernetes/pki/ca.key" in result["archive"]["files"]
    with tarfile.open(bundle) as tar:
        manifest = json.load(t.cast("t.IO[bytes]", tar.extractfile("manifest.json")))
        assert t.cast("t.IO[bytes]", tar.extractfile("files/etc/kubernetes/enc.yaml")).read().decode() == KEY
    for name in ("sha256", "size", "revision", "keys", "etcd_version", "storage_version"):
        assert manifest["snapshot"][name] == result[name], name
    assert manifest["snapshot"]["name"] == path.name
    assert [(row["name"], row["peer_urls"]) for row in manifest["members"]] == [("cp1", [etcd.members[0].peer_url])]
    assert {"archive", "archive_snapshot", "archive_on_disk"} <= {check["name"] for check in result["checks"]}

    again = verify(str(path))
    assert "failed" not in again, again
    assert again["archive"] == result["archive"]
    content = bytearray(bundle.read_bytes())
    content[content.index(KEY.encode())] ^= 1
    bundle.write_bytes(content)
    broken = verify(str(path))
    assert failed(broken) == ["archive"]
    assert "differs in sha256" in broken["msg"]
    assert KEY[1:] not in json.dumps(broken)


def test_what_cannot_be_saved_is_refused_before_anything_is_written(etcd: Cluster, node: Path, tmp_path: Path) -> None:
    place = tmp_path / "backups"
    (node / "etc/kubernetes/enc.yaml").unlink()
    for check_mode in (True, False):
        result = save(etcd, place, check_mode, node_files=True, root=str(node))
        assert result["failed"]
        assert "--encryption-provider-config" in result["msg"]
        assert not place.exists()


def test_what_killed_saves_left_of_any_kind_goes(etcd: Cluster, node: Path, tmp_path: Path) -> None:
    place = tmp_path / "backups"
    first = save(etcd, place, node_files=True, root=str(node), label="x")
    left = [file + ".part" for file in first["files"]]
    for path in left:
        Path(path).write_text("cut")
    result = save(etcd, place, node_files=True, root=str(node), label="x")
    assert result["removed"] == sorted(left)
    assert names(place) == sorted(Path(path).name for path in [*first["files"], *result["files"]])


def test_a_compressed_backup(etcd: Cluster, node: Path, tmp_path: Path) -> None:
    place = tmp_path / "backups"
    options = {"node_files": True, "root": str(node), "compression": "gzip"}
    told = save(etcd, place, True, **options)
    result = save(etcd, place, **options)
    assert "failed" not in result, result
    assert [Path(path).suffixes[-1:] for path in told["files"]] == [[".gz"], [".gz"]]
    assert names(place) == sorted(Path(path).name for path in result["files"])
    path = Path(result["path"])
    assert result["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    plain = tmp_path / "plain.db"
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    assert result["plain_sha256"] == hashlib.sha256(plain.read_bytes()).hexdigest()
    assert etcdutl_status(str(plain))["totalKey"] == result["keys"] == 300
    again = verify(str(path), sha256=result["sha256"])
    assert "failed" not in again, again
    for key in ("plain_sha256", "revision", "keys", "archive", "files"):
        assert again[key] == result[key], key
    save(etcd, place, **options)
    pruned = run_module("etcd_snapshot", {"state": "pruned", "directory": str(place), "keep_last": 1})
    assert pruned["removed"] == result["files"]


@dataclasses.dataclass
class Keys:
    """A key pair: the option that names the public one, and the command that decrypts with the private one."""

    option: dict[str, list[str]]
    decrypt: list[str]
    suffix: str


@pytest.fixture(scope="module", params=["age", "gpg fingerprint", "gpg file"])
def keys(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Keys]:
    place = tmp_path_factory.mktemp("keys")
    if request.param == "age":
        programs = golang.build(golang.age("1.2.1", "1.24"), golang.cache_directory())
        subprocess.run([programs / "age-keygen", "-o", place / "key"], check=True, capture_output=True)
        public = subprocess.run(
            [programs / "age-keygen", "-y", place / "key"], check=True, capture_output=True, text=True
        ).stdout.strip()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", str(programs), prepend=os.pathsep)
            yield Keys({"age_recipients": [public]}, ["age", "--decrypt", "--identity", str(place / "key")], ".age")
        return
    place.chmod(0o700)
    gpg = ["gpg", "--homedir", str(place), "--batch", "--quiet", "--passphrase", ""]
    subprocess.run(
        [*gpg, "--quick-generate-key", "backup@example.org", "rsa2048", "encrypt", "never"],
        check=True,
        capture_output=True,
    )
    listed = subprocess.run([*gpg, "--list-keys", "--with-colons"], check=True, capture_output=True, text=True).stdout
    fingerprint = next((line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr")), "")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "gpg file":
            subprocess.run([*gpg, "--output", str(place / "key.pub"), "--export", fingerprint], check=True)
            yield Keys({"gpg_recipients": [str(place / "key.pub")]}, [*gpg, "--decrypt"], ".gpg")
        else:
            patch.setenv("GNUPGHOME", str(place))
            yield Keys({"gpg_recipients": [fingerprint]}, [*gpg, "--decrypt"], ".gpg")
    subprocess.run(["gpgconf", "--homedir", str(place), "--kill", "gpg-agent"], check=True)


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_an_encrypted_backup(etcd: Cluster, node: Path, tmp_path: Path, keys: Keys, compression: str) -> None:
    place = tmp_path / "backups"
    options = {"node_files": True, "root": str(node), "compression": compression, **keys.option}
    told = save(etcd, place, True, **options)
    assert not place.exists()
    assert told["path"].endswith(keys.suffix)
    result = save(etcd, place, **options)
    assert "failed" not in result, result
    assert len(result["files"]) == len(told["files"]) == 3
    assert names(place) == sorted(Path(path).name for path in result["files"])
    path, bundle, beside = map(Path, result["files"])
    for each in (path, bundle, beside):
        assert KEY.encode() not in each.read_bytes()
        assert b"/registry/pods" not in each.read_bytes()
        assert each.stat().st_mode & 0o777 == 0o600

    back = tmp_path / "back.db"
    for file in (path, bundle):
        content = subprocess.run([*keys.decrypt, str(file)], check=True, capture_output=True).stdout
        content = gzip.decompress(content) if compression == "gzip" else content
        (back if file is path else tmp_path / "back.tar").write_bytes(content)
    assert hashlib.sha256(back.read_bytes()).hexdigest() == result["plain_sha256"]
    assert etcdutl_status(str(back))["totalKey"] == 300
    with tarfile.open(tmp_path / "back.tar") as tar:
        assert t.cast("t.IO[bytes]", tar.extractfile("files/etc/kubernetes/pki/ca.key")).read().decode() == KEY

    again = verify(str(path), sha256=result["sha256"])
    assert "failed" not in again, again
    for key in ("plain_sha256", "revision", "keys", "archive", "files", "storage_version"):
        assert again[key] == result[key], key
    for file in (path, bundle):
        whole = file.read_bytes()
        file.write_bytes(whole[:-1])
        assert failed(verify(str(path))) == [f"ciphertext {file.name}"]
        file.write_bytes(whole)
    # What prune goes by: the damaged newest one does not count.
    newer = save(etcd, place, **options)
    Path(newer["path"]).write_bytes(b"cut")
    pruned = run_module("etcd_snapshot", {"state": "pruned", "directory": str(place), "keep_last": 1})
    assert (pruned["changed"], [row["verified"] for row in pruned["kept"]]) == (False, [False, True])


def test_a_recipient_that_is_refused_is_so_before_anything_is_written(
    etcd: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "backups"
    (tmp_path / "empty").mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(tmp_path / "empty"))
    for check_mode in (True, False):
        result = save(etcd, place, check_mode, gpg_recipients=["0123456789ABCDEF0123456789ABCDEF01234567"])
        assert result["failed"]
        assert "gpg failed" in result["msg"]
    monkeypatch.setenv("PATH", str(tmp_path))
    result = save(etcd, place, gpg_recipients=["0123456789ABCDEF0123456789ABCDEF01234567"])
    assert "gpg is not on this machine" in result["msg"]
    assert not place.exists()


def copies(place: Path) -> list[str]:
    return [name for name in names(place / "controller") if not name.startswith(".")]


PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  module_defaults:
    evergreen.kubeadm.etcd_member: {manifest: "%(manifest)s", interval_s: 0.1}
    evergreen.kubeadm.etcd_snapshot: {manifest: "%(manifest)s", root: "%(root)s", min_free_mib: 1}
  tasks:
    - ansible.builtin.import_role:
        name: evergreen.kubeadm.etcd_backup
      vars:
        etcd_backup_directory: "%(place)s/backups"
        etcd_backup_fetch_directory: "%(place)s/controller"
    - ansible.builtin.debug:
        msg: The upgrade goes on
"""


def test_the_role_saves_fetches_and_prunes(etcd: Cluster, node: Path, tmp_path: Path) -> None:
    text = PLAY % {"manifest": etcd.members[0].manifest, "root": node, "place": tmp_path}
    (tmp_path / "play.yml").write_text(text)

    def play(*more: str, **variables: t.Any) -> str:
        program = Path(sys.executable).parent / "ansible-playbook"
        values = json.dumps({"ansible_python_interpreter": sys.executable, **variables})
        done = subprocess.run(
            [str(program), "-i", "localhost,", "-e", values, *more, "play.yml"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "The upgrade goes on" in done.stdout
        assert KEY not in done.stdout + done.stderr
        return done.stdout

    play("--check", etcd_backup_keep_last=1)
    assert not (tmp_path / "backups").exists()
    play(etcd_backup_label="a")
    first = copies(tmp_path)
    assert [Path(name).suffix for name in first] == [".db", ".tar"]
    # What Git sees of the folder is nothing.
    assert (tmp_path / "controller/.gitignore").read_text() == "*\n"
    # What prunes may fail; the backup is good and what comes after it must not wait.
    said = play(etcd_backup_label="a", etcd_backup_keep_last=0)
    assert "WARNING: keep_last is 0" in said
    assert len(copies(tmp_path)) == 4
    # Those of another cluster are none of this run's.
    other = tmp_path / "controller" / first[0].replace("etcd-a-", "etcd-b-")
    other.write_bytes(b"of another cluster")
    play("-vvv", etcd_backup_label="a", etcd_backup_keep_last=1, etcd_backup_compression="gzip")
    assert names(tmp_path / "backups") == [name for name in copies(tmp_path) if ".gz" in name]
    assert len(copies(tmp_path)) == 3
    assert other.read_bytes() == b"of another cluster"
