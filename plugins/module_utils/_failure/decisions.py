# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What the failure of a node means for the run, and how it is said. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.evergreen.kubeadm.plugins.module_utils._redaction import redact

Json = Mapping[str, t.Any]

STOP, SET_ASIDE = "stop", "set_aside"
_MOST_CHARACTERS = 2000
# What a node that is full or has no runtime says does explain why its pods do not go. Anything else that it says
# while it is drained is about something else.
_OF_A_DRAIN = ("disk_full", "read_only", "out_of_memory", "runtime_down", "unreachable")


class Failed(t.NamedTuple):
    """A task that failed on a host. `drain` tells that it was the drain, whose cause is in its own words."""

    host: str
    task: str
    message: str
    hint: str = ""
    drain: bool = False


class Verdict(t.NamedTuple):
    """Whether the run stops or goes on without the node, and why."""

    action: str
    reason: str


def judge(failed: Failed, *, can_be_spared: bool, others: Sequence[str], budget: int) -> Verdict:
    """`others` are the hosts that failed in this run, set aside or at this very moment.

    Only what can be spared is ever set aside, and only while all that failed
    are no more than `budget`: of two that fail at once where one may, neither is.
    """
    if not can_be_spared:
        return Verdict(STOP, "")
    count = len({failed.host, *others})
    if budget < 1:
        return Verdict(STOP, "No worker may fail: upgrade_max_failed_workers is 0.")
    if count > budget:
        return Verdict(STOP, f"{count} workers failed, and upgrade_max_failed_workers is {budget}.")
    return Verdict(SET_ASIDE, f"{count} of at most {budget} workers that may fail (upgrade_max_failed_workers).")


def read(host: str, task: str, result: Json) -> Failed:
    """What failed, from the result that Ansible keeps of it."""
    worst = _worst(result)
    message, hint = _text(worst.get("msg")), _text(worst.get("hint"))
    if not message or message.startswith("MODULE FAILURE"):
        for key in ("module_stderr", "stderr", "exception", "module_stdout", "reason"):
            lines = [line for line in _text(worst.get(key)).splitlines() if line.strip()]
            if lines:
                message = f"{message} {lines[-1].strip()}".strip()
                break
    if hint and message.endswith(hint):
        message = message[: -len(hint)].rstrip()
    return Failed(host, task, _short(redact(message)), _short(redact(hint)), "drain" in task.lower())


def says(failed: Failed, telling: Sequence[Json]) -> list[str]:
    """What the node itself says about it, a line each; nothing that the message has said."""
    lines = []
    for told in telling:
        kind, line = _text(told.get("kind")), redact(_text(told.get("line")))
        if not line or line in failed.message or (failed.drain and kind not in _OF_A_DRAIN):
            continue
        lines.append(f"{_text(told.get('source'))}: {line}")
    return lines


def sentence(failed: Failed, verdict: Verdict, said: Sequence[str], folder: str) -> str:
    """The last words of the task, the cause before the advice."""
    parts = [f"{failed.task or 'A task'} on {failed.host} failed: {failed.message or 'see above.'}"]
    if said:
        parts.append(f"The node says: {'; '.join(said)}")
    if failed.hint:
        parts.append(failed.hint)
    if folder:
        parts.append(f"More of it is in {folder}.")
    if verdict.reason:
        parts.append(verdict.reason)
    if verdict.action == SET_ASIDE:
        parts.append("The run goes on without this node. The next run takes it up again.")
    else:
        parts.append(
            "No other node was begun after this."
            " When the cause is gone, run the same command again: what is done is skipped."
        )
    return " ".join(
        part.rstrip() if part.rstrip().endswith((".", "!", "?", ":")) else f"{part.rstrip()}." for part in parts
    )


def _worst(result: Json) -> Json:
    """Of a loop the first item that failed."""
    items = result.get("results")
    if isinstance(items, Sequence) and not isinstance(items, str):
        for item in items:
            if isinstance(item, Mapping) and (item.get("failed") or item.get("unreachable")):
                return item
    return result


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _short(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + " ..."
