# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events about Nodes and their conditions on a real API server."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._lifecycle.decisions import TYPES
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lifecycle.io import EVENTS
from drain_place import Json, Place
from harness.modules import run_module
from rbac_place import roles

ROLES = roles("node_lifecycle.yml")
BASE, CONDITIONS = ROLES["evergreen-node-lifecycle"], ROLES["evergreen-node-lifecycle-conditions"]


@pytest.fixture
def known(place: Place) -> t.Iterator[Place]:
    """A Node, and its Events taken away at the end."""
    yield place
    for event in events(place):
        place.cluster.delete(f"{EVENTS}/{event['metadata']['name']}")


def tell(place: Place, step: str, *, check_mode: bool = False, auth: Json | None = None, **options: t.Any) -> Json:
    arguments = {
        **place.cluster.params,
        **(auth or {}),
        "step": step,
        "run_id": f"run-of-{place.name}",
        "nodes": [place.first],
        "kubernetes_version": "1.35.4",
        **options,
    }
    return run_module("node_lifecycle", arguments, check_mode=check_mode)


def events(place: Place) -> list[Json]:
    return [
        each
        for each in place.cluster.client.list(EVENTS)
        if each["regarding"].get("name") in (place.first, place.second)
        and each["reportingController"].startswith("evergreen")
    ]


def conditions(place: Place, name: str | None = None) -> dict[str, Json]:
    return {each["type"]: each for each in place.node(name)["status"]["conditions"]}


def lifecycle(place: Place) -> set[str]:
    return {kind for kind, entry in conditions(place).items() if kind in TYPES and entry["status"] == "True"}


def test_check_run_check_run(known: Place) -> None:
    ready = conditions(known)["Ready"]
    for step, reason, expected in (
        ("planned", None, {"MaintenancePlanned"}),
        ("begun", "UpgradeBegun", {"MaintenanceInProgress"}),
        ("draining", None, {"MaintenanceInProgress", "DrainInProgress"}),
        ("drained", "NodeDrained", {"MaintenanceInProgress", "Drained"}),
        ("upgraded", "UpgradeSucceeded", set()),
    ):
        before, written = lifecycle(known), len(events(known))
        predicted = tell(known, step, conditions=True, check_mode=True)
        assert predicted["changed"] and (lifecycle(known), len(events(known))) == (before, written), step
        done = tell(known, step, conditions=True)
        assert [done[key] for key in ("changed", "events", "conditions")] == [
            predicted[key] for key in ("changed", "events", "conditions")
        ]
        assert lifecycle(known) == expected, step
        assert [each["reason"] for each in done["events"]] == ([reason] if reason else [])
        for check_mode in (True, False):
            assert not tell(known, step, conditions=True, check_mode=check_mode)["changed"], step
        assert len(events(known)) == written + bool(reason)
    # What the kubelet says of the node is as it was.
    assert conditions(known)["Ready"]["lastTransitionTime"] == ready["lastTransitionTime"]


def test_an_event_as_people_see_it(known: Place) -> None:
    tell(known, "failed", cause="The drain timed out.", reporting_instance="controller1")
    (event,) = events(known)
    assert event["type"] == "Warning"
    assert event["reason"] == "UpgradeFailed"
    assert event["reportingController"] == "evergreen.kubeadm/upgrade"
    assert event["reportingInstance"] == "controller1"
    assert event["regarding"]["uid"] == known.node()["metadata"]["uid"]
    shown = known.cluster.kubectl("describe", "node", known.first).stdout
    assert "UpgradeFailed" in shown and "The drain timed out." in shown


def test_one_event_whoever_asks_at_the_same_time(known: Place) -> None:
    with ThreadPoolExecutor(max_workers=4) as threads:
        results = list(threads.map(lambda _number: tell(known, "begun"), range(4)))
    assert sum(result["events"][0]["created"] for result in results) == 1
    assert len(events(known)) == 1
    assert tell(known, "begun", run_id="another")["changed"]
    assert len(events(known)) == 2


def test_the_end_finds_what_a_killed_run_has_left(known: Place) -> None:
    known.add_node(known.second)
    tell(known, "begun", conditions=True, run_id="killed", nodes=[known.first, known.second])
    theirs = {"type": "Drained", "status": "True", "reason": "Mine", "message": "by hand"}
    known.cluster.client.patch(
        f"/api/v1/nodes/{known.first}/status",
        {"status": {"conditions": [theirs]}},
        "application/strategic-merge-patch+json",
    )
    ended = tell(known, "ended", nodes=[], run_id="the next one")
    assert {(each["node"], each["type"], each["action"]) for each in ended["conditions"]} >= {
        (known.first, "MaintenanceInProgress", "removed"),
        (known.second, "MaintenanceInProgress", "removed"),
        (known.first, "Drained", "kept"),
    }
    assert not set(conditions(known, known.second)) & set(TYPES)
    assert conditions(known)["Drained"]["message"] == "by hand"
    assert not tell(known, "ended", nodes=[])["changed"]


def test_what_cannot_be(known: Place) -> None:
    missing = tell(known, "begun", nodes=[f"{known.first}-none"])
    assert missing["failed"] and f"There is no node {known.first}-none" in missing["msg"]
    assert tell(known, "begun", nodes=[])["failed"]
    assert tell(known, "begun", run_id=" ")["failed"]
    assert events(known) == []


def test_the_rights_of_the_file_are_enough(known: Place) -> None:
    auth = known.user(*BASE)
    for check_mode in (True, False):
        assert tell(known, "begun", auth=auth, check_mode=check_mode)["changed"]
    assert not tell(known, "ended", auth=auth, nodes=[])["changed"]
    refused = tell(known, "draining", auth=auth, conditions=True)
    assert refused["failed"] and "Grant the verb patch on nodes/status" in refused["msg"], refused
    both = known.user(*BASE, *CONDITIONS)
    assert tell(known, "draining", auth=both, conditions=True)["changed"]
    assert tell(known, "failed", auth=both, conditions=True)["changed"]
    assert lifecycle(known) == set()
