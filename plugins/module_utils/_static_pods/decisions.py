# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What is to be done with the manifest of a static pod: pure."""

from __future__ import annotations

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
