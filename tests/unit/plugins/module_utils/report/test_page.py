# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.compose import compose
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.page import Scale, clock, duration, page


@pytest.mark.parametrize(
    "seconds, text",
    [
        (None, "\N{EN DASH}"),
        (0, "0 s"),
        (0.001, "< 0.01 s"),
        (0.12, "0.12 s"),
        (3.0, "3 s"),
        (9.5, "9.5 s"),
        (14.26, "14.3 s"),
        (15.0, "15 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (125.4, "2 min 5 s"),
        (3599.7, "1 h"),
        (3780, "1 h 3 min"),
    ],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_clock() -> None:
    time = "2026-01-31T12:00:01.250Z"
    assert clock(time) == "12:00:01"
    assert clock(time, date=True) == "2026-01-31 12:00:01 UTC"
    assert clock(time, millis=True) == "12:00:01.250"
    assert clock(None) == "\N{EN DASH}"


def run(length_s: int) -> dict[str, t.Any]:
    end = f"2026-01-31T{12 + length_s // 3600}:{length_s // 60 % 60:02d}:{length_s % 60:02d}Z"
    events = [
        {"time": "2026-01-31T12:00:00Z", "host": "cp1", "event": "run_started"},
        {"time": "2026-01-31T12:00:00Z", "host": "cp1", "event": "step", "name": "upgrade"},
        {"time": end, "host": "cp1", "event": "run_finished"},
    ]
    return compose(events, [])


@pytest.mark.parametrize(
    "length_s, labels",
    [
        (0, []),
        (8, ["0 s", "1 s", "2 s", "3 s", "4 s", "5 s", "6 s", "7 s", "8 s"]),
        (400, ["0 s", "1 min", "2 min", "3 min", "4 min", "5 min", "6 min"]),
        (3600, ["0 s", "10 min", "20 min", "30 min", "40 min", "50 min", "1 h"]),
    ],
)
def test_ticks(length_s: int, labels: list[str]) -> None:
    ticks = Scale(run(length_s)).ticks()
    assert [tick["label"] for tick in ticks] == labels
    assert all(0 <= tick["left"] <= 100 for tick in ticks)


def test_a_run_without_length_divides_by_nothing() -> None:
    [row] = page(run(0))["timeline"]["rows"]
    assert [(segment["left"], segment["width"]) for segment in row["bars"]] == [(0.0, 0.0)]


@pytest.mark.parametrize(
    "requests, failed, state, share",
    [
        (0, 0, "unmeasured", "\N{EN DASH}"),
        (100, 0, "good", "100 %"),
        (1_000_000, 1, "bad", "99.999 %"),  # never rounded up to all
        (100, 100, "bad", "0.000 %"),
    ],
)
def test_tiles(requests: int, failed: int, state: str, share: str) -> None:
    lines = [{"time": "2026-01-31T12:00:01Z", "target": "api", "requests": requests, "failed": failed, "gap_s": 0.1}]
    report = compose([{"time": "2026-01-31T12:00:00Z", "host": "a", "event": "run_started"}], lines)
    [tile] = page(report)["tiles"]
    assert (tile["state"], tile["share"]) == (state, share)


def test_clients_of_the_api_have_tiles_and_their_failures_are_shown_once() -> None:
    time = "2026-01-31T12:00:01Z"
    lines = [
        {"time": time, "target": target, "requests": 1, "failed": failed, "gap_s": 0.1}
        for target, failed in (("api", 0), ("api/watch", 1), ("service/web", 0))
    ]
    failure = {"time": time, "target": "api/watch", "error": "refused", "message": "refused", "after_s": 0.1}
    shown = page(compose([{"time": time, "host": "a", "event": "run_started"}], [*lines, failure]))
    assert [(tile["name"], tile["kind"], tile["failed"]) for tile in shown["tiles"]] == [
        ("API", "Kubernetes API", "1"),
        ("API, watch", "Kubernetes API", "1"),
        ("web", "Service", "0"),
    ]
    assert [(one["target"], one["message"]) for one in shown["failed_requests"]] == [("API", "watch: refused")]


@pytest.mark.parametrize(
    "before, after, last, expected",
    [
        ("v1.34.4", "v1.35.4", "finished", "upgraded"),
        ("v1.35.4", "v1.35.4", "finished", "verified"),
        ("v1.34.4", None, "finished", "not verified"),
        ("v1.34.4", "v1.35.4", "failed", "failed"),
        ("v1.34.4", None, None, "interrupted"),
    ],
)
def test_node_states(before: str, after: str | None, last: str | None, expected: str) -> None:
    events: list[dict[str, t.Any]] = [
        {"event": "run_started"},
        {"event": "plan", "data": {"nodes": [{"name": "w1", "role": "worker", "version": before}]}},
        {"event": "step", "name": "kubelet"},
    ]
    if last:
        events.append({"event": "step", "status": last})
    if after:
        events.append({"event": "verified", "data": {"nodes": [{"name": "w1", "role": "worker", "version": after}]}})
    timed = [{"time": f"2026-01-31T12:00:{second:02d}Z", "host": "w1", **one} for second, one in enumerate(events)]
    assert [node["status"] for node in page(compose(timed, []))["nodes"]] == [expected]
