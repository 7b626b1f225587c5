# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""JSON-lines files of a run: its journal, and what the probe saw.

One line is one JSON object with at least ``time``. Readers skip what they
cannot read, because a run that was killed may leave half a line.
"""

from __future__ import annotations

import datetime
import fcntl
import json
import os
import typing as t
from collections.abc import Callable, Iterable, Mapping

from ansible_collections.evergreen.kubeadm.plugins.module_utils._artifacts import make_folder
from ansible_collections.evergreen.kubeadm.plugins.module_utils._redaction import HIDDEN, names_a_secret, redact

EVENTS = (
    "run_started",
    "run_finished",
    "run_failed",
    "run_stopped",
    "plan",
    "hop",
    "step",
    "evictions",
    "finding",
    "bypass",
    "verified",
    "set_aside",
    "note",
)
STATUSES = ("started", "finished", "failed")


def plain(value: t.Any, name: str = "") -> t.Any:
    """`value` as plain JSON types, without secrets.

    A text under the name of a secret, and what looks like one in any other,
    becomes ``(hidden)``: a journal is shown to people and kept as an artifact.
    """
    return _exact(value, lambda text, key: HIDDEN if text and names_a_secret(key) else redact(text), name)


def untagged(value: t.Any) -> t.Any:
    """`value` as plain JSON types, with all that is in it."""
    return _exact(value, lambda text, _key: text)


def _exact(value: t.Any, shown: Callable[[str, str], str], name: str = "") -> t.Any:
    """Accepts what a task's arguments can be: subclasses of the built-in types that carry tags (ansible-core 2.19),
    dates from YAML, sets, bytes. `shown` gets each text and the key that it is under.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {plain_text(key): _exact(item, shown, plain_text(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_exact(item, shown, name) for item in value]
    if isinstance(value, (set, frozenset)):
        return [_exact(item, shown, name) for item in sorted(value, key=str)]
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    return shown(plain_text(value), name)


def plain_text(value: object) -> str:
    """`value` as an exact str: decoding makes a new one, which drops a subclass and its tags."""
    content = bytes(value) if isinstance(value, (bytes, bytearray)) else str(value).encode("utf-8", "replace")
    return content.decode("utf-8", "replace")


def entry(
    *,
    time: str,
    host: str,
    event: str,
    name: str | None = None,
    status: str | None = None,
    data: Mapping[str, t.Any] | None = None,
) -> dict[str, t.Any]:
    """One journal entry; keys without a value are left out."""
    made: dict[str, t.Any] = {"time": plain_text(time), "host": plain_text(host), "event": plain_text(event)}
    if name:
        made["name"] = plain(name)
    if status:
        made["status"] = plain_text(status)
    if data:
        made["data"] = plain(data)
    return made


def obstacle(path: str) -> str:
    """What keeps a file from being written at `path`, in words; empty where nothing is seen to."""
    folder = os.path.abspath(path)
    if os.path.lexists(folder) and not (os.path.isfile(folder) and os.access(folder, os.W_OK)):
        return f"{folder} is no file that can be written"
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    if os.path.isfile(folder) and folder != os.path.abspath(path):
        return f"{folder} is no folder"
    folder = folder if os.path.isdir(folder) else os.path.dirname(folder)
    return "" if os.access(folder, os.W_OK | os.X_OK) else f"nothing can be written in {folder}"


def append(path: str, line: Mapping[str, t.Any], *, fresh: bool = False) -> None:
    """Add `line` to the file at `path` in one write, and return when it is on disk.

    `fresh` starts a new file: an old one is kept beside it as ``path.1``.
    Several hosts' tasks write at once, so the file is locked; a writer that
    got the lock of a file which was moved aside meanwhile opens the new one.
    Raises OSError.
    """
    directory = os.path.dirname(os.path.abspath(path))
    make_folder(directory)
    content = (json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n").encode("utf-8", "replace")
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not _is_file_at(descriptor, path):
                continue
            if fresh and os.fstat(descriptor).st_size:
                os.replace(path, path + ".1")
                continue
            os.write(descriptor, _after_half_line(descriptor) + content)
            os.fsync(descriptor)
            return
        finally:
            os.close(descriptor)


def _is_file_at(descriptor: int, path: str) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    here = os.fstat(descriptor)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def _after_half_line(descriptor: int) -> bytes:
    """A newline where the last writer died in the middle of a line, so that only that line is lost."""
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        return b"\n"
    return b""


def parse(lines: Iterable[str]) -> list[dict[str, t.Any]]:
    """The JSON objects of `lines`, in order; a damaged line is left out."""
    found = []
    for line in lines:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def read(path: str) -> list[dict[str, t.Any]]:
    """The entries of the file at `path`. Raises OSError."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return parse(file)
