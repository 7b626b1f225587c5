# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OpenSSH's own server on loopback, and a user of this machine who logs in there and may use sudo."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from harness.process import Process, free_ports, wait_for
from harness.ssh_server import new_key, public_key

USER = "evergreen-test"
SUDOERS = Path("/etc/sudoers.d") / USER
CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {place}/host
AuthorizedKeysFile {place}/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
{more}
"""
SFTP = "Subsystem sftp internal-sftp"


@dataclass
class Sshd:
    """A server that runs."""

    port: int
    place: Path
    home: Path
    process: Process

    def inventory(self, host: str, **more: t.Any) -> dict[str, t.Any]:
        """An inventory with one host that is logged in to as the user."""
        variables = {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": USER,
            "ansible_ssh_private_key_file": str(self.place / "user"),
            "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
            "ansible_ssh_args": "-o ControlMaster=auto -o ControlPersist=20s",
            "ansible_control_path_dir": str(self.place / "control"),
            "ansible_python_interpreter": sys.executable,
            **more,
        }
        return {"all": {"hosts": {host: variables}}}


def install(**programs: str) -> None:
    """Packages of the system by a program of theirs, where that is missing (Debian and Ubuntu, root)."""
    missing = [package for program, package in programs.items() if shutil.which(program, path=_path()) is None]
    if missing:
        # Their services stay as they are: a test starts what it needs by itself.
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        subprocess.run(["apt-get", "update", "-q"], check=True, env=env, capture_output=True)
        command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing]
        subprocess.run(command, check=True, env=env, capture_output=True)


@contextlib.contextmanager
def serving(place: Path, *, sftp: bool = True, wrap: t.Sequence[str] = ()) -> t.Iterator[Sshd]:
    """A server for the time of the context. `place` is a folder that the user can reach.

    `wrap` is a command that the server is started by. Without `sftp` nothing
    but a shell is served.
    """
    install(sshd="openssh-server", sudo="sudo")
    home = place / "home"
    for name in ("host", "user"):
        new_key(place / name)
    (place / "authorized").write_text(public_key(place / "user") + "\n")
    (port,) = free_ports(1)
    config = place / "sshd_config"
    config.write_text(CONFIG.format(port=port, place=place, more=SFTP if sftp else ""))
    # Where sshd goes to while it knows nobody yet.
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    command = [*wrap, str(shutil.which("sshd", path=_path())), "-D", "-f", str(config), "-E", str(place / "sshd.log")]
    process = Process(command, place / "sshd.out")
    with _user(home):
        try:
            process.start()
            wait_for("sshd listens", lambda: "Server listening" in (place / "sshd.log").read_text())
            yield Sshd(port, place, home, process)
        finally:
            process.stop()


@contextlib.contextmanager
def _user(home: Path) -> t.Iterator[None]:
    _remove_user()
    subprocess.run(["useradd", "--create-home", "--home-dir", home, "--shell", "/bin/bash", USER], check=True)
    try:
        # No password, and an account that is not locked.
        subprocess.run(["usermod", "--password", "*", USER], check=True)
        SUDOERS.write_text(f"{USER} ALL=(ALL) NOPASSWD: ALL\n")
        SUDOERS.chmod(0o440)
        yield
    finally:
        _remove_user()


def _remove_user() -> None:
    SUDOERS.unlink(missing_ok=True)
    with contextlib.suppress(KeyError):
        pwd.getpwnam(USER)
        # Its last session may still be open.
        subprocess.run(["userdel", "--force", USER], check=True, capture_output=True)


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
