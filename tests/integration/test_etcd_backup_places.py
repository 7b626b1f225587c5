# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups that a timer's program saves, and copies that the role sends to other places, over the network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
from etcd_node import KEY, make_node

from etcd_cluster import Cluster, run_module
from harness.process import Process, free_ports, wait_for
from lab import golang

Json = dict[str, t.Any]
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("backup-places"), ["cp1"]) as made:
        made.start()
        made.put(made.members[0], 0, 300, 1000)
        yield made


@pytest.fixture
def node(etcd: Cluster, tmp_path: Path) -> Path:
    return make_node(tmp_path / "node", etcd.members[0])


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The program as the role installs it."""
    path = tmp_path / "lib" / "etcd-backup.pyz"
    checked = run_module("etcd_backup_program", {"path": str(path)}, check_mode=True)
    assert (checked["changed"], path.exists()) == (True, False)
    made = run_module("etcd_backup_program", {"path": str(path)})
    assert (made["changed"], made["interpreter"]) == (True, sys.executable)
    assert not run_module("etcd_backup_program", {"path": str(path)})["changed"]
    return path


def run_program(program: Path, wanted: Json, place: Path) -> subprocess.CompletedProcess[str]:
    """As a unit of systemd runs it: no package of this machine, no environment."""
    options = place / "options.json"
    options.write_text(json.dumps(wanted))
    return subprocess.run(
        [sys.executable, "-I", "-S", str(program), str(options)],
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_program_saves_and_prunes(etcd: Cluster, node: Path, program: Path, tmp_path: Path) -> None:
    place = tmp_path / "backups"
    wanted = {
        "saved": {
            "directory": str(place),
            "manifest": str(etcd.members[0].manifest),
            "node_files": True,
            "root": str(node),
            "compression": "gzip",
            "min_free_mib": 1,
        },
        "pruned": {"directory": str(place), "keep_last": 2},
    }
    for number in range(1, 4):
        done = run_program(program, wanted, tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), done
        saved, warning, pruned = done.stdout.splitlines()
        assert saved.startswith(f"Saved and verified {place}/etcd-cp1-")
        assert "300 keys" in saved
        # The certificates of etcd are not below the folder that stands for the node.
        assert warning.startswith(f"WARNING: This backup is not complete: {etcd.pki}/")
        assert pruned == f"Kept {min(number, 2)} snapshots, removed {int(number == 3)}."
        assert KEY not in done.stdout
    newest = max(place.glob("*.db.gz"))
    proven = run_module("etcd_snapshot", {"state": "verified", "path": str(newest)})
    assert proven["keys"] == 300
    assert "/etc/kubernetes/pki/ca.key" in proven["archive"]["files"]
    assert (place.stat().st_mode & 0o777, newest.stat().st_mode & 0o777) == (0o700, 0o600)


def test_the_program_says_why_it_could_not(etcd: Cluster, program: Path, tmp_path: Path) -> None:
    manifest = str(etcd.members[0].manifest)
    done = run_program(program, {"saved": {"manifest": manifest, "require_follower": True}}, tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "lead" in done.stderr
    place = tmp_path / "backups"
    wanted = {"saved": {"manifest": manifest, "directory": str(place), "min_free_mib": 1}, "pruned": {"keep_last": 0}}
    done = run_program(program, wanted, tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("The snapshot is good, but old ones could not be removed: keep_last is 0")
    assert len(list(place.glob("*.db"))) == 1


def test_the_program_goes_away(program: Path) -> None:
    gone = {"path": str(program), "state": "absent"}
    assert run_module("etcd_backup_program", gone, check_mode=True)["changed"]
    assert program.exists()
    assert run_module("etcd_backup_program", gone)["changed"]
    assert not run_module("etcd_backup_program", gone)["changed"]


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
        tasks_from: choose
    - ansible.builtin.import_role:
        name: evergreen.kubeadm.etcd_backup
      when: etcd_backup_chosen
      vars:
        etcd_backup_directory: "%(place)s/backups"
        etcd_backup_fetch_directory: "%(place)s/controller"
"""


@pytest.fixture(scope="module")
def tools() -> None:
    """rsync and rclone of the system, installed where they are missing (Debian and Ubuntu, root)."""
    missing = [name for name in ("rsync", "rclone") if shutil.which(name) is None]
    if missing:
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-q"], check=True, env=env, capture_output=True)
        install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing]
        subprocess.run(install, check=True, env=env, capture_output=True)


