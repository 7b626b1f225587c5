# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Give a static pod flags for a time, and see the component run with them.

The note about what was added is written before the manifest, and goes after
it: a node that loses its power in between has it noted still.
"""

from __future__ import annotations

import os
import signal
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state, _processes, _sockets, _yamlread
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.api import NoAnswer, Refused
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods import decisions, flags
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.decisions import StaticPodError

NOTES = f"{_node_state.STATE}/static-pod-flags"
POLL_S = 0.25
NOTICED_S = 30.0
"""By when a kubelet has seen a changed manifest: its fileCheckFrequency is 20 s where it has no other."""
PATIENCE_S = 30.0
"""What a kubelet grants a static pod to end (terminationGracePeriodSeconds)."""
SETTLE_S = 2.0
"""How long the new process has to stay. One that does not know a flag ends at once, and is started again."""


class Asking(t.Protocol):
    """What is asked of a component and of the API about it; see `_kubeadm.component`."""

    def ready(self) -> bool:
        """Whether the component says that it is ready. Raises NoAnswer and Refused."""

    def mirror_words(self) -> list[str] | None:
        """The command of the pod as the API has it, None where there is none. Raises NoAnswer and Refused."""


@dataclass(frozen=True)
class Target:
    """One static pod of a node."""

    name: str
    manifest: str
    note: str
    text: str
    noted: dict[str, list[str]]

    def words(self) -> list[str]:
        return decisions.words_of(_yamlread.load(self.text, typed=False), self.name)


def note_of(name: str, notes: str = NOTES) -> str:
    """The file of the note about a static pod."""
    return os.path.join(notes, f"{name}.json")


def look(name: str, folder: str, notes: str = NOTES) -> Target:
    """Read the manifest and the note about it. Raises StaticPodError."""
    manifest, note = os.path.join(folder, f"{name}.yaml"), note_of(name, notes)
    try:
        with open(manifest, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise StaticPodError(
            f"The manifest {manifest} could not be read: {error.strerror}.",
            hint="Run this as root on a control-plane node.",
        ) from None
    return Target(name, manifest, note, text, read_note(note))


def read_note(path: str) -> dict[str, list[str]]:
    """What was added to a static pod, by purpose. Raises StaticPodError."""
    try:
        return {str(purpose): [str(word) for word in words] for purpose, words in _node_state.read_json(path).items()}
    except (OSError, ValueError, TypeError) as error:
        raise StaticPodError(
            f"The note {path} about flags that were added for a time could not be read: {error}.",
            hint="Compare the manifest with what kubeadm writes (kubeadm upgrade diff), mend it, remove the note.",
        ) from None


def write_note(path: str, note: flags.Note) -> None:
    """Replace the note. Raises StaticPodError."""
    try:
        _node_state.write_json(path, note)
    except OSError as error:
        raise StaticPodError(f"The note {path} could not be written: {error.strerror}.") from None


def write(target: Target, change: flags.Change) -> None:
    """Write the note and the manifest, in the order that loses neither. Raises StaticPodError."""
    try:
        # Until the manifest is written, the note has what was added before as well.
        both = {name: list(words) for name, words in target.noted.items()}
        for name, words in change.note.items():
            both[name] = list(dict.fromkeys([*both.get(name, []), *words]))
        if both != target.noted:
            _node_state.write_json(target.note, both)
        if change.text != target.text:
            _node_state.replace(target.manifest, change.text.encode())
        if change.note and change.note != both:
            _node_state.write_json(target.note, change.note)
        elif not change.note:
            _node_state.remove(target.note)
    except OSError as error:
        raise StaticPodError(
            f"The flags of {target.name} could not be written: {error.filename or target.manifest}: {error.strerror}.",
            hint="See whether the disk is full. The manifest is the old one or the new one, never a part.",
        ) from None


def see_it_end(old: Target, new: Target, port: int, stop_s: float, deadline: Deadline) -> None:
    """Wait until the process of the old manifest is gone.

    The kubelet asks it to end when it sees the manifest. Nobody else must: at
    the second signal an API server ends at once (k8s.io/apiserver,
    SetupSignalHandler). `stop_s` seconds after it has closed its port it is
    killed: without flags for an ordered end it waits for its watches to end,
    which they do not. One that has them is left to the kubelet's patience.
    Raises StaticPodError at the deadline.
    """
    words = old.words()
    ordered = decisions.ends_in_order(words)
    began, ending = time.monotonic(), 0.0
    while words != new.words():
        left = _processes.running(words)
        if not left:
            return
        now = time.monotonic()
        if not ending and (not _sockets.listens(port) or now - began > NOTICED_S):
            ending = now
        if ending and not ordered and now - ending >= stop_s:
            for each in left:
                _signal(each, signal.SIGKILL)
        _go_on(new, f"process {left[0]} of before still runs", deadline)


def see_it_run(new: Target, asking: Asking, deadline: Deadline) -> None:
    """Wait until the component runs as its manifest says, and the API has it so.

    Raises StaticPodError at the deadline.
    """
    words = new.words()
    since, pid = 0.0, 0
    while True:
        running, now = _processes.running(words), time.monotonic()
        if running[:1] != [pid]:
            pid, since = (running[0], now) if running else (0, now)
        ready, lacking = _ready(asking)
        if not pid or now - since < SETTLE_S:
            lacking = "no process of it stays"
        elif ready:
            lacking = _mirrored(asking, words)
        if not lacking:
            return
        _go_on(new, lacking, deadline)


def _go_on(pod: Target, lacking: str, deadline: Deadline) -> None:
    if deadline.expired():
        raise StaticPodError(
            f"{pod.name} is not as its changed manifest says after {deadline.seconds:g} s: {lacking}.",
            hint="See crictl ps --all, the log of its container, and journalctl --unit kubelet on this node.",
        )
    deadline.sleep(POLL_S)


def end(target: Target, stop_s: float, deadline: Deadline) -> None:
    """Ask the component to end, and wait until it has: for the time in which the kubelet is stopped.

    A kubelet that starts and finds a changed manifest gives the process of the
    pod of before a second, which is no ordered end
    (pkg/kubelet/pod_workers.go, SyncTerminatingRuntimePod). One that
    has flags for an ordered end has the kubelet's own patience, another
    `stop_s` seconds; what still runs then is left to the kubelet.
    """
    words = target.words()
    patience = Deadline(deadline.clip(PATIENCE_S if decisions.ends_in_order(words) else stop_s))
    for each in _processes.running(words):
        _signal(each, signal.SIGTERM)
    while _processes.running(words) and not patience.expired():
        patience.sleep(POLL_S)


def wait_ready(asking: Asking, name: str, deadline: Deadline) -> None:
    """Wait until a component that the kubelet starts says that it is ready. Raises StaticPodError at the deadline."""
    while True:
        ready, problem = _ready(asking)
        if ready:
            return
        if deadline.expired():
            raise StaticPodError(
                f"The kubelet was started and {name} does not serve after {deadline.seconds:g} s: {problem}.",
                hint="See crictl ps --all, the log of its container, and journalctl --unit kubelet on this node.",
            )
        deadline.sleep(POLL_S)


def _ready(asking: Asking) -> tuple[bool, str]:
    """Whether the component is ready, and why not."""
    try:
        return (True, "") if asking.ready() else (False, "it is not ready")
    except (NoAnswer, Refused) as error:
        return False, error.message.rstrip(".")


def _mirrored(asking: Asking, words: t.Sequence[str]) -> str:
    """Why the API does not show the pod with this command; empty where it does."""
    try:
        return "" if asking.mirror_words() == list(words) else "the API does not show its new pod"
    except (NoAnswer, Refused) as error:
        return error.message.rstrip(".")


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it has just ended
