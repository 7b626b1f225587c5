# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file system of a control-plane node, as far as a backup and a restore need it."""

from __future__ import annotations

from pathlib import Path

from etcd_cluster import Member

KEY = "-----BEGIN EC PRIVATE KEY----- seen nowhere"


def make_node(root: Path, member: Member) -> Path:
    """The node of `member` below the folder `root`, which is returned."""
    flag = "--encryption-provider-config=/etc/kubernetes/enc.yaml"
    pod = f"spec:\n  containers:\n  - name: kube-apiserver\n    command:\n    - kube-apiserver\n    - {flag}\n"
    texts = {
        "etc/kubernetes/pki/ca.key": KEY,
        "etc/kubernetes/pki/ca.crt": "a certificate",
        "etc/kubernetes/admin.conf": KEY,
        "etc/kubernetes/enc.yaml": KEY,
        "etc/kubernetes/manifests/kube-apiserver.yaml": pod,
        "etc/kubernetes/manifests/etcd.yaml": member.manifest.read_text(),
        "var/lib/kubelet/config.yaml": "kind: KubeletConfiguration\n",
    }
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root