def play(etcd: Cluster, node: Path, place: Path, *targets: Json, **more: t.Any) -> subprocess.CompletedProcess[str]:
    text = PLAY % {"manifest": etcd.members[0].manifest, "root": node, "place": place}
    (place / "play.yml").write_text(text)
    values = {"ansible_python_interpreter": sys.executable, "etcd_backup_targets": list(targets), **more}
    # What this machine's certificates are is nothing to a server on loopback without TLS.
    env = {key: value for key, value in os.environ.items() if key != "AWS_CA_BUNDLE"}
    return subprocess.run(
        [str(BIN / "ansible-playbook"), "-i", "localhost,", "-e", json.dumps(values), "play.yml"],
        cwd=place,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def vault(tools: None, tmp_path: Path) -> t.Iterator[tuple[str, Path]]:
    """An rsync server: (a destination, the folder behind it)."""
    folder = tmp_path / "vault"
    folder.mkdir()
    (port,) = free_ports(1)
    configuration = tmp_path / "rsyncd.conf"
    configuration.write_text(f"[vault]\npath = {folder}\nread only = false\nuse chroot = false\nuid = 0\ngid = 0\n")
    arguments = [
        "rsync",
        "--daemon",
        "--no-detach",
        f"--port={port}",
        "--address=127.0.0.1",
        f"--config={configuration}",
    ]
    process = Process(arguments, tmp_path / "rsyncd.log")
    process.start()
    try:
        address = f"rsync://127.0.0.1:{port}/vault"
        ask = ["rsync", address]
        wait_for("rsync answers", lambda: not subprocess.run(ask, capture_output=True, check=False).returncode)
        yield address, folder
    finally:
        process.stop()


def test_rsync(etcd: Cluster, node: Path, tmp_path: Path, vault: tuple[str, Path]) -> None:
    address, folder = vault
    for sent_from in ("controller", "node"):
        done = play(etcd, node, tmp_path, {"rsync": f"{address}/etcd"}, etcd_backup_targets_from=sent_from)
        assert done.returncode == 0, done.stdout + done.stderr
        assert KEY not in done.stdout
    sent = sorted((folder / "etcd").iterdir())
    assert [path.suffix for path in sent] == [".db", ".tar"] * 2
    for path in sent:
        assert path.read_bytes() == (tmp_path / "controller" / path.name).read_bytes()
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_copy_that_lands_damaged_is_found(etcd: Cluster, node: Path, tmp_path: Path, tools: None) -> None:
    """An rsync that loses a byte on the way, as far as the role can see: the real one, and then a byte is changed."""
    folder = tmp_path / "vault"
    wrapper = tmp_path / "bin" / "rsync"
    wrapper.parent.mkdir()
    damage = f'for file in {folder}/*.db; do printf x | dd of="$file" bs=1 seek=5000 conv=notrunc; done'
    wrapper.write_text(
        f"""#!/bin/sh
{shutil.which("rsync")} "$@" || exit
case "$*" in
  *--dry-run*) ;;
  *) {damage};;
esac
"""
    )
    wrapper.chmod(0o755)
    folder.mkdir()
    old = os.environ["PATH"]
    os.environ["PATH"] = f"{wrapper.parent}:{old}"
    try:
        done = play(etcd, node, tmp_path, {"rsync": str(folder)})
    finally:
        os.environ["PATH"] = old
    assert done.returncode != 0
    assert "Compare the files where they landed" in done.stdout
    assert ".db" in done.stdout.split("Compare the files where they landed")[-1]


@pytest.fixture
def bucket(tools: None, tmp_path: Path) -> t.Iterator[Path]:
    """An S3 server with the bucket ``backups``: the configuration of rclone for it, as the remote ``s3``."""
    (port,) = free_ports(1)
    program = golang.build(golang.gofakes3("1.2.0", "1.24"), golang.cache_directory()) / "gofakes3"
    process = Process([program, "-backend=memory", f"-host=127.0.0.1:{port}"], tmp_path / "s3.log")
    process.start()
    configuration = tmp_path / "rclone.conf"
    configuration.write_text(
        f"[s3]\ntype = s3\nprovider = Other\naccess_key_id = a\nsecret_access_key = {KEY}\n"
        f"endpoint = http://127.0.0.1:{port}\nforce_path_style = true\n"
    )
    try:
        wait_for("the bucket is made", lambda: not rclone(configuration, "mkdir", "s3:backups").returncode)
        yield configuration
    finally:
        process.stop()


def rclone(configuration: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    env = {key: value for key, value in os.environ.items() if key != "AWS_CA_BUNDLE"}
    command = ["rclone", f"--config={configuration}", "--retries=1", *arguments]
    return subprocess.run(command, env=env, capture_output=True, check=False)


def test_s3(etcd: Cluster, node: Path, tmp_path: Path, bucket: Path) -> None:
    target = {"rclone": "s3:backups/etcd", "arguments": [f"--config={bucket}"]}
    done = play(etcd, node, tmp_path, target, etcd_backup_compression="gzip")
    assert done.returncode == 0, done.stdout + done.stderr
    assert KEY not in done.stdout
    copies = sorted((tmp_path / "controller").glob("etcd-*"))
    assert [path.name.split(".", 1)[1] for path in copies] == ["db.gz", "db.node.tar.gz"]
    for path in copies:
        assert rclone(bucket, "cat", f"s3:backups/etcd/{path.name}").stdout == path.read_bytes()


def test_a_place_that_is_not_there(etcd: Cluster, node: Path, tmp_path: Path, tools: None) -> None:
    (port,) = free_ports(1)
    begin = time.monotonic()
    done = play(etcd, node, tmp_path, {"rsync": f"rsync://127.0.0.1:{port}/vault"})
    assert done.returncode != 0
    assert "Connection refused" in done.stdout
    assert time.monotonic() - begin < 60
    # The backup itself is there, on the node and on the controller.
    assert len(list((tmp_path / "backups").glob("*.db"))) == len(list((tmp_path / "controller").glob("*.db"))) == 1
