# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The logs of a component or a kubelet that did not start: kept, and the line in them that says why."""

from __future__ import annotations

import contextlib
import os
import re
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.reading import (
    Unreadable,
    output_of,
    tail_of,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._redaction import redact

MOST = 512 * 1024
COMMAND_S = 20.0
LINE = 400
_CRI = re.compile(r"^\S+ std(?:out|err) [FP] ")
_SAYS_WHY = re.compile(r"^[EF]\d{4} |\berror\b|\bfatal\b|\bpanic\b|\bunknown\b|\binvalid\b|not defined", re.IGNORECASE)


def keep(folder: str, logs: t.Mapping[str, str], since: float) -> None:
    """Keep the ends of container logs, path by name, and the kubelet's journal; what cannot be is left out."""
    with contextlib.suppress(OSError):
        _node_state.make_folder(folder)
    texts = {"kubelet.log": kubelet_journal(since)}
    for name, path in logs.items():
        with contextlib.suppress(Unreadable):
            texts[name] = tail_of(path, MOST).text
    for name, text in texts.items():
        with contextlib.suppress(OSError):
            _node_state.replace(os.path.join(folder, name), redact(text).encode())


def kubelet_journal(since: float) -> str:
    command = ["journalctl", "--no-pager", "--output=cat", "--unit=kubelet", "--identifier=kubelet"]
    try:
        return output_of([*command, f"--since=@{int(since)}"], MOST, COMMAND_S, Deadline(COMMAND_S)).text
    except Unreadable:
        return ""


def newest(logs: t.Mapping[str, str]) -> str:
    """The text of the log that was written last and says something."""
    for path in sorted(logs.values(), key=_written, reverse=True):
        with contextlib.suppress(Unreadable):
            if text := tail_of(path, MOST).text:
                return text
    return ""


def reason(text: str) -> str:
    """The last line of a log that names an error, the last line where none does; without the runtime's words."""
    lines = [line for each in text.splitlines() if (line := _CRI.sub("", each).strip())]
    why = next((line for line in reversed(lines) if _SAYS_WHY.search(line)), lines[-1] if lines else "")
    return redact(why)[:LINE]


def _written(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
