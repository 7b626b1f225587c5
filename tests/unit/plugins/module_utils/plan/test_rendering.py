# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._plan import markdown, terminal, words
from ansible_collections.evergreen.kubeadm.plugins.module_utils._plan.durations import estimate
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER, NOTE, WARNING, finding

Json = dict[str, t.Any]
HOPS: list[Json] = [
    {
        "from": "1.34.4",
        "to": "1.35.4",
        "control_plane": ["cp1", "cp2"],
        "workers": [],
        "kubelets": ["cp1", "cp2"],
        "apply_needed": True,
        "applies_on": "cp1",
        "etcd": None,
    },
    {
        "from": "1.35.4",
        "to": "1.36.3",
        "control_plane": ["cp1"],
        "workers": [f"w{n}" for n in range(30)],
        "kubelets": [],
        "apply_needed": True,
        "applies_on": "cp1",
        "etcd": {"from_minor": "3.5", "to_minor": "3.6"},
    },
]
BUDGET = finding(
    "budget-never-allows",
    BLOCKER,
    "poddisruptionbudget/shop/cart",
    "it wants 1 of 1",
    "Run one more.",
    "https://k8s.io/",
)
FINDINGS = [
    BUDGET,
    *(finding("swap-on", WARNING, f"node/w{n}", "swap is on", "Turn it off.") for n in range(30)),
    finding("new_minor", NOTE, "cluster", "1.36 is <new>", "Read."),
]
COST: Json = {
    "hops": [],
    "drains": 33,
    "pods": 1200,
    "moves": 1300,
    "expected_moves": 2100.4,
    "pools": [{"name": "workers", "nodes": 30, "drains": 30, "pods": 1200, "moves": 1300, "expected_moves": 2100.4}],
    "budgets": [{"budget": f"shop/b{n}", "state": "in_turn", "pods": 6, "why": "3 on w1"} for n in range(12)],
    "singletons": [
        {
            "pod": "shop/db-0",
            "owner": "StatefulSet/db",
            "node": "w1",
            "times": 2,
            "comes_back": True,
            "down_s": 12.0,
            "grace_s": 30.0,
        },
        {
            "pod": "shop/web",
            "owner": "ReplicaSet/web",
            "node": "w1",
            "times": 1,
            "comes_back": True,
            "down_s": None,
            "grace_s": 0.0,
        },
        {
            "pod": "shop/bare",
            "owner": None,
            "node": "w1",
            "times": 1,
            "comes_back": False,
            "down_s": None,
            "grace_s": 0.0,
        },
    ],
    "time": estimate(HOPS, []),
}


def plan(**changed: t.Any) -> Json:
    base: Json = {"current": "1.34.4", "target": "1.36.3", "upgrade_needed": True, "hops": HOPS, "findings": FINDINGS}
    return {**base, "accepted": [], "blockers": 1, "cost": COST, **changed}


def text(shown: list[terminal.Line]) -> str:
    return "\n".join(line.text for line in shown)


def test_kubelets_that_are_replaced_in_place_are_told() -> None:
    shown = text(terminal.lines(plan(cost={**COST, "drains": 0, "in_place": 2, "pods": 0})))
    assert "0 drains, 2 kubelets replaced with the pods on the node, no pod moves." in shown
    assert "2 kubelets replaced" in markdown.page(plan(cost={**COST, "drains": 0, "in_place": 2}))
    assert "replaced" not in text(terminal.lines(plan()))


def test_the_terminal_has_all_of_it() -> None:
    shown = text(terminal.lines(plan()))
    for part in (
        "PLAN  1.34.4 to 1.36.3",
        "cp1, cp2",
        "w0, w1, w2, w3, w4, w5 and 24 more",
        "3.5 to 3.6",
        "33 drains, 1,200 pods to move, 1,300 times at the least, about 2,100 expected.",
        "all of it guessed",
        "and 2 more",
        "12 s, and up to 30 s to stop, 2 times",
        "not known",
        "for good: nothing makes it anew",
        "FINDINGS  1 blocker, 30 warnings, 1 note",
        "BLOCKER budget-never-allows  poddisruptionbudget/shop/cart",
        "-> Run one more.",
        "WARNING swap-on  node/w0, node/w1",
        "1 blocker in the way of 1.36.3: budget-never-allows.",
    ):
        assert part in shown
    assert shown.count("swap is on") == 1


def test_each_line_has_the_kind_of_what_it_says() -> None:
    kinds = {line.text.split("  ")[0]: line.kind for line in terminal.lines(plan())}
    assert kinds["BLOCKER budget-never-allows"] == BLOCKER
    assert kinds["WARNING swap-on"] == WARNING
    assert kinds["PLAN"] == terminal.TITLE
    assert terminal.lines(plan())[-1].kind == terminal.BAD
    assert terminal.lines(plan(blockers=0, findings=[]))[-1].kind == terminal.GOOD


@pytest.mark.parametrize("width", [10, 60, 79, 100, 140, 400])
def test_lines_keep_to_the_width(width: int) -> None:
    bound = max(terminal.NARROWEST, min(width, terminal.WIDEST))
    assert [line.text for line in terminal.lines(plan(), width) if len(line.text) > bound] == []


