# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a component can be rolled back."""

from __future__ import annotations

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._rollback.decisions import FINALIZED, VERSION, why_not
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version


@pytest.mark.parametrize(
    ("tag", "emulates", "refused"),
    [
        ("v1.35.4", "1.34", ""),
        ("v1.35.4", "kube=1.34", ""),
        ("v1.35.4", "1.33", ""),
        ("v1.34.4", None, ""),
        ("v1.34.7", None, ""),
        ("v1.34.4", "1.34", ""),
        ("v1.35.4", None, FINALIZED),
        ("v1.35.4", "1.35", FINALIZED),
        ("v1.35.4", "nonsense", FINALIZED),
        ("v1.36.1", "1.34", VERSION),
        ("v1.34.3", None, VERSION),
        ("v1.33.9", None, VERSION),
        ("v2.34.4", None, VERSION),
        ("latest", "1.34", VERSION),
        ("", "1.34", VERSION),
    ],
)
def test_whether_a_component_can_be_rolled_back(tag: str, emulates: str | None, refused: str) -> None:
    refusal = why_not(tag, emulates, Version.parse("1.34.4"))
    assert (refusal.id if refusal else "") == refused
