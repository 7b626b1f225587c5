# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plan makes of manifests that are not what kubeadm writes."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.hosts import read_host
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.skew.cases import cluster, decide, said

SCHEDULER = "pod/kube-system/kube-scheduler-c1"
EDITED = ("warning", "static-pod-edited", SCHEDULER)
BEHIND = ("warning", "static-pod-behind-config", SCHEDULER)
UNKNOWN = ("note", "static-pod-edits-unknown", "node/c1")


def edits(**kinds: list[str]) -> dict[str, t.Any]:
    named = {"added": [], "changed": [], "removed": [], **kinds}
    return {"error": "", "pods": {"kube-scheduler": named}}


def found(evidence: t.Any, target: str = "1.35.4") -> t.Any:
    plane = read_host({"node_name": "c1", "role": "control_plane", "static_pod_edits": evidence})
    return decide(cluster(), target, [plane] if plane else [])


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (None, []),
        ({"error": "", "pods": {}}, []),
        (edits(added=["--v"]), [EDITED]),
        (edits(changed=["environment GOGC"]), [EDITED]),
        (edits(removed=["mount /etc/audit"]), [BEHIND]),
        (edits(added=["--v"], removed=["--profiling"]), [BEHIND, EDITED]),
        ({"error": "kubeadm is not installed.", "pods": {}}, [UNKNOWN]),
        # Removed in 1.33: another finding speaks of it.
        ({"error": "", "pods": {"kube-apiserver": {"added": ["--cloud-config"]}}}, []),
    ],
)
def test_what_the_upgrade_takes_away(evidence: t.Any, expected: list[t.Any]) -> None:
    assert said(found(evidence)) == expected
    # Nothing is taken away where nothing is left to do.
    assert said(found(evidence, "1.34.4")) == []


def test_the_names_are_told() -> None:
    behind, edited = found(edits(added=["--v", "container kms"], changed=["--leader-elect"], removed=["--a", "--b"]))[
        "findings"
    ]
    assert edited["evidence"].endswith("; added: --v, container kms; changed: --leader-elect")
    assert "control_plane_patches" in edited["remedy"]
    assert behind["evidence"].endswith("does not have: --a, --b")
