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
        title="A static pod manifest has edits that kubeadm does not keep",
        meaning="The kubeadm that is installed on the node was asked, in a dry run, for the manifests that it "
        "writes from kubeadm-config and from the patches that the run gives it. The manifest on the node has more, "
        "or other values: flags, environment variables, mounts, containers, probes, requests and limits, labels "
        "and the like. Somebody edited it by hand, or gave kubeadm a patch that this run does not give it.\n\n"
        "`kubeadm upgrade` writes the manifest anew, and the edits are lost, on this node, at the moment of its "
        "upgrade. Only names are told, since values may be secret.\n\n"
        "The tag of the image does not count, nor do variables of a proxy that all three pods have: the run keeps "
        "them ([proxy-variables](proxy-variables.md)).",
        cure="Put flags, variables and mounts into `extraArgs`, `extraEnvs` and `extraVolumes` of kubeadm-config, "
        "and a registry of your own into `imageRepository`. Keep the rest in a folder of patches on each node, and "
        "name it in `control_plane_patches`: the finding goes away with it.",
        sources=(
            "https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-reconfigure/",
            "https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-init-phase/",
        ),
    ),
    Entry(
        id="static-pod-behind-config",
        severities=(WARNING,),
        title="kubeadm would write settings that do not run yet",
        meaning="The kubeadm that is installed on the node writes settings into a static pod manifest, in a dry "
        "run, that the manifest on the node does not have. They are from `extraArgs`, `extraEnvs` or "
        "`extraVolumes` of kubeadm-config, from a patch that the run gives to kubeadm, or kubeadm's own, and "
        "somebody took them out. They come into force with the upgrade: a change that nobody has tried happens in "
        "the same moment as a change of version.",
        cure="Apply the change before, with the kubeadm of the present version: `kubeadm upgrade node` on the "
        "node, with the same `--patches`. Or take it out of kubeadm-config or the patches until after.",
        sources=("https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-reconfigure/",),
    ),
    Entry(
        id="static-pod-edits-unknown",
        severities=(NOTE,),
        title="Whether static pod manifests were edited is not known",
        meaning="The kubeadm that is installed on the node is asked for the manifests that it writes, and gave no "
        "answer that can be compared with those on the node. Its words, or the reason, are in the finding. In a "
        "run that was interrupted, kubeadm may be of the target release already, whose manifests differ by "
        "themselves.",
        cure="Compare the manifests with kubeadm-config and with your patches yourself: what is in neither is lost "
        "in the upgrade. An error of kubeadm itself stops the upgrade of the node as well: correct what it names.",
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
