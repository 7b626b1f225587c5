# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Emulated versions: what a flag says."""

from __future__ import annotations

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _emulation


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
