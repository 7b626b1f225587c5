# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an upgrade took, from what the script printed and from a report."""

from __future__ import annotations

import typing as t

import pytest

from bench.upgrade_figures import (
    Sample,
    clients_of_lines,
    clients_of_targets,
    evictions_of_script,
    goals_of,
    metrics,
    parts_of_report,
    runs_of,
    starts_of_journal,
    steps_of_report,
    steps_of_script,
    table_of_steps,
    turns_of_report,
)

PRINTED = """\
step cp1 packages 1000.000
step cp1 kubeadm 1010.000
[upgrade] SUCCESS! A control plane node of your cluster was upgraded to "v1.35.4".
step cp1 drain 1130.250
evicting pod lab/web-1
evicting pod lab/web-2
evicting pod lab/web-1
error when evicting pods/"web-1" -n "lab" (will retry after 5s): Cannot evict pod
step cp1 packages 1150.250
step cp1 end 1160.250
NAME   STATUS   ROLES           AGE   VERSION
step cp2 packages 1161.000
"""


def test_what_the_script_printed() -> None:
    steps = steps_of_script(PRINTED)
    assert steps == {"cp1": [("packages", 10.0), ("kubeadm", 120.2), ("drain", 20.0), ("packages", 10.0)]}
    assert evictions_of_script(PRINTED) == 2
    assert table_of_steps({**steps, "cp2": [("kubeadm", 3.4)]}) == [
        "| step | cp1 | cp2 |",
        "|---|---|---|",
        "| packages | 20 | 0 |",
        "| kubeadm | 120 | 3.4 |",
        "| drain | 20 | 0 |",
    ]


def moment(second: int) -> str:
    return f"2026-01-31T12:{second // 60:02d}:{second % 60:02d}.000Z"


def step(name: str, started: int, finished: int | None) -> dict[str, t.Any]:
    return {
        "name": name,
        "started": moment(started),
        "finished": None if finished is None else moment(finished),
        "duration_s": None if finished is None else float(finished - started),
    }


REPORT = {
    "started": moment(0),
    "finished": moment(260),
    "duration_s": 260.0,
    "nodes": [
        {
            "name": "cp1",
            "steps": [
                step("gates", 8, 9),
                step("backup", 10, 15),
                step("prepare", 15, 30),
                step("images", 40, 60),
                step("gate", 100, 101),
                step("upgrade", 101, 131),
                step("uncordon", 150, 160),
                step("gate", 240, 250),
            ],
        },
        {"name": "cp2", "steps": [step("prepare", 30, 45), step("upgrade", 170, None)]},
        {"name": "worker1", "steps": [step("drain", 200, 210), step("uncordon", 210, 212)]},
        {"name": "worker2", "steps": []},
    ],
}


def test_what_a_report_says() -> None:
    assert turns_of_report(REPORT) == {"cp1": 60.0, "worker1": 12.0}
    assert steps_of_report(REPORT)["cp2"] == [("prepare", 15.0)]
    assert parts_of_report(REPORT, 265.0) == [
        ("until the first step", 8.0),
        ("backup", 5.0),
        ("prepare", 30.0),
        ("images", 20.0),
        ("cp1", 60.0),
        ("worker1", 12.0),
        ("after the last step", 10.0),
        ("before and after the run", 5.0),
    ]
    assert parts_of_report({**REPORT, "nodes": []}, 265.0) == []


def test_clients_of_the_probe_of_the_product() -> None:
    lines = [
        {"target": "api", "requests": 20, "failed": 1, "gap_s": 0.2, "time": moment(2)},
        {"target": "api", "error": "timeout", "message": "", "after_s": 2.0},
        {"target": "api", "requests": 19, "failed": 0, "gap_s": 0.1, "time": moment(3)},
        {"target": "api/watch", "requests": 1, "failed": 0, "gap_s": 0.1, "time": moment(3)},
    ]
    longest = {"longest_s": 0.2, "longest_at": moment(2)}
    assert clients_of_targets(lines) == {"new_connections": {"requests": 39, "failed": 1, **longest}}


def asked(client: str, second: int, seconds: float, error: str = "", **more: str) -> dict[str, t.Any]:
    return {"time": moment(second), "client": client, "ok": not error, "error": error, "seconds": seconds, **more}


def test_clients_of_client_go() -> None:
    lines = [
        asked("kept", 1, 0.1, what="connection"),
        # They are printed in the order of their ends, which two of one moment may not have.
        asked("kept", 3, 0.1),
        asked("kept", 2, 0.1),
        asked("kept", 4, 2.0, "context deadline exceeded"),
        asked("kept", 7, 0.1),
        asked("watch", 5, 0.4),
        asked("watch", 6, 1.5, what="resume"),
        asked("own", 1, 0.1, what="connection"),
    ]
    assert clients_of_lines(lines) == {
        "kept_connection": {"requests": 4, "failed": 1, "longest_s": 4.0, "longest_at": moment(7)},
        "watch": {"requests": 2, "failed": 0, "longest_s": 1.5, "longest_at": moment(6)},
    }


