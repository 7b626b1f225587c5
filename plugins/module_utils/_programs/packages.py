# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Fetch packages of one version into a scratch folder and unpack them there: nothing is installed.

The node's own sources are left alone. The repository of the wanted minor is
often not among them yet, so it is named in a list of the scratch folder, which
holds the state and the cache of the package manager as well.
"""

from __future__ import annotations

import shutil
import subprocess
import typing as t
from pathlib import Path

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._packages.apt import NodeRepository
from ansible_collections.evergreen.kubeadm.plugins.module_utils._packages.index import shown


class NotFetched(Exception):
    """A package could not be had, and why."""


class Packages:
    """The repository of one minor, read from a scratch folder."""

    def __init__(self, scratch: Path, url: str, repository: NodeRepository, deadline: Deadline) -> None:
        """`url` ends in a slash; `repository` is the same one, and knows which key is trusted."""
        self._scratch = scratch
        self._url = url
        self._repository = repository
        self._deadline = deadline

    def fetch(self, manager: str, names: t.Sequence[str], version: str) -> dict[str, Path]:
        """The program of each package, unpacked. Raises NotFetched."""
        if manager not in ("apt", "dnf", "yum"):
            raise NotFetched(
                f"packages of {manager or 'an unknown package manager'} cannot be fetched without a change"
            )
        try:
            key = self._repository.trusted_key(self._scratch)
        except EvergreenError as error:
            raise NotFetched(error.message) from error
        files = self._apt(key, names, version) if manager == "apt" else self._dnf(key, names, version)
        found = {}
        for name in names:
            package = next((file for file in files if file.name.startswith((f"{name}_", f"{name}-{version}"))), None)
            if package is None:
                raise NotFetched(f"{shown(self._url)} gave no package {name} {version}")
            tree = self._folder(f"tree-{name}")
            if manager == "apt":
                self._run("dpkg-deb", "-x", str(package), str(tree))
            else:
                self._unpack_rpm(package, tree)
            package.unlink()
            program = tree / "usr/bin" / name
            if not program.is_file():
                raise NotFetched(f"the package {package.name} holds no /usr/bin/{name}")
            found[name] = program
        return found

    def _apt(self, key: Path, names: t.Sequence[str], version: str) -> list[Path]:
        sources, downloads = self._scratch / "sources.list", self._folder("packages")
        sources.write_text(f"deb [signed-by={key}] {self._url} /\n", encoding="utf-8")
        self._folder("lists/partial")
        self._folder("archives/partial")
        options = {
            "Dir::Etc::SourceList": sources,
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State::Lists": self._scratch / "lists",
            "Dir::Cache": self._folder("cache"),
            "Dir::Cache::Archives": self._scratch / "archives",
            # The user _apt may not write here, and the locks are for the lists and archives of the system.
            "APT::Sandbox::User": "root",
            "Debug::NoLocking": "1",
            "Acquire::Languages": "none",
            # A plan does without what cannot be had, and is not to wait for it.
            "Acquire::Retries": "0",
        }
        apt = ["apt-get", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]
        # Errors of single lists are only warnings to apt otherwise.
        self._run(*apt, "-o", "APT::Update::Error-Mode=any", "update")
        self._run(*apt, "download", *(f"{name}={version}-*" for name in names), cwd=downloads)
        return sorted(downloads.iterdir())

    def _dnf(self, key: Path, names: t.Sequence[str], version: str) -> list[Path]:
        downloads = self._folder("packages")
        repository = self._folder("repos") / "evergreen-target.repo"
        repository.write_text(
            # The signed metadata vouch for the packages, which `dnf download` does not check.
            f"[evergreen-target]\nname=target\nbaseurl={self._url}\nenabled=1\nrepo_gpgcheck=1\ngpgkey=file://{key}\n",
            encoding="utf-8",
        )
        self._run(
            "dnf",
            "--assumeyes",
            f"--setopt=reposdir={repository.parent}",
            f"--setopt=cachedir={self._folder('cache')}",
            "--repo=evergreen-target",
            "download",
            f"--destdir={downloads}",
            *(f"{name}-{version}" for name in names),
        )
        return sorted(downloads.iterdir())

    def _unpack_rpm(self, package: Path, tree: Path) -> None:
        if shutil.which("bsdtar"):
            self._run("bsdtar", "-xf", str(package), "-C", str(tree))
            return
        archive = self._scratch / "package.cpio"
        with archive.open("wb") as out:
            self._run("rpm2cpio", str(package), stdout=out)
        with archive.open("rb") as source:
            self._run("cpio", "--extract", "--make-directories", "--quiet", cwd=tree, stdin=source)
        archive.unlink()

    def _folder(self, name: str) -> Path:
        folder = self._scratch / name
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        return folder

    def _run(self, *command: str, cwd: Path | None = None, stdin: t.Any = None, stdout: t.Any = None) -> None:
        program = shutil.which(command[0])
        if program is None:
            raise NotFetched(f"{command[0]} is not installed")
        try:
            done = subprocess.run(
                [program, *command[1:]],
                cwd=cwd,
                stdin=stdin or subprocess.DEVNULL,
                stdout=stdout or subprocess.PIPE,
                stderr=subprocess.PIPE,
                timeout=self._deadline.remaining(),
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise NotFetched(f"{command[0]} did not end in time") from None
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip() or (done.stdout or b"").decode("utf-8", "replace")
            raise NotFetched(f"{command[0]} failed with {done.returncode}: {shown(' '.join(said.split()))[-400:]}")
