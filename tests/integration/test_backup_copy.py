# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A backup on its way to the controller, through OpenSSH, as a user who may only read it by sudo."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.process import wait_for
from harness.programs import scratch_folder
from harness.sshd import Sshd, serving

PLAY = """
- hosts: node
  gather_facts: false
  become: true
  tasks:
    - evergreen.kubeadm.etcd_snapshot:
        state: fetched
        directory: "{{ copies }}"
        checksums: "{{ checksums }}"
        min_free_mib: 1
      register: done
    - ansible.builtin.debug:
        var: done
"""
NAME = "etcd-cp1-20260131T120000123Z.db"
PIECE = "evergreen-etcd-backup-piece"
MIB = 1 << 20
SIZES = {NAME: 64 * MIB, f"{NAME}.node.tar": 65 * MIB}


@pytest.fixture(scope="module")
def backup() -> Iterator[dict[str, str]]:
    """The files of a backup that only root can read, with their SHA-256."""
    with scratch_folder() as place:
        place.chmod(0o700)
        found = {}
        for name, size in SIZES.items():
            content = os.urandom(size)
            (place / name).write_bytes(content)
            (place / name).chmod(0o600)
            found[str(place / name)] = hashlib.sha256(content).hexdigest()
        yield found


@pytest.fixture(scope="module", params=["sftp", "shell"])
def sshd(request: pytest.FixtureRequest) -> Iterator[Sshd]:
    with scratch_folder() as place, serving(place, sftp=request.param == "sftp") as made:
        yield made


def start(sshd: Sshd, place: Path, checksums: dict[str, str]) -> subprocess.Popen[str]:
    (place / "play.yml").write_text(PLAY)
    (place / "inventory.json").write_text(json.dumps(sshd.inventory("node", checksums=checksums, copies=f"{place}/c")))
    return subprocess.Popen(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "inventory.json", "play.yml"],
        cwd=place,
        env={**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def play(sshd: Sshd, place: Path, checksums: dict[str, str]) -> tuple[int, str]:
    process = start(sshd, place, checksums)
    said = process.communicate(timeout=180)[0]
    return process.returncode, said


def on_node(sshd: Sshd) -> list[Path]:
    return sorted(sshd.home.glob(f".ansible/tmp/*/{PIECE}"))


def names(place: Path) -> list[str]:
    return sorted(path.name for path in (place / "c").iterdir()) if (place / "c").exists() else []


def test_a_copy(sshd: Sshd, backup: dict[str, str], tmp_path: Path) -> None:
    code, said = play(sshd, tmp_path, backup)
    assert code == 0, said
    assert '"changed": true' in said
    assert names(tmp_path) == sorted([".gitignore", *SIZES])
    for path, sha256 in backup.items():
        copy = tmp_path / "c" / Path(path).name
        assert hashlib.sha256(copy.read_bytes()).hexdigest() == sha256
        assert copy.stat().st_mode & 0o777 == 0o600
        assert json.dumps(str(copy)) in said
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o700
    assert on_node(sshd) == []
    code, said = play(sshd, tmp_path, backup)
    assert code == 0 and '"changed": false' in said, said
    # What is there is never taken for another file of the same name.
    wrong = dict.fromkeys(backup, "0" * 64)
    code, said = play(sshd, tmp_path, wrong)
    assert code != 0 and "is there with other contents" in said


def test_a_copy_that_is_cut_short(sshd: Sshd, backup: dict[str, str], tmp_path: Path) -> None:
    process = start(sshd, tmp_path, backup)
    wait_for("bytes come", lambda: any(path.stat().st_size > MIB for path in (tmp_path / "c").glob("*.part")))
    # The task has a process of its own, which would end the copy.
    for pid in _below(process.pid):
        os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=60)
    left = names(tmp_path)
    assert left and not set(left) & set(SIZES), left
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "c").glob("etcd-*")} == {0o600}
    for path in on_node(sshd):
        assert path.stat().st_mode & 0o777 == 0o600 and path.owner() == sshd.home.owner()
        assert path.parent.stat().st_mode & 0o777 == 0o700
    # One of long ago, too.
    old = sshd.home / ".ansible/tmp/ansible-tmp-1.0-1-1" / PIECE
    old.parent.mkdir(parents=True, mode=0o700)
    old.write_text("secret")
    subprocess.run(["chown", "-R", sshd.home.owner(), str(old.parent)], check=True)
    code, said = play(sshd, tmp_path, backup)
    assert code == 0, said
    assert names(tmp_path) == sorted([".gitignore", *SIZES])
    assert on_node(sshd) == []


def test_a_copy_that_cannot_be_made(sshd: Sshd, backup: dict[str, str], tmp_path: Path) -> None:
    path, *_more = backup
    for checksums, reason in (
        ({path: "0" * 64}, "The copy of "),
        ({f"{path}.gz": "0" * 64}, "could not be read on the node: "),
        ({"/root/.ssh/authorized_keys": "0" * 64}, "is no file of a backup"),
        ({f"/x/..{path}/..": "0" * 64}, "is no file of a backup"),
        ({f"{path};touch /tmp/x.db": "0" * 64}, "is no file of a backup"),
    ):
        code, said = play(sshd, tmp_path, checksums)
        assert code != 0 and reason in said, said
        assert set(names(tmp_path)) <= {".gitignore"}
        assert on_node(sshd) == []


def test_a_controller_that_is_full(sshd: Sshd, backup: dict[str, str], tmp_path: Path) -> None:
    copies = tmp_path / "c"
    copies.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=140m", "tmpfs", str(copies)], check=True)
    try:
        code, said = play(sshd, tmp_path, backup)
        assert code != 0 and f"{copies} " in said, said
        assert names(tmp_path) == []
    finally:
        subprocess.run(["umount", str(copies)], check=True)
    assert on_node(sshd) == []


def test_a_connection_that_breaks(sshd: Sshd, backup: dict[str, str], tmp_path: Path) -> None:
    if sshd.process.pid is None:
        pytest.fail("sshd does not run")
    process = start(sshd, tmp_path, backup)
    wait_for("bytes come", lambda: any(path.stat().st_size > MIB for path in (tmp_path / "c").glob("*.part")))
    sessions = [pid for pid in _below(sshd.process.pid) if pid != sshd.process.pid]
    sshd.process.stop(kill=True)
    for pid in sessions:
        os.kill(pid, signal.SIGKILL)
    begin = time.monotonic()
    said = process.communicate(timeout=120)[0]
    assert process.returncode != 0
    assert names(tmp_path) == [".gitignore"], said
    assert time.monotonic() - begin < 100
    sshd.process.start()


def _below(pid: int) -> list[int]:
    """The process and all that it has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _below(int(child)))]
