# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Run kubeadm so that it outlives the task that started it.

A control-plane node is at its weakest in the middle of ``kubeadm upgrade``,
with one manifest moved away and the next not yet moved in. kubeadm must not
die there because the controller or the connection did, so it runs in a
session of its own and writes to files, not to a pipe whose reader may go. A
later task finds it and waits for its end instead of starting a second one.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import time
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import decisions, manifests
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import JsonDict, Line, Ran

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
POLL_S = 0.2
GRACE_S = 5.0
"""Between SIGTERM and SIGKILL at the deadline."""


class Busy(EvergreenError):
    """Another task of this collection was at work on the node until the deadline."""


class Runner:
    """The one run of kubeadm on a node, and the note that it leaves there while it is not finished."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.folder = node.path(_node_state.STATE)
        self._note = str(self.folder / "kubeadm-upgrade.json")
        self._lock: t.IO[str] | None = None

    def acquire(self, deadline: Deadline) -> float:
        """Keep other tasks away until this process ends, and give the seconds that were waited for another one.

        A task outlives a run that was killed: nobody tells its process on the
        node. Raises Busy at the deadline.
        """
        _node_state.make_folder(str(self.folder))
        begin = time.monotonic()
        # Not emptied: the one that has the lock has written there who it is.
        self._lock = (self.folder / "kubeadm-upgrade.lock").open("a+")
        waited = False
        while not _locked(self._lock):
            waited = True
            if deadline.expired():
                message, hint = decisions.busy(
                    self._holder(), self.running(), self.node.node_name(), time.monotonic() - begin
                )
                raise Busy(message, hint=hint)
            deadline.sleep(POLL_S)
        self._lock.truncate(0)
        holder = {"pid": os.getpid(), "pid_started": self._started(os.getpid()), "started": time.time()}
        self._lock.write(json.dumps(holder) + "\n")
        self._lock.flush()
        return time.monotonic() - begin if waited else 0.0

    def _holder(self) -> JsonDict:
        """Who has the lock; empty where that is not known: it may be about to write it down."""
        try:
            found = _node_state.read_json(str(self.folder / "kubeadm-upgrade.lock"))
        except (OSError, ValueError):
            return {}
        return found if self.is_alive(found) else {}

    def unfinished(self) -> JsonDict:
        """The note of a run that nobody has seen succeed; empty where there is none."""
        try:
            return _node_state.read_json(self._note)
        except (OSError, ValueError):
            return {}

    def is_alive(self, note: JsonDict) -> bool:
        """Whether the process of a note still runs. The start time tells it from a later process of the same id."""
        return bool(note.get("pid")) and self._started(int(note["pid"])) == note.get("pid_started")

    def running(self) -> JsonDict:
        """The note of a kubeadm that still runs, whoever started it; empty where there is none."""
        note = self.unfinished()
        return note if self.is_alive(note) else {}

    def finished(self) -> None:
        """Success was proven: nothing is left to come back to."""
        for path in (self._note, str(self._log("stdout")), str(self._log("stderr"))):
            _node_state.remove(path)

    def run(self, argv: list[str], target: str, deadline: Deadline, proxies: dict[str, str] | None = None) -> Ran:
        """Start kubeadm and wait for its end; at the deadline its process group is ended.

        `proxies` take the place of the proxy variables of this process.
        """
        note: JsonDict = {"target": target, "argv": argv, "started": time.time()}
        _node_state.write_json(self._note, note)
        with self._log("stdout").open("wb") as stdout, self._log("stderr").open("wb") as stderr:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                cwd="/",
                env={**environment(proxies), "LC_ALL": "C"},
            )
        _node_state.write_json(self._note, {**note, "pid": process.pid, "pid_started": self._started(process.pid)})
        lines, timed_out = self._follow(process.pid, lambda: process.poll() is not None, deadline)
        rc = process.wait()
        return Ran(argv=argv, rc=None if timed_out else rc, lines=lines, timed_out=timed_out)

    def attach(self, note: JsonDict, deadline: Deadline) -> Ran:
        """Wait for the end of a kubeadm that an earlier task started."""
        lines, timed_out = self._follow(int(note["pid"]), lambda: not self.is_alive(note), deadline)
        return Ran(
            argv=list(note["argv"]),
            rc=None,
            lines=lines,
            timed_out=timed_out,
            attached=True,
            pid=int(note["pid"]),
            started=float(note.get("started") or 0),
        )

    def _follow(self, pid: int, ended: t.Callable[[], bool], deadline: Deadline) -> tuple[list[Line], bool]:
        tails = [_Tail(self._log(name), name) for name in ("stdout", "stderr")]
        lines: list[Line] = []
        timed_out = False
        while True:
            over = ended()
            for tail in tails:
                lines += tail.read(last=over)
            if over:
                return lines, timed_out
            if deadline.expired():
                timed_out = True
                _end_group(pid, ended)
                continue
            deadline.sleep(POLL_S)

    def _log(self, stream: str) -> Path:
        return self.folder / f"kubeadm-upgrade.{stream}"

    def _started(self, pid: int) -> str:
        """Ticks after boot at which a process started (proc(5), stat field 22); empty where it is gone or a zombie."""
        fields = (self.node.read(f"/proc/{pid}/stat") or "").rpartition(")")[2].split()
        return fields[19] if len(fields) > 19 and fields[0] != "Z" else ""


class _Tail:
    """Reads what was appended to a file since the last look, as whole lines with the time of the look."""

    def __init__(self, path: Path, stream: str) -> None:
        self.path = path
        self.stream = stream
        self.offset = 0
        self.rest = b""

    def read(self, *, last: bool) -> list[Line]:
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                new = file.read()
        except OSError:
            new = b""
        self.offset += len(new)
        whole = (self.rest + new).split(b"\n")
        self.rest = whole.pop()
        if last and self.rest:
            whole.append(self.rest)
            self.rest = b""
        now = time.time()
        return [Line(at=now, stream=self.stream, text=plain_text(line)) for line in whole]


def environment(proxies: dict[str, str] | None) -> dict[str, str]:
    """That of this process, with these proxy variables in place of its own; None leaves them."""
    if proxies is None:
        return dict(os.environ)
    own = manifests.proxy_variables(os.environ)
    return {**{name: value for name, value in os.environ.items() if name not in own}, **proxies}


def _locked(file: t.IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def plain_text(line: bytes) -> str:
    """A line without the colours that kubeadm's system verification writes even where there is no terminal."""
    return _COLOUR.sub("", line.decode("utf-8", "replace")).rstrip("\r")


def _end_group(pid: int, ended: t.Callable[[], bool]) -> None:
    """SIGTERM, then SIGKILL, to kubeadm and what it started: it leads a process group of its own."""
    for number, patience in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, GRACE_S)):
        try:
            os.killpg(pid, number)
        except ProcessLookupError:
            return
        until = time.monotonic() + patience
        while time.monotonic() < until and not ended():
            time.sleep(0.05)
        if ended():
            return
