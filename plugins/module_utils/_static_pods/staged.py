# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The files of a swap, put beside those that they replace before anything stops.

From then on a file is replaced by a rename in its own folder: at once, and
without room on the disk. Their names begin with a dot, which the kubelet
leaves alone.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.kubelet import copy, link_or_copy
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.swap import SwapError

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.swap import Swap


def stage(swap: Swap) -> None:
    """Put all files in their places, and a copy of each old manifest. Raises SwapError, with nothing left."""
    path = ""
    try:
        for pod in swap.pods:
            path = pod.manifest
            with open(path, "rb") as file:
                _node_state.make_folder(os.path.dirname(pod.old))
                _node_state.replace(pod.old, file.read())
            mode = os.stat(path).st_mode & 0o777
            _stage(pod.manifest, old_of(pod.manifest), link_or_copy)
            with open(pod.new, "rb") as file:
                _node_state.replace(new_of(pod.manifest), file.read(), mode)
        for path, kept in _kept(swap).items():
            if kept:
                _stage(kept, old_of(path), link_or_copy if path == _binary(swap) else copy)
    except OSError as error:
        clear(swap)
        raise SwapError(
            f"The swap could not be prepared: {error.filename or path}: {error.strerror}.",
            hint="Nothing was stopped. See whether the disk is full.",
        ) from None


def replace_manifests(swap: Swap) -> None:
    """Put the new manifests in their places; those that are there already stay. Raises OSError."""
    for pod in swap.pods:
        _move(new_of(pod.manifest), pod.manifest)


def restore(swap: Swap) -> None:
    """Put the old manifests and the old kubelet's files back; those that are there already stay. Raises OSError."""
    for path in [*(pod.manifest for pod in swap.pods), *_kept(swap)]:
        _move(old_of(path), path)
    for path, kept in _kept(swap).items():
        if not kept:
            _node_state.remove(path)


def clear(swap: Swap) -> None:
    """Remove what is left of the files that were staged."""
    for path in [*(pod.manifest for pod in swap.pods), *_kept(swap)]:
        for staged in (new_of(path), old_of(path)):
            with contextlib.suppress(OSError):
                os.unlink(staged)


def new_of(path: str) -> str:
    return _beside(path, "swap-new")


def old_of(path: str) -> str:
    return _beside(path, "swap-old")


def _beside(path: str, what: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.{what}")


def _binary(swap: Swap) -> str:
    return swap.kubelet.binary if swap.kubelet and swap.kubelet.kept_binary else ""


def _kept(swap: Swap) -> dict[str, str]:
    """Copy by path, of the kubelet's files. Its program comes last: the files are no use to another one."""
    if not swap.kubelet:
        return {}
    files = {file.path: file.kept for file in swap.kubelet.files}
    return {**files, _binary(swap): swap.kubelet.kept_binary} if _binary(swap) else files


def _stage(path: str, staged: str, how: t.Callable[[str, str], None]) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(staged)
    how(path, staged)
    _node_state.sync_folder(os.path.dirname(staged))


def _move(staged: str, path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.replace(staged, path)
        _node_state.sync_folder(os.path.dirname(path))