def created(name: str, container: str) -> str:
    within = f'CreateContainer within sandbox "5a" for &ContainerMetadata{{Name:{name},Attempt:0,}}'
    return f'{within.replace(" for &", " for container &")}\n{within} returns container id "{container}"'


JOURNAL = "\n".join(
    [
        created("etcd", "e1"),
        'StartContainer for "e1"',
        'StartContainer for "e1" returns successfully',
        created("etcd", "e2"),
        'StartContainer for "e2" returns successfully',
        created("coredns", "c1"),
        'StartContainer for "c1" returns successfully',
        created("kube-apiserver", "a1"),
        'StartContainer for "a1" failed',
    ]
)


def test_starts_in_the_journal_of_the_runtime() -> None:
    starts = {"kube-apiserver": 0, "kube-controller-manager": 0, "kube-scheduler": 0, "etcd": 2}
    assert starts_of_journal(JOURNAL) == starts
    # As containerd writes it: time="..." level=info msg="...".
    assert starts_of_journal(JOURNAL.replace('"', '\\"')) == starts


ONCE = {"kube-apiserver": 1, "kube-controller-manager": 1, "kube-scheduler": 1, "etcd": 1}
WELL = {"requests": 100, "failed": 0, "longest_s": 0.2}
CLIENTS = dict.fromkeys(("new_connections", "kept_connection", "list", "watch", "write", "service"), WELL)


def sample(**changed: t.Any) -> Sample:
    return Sample(
        **{
            "tool": "x",
            "wall_s": 300.0,
            "control_plane_node_s": {"cp1": 90.0, "cp2": 40.0, "cp3": 30.0},
            "steps": {},
            "parts": [],
            "clients": CLIENTS,
            "starts": {"cp1": ONCE, "cp2": ONCE},
            "evictions": 11,
            "cordoned": [],
            "succeeded": True,
            **changed,
        }
    )


BY_HAND = sample(wall_s=700.0, control_plane_node_s={"cp1": 200.0})


def test_metrics() -> None:
    assert metrics(sample(starts={"cp1": ONCE, "cp2": {**ONCE, "etcd": 2}}), 10) == {
        "control_plane_node_median_s": 40.0,
        "whole_upgrade_s": 300.0,
        "new_connections_failed_requests": 0,
        "kept_connection_failed_requests": 0,
        "list_failed_requests": 0,
        "watch_failed_requests": 0,
        "write_failed_requests": 0,
        "service_failed_requests": 0,
        "new_connections_gap_s": 0.2,
        "kept_connection_gap_s": 0.2,
        "service_gap_s": 0.2,
        "watch_delay_s": 0.2,
        "kube-apiserver_starts_per_node": 1,
        "kube-controller-manager_starts_per_node": 1,
        "kube-scheduler_starts_per_node": 1,
        "etcd_starts_per_node": 2,
        "evictions_per_pod": 1.1,
        "cordoned_nodes": 0,
    }


def test_a_ratio_only_where_there_is_one() -> None:
    ratios = {run["metric"]: run["ratio"] for run in runs_of(sample(), sample(wall_s=700.0, cordoned=["worker1"]), 10)}
    assert (ratios["whole_upgrade_s"], ratios["list_failed_requests"], ratios["cordoned_nodes"]) == (0.429, 0.0, 0.0)


@pytest.mark.parametrize(
    ("changed", "missed"),
    [
        ({}, []),
        ({"cordoned": ["worker1"]}, ["cordoned_nodes"]),
        ({"control_plane_node_s": {"cp1": 51.0}}, ["control_plane_node_median_s, of the procedure's"]),
        ({"wall_s": 316.0}, ["whole_upgrade_s, of the procedure's"]),
        (
            {"clients": {**CLIENTS, "kept_connection": {"requests": 9, "failed": 3, "longest_s": 1.5}}},
            ["kept_connection_failed_requests", "kept_connection_gap_s"],
        ),
        ({"clients": {**CLIENTS, "write": {"requests": 9, "failed": 3, "longest_s": 1.5}}}, []),
        ({"clients": {name: client for name, client in CLIENTS.items() if name != "list"}}, ["clients that asked"]),
        ({"starts": {"cp1": ONCE, "cp2": {**ONCE, "etcd": 2}}}, ["starts of each static pod"]),
        ({"starts": {"cp1": {**ONCE, "etcd": 0}}}, ["starts of each static pod"]),
        ({"starts": {}}, ["starts of each static pod"]),
    ],
)
def test_goals(changed: dict[str, t.Any], missed: list[str]) -> None:
    goals = goals_of(sample(**changed), BY_HAND, 10)
    assert [goal["goal"] for goal in goals if not goal["met"]] == missed
