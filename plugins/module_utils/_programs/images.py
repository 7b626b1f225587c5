# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Copy a program out of a container image of the node, without running a container.

containerd only: its ctr mounts an image read-only under a lease of its own. Of
CRI-O there is no such command beside the runtime.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline

# Where the images of Kubernetes have their program; the last one is for images that are built otherwise.
_PLACES = ("usr/local/bin", "usr/bin", "bin", "")


class NoImage(Exception):
    """An image is not there, or could not be read."""


class ImageStore:
    """The images that the kubelet's containerd holds."""

    def __init__(self, ctr: str, endpoint: str, scratch: Path, deadline: Deadline) -> None:
        """`ctr` is the path of the program, `endpoint` the CRI socket of the kubelet, with or without unix://."""
        socket = endpoint[len("unix://") :] if endpoint.startswith("unix://") else endpoint
        self._ctr = [ctr, *(["--address", socket] if socket else []), "--namespace", "k8s.io"]
        self._scratch = scratch
        self._deadline = deadline

    def program(self, image: str, name: str) -> Path:
        """A copy of the program in an image. Raises NoImage."""
        if image not in self._say("images", "list", "--quiet").split():
            raise NoImage(f"the image {image} is not on the node")
        mounted = self._scratch / f"image-{name}"
        mounted.mkdir(mode=0o755)
        try:
            self._say("images", "mount", image, str(mounted))
            source = next((mounted / place / name for place in _PLACES if (mounted / place / name).is_file()), None)
            if source is None:
                raise NoImage(f"the image {image} holds no {name} where it is looked for")
            folder = self._scratch / f"program-{name}"
            folder.mkdir(mode=0o755)
            copy = folder / name
            shutil.copyfile(source, copy)
            copy.chmod(0o755)
        finally:
            self.release(mounted)
        return copy

    def release(self, mounted: Path) -> None:
        """Unmount, and take the snapshot and its lease away. The folder goes only when nothing is mounted on it."""
        self._quietly("images", "unmount", "--rm", str(mounted))
        if not mounted.is_mount():
            mounted.rmdir()

    def _quietly(self, *arguments: str) -> None:
        try:
            self._say(*arguments)
        except NoImage:
            return

    def _say(self, *arguments: str) -> str:
        try:
            done = subprocess.run(
                [*self._ctr, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=max(1.0, self._deadline.clip(120.0)),
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise NoImage(f"ctr {' '.join(arguments[:2])} failed: {error}") from error
        if done.returncode:
            said = " ".join(done.stderr.decode("utf-8", "replace").split())
            raise NoImage(f"ctr {' '.join(arguments[:2])} failed with {done.returncode}: {said[-300:]}")
        return done.stdout.decode("utf-8", "replace")
