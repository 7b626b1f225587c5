# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A control-plane node's files below a folder, for tests."""

from __future__ import annotations

from pathlib import Path

SECRET = "-----BEGIN PRIVATE KEY----- this must be seen nowhere"
APISERVER = """\
apiVersion: v1
kind: Pod
metadata:
  name: kube-apiserver
spec:
  containers:
  - command:
    - kube-apiserver
    - --client-ca-file=/etc/kubernetes/pki/ca.crt
    - --encryption-provider-config=/etc/enc/config.yaml
    - --audit-policy-file=/etc/kubernetes/audit/policy.yaml
    - --audit-log-path=/var/log/audit.log
    - --oidc-ca-file=/etc/oidc/ca.crt
    - --etcd-servers=https://127.0.0.1:2379
    - --tls-sni-cert-key=/etc/sni/a.crt,/etc/sni/a.key:example.org
    - --tls-sni-cert-key=/etc/sni/b.crt,/etc/sni/b.key
    name: kube-apiserver
    volumeMounts:
    - mountPath: /etc/enc
      name: enc
      readOnly: true
  volumes:
  - hostPath:
      path: /srv/encryption
      type: DirectoryOrCreate
    name: enc
  - hostPath:
      path: /etc/localtime
      type: File
    name: time
"""


def put(root: Path, path: str, text: str, mode: int = 0o644) -> Path:
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
    return file


def make_node(root: Path) -> list[str]:
    """The paths, on the node, of all that belongs into an archive."""
    texts = {
        "/etc/kubernetes/pki/ca.crt": "a certificate",
        "/etc/kubernetes/pki/ca.key": SECRET,
        "/etc/kubernetes/pki/sa.key": SECRET,
        "/etc/kubernetes/pki/etcd/ca.crt": "another certificate",
        "/etc/kubernetes/pki/etcd/ca.key": SECRET,
        "/etc/kubernetes/admin.conf": SECRET,
        "/etc/kubernetes/kubelet.conf": "kubelet",
        "/etc/kubernetes/patches/etcd.json": "{}",
        "/etc/kubernetes/manifests/kube-apiserver.yaml": APISERVER,
        "/etc/kubernetes/audit/policy.yaml": "rules: []",
        "/srv/encryption/config.yaml": SECRET,
        "/etc/sni/a.crt": "a",
        "/etc/sni/a.key": SECRET,
        "/etc/sni/b.crt": "b",
        "/etc/sni/b.key": SECRET,
        "/etc/localtime": "UTC",
        "/var/lib/kubelet/config.yaml": "kind: KubeletConfiguration",
        "/var/lib/kubelet/kubeadm-flags.env": "KUBELET_KUBEADM_ARGS=",
    }
    for path, text in texts.items():
        put(root, path, text, 0o600 if text == SECRET else 0o644)
    put(root, "/var/log/audit.log", "what happened")
    put(root, "/etc/kubernetes/tmp/old.conf", "not configuration")
    put(root, "/var/lib/kubelet/cpu_manager_state", "{}")
    return sorted(texts)
