# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.bypasses import BYPASSES, bypasses


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (None, []),
        ("force", []),
        ({}, []),
        (dict.fromkeys(BYPASSES, False), []),
        ({"worker_ignore_preflight_errors": [], "preflight_accepted_findings": []}, []),
        ({"kubelet_drain_force": True}, [("kubelet_drain_force", None)]),
        (
            {"worker_ignore_preflight_errors": ["Swap"], "kubelet_drain_disable_eviction": True},
            [("kubelet_drain_disable_eviction", None), ("worker_ignore_preflight_errors", ["Swap"])],
        ),
        ({"an_option_of_no_danger": True}, []),
    ],
)
def test_what_the_options_give_up(options: object, expected: list[tuple[str, object]]) -> None:
    found = bypasses(options)
    assert [(bypass["name"], bypass.get("value")) for bypass in found] == expected
    assert all(bypass["reason"] == BYPASSES[bypass["name"]] for bypass in found)
