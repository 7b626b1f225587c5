# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What is to be done with the manifest of a static pod: pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError

PUT_ASIDE, PUT_BACK, FORGET = "put aside", "put back", "forget"
"""FORGET removes the file put aside, which the manifest in its place is a copy of."""


class StaticPodError(EvergreenError):
    """A static pod that could not be stopped or started."""


@dataclass(frozen=True)
class Manifest:
    """One static pod: the file that the kubelet reads, and the one that was put aside. None where it is not there."""

    name: str
    live_path: str
    kept_path: str
    live: bytes | None
    kept: bytes | None


def decide(state: str, manifest: Manifest) -> str:
    """One of PUT_ASIDE, PUT_BACK, FORGET, or nothing. Raises StaticPodError where it is not clear what is right.

    ====== ==== ==== ================== ====================
    live   kept same to be ``stopped``  to be ``running``
    ====== ==== ==== ================== ====================
    yes    no        put aside          nothing
    no     yes       nothing            put back
    yes    yes  yes  put aside          forget
    yes    yes  no   refused            refused
    no     no        refused            refused
    ====== ==== ==== ================== ====================
    """
    live, kept = manifest.live, manifest.kept
    if live is None and kept is None:
        raise StaticPodError(
            f"There is no manifest of {manifest.name}: neither {manifest.live_path} nor {manifest.kept_path}.",
            hint="Run this on a control-plane node, and name static pods that it has.",
        )
    if live is not None and kept is not None and live != kept:
        raise StaticPodError(
            f"{manifest.live_path} and {manifest.kept_path}, which was put aside, are different manifests of "
            f"{manifest.name}.",
            hint="Keep the right one as the first, remove the second, and run this again.",
        )
    if state == "stopped":
        return PUT_ASIDE if live is not None else ""
    if live is None:
        return PUT_BACK
    return FORGET if kept is not None else ""


def words_of(pod: t.Any, name: str) -> list[str]:
    """The command line of a static pod's one container. Raises StaticPodError where its process cannot be told."""
    spec = pod.get("spec") if isinstance(pod, dict) else None
    containers = spec.get("containers") if isinstance(spec, dict) else None
    if not isinstance(containers, list) or len(containers) != 1 or not isinstance(containers[0], dict):
        raise StaticPodError(f"The manifest of {name} is not that of a pod with one container.")
    container = containers[0]
    words = [str(word) for word in container.get("command") or ()]
    if not words:
        raise StaticPodError(f"The manifest of {name} has no command, so its process cannot be told from others.")
    words += [str(word) for word in container.get("args") or ()]
    if any("$(" in word for word in words):
        raise StaticPodError(f"The command of {name} has variables in it, so its process cannot be told from others.")
    return words


def ends_in_order(words: t.Sequence[str]) -> bool:
    """Whether a component with this command says that it is not ready before it ends, and ends its watches itself."""
    return any(word.startswith("--shutdown-delay-duration=") for word in words)
