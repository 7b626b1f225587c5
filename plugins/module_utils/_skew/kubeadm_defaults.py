# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The flags that kubeadm itself writes into the static pods, as data. What it writes beside them is in kubeadm_pods.

Read in kubernetes 1.33 to 1.36, cmd/kubeadm/app/phases/controlplane/manifests.go and phases/etcd/local.go.
"""

from __future__ import annotations

SOURCE = "https://github.com/kubernetes/kubernetes/blob/master/cmd/kubeadm/app/phases/controlplane/manifests.go"

# A value where kubeadm always writes the same, None where it depends on the node or on the configuration.
DEFAULT_FLAGS: dict[str, dict[str, str | None]] = {
    "kube-apiserver": {
        **dict.fromkeys(("advertise-address", "authorization-mode", "client-ca-file", "secure-port")),
        **dict.fromkeys(("etcd-cafile", "etcd-certfile", "etcd-keyfile", "etcd-servers")),
        **dict.fromkeys(("kubelet-client-certificate", "kubelet-client-key")),
        **dict.fromkeys(("proxy-client-cert-file", "proxy-client-key-file", "requestheader-client-ca-file")),
        **dict.fromkeys(("service-account-issuer", "service-account-key-file", "service-account-signing-key-file")),
        **dict.fromkeys(("service-cluster-ip-range", "tls-cert-file", "tls-private-key-file")),
        "allow-privileged": "true",
        "enable-admission-plugins": "NodeRestriction",
        "enable-bootstrap-token-auth": "true",
        "kubelet-preferred-address-types": "InternalIP,ExternalIP,Hostname",
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-username-headers": "X-Remote-User",
    },
    "kube-controller-manager": {
        **dict.fromkeys(("authentication-kubeconfig", "authorization-kubeconfig", "kubeconfig")),
        **dict.fromkeys(("client-ca-file", "requestheader-client-ca-file", "root-ca-file")),
        **dict.fromkeys(("cluster-cidr", "cluster-name", "service-cluster-ip-range", "allocate-node-cidrs")),
        **dict.fromkeys(("cluster-signing-cert-file", "cluster-signing-key-file")),
        **dict.fromkeys(("service-account-private-key-file",)),
        "bind-address": "127.0.0.1",
        "controllers": "*,bootstrapsigner,tokencleaner",
        "leader-elect": "true",
        "use-service-account-credentials": "true",
    },
    "kube-scheduler": {
        **dict.fromkeys(("authentication-kubeconfig", "authorization-kubeconfig", "kubeconfig")),
        "bind-address": "127.0.0.1",
        "leader-elect": "true",
    },
    "etcd": {
        **dict.fromkeys(("name", "data-dir", "advertise-client-urls", "listen-client-urls", "listen-peer-urls")),
        **dict.fromkeys(("initial-advertise-peer-urls", "initial-cluster", "initial-cluster-state")),
        **dict.fromkeys(("cert-file", "key-file", "trusted-ca-file", "listen-metrics-urls")),
        **dict.fromkeys(("peer-cert-file", "peer-key-file", "peer-trusted-ca-file")),
        "client-cert-auth": "true",
        "peer-client-cert-auth": "true",
        "snapshot-count": "10000",
        # For etcd 3.5, and for 3.6 and newer.
        "experimental-initial-corrupt-check": "true",
        "experimental-watch-progress-notify-interval": "5s",
        "feature-gates": "InitialCorruptCheck=true",
        "watch-progress-notify-interval": "5s",
    },
}
