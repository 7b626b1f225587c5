# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A backup of an etcd that is no static pod: three members with TLS, and what kubeadm writes for a kube-apiserver."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest

from etcd_cluster import Cluster, etcdutl_status, run_module
from harness.node_folder import VERSION, put
from harness.programs import kubeadm

Json = dict[str, t.Any]
ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = str(Path(sys.executable).parent / "ansible-playbook")
CERTIFICATES = "/etc/kubernetes/ssl"
EXTERNAL = """\
etcd:
  external:
    endpoints: [{endpoints}]
    caFile: {pki}/ca.crt
    certFile: {pki}/healthcheck-client.crt
    keyFile: {pki}/healthcheck-client.key
"""
PLAY = """
- hosts: all
  connection: local
  gather_facts: false
  module_defaults:
    evergreen.kubeadm.etcd_member: {manifest: "{{ manifest }}", interval_s: 0.1}
    evergreen.kubeadm.etcd_snapshot: {manifest: "{{ manifest }}", root: "{{ root }}", min_free_mib: 1}
  tasks:
    - ansible.builtin.import_role:
        name: evergreen.kubeadm.etcd_backup
        tasks_from: choose
    - ansible.builtin.import_role:
        name: evergreen.kubeadm.etcd_backup
      when: etcd_backup_chosen
      vars:
        etcd_backup_directory: "{{ root }}/backups"
        etcd_backup_fetch_directory: "{{ copies }}"
"""


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("external"), ["infra1", "infra2", "infra3"]) as made:
        made.start()
        made.put(made.members[0], 0, 300, 1000)
        yield made


@pytest.fixture
def node(etcd: Cluster, tmp_path: Path) -> Path:
    """A control-plane node with another certificatesDir and without a static pod of etcd."""
    return make(tmp_path / "cp1", tmp_path / "kubeadm", etcd, [member.url for member in etcd.members])


def make(root: Path, place: Path, etcd: Cluster, endpoints: list[str]) -> Path:
    place.mkdir()
    (root / "etc/kubernetes/manifests").mkdir(parents=True)
    external = EXTERNAL.format(endpoints=", ".join(endpoints), pki=etcd.pki)
    certificates = root / CERTIFICATES.lstrip("/")
    kubeadm(VERSION, place, "certs", "all", certificates=certificates, more=external)
    kubeconfigs = ("--kubeconfig-dir", str(root / "etc/kubernetes"))
    kubeadm(VERSION, place, "kubeconfig", "all", *kubeconfigs, certificates=certificates, more=external)
    kubeadm(VERSION, place, "control-plane", "all", "--dry-run", certificates=Path(CERTIFICATES), more=external)
    for component in ("kube-apiserver", "kube-controller-manager", "kube-scheduler"):
        shutil.copy(place / f"{component}.yaml", root / "etc/kubernetes/manifests")
    # The certificate of the API server for etcd is where its flags say; as the node names it, that is below its root.
    shutil.copytree(etcd.pki, root / str(etcd.pki).lstrip("/"))
    put(root, "var/lib/kubelet/config.yaml", "kind: KubeletConfiguration\n")
    return root


def manifest(node: Path) -> str:
    """That of etcd, which is not there."""
    return str(node / "etc/kubernetes/manifests/etcd.yaml")


def test_a_follower_is_saved_by_the_certificate_of_the_api_server(etcd: Cluster, node: Path, tmp_path: Path) -> None:
    seen = run_module("etcd_member", {"state": "observed", "manifest": manifest(node)})
    assert [row["name"] for row in seen["members"]] == ["infra1", "infra2", "infra3"]
    place = tmp_path / "backups"
    options = {"manifest": manifest(node), "root": str(node), "node_files": True, "directory": str(place)}
    told = run_module("etcd_snapshot", {**options, "min_free_mib": 1}, True)
    result = run_module("etcd_snapshot", {**options, "min_free_mib": 1})
    assert "failed" not in result, result
    assert not result["member"]["leader"]
    assert etcdutl_status(result["path"])["totalKey"] == result["keys"] == 300
    for key in ("files", "left_out"):
        assert told["archive"][key] == result["archive"][key], key
    # What a restore on new machines needs, where the flags have it.
    saved = set(result["archive"]["files"])
    assert {f"{CERTIFICATES}/{name}" for name in ("ca.key", "sa.key", "front-proxy-ca.key")} <= saved
    assert {f"{etcd.pki}/{name}" for name in ("ca.crt", "healthcheck-client.key")} <= saved
    assert result["archive"]["left_out"] == []
    with tarfile.open(result["archive"]["path"]) as tar:
        about = json.load(t.cast("t.IO[bytes]", tar.extractfile("manifest.json")))
    assert about["certificates_dir"] == CERTIFICATES


def test_a_backup_without_a_ca_key_says_so(node: Path, tmp_path: Path) -> None:
    (node / f"{CERTIFICATES}/ca.key".lstrip("/")).unlink()
    options = {"manifest": manifest(node), "root": str(node), "node_files": True, "directory": str(tmp_path / "b")}
    result = run_module("etcd_snapshot", {**options, "min_free_mib": 1})
    missing = f"{CERTIFICATES}/ca.key"
    assert missing in {entry["path"] for entry in result["archive"]["left_out"]}
    (warning,) = map(str, result["warnings"])
    assert "without all CA keys" in warning and missing in warning


def test_where_it_cannot_be_reached(etcd: Cluster, tmp_path: Path) -> None:
    node = make(tmp_path / "cp1", tmp_path / "kubeadm", etcd, ["https://127.0.0.1:1", "https://127.0.0.1:2"])
    options = {"manifest": manifest(node), "root": str(node), "node_files": True, "directory": str(tmp_path / "b")}
    for check_mode in (True, False):
        result = run_module("etcd_snapshot", options, check_mode)
        assert result["failed"]
        assert "No snapshot was taken from https://127.0.0.1:1" in result["msg"]
    looked = run_module("etcd_member", {"state": "observed", "manifest": manifest(node)})
    assert not looked.get("members")


def test_a_server_that_is_away(etcd: Cluster, tmp_path: Path) -> None:
    servers = ["https://127.0.0.1:1", *(member.url for member in etcd.members)]
    node = make(tmp_path / "cp1", tmp_path / "kubeadm", etcd, servers)
    result = run_module(
        "etcd_snapshot", {"manifest": manifest(node), "directory": str(tmp_path / "b"), "min_free_mib": 1}
    )
    assert result["keys"] == 300 and not result["member"]["leader"]


def test_the_role_saves_one(etcd: Cluster, node: Path, tmp_path: Path) -> None:
    other = tmp_path / "cp2"
    shutil.copytree(node, other)
    hosts = {path.name: {"manifest": manifest(path), "root": str(path)} for path in (node, other)}
    (tmp_path / "inventory.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    (tmp_path / "play.yml").write_text(PLAY)
    values = {"ansible_python_interpreter": sys.executable, "copies": str(tmp_path / "copies")}
    done = subprocess.run(
        [PLAYBOOK, "-i", "inventory.json", "-e", json.dumps(values), "play.yml"],
        cwd=tmp_path,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(tmp_path.glob("cp*/backups/*.db"))) == 1
    copies = sorted((tmp_path / "copies").glob("etcd-*"))
    assert [path.name.split(".", 1)[1] for path in copies] == ["db", "db.node.tar"]
    assert etcdutl_status(str(copies[0]))["totalKey"] == 300
