# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The version that an operator means: pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._packages.index import shown
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    BLOCKER,
    NOTE,
    WARNING,
    Finding,
    Request,
    finding,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import Hop

LATEST = "latest"
_MIRROR = (
    "Name a mirror that has it in node_prepare_repository_url. Where the nodes have sources of their own with it: "
    "-e node_prepare_manage_repository=false; where only the plan cannot ask: -e preflight_ask_repositories=false."
)
_MINOR = re.compile(r"v?(\d+)\.(\d+)")


def target_version(asked: str, available: list[Version], why: str = "") -> Version:
    """The version for ``1.35.4``, ``1.35`` (its newest patch) or ``latest`` (the newest of all).

    `why` is the reason where none are available. Raises EvergreenError where `available` has none that fits.
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
    offered += f" ({why})" if why else ""
    raise EvergreenError(
        f"kubernetes_version is {asked}, which stands for the newest version that is offered, and {offered}.",
        hint="Name a version such as 1.35.4, or give what your package repositories offer: available_versions.",
    )


def target_findings(request: Request, hops: t.Sequence[Hop], problems: t.Sequence[Finding]) -> list[Finding]:
    """Whether the versions that the plan goes to can be had. Where it is not known, that is not the same as good."""
    ahead = list(dict.fromkeys(Version.parse(hop["to"]) for hop in hops))
    if not ahead and problems:
        ahead = [request.target]
    if not ahead:
        return []
    answers = request.repository.answers if request.repository else {}
    found, unknown = [], []
    for version in ahead:
        siblings = [v for v in request.available if (v.major, v.minor) == (version.major, version.minor)]
        if version in siblings:
            continue
        if not siblings and all(answers.values()):
            unknown.append(str(version))
            continue
        offered = f"of its minor they have {_some(siblings)}" if siblings else "they have none of its minor"
        found.append(
            finding(
                "version-not-offered",
                BLOCKER,
                "cluster",
                f"the package repositories do not offer {version}; {offered}",
                f"Choose {max(siblings)}, or correct the version." if siblings else _MIRROR,
            )
        )
    if unknown and request.repository and not answers:
        found.append(
            finding(
                "version-not-offered",
                NOTE,
                "cluster",
                f"the package repositories were not asked whether they offer {', '.join(unknown)}",
                "See that every node can install it: the run finds out when it prepares them.",
            )
        )
    # A node that is done already needs no packages.
    touched = {name for hop in hops for name in (*hop["control_plane"], *hop["workers"])} if hops else set(answers)
    return [*found, *_no_answer(answers, touched, ahead), *_plain_http(request)]


def _no_answer(answers: dict[str, str], names: set[str], ahead: list[Version]) -> list[Finding]:
    return [
        finding(
            "version-not-offered",
            BLOCKER,
            f"node/{name}",
            f"it is not known whether this node can have {', '.join(map(str, ahead))}: {error}",
            f"See that the node reaches that address: its name, route and proxy (node_prepare_environment). {_MIRROR}",
        )
        for name, error in sorted(answers.items())
        if error and name in names
    ]


def _plain_http(request: Request) -> list[Finding]:
    asked = request.repository
    if asked is None or asked.key_fingerprint or not asked.url.lower().startswith("http://"):
        return []
    return [
        finding(
            "repository-plain-http",
            WARNING,
            "cluster",
            f"{shown(asked.url)} is asked for packages and for the key that they are signed with, and nothing proves "
            "who answers",
            "Use https, or name the fingerprint of the key: node_prepare_key_fingerprint.",
        )
    ]


def _some(versions: list[Version]) -> str:
    newest = sorted(versions)[-5:]
    return ("..., " if len(versions) > len(newest) else "") + ", ".join(str(version) for version in newest)
