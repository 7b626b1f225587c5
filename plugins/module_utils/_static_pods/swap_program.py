# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The program that systemd runs for a swap: ``run FOLDER`` does it, ``safe FOLDER`` leaves a safe state behind it.

It resumes what an interruption left, after a power loss before the kubelet
starts: the unit is ordered before the kubelet's, and counts as started when
the manifests are complete.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline, utc_now
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods import (
    kubelet,
    log_capture,
    port,
    staged,
    swap,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.component import (
    API_SERVER,
    Component,
    components,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.journal import Journal
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.swap import Seen, Swap, SwapError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._systemd import systemctl

UNIT = "evergreen-kubeadm-swap.service"
WANTS = "/etc/systemd/system/multi-user.target.wants"
SWAP, JOURNAL, LOGS = "swap.json", "journal", "logs"
POLL_S = 0.25
SETTLE_S = 1.0
"""How long a runtime may take to start what a kubelet asked it for just before that was stopped."""


class DidNotStart(SwapError):
    """A component, or the kubelet, of the new state that does not come up."""

    def __init__(self, message: str, component: str) -> None:
        super().__init__(message)
        self.component = component


class Program:
    """One attempt at a swap, from where the journal says that the one before was."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.swap = Swap.from_json(_node_state.read_json(os.path.join(folder, SWAP)))
        self.journal = Journal(os.path.join(folder, JOURNAL))
        self.logs = os.path.join(folder, LOGS, self.swap.swap_id)
        self.rejected_at: float | None = None
        self.dead: dict[str, set[str]] = {}
        """Main containers that had ended before the kubelet was started."""
        self.seen: dict[str, set[str]] = {}
        self.kubelet_started = 0.0

    def run(self) -> None:
        if not swap.outcome_of(self.journal.read()):
            # What is enabled counts at the next boot. To have systemd read all of its units takes a second.
            systemctl("enable", "--no-reload", UNIT)
            _node_state.sync_folder(WANTS)
            self.note(swap.ATTEMPT)
            while step := swap.next_step(self.swap, self.journal.read()):
                self.note(swap.BEGUN, step=step)
                _say(step)
                problem = self.try_step(step)
                if problem is None or swap.is_turned(self.journal.read()):
                    # What is left to be restored is tried after a failure as well.
                    self.note(swap.FINISHED, step=step, problem=str(problem or ""))
                else:
                    component = problem.component if isinstance(problem, DidNotStart) else ""
                    self.note(swap.TURNED, cause=str(problem), component=component)
            self.end()
        self.clean_up()

    def note(self, kind: str, **data: t.Any) -> None:
        self.journal.append({"at": utc_now(), "time": time.time(), "kind": kind, **data})

    def entry(self, kind: str) -> dict[str, t.Any]:
        """The first entry of a kind; empty where there is none."""
        return next((entry for entry in self.journal.read() if entry["kind"] == kind), {})

    def try_step(self, step: str) -> Exception | None:
        try:
            self.do(step)
        except Exception as error:
            _wait_while_stopping()
            _say(f"{step}: {error}")
            return error
        return None

    def do(self, step: str) -> None:
        if step.startswith(swap.STOP_POD) and step != swap.STOP_KUBELET:
            self.stop_pod(step[len(swap.STOP_POD) :])
        else:
            {
                swap.REJECT: self.reject,
                swap.STOP_KUBELET: self.stop_kubelet,
                swap.REPLACE: lambda: staged.replace_manifests(self.swap),
                swap.KEEP_LOGS: self.keep_logs,
                swap.RESTORE: self.restore,
                swap.START_KUBELET: self.start_kubelet,
                swap.WAIT_READY: self.wait_ready,
            }[step]()

    def reject(self) -> None:
        server = next((each for each in components(self.swap) if each.name == API_SERVER), None)
        # One with a delay of its own tells the load balancer itself, by its readiness, when it is asked to end.
        if server and server.ready() and not server.shutdown_delay() and self.reject_now():
            self.rejected_at = time.monotonic()

    def reject_now(self) -> bool:
        rejected = bool(self.swap.server) and port.reject(t.cast("swap.Server", self.swap.server))
        if self.swap.server and not rejected:
            _say("New connections cannot be rejected on this node: neither nft nor iptables does it.")
        return rejected

    def stop_kubelet(self) -> None:
        kubelet.stop()
        if swap.is_turned(self.journal.read()) or swap.is_resumed(self.journal.read()):
            time.sleep(SETTLE_S)

    def stop_pod(self, name: str) -> None:
        component = next(each for each in components(self.swap) if each.name == name)
        grace = self.swap.grace_s
        if name == API_SERVER:
            if self.rejected_at is not None:
                time.sleep(max(0.0, self.rejected_at + self.swap.notice_s - time.monotonic()))
            grace += component.shutdown_delay()
        component.pod.stop(grace)
        if name == API_SERVER and self.rejected_at is None:
            self.reject_now()

    def restore(self) -> None:
        staged.restore(self.swap)
        # A file of the kubelet's may be a drop-in of its unit.
        systemctl("daemon-reload")

    def start_kubelet(self) -> None:
        for component in components(self.swap):
            self.dead[component.name] = self.containers(component) - component.pod.runs()
        self.kubelet_started = time.time()
        _notify_ready()
        kubelet.start()

    def wait_ready(self) -> None:
        """Until all is ready that has to be. Raises DidNotStart."""
        deadline = Deadline(self.swap.ready_s)
        found = components(self.swap)
        turned = swap.is_turned(self.journal.read())
        # What did not serve before the swap need not do so after it was taken back.
        wanted = set(self.entry(swap.FOUND)["ready"]) if turned else {each.name for each in found}
        seen: list[Seen] = []
        kubelet_ends, accepted = 0, False
        while True:
            seen = swap.count_ends([self.see(component) for component in found], seen)
            ready = {each.name for each in seen if each.ready}
            if not accepted and API_SERVER in ready:
                port.accept()
                accepted = True
            state = kubelet.state()
            if wanted <= ready and state.runs:
                return
            if not state.runs and state.sub != "start":
                kubelet_ends += 1
                if kubelet_ends < swap.ENDS:
                    with contextlib.suppress(EvergreenError):
                        kubelet.start()
                elif not turned:
                    said = log_capture.kubelet_journal(self.kubelet_started)
                    raise DidNotStart(_with("The kubelet does not start", said), "kubelet")
            # The old state is waited for to the end: there is none to go back to.
            late = deadline.expired()
            name = swap.failed([each for each in seen if not turned or late])
            if name or late:
                name = name or next((each.name for each in reversed(seen) if each.name not in ready), "kubelet")
                what = f"{name} does not start" if not late else f"{name} is not ready after {self.swap.ready_s:g} s"
                logs = next((each.pod.logs(self.kubelet_started) for each in found if each.name == name), {})
                raise DidNotStart(_with(what, log_capture.newest(logs)), name)
            deadline.sleep(POLL_S)

    def see(self, component: Component) -> Seen:
        runs = bool(component.pod.runs())
        starts = len(self.containers(component) - self.dead[component.name])
        return Seen(component.name, runs and component.answers(), starts, runs)

    def starts(self) -> dict[str, int]:
        """How often each main container started since the swap began."""
        before = self.entry(swap.FOUND)["containers"]
        return {
            each.name: len(self.containers(each) - set(before.get(each.name, ()))) for each in components(self.swap)
        }

    def containers(self, component: Component) -> set[str]:
        """All main containers that were seen. The kubelet removes the traces of those that ended, one by one."""
        seen = self.seen.setdefault(component.name, set())
        seen |= component.pod.started()
        return seen

    def keep_logs(self) -> None:
        begin = self.entry(swap.ATTEMPT)["time"]
        logs: dict[str, str] = {}
        for component in components(self.swap):
            logs.update(component.pod.logs(begin))
        log_capture.keep(self.logs, logs, begin)

    def end(self) -> None:
        # Also where no API server got ready: nothing is to be rejected for ever.
        port.accept()
        outcome = swap.judge(self.swap, self.journal.read(), self.starts(), self.logs)
        self.note(swap.ENDED, outcome=outcome.to_json())
        _say(f"{outcome.outcome} {outcome.cause}".strip())

    def clean_up(self) -> None:
        _notify_ready()
        staged.clear(self.swap)
        _systemctl("disable", "--no-reload", UNIT)

    def safe(self) -> None:
        """Accept connections, complete the set of manifests, and have the kubelet started."""
        port.accept()
        try:
            step = swap.unfinished_exchange(self.journal.read())
            if step == swap.REPLACE:
                staged.replace_manifests(self.swap)
            elif step == swap.RESTORE:
                staged.restore(self.swap)
        finally:
            # Without a wait: where this unit is being stopped, systemd starts the kubelet after that.
            _systemctl("start", "--no-block", kubelet.UNIT)


def _with(what: str, log: str) -> str:
    reason = log_capture.reason(log)
    return f"{what}: {reason}" if reason else f"{what}, and its log says nothing."


def _systemctl(*words: str) -> str:
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _wait_while_stopping() -> None:
    """A machine that shuts down stops the kubelet, which is no failure. This program is ended next."""
    while _systemctl("is-system-running") == "stopping":
        time.sleep(1)


def _notify_ready() -> None:
    """Tell systemd that the unit is started, so that it starts a kubelet that waits for it (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
            notifier.connect(f"\0{address[1:]}" if address[0] == "@" else address)
            notifier.sendall(b"READY=1")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: t.Sequence[str]) -> int:
    """``run FOLDER`` or ``safe FOLDER``."""
    command, folder = arguments
    program = Program(folder)
    if command == "safe":
        program.safe()
    else:
        program.run()
    return 0
