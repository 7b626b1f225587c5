# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubeadm_info and kubeadm_upgrade on a node in namespaces, with real kubeadm, etcd and API server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_kubelet_config import (
    kubelet_config_findings,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.hosts import read_host
from kubeadm_node import PROXIES
from lab import golang

HERE = Path(__file__).resolve().parent
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and overlays need root")
Results = dict[str, dict[str, t.Any]]


def play(scenario: str, work: Path, program: str = "kubeadm_node.py", timeout_s: float = 480) -> Results:
    cache = golang.cache_directory()
    programs = (
        golang.kubernetes("1.34.4", "1.24"),
        golang.kubernetes("1.35.4", "1.25"),
        golang.etcd("3.6.5", "1.24"),
        golang.etcd("3.6.6", "1.24"),
    )
    binaries = [str(golang.build(program, cache)) for program in programs]
    root = Path(os.environ["ANSIBLE_COLLECTIONS_PATH"])
    done = subprocess.run(
        [sys.executable, str(HERE / program), str(work), *binaries, scenario],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return t.cast("Results", json.loads((work / "result.json").read_text()))


@needs_root
def test_upgrade(tmp_path: Path) -> None:
    seen = play("upgrade", tmp_path)

    info = seen["info_before"]["info"]
    assert info["node_name"] == "cp1"
    assert info["role"] == "control_plane"
    assert (info["kubeadm"]["version"], info["kubelet"]["version"]) == ("1.34.4", "1.34.4")
    assert info["static_pods"]["etcd"]["tag"] == "3.6.5-0"
    assert info["etcd"]["db_bytes"] > 0
    assert [flag["name"] for flag in info["kubelet"]["flags"]] == ["pod-infra-container-image"]
    assert info["foreign_manifests"] == []

    assert "kubeadm on cp1 is 1.34.4" in seen["wrong_kubeadm"]["msg"]
    assert "Install the package kubeadm 1.35.4" in seen["wrong_kubeadm"]["hint"]
    assert seen["predicted_without_kubeadm"]["changed"] is True
    assert "predicted from the state of the node alone" in seen["predicted_without_kubeadm"]["notes"][0]
    assert "kubeadm-config says v1.34.4" in seen["not_first"]["msg"]

    planned = seen["planned"]
    assert planned["changed"] is False
    assert planned["done"] is False
    assert {c["name"]: c["newVersion"] for c in planned["plan"]["availableUpgrades"][0]["components"]}[
        "etcd"
    ] == "3.6.6-0"
    assert "+    image: registry.k8s.io/kube-apiserver:v1.35.4" in planned["manifest_diff"]
    assert "+    image: registry.k8s.io/etcd:3.6.6-0" in planned["manifest_diff"]
    assert any("WaitForAllControlPlaneComponents in featureGates" in note for note in planned["notes"])

    assert seen["not_verified"]["failed"] is True
    predicted = seen["predicted"]
    assert predicted["changed"] is True
    assert (predicted["from"], predicted["to"]) == ("v1.34.4", "v1.35.4")
    assert {each["name"]: each["to"] for each in predicted["components"]}["etcd"] == "3.6.6-0"
    assert sorted(predicted["evidence"]["differing"]) == sorted(each["name"] for each in predicted["components"])
    assert predicted["command"][:4] == ["kubeadm", "upgrade", "apply", "v1.35.4"]
    assert predicted["manifest_diff"] == planned["manifest_diff"]
    # A task waited for the kubeadm of a person, and had nothing left to do.
    beside = seen["beside"]
    assert beside.get("failed") is None, beside["msg"]
    assert (beside["changed"], beside["done"], beside["command"]) == (False, True, [])
    assert "was still upgrading this node" in beside["notes"][0]

    for again in ("again", "verified", "predicted_again"):
        assert seen[again].get("failed") is None, seen[again]["msg"]
        assert seen[again]["changed"] is False
        assert seen[again]["done"] is True
        assert seen[again]["command"] == []

    assert seen["emulated"]["evidence"]["differing"] == ["kube-apiserver", "kube-scheduler"]
    assert seen["emulated"]["manifest_diff"].count("+    - --emulated-version=1.34") == 2
    assert "cannot be rolled back to v1.34.4: it runs v1.35.4 without --emulated-version" in seen["no_rollback"]["msg"]
    assert info["proxy_variables"] == {"environment": [], "static_pods": sorted(PROXIES), "differing": []}
    proxies = seen.pop("proxies")
    assert proxies == {name: {} if name == "etcd" else PROXIES for name in proxies}
    assert "of-a-proxy" not in json.dumps(seen)

    after = seen["info_after"]["info"]
    assert after["static_pods"]["kube-apiserver"]["tag"] == "v1.35.4"
    assert after["kubelet"]["flags"] == []
    assert after["kubeadm_tmp_bytes"] > info["kubeadm_tmp_bytes"]
    check_worker({name[len("worker_") :]: result for name, result in seen.items() if name.startswith("worker_")})


def check_worker(seen: Results) -> None:
    assert seen["info"]["info"]["role"] == "worker"
    assert "no control-plane manifests" in seen["as_control_plane"]["msg"]
    predicted, upgraded = seen["predicted"], seen["upgraded"]
    assert predicted["changed"] is True
    assert upgraded.get("failed") is None, upgraded["msg"]
    assert (upgraded["changed"], upgraded["role"], upgraded["rc"]) == (True, "worker", 0)
    assert upgraded["command"][1:3] == ["upgrade", "node"]
    assert upgraded["evidence"]["cluster_version"] == "v1.35.4"
    # A kubelet whose package is still the old one is not restarted, and follows later.
    assert (upgraded["evidence"]["kubelet_running_version"], upgraded["kubelet_restarted"]) == ("1.34.4", "")
    steps = {step["name"]: step["outcome"] for step in upgraded["steps"]}
    assert (steps["control-plane"], steps["kubelet-config"]) == ("skipped", "ok")
    # What kubeadm writes from the ConfigMap is no difference to it.
    host = read_host(seen["info_upgraded"])
    assert host is not None and len(host.kubelet_config) > 20
    assert kubelet_config_findings(host, "node/cp1", seen["kubelet_config"]) == []
    assert seen["kubelet_upgraded"]["changed"] is False
    assert seen["kubelet_upgraded"]["evidence"]["kubelet_running_version"] == "1.35.4"


@needs_root
def test_refused(tmp_path: Path) -> None:
    seen = play("refused", tmp_path)
    refused = seen["refused"]
    assert refused["failed"] is True
    assert refused["changed"] is False
    assert refused["failure"]["phase"] == "preflight"
    # There is no container runtime, whatever the machine's cgroup version is.
    assert "ContainerRuntimeVersion" in [check["name"] for check in refused["failure"]["checks"]] or [
        check["name"] for check in refused["failure"]["checks"]
    ] == ["SystemVerification"]
    assert "Nothing was changed." in refused["hint"]
    verbosely = seen["refused_verbosely"]
    assert verbosely["failure"] == refused["failure"]
    assert verbosely["msg"].replace(" --v=5", "") == refused["msg"]
    assert len(verbosely["stderr_lines"]) > len(refused["stderr_lines"])
    assert "ignore_preflight_errors: all is refused" in seen["all"]["msg"]
    # A run that ended before it touched anything leaves no note behind.
    assert seen["predicted"]["evidence"]["interrupted"] == ""
    assert "kube-scheduler.yaml is missing" in seen["manifest_missing"]["msg"]
    assert seen["untouched"]["value"] is True


@needs_root
def test_files_of_kubelet_flags(tmp_path: Path) -> None:
    """kubeadm 1.35 takes a flag out of the file and leaves an empty text, which only its first patch failed on."""
    seen = play("flags", tmp_path, "kubeadm_flags_node.py")
    ended = {name: (result["rc"], result["left"]) for name, result in seen.items()}
    empty = 'KUBELET_KUBEADM_ARGS=""\n'
    assert ended == {
        "the pause image alone": (0, empty),
        "nothing": (0, empty),
        "a comment first": (1, '# ours\nKUBELET_KUBEADM_ARGS="--v=2"\n'),
        "no file": (1, None),
    }
    assert "does not contain the" in seen["a comment first"]["said"]
    assert "no such file or directory" in seen["no file"]["said"]
