# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What the answer to an eviction means for the pod."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.errors import (
    ApiStatusError,
    ApiUnreachable,
    webhook_that_denied,
    webhook_that_failed,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.retry import FIRST_PAUSE_S, pause_after
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import Json

_BUDGET = re.compile(
    r"disruption budget (?P<name>\S+) (?:needs (?P<needed>\d+) healthy pods and has (?P<healthy>\d+) currently)?"
)
_OTHER_UID = re.compile(r"UID in (?:the )?precondition|uid mismatch", re.IGNORECASE)
# How long to be quiet at most after a webhook's refusals, unless wait_sleep is longer.
LONGEST_PAUSE_S = 30.0
_SEVERAL_BUDGETS = "more than one PodDisruptionBudget"

_Error = t.Union[ApiStatusError, ApiUnreachable, None]


@dataclass(frozen=True)
class Verdict:
    """`kind` is ``evicted``, ``gone``, ``retry`` (after `after_s` seconds) or ``failed``.

    `blocked_by` is ``{kind, name, message, healthy, needed}`` for the last two; its
    kind is ``budget``, ``webhook``, ``namespace``, ``flow_control``, ``api_server`` or ``refused``.
    """

    kind: str
    after_s: float = 0.0
    blocked_by: Json | None = None


def judge_answer(error: _Error, *, attempt: int, wait_sleep: float, after_outage: bool) -> Verdict:
    """What to do after the `attempt`-th try (from 1) to remove a pod; `error` of None is success.

    `after_outage` says that the API server was away a moment ago, when 401 and
    403 may only mean that its caches are not filled yet.
    """
    if error is None:
        return Verdict("evicted")
    if isinstance(error, ApiUnreachable):
        pause = pause_after(error, attempt)
        block = _block("api_server", None, error.message)
        return Verdict("failed", blocked_by=block) if pause is None else Verdict("retry", pause, block)
    message = error.server_message or error.message
    denied = webhook_that_denied(message)
    if denied:
        # Whatever its status: it may be about to move the pod itself, as KubeVirt's and Strimzi's are.
        pause = min(max(wait_sleep, LONGEST_PAUSE_S), max(wait_sleep, FIRST_PAUSE_S) * 2 ** min(attempt - 1, 10))
        return Verdict("retry", error.retry_after or pause, _block("webhook", denied, message))
    if error.status == 404:
        # Something else than an API server, such as a load balancer, may answer 404 to everything.
        if (error.body.get("details") or {}).get("kind") == "pods":
            return Verdict("gone")
        return Verdict("retry", wait_sleep, _block("api_server", None, error.message))
    if error.status == 409:
        # The pod of that UID is gone and another has its name.
        if _OTHER_UID.search(message):
            return Verdict("gone")
        return Verdict("retry", 1.0, _block("api_server", None, message))
    return _judge_refusal(error, message, attempt, wait_sleep, after_outage)


def _judge_refusal(error: ApiStatusError, message: str, attempt: int, wait_sleep: float, after_outage: bool) -> Verdict:
    failed = webhook_that_failed(message)
    if failed:
        # Its backend may be one of the pods that move.
        return Verdict("retry", wait_sleep, _block("webhook", failed, message))
    if error.status == 500 and _SEVERAL_BUDGETS in message:
        return Verdict("retry", wait_sleep, _block("budget", None, message))
    if error.has_cause("DisruptionBudget"):
        return Verdict("retry", error.retry_after or wait_sleep, budget_block(error))
    if error.has_cause("NamespaceTerminating"):
        # Nothing can be created there any more, not even an eviction; the namespace's end removes the pod.
        return Verdict("retry", wait_sleep, _block("namespace", None, message))
    pause = pause_after(error, attempt, starting=after_outage)
    if pause is None and error.status >= 500:
        pause = max(wait_sleep, FIRST_PAUSE_S)
    if pause is not None:
        kind = "flow_control" if error.status == 429 else "api_server"
        return Verdict("retry", pause, _block(kind, None, message))
    text = f"{message.rstrip('.')}. {error.hint}".strip() if error.hint else message
    return _failed(_block("refused", None, text))


def budget_block(error: ApiStatusError) -> Json:
    """Name, healthy and needed pods of the budget that said no."""
    messages = [cause.get("message") or "" for cause in error.causes if cause.get("reason") == "DisruptionBudget"]
    message = messages[0] if messages else error.server_message
    found = _BUDGET.search(message)
    block = _block("budget", found["name"] if found else None, message)
    if found and found["needed"]:
        block.update(needed=int(found["needed"]), healthy=int(found["healthy"]))
    return block


def _failed(block: Json) -> Verdict:
    return Verdict("failed", blocked_by=block)


def _block(kind: str, name: str | None, message: str) -> Json:
    return {"kind": kind, "name": name, "message": message, "healthy": None, "needed": None}
