# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Event and which conditions a step has."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._lifecycle import decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lifecycle.decisions import (
    DRAINED,
    DRAINING,
    IN_PROGRESS,
    OURS,
    PLANNED,
    Change,
    Run,
    condition_changes,
    event,
)

Json = dict[str, t.Any]
RUN = Run("run-1", "v1.35.4")
NOW, BEFORE = "2026-01-31T12:00:00Z", "2026-01-31T11:00:00Z"
THEIRS = {"type": DRAINED, "status": "True", "reason": "x", "message": "by hand", "lastTransitionTime": BEFORE}


def node(*conditions: Json) -> Json:
    ready = {"type": "Ready", "status": "True"}
    return {"metadata": {"name": "worker1", "uid": "u-1"}, "status": {"conditions": [ready, *conditions]}}


def ours(kind: str, message: str = "anything") -> Json:
    return {"type": kind, "status": "True", "reason": "x", "message": OURS + message, "lastTransitionTime": BEFORE}


def after(start: Json, step: str, run: Run = RUN) -> Json:
    """The node as the API server makes it of the patch."""
    _changes, patch = condition_changes(start, step, run, NOW)
    present = {entry["type"]: entry for entry in start["status"]["conditions"]}
    for entry in (patch or {"status": {"conditions": []}})["status"]["conditions"]:
        if entry.get("$patch") == "delete":
            present.pop(entry["type"])
        else:
            present[entry["type"]] = entry
    return {**start, "status": {"conditions": list(present.values())}}


def types(of: Json) -> set[str]:
    return {entry["type"] for entry in of["status"]["conditions"] if entry["status"] == "True"} - {"Ready"}


def test_the_way_of_a_node() -> None:
    now = node()
    for step, expected in (
        ("planned", {PLANNED}),
        ("begun", {IN_PROGRESS}),
        ("draining", {IN_PROGRESS, DRAINING}),
        ("drained", {IN_PROGRESS, DRAINED}),
        ("upgraded", set()),
    ):
        now = after(now, step)
        assert types(now) == expected, step
        assert condition_changes(now, step, RUN, "2026-01-31T13:00:00Z") == ([], None), "a second time changes nothing"
    assert now == node()


@pytest.mark.parametrize("step", ["upgraded", "failed", "set_aside", "ended"])
@pytest.mark.parametrize("left", [(), (PLANNED,), (IN_PROGRESS, DRAINING), decisions.TYPES])
def test_every_ending_takes_ours_away(step: str, left: tuple[str, ...]) -> None:
    changes, _patch = condition_changes(node(*map(ours, left)), step, Run("another run"), NOW)
    assert changes == [Change(kind, "removed") for kind in decisions.TYPES if kind in left]
    assert after(node(*map(ours, left)), step) == node()


@pytest.mark.parametrize("step", decisions.STEPS)
def test_what_somebody_else_set_stays(step: str) -> None:
    assert THEIRS in after(node(THEIRS), step)["status"]["conditions"]


def test_what_somebody_else_set_is_told() -> None:
    changes, patch = condition_changes(node(THEIRS), "drained", RUN, NOW)
    assert changes == [Change(DRAINED, "kept")]
    assert patch is None


def test_a_condition_as_it_is_written() -> None:
    _changes, patch = condition_changes(node(), "drained", RUN, NOW)
    assert patch == {
        "status": {
            "conditions": [
                {
                    "type": "Drained",
                    "status": "True",
                    "reason": "DrainCompleted",
                    "message": "evergreen.kubeadm: The node was drained. Run run-1.",
                    "lastHeartbeatTime": NOW,
                    "lastTransitionTime": NOW,
                }
            ]
        }
    }


def test_a_condition_that_stays_true_keeps_its_time() -> None:
    (entry,) = [
        each for each in after(node(ours(IN_PROGRESS)), "begun")["status"]["conditions"] if each["type"] == IN_PROGRESS
    ]
    assert entry["lastTransitionTime"] == BEFORE
    assert entry["message"].endswith("Run run-1.")


@pytest.mark.parametrize(
    ("step", "reason", "kind"),
    [
        ("begun", "UpgradeBegun", "Normal"),
        ("drained", "NodeDrained", "Normal"),
        ("upgraded", "UpgradeSucceeded", "Normal"),
        ("failed", "UpgradeFailed", "Warning"),
        ("set_aside", "UpgradeSetAside", "Warning"),
    ],
)
def test_the_event_of_a_step(step: str, reason: str, kind: str) -> None:
    found = event(node(), step, RUN, NOW)
    assert found
    assert (found["reason"], found["type"]) == (reason, kind)
    assert found["regarding"] == {"apiVersion": "v1", "kind": "Node", "name": "worker1", "uid": "u-1"}
    assert found["note"].endswith("Run run-1.")
    assert found["reportingController"] == "evergreen.kubeadm/upgrade"


@pytest.mark.parametrize("step", ["planned", "draining", "ended"])
def test_a_step_without_an_event(step: str) -> None:
    assert event(node(), step, RUN, NOW) is None


def name_of(step: str, run: Run, name: str = "worker1") -> str:
    found = event({"metadata": {"name": name}}, step, run, NOW)
    assert found
    return str(found["metadata"]["name"])


def test_the_name_of_an_event_is_that_of_its_run_node_step_and_version() -> None:
    assert name_of("begun", RUN) == name_of("begun", RUN._replace(message="other", instance="x"))
    names = {
        name_of("begun", RUN),
        name_of("failed", RUN),
        name_of("begun", RUN, "worker2"),
        name_of("begun", RUN._replace(run_id="run-2")),
        name_of("begun", RUN._replace(version="v1.36.0")),
    }
    assert len(names) == 5
    assert len(name_of("begun", RUN, "n" * 253)) <= 253


def test_a_message_is_bounded_and_without_secrets() -> None:
    secret = "abcdef" + ".0123456789abcdef"
    found = event(
        node(), "failed", RUN._replace(message=f"Token {secret} " + "\N{LATIN SMALL LETTER E WITH ACUTE}" * 2000), NOW
    )
    assert found
    assert len(found["note"].encode()) <= 1024
    assert secret not in found["note"]
    assert found["note"].startswith("The upgrade to 1.35.4 failed. Token abcdef.(hidden) ")
