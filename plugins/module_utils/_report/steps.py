# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The steps of each host, replayed from the journal. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable

from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.events import data_of

NAMELESS = "unnamed"


class Step:
    """One step of one host. `finished` is None while nothing has ended it."""

    __slots__ = ("data", "finished", "name", "started", "status")

    def __init__(self, name: str, started: str) -> None:
        self.name = name
        self.started = started
        self.finished: str | None = None
        self.status = "started"
        self.data: dict[str, t.Any] = {}

    def end(self, time: str, status: str, data: dict[str, t.Any] | None = None) -> None:
        self.finished = time
        self.status = status
        self.data = data or {}


class Steps:
    """All steps of a run, by host, in the order in which they began."""

    def __init__(self) -> None:
        self._by_host: dict[str, list[Step]] = {}
        self._in_this_hop: set[str] = set()
        """Hosts with a step since the last plan."""

    @classmethod
    def replay(cls, events: Iterable[dict[str, t.Any]]) -> Steps:
        """A step begins with its name and ends with the host's next one, with its own end, or with the run's.

        One that begins where the host's last one has finished, of the same name and hop, is its next part.
        """
        steps = cls()
        for event in events:
            time, host = str(event.get("time") or ""), event.get("host")
            if event.get("event") == "step" and host:
                steps._step(str(host), time, event)
                steps._in_this_hop.add(str(host))
            elif event.get("event") == "plan":
                steps._in_this_hop.clear()
            elif event.get("event") in ("run_finished", "run_stopped"):
                for name in steps.hosts():
                    steps._end_open(name, time, "finished")
            elif event.get("event") == "run_failed":
                data = event.get("data")
                culprit = data.get("host") if isinstance(data, dict) else None
                culprit = culprit or (None if steps.failed_hosts() else host)
                if culprit:
                    steps._end_open(str(culprit), time, "failed", data if isinstance(data, dict) else None)
        return steps

    def hosts(self) -> list[str]:
        return list(self._by_host)

    def last(self, host: str) -> Step | None:
        steps = self._by_host.get(host)
        return steps[-1] if steps else None

    def failed_hosts(self) -> list[str]:
        """The hosts whose last step failed, the first failure first. A step that was tried again is none."""
        last = {host: steps[-1] for host, steps in self._by_host.items()}
        failed = [(step.finished or "", host) for host, step in last.items() if step.status == "failed"]
        return [host for _time, host in sorted(failed)]

    def of(self, host: str, result: str) -> list[Step]:
        """The host's steps; what is still open in a run that is over was interrupted."""
        for step in self._by_host.get(host, []):
            if step.finished is None and result in ("failed", "interrupted"):
                step.status = "interrupted"
        return self._by_host.get(host, [])

    def _step(self, host: str, time: str, event: dict[str, t.Any]) -> None:
        name, status = event.get("name"), event.get("status")
        data = data_of(event)
        open_step = self._open(host)
        if status in ("finished", "failed"):
            last = self.last(host)
            if open_step is None and last and name in (None, "", last.name) and status in ("finished", last.status):
                return  # said twice, as nested handlers do
            if open_step is None or (name and name != open_step.name):
                # The end of a step whose beginning is not in the journal is still worth showing.
                self._end_open(host, time, "finished")
                open_step = Step(str(name or NAMELESS), time)
                self._by_host.setdefault(host, []).append(open_step)
            open_step.end(time, str(status), data)
            return
        self._end_open(host, time, "finished")
        last = self.last(host)
        if last and last.name == name and last.status == "finished" and host in self._in_this_hop:
            last.finished, last.status = None, "started"
            return
        self._by_host.setdefault(host, []).append(Step(str(name or NAMELESS), time))

    def _open(self, host: str) -> Step | None:
        last = self.last(host)
        return last if last and last.finished is None else None

    def _end_open(self, host: str, time: str, status: str, data: dict[str, t.Any] | None = None) -> None:
        step = self._open(host)
        if step:
            step.end(time, status, data)
