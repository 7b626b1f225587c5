# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._taint.decisions import (
    EFFECT,
    KEY,
    action_for,
    is_wanted,
    patch_for,
    run_of,
    taints_after,
    words,
)

Json = dict[str, t.Any]

GPU: Json = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
LATE: Json = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "timeAdded": "2026-01-31T12:00:00Z"}
# The key alone is not enough: somebody else may use it with another effect.
HARD: Json = {"key": KEY, "value": "r1", "effect": "NoSchedule"}


def ours(run: str = "r1") -> Json:
    return {"key": KEY, "effect": EFFECT, **({"value": run} if run else {})}


def node(*taints: Json) -> Json:
    spec = {"taints": list(taints)} if taints else {}
    return {"metadata": {"name": "w1", "resourceVersion": "7"}, "spec": spec}


@pytest.mark.parametrize(
    ("found", "run"),
    [
        (node(), None),
        (node(GPU, HARD), None),
        (node(GPU, ours()), "r1"),
        (node(ours("")), ""),
        ({"metadata": {"name": "w1"}}, None),
    ],
)
def test_whose_it_is(found: Json, run: str | None) -> None:
    assert run_of(found) == run


@pytest.mark.parametrize(
    ("state", "names", "run", "exclusive", "wanted"),
    [
        ("present", ["w1"], "r1", False, True),
        ("present", ["w2"], "r1", False, None),
        ("present", ["w2"], "r1", True, False),
        ("present", ["w2"], "r2", True, False),
        ("present", [], "", True, False),
        ("present", [], "", False, None),
        ("present", ["w1"], "r2", True, True),
        ("absent", ["w1"], "", False, False),
        ("absent", ["w1"], "r1", False, False),
        ("absent", ["w1"], "r2", False, None),
        ("absent", ["w2"], "", False, None),
        ("absent", ["w2"], "r1", True, None),
        ("absent", None, "", False, False),
        ("absent", None, "r1", False, False),
        ("absent", None, "r2", False, None),
    ],
)
def test_which_nodes(state: str, names: list[str] | None, run: str, exclusive: bool, wanted: bool | None) -> None:
    assert is_wanted(node(ours("r1")), state, names, run, exclusive=exclusive) is wanted


@pytest.mark.parametrize(
    ("found", "wanted", "action", "after"),
    [
        (node(), True, "added", [ours()]),
        (node(GPU, LATE), True, "added", [GPU, LATE, ours()]),
        (node(HARD), True, "added", [HARD, ours()]),
        (node(ours()), True, None, None),
        (node(ours("r0"), GPU), True, "updated", [GPU, ours()]),
        (node(ours(""), GPU), True, "updated", [GPU, ours()]),
        (node(ours(), GPU), False, "removed", [GPU]),
        (node(ours("r0")), False, "removed", []),
        (node(GPU, HARD), False, None, None),
        (node(), False, None, None),
        (node(ours()), None, None, None),
        (node(), None, None, None),
    ],
)
def test_what_happens_to_a_node(found: Json, wanted: bool | None, action: str | None, after: list[Json] | None) -> None:
    assert action_for(found, wanted, "r1") == action
    if action is not None:
        assert taints_after(found, action, "r1") == after
        patch = patch_for(found, action, "r1")
        assert patch == {"metadata": {"resourceVersion": "7"}, "spec": {"taints": after or None}}
        # Once it is done nothing is left to do.
        assert action_for(node(*(after or [])), wanted, "r1") is None


def test_a_run_without_a_name_sets_no_value() -> None:
    assert taints_after(node(), "added", "") == [{"key": KEY, "effect": EFFECT}]
    assert action_for(node(ours("")), True, "") is None


def test_words() -> None:
    assert words([GPU, ours(""), ours()]) == ["gpu=yes:NoSchedule", f"{KEY}:{EFFECT}", f"{KEY}=r1:{EFFECT}"]
