# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Which Event and which conditions of a Node tell the step that its upgrade is at. Pure: the time is handed in.

The condition types are those of KEP-5683 (alpha in Kubernetes 1.37). The KEP
leaves who writes them, and when they go, to the administrator.
"""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._redaction import redact

Json = dict[str, t.Any]

PLANNED, IN_PROGRESS = "MaintenancePlanned", "MaintenanceInProgress"
DRAINING, DRAINED = "DrainInProgress", "Drained"
TYPES = (PLANNED, IN_PROGRESS, DRAINING, DRAINED)
OURS = "evergreen.kubeadm: "
"""How the message of a condition begins that this collection has set: the KEP has no owner of a condition."""

NAMESPACE = "default"
"""Where Events about what is in no namespace belong (Kubernetes' validation of Events)."""
CONTROLLER = "evergreen.kubeadm/upgrade"
_NOTE_BYTES = 1024
_INSTANCE_BYTES = 128


class Step(t.NamedTuple):
    """What a step is told by. Of `conditions`, None is taken away and a text is the reason that it is set for."""

    event: str
    warning: bool
    sentence: str
    conditions: dict[str, str | None]


_NONE: dict[str, str | None] = dict.fromkeys(TYPES)
STEPS = {
    "planned": Step("", False, "The upgrade{to} is planned.", {PLANNED: "AdminRequested"}),
    "begun": Step("UpgradeBegun", False, "The upgrade{to} began.", {PLANNED: None, IN_PROGRESS: "AdminRequested"}),
    "draining": Step("", False, "The drain began.", {DRAINING: "AdminRequested", DRAINED: None}),
    "drained": Step("NodeDrained", False, "The node was drained.", {DRAINING: None, DRAINED: "DrainCompleted"}),
    "upgraded": Step("UpgradeSucceeded", False, "The upgrade{to} is done.", _NONE),
    "failed": Step("UpgradeFailed", True, "The upgrade{to} failed.", _NONE),
    "set_aside": Step("UpgradeSetAside", True, "The upgrade{to} failed, and the run went on without the node.", _NONE),
    "ended": Step("", False, "The run ended.", _NONE),
}


class Run(t.NamedTuple):
    """Whose step it is: the run, the version it goes to, and what is to be said beside the step."""

    run_id: str
    version: str = ""
    message: str = ""
    controller: str = CONTROLLER
    instance: str = ""


def sentence(step: str, run: Run) -> str:
    """What the step means, for people."""
    version = run.version.lstrip("v")
    said = STEPS[step].sentence.format(to=f" to {version}" if version else "")
    return f"{said} {redact(run.message).strip()}".strip()


def event(node: Json, step: str, run: Run, now: str) -> Json | None:
    """The Event of the step about `node`; None where the step has none.

    Its name is made of run, node, step and version, so that it cannot be there twice.
    """
    about = STEPS[step]
    if not about.event:
        return None
    metadata = node["metadata"]
    identity = "\0".join((run.run_id, metadata["name"], step, run.version))
    name = f"{metadata['name'][:200].rstrip('.-')}.{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "eventTime": now,
        "reportingController": run.controller,
        "reportingInstance": _cut(run.instance or run.run_id, _INSTANCE_BYTES),
        "action": "Upgrade",
        "reason": about.event,
        "type": "Warning" if about.warning else "Normal",
        "note": _cut(f"{sentence(step, run)} Run {run.run_id}.", _NOTE_BYTES),
        "regarding": {
            "apiVersion": "v1",
            "kind": "Node",
            "name": metadata["name"],
            "uid": metadata.get("uid", ""),
        },
    }


class Change(t.NamedTuple):
    """What happens to a condition: ``set``, ``removed``, or ``kept`` where somebody else has set it."""

    type: str
    action: str


def condition_changes(node: Json, step: str, run: Run, now: str) -> tuple[list[Change], Json | None]:
    """What the step changes, and the strategic merge patch of the status for it; None where nothing is to be done.

    A condition that somebody else has set stays as it is.
    """
    present = {entry["type"]: entry for entry in (node.get("status") or {}).get("conditions") or []}
    changes: list[Change] = []
    patches: list[Json] = []
    for kind, reason in STEPS[step].conditions.items():
        found = present.get(kind)
        if found and not is_ours(found):
            changes.append(Change(kind, "kept"))
            continue
        if reason is None:
            if found:
                changes.append(Change(kind, "removed"))
                patches.append({"type": kind, "$patch": "delete"})
            continue
        wanted = {"status": "True", "reason": reason, "message": f"{OURS}{sentence(step, run)} Run {run.run_id}."}
        if found and all(found.get(key) == value for key, value in wanted.items()):
            continue
        since = found.get("lastTransitionTime") if found and found.get("status") == "True" else None
        changes.append(Change(kind, "set"))
        patches.append({"type": kind, **wanted, "lastHeartbeatTime": now, "lastTransitionTime": since or now})
    return changes, {"status": {"conditions": patches}} if patches else None


def is_ours(condition: Json) -> bool:
    return str(condition.get("message") or "").startswith(OURS)


def _cut(text: str, most: int) -> str:
    """At most `most` bytes of `text`."""
    if len(text.encode()) <= most:
        return text
    return text.encode()[: most - 4].decode("utf-8", "ignore") + " ..."
