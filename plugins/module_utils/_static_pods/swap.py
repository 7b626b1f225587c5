# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What a swap of static pods is, and which step comes next: pure.

A swap stops the kubelet and static pods of a node once, replaces manifests,
and starts them once. Its steps are in a journal, so that it resumes where it
was interrupted, by a signal or by a power loss.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, replace

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError

JsonDict = dict[str, t.Any]

REJECT, STOP_KUBELET, STOP_POD, REPLACE = "reject_connections", "stop_kubelet", "stop_", "replace_manifests"
START_KUBELET, WAIT_READY = "start_kubelet", "wait_ready"
KEEP_LOGS, RESTORE = "keep_logs", "restore"
"""The names of the steps. STOP_POD is followed by the name of the pod."""

ATTEMPT, FOUND, BEGUN, FINISHED, TURNED, ENDED = "attempt", "found", "begun", "finished", "turned", "ended"
"""Kinds of journal entries: the program started, what it found, a step, the decision to restore, the outcome."""

DONE, PUT_BACK, FAILED = "done", "put_back", "failed"

NEEDS = {
    "kube-apiserver": "etcd",
    "kube-controller-manager": "kube-apiserver",
    "kube-scheduler": "kube-apiserver",
}
"""A component that ends when another one does not answer."""
ENDS = 2
"""How often a container may end before the new manifest counts as one that does not start."""


class SwapError(EvergreenError):
    """A swap that cannot be started, or whose end was not seen."""


@dataclass(frozen=True)
class SwappedPod:
    """One static pod: the manifest that the kubelet reads, the new one, and where a copy of the old one is kept."""

    name: str
    manifest: str
    new: str
    old: str


@dataclass(frozen=True)
class KeptFile:
    """A file of the state before, and where its copy is; empty where there was no file."""

    path: str
    kept: str


@dataclass(frozen=True)
class KubeletChange:
    """What is restored of the kubelet. `kept_binary` is empty where the binary does not change."""

    binary: str
    kept_binary: str = ""
    files: tuple[KeptFile, ...] = ()


@dataclass(frozen=True)
class Server:
    """The addresses and the port of this node's own API server."""

    addresses: tuple[str, ...]
    port: int


@dataclass(frozen=True)
class Swap:
    """A swap. The pods are in the order in which they stop."""

    swap_id: str
    purpose: str
    pods: tuple[SwappedPod, ...]
    server: Server | None = None
    notice_s: float = 2.0
    grace_s: float = 10.0
    ready_s: float = 120.0
    kubelet: KubeletChange | None = None

    def to_json(self) -> JsonDict:
        return asdict(self)

    @classmethod
    def from_json(cls, data: JsonDict) -> Swap:
        """Raises KeyError and TypeError where `data` is not what `to_json` gave."""
        server, kubelet = data["server"], data["kubelet"]
        return cls(
            **{
                **data,
                "pods": tuple(SwappedPod(**pod) for pod in data["pods"]),
                "server": Server(tuple(server["addresses"]), server["port"]) if server else None,
                "kubelet": KubeletChange(
                    kubelet["binary"], kubelet["kept_binary"], tuple(KeptFile(**file) for file in kubelet["files"])
                )
                if kubelet
                else None,
            }
        )


@dataclass(frozen=True)
class Outcome:
    """How a swap ended. `failed` is one after which neither the new nor the old components serve."""

    swap_id: str
    purpose: str
    outcome: str
    cause: str
    component: str
    logs: str
    steps: list[dict[str, str]]
    restarts: dict[str, int]

    def to_json(self) -> JsonDict:
        return asdict(self)

    @classmethod
    def from_json(cls, data: JsonDict) -> Outcome:
        return cls(**data)


def forward(swap: Swap) -> list[str]:
    """The steps of a swap that succeeds."""
    return [
        *([REJECT] if swap.server else []),
        STOP_KUBELET,
        *(STOP_POD + pod.name for pod in swap.pods),
        REPLACE,
        START_KUBELET,
        WAIT_READY,
    ]


def backward(swap: Swap) -> list[str]:
    """The steps after those of `forward` where the new components do not come up."""
    return [
        KEEP_LOGS,
        *([REJECT] if swap.server else []),
        STOP_KUBELET,
        *(STOP_POD + pod.name for pod in swap.pods),
        RESTORE,
        START_KUBELET,
        WAIT_READY,
    ]


