# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node of a hop runs `kubeadm upgrade apply`."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.applying import applies_on
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Request
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

V = Version.parse
OLD, NEW = V("1.34.4"), V("1.35.4")
PLANES = ["c2", "c1", "c3"]


@pytest.mark.parametrize(
    ("left", "needed", "before", "request_", "expected"),
    [
        pytest.param(PLANES, True, OLD, {"control_plane": PLANES}, "c2", id="nothing is done yet"),
        pytest.param(["c1", "c3"], True, OLD, {"control_plane": PLANES}, "c1", id="the first one left no config"),
        pytest.param(
            ["c3"], True, NEW, {"control_plane": PLANES}, "c3", id="only the configuration or addons are left"
        ),
        pytest.param(["c3"], True, OLD, {}, "c3", id="needed, whatever the inventory has"),
        pytest.param(PLANES, False, OLD, {"control_plane": PLANES}, "c2", id="the first one was killed on its way"),
        pytest.param(["c1", "c3"], False, OLD, {"control_plane": PLANES}, None, id="the first one is done"),
        pytest.param(["c1", "c2"], False, OLD, {"control_plane": PLANES}, None, id="another one was begun before it"),
        pytest.param(PLANES, False, NEW, {"control_plane": PLANES}, None, id="every API server is through"),
        pytest.param(PLANES, False, OLD, {}, None, id="the inventory was not told"),
        pytest.param(["c1"], False, OLD, {"first_control_plane": "c1"}, "c1", id="only its first node was told"),
        pytest.param(
            ["c1"], False, OLD, {"control_plane": PLANES, "first_control_plane": "c1"}, "c1", id="it counts before them"
        ),
        pytest.param(["c1"], False, OLD, {"first_control_plane": ""}, None, id="told to be nobody"),
        pytest.param([], False, OLD, {"control_plane": PLANES}, None, id="only workers are left"),
        pytest.param([], False, OLD, {"control_plane": []}, None, id="no control plane at all"),
    ],
)
def test_applies_on(
    left: list[str], needed: bool, before: Version, request_: dict[str, t.Any], expected: str | None
) -> None:
    request = Request(NEW, **request_)
    assert applies_on(left, request, apply_needed=needed, before=before, to=NEW) == expected
