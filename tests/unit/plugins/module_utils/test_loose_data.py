# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of data that may be of any type."""

from __future__ import annotations

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._loose_data import dict_of, dicts_of


@pytest.mark.parametrize(
    ("value", "one", "many"),
    [
        ({"a": 1}, {"a": 1}, []),
        ([{"a": 1}, "b", None, {}], {}, [{"a": 1}, {}]),
        ([], {}, []),
        (None, {}, []),
        ("text", {}, []),
        (1, {}, []),
    ],
)
def test_what_is_of_another_type_is_empty(value: object, one: dict[str, int], many: list[dict[str, int]]) -> None:
    assert (dict_of(value), dicts_of(value)) == (one, many)
