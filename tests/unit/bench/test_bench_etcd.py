# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From samples of saves and proofs to what is published."""

from __future__ import annotations

import json

import pytest

from bench.etcd_figures import ETCDCTL, ETCDUTL, GATEWAY, GRPC, VERIFIED, Sample, goals_of, runs_of, table, transfer_s
from bench.measure import BenchError

GB = 1_000_000_000
MIB = 1 << 20


def saved(tool: str, rate: float, rss_mib: float = 30.0, repetition: int = 1) -> Sample:
    """A save of 100 MiB at `rate` MiB a second, by a process that takes twice the time."""
    return Sample(tool, repetition, 100 * MIB, 200 / rate, rss_mib, 100 / rate)


def verified(tool: str, wall_s: float, rss_mib: float = 30.0) -> Sample:
    return Sample(tool, 1, GB, wall_s, rss_mib)


def test_runs_compare_medians() -> None:
    samples = [
        *(saved(GRPC, rate, repetition=number) for number, rate in enumerate((90.0, 10.0, 100.0))),
        saved(ETCDCTL, 100.0, 60.0),
        saved(GATEWAY, 25.0),
        verified(VERIFIED, 6.0),
        verified(ETCDUTL, 3.0, 60.0),
    ]
    assert [tuple(run.values()) for run in runs_of(samples)] == [
        ("save by grpc", "mib_per_s", 90.0, ETCDCTL, 100.0, 0.9),
        ("save by grpc", "process_mib_per_s", 45.0, ETCDCTL, 50.0, 0.9),
        ("save by grpc", "rss_mib", 30.0, ETCDCTL, 60.0, 0.5),
        ("save by gateway", "mib_per_s", 25.0, ETCDCTL, 100.0, 0.25),
        ("save by gateway", "process_mib_per_s", 12.5, ETCDCTL, 50.0, 0.25),
        ("save by gateway", "rss_mib", 30.0, ETCDCTL, 60.0, 0.5),
        ("verify", "wall_s", 6.0, ETCDUTL, 3.0, 2.0),
        ("verify", "rss_mib", 30.0, ETCDUTL, 60.0, 0.5),
    ]


def test_no_run_without_both_sides() -> None:
    assert runs_of([saved(GRPC, 90.0), verified(ETCDUTL, 3.0)]) == []


@pytest.mark.parametrize(
    ("ours", "missed"),
    [
        pytest.param([saved(GRPC, 80.0, 95.0), verified(VERIFIED, 60.0, 95.0)], [], id="just met"),
        pytest.param([saved(GRPC, 79.0)], ["rate / etcdctl snapshot save"], id="slower"),
        pytest.param([saved(GRPC, 90.0, 95.1)], ["MiB of the module"], id="more memory"),
        pytest.param([saved(GATEWAY, 10.0, 95.1)], [], id="none for the gateway"),
        pytest.param([verified(VERIFIED, 60.1)], ["seconds"], id="a slow proof"),
        pytest.param([verified(VERIFIED, 10.0, 95.1)], ["MiB of the module"], id="a big proof"),
    ],
)
def test_goals(ours: list[Sample], missed: list[str]) -> None:
    runs = runs_of([*ours, saved(ETCDCTL, 100.0), verified(ETCDUTL, 3.0)])
    assert [goal["goal"] for goal in goals_of(runs, GB) if not goal["met"]] == missed


def test_seconds_go_with_the_size() -> None:
    runs = runs_of([verified(VERIFIED, 31.0), verified(ETCDUTL, 3.0)])
    assert [goal["met"] for goal in goals_of(runs, GB // 2) if goal["goal"] == "seconds"] == [False]


def test_table() -> None:
    lines = table(runs_of([verified(VERIFIED, 6.25), verified(ETCDUTL, 3.0)]))
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2] == "| verify | wall_s | 6.2 | etcdutl snapshot status | 3 | 2.08 |"


def etcdctl_said(took: str) -> str:
    line = {"level": "info", "msg": "fetched snapshot", "size": "1.0 GB", "took": took}
    return f'{{"msg":"created temporary db file"}}\n{json.dumps(line)}\nSnapshot saved at a.db\n'


@pytest.mark.parametrize(
    ("tool", "said", "expected"),
    [
        pytest.param(ETCDCTL, etcdctl_said("10.5s"), 10.5, id="seconds"),
        pytest.param(ETCDCTL, etcdctl_said("250.5ms"), 0.2505, id="milliseconds"),
        pytest.param(ETCDCTL, etcdctl_said("1m2.5s"), 62.5, id="minutes"),
        pytest.param(GRPC, 'a warning\n{"changed": true, "mib_per_s": 50.0}\n', 2.0, id="module"),
    ],
)
def test_seconds_of_a_transfer(tool: str, said: str, expected: float) -> None:
    assert transfer_s(tool, said, 100 * MIB) == pytest.approx(expected)


@pytest.mark.parametrize("said", ["", etcdctl_said("now"), etcdctl_said("")])
def test_a_transfer_without_seconds(said: str) -> None:
    with pytest.raises(BenchError, match="does not say"):
        transfer_s(ETCDCTL, said, 100 * MIB)
