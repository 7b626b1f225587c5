# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node says of its name is taken only where a Node can have that name."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._node_name import is_node_name


@pytest.mark.parametrize("name", ["w1", "worker-1.example.com", "10.0.0.7", "1", "a" * 253])
def test_names(name: str) -> None:
    assert is_node_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../w1", "a/../b", "/etc", "a/b", "a..b", ".a", "a.", "-a", "a-", "a.-b", "W1", "a_b", "a b"),
        *("w1\n", "\nw1", "w1\nevil", "w1\x00", "{{ 7 * 7 }}", "$(id)", "`id`", "~", "é", "a" * 254),
        *(None, 7, ["w1"], {"w1": 1}, True),
    ],
)
def test_what_is_no_name(name: t.Any) -> None:
    assert not is_node_name(name)
