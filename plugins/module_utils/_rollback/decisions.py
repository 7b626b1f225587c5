# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Whether a component of the control plane can be rolled back: pure."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _emulation
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version, VersionError

VERSION, FINALIZED = "rollback-version", "rollback-finalized"


class Refusal(t.NamedTuple):
    """Why a component cannot be rolled back; `id` is that of the finding."""

    id: str
    why: str


def why_not(tag: str, emulated_version: str | None, target: Version) -> Refusal | None:
    """Why a component cannot be rolled back to `target`; None where it can, or is there already.

    `tag` is that of its image, `emulated_version` the value of its flag.
    Within a minor nothing is stored that an older patch could not read.
    Across one, only a component that emulated the older minor all the time has
    kept to that.
    """
    try:
        running = Version.parse(tag)
    except VersionError:
        return Refusal(VERSION, f"its image tag {tag or '(none)'} is no version")
    if running.major != target.major:
        return Refusal(VERSION, f"it is {running.tag}, of another major version")
    if running < target:
        return Refusal(VERSION, f"it is {running.tag}, which is older: that would be an upgrade")
    behind = running.minor - target.minor
    if behind > 1:
        return Refusal(VERSION, f"it is {running.tag}, {behind} minors newer, and a rollback is one minor")
    emulated = _emulation.emulated_minor(emulated_version)
    if behind == 0 or (emulated is not None and emulated <= target.minor):
        return None
    how = f"without --{_emulation.FLAG}" if emulated is None else f"with --{_emulation.FLAG}=1.{emulated}"
    return Refusal(FINALIZED, f"it runs {running.tag} {how}, and may have stored what {target.minor_text} cannot read")
