# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Reads the end of a file or of what a command prints, bounded in bytes and in time."""

from __future__ import annotations

import os
import selectors
import signal
import stat
import subprocess
import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline

_PIECE = 1 << 16


class Unreadable(Exception):
    """A source that gave nothing; the message says why."""


class Part(t.NamedTuple):
    """The end of a source as text, and how many bytes before it were left out."""

    text: str
    left_out: int
    written: float | None = None
    """When a file was last written, seconds since the epoch; None for what was asked just now."""


def tail_of(path: str, most: int) -> Part:
    """The last `most` bytes of a regular file, from the beginning of a line. Raises Unreadable."""
    try:
        # What stands there may be a FIFO, which would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise Unreadable(f"{path} is no regular file")
            # Files of /proc say that they are empty.
            left_out = max(0, found.st_size - most)
            file.seek(left_out)
            return _whole_lines(file.read(most), left_out)._replace(written=found.st_mtime)
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None


def output_of(argv: t.Sequence[str], most: int, timeout_s: float, deadline: Deadline) -> Part:
    """The last `most` bytes of what a command prints on both streams, whatever its exit code. Raises Unreadable.

    At its end, or that of `deadline`, it is ended, and what it printed until then is given.
    """
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "LC_ALL": "C", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0", "COLUMNS": "400"},
        )
    except OSError as error:
        raise Unreadable(f"{argv[0]}: {error.strerror}") from None
    content, seen = bytearray(), 0
    end = _earlier(timeout_s, deadline)
    with t.cast("t.IO[bytes]", process.stdout) as stream, selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        in_time = True
        while True:
            in_time = bool(selector.select(end.remaining()))
            piece = os.read(stream.fileno(), _PIECE) if in_time else b""
            if not piece:
                break
            seen += len(piece)
            content += piece
            del content[: max(0, len(content) - most)]
            in_time = not end.expired()
            if not in_time:
                break
        if not in_time:
            _kill(process)
    process.wait()
    if not in_time and not content:
        raise Unreadable(f"{argv[0]} gave no answer in time")
    if process.returncode and not content:
        raise Unreadable(f"{argv[0]} ended with {process.returncode} and said nothing")
    return _whole_lines(bytes(content), seen - len(content))


def _earlier(timeout_s: float, deadline: Deadline) -> Deadline:
    return type(deadline)(deadline.clip(timeout_s))


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the command and what it started: it leads a process group of its own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _whole_lines(content: bytes, left_out: int) -> Part:
    """Half a line at the beginning is left out: the name that tells a secret may be in its other half."""
    if left_out:
        half, newline, rest = content.partition(b"\n")
        content, left_out = rest, left_out + len(half) + len(newline)
    return Part(content.decode("utf-8", "replace"), left_out)
