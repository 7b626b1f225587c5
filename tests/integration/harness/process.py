# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs that tests start, and the certainty that they end."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
import time
import typing as t
from pathlib import Path

# Runs beside the tests and holds the read end of a pipe. However the tests end,
# the pipe closes then, and what is still registered is killed.
_GUARD = """
import os, signal, sys
left = set()
for line in sys.stdin:
    sign, pid = line[0], int(line[1:])
    (left.add if sign == "+" else left.discard)(pid)
for pid in left:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""


@functools.cache
def _guard() -> t.IO[str]:
    """The writing end of the guard's pipe."""
    started = subprocess.Popen([sys.executable, "-c", _GUARD], stdin=subprocess.PIPE, text=True, start_new_session=True)
    return t.cast("t.IO[str]", started.stdin)


def _tell_guard(sign: str, pid: int) -> None:
    _guard().write(f"{sign}{pid}\n")
    _guard().flush()


# Below the ports that the kernel gives to connections on its own (ip(7), ip_local_port_range), so that none of them
# takes a port between its choice and its use.
_FIRST_PORT, _PORTS_EACH = 15000, 4000


@functools.cache
def _port_numbers() -> t.Iterator[int]:
    """The ports of this process of the tests, each once; beside it others of pytest-xdist have theirs."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = _FIRST_PORT + worker * _PORTS_EACH
    return iter(range(first, first + _PORTS_EACH))


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on, and that no other test is given."""
    found: list[int] = []
    for port in _port_numbers():
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError(f"no {count} ports of loopback are left to the tests")


class Process:
    """One program, started and stopped by its pid; its output goes to `log`."""

    def __init__(self, arguments: t.Sequence[str | Path], log: Path, env: dict[str, str] | None = None) -> None:
        self.arguments = [str(argument) for argument in arguments]
        self.name = Path(self.arguments[0]).name
        self.log = log
        self.env = env
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(self.env or {})},
                start_new_session=True,
            )
        _tell_guard("+", self._process.pid)

    def stop(self, *, kill: bool = False, patience_s: float = 10.0) -> None:
        """End it: SIGTERM, then SIGKILL after `patience_s`; with `kill`, SIGKILL at once."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            try:
                process.wait(patience_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        _tell_guard("-", process.pid)

    def tail(self, lines: int = 15) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


def wait_for(what: str, check: t.Callable[[], t.Any], timeout_s: float = 120.0, pause_s: float = 0.1) -> t.Any:
    """The first true answer of `check`; TimeoutError names `what` and the last answer or exception."""
    end = time.monotonic() + timeout_s
    seen: t.Any = None
    while time.monotonic() < end:
        try:
            seen = check()
            if seen:
                return seen
        except Exception as error:
            seen = error
        time.sleep(pause_s)
    raise TimeoutError(f"{what}: not so after {timeout_s:g} s; last seen: {seen!r}")
