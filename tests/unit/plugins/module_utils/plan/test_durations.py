# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._plan.durations import estimate, measured_steps

Json = dict[str, t.Any]
ALL = ["cp1", "cp2", "cp3", "w1"]
HOPS: list[Json] = [{"to": "1.35.4", "control_plane": ALL[:3], "workers": ["w1"], "kubelets": ALL, "applies_on": "cp1"}]


def event(second: int, host: str, event: str = "step", **more: t.Any) -> Json:
    return {"time": f"2026-01-31T12:{second // 60:02d}:{second % 60:02d}.000Z", "host": host, "event": event, **more}


def run(*, drain_s: int = 10, failed: bool = False) -> list[Json]:
    """cp1 is first, cp2 another; the worker node-w1 is called w1 in the inventory."""
    nodes = [{"name": "cp1"}, {"name": "cp2"}, {"name": "node-w1", "host": "w1"}]
    plan = {"hops": [{"control_plane": ["cp1", "cp2"], "workers": ["node-w1"], "applies_on": "cp1"}], "nodes": nodes}
    return [
        event(0, "cp1", "run_started"),
        event(0, "cp1", "plan", data=plan),
        event(0, "cp1", name="upgrade"),
        event(100, "cp1", name="drain"),
        event(100 + drain_s, "cp1", status="finished"),
        event(200, "cp2", name="upgrade"),
        event(260, "cp2", status="failed" if failed else "finished"),
        event(300, "w1", name="drain"),
        event(300 + drain_s, "w1", name="packages"),
    ]


def test_steps_are_measured_by_kind_of_node() -> None:
    measured = measured_steps([run()])
    assert measured == {
        ("upgrade", "first_control_plane"): [100.0],
        ("drain", "first_control_plane"): [10.0],
        ("upgrade", "control_plane"): [60.0],
        ("drain", "worker"): [10.0],
    }


def test_what_failed_or_was_cut_off_is_no_measurement() -> None:
    measured = measured_steps([run(failed=True)])
    assert ("upgrade", "control_plane") not in measured
    assert ("packages", "worker") not in measured


def test_several_runs_give_their_median() -> None:
    journals = [run(drain_s=10), [*run(drain_s=30), *run(drain_s=20)]]
    parts = {(part["step"], part["kind"]): part for part in estimate(HOPS, journals)["parts"]}
    drain = parts["drain", "worker"]
    assert (drain["seconds_each"], drain["count"], drain["samples"], drain["source"]) == (20.0, 1, 3, "measured")
    assert parts["upgrade", "control_plane"]["seconds"] == 120.0  # two of them, 60 s each


def test_without_a_journal_everything_is_called_a_guess() -> None:
    found = estimate(HOPS, [])
    without = estimate(HOPS, [], backup=False)
    assert found["seconds"] - without["seconds"] == 20
    assert "backup" not in {part["step"] for part in without["parts"]}
    assert found["measured_share"] == 0.0
    assert found["runs"] == 0
    assert {part["source"] for part in found["parts"]} == {"guess"}
    assert found["seconds"] > 60


def test_a_journal_of_something_else_is_none() -> None:
    assert estimate(HOPS, [[{"event": "plan", "data": "x"}, {"event": "step"}], []])["measured_share"] == 0.0


def test_the_share_that_was_measured_is_told() -> None:
    found = estimate(HOPS, [run()])
    parts = found["parts"]
    known = sum(part["seconds"] for part in parts if part["source"] == "measured")
    assert 0 < found["measured_share"] < 1
    assert found["measured_share"] == round(known / sum(part["seconds"] for part in parts), 2)


def test_only_the_node_that_is_to_apply_applies() -> None:
    counts = {(p["step"], p["kind"]): p["count"] for p in estimate([*HOPS, *HOPS], [])["parts"]}
    assert counts["upgrade", "first_control_plane"] == 2
    assert counts["upgrade", "control_plane"] == 4
    assert counts["prepare", "worker"] == 2
    later = {(p["step"], p["kind"]): p["count"] for p in estimate([{**HOPS[0], "applies_on": None}], [])["parts"]}
    assert later["upgrade", "control_plane"] == 3
    assert ("upgrade", "first_control_plane") not in later


def test_only_kubelets_that_are_upgraded_are_drained_for() -> None:
    hop = {**HOPS[0], "kubelets": ["cp1", "w1"]}
    counts = {(p["step"], p["kind"]): p["count"] for p in estimate([hop], [])["parts"]}
    assert counts["upgrade", "control_plane"] == 2
    assert counts["drain", "first_control_plane"] == 1
    assert counts["drain", "worker"] == 1
    assert ("drain", "control_plane") not in counts


def test_a_kubelet_that_is_replaced_in_place_takes_no_drain() -> None:
    kept = {**HOPS[0], "in_place": ["cp1", "w1"]}
    counts = {(p["step"], p["kind"]): p["count"] for p in estimate([kept], [])["parts"]}
    assert ("drain", "first_control_plane") not in counts and ("drain", "worker") not in counts
    assert counts["drain", "control_plane"] == 2
    assert counts["packages", "first_control_plane"] == counts["gate", "worker"] == 1
    assert counts["gate", "control_plane"] == 4


def test_a_kubelet_that_comes_later_is_upgraded_on_its_own() -> None:
    hop = {**HOPS[0], "kubelets_later": ["cp2", "cp3"]}
    counts = {(p["step"], p["kind"]): p["count"] for p in estimate([hop], [])["parts"]}
    assert (counts["upgrade", "control_plane"], counts["gate", "control_plane"]) == (4, 8)
    assert (counts["upgrade", "first_control_plane"], counts["drain", "control_plane"]) == (1, 2)


def test_nothing_to_do_takes_no_time() -> None:
    assert estimate([], []) == {"seconds": 0, "measured_share": 0.0, "runs": 0, "parts": []}
