# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Whether a kubelet can be replaced with its pods on the node: pure.

A kubelet that starts compares each container with the hash that was written
down when the container was made, and restarts those that differ. How the hash
is made, and which fields a pod has, may change with a minor (1.31 restarted
every container) and not within one. Upstream supports no replacement across
minors with pods on the node (kubernetes/kubernetes#129385).
"""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version, VersionError

KEEPS_READINESS = 35
"""The minor from which a kubelet that starts leaves its containers Ready (KEP-4781)."""


class InPlace(t.NamedTuple):
    """`reason` says why it can be, or why not. `notes` are what happens to the pods all the same."""

    in_place: bool
    reason: str
    notes: list[str]


def decide(running: str, target: str) -> InPlace:
    """What the version of the running kubelet, empty where it is not known, says for `target`."""
    to = Version.parse(target)
    try:
        now = Version.parse(running)
    except VersionError:
        seen = f"its version reads {running!r}" if running else "no running kubelet was found"
        return InPlace(False, f"{seen}, so nothing says that only the patch changes", [])
    against = obstacle(now, to)
    if against:
        return InPlace(False, against, [])
    notes = []
    if to.minor < KEEPS_READINESS:
        notes.append(
            f"A kubelet of {to.minor_text} takes each container with a readiness probe for not ready until the probe "
            "has passed once, so that Services leave its pod out for that time."
        )
    return InPlace(True, f"only the patch changes, from {now} to {to}", notes)


def obstacle(now: Version, to: Version) -> str:
    """Why a kubelet at `now` cannot become `to` with its pods on the node; empty where it can."""
    if (now.major, now.minor) != (to.major, to.minor):
        return f"the kubelet goes from {now} to {to}, and another minor may restart every container"
    if now != to and (now.pre or to.pre):
        return f"the kubelet goes from {now} to {to}, and a pre-release promises nothing"
    if to < now:
        return f"the kubelet goes back from {now} to {to}, and it may not read what the newer one wrote"
    return ""
