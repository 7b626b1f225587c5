# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The folder for what this collection must not forget on a node, and files that are replaced as a whole."""

from __future__ import annotations

import json
import os
import typing as t

STATE = "/var/lib/evergreen-kubeadm"


def make_folder(path: str) -> None:
    """Make `path` readable for its owner only, if it is not there. Raises OSError."""
    os.makedirs(path, mode=0o700, exist_ok=True)


def replace(path: str, content: bytes, mode: int = 0o600) -> None:
    """Put `content` in the place of `path` in one step, so that a crash leaves the old file or the new one.

    The new one begins with a dot until then: what watches the folder, as the
    kubelet does that of the static pods, must not read half of it. Raises
    OSError.
    """
    folder, name = os.path.split(path)
    new = os.path.join(folder, f".{name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except BaseException:
        remove(new)
        raise
    sync_folder(folder)


def remove(path: str) -> None:
    """Remove the file `path` if it is there. Raises OSError."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    sync_folder(os.path.dirname(path))


def sync_folder(path: str) -> None:
    """Make the names in a folder durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: str, value: t.Mapping[str, t.Any]) -> None:
    """Write plain data, in a folder that is made if it is not there. Raises OSError."""
    make_folder(os.path.dirname(path))
    replace(path, (json.dumps(value, indent=2) + "\n").encode())


def read_json(path: str) -> dict[str, t.Any]:
    """The object in the file `path`; empty where there is no file. Raises OSError, and ValueError where it is none."""
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read())
    except FileNotFoundError:
        return {}
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds no object")
    return found
