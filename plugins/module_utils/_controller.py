# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The process that controls a run (ansible-playbook), and whether it is still there.

Its identity is a dict of plain values, so that it can be an option of a task
and an annotation::

    {"host": str, "boot_id": str, "pid_namespace": str, "pid": int, "started": int}

`host` is the node name (``uname -n``), `boot_id` is made anew at each boot
(``/proc/sys/kernel/random/boot_id``), `pid_namespace` tells containers apart
that share both (``/proc/self/ns/pid``), and `started` is the start of the
process in clock ticks since boot, field 22 of ``/proc/<pid>/stat`` (proc(5)).
A process identifier is used again, but not with the same start. Where /proc
does not say all of this, the identity is empty and nothing is known.
"""

from __future__ import annotations

import os
import typing as t
from collections.abc import Mapping

ALIVE, GONE, UNKNOWN = "alive", "gone", "unknown"

# The option `controller` of the modules; documented in plugins/doc_fragments/_controller.py.
CONTROLLER_OPTION: dict[str, t.Any] = {
    "type": "dict",
    "options": {
        "host": {"type": "str"},
        "boot_id": {"type": "str"},
        "pid_namespace": {"type": "str"},
        "pid": {"type": "int"},
        "started": {"type": "int"},
    },
}

_PLACE = ("host", "boot_id", "pid_namespace")
_PID_MAX = 1 << 22  # PID_MAX_LIMIT of Linux, proc_sys_kernel(5)


class Sight(t.NamedTuple):
    """What is seen of a process now. `started` is None where it is there and shows no start."""

    present: bool
    started: int | None = None


def complete(identity: object) -> dict[str, t.Any]:
    """The identity in `identity`, without other keys; empty where one of its parts is missing or impossible."""
    if not isinstance(identity, Mapping):
        return {}
    place = {key: identity.get(key) for key in _PLACE}
    pid, started = identity.get("pid"), identity.get("started")
    if not all(isinstance(text, str) and text for text in place.values()):
        return {}
    # A bool is an int to Python; True is no number here.
    if isinstance(pid, bool) or isinstance(started, bool) or not isinstance(started, int):
        return {}
    if not isinstance(pid, int) or not 0 < pid <= _PID_MAX:
        return {}
    return {**place, "pid": pid, "started": started}


def judge(identity: object, place: Mapping[str, str], sight: Sight) -> str:
    """Whether the process of `identity` is ``alive``, ``gone`` or ``unknown``.

    `place` is where one looks from (`host`, `boot_id`, `pid_namespace`), and
    `sight` what is seen there under the same process identifier. Elsewhere
    the identifier means nothing.
    """
    known = complete(identity)
    if not known or any(known[key] != place.get(key) for key in _PLACE):
        return UNKNOWN
    if not sight.present:
        return GONE
    if sight.started is None:
        return UNKNOWN
    return ALIVE if sight.started == known["started"] else GONE


def parse_stat(text: str) -> Sight:
    """Read ``/proc/<pid>/stat``. A process that ended and was not waited for (Z, X) is not present.

    The name, in parentheses, may hold blanks and parentheses itself.
    """
    fields = text.rpartition(")")[2].split()
    # The state is field 3 of the file and the first one after the name; the start is field 22.
    if len(fields) < 20 or not fields[19].isdigit():
        return Sight(True)
    return Sight(False) if fields[0] in ("Z", "X", "x") else Sight(True, int(fields[19]))


def observe(pid: int) -> dict[str, t.Any]:
    """The identity of the process `pid` of this machine; empty where it is gone or the system does not say."""
    sight = _see(pid)
    return complete({**_place(), "pid": pid, "started": sight.started}) if sight.present else {}


def look(identity: object) -> str:
    """Whether the process of `identity` is ``alive``, ``gone`` or, seen from here, ``unknown``."""
    known = complete(identity)
    place = _place() if known else {}
    return judge(known, place, _see(known["pid"])) if place else UNKNOWN


def _place() -> dict[str, str]:
    try:
        # A /proc of another process namespace shows other processes under the same identifiers.
        if os.readlink("/proc/self") != str(os.getpid()):
            return {}
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot_id = file.read().strip()
        return {"host": os.uname().nodename, "boot_id": boot_id, "pid_namespace": os.readlink("/proc/self/ns/pid")}
    except (OSError, ValueError):
        return {}


def _see(pid: int) -> Sight:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return parse_stat(file.read())
    except OSError:
        pass
    # With the mount option hidepid the processes of others are not in /proc; signal 0 still finds them.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return Sight(False)
    except OSError:
        return Sight(True)
    return Sight(True)
