# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Many findings as few: pure."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Finding, Json, finding

EXAMPLES_SHOWN = 3
NAMESPACES_SHOWN = 10
ALIKE_SHOWN = 20
OTHER_NAMESPACES = "other namespaces"


def some(names: t.Collection[str]) -> str:
    """The first of them, and how many more there are."""
    shown = ", ".join(sorted(names)[:EXAMPLES_SHOWN])
    return shown + (f" and {len(names) - EXAMPLES_SHOWN} more" if len(names) > EXAMPLES_SHOWN else "")


def by_namespace(pods: t.Iterable[Json]) -> list[tuple[str, list[Json]]]:
    """(``namespace/name``, its pods), the largest first; beyond some namespaces the rest is one entry."""
    grouped: dict[str, list[Json]] = {}
    for pod in pods:
        grouped.setdefault(str((pod.get("metadata") or {}).get("namespace", "")), []).append(pod)
    ordered = sorted(grouped.items(), key=lambda item: (-len(item[1]), item[0]))
    shown = [(f"namespace/{name}", found) for name, found in ordered[:NAMESPACES_SHOWN]]
    rest = [pod for _name, found in ordered[NAMESPACES_SHOWN:] for pod in found]
    return [*shown, (OTHER_NAMESPACES, rest)] if rest else shown


def told(pods: t.Collection[Json]) -> str:
    """``5 pods (a/b, a/c, a/d and 2 more)``."""
    return f"{len(pods)} pod{'s' if len(pods) > 1 else ''} ({some([api.qualified(pod) for pod in pods])})"


def fold(findings: list[Finding]) -> list[Finding]:
    """The findings, with no more than some of one id and severity; what is beyond them is told in one."""
    count: dict[tuple[str, str], int] = {}
    for entry in findings:
        key = (entry["id"], entry["severity"])
        count[key] = count.get(key, 0) + 1
    kept: list[Finding] = []
    folded: dict[tuple[str, str], list[Finding]] = {}
    seen: dict[tuple[str, str], int] = {}
    for entry in findings:
        key = (entry["id"], entry["severity"])
        seen[key] = seen.get(key, 0) + 1
        if count[key] <= ALIKE_SHOWN or seen[key] < ALIKE_SHOWN:
            kept.append(entry)
            continue
        folded.setdefault(key, []).append(entry)
        if seen[key] == count[key]:
            first = folded[key][0]
            subjects = [other["subject"] for other in folded[key]]
            kept.append(
                finding(
                    first["id"],
                    first["severity"],
                    f"{len(subjects)} more",
                    f"the same of {some(subjects)}; the first of them: {first['evidence']}",
                    first["remedy"],
                    first["source"],
                )
            )
    return kept
