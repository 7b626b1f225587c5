# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The version that an operator means: pure."""

from __future__ import annotations

import re

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER, Finding, Request, finding
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

LATEST = "latest"
_MINOR = re.compile(r"v?(\d+)\.(\d+)")


def target_version(asked: str, available: list[Version]) -> Version:
    """The version for ``1.35.4``, ``1.35`` (its newest patch) or ``latest`` (the newest of all).

    Raises EvergreenError where `available` has none that fits.
    """
    minor = _MINOR.fullmatch(asked.strip())
    if asked.strip() != LATEST and not minor:
        version = Version.parse(asked)
        if version.build and not version.pre:
            raise EvergreenError(
                f"kubernetes_version is {asked}, which is a vendor's build and no release of the community.",
                hint=f"Name a release, such as {version}. Builds of a vendor are upgraded by the vendor's own means.",
            )
        return version
    fitting = [version for version in available if not version.pre]
    if minor:
        fitting = [version for version in fitting if (version.major, version.minor) == tuple(map(int, minor.groups()))]
    if fitting:
        return max(fitting)
    offered = f"of it the package repositories offer none: {_some(available)}" if available else "none is known"
    raise EvergreenError(
        f"kubernetes_version is {asked}, which stands for the newest version that is offered, and {offered}.",
        hint="Name a version such as 1.35.4, or give what your package repositories offer: available_versions.",
    )


def target_findings(request: Request) -> list[Finding]:
    """Whether the target is offered, where it is known what its minor's repository offers."""
    target = request.target
    siblings = [v for v in request.available if (v.major, v.minor) == (target.major, target.minor)]
    if not siblings or target in siblings:
        return []
    return [
        finding(
            "version-not-offered",
            BLOCKER,
            "cluster",
            f"the package repositories do not offer {target}; of its minor they have {_some(siblings)}",
            f"Choose {max(siblings)}, or correct the version.",
        )
    ]


def _some(versions: list[Version]) -> str:
    newest = sorted(versions)[-5:]
    return ("..., " if len(versions) > len(newest) else "") + ", ".join(str(version) for version in newest)
