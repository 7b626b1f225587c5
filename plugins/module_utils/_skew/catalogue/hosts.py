# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Entries of the findings on nodes: the kubelet, its files and certificates."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue.model import Entry
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER, NOTE, WARNING

ENTRIES: tuple[Entry, ...] = (
    Entry(
        id="certificate-expired",
        severities=(BLOCKER, WARNING, NOTE),
        title="A certificate has expired",
        meaning=(
            "A certificate of the control plane or of the kubelet is not valid any more. Where a component works with "
            "it, that is a blocker: components that check it refuse each other, and kubeadm cannot reach the API "
            "server with an expired client certificate.\n\n"
            "The kubelet's serving certificate, `/var/lib/kubelet/pki/kubelet.crt`, is a note. The kubelet signs it "
            "itself, once and for a year, and the API servers of a kubeadm cluster do not verify it. It is a warning "
            "where the API servers have `--kubelet-certificate-authority` or metrics-server runs without "
            "`--kubelet-insecure-tls`. With `serverTLSBootstrap: true` or a `tlsCertFile` nobody serves it.\n\n"
            "A certificate that no static pod is started with is a note as well: a copy of before a renewal, or "
            "`super-admin.conf`."
        ),
        cure=(
            "What renews a certificate depends on who made it:\n\n"
            "- Those of kubeadm (`apiserver`, `front-proxy-client`, `etcd/server`, `admin.conf` and the like): "
            "`kubeadm certs renew all` on the control-plane node, then restart the static pods by moving their "
            "manifests away for a moment, one component after the other.\n"
            "- Those of kubeadm whose authority has no key on the node, and those for an external etcd: renew them by "
            "your own means.\n"
            "- The client certificate in `kubelet.conf`: the kubelet renews it while it runs. Where it was off for too "
            "long, write a new `kubelet.conf` with `kubeadm kubeconfig user`, as the finding says.\n"
            "- `kubelet.crt`: move it and `kubelet.key` away and restart the kubelet. A restart alone does not renew "
            "it, nor does `kubeadm certs renew`. Or set `serverTLSBootstrap: true`.\n"
            "- A certificate authority: kubeadm renews none. Replace it by hand."
        ),
        sources=(
            rules.CERTIFICATE_SOURCE,
            "https://github.com/kubernetes/kubeadm/issues/2186",
            "https://kubernetes.io/docs/tasks/tls/manual-rotation-of-ca-certificates/",
        ),
    ),
    Entry(
        id="certificate-expires-soon",
        severities=(WARNING, NOTE),
        title="A certificate expires soon",
        meaning=(
            "A certificate expires within 30 days, or a certificate authority within 180. The upgrade itself "
            "is not in danger. It is a note where nothing verifies or uses the certificate."
        ),
        cure=(
            "An upgrade by kubeadm renews the certificates that kubeadm made, unless certificate renewal is "
            "turned off or the key of their authority is elsewhere. The kubelet renews its client certificate itself, "
            "so that one which expires this soon tells of a rotation that does not work. See "
            "[certificate-expired](certificate-expired.md) for what renews the others."
        ),
        sources=(rules.CERTIFICATE_SOURCE,),
    ),
    Entry(
        id="kubelet-config-differs",
        severities=(BLOCKER, WARNING, NOTE),
        title="The kubelet's configuration of a node is not that of the cluster",
        meaning=(
            "kubeadm writes `/var/lib/kubelet/config.yaml` anew in each upgrade: from the ConfigMap `kubelet-config`, "
            "the patches that it is given, and `/var/lib/kubelet/instance-config.yaml`. What somebody wrote into the "
            "file of this node is lost then. Files in the kubelet's `--config-dir` stay, and so do its flags; they are "
            "taken into account.\n\n"
            "It is a blocker where the policy of the kubelet's CPU manager or memory manager would change. The kubelet "
            "keeps both in state files and does not start with another one. It is a note where the node only lacks "
            "what the ConfigMap has."
        ),
        cure=(
            "To keep the settings on this node, put them into a file `kubeletconfiguration.yaml` in a folder on the "
            "node, and name the folder in `control_plane_patches` or `worker_patches`: the plan and the run take it "
            "into account. A drop-in in the kubelet's `--config-dir` is kept as well. To have them on all nodes, "
            "write them into the ConfigMap: `kubectl -n kube-system edit configmap kubelet-config`.\n\n"
            "To change a policy, drain the node, stop the kubelet, set the new policy in the file, remove the state "
            "file, start the kubelet and uncordon the node."
        ),
        sources=(
            rules.KUBELET_STATE_SOURCE,
            "https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-reconfigure/",
            "https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/control-plane-flags/#patches",
        ),
    ),
    Entry(
        id="admin-conf-missing",
        severities=(BLOCKER,),
        title="kubeadm's own kubeconfig is missing",
        meaning=(
            "On a control-plane node `kubeadm upgrade` reaches the API with `/etc/kubernetes/admin.conf`, and so does "
            "this collection on the node. It is not there, as where a hardening guide has it taken away."
        ),
        cure=(
            "Put it back for the time of the upgrade, from where it is kept or with `kubeadm init phase kubeconfig "
            "admin`, as the finding says. That needs the key of the cluster's authority on the node. Take it away "
            "again "
            "afterwards."
        ),
        sources=(rules.ADMIN_CONF_SOURCE,),
    ),
    Entry(
        id="cri-socket-differs",
        severities=(BLOCKER, WARNING),
        title="The Node names another socket of the container runtime than its kubelet uses",
        meaning=(
            "kubeadm takes the socket of the container runtime from the annotation "
            "`kubeadm.alpha.kubernetes.io/cri-socket` of the Node. After a change from Docker to containerd it often "
            "still says `/var/run/dockershim.sock`, and on a Node that somebody made anew it is missing. kubeadm then "
            "fails where it pulls images on a control-plane node, and from 1.35 on also where it asks the runtime on a "
            "worker; without the annotation it fails everywhere.\n\n"
            "kubeadm from 1.34 on moves the socket of the kubelet's own flags into "
            "`/var/lib/kubelet/instance-config.yaml` at the end of the node's upgrade, and takes the annotation away. "
            "Until then it goes by it. It is a warning where the run need not fail."
        ),
        cure="Set the annotation to the socket that the kubelet uses, with the command of the finding.",
        sources=(rules.CRI_SOCKET_SOURCE, "https://github.com/kubernetes/kubernetes/pull/129279"),
    ),
    Entry(
        id="proxy-variables",
        severities=(NOTE,),
        title="The proxy variables of the static pods are not those of kubeadm's environment",
        meaning=(
            "kubeadm copies `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY` and every other variable that ends in `_proxy` "
            "from its own environment into kube-apiserver, kube-controller-manager and kube-scheduler, each time that "
            "it writes their manifests. What Ansible starts on the node often has another environment than the shell "
            "of "
            "the installation. Started with that, kubeadm would take the variables away, and with them the way to "
            "webhooks, OIDC or a cloud; or it would add a proxy without exceptions for the networks of the cluster."
        ),
        cure=(
            "Nothing: the run starts kubeadm with the proxy variables that all three static pods have, and without "
            "others. Their values are read on the node and are told nowhere. To change them, use `extraEnvs` of the "
            "components in kubeadm-config, or change the manifests on each node. A variable that only some of the "
            "three pods have is lost unless it is in `extraEnvs`; the finding `static-pod-edited` tells of it."
        ),
        sources=(rules.PROXY_SOURCE, "https://github.com/kubernetes/kubeadm/issues/666"),
    ),
    Entry(
        id="external-ca",
        severities=(WARNING,),
        title="The key of a certificate authority is elsewhere",
        meaning=(
            "The control-plane node has the certificate of one of kubeadm's three authorities and not its key: that of "
            "the cluster (`ca`), that of aggregated API servers (`front-proxy-ca`), or that of etcd (`etcd/ca`, where "
            "etcd is a static pod). kubeadm takes such an authority for managed by somebody else. It goes on without "
            "renewing the certificates that this one signed, and renews those of the others only.\n\n"
            "It ends with an error in the middle of the node's upgrade where a certificate of such an authority is "
            "not signed by it, or where its own key is missing.\n\n"
            "A backup that is saved on this node has no key of these authorities, and is not enough to build the "
            "cluster anew on other machines. The run says so when it saves one."
        ),
        cure=(
            "Where the key is kept elsewhere on purpose, renew the certificates by your own means before they expire, "
            "keep a copy of the key with your backups, and accept the finding. Where it got lost on one node only, "
            "copy it from another control-plane node, with mode 0600. `kubeadm certs check-expiration` shows what is "
            "managed externally. "
            "`control_plane_certificate_renewal: false` leaves all certificates as they are."
        ),
        sources=(rules.CERTIFICATE_SOURCE,),
    ),
    Entry(
        id="kubelet-flags-empty",
        severities=(BLOCKER,),
        title="A variable of kubelet flags is set to nothing",
        meaning=(
            "`/var/lib/kubelet/kubeadm-flags.env` sets `KUBELET_KUBEADM_ARGS` to an empty text, as kubeadm 1.35 "
            "leaves it where the pause image was the only flag. kubeadm 1.35.0 cannot read that and fails at the "
            "end of the node's upgrade. Later patches can."
        ),
        cure=(
            "Upgrade to a newer patch of 1.35. Or set any harmless flag in the file until the node is upgraded: "
            '`KUBELET_KUBEADM_ARGS="--v=2"`.'
        ),
        sources=(rules.EMPTY_FLAGS_SOURCE,),
    ),
    Entry(
        id="kubelet-flags-file",
        severities=(BLOCKER,),
        title="kubeadm's file of kubelet flags is not as kubeadm wrote it",
        meaning=(
            "kubeadm 1.35 takes a flag out of `/var/lib/kubelet/kubeadm-flags.env` at the end of a node's upgrade. "
            "It ends with an error where the file is missing, or where it begins with anything else than "
            "`KUBELET_KUBEADM_ARGS=`, a comment for instance."
        ),
        cure=(
            'Make that variable the first line of the file, empty if need be: `KUBELET_KUBEADM_ARGS=""`. Other '
            "flags of your own belong into `KUBELET_EXTRA_ARGS` in `/etc/default/kubelet` or "
            "`/etc/sysconfig/kubelet`."
        ),
        sources=(rules.FLAGS_FILE_SOURCE,),
    ),
    Entry(
        id="instance-config-missing",
        severities=(BLOCKER,),
        title="The kubelet's instance configuration is missing",
        meaning=(
            "kubeadm 1.37 reads `/var/lib/kubelet/instance-config.yaml`, which kubeadm from 1.34 on writes "
            "while it upgrades a node. This node has none, and no hop before 1.37 will bring it."
        ),
        cure=("Upgrade the node with kubeadm 1.36 before, or run `kubeadm upgrade node` of that version on it."),
        sources=(rules.INSTANCE_CONFIG_SOURCE,),
    ),
    Entry(
        id="kubelet-client-certificate",
        severities=(BLOCKER,),
        title="The kubelet authenticates as somebody else",
        meaning=(
            "kubeadm takes the node's name from the client certificate in `/etc/kubernetes/kubelet.conf`, "
            "which has to be `system:node:` and that name, of the group `system:nodes`. Another certificate was put "
            "there, mostly to repair an expired one in haste. kubeadm finds no such node and stops."
        ),
        cure=(
            "Make a certificate for the node: on a control-plane node `kubeadm kubeconfig user --org "
            "system:nodes --client-name system:node:NAME`, put the result into `/etc/kubernetes/kubelet.conf` "
            "of the node and restart its kubelet. Or join the node anew."
        ),
        sources=(rules.KUBELET_CLIENT_SOURCE,),
    ),
    Entry(
        id="host-name-differs",
        severities=(BLOCKER, NOTE),
        title="The host and its node have different names",
        meaning=(
            "The node was registered under another name than the host has now. kubeadm takes the name from "
            "the kubelet's certificate, so that this does no harm. `kubeadm upgrade node` of 1.34.1 alone "
            "looks for the node by the host's name and fails."
        ),
        cure=(
            "Choose a newer patch than 1.34.1. Otherwise there is nothing to do; do not rename the host while "
            "it is being upgraded."
        ),
        sources=(rules.HOSTNAME_SOURCE, "https://github.com/kubernetes/kubernetes/pull/134362"),
    ),
    Entry(
        id="kubelet-server-not-local",
        severities=(NOTE,),
        title="The kubelet of a control-plane node is upgraded after the last API server",
        meaning=(
            "The control plane is upgraded one node after the other, and for that time its API servers are of "
            "two minors. The kubelet of this node reaches the API by another address than its own API server's, "
            "a load balancer mostly, which may hand it to an API server of the older minor. A kubelet must not be "
            "newer than its API server, so this one is upgraded when the last API server is: the static pods "
            "of the node restart once more.\n\n"
            "kubeadm from 1.33 on makes the kubelet of a control-plane node use the API server beside it."
        ),
        cure=(
            "Nothing has to be done. To have each static pod restart only once, set `server` in "
            "`/etc/kubernetes/kubelet.conf` to the node's own API server and restart the kubelet. Its "
            "certificate must name that address, which it does where kubeadm made it."
        ),
        sources=(rules.KUBELET_SERVER_SOURCE,),
    ),
    Entry(
        id="kubelet-server-unknown",
        severities=(WARNING,),
        title="The kubelet reaches the API by an unknown address",
        meaning=(
            "`/etc/kubernetes/kubelet.conf` of this worker names neither the `controlPlaneEndpoint` of "
            "kubeadm's configuration nor an API server that the cluster has. It may be a balancer that nobody "
            "told kubeadm of. It may as well be a machine that is about to go."
        ),
        cure=(
            "See what answers there. Set `server` to the `controlPlaneEndpoint` and restart the kubelet, or "
            "write the address into `controlPlaneEndpoint` where it is right."
        ),
        sources=(rules.KUBELET_SERVER_SOURCE,),
    ),
    Entry(
        id="manifest-backup",
        severities=(BLOCKER,),
        title="A copy of a manifest is among the manifests",
        meaning=(
            "The kubelet runs every file in `/etc/kubernetes/manifests`, whatever its name ends in, but for "
            "those that begin with a dot. An old copy there is a second pod of the same name. The kubelet "
            "runs now this one and now the other, and kubeadm waits in vain for its new one."
        ),
        cure=("Move the file to another folder."),
        sources=(rules.BACKUP_MANIFEST_SOURCE,),
    ),
    Entry(
        id="manifest-unreadable",
        severities=(WARNING,),
        title="A manifest cannot be read",
        meaning=(
            "A file in `/etc/kubernetes/manifests` is no pod that can be read. The kubelet logs an error for "
            "it every few seconds and does not run it."
        ),
        cure=("Correct the file, or move it to another folder."),
        sources=(rules.BACKUP_MANIFEST_SOURCE,),
    ),
    Entry(
        id="static-pod-references",
        severities=(BLOCKER,),
        title="A static pod names objects of the API",
        meaning=(
            "A static pod must not need a Secret, a ConfigMap, a service account or another object of the "
            "API. A kubelet from 1.34 on refuses such a pod, where older ones ran it without."
        ),
        cure=("Put what it needs into files of the node, mounted by `hostPath`, or run it as a DaemonSet."),
        sources=(rules.STATIC_POD_REFERENCES_SOURCE,),
    ),
)
