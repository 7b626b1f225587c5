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


def play(scenario: str, work: Path, program: str = "kubeadm_node.py", timeout_s: float = 240) -> Results:
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

    assert seen["not_verified"]["failed"] is True
    predicted, upgraded = seen["predicted"], seen["upgraded"]
    assert upgraded.get("failed") is None, upgraded["msg"]
    assert (predicted["changed"], upgraded["changed"]) == (True, True)
    assert predicted["components"] == upgraded["components"]
    assert predicted["diff"][0] == upgraded["diff"][0]
    assert predicted["bypasses"] == upgraded["bypasses"]
    assert (upgraded["from"], upgraded["to"], upgraded["rc"]) == ("v1.34.4", "v1.35.4", 0)
    assert upgraded["command"][-1] == "--v=10"
    said = "\n".join(upgraded["stderr_lines"])
    assert "body=" in said
    assert "PRIVATE KEY" not in said
    # A second task waited for this one, and had nothing left to do.
    beside = seen["beside"]
    assert beside.get("failed") is None, beside["msg"]
    assert (beside["changed"], beside["done"], beside["command"]) == (False, True, [])
    assert "An earlier task was still upgrading this node" in beside["notes"][0]
    names = [step["name"] for step in upgraded["steps"]]
    order = ["preflight", "control-plane/etcd", "control-plane/kube-apiserver", "upload-config", "addon"]
    assert [name for name in names if name in order] == order
    assert upgraded["addons"] == {"deferred": False, "waiting_for": [], "applied": ["CoreDNS", "kube-proxy"]}
    assert upgraded["evidence"]["api_server_version"] == "v1.35.4"
    assert upgraded["evidence"]["cluster_version"] == "v1.35.4"

    for again in ("again", "verified", "predicted_again"):
        assert seen[again].get("failed") is None, seen[again]["msg"]
        assert seen[again]["changed"] is False
        assert seen[again]["done"] is True
        assert seen[again]["command"] == []

    # A gate of kubeadm that its new version does not know any more; and it is started without proxies here.
    assert any(
        "Unknown feature gate flag: WaitForAllControlPlaneComponents" in line for line in upgraded["stdout_lines"]
    )
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
def test_interrupted(tmp_path: Path) -> None:
    seen = play("interrupted", tmp_path)
    ended = seen["timed_out"]
    assert ended["failed"] is True
    assert ended["failure"]["timed_out"] is True
    assert ended["failure"]["phase"] == "control-plane/etcd"
    assert ended["steps"][-1]["outcome"] == "interrupted"
    assert ended["evidence"]["interrupted"] == "v1.35.4"
    busy = seen["busy"]
    assert busy["failed"] is True
    assert f"Another task (process {busy['pid']}, since 2" in busy["msg"]
    assert "kubeadm (process " in busy["msg"]
    assert f"kill {busy['pid']} before" in busy["hint"]
    assert busy["duration_s"] >= 3
    assert seen["kubeadm_lives_on"]["value"] is True
    waited = seen["waited_for"]
    assert waited.get("failed") is None, waited["msg"]
    assert waited["changed"] is True
    assert waited["done"] is True
    assert [note.partition(";")[0] for note in waited["notes"]] == [
        "An earlier task was still upgrading this node",
        "An earlier task had started kubeadm on this node",
    ]
    assert seen["again"]["changed"] is False
    # The proxy of the task's environment is none of theirs, and an addon that is not there is not brought.
    assert seen["info"]["info"]["proxy_variables"]["environment"] == ["HTTP_PROXY"]
    assert seen["proxies"]["kube-apiserver"] == seen["proxies"]["kube-scheduler"] == PROXIES
    assert seen["addons"]["value"].split() == ["deployment.apps/coredns"]


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
