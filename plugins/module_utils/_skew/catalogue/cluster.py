# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Entries of the findings on nodes, static pods and versions."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue.model import Entry
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER, NOTE, WARNING

ENTRIES: tuple[Entry, ...] = (
    Entry(
        id="unreadable",
        severities=(WARNING,),
        title="A part of the cluster could not be read",
        meaning="The credentials are not allowed to read what the subject names, or the API server did not answer. "
        "The findings that come from it are missing: that there are none says nothing.",
        cure="Give the credentials the rights of docs/rbac/skew_check.yml. Where a part should not be read, such "
        "as the Secrets of Helm releases, turn it off (`helm_releases: false`) or accept the finding by its "
        "subject.",
    ),
    Entry(
        id="node-not-ready",
        severities=(BLOCKER, WARNING),
        title="A node is not Ready",
        meaning="The kubelet of the node reports a problem, or does not report any more. Its pods may have moved away "
        "already, and an upgrade of such a node ends in a wait that fails. A worker that the run does not touch is not "
        "waited for, and neither is a node whose finding is accepted, except by its own upgrade.",
        cure="`kubectl describe node` shows the condition, `journalctl -u kubelet` on the node the cause. Repair "
        "it, or take the node out of the cluster and of the inventory.",
        sources=("https://kubernetes.io/docs/reference/node/node-status/",),
        passes=True,
    ),
    Entry(
        id="kubelet-version-unknown",
        severities=(BLOCKER,),
        title="The version of a kubelet is not known",
        meaning="The node reports no version of its kubelet, or one that is no release of Kubernetes. Whether it goes "
        "together with the API servers cannot be judged, nor whether the node is done.",
        cure="Check that the kubelet runs and is a release: `kubelet --version` on the node.",
    ),
    Entry(
        id="vendor-build",
        severities=(WARNING,),
        title="A program is not a release of the community",
        meaning="The kubelet or the API server reports a version with a suffix that no release of Kubernetes has, such "
        "as "
        "`v1.34.4-eks-1` or `v1.34.4+vmware.1`. It is a vendor's build. It counts as the version before the suffix: it "
        "is "
        "not upgraded to a version that is older or the same. To a newer one it is, and then packages and images of "
        "the "
        "community take its place, without what the vendor changed.",
        cure="Upgrade such a cluster by the means of its vendor. Where the change to the releases of the community is "
        "meant, accept the finding.",
        sources=(rules.RELEASES_SOURCE,),
    ),
    Entry(
        id="node-cordoned-by-run",
        severities=(NOTE,),
        title="An earlier run cordoned the node and did not end",
        meaning="The node carries the mark of a run of this collection that was stopped before it could uncordon it. "
        "This is a normal state to go on from.",
        cure="Nothing. This run takes the node up again and uncordons it.",
    ),
    Entry(
        id="node-cordoned",
        severities=(WARNING,),
        title="Somebody cordoned the node",
        meaning="The node takes no new pods, and not because of this collection, so that a run leaves it cordoned in "
        "the end. Room on it does not count for the pods of the nodes that are drained.",
        cure="Find out why. If it is not meant: `kubectl uncordon`.",
        sources=("https://kubernetes.io/docs/concepts/nodes/node/#manual-node-administration",),
    ),
    Entry(
        id="inventory-node-not-in-cluster",
        severities=(BLOCKER,),
        title="The inventory has a host that is no node",
        meaning="The run would work on a host that the cluster does not know by this name. It would wait for a node "
        "that never comes, or upgrade a machine of another cluster.",
        cure="Correct the inventory. Where a node's name differs from the host's name, tell the node's name.",
    ),
    Entry(
        id="inventory-hosts-of-one-node",
        severities=(BLOCKER,),
        title="Several hosts of the inventory are one node",
        meaning="Two hosts gave the same node name: one machine is in the inventory under two names, or one machine is "
        "a copy of the other. The run would act on one of them and report both as done.",
        cure="Leave one of the names in the inventory. Reset a machine that is a copy with `kubeadm reset`, and join "
        "it to the cluster under a name of its own.",
    ),
    Entry(
        id="cluster-node-not-in-inventory",
        severities=(
            BLOCKER,
            WARNING,
        ),
        title="The cluster has a node that the inventory does not have",
        meaning="The run does not touch this node. A worker that is left behind falls out of the version skew policy "
        "after some upgrades. A control-plane node that is left behind does so at once: kubeadm upgrades "
        "kube-proxy and CoreDNS only when all API servers are at the version.",
        cure="Add the node to the inventory, or take it out of the cluster.",
        sources=(rules.SKEW_POLICY,),
    ),
    Entry(
        id="role-differs",
        severities=(BLOCKER,),
        title="A node has another role in the inventory than in the cluster",
        meaning="The inventory has the node among the workers and the cluster has it in the control plane, or the "
        "other way round. The wrong commands would be run on it.",
        cure="Correct the groups of the inventory, or the label `node-role.kubernetes.io/control-plane` of the node.",
    ),
    Entry(
        id="static-pod-missing",
        severities=(BLOCKER,),
        title="A control-plane node shows no pod of a component",
        meaning="The kubelet of a control-plane node shows no mirror pod of kube-apiserver, kube-controller-manager, "
        "kube-scheduler or etcd. The component does not run there, or its manifest is not where kubeadm puts "
        "it. `kubeadm upgrade` waits for the pod to change, and fails.",
        cure="On the node: look at `/etc/kubernetes/manifests`, `crictl ps -a` and `journalctl -u kubelet`.",
        sources=("https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/",),
        passes=True,
    ),
    Entry(
        id="static-pod-not-ready",
        severities=(BLOCKER,),
        title="A component of the control plane is not ready",
        meaning="A static pod of the control plane is not Running and Ready. With one component already down, taking "
        "a node away may take the API or etcd's quorum with it.",
        cure="On the node: `crictl ps -a --name <component>`, then `crictl logs` of its last container.",
        passes=True,
    ),
    Entry(
        id="api-servers-too-far-apart",
        severities=(BLOCKER,),
        title="API servers are more than one minor apart",
        meaning="The API servers of one cluster may differ by one minor. Beyond that the newer ones may store what "
        "the older ones cannot read, and controllers see other answers from one request to the next.",
        cure="Upgrade the oldest API server first, until all are within one minor.",
        sources=(rules.SKEW_POLICY,),
    ),
    Entry(
        id="kubelet-newer-than-api-server",
        severities=(
            BLOCKER,
            WARNING,
        ),
        title="A kubelet is newer than an API server",
        meaning="A kubelet must not be newer than any API server that it can reach. It may use fields that an older "
        "server drops, and pods then do not start.\n\n"
        "A control-plane node whose own API server is as new is what an unfinished upgrade looks like: there "
        "it is a warning.",
        cure="Upgrade the control plane first. Where it is a worker that was upgraded too early: drain it and put "
        "the older kubelet back, or go on with the upgrade of the control plane at once.",
        sources=(
            rules.SKEW_POLICY,
            "https://github.com/kubernetes/kubernetes/issues/127316",
        ),
    ),
    Entry(
        id="kubelet-too-old",
        severities=(BLOCKER,),
        title="A kubelet is too old for the running API servers",
        meaning="A kubelet may be up to three minors older than the newest API server, two where it is older than "
        "1.25. This one is older still: it may ask for versions of APIs that are gone.",
        cure="Upgrade this node now, to the version of the control plane.",
        sources=(rules.SKEW_POLICY,),
    ),
    Entry(
        id="kubelet-too-old-for-hop",
        severities=(BLOCKER,),
        title="A kubelet would be too old after the next hop",
        meaning="The kubelet goes together with the API servers of today, and no more with those of the next hop, "
        "since it would then be more than the allowed minors behind.",
        cure="Upgrade this node to the present version of the control plane first.",
        sources=(rules.SKEW_POLICY,),
    ),
    Entry(
        id="controller-skew",
        severities=(BLOCKER,),
        title="A controller does not go together with its API server",
        meaning="kube-controller-manager and kube-scheduler must not be newer than the API server that they speak to, "
        "and no more than one minor older. kubeadm points them at the one on their own node.",
        cure="Run `kubeadm upgrade node` on the node: it brings the static pods of the node together.",
        sources=(rules.SKEW_POLICY,),
    ),
    Entry(
        id="kube-proxy-newer-than-api-server",
        severities=(BLOCKER,),
        title="kube-proxy is newer than an API server",
        meaning="kube-proxy must not be newer than any API server. It mostly comes from an addon that was upgraded by "
        "hand, or from a control-plane node that was left behind.",
        cure="Upgrade the API servers to the version of kube-proxy, or put the older image back.",
        sources=(rules.SKEW_POLICY,),
    ),
    Entry(
        id="kube-proxy-too-old",
        severities=(BLOCKER,),
        title="kube-proxy is too old for the API servers",
        meaning="kube-proxy may be as far behind the API servers as a kubelet. kubeadm skips its addons while not all "
        "API servers are at one version, and ends without an error all the same, so that it stays behind "
        "unseen.",
        cure="On a control-plane node: `kubeadm upgrade node phase addon kube-proxy`.",
        sources=(rules.SKEW_POLICY,),
    ),
    Entry(
        id="api-server-not-asked",
        severities=(BLOCKER, WARNING),
        title="An API server could not be asked by itself",
        meaning="A run waits until each API server is ready before it goes to the next node, and asks each at its own "
        "address: a load balancer would give the answers of one. Where one cannot be reached from the host that talks "
        "to the API, or is not ready, that wait would fail, so it is a blocker. Where an API server is ready and does "
        "not give its version or its metrics, what deprecated APIs it saw is not known.",
        cure="Have a host talk to the API that reaches each API server: `upgrade_api_host` with a control-plane node, "
        "or `upgrade_ssh_tunnel` through one; see connecting.md. Where that host does reach it, the log of the API "
        "server says why it is not ready. The credentials need the right to get `/metrics` for the warning to go.",
        passes=True,
    ),
    Entry(
        id="system-pod-not-ready",
        severities=(BLOCKER, WARNING),
        title="A pod of kube-system has not been ready for long",
        meaning="After each node, and at the end, a run waits until the pods of kube-system are ready. What was not "
        "ready when the upgrade began is not waited for, and only warned of. A container that crashes again and again "
        "counts as not ready, also in the moments in which it runs. It is compared by workload, and for "
        "DaemonSets by node, so that it counts as well for pods that are made again; the Lease of the upgrade keeps "
        "it until the upgrade is done. What is waited for is a blocker: kube-proxy and CoreDNS, which the upgrade "
        "replaces, and what was ready when an unfinished upgrade began.",
        cure="`kubectl -n kube-system describe pod` says why. Repair it, or delete a workload that nobody needs. A "
        "blocker that has nothing to do with the upgrade can be accepted by its subject, and is not waited for then. "
        "Where an earlier upgrade was given up: `kubectl -n kube-system delete lease evergreen-kubeadm-upgrade`.",
        passes=True,
    ),
)
