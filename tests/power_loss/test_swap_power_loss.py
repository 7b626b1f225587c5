# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node that loses its power at each step of a swap, and what it is after its boot; some ten minutes."""

from __future__ import annotations

import typing as t

import pytest

import swap_place
from real_node import NEW, OLD, RealNode, real_node


@pytest.fixture(scope="module")
def node() -> t.Iterator[RealNode]:
    with real_node() as made:
        swap_place.prepare(made)
        yield made


@pytest.mark.parametrize(("part", "step"), [*swap_place.FORTH, *swap_place.BACK])
def test_power_loss(node: RealNode, part: str, step: str) -> None:
    now = OLD if f"v{OLD}" in node.kubectl("get", "--raw", "/version") else NEW
    aim = NEW if now == OLD else OLD
    edits = swap_place.with_flag("kube-apiserver") if part == "back" else {}
    swap = swap_place.swap_to(node, aim, edits, kubelet=aim)
    swap_place.halt_at(node, [(part, step)], kill=False)
    swap_place.start(node, swap)
    swap_place.wait_halted(node, part, step)
    node.power_loss()
    node.power_on()
    outcome = swap_place.wait(node)
    assert outcome.outcome == ("done" if part == "forth" else "put_back"), outcome.cause
    version = aim if part == "forth" else now
    swap_place.check(node, version, version)
