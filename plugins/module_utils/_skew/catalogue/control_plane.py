# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Entries of the findings on the live control plane."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue.model import Entry
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER, NOTE, WARNING

ENTRIES: tuple[Entry, ...] = (
    Entry(
        id="static-pod-edited",
        severities=(WARNING,),
        title="A static pod is not as kubeadm would write it",
        meaning="The running pod has something that neither kubeadm nor kubeadm-config put there, or has it otherwise, "
        "or without what kubeadm puts there. Looked at are flags, environment variables, mounts and volumes, requests "
        "and limits, probes, containers and ports, the repository of the image and unusual tags, labels and "
        "annotations, host aliases, DNS, priority, security context and the like. Somebody edited the manifest on the "
        "node, or gave kubeadm a patch.\n\n"
        "`kubeadm upgrade` writes the manifest anew, and edits by hand are lost, on this node, at the moment "
        "of its upgrade. Only names are told, since values may be secret.\n\n"
        "What the API server and the kubelet add to the pod is not meant, nor variables of a proxy that all "
        "three pods have: the run keeps them ([proxy-variables](proxy-variables.md)). Labels and annotations that "
        "somebody gave the pod in the "
        "API go the same way as those of the manifest.",
        cure="Put flags, variables and mounts into `extraArgs`, `extraEnvs` and `extraVolumes` of kubeadm-config, and "
        "a registry of your own into `imageRepository`. Keep the rest in a patch directory that every upgrade gets. "
        "Accept the finding where your patches bring it back.",
        sources=(
            "https://github.com/kubernetes/kubernetes/blob/master/cmd/kubeadm/app/phases/controlplane/manifests.go",
            "https://github.com/kubernetes/kubernetes/blob/master/cmd/kubeadm/app/phases/controlplane/volumes.go",
            "https://github.com/kubernetes/kubernetes/blob/master/cmd/kubeadm/app/phases/etcd/local.go",
            "https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-reconfigure/",
        ),
    ),
    Entry(
        id="static-pod-behind-config",
        severities=(WARNING,),
        title="kubeadm-config has settings that do not run yet",
        meaning="`extraArgs`, `extraEnvs` or `extraVolumes` of kubeadm-config name what the running pod does not have. "
        "It comes into force with the upgrade: a change that nobody has tried happens in the same moment as a change "
        "of version.",
        cure="Apply the change before, with the kubeadm of the present version: `kubeadm upgrade node` on the "
        "node. Or take it out of kubeadm-config until after.",
        sources=("https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-reconfigure/",),
    ),
    Entry(
        id="emulated-version",
        severities=(
            BLOCKER,
            WARNING,
        ),
        title="The control plane is told to behave like an older version",
        meaning="`--emulated-version` in kubeadm-config makes a component offer the features and APIs of an older "
        "minor. It stays through an upgrade, so that the new version behaves like the old one. A component "
        "emulates three minors back and does not start when it is asked for more.",
        cure="Take it out of the extraArgs of kubeadm-config, after the upgrade whose rollback it was for.",
        sources=(
            "https://github.com/kubernetes/enhancements/tree/master/keps/sig-architecture/4330-compatibility-versions",
        ),
    ),
    Entry(
        id="no-shutdown-delay",
        severities=(NOTE,),
        title="API servers close their port at once when they stop",
        meaning="Behind a balancer there are several API servers, and each is restarted in an upgrade. Without "
        "`--shutdown-delay-duration` a server stops to listen as soon as it is told to stop. Until the "
        "balancer has noticed, requests go to a closed port and fail.",
        cure="Set `shutdown-delay-duration` in `apiServer.extraArgs` of kubeadm-config to some seconds more than "
        "the balancer needs to see `/readyz` fail, such as `20s`, and let the balancer ask `/readyz`.",
        sources=("https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/",),
    ),
    Entry(
        id="leader-lease-stale",
        severities=(BLOCKER,),
        title="No controller manager or no scheduler is at work",
        meaning="The leader of kube-controller-manager or kube-scheduler has not renewed its Lease for longer than "
        "that lasts, measured by what else is renewed in the cluster, or nobody holds it. Pods that a drain "
        "evicts would not be made again, or not be placed.",
        cure="Look at the logs of the component on each control-plane node: `crictl logs $(crictl ps -q --name "
        "kube-scheduler)`. Mostly it cannot reach its API server, or its kubeconfig has an expired "
        "certificate.",
        sources=("https://kubernetes.io/docs/concepts/architecture/leases/",),
        passes=True,
    ),
)
