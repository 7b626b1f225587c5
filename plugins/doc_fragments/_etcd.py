# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The options by which the etcd modules find and ask an etcd member."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  manifest:
    description:
      - Manifest of etcd's static pod on this node.
      - Endpoint, certificates, name and data directory are read from it, and kubeadm's health check client certificate
        is used where it lies beside etcd's CA.
      - Where there is none, etcd is external, and the flags C(--etcd-servers), C(--etcd-cafile), C(--etcd-certfile) and
        C(--etcd-keyfile) in C(kube-apiserver.yaml) beside it are read. Of several servers a follower is asked.
      - Not read when O(endpoint) is set.
    type: path
    default: /etc/kubernetes/manifests/etcd.yaml
  endpoint:
    description:
      - One client URL of one member, such as V(https://10.0.0.10:2379), for external etcd.
      - It must lead to one member only, not to a load balancer.
    type: str
  ca_cert:
    description: The CA that signed the server certificates of etcd. In place of that in the manifest.
    type: path
  client_cert:
    description: The client certificate. Needs O(client_key).
    type: path
  client_key:
    description: The key of O(client_cert). Its content is read on the node and never returned.
    type: path
  route:
    description:
      - How etcd is asked.
      - V(grpc) is etcd's own API over mutual TLS, as C(etcdctl) speaks it. It needs no program on the node.
      - V(gateway) is the JSON gateway of the etcd server over mutual TLS. It needs no program on the node, and a
        snapshot takes several times as long.
      - V(etcdctl) runs C(etcdctl), on the host where it is installed, else inside the static pod by C(crictl exec).
      - V(auto) takes V(grpc), V(gateway) where what answers does not speak gRPC, such as a proxy without HTTP/2, and
        C(etcdctl) where there is no gateway either.
    type: str
    choices: [auto, grpc, gateway, etcdctl]
    default: auto
  etcdctl:
    description: Path of C(etcdctl) on the host. Looked up in E(PATH) when not set.
    type: path
  runtime_endpoint:
    description: Endpoint of the container runtime for C(crictl), where its own configuration does not name it.
    type: str
"""
