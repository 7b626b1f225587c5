# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version that an operator means."""

from __future__ import annotations

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Request
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.targets import target_findings, target_version
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

OFFERED = [Version.parse(text) for text in ("1.34.4", "1.35.3", "1.35.12", "1.36.0-rc.1")]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("1.35.4", "1.35.4"),
        ("v1.35.4", "1.35.4"),
        ("1.35", "1.35.12"),
        (" v1.35 ", "1.35.12"),
        ("latest", "1.35.12"),
        ("1.36.0-rc.1", "1.36.0-rc.1"),
    ],
)
def test_target(asked: str, expected: str) -> None:
    assert str(target_version(asked, OFFERED)) == expected


@pytest.mark.parametrize(
    ("asked", "offered"), [("1.36", OFFERED), ("latest", []), ("1.35", []), ("newest", OFFERED), ("1.35.4-eks-1", [])]
)
def test_no_target(asked: str, offered: list[Version]) -> None:
    with pytest.raises(EvergreenError):
        target_version(asked, offered)


@pytest.mark.parametrize(
    ("target", "offered", "ids"),
    [
        ("1.35.3", OFFERED, []),
        ("1.35.4", OFFERED, ["version-not-offered"]),
        ("1.37.0", OFFERED, []),
        ("1.35.4", [], []),
    ],
)
def test_offered(target: str, offered: list[Version], ids: list[str]) -> None:
    found = target_findings(Request(Version.parse(target), available=offered))
    assert [entry["id"] for entry in found] == ids
    assert all("1.35.12" in entry["remedy"] for entry in found)
