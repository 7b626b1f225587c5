# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Emulated versions: what a flag says, what is added, and what is left over."""

from __future__ import annotations

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _emulation

ALL = dict.fromkeys(_emulation.COMPONENTS, "1.34")


@pytest.mark.parametrize(
    ("value", "minor"),
    [
        ("1.34", 34),
        ("v1.34", 34),
        ("kube=1.34", 34),
        ("wardle=1.2,kube=1.34", 34),
        ("wardle=1.2", None),
        ("1.34.4", 34),
        ("1", None),
        ("", None),
        (None, None),
    ],
)
def test_what_a_value_says(value: str | None, minor: int | None) -> None:
    assert _emulation.emulated_minor(value) == minor


def test_flags_that_are_added_are_those_that_go() -> None:
    for component, flags in _emulation.flags_to_add(34).items():
        assert _emulation.added_words({"v": "2", **flags}, ()) == ["--emulated-version=1.34"], component
        assert _emulation.added_words(flags, {"emulated-version"}) == []
    assert _emulation.added_words({"v": "2"}, ()) == []


@pytest.mark.parametrize(
    ("emulated", "wanted", "left"),
    [
        ({}, {}, 0),
        (ALL, _emulation.flags_to_add(34), 0),
        (ALL, {}, 3),
        ({}, _emulation.flags_to_add(34), 3),
        (ALL, _emulation.flags_to_add(33), 3),
        ({**ALL, "kube-scheduler": ""}, _emulation.flags_to_add(34), 1),
    ],
)
def test_what_is_left_over(emulated: dict[str, str], wanted: dict[str, dict[str, str]], left: int) -> None:
    assert len(_emulation.left_over([*_emulation.COMPONENTS, "etcd"], emulated, wanted)) == left


def test_a_component_that_is_not_there_is_not_judged() -> None:
    assert _emulation.left_over(["kube-apiserver"], {}, _emulation.flags_to_add(34)) == [
        "kube-apiserver has no --emulated-version, and is to have --emulated-version=1.34"
    ]
