# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes a run drains at the same time, and that the plan is told how it drains."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.drains import batches_of, in_batches
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import DRAIN, Request
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.readers import eviction_webhooks
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version
from ansible_collections.evergreen.kubeadm.plugins.modules import drain_node, skew_check

ROLES = Path(__file__).resolve().parents[5] / "roles"
SPEC = skew_check.ARGUMENT_SPEC["drain"]["options"]


@pytest.mark.parametrize(
    ("serial", "expected"),
    [
        (["1"], ["a", "b", "c", "d", "e"]),
        (["2"], ["ab", "cd", "e"]),
        (["40%"], ["ab", "cd", "e"]),
        (["10%"], ["a", "b", "c", "d", "e"]),
        (["1", "50%"], ["a", "bc", "de"]),
        (["100%"], ["abcde"]),
        (["9"], ["abcde"]),
        (["0"], ["abcde"]),
        ([], ["a", "b", "c", "d", "e"]),
    ],
)
def test_batches(serial: list[str], expected: list[str]) -> None:
    assert in_batches("abcde", serial) == [list(batch) for batch in expected]
    assert in_batches("", serial) == []


@pytest.mark.parametrize("serial", ["two", "20 percent", "x%", ""])
def test_what_is_no_number_of_workers(serial: str) -> None:
    with pytest.raises(EvergreenError, match="worker_serial"):
        in_batches("abc", [serial])


def hop(planes: str, workers: str, kubelets: str, in_place: str = "") -> dict[str, t.Any]:
    return {
        "control_plane": list(planes),
        "workers": list(workers),
        "kubelets": list(kubelets),
        "in_place": list(in_place),
    }


@pytest.mark.parametrize(
    ("hops", "places", "expected"),
    [
        ([hop("xy", "abc", "xyabc")], "", ["x", "y", "ab", "c"]),
        # etcd alone, or a control plane that waits with its kubelets.
        ([hop("xy", "", "")], "", []),
        ([hop("xy", "abc", "xabc", in_place="a")], "", ["x", "b", "c"]),
        # The same nodes in the next hop.
        ([hop("x", "ab", "xab"), hop("x", "ab", "xab")], "", ["x", "ab"]),
        # A run of some nodes.
        ([hop("xy", "abc", "xyabc")], "yac", ["y", "ac"]),
    ],
)
def test_nodes_that_are_drained_at_the_same_time(hops: list[t.Any], places: str, expected: list[str]) -> None:
    request = Request(Version.parse("1.35.4"), places=list(places), worker_serial=["2"])
    assert batches_of(hops, request) == [list(batch) for batch in expected]


def rules(*resources: list[str]) -> dict[str, t.Any]:
    return {"webhooks": [{"name": "h", "rules": [{"operations": ["CREATE"], "resources": each} for each in resources]}]}


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        (rules(["pods/eviction"]), ["h"]),
        (rules(["pods/eviction"], ["pods/eviction"]), ["h"]),
        # A policy engine, which sees evictions among other things.
        (rules(["pods/eviction", "pods/exec"]), []),
        (rules(["pods/eviction"], ["pods"]), []),
        (rules(["*/*"]), []),
        (rules(), []),
        ({}, []),
    ],
)
def test_webhooks_about_evictions(configuration: dict[str, t.Any], expected: list[str]) -> None:
    assert eviction_webhooks([configuration]) == expected


def read(path: str) -> t.Any:
    return yaml.safe_load((ROLES / path).read_text(encoding="utf-8"))


def variable(expression: str) -> str:
    """The first word of a Jinja expression."""
    return expression.strip("{} ").split(" ")[0]


def test_the_plan_is_told_the_options_of_the_run() -> None:
    """What role kubelet drains with and what skew_check judges by are the same variables, with the same defaults."""
    defaults = read("kubelet/defaults/main.yml")
    (task,) = [
        each["evergreen.kubeadm.drain_node"]
        for block in read("kubelet/tasks/main.yml")
        for each in block.get("block") or []
        if each.get("evergreen.kubeadm.drain_node", {}).get("state") == "drained"
    ]
    run = {**task, **task["delete_options"]}
    planned = read("preflight/vars/main.yml")["preflight_drain"]
    assert planned.keys() == SPEC.keys()
    for name, expression in planned.items():
        assert variable(expression) == variable(run[name]), name
        assert defaults[variable(expression)] == SPEC[name]["default"], name
        fallback = (
            f"default({str(SPEC[name]['default']).lower()}) | bool" if SPEC[name]["type"] == "bool" else "default(omit)"
        )
        assert fallback in expression, name
    assert skew_check.drain_options({name: option["default"] for name, option in SPEC.items()}) == DRAIN
    # What changes no judgement before the drain begins.
    assert task["delete_options"].keys() - planned.keys() == set()
    assert task.keys() - planned.keys() == {
        *("name", "state", "run_id", "delete_options", "order_by_priority", "wait_for_volume_detach")
    }


def test_the_rules_for_pods_are_those_of_a_drain() -> None:
    assert SPEC["pod_rules"] == drain_node.ARGUMENT_SPEC["pod_rules"]
