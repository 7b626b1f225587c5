# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kubeadm_info says of manifests that somebody edited, by real kubeadm."""

from __future__ import annotations

from pathlib import Path

from test_kubeadm_upgrade import needs_root, play


@needs_root
def test_edits_are_those_that_kubeadm_would_take_away(tmp_path: Path) -> None:
    seen = play("edits", tmp_path, "kubeadm_edits.py")
    found = {name: result["info"]["static_pod_edits"] for name, result in seen.items() if "info" in result}

    # Its proxies are those of the shell of the installation.
    assert found["written"] == {"error": "", "pods": {}}
    assert seen["untouched"]["value"] is True

    added = ["--v", "environment GOGC"]
    behind = {"kube-controller-manager": {"added": [], "changed": [], "removed": ["--v"]}}
    etcd = {"etcd": {"added": ["--quota-backend-bytes", "environment GOGC"], "changed": [], "removed": []}}
    scheduler = {"kube-scheduler": {"added": added, "changed": [], "removed": []}}
    assert found["edited"] == {"error": "", "pods": {**scheduler, **behind, **etcd}}
    assert seen["edited"]["duration_s"] < 10

    scheduler["kube-scheduler"]["added"] = ["environment GOGC"]
    assert found["patched"]["pods"] == {**scheduler, **behind, **etcd}

    assert "kubeadm does not write the manifests of v1.34.4 for cp1" in found["refused"]["error"]
    assert "kubeadm is 1.35.4 and the static pods are v1.34.4" in found["newer"]["error"]
