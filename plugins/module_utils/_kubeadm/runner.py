# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Run kubeadm so that it outlives the task that started it, and never two of it at a time.

kubeadm must not die because the controller or the connection did, so it runs
in a session of its own, writes to files, and has the lock of its task as an
open file: the lock is free when both have ended. A later task waits for it,
and for a kubeadm upgrade that a person started.
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

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state, _processes
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import decisions, manifests
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import JsonDict, Line, Ran
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import KUBEADM_TMP, MANIFESTS

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
POLL_S = 0.2
GRACE_S = 5.0
"""Between SIGTERM and SIGKILL at the deadline."""


class Busy(EvergreenError):
    """Another task of this collection, or a kubeadm, was at work on the node until the deadline."""


class Runner:
    """The runs of kubeadm on a node, and the note that is there while an upgrade is not finished."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.folder = node.path(_node_state.STATE)
        self._note = str(self.folder / "kubeadm-upgrade.json")
        self._lock: t.IO[str] | None = None

    def acquire(self, deadline: Deadline) -> float:
        """Keep other tasks away until this process and its kubeadm end, and give the seconds that were waited.

        Raises Busy at the deadline.
        """
        _node_state.make_folder(str(self.folder))
        begin = time.monotonic()
        # Not emptied: the one that has the lock has written there who it is.
        self._lock = (self.folder / "kubeadm-upgrade.lock").open("a+")
        waited = False
        while not _locked(self._lock) or self.kubeadms():
            waited = True
            if deadline.expired():
                message, hint = decisions.busy(
                    self._holder(), self.kubeadms(), self.node.node_name(), time.monotonic() - begin
                )
                raise Busy(message, hint=hint)
            deadline.sleep(POLL_S)
        self._lock.truncate(0)
        holder = {"pid": os.getpid(), "pid_started": self._started(os.getpid()), "started": time.time()}
        self._lock.write(json.dumps(holder) + "\n")
        self._lock.flush()
        return time.monotonic() - begin if waited else 0.0

    def kubeadms(self) -> list[int]:
        """The processes of a kubeadm that upgrades this node, whoever started it. One in a container is of another."""
        own = self._namespace("self")
        found = [each.pid for each in _processes.every(str(self.node.path("/proc"))) if _upgrades(each.words)]
        return [pid for pid in found if self._namespace(str(pid)) == own]

    def _namespace(self, process: str) -> str:
        try:
            return os.readlink(self.node.path(f"/proc/{process}/ns/pid"))
        except OSError:
            return ""

    def _holder(self) -> JsonDict:
        """The task that has the lock; empty where that is not known: it may be about to write it down."""
        try:
            found = _node_state.read_json(str(self.folder / "kubeadm-upgrade.lock"))
        except (OSError, ValueError):
            return {}
        # The start time tells it from a later process of the same id.
        alive = bool(found.get("pid")) and self._started(int(found["pid"])) == found.get("pid_started")
        return found if alive and int(found["pid"]) != os.getpid() else {}

    def unfinished(self) -> JsonDict:
        """The note of an upgrade that nobody has seen succeed; empty where there is none."""
        try:
            return _node_state.read_json(self._note)
        except (OSError, ValueError):
            return {}

    def begin(self, target: str) -> None:
        """Note that the node is being upgraded. The start is that of the first task for this target."""
        started = self.unfinished()
        if started.get("target") != target:
            _node_state.write_json(self._note, {"target": target, "started": time.time()})

    def finished(self) -> None:
        """Nothing is left to come back to."""
        for path in (self._note, str(self._log("stdout")), str(self._log("stderr"))):
            _node_state.remove(path)

    def restore_manifests(self, missing: t.Sequence[str]) -> list[str]:
        """Copy back manifests that an interrupted kubeadm of the note had moved away; gives the files. Raises OSError.

        No kubeadm may run. A folder from before the upgrade is of another one, and is left alone.
        """
        note = self.unfinished()
        restored = []
        for name in missing if note else ():
            folders = [
                f"{KUBEADM_TMP}/{each}"
                for each in self.node.names(KUBEADM_TMP)
                if each.startswith("kubeadm-backup-manifests-")
                and self.node.modified(f"{KUBEADM_TMP}/{each}") >= float(note.get("started") or 0) - 1
                and self.node.exists(f"{KUBEADM_TMP}/{each}/{name}")
            ]
            content = self.node.read_bytes(f"{max(folders, key=self.node.modified)}/{name}") if folders else None
            if content:
                _node_state.replace(str(self.node.path(f"{MANIFESTS}/{name}")), content)
                restored.append(name)
        return restored

    def run(self, argv: list[str], deadline: Deadline, proxies: t.Mapping[str, str] | None = None) -> Ran:
        """Start kubeadm and wait for its end; at the deadline its process group is ended.

        `proxies` take the place of the proxy variables of this process.
        """
        tails = [_Tail(self._log(name), name) for name in ("stdout", "stderr")]
        with self._log("stdout").open("ab") as stdout, self._log("stderr").open("ab") as stderr:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                pass_fds=[self._lock.fileno()] if self._lock else [],
                cwd="/",
                env={**environment(proxies), "LC_ALL": "C"},
            )
        lines: list[Line] = []
        timed_out = False
        while True:
            over = process.poll() is not None
            for tail in tails:
                lines += tail.read(last=over)
            if over:
                return Ran(argv=argv, rc=None if timed_out else process.wait(), lines=lines, timed_out=timed_out)
            if deadline.expired():
                timed_out = True
                _end_group(process)
                continue
            deadline.sleep(POLL_S)

    def _log(self, stream: str) -> Path:
        return self.folder / f"kubeadm-upgrade.{stream}"

    def _started(self, pid: int) -> str:
        """Ticks after boot at which a process started (proc(5), stat field 22); empty where it is gone or a zombie."""
        fields = (self.node.read(f"/proc/{pid}/stat") or "").rpartition(")")[2].split()
        return fields[19] if len(fields) > 19 and fields[0] != "Z" else ""


class _Tail:
    """Reads what is appended to a file from now on, as whole lines with the time of the look."""

    def __init__(self, path: Path, stream: str) -> None:
        self.path = path
        self.stream = stream
        self.offset = path.stat().st_size if path.exists() else 0
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


def _upgrades(words: t.Sequence[str]) -> bool:
    """Whether a command line is that of a kubeadm which may change this node."""
    rest = [word for word in words[1:] if not word.startswith("-")]
    rest = rest[rest.index("upgrade") + 1 :] if "upgrade" in rest else []
    return os.path.basename(words[0]) == "kubeadm" and rest[:1] in (["apply"], ["node"])


def environment(proxies: t.Mapping[str, str] | None) -> dict[str, str]:
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


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, then SIGKILL, to kubeadm and what it started: it leads a process group of its own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            pass  # it has just ended
        return
