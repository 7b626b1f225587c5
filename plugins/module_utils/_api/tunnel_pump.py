# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""A socket of the system for a channel of SSH.

TLS needs a file descriptor and a channel has none. A pair of connected sockets
gives one that only this process has; a listener on loopback could be used by
everybody on the machine.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import typing as t

CHUNK = 32768
# How often a thread that waits for the far side looks whether the near one is still there.
LOOK_EVERY_S = 5.0


def connected(channel: t.Any, name: str) -> socket.socket:
    """The near end of `channel`: a stream socket. Closing it closes the channel.

    Two daemon threads carry the bytes, one each way, until both sides are done.
    Where the channel or its session ends, the reader sees the end of the stream.
    """
    near, inner = socket.socketpair()
    # For both directions: no call on the channel blocks for longer.
    channel.settimeout(LOOK_EVERY_S)
    pump = _Pump(channel, inner)
    for way in (pump.to_channel, pump.to_socket):
        threading.Thread(target=pump.run, args=(way,), name=f"{name} {way.__name__}", daemon=True).start()
    return near


class _Pump:
    def __init__(self, channel: t.Any, inner: socket.socket) -> None:
        self._channel = channel
        self._inner = inner
        self._running = 2
        self._lock = threading.Lock()

    def run(self, way: t.Callable[[], None]) -> None:
        try:
            way()
        except Exception:
            # Of whatever kind: this connection is over, and the user of the near end sees its end.
            self._shutdown(socket.SHUT_RDWR)
            self._close_channel()
        with self._lock:
            self._running -= 1
            last = not self._running
        # Not before: a descriptor that is closed may be another file's while the other thread still uses it.
        if last:
            self._close_channel()
            self._inner.close()

    def to_channel(self) -> None:
        """What is written to the near end, until that says that no more comes."""
        while True:
            data = self._inner.recv(CHUNK)
            if not data:
                break
            while data:
                data = data[self._send(data) :]
        if self._abandoned():
            self._close_channel()
        else:
            self._channel.shutdown_write()

    def to_socket(self) -> None:
        """What comes from the far side, until that says that no more comes."""
        while True:
            try:
                data = self._channel.recv(CHUNK)
            except socket.timeout:
                if self._abandoned():
                    raise
                continue
            if not data:
                break
            self._inner.sendall(data)
        # A far side that only has no more to say may still listen.
        self._shutdown(socket.SHUT_RDWR if self._channel.closed else socket.SHUT_WR)

    def _send(self, data: bytes) -> int:
        while True:
            try:
                sent = int(self._channel.send(data))
            except socket.timeout:
                # The window is full for as long as the far side reads nothing.
                if self._abandoned():
                    raise
                continue
            if not sent:
                raise OSError("the channel takes no more")
            return sent

    def _abandoned(self) -> bool:
        """Whether the near end is closed, not only done with writing."""
        poll = select.poll()
        poll.register(self._inner, 0)
        return any(event & (select.POLLHUP | select.POLLERR) for _fd, event in poll.poll(0))

    def _shutdown(self, how: int) -> None:
        with contextlib.suppress(OSError):
            self._inner.shutdown(how)

    def _close_channel(self) -> None:
        # It sends a message, which cannot be sent where the session is dead.
        with contextlib.suppress(Exception):
            self._channel.close()
