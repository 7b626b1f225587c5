# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An upgrade that can be taken back, on the node of kubeadm_node.py: there, back, there again, and finalized."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import typing as t
from pathlib import Path

from kubeadm_node import (
    IGNORED,
    KUBECTL,
    MANIFESTS,
    NEW,
    OLD,
    SCENARIOS,
    SLOW,
    UPGRADE,
    StaticPods,
    install,
    main,
    module,
    run,
    wait_ready,
)

COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
FIRST_PART: dict[str, t.Any] = {
    **UPGRADE,
    "skip_phases": [*SLOW, "addon"],
    "etcd_upgrade": False,
    "extra_flags": {component: {"emulated-version": "1.34"} for component in COMPONENTS},
    "timeout_s": 180,
}
BACK = {"kubernetes_version": OLD}


def version() -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", json.loads(run(*KUBECTL, "get", "--raw", "/version")))


def notes() -> dict[str, t.Any]:
    folder = Path("/var/lib/evergreen-kubeadm/static-pod-flags")
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}


def manifests() -> dict[str, str]:
    return {path.stem: path.read_text() for path in MANIFESTS.glob("*.yaml")}


def write(name: str) -> None:
    run(*KUBECTL, "create", "configmap", name, "--from-literal=written=yes")


def killed(pods: StaticPods) -> dict[str, t.Any]:
    """A task that is killed while it waits for the first component, whose kubelet does not look."""
    pods.hold()
    program = [sys.executable, "-m", "ansible_collections.evergreen.kubeadm.plugins.modules.control_plane_rollback"]
    task = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    if task.stdin:
        task.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": BACK}).encode())
        task.stdin.close()
    until = time.monotonic() + 30
    while f":v{OLD}" not in (MANIFESTS / "kube-scheduler.yaml").read_text() and time.monotonic() < until:
        time.sleep(0.1)
    task.kill()
    task.wait()
    seen = {name: f":v{OLD}" in text for name, text in manifests().items()}
    pods.pause.clear()
    return seen


def scenario_rollback(pods: StaticPods, new: Path) -> dict[str, t.Any]:
    old = Path(sys.argv[2]).resolve()
    seen: dict[str, t.Any] = {}
    before = manifests()
    write("before")
    seen["too_far"] = module("control_plane_rollback", kubernetes_version="1.33.1")
    install(new)
    seen["first_part"] = module("kubeadm_upgrade", **FIRST_PART)
    seen["first_part_again"] = module("kubeadm_upgrade", **FIRST_PART)
    seen["soaking"] = version()
    seen["noted"] = notes()
    seen["finalize_predicted"] = module("kubeadm_upgrade", check_mode=True, **UPGRADE)
    write("while-emulating")

    install(old)
    seen["predicted"] = module("control_plane_rollback", check_mode=True, **BACK)
    seen["killed"] = killed(pods)
    seen["back"] = module("control_plane_rollback", **BACK)
    seen["predicted_again"] = module("control_plane_rollback", check_mode=True, **BACK)
    seen["again"] = module("control_plane_rollback", **BACK)
    seen["back_version"] = version()
    after = manifests()
    seen["as_before"] = {name: after[name] == text for name, text in before.items()}
    seen["noted_after"] = notes()
    config = {"kubernetes_version": OLD, "kubeconfig": KUBECTL[2]}
    seen["config"] = module("kubeadm_config", **config)
    seen["config_again"] = module("kubeadm_config", **config)
    found = run(*KUBECTL, "get", "configmaps", "-o", "name")
    seen["written"] = [name for name in ("before", "while-emulating") if f"configmap/{name}" in found.split()]

    install(new)
    seen["there_again"] = module("kubeadm_upgrade", **FIRST_PART)
    seen["finalized"] = module("kubeadm_upgrade", **UPGRADE, timeout_s=180)
    seen["finalized_again"] = module("kubeadm_upgrade", **UPGRADE)
    wait_ready()
    seen["final"] = version()
    seen["final_manifests"] = manifests()
    seen["refused"] = module("control_plane_rollback", **BACK)
    seen["untouched"] = {"value": seen["final_manifests"] == manifests()}
    return seen


ROOT = Path(__file__).resolve().parents[2]


def playbook(name: str, work: Path, *words: str, **variables: t.Any) -> dict[str, t.Any]:
    """Run a playbook of the collection on this node, but for packages and images, which it cannot fetch here."""
    (work / "hosts").write_text("[kube_control_plane]\ncp1 ansible_connection=local\n[kube_node]\n")
    given = {
        "ansible_python_interpreter": sys.executable,
        "ansible_become": False,
        "upgrade_kubeconfig": KUBECTL[2],
        "upgrade_artifacts_dir": str(work / "artifacts"),
        "upgrade_probe_api": False,
        "preflight_ask_repositories": False,
        "preflight_ask_programs": False,
        "control_plane_kubelet_flags": {},
        "control_plane_ignore_preflight_errors": IGNORED,
        **variables,
    }
    done = subprocess.run(
        [
            str(Path(sys.executable).absolute().parent / "ansible-playbook"),
            *("--inventory", str(work / "hosts"), "--skip-tags", "backup,prepare", *words),
            *("--extra-vars", json.dumps(given), str(ROOT / "playbooks" / f"{name}.yml")),
        ],
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_HOME": str(work / "ansible")},
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
    )
    return {"rc": done.returncode, "out": done.stdout + done.stderr, "manifests": manifests(), "version": version()}


def scenario_playbooks(pods: StaticPods, new: Path) -> dict[str, t.Any]:
    """upgrade.yml with its first part, what refuses to go on by itself, and rollback.yml."""
    work, old = pods.work, Path(sys.argv[2]).resolve()
    there: dict[str, t.Any] = {"kubernetes_version": NEW, "upgrade_rollback_safe": True, "upgrade_soak_s": 3}
    back = {"rollback_kubernetes_version": OLD}
    accepted = ("cgroup-v1", "disk-too-small", "packages-not-held", "leader-lease-stale")
    there["preflight_accepted_findings"] = [{"id": each, "reason": "a node of a test"} for each in accepted]
    seen: dict[str, t.Any] = {"before": {"manifests": manifests()}}
    # What a controller manager, which this node has not, would say of kubeadm's DaemonSet.
    observed = ("--subresource=status", "--type=merge", "-p", '{"status": {"observedGeneration": 1}}')
    run(*KUBECTL, "patch", "daemonset", "kube-proxy", "-n", "kube-system", *observed)
    install(new)
    seen["there"] = playbook("upgrade", work, **there)
    seen["neither"] = playbook("upgrade", work, **{**there, "upgrade_rollback_safe": False})
    seen["back_checked"] = playbook("rollback", work, "--check", **back)
    install(old)
    seen["back"] = playbook("rollback", work, **back)
    seen["back_again"] = playbook("rollback", work, **back)
    lock = ("get", "leases", "-n", "kube-system", "-o", "name")
    seen["leases"] = {"value": run(*KUBECTL, *lock)}
    seen["config"] = {"value": run(*KUBECTL, "get", "configmap", "kubeadm-config", "-n", "kube-system", "-o", "yaml")}
    return seen


SCENARIOS.update({"rollback": scenario_rollback, "playbooks": scenario_playbooks})

if __name__ == "__main__":
    main()
