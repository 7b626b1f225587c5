# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tree of files stands for the node, a program for its kubeadm and its kubelet. No API server answers."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.pod_logs import KEPT, kept_logs
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.decisions import UpgradeError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import Options
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.upgrade import NodeUpgrade

FIXTURES = Path(__file__).parent / "fixtures"
KUBECONFIG = """\
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: none}}]
"""
# What the two do with a static pod that does not start. The pauses are those in which a log can be seen.
PROGRAM = """\
#!{python}
import pathlib, shutil, sys, time
if "upgrade" not in sys.argv:
    print("v1.35.4")
    sys.exit()
print("[upgrade/staticpods] Preparing for \\"kube-apiserver\\" upgrade", flush=True)
pod = pathlib.Path("{root}/var/log/pods/kube-system_kube-apiserver-cp1_0a1b2c3d4e5f60718293a4b5c6d7e8f9")
logs = pod / "kube-apiserver"
logs.mkdir(parents=True)
for number in range(3):
    (logs / f"{{number}}.log").write_text("Error: unknown flag: --no-such-flag\\n")
    (logs / f"{{number - 2}}.log").unlink(missing_ok=True)
    time.sleep(4 if number == 2 else 1)
shutil.rmtree(pod)
sys.exit("error: error execution phase control-plane: couldn't complete the static pod upgrade: couldn't upgrade "
    "control plane. kubeadm has tried to recover everything into the earlier state. Errors faced: timed out")
"""


def upgrade(root: Path) -> NodeUpgrade:
    manifests = root / "etc/kubernetes/manifests"
    shutil.copytree(FIXTURES / "1.34.4", manifests)
    # Nothing is to be asked but this machine.
    text = (manifests / "kube-apiserver.yaml").read_text().replace("--secure-port=6443", "--secure-port=1")
    old = next(line for line in text.splitlines() if "--advertise-address=" in line)
    (manifests / "kube-apiserver.yaml").write_text(text.replace(old, "    - --advertise-address=127.0.0.1"))
    (root / "etc/kubernetes/admin.conf").write_text(KUBECONFIG)
    (root / "proc").symlink_to("/proc")
    program = root / "usr/bin/kubeadm"
    program.parent.mkdir(parents=True)
    program.write_text(PROGRAM.format(python=sys.executable, root=root))
    program.chmod(0o755)
    return NodeUpgrade(Node(root), Options("v1.35.4", "first_control_plane"), Deadline(60))


def test_where_kubeadm_fails_what_the_pod_said_last_is_kept_and_told_of(tmp_path: Path) -> None:
    with pytest.raises(UpgradeError) as failed:
        upgrade(tmp_path).upgrade(check_mode=False)
    assert "kubeadm put the earlier manifests back" in failed.value.message
    assert f"its log, which is kept in {KEPT} " in (failed.value.hint or "")
    assert [note for note in failed.value.result["notes"] if f"is kept in {KEPT}" in note]
    names = [log.name for log in kept_logs(Node(tmp_path))]
    assert names == [f"pod-kube-apiserver-cp1-0a1b2c3d-kube-apiserver-{number}.log" for number in (1, 2)]
    for log in kept_logs(Node(tmp_path)):
        assert Node(tmp_path).read(log.path) == "Error: unknown flag: --no-such-flag\n"
