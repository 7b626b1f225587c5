# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Entries of the findings on addons."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import coredns, rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue.model import Entry
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER, NOTE, WARNING

ENTRIES: tuple[Entry, ...] = (
    Entry(
        id="addon-image-differs",
        severities=(WARNING,),
        title="An addon of kubeadm has an image of another place",
        meaning="CoreDNS or kube-proxy runs an image that is not from the repository that kubeadm-config names. "
        "`kubeadm upgrade apply` puts its own in its place: one that your nodes may not be able to pull, or "
        "one without your changes.",
        cure="Set `imageRepository`, or `dns.imageRepository`, in kubeadm-config. Or leave the addon to yourself "
        "and skip its phase in each upgrade: `control_plane_skip_phases: [addon/coredns]`.",
        sources=("https://github.com/kubernetes/kubernetes/blob/master/cmd/kubeadm/app/images/images.go",),
    ),
    Entry(
        id="addon-absent",
        severities=(WARNING, NOTE),
        title="The cluster has no kube-proxy or CoreDNS, and kubeadm would bring it",
        meaning="The DaemonSet of kube-proxy or the Deployment of CoreDNS is not there, as where Cilium, kube-router "
        "or Calico's eBPF took the place of kube-proxy. kubeadm from 1.32 on deploys both in each upgrade unless "
        "kubeadm-config disables them (`proxy.disabled`, `dns.disabled`), which 1.32.0 did not look at. The run "
        "skips the phase, and the verification fails where the addon came all the same.\n\n"
        "kubeadm before 1.32 has no phases that could be skipped. It deploys the addon where its ConfigMap was left "
        "behind, and a second service proxy then programs the nodes.",
        cure="From 1.32 on nothing. Before, delete the ConfigMap that was left behind: "
        "`kubectl -n kube-system delete configmap kube-proxy`. kubeadm takes the addon for left out then.",
        sources=(rules.ADDON_SOURCE, "https://github.com/kubernetes/kubernetes/issues/129415"),
    ),
    Entry(
        id="other-controller-active",
        severities=(WARNING,),
        title="Another controller drains nodes or evicts pods",
        meaning="kured, cluster-autoscaler or the descheduler runs in the cluster. While the run drains and upgrades a "
        "node, kured may reboot it or uncordon it, cluster-autoscaler may take it for unneeded and delete it, and the "
        "descheduler may evict pods that have just moved, and use up their budgets.",
        cure="Pause it for the time of the upgrade with the command of the finding, and let it work again afterwards: "
        "scale it up to what it had, set `suspend` to false, or take the annotation off "
        "(`weave.works/kured-node-lock-`).",
        sources=tuple(rules.RIVALS_SOURCES.values()),
    ),
    Entry(
        id="coredns-version-unknown",
        severities=(BLOCKER,),
        title="kubeadm cannot migrate from this version of CoreDNS",
        meaning="kubeadm reads the version of CoreDNS from the tag of its image, and looks up how to migrate the "
        "Corefile from there. This tag is none of the releases that it knows, and its preflight check "
        "CoreDNSMigration fails.",
        cure="Put a release of CoreDNS in place, best the one that the running kubeadm deploys. Or leave CoreDNS "
        "to yourself: `control_plane_ignore_preflight_errors: [CoreDNSMigration, CoreDNSUnsupportedPlugins]` and "
        "`control_plane_skip_phases: [addon/coredns]`.",
        sources=(coredns.SOURCE,),
    ),
    Entry(
        id="coredns-plugin-unknown",
        severities=(BLOCKER,),
        title="The Corefile has plug-ins that kubeadm does not know",
        meaning="kubeadm changes the CoreDNS of the cluster, and before that checks every plug-in of the Corefile "
        "against a list. For one that is not in the list its preflight check CoreDNSUnsupportedPlugins fails.",
        cure="Look up in the release notes of CoreDNS whether the plug-ins changed. Then name the "
        "check in `control_plane_ignore_preflight_errors: [CoreDNSUnsupportedPlugins]`: kubeadm leaves these plug-ins "
        "as they are.",
        sources=(
            coredns.SOURCE,
            "https://github.com/kubernetes/kubeadm/issues/2830",
        ),
    ),
    Entry(
        id="coredns-customised",
        severities=(WARNING,),
        title="The Deployment of CoreDNS was changed",
        meaning="`kubeadm upgrade apply` writes the Deployment of CoreDNS anew and keeps its number of replicas only. "
        "Resources, affinity, tolerations and arguments become those of kubeadm: after the upgrade DNS may "
        "have too little memory, or run where it should not.",
        cure="Put the changes into a patch for the target `corednsdeployment`, which kubeadm knows since 1.32, or "
        "apply them again right after the upgrade.",
        sources=(coredns.MANIFEST_SOURCE,),
    ),
    Entry(
        id="addon-not-supported",
        severities=(WARNING,),
        title="An addon is not for this version of Kubernetes",
        meaning="The makers of the addon publish which minors of Kubernetes its versions support, and a minor on the "
        "way is not among those of the running version. It may work all the same; nobody tested it.",
        cure="Upgrade the addon before, to a version that supports both the present minor and the next one. The "
        "evidence says when the table was read: look at the source whether it says more by now, and give "
        "`addons` what it says.",
    ),
    Entry(
        id="addon-version-unknown",
        severities=(NOTE,),
        title="An addon's version is in no table",
        meaning="The image is that of an addon whose supported versions are published, and this version is not in "
        "what was read: it is newer than the table, older than its beginning, or the tag is no version.",
        cure="Look it up at the source, and add it to the option `addons`.",
    ),
)
