# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The exchange of etcd's data on a disk: two renames, each of which can be the last thing that a node does.

What changes hands is ``member``, not the data directory: that may be a mount
point, and its owner and mode stay as they are.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import EtcdError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._restore.model import TOKEN

MEMBER = "member"
KEEP_OLD, PUT_NEW = "keep old", "put new"


@dataclass(frozen=True)
class Places:
    """Three folders of one file system, each of which can hold a ``member``."""

    data: str
    """etcd's data directory."""
    new: str
    aside: str


@dataclass(frozen=True)
class Evidence:
    """What is there. `aside` is whether the folder is: it is made before anything moves."""

    data: bool
    new: bool
    aside: bool


def places(data_dir: str, token: str, *, mounted: bool) -> Places:
    """Where the data is exchanged: beside `data_dir`, or in it where that is `mounted` and beside is another disk."""
    folder, name = os.path.split(data_dir.rstrip("/"))
    before = os.path.join(data_dir, "") if mounted else os.path.join(folder, f"{name}-")
    return Places(data_dir, f"{before}{token}", f"{before}before-{token}")


def decide(seen: Evidence) -> list[str]:
    """What is left to do, in order; nothing where the exchange is done. Raises EtcdError where it makes no sense.

    ===== ===== ===== ======================
    new   data  aside to do
    ===== ===== ===== ======================
    yes   yes   no    keep old, put new
    yes   yes   yes   keep old, put new [1]_
    yes   no    any   put new
    no    yes   yes   nothing, it is done
    no    yes   no    refused, nothing is prepared
    no    no    any   refused, there is no data at all
    ===== ===== ===== ======================

    .. [1] The folder was made and the node went down before the first rename.
       That the old data is in it already is for `exchange` to see.
    """
    if seen.new:
        return [KEEP_OLD, PUT_NEW] if seen.data else [PUT_NEW]
    if seen.data and seen.aside:
        return []
    raise EtcdError(
        "Nothing is prepared on this node: " + ("the data is still the old one." if seen.data else "no data is left."),
        hint="Run the restore from its beginning.",
    )


def look(where: Places) -> Evidence:
    return Evidence(
        os.path.isdir(os.path.join(where.data, MEMBER)),
        os.path.isdir(os.path.join(where.new, MEMBER)),
        os.path.isdir(where.aside),
    )


def exchange(where: Places) -> list[str]:
    """Put the prepared data in the place of the old, which is kept aside; return what was done.

    Raises EtcdError where a process has the old database open, and where the
    old data would have to go where some already is.
    """
    seen = look(where)
    todo = decide(seen)
    try:
        if todo:
            if seen.data:
                _require_unused(os.path.join(where.data, MEMBER, "snap", "db"))
            _node_state.make_folder(where.aside)
            _node_state.make_folder(where.data)
            _give(where.new, like=where.data)
            _node_state.sync_folder(os.path.dirname(where.aside))
        if KEEP_OLD in todo:
            if os.path.isdir(os.path.join(where.aside, MEMBER)):
                raise EtcdError(
                    f"{where.data} and {where.aside} both hold data, although the exchange had begun.",
                    hint=f"The older one is that from before the restore. Move {where.data}/{MEMBER} away and run "
                    "this again.",
                )
            _move(where.data, where.aside)
        if PUT_NEW in todo:
            _move(where.new, where.data)
        if os.path.isdir(where.new):
            os.rmdir(where.new)
    except OSError as error:
        raise EtcdError(f"The data in {where.data} could not be exchanged: {error}.") from None
    return todo


def stale(where: Places, token: str) -> list[str]:
    """Folders that tries of other names have prepared and left: what is kept aside has another kind of name."""
    folder, name = os.path.split(where.new)
    prefix = name[: -len(token)] + TOKEN
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [os.path.join(folder, each) for each in names if each.startswith(prefix) and each != name]


def discard(path: str) -> None:
    """Remove what an earlier try has prepared, in whole or in part."""
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise EtcdError(f"{path} could not be removed: {error}.") from None


def sync_tree(path: str) -> None:
    """Make a prepared tree durable before anything relies on it."""
    for folder, _folders, files in os.walk(path):
        for name in files:
            descriptor = os.open(os.path.join(folder, name), os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        _node_state.sync_folder(folder)


def size(data_dir: str) -> int:
    """Bytes of the files under ``member``; what goes away on the way counts as nothing."""
    total = 0
    for folder, _folders, files in os.walk(os.path.join(data_dir, MEMBER)):
        for name in files:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                continue
    return total


def _move(source: str, target: str) -> None:
    os.rename(os.path.join(source, MEMBER), os.path.join(target, MEMBER))
    _node_state.sync_folder(target)
    _node_state.sync_folder(source)


def _give(path: str, like: str) -> None:
    """Make the owner of `like` that of the whole tree: etcd need not run as root."""
    owner = os.stat(like)
    for folder, _folders, files in os.walk(path):
        for each in (folder, *(os.path.join(folder, name) for name in files)):
            os.chown(each, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _require_unused(database: str) -> None:
    """etcd locks its database for as long as it runs (bbolt, flock)."""
    try:
        descriptor = os.open(database, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise EtcdError(
            f"A process has {database} open, so etcd still runs.",
            hint="Stop it first. Nothing was changed on this node.",
        ) from None
    finally:
        os.close(descriptor)
