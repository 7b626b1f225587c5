# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Whether somebody else than the drain may free the pods of a budget that allows nothing by its numbers. Pure.

Operators of databases select the primary by its label: they see the cordon,
make another pod the primary, and the label moves. Others answer the eviction
with a webhook of their own and move the pod themselves.
"""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import Json

if t.TYPE_CHECKING:
    from collections.abc import Sequence

# What a label of a role says of the pod that may not go; its key ends with "role", as cnpg.io/instanceRole does.
LEADERS = {"primary", "master", "leader"}
# API groups whose controllers act on no cordon.
_PLAIN = {"", "apps", "batch"}


def moved_by(budget: Json, pods: Sequence[Json], eviction_webhooks: Sequence[str] = ()) -> str:
    """Who may free `pods`, which are those to be evicted, as a clause; empty where nobody is seen who would.

    `eviction_webhooks` are the names of validating webhooks that are about evictions alone.
    """
    role = _role(budget)
    if role:
        return f"it selects by the label of a role ({role}), which its operator can give to another pod"
    owners = sorted({_owner(pod) for pod in pods})
    if owners and all(owners):
        return f"its pods are of {', '.join(owners)}, whose operator can move them"
    if eviction_webhooks:
        return f"evictions are answered by {', '.join(eviction_webhooks)}, whose operator can move the pod itself"
    return ""


def _role(budget: Json) -> str:
    """``key=value`` of the selector that names the leader; empty where none does."""
    selector = (budget.get("spec") or {}).get("selector") or {}
    wanted = [(key, [value]) for key, value in (selector.get("matchLabels") or {}).items()]
    wanted += [
        (rule["key"], rule.get("values") or [])
        for rule in selector.get("matchExpressions") or []
        if rule.get("operator") == "In"
    ]
    for key, values in wanted:
        if key.lower().endswith("role") and LEADERS.intersection(map(str.lower, values)):
            return f"{key}={values[0]}"
    return ""


def _owner(pod: Json) -> str:
    """Kind and group of an owner that is a custom resource, be it not the controller; empty where none is."""
    for owner in pod["metadata"].get("ownerReferences") or []:
        group, slash, _version = str(owner.get("apiVersion") or "").partition("/")
        if slash and group not in _PLAIN:
            return f"{owner.get('kind')}.{group}"
    return ""
