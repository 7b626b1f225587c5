# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests that somebody edited, on the node of kubeadm_node.py; run by test_static_pod_edits.py."""

from __future__ import annotations

import typing as t
from pathlib import Path

import yaml

from kubeadm_node import KUBECTL, MANIFESTS, SCENARIOS, StaticPods, install, main, module, run

PATCHES = "/etc/kubernetes/patches"


def edit(component: str, *words: str) -> None:
    """By hand, with comments, and saved anew."""
    path = MANIFESTS / f"{component}.yaml"
    pod = yaml.safe_load(path.read_text())
    container = pod["spec"]["containers"][0]
    container["command"] += words
    container["env"] = [*container.get("env", []), {"name": "GOGC", "value": "50"}]
    path.write_text(f"# Ticket 4711\n{yaml.safe_dump(pod)}")


def configure(settings: dict[str, t.Any]) -> None:
    """Change kubeadm-config, as an operator does before kubeadm upgrade node."""
    name = ("configmap", "kubeadm-config", "-n", "kube-system")
    found = yaml.safe_load(run(*KUBECTL, "get", *name, "-o", "yaml"))
    text = yaml.safe_load(found["data"]["ClusterConfiguration"])
    found["data"]["ClusterConfiguration"] = yaml.safe_dump({**text, **settings})
    run(*KUBECTL, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump(_plain(found)))


def _plain(found: dict[str, t.Any]) -> dict[str, t.Any]:
    for key in ("managedFields", "resourceVersion", "uid", "creationTimestamp"):
        found["metadata"].pop(key, None)
    return found


def scenario_edits(pods: StaticPods, new: Path) -> dict[str, t.Any]:
    pods.hold()
    before = {path.name: path.read_text() for path in Path("/etc/kubernetes").rglob("*") if path.is_file()}
    seen = {"written": module("kubeadm_info")}
    after = {path.name: path.read_text() for path in Path("/etc/kubernetes").rglob("*") if path.is_file()}
    seen["untouched"] = {"value": before == after}
    edit("kube-scheduler", "--v=4")
    edit("etcd", "--quota-backend-bytes=8589934592")
    configure({"controllerManager": {"extraArgs": [{"name": "v", "value": "2"}]}})
    seen["edited"] = module("kubeadm_info")
    Path(PATCHES).mkdir()
    operations = [{"op": "add", "path": "/spec/containers/0/command/-", "value": "--v=4"}]
    Path(PATCHES, "kube-scheduler+json.yaml").write_text(yaml.safe_dump(operations))
    seen["patched"] = module("kubeadm_info", patches=PATCHES)
    Path(PATCHES, "kube-scheduler+json.yaml").write_text("nonsense")
    seen["refused"] = module("kubeadm_info", patches=PATCHES)
    install(new)
    seen["newer"] = module("kubeadm_info")
    return seen


SCENARIOS.update({"edits": scenario_edits})

if __name__ == "__main__":
    main()
