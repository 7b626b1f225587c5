# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kills ansible-playbook with SIGKILL when the task named in KILL_AT begins, or KILL_AFTER_S seconds later."""

from __future__ import annotations

import os
import signal
import threading
import typing as t

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "kill_at"

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        if task.get_name().rpartition(" : ")[2] != os.environ.get("KILL_AT"):
            return
        after = float(os.environ.get("KILL_AFTER_S", "0"))
        if after:
            threading.Timer(after, os.kill, (os.getpid(), signal.SIGKILL)).start()
        else:
            os.kill(os.getpid(), signal.SIGKILL)
