# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The systemd unit of a swap: start it, wait for its end, read how it ended.

The program enables it for the time of the swap, so that a node that loses its
power resumes at boot, before its kubelet starts.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state, _program_file
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline, utc_now
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods import staged, swap_program
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods import swap as steps
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.component import Component, components
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.journal import Journal
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.swap import Outcome, Swap, SwapError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._systemd import systemctl

UNIT = swap_program.UNIT
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
FOLDER = f"{_node_state.STATE}/swap"
SWAP, JOURNAL, LOGS = (f"{FOLDER}/{name}" for name in (swap_program.SWAP, swap_program.JOURNAL, swap_program.LOGS))
PROGRAM = f"{FOLDER}/program.pyz"
POLL_S = 0.5
STOP_S = 60
IDLE_S = 5.0
"""How long a unit that systemd restarts by itself may be seen not to run."""


def unit_text(swap: Swap, python: str) -> str:
    # A SIGTERM that is not systemctl's is an interruption, too.
    return f"""\
[Unit]
Description=evergreen.kubeadm: replace static pods ({swap.purpose})
Before=kubelet.service
RequiresMountsFor={FOLDER}
StartLimitIntervalSec=600
StartLimitBurst=20

[Service]
Type=notify
ExecStart={python} {PROGRAM} run {FOLDER}
ExecStopPost={python} {PROGRAM} safe {FOLDER}
Restart=on-failure
RestartForceExitStatus=SIGHUP SIGINT SIGPIPE SIGTERM
RestartSec=100ms
TimeoutStartSec=infinity
TimeoutStopSec={STOP_S}
OOMScoreAdjust=-900

[Install]
WantedBy=multi-user.target
"""


def start(swap: Swap) -> None:
    """Write what the swap needs, and start its unit. Raises SwapError where one is not ended yet.

    Until the unit runs, nothing was stopped.
    """
    other = running()
    if other:
        raise SwapError(f"The swap {other['swap_id']} ({other['purpose']}) has not ended: {other['step']}.")
    found = _look(swap)
    staged.stage(swap)
    journal = Journal(JOURNAL)
    try:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(LOGS)
        _node_state.replace(PROGRAM, _program_file.build(swap_program.__name__))
        _node_state.replace(UNIT_FILE, unit_text(swap, sys.executable).encode(), 0o644)
        journal.create()
        journal.append({"at": utc_now(), "time": time.time(), "kind": steps.FOUND, **found})
        _node_state.write_json(SWAP, swap.to_json())
    except OSError as error:
        staged.clear(swap)
        raise SwapError(
            f"The swap could not be prepared: {error.filename}: {error.strerror}.",
            hint="Nothing was stopped. See whether the disk is full.",
        ) from None
    systemctl("daemon-reload")
    systemctl("start", "--no-block", UNIT)


def running() -> dict[str, str] | None:
    """``swap_id``, ``purpose``, ``step`` and ``started`` of a swap that is not ended, also one that was interrupted."""
    swap, entries = _swap(), Journal(JOURNAL).read()
    attempts = [entry for entry in entries if entry["kind"] == steps.ATTEMPT]
    if swap is None or steps.outcome_of(entries) or not (attempts or _active()):
        return None
    return {
        "swap_id": swap.swap_id,
        "purpose": swap.purpose,
        "step": steps.next_step(swap, entries),
        "started": (attempts or entries)[0]["at"],
    }


def wait(deadline: Deadline) -> Outcome:
    """Wait until the swap ends; one that was interrupted is resumed. Its unit may still clean up.

    Raises SwapError at the deadline; the unit continues.
    """
    idle_since = time.monotonic()
    resumed = False
    while True:
        active = _active()
        outcome = last()
        if outcome:
            return outcome
        if active:
            idle_since = time.monotonic()
        elif time.monotonic() - idle_since > IDLE_S:
            if resumed or _swap() is None:
                raise SwapError("The program of the swap does not run.", hint=f"See journalctl --unit {UNIT}.")
            resumed, idle_since = True, time.monotonic()
            systemctl("reset-failed", UNIT)
            systemctl("start", "--no-block", UNIT)
        if deadline.expired():
            raise SwapError(
                f"The swap did not end within {deadline.seconds:g} s: {(running() or {}).get('step')}.",
                hint=f"It continues on the node: see journalctl --unit {UNIT}, and run this again.",
            )
        deadline.sleep(POLL_S)


def last() -> Outcome | None:
    """How the last swap ended; None where there is none, or it has not ended."""
    return steps.outcome_of(Journal(JOURNAL).read())


def forget() -> None:
    """Remove what an ended swap left, but for its logs. Raises SwapError."""
    if running():
        raise SwapError("A swap that has not ended is not forgotten.")
    deadline = Deadline(STOP_S)
    while _active() and not deadline.expired():
        deadline.sleep(POLL_S)
    try:
        for path in (SWAP, JOURNAL, PROGRAM, UNIT_FILE):
            if os.path.lexists(path):
                _node_state.remove(path)
        for folder in ("new", "old"):
            shutil.rmtree(f"{FOLDER}/{folder}", ignore_errors=True)
    except OSError as error:
        raise SwapError(f"{error.filename} could not be removed: {error.strerror}.") from None
    systemctl("daemon-reload")


def _look(swap: Swap) -> dict[str, t.Any]:
    """What serves before the swap, and the containers that there are. Raises SwapError where it cannot be done."""
    for pod in swap.pods:
        Component(pod.name, pod.new, ())
    found = components(swap)
    for component in found:
        if component.listens() and not component.pod.runs():
            raise SwapError(
                f"{component.name} answers, and the processes of its pod are not found by its logs in "
                f"{component.pod.place.pod_logs} and {component.pod.place.container_logs}.",
                hint="The kubelet writes both when it starts a container. See whether something removed them.",
            )
    ready = [component.name for component in found if component.ready()]
    return {"ready": ready, "containers": {each.name: sorted(each.pod.started()) for each in found}}


def _swap() -> Swap | None:
    try:
        data = _node_state.read_json(SWAP)
        return Swap.from_json(data) if data else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SwapError(f"The swap in {SWAP} could not be read: {error}.") from None


def _active() -> bool:
    """Whether the unit runs, starts, or ends."""
    done = subprocess.run(["systemctl", "is-active", UNIT], capture_output=True, text=True, check=False)
    return done.stdout.strip() in ("active", "activating", "deactivating", "reloading")
