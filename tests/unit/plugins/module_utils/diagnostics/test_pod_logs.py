# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tree of files stands for the node."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.gathering import gather
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.pod_logs import KEPT
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.sources import pod_log_sources
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node

POD = "/var/log/pods/kube-system_kube-apiserver-cp1_0a1b2c3d4e5f60718293a4b5c6d7e8f9"


def put(node: Node, path: str, text: str) -> None:
    file = node.path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_logs_that_the_last_swap_kept_are_gathered(tmp_path: Path) -> None:
    node = Node(tmp_path)
    for number in range(3):
        put(node, f"{POD}/kube-apiserver/{number}.log", f"run {number}\n")
        os.utime(node.path(f"{POD}/kube-apiserver/{number}.log"), times=None if number else (1, 1))
    for swap, at in (("an-earlier-one", 1), ("b", 2)):
        put(node, f"{KEPT}/{swap}/kube-apiserver_11111111_kube-apiserver_1.log", f"unknown flag {swap}\n")
        os.utime(node.path(f"{KEPT}/{swap}"), (at, at))
    gathered = gather(pod_log_sources(node, 30), most_each=1 << 18, most_all=1 << 20, deadline=Deadline(30))
    assert {each.name: each.text for each in gathered} == {
        "pod-kube-apiserver-cp1-0a1b2c3d-kube-apiserver-1.log": "run 1\n",
        "pod-kube-apiserver-cp1-0a1b2c3d-kube-apiserver-2.log": "run 2\n",
        "swap-kube-apiserver_11111111_kube-apiserver_1.log": "unknown flag b\n",
    }