def next_step(swap: Swap, entries: t.Sequence[JsonDict]) -> str:
    """The step that is to be done now; empty where none is left.

    What comes before the manifests are replaced is done again after an
    interruption, which left the kubelet running. What comes after them is not
    undone by it, but for the kubelet, which is seen to run each time.
    """
    turned = is_turned(entries)
    steps = backward(swap) if turned else forward(swap)
    part = list(entries)[_last(entries, TURNED) + 1 :]
    ever = finished(part)
    now = finished(part[_last(part, ATTEMPT) + 1 :])
    if steps[-1] in ever:
        return ""
    boundary = RESTORE if turned else REPLACE
    if boundary in ever:
        steps = steps[steps.index(boundary) + 1 :]
    return next(step for step in steps if step not in now)


def is_turned(entries: t.Sequence[JsonDict]) -> bool:
    """Whether the old state is to be restored."""
    return _last(entries, TURNED) >= 0


def unfinished_exchange(entries: t.Sequence[JsonDict]) -> str:
    """REPLACE or RESTORE where that was begun, or decided, and not finished: files of the two states may be mixed."""
    part = list(entries)[_last(entries, TURNED) + 1 :]
    step = RESTORE if is_turned(entries) else REPLACE
    begun = step == RESTORE or any(entry["kind"] == BEGUN and entry["step"] == step for entry in part)
    return step if begun and step not in finished(part) else ""


def finished(entries: t.Sequence[JsonDict]) -> set[str]:
    """The steps that were finished."""
    return {entry["step"] for entry in entries if entry["kind"] == FINISHED}


def is_resumed(entries: t.Sequence[JsonDict]) -> bool:
    """Whether the program was started before, so that containers may be just being made."""
    return sum(entry["kind"] == ATTEMPT for entry in entries) > 1


def reported_steps(entries: t.Sequence[JsonDict]) -> list[dict[str, str]]:
    """The steps with their times; `finished` is empty for one that was interrupted or failed."""
    steps: list[dict[str, str]] = []
    for entry in entries:
        if entry["kind"] == BEGUN:
            steps.append({"name": entry["step"], "started": entry["at"], "finished": ""})
        elif entry["kind"] == FINISHED and steps:
            steps[-1]["finished"] = entry["at"]
    return steps


def judge(swap: Swap, entries: t.Sequence[JsonDict], restarts: dict[str, int], logs: str) -> Outcome:
    """The outcome of a swap that has no step left."""
    turned = next((entry for entry in entries if entry["kind"] == TURNED), None)
    if turned is None:
        return Outcome(swap.swap_id, swap.purpose, DONE, "", "", "", reported_steps(entries), restarts)
    problems = [
        f"The old state is not back: {entry['problem']}"
        for entry in entries[entries.index(turned) :]
        if entry["kind"] == FINISHED and entry["step"] in (RESTORE, WAIT_READY) and entry["problem"]
    ]
    return Outcome(
        swap.swap_id,
        swap.purpose,
        FAILED if problems else PUT_BACK,
        " ".join([turned["cause"], *problems]),
        turned["component"],
        logs,
        reported_steps(entries),
        restarts,
    )


def outcome_of(entries: t.Sequence[JsonDict]) -> Outcome | None:
    """How the swap ended; None where it did not."""
    at = _last(entries, ENDED)
    return Outcome.from_json(entries[at]["outcome"]) if at >= 0 else None


def _last(entries: t.Sequence[JsonDict], kind: str) -> int:
    return max((number for number, entry in enumerate(entries) if entry["kind"] == kind), default=-1)


@dataclass(frozen=True)
class Seen:
    """A component as it is seen on the node.

    `starts` counts its container since the swap, or the restore, began; `runs`
    says whether one of these runs. `ends` are those that count, see `count_ends`.
    """

    name: str
    ready: bool
    starts: int
    runs: bool
    excused: int = 0

    @property
    def ends(self) -> int:
        return self.starts - self.runs - self.excused


def count_ends(seen: t.Sequence[Seen], before: t.Sequence[Seen]) -> list[Seen]:
    """`seen` with the ends excused that happened while what the component needs was not ready."""
    ready = {each.name: each.ready for each in seen}
    excused = {each.name: each.excused for each in before}
    return [
        replace(
            each,
            excused=each.starts - each.runs
            if not ready.get(NEEDS.get(each.name, ""), True)
            else excused.get(each.name, 0),
        )
        for each in seen
    ]


def failed(seen: t.Sequence[Seen]) -> str:
    """The component that does not start; empty where none is known not to. One that others need comes first."""
    return next((each.name for each in reversed(seen) if each.ends >= ENDS), "")
