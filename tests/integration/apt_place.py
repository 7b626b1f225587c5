# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed package repositories in folders, and an apt whose files are all in a folder of the test."""

from __future__ import annotations

import shutil
import subprocess
import typing as t
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.process import wait_for

TOOLS = ("apt-get", "apt-ftparchive", "dpkg-deb", "gpg")
needs_apt = pytest.mark.skipif(
    not all(shutil.which(program) for program in TOOLS), reason="a signed repository of apt needs its tools"
)


def run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stderr}"
    return done.stdout


class Signer:
    """One key, and what it signs."""

    def __init__(self, home: Path, *options: str) -> None:
        home.mkdir(mode=0o700)
        self._home = home
        self.gpg(*options, "--quick-generate-key", "test repository", "rsa2048", "sign", "1y")

    def gpg(self, *words: str | Path) -> str:
        still = ("--batch", "--yes", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "")
        return run("gpg", "--homedir", self._home, *still, *words)

    @property
    def key(self) -> str:
        return self.gpg("--armor", "--export", "test repository")

    @property
    def fingerprint(self) -> str:
        lines = self.gpg("--with-colons", "--list-keys", "test repository").splitlines()
        return next(line.split(":")[9] for line in lines if line.startswith("fpr:"))

    def sign(self, place: Path) -> None:
        """Make the lists of the packages in `place`, sign them, and put the key beside them."""
        (place / "Packages").write_text(run("apt-ftparchive", "packages", ".", cwd=place))
        (place / "Release").write_text(run("apt-ftparchive", "release", ".", cwd=place))
        self.gpg("--clearsign", "--output", place / "InRelease", place / "Release")
        (place / "Release.key").write_text(self.key)


@contextmanager
def signer(home: Path, *options: str) -> t.Iterator[Signer]:
    made = Signer(home, *options)
    try:
        yield made
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)
        # The agent takes its sockets away as it ends, a moment later; who removes the folder then does not meet them.
        wait_for("the agent of gpg ends", lambda: not any(home.glob("S.*")))


def package(place: Path, name: str, version: str, programs: dict[str, Path] | None = None) -> None:
    """Build a package into `place`, with programs by their names."""
    place.mkdir(parents=True, exist_ok=True)
    tree = place.parent / f"{name}-tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "usr/bin").mkdir(parents=True)
    for program, source in (programs or {}).items():
        shutil.copy(source, tree / "usr/bin" / program)
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: {version}-1.1\nArchitecture: all\nMaintainer: test <t@localhost>\nDescription: x\n"
    )
    run("dpkg-deb", "--build", "--root-owner-group", "-Znone", tree, place / f"{name}_{version}-1.1_all.deb")
    shutil.rmtree(tree)


class Apt:
    """An apt with sources, lists and packages of its own. What uses it has its `config` as APT_CONFIG."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.etc = root / "etc/apt"
        self.lists = root / "var/lib/apt/lists"
        for folder in (
            "etc/apt/sources.list.d",
            "var/lib/apt/lists/partial",
            "var/lib/dpkg",
            "var/cache/apt/archives/partial",
        ):
            (root / folder).mkdir(parents=True)
        (root / "var/lib/dpkg/status").touch()
        self.config = root / "apt.conf"
        self.config.write_text(
            f'Dir "{root}";\nDir::State::status "{root}/var/lib/dpkg/status";\nAPT::Sandbox::User "root";\n'
            'Acquire::Languages "none";\nAcquire::Retries "0";\n'
        )

    def source(self, name: str, text: str) -> Path:
        file = self.etc / "sources.list.d" / name
        file.write_text(text)
        return file

    def files(self) -> dict[str, bytes]:
        """Everything that apt is configured with."""
        return {str(path): path.read_bytes() for path in sorted(self.etc.rglob("*")) if path.is_file()}

    def versions(self, name: str) -> list[str]:
        """Versions of a package that apt would install; apt must be able to read its sources for that."""
        env = {"APT_CONFIG": str(self.config), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
        done = subprocess.run(["apt-cache", "madison", name], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return [line.split("|")[1].strip() for line in done.stdout.splitlines()]
