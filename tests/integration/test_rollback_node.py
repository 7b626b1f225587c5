# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""control_plane_rollback and the two parts of kubeadm_upgrade, with real kubeadm, etcd and API servers."""

from __future__ import annotations

from pathlib import Path

from test_kubeadm_upgrade import needs_root, play

COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
WORD = "--emulated-version=1.34"


@needs_root
def test_there_and_back(tmp_path: Path) -> None:
    seen = play("rollback", tmp_path, "kubeadm_rollback.py", timeout_s=480)

    assert "cannot go back to v1.33.1" in seen["too_far"]["msg"]

    assert seen["first_part"]["changed"], seen["first_part"]
    assert seen["first_part"]["evidence"]["emulated_versions"] == dict.fromkeys(COMPONENTS, "1.34")
    assert seen["first_part"]["evidence"]["manifest_tags"]["etcd"] == "3.6.5-0"
    assert not seen["first_part_again"]["changed"]
    soaking = seen["soaking"]
    assert (soaking["gitVersion"], soaking["emulationMinor"], soaking["minor"]) == ("v1.35.4", "34", "35")
    assert seen["noted"] == {component: {"upgrade": [WORD]} for component in COMPONENTS}
    assert seen["finalize_predicted"]["changed"]
    assert any("is to have no --emulated-version" in said for said in seen["finalize_predicted"]["missing"])

    predicted, back = seen["predicted"], seen["back"]
    assert predicted["changed"]
    assert [(part["name"], part["removed"]) for part in predicted["components"]] == [
        (name, [WORD]) for name in reversed(COMPONENTS)
    ]
    assert f"kube-apiserver v1.35.4 {WORD}" in predicted["diff"]["before"]
    assert "kube-apiserver v1.34.4\n" in predicted["diff"]["after"]

    # Killed at the first one: it alone was written, and the next task goes on from there.
    assert seen["killed"] == {
        "etcd": False,
        "kube-scheduler": True,
        "kube-controller-manager": False,
        "kube-apiserver": False,
    }
    assert back["changed"], back
    assert [part["changed"] for part in back["components"]] == [False, True, True]
    assert (back["from"], back["to"], back["done"]) == ("v1.35.4", "v1.34.4", True)
    assert not seen["predicted_again"]["changed"]
    assert not seen["again"]["changed"]
    assert (seen["back_version"]["gitVersion"], seen["back_version"]["minor"]) == ("v1.34.4", "34")
    assert seen["as_before"] == dict.fromkeys(["etcd", *COMPONENTS], True)
    assert seen["noted_after"] == {}
    assert (seen["config"]["changed"], seen["config"]["before"]) == (True, "v1.35.4")
    assert not seen["config_again"]["changed"]
    assert seen["written"] == ["before", "while-emulating"]

    assert seen["there_again"]["changed"], seen["there_again"]
    assert seen["finalized"]["changed"], seen["finalized"]
    assert seen["finalized"]["evidence"]["emulated_versions"] == {}
    assert seen["finalized"]["evidence"]["manifest_tags"]["etcd"] == "3.6.6-0"
    assert not seen["finalized_again"]["changed"]
    assert seen["final"]["emulationMinor"] == "35"
    assert not any(WORD in text for text in seen["final_manifests"].values())
    assert "cannot go back to v1.34.4" in seen["refused"]["msg"]
    assert "without --emulated-version" in seen["refused"]["msg"]
    assert not seen["refused"]["changed"]
    assert seen["untouched"]["value"]


@needs_root
def test_playbooks(tmp_path: Path) -> None:
    seen = play("playbooks", tmp_path, "kubeadm_rollback.py", timeout_s=900)

    there = seen["there"]
    assert there["rc"] == 0, there["out"]
    assert there["version"]["gitVersion"] == "v1.35.4"
    assert there["version"]["emulationMinor"] == "34"
    assert all(WORD in there["manifests"][component] for component in COMPONENTS)
    assert "shutdown-delay-duration" not in there["manifests"]["kube-apiserver"]
    assert "etcd:3.6.5-0" in there["manifests"]["etcd"]
    assert "upgrade_finalize=true" in there["out"]

    assert seen["neither"]["rc"] == 2, seen["neither"]["out"]
    assert "an upgrade that can be taken back has begun and has not ended" in seen["neither"]["out"]
    assert seen["neither"]["manifests"] == there["manifests"]

    assert seen["back_checked"]["rc"] == 0, seen["back_checked"]["out"]
    assert seen["back_checked"]["manifests"] == there["manifests"]
    back = seen["back"]
    assert back["rc"] == 0, back["out"]
    assert back["version"]["gitVersion"] == "v1.34.4"
    assert back["manifests"] == seen["before"]["manifests"]
    assert seen["back_again"]["rc"] == 0, seen["back_again"]["out"]
    assert "Nothing to do" in seen["back_again"]["out"]
    assert "evergreen" not in seen["leases"]["value"]
    assert "kubernetesVersion: v1.34.4" in seen["config"]["value"]