def test_a_name_that_is_longer_than_the_width_is_not_cut() -> None:
    name = "w" * 150
    hop: Json = {**HOPS[0], "control_plane": [name]}
    shown = terminal.lines(plan(hops=[hop], cost=None), 80)
    assert sum(line.text.count("w") for line in shown) >= 150
    found = finding("a", NOTE, name, name, name)
    assert name in text(terminal.lines(plan(hops=[], findings=[found], cost=None, blockers=0), 80))


LEFT: Json = {"blockers": 0, "findings": [], "hops": []}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({}, "1 blocker in the way of 1.36.3: budget-never-allows."),
        ({"blockers": 0, "findings": FINDINGS[1:]}, "Nothing stands in the way of 1.36.3."),
        ({"blockers": 0, "findings": [], "upgrade_needed": False}, "Nothing to do: the cluster is at 1.36.3."),
        (
            {
                "blockers": 0,
                "findings": [
                    {"id": "cluster-node-not-in-inventory", "severity": "warning", "subject": f"node/{name}"}
                    for name in ("w8", "w9")
                ],
                "nodes": [{"name": "w8", "done": True}, {"name": "w9", "done": False}],
                "upgrade_needed": False,
            },
            "Nothing to do: the inventory's nodes are at 1.36.3. Not at it, and in no inventory: w9.",
        ),
        (
            {**LEFT, "cut_off": {"run_id": "r1", "since": "", "reason": "expired"}},
            "Nothing is to be upgraded: the cluster is at 1.36.3. What an earlier run left (r1) is to be put back.",
        ),
        (
            {**LEFT, "nodes": [{"tainted_by": "r2"}, {"tainted_by": None}, {"tainted_by": "r2"}]},
            "Nothing is to be upgraded: the cluster is at 1.36.3. What an earlier run left (r2) is to be put back.",
        ),
        (
            {"blockers": 0, "cut_off": {"run_id": "r1", "since": "", "reason": "expired"}},
            "Nothing stands in the way of 1.36.3.",
        ),
        ({"blockers": 31, "findings": [BUDGET] * 31}, "31 blockers in the way of 1.36.3: budget-never-allows."),
    ],
)
def test_the_verdict(changed: Json, sentence: str) -> None:
    assert words.verdict(plan(**changed)) == sentence
    assert text(terminal.lines(plan(**changed), 140)).endswith(sentence)


def test_what_an_earlier_run_left_is_no_upgrade() -> None:
    left = plan(**LEFT, cut_off={"run_id": "r1", "since": "", "reason": "expired"})
    assert words.title(left) == "1.36.3: nothing to upgrade"


def test_a_hop_of_etcd_alone() -> None:
    hop: Json = {**HOPS[0], "from": "1.33.13", "to": "1.33.13", "etcd": {"from_minor": "3.5", "to_minor": "3.5"}}
    shown = text(terminal.lines(plan(hops=[{**hop, "etcd_image_tag": "3.5.27-0"}])))
    assert "1.33.13, etcd alone" in shown
    assert "3.5 (3.5.27-0)" in shown


def test_where_nothing_is_to_be_done_no_cost_is_shown() -> None:
    cost = {**COST, "drains": 0, "pods": 0}
    done = plan(hops=[], findings=[], blockers=0, upgrade_needed=False, cost=cost)
    assert "COST" not in text(terminal.lines(done))
    assert "FINDINGS  none" in text(terminal.lines(done))
    assert "## Cost" not in markdown.page(done)


def test_the_page_leads_to_the_findings() -> None:
    page = markdown.page(plan(accepted=[{**FINDINGS[1], "reason": "it | is fine"}]))
    assert "### blocker: [budget-never-allows](https://github.com/" in page
    assert "/docs/findings/budget-never-allows.md)" in page
    assert "| 1.34.4 to 1.35.4 | cp1, cp2 | none | - |" in page
    assert "| swap-on | node/w0 | it \\| is fine |" in page
    assert "1.36 is \\<new>." in page
    assert "Source: <https://k8s.io/>" in page
    assert "| upgrade | first control plane | 2 |" in page


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (45.4, "45 s"), (99, "99 s"), (100, "2 min"), (3599, "1 h"), (3600, "1 h"), (12_000, "3 h 20 min")],
)
def test_duration(seconds: float, said: str) -> None:
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [(1.0, "measured in 2 earlier runs."), (0.4, "40% of it measured in 2 earlier runs, the rest guessed.")],
)
def test_what_was_measured_is_said(share: float, said: str) -> None:
    cost = {**COST, "time": {**COST["time"], "measured_share": share, "runs": 2}}
    assert words.cost_lines(cost)[1].endswith(said)


def test_what_a_node_says_does_not_steer_the_terminal() -> None:
    evil = {**plan()["findings"][0], "evidence": "\x1b[2J\x1b]0;mine\x07 \x9b1m \u202egnp", "subject": "node/\x1b[31m"}
    shown = text(terminal.lines(plan(findings=[evil])))
    assert "mine" in shown
    assert not set("\x1b\x07\x9b\u202e") & set(shown)
