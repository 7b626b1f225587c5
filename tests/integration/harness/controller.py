# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A process in the place of the one that controls a run, to be killed."""

from __future__ import annotations

import subprocess
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.evergreen.kubeadm.plugins.module_utils._controller import observe


class Controller:
    """A sleeping process and its identity."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(["sleep", "300"])
        self.identity: dict[str, t.Any] = observe(self.process.pid)

    def kill(self) -> None:
        """End it by SIGKILL; nobody has waited for it yet, as for a program whose parent is slow."""
        self.process.kill()


@contextmanager
def controller() -> Iterator[Controller]:
    made = Controller()
    try:
        yield made
    finally:
        made.kill()
        made.process.wait()
