# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A proxy on loopback that a test puts before a server, to take answers and connections away.

It passes bytes and knows nothing of what they mean, as a balancer or a NAT
does. TLS goes from end to end.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from urllib.parse import urlsplit

from harness.process import wait_for

# An answer may come in several pieces; one that no piece followed for so long is whole.
WHOLE_AFTER_S = 0.05


class TcpProxy:
    """Use it as a context; `url` leads through it, and `opened` counts the connections that it accepted."""

    def __init__(self, target_url: str) -> None:
        target = urlsplit(target_url)
        self._target = (target.hostname or "", target.port or 443)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{target.scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self.opened = 0
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        # Clients that sent something and had no byte back since, and when anything passed last.
        self._asking: set[socket.socket] = set()
        self._passed_at = 0.0
        self._answers = threading.Event()
        self._answers.set()
        self._closing = False

    def __enter__(self) -> TcpProxy:
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._closing = True
        # Closing a listener does not wake who waits in accept; shutting it down does.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self.pass_answers()

    def cut(self) -> int:
        """End every connection that is open now, in both directions, and say how many. New ones are accepted."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _end(*pair)
        return len(pairs)

    def hold_answers(self) -> None:
        """From now on requests pass and answers do not.

        It begins between two requests. A client that was kept waiting for the
        answer to an earlier one would not send the request that the test means.
        """
        wait_for("no client waits for an answer", self._hold_if_quiet, timeout_s=30.0, pause_s=0.01)

    def _hold_if_quiet(self) -> bool:
        with self._lock:
            if self._asking or time.monotonic() - self._passed_at < WHOLE_AFTER_S:
                return False
            self._answers.clear()
            return True

    def pass_answers(self) -> None:
        """What was held back passes, on connections that are still there."""
        self._answers.set()

    def _accept(self) -> None:
        while not self._closing:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target, timeout=5.0)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                self.opened += 1
                self._pairs.append((client, server))
            threading.Thread(target=self._pump, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, self._answers), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, gate: threading.Event | None) -> None:
        """Pass bytes one way until either end closes; `gate` holds them back while it is not set."""
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if gate:
                    gate.wait()
                with self._lock:
                    self._passed_at = time.monotonic()
                    if gate:
                        self._asking.discard(sink)
                    else:
                        self._asking.add(source)
                sink.sendall(data)
        _end(source, sink)
        with self._lock:
            self._asking -= {source, sink}
            self._pairs = [pair for pair in self._pairs if source not in pair]


def _end(*ends: socket.socket) -> None:
    """Shut connections down. A close alone would leave them open where a forked process has them too."""
    for each in ends:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
