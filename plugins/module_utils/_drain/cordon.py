# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Who cordoned a node, and the patches that cordon and uncordon it."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import Json

ANNOTATION = "evergreen.kubeadm/cordoned-by"
BY = "evergreen.kubeadm.drain_node"
# The name under which the API server notes which fields this tool set.
FIELD_MANAGER = "evergreen-kubeadm"


def is_cordoned(node: Json) -> bool:
    return bool((node.get("spec") or {}).get("unschedulable"))


def note_of(node: Json) -> Json | None:
    """The ownership annotation, ``{by, run, at}``; ``{}`` where its text cannot be read, None without it."""
    text = (node["metadata"].get("annotations") or {}).get(ANNOTATION)
    if text is None:
        return None
    try:
        note = json.loads(text)
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}


def is_ours(node: Json) -> bool:
    """Whether the node is cordoned, and by this tool, in whatever run.

    The annotation alone would claim a cordon that somebody made after having
    uncordoned the node by hand. So the API server's own record of who set
    ``spec.unschedulable`` (managedFields) must agree, where it has one.
    """
    if not is_cordoned(node) or note_of(node) is None:
        return False
    setters = _setters(node)
    return not setters or FIELD_MANAGER in setters


def since(node: Json) -> str:
    """When this tool cordoned the node, by the API server's clock; empty where it did not, or that is not known."""
    return _setters(node).get(FIELD_MANAGER, "") if is_ours(node) else ""


def _setters(node: Json) -> dict[str, str]:
    """Who set ``spec.unschedulable``, and when each of them changed the Node last."""
    return {
        str(entry.get("manager")): str(entry.get("time") or "")
        for entry in node["metadata"].get("managedFields") or []
        if "f:unschedulable" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    }


def cordon_patch(node: Json, run: str, at: str) -> Json | None:
    """The merge patch that cordons `node` in the name of `run`; None where it is cordoned already.

    The resourceVersion makes it fail where somebody else was faster, whose
    cordon would otherwise be taken for ours.
    """
    if is_cordoned(node):
        return None
    note = json.dumps({"by": BY, "run": run, "at": at}, sort_keys=True)
    return {
        "metadata": {"resourceVersion": node["metadata"]["resourceVersion"], "annotations": {ANNOTATION: note}},
        "spec": {"unschedulable": True},
    }


def uncordon_patch(node: Json, *, only_own: bool) -> Json | None:
    """The merge patch that makes `node` schedulable; None where nothing is to be done.

    With `only_own` somebody else's cordon stays. An annotation that is left on
    a schedulable node is removed, since it says what is not so.
    """
    stale = note_of(node) is not None
    if is_cordoned(node) and only_own and not is_ours(node):
        return None
    if not is_cordoned(node) and not stale:
        return None
    patch: Json = {"metadata": {"resourceVersion": node["metadata"]["resourceVersion"]}}
    if stale:
        patch["metadata"]["annotations"] = {ANNOTATION: None}
    if is_cordoned(node):
        patch["spec"] = {"unschedulable": None}
    return patch


def patched(node: Json, patch: Json | None) -> Json:
    """`node` as `patch` leaves it, as far as cordons go: for predictions."""
    if patch is None:
        return node
    metadata, spec = dict(node["metadata"]), dict(node.get("spec") or {})
    metadata["annotations"] = _merged(metadata.get("annotations") or {}, patch["metadata"].get("annotations") or {})
    metadata["managedFields"] = []
    return {**node, "metadata": metadata, "spec": _merged(spec, patch.get("spec") or {})}


def _merged(old: Json, new: Json) -> Json:
    return {key: value for key, value in {**old, **new}.items() if value is not None}


def describe(node: Json) -> dict[str, t.Any]:
    """``{node, unschedulable, by_us, run, at}`` for results."""
    note = note_of(node) or {}
    ours = is_ours(node)
    return {
        "node": node["metadata"]["name"],
        "unschedulable": is_cordoned(node),
        "by_us": ours,
        "run": note.get("run") if ours else None,
        "at": note.get("at") if ours else None,
    }
