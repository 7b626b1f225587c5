# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Entries of the findings on what the target's programs know."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue.model import Entry
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER, NOTE, WARNING

ENTRIES: tuple[Entry, ...] = (
    Entry(
        id="kubelet-flag-removed",
        severities=(BLOCKER, WARNING),
        title="The target's kubelet does not know a flag",
        meaning=(
            "A flag of the kubelet on this node is unknown to the kubelet of the target, which does not start "
            "with it. The flag is set in kubeadm's `/var/lib/kubelet/kubeadm-flags.env`, in "
            "`/etc/default/kubelet`, in `/etc/sysconfig/kubelet` or in a unit of systemd; the evidence names "
            "the file.\n\n"
            "The evidence says whether the target's kubelet was asked, or whether the flag is on the list of "
            "removed flags that the tool keeps. kubeadm takes one flag out of its own file by itself, in one "
            "version only; that is a warning."
        ),
        cure=(
            "Take the flag out of the file that is named, on every node that has it, before the new kubelet "
            "is started. Most flags have a field in the KubeletConfiguration instead."
        ),
        sources=(
            "https://github.com/kubernetes/kubernetes/pull/133779",
            "https://github.com/kubernetes/kubeadm/issues/3281",
        ),
    ),
    Entry(
        id="kubelet-flag-deprecated",
        severities=(NOTE,),
        title="The target's kubelet calls a flag deprecated",
        meaning=(
            "The kubelet of the target still knows the flag, and its help says that it will go. What kubeadm "
            "writes into its own file is not reported."
        ),
        cure=(
            "Set the field of the KubeletConfiguration in the ConfigMap `kube-system/kubelet-config`, and "
            "take the flag out of the file."
        ),
        sources=(rules.KUBELET_CONFIG_SOURCE,),
    ),
    Entry(
        id="flag-removed",
        severities=(BLOCKER, WARNING),
        title="The target does not know a flag of the control plane",
        meaning=(
            "A component of the control plane has a flag that its next version does not know, so that it does "
            "not start. Where the flag is in kubeadm's configuration, kubeadm writes it into the new "
            "manifest: that is a blocker. Where only the running static pod has it, kubeadm leaves it out, "
            "unless one of your patches brings it back: a warning.\n\n"
            "The evidence says whether the target's program was asked, or whether the flag is on the list of "
            "removed flags that the tool keeps. etcd is never asked; its list follows the etcd of the hops."
        ),
        cure=("Take it out of the `extraArgs` in the ConfigMap `kube-system/kubeadm-config`, and out of your patches."),
        sources=(
            "https://github.com/kubernetes/kubernetes/issues/100988",
            "https://github.com/kubernetes/kubernetes/tree/master/CHANGELOG",
        ),
    ),
    Entry(
        id="feature-gate-unknown",
        severities=(BLOCKER, WARNING),
        title="The target does not know a feature gate",
        meaning=(
            "A feature gate is set that the target's program does not know. No program of Kubernetes starts "
            "with an unknown gate. Gates are removed some versions after their feature is generally "
            "available, and no list of them is complete, so the target's program itself was asked."
        ),
        cure=(
            "Take the gate out of the place that is named: `extraArgs` of kubeadm-config, `featureGates` of "
            "the ConfigMaps `kubelet-config` or `kube-proxy`, or a flag of the kubelet. A feature that is "
            "generally available stays on without it.\n\n"
            "`featureGates` of the ClusterConfiguration in kubeadm-config are kubeadm's own. They are a warning: "
            "`kubeadm upgrade` says `Unknown feature gate flag` and goes on, while the commands of kubeadm that read "
            "a configuration from a file refuse it. Take the gate out before the hop that is named: "
            "`kubectl -n kube-system edit configmap kubeadm-config`."
        ),
        sources=(
            rules.FEATURE_GATES_SOURCE,
            rules.KUBEADM_GATES_SOURCE,
            "https://github.com/siderolabs/talos/issues/13480",
        ),
    ),
    Entry(
        id="feature-gate-locked",
        severities=(BLOCKER, WARNING),
        title="The target does not take the value of a feature gate",
        meaning=(
            "The feature is generally available in the target, or is about to go, and its gate is locked to "
            "one value. The cluster sets the other one. The program does not start with that."
        ),
        cure=(
            "Take the gate out, and make sure before that the cluster can live with the feature as it is in the target."
        ),
        sources=(rules.FEATURE_GATES_SOURCE,),
    ),
    Entry(
        id="admission-plugin-unknown",
        severities=(BLOCKER, WARNING),
        title="The target does not know an admission plug-in",
        meaning=(
            "`--enable-admission-plugins` or `--disable-admission-plugins` names a plug-in that the target's "
            "API server does not have. It does not start with that."
        ),
        cure=(
            "Take the name out of the flag in the `extraArgs` of kubeadm-config. See in the release notes "
            "what took the plug-in's place, before workloads rely on it."
        ),
        sources=(rules.ADMISSION_SOURCE,),
    ),
    Entry(
        id="kubelet-config-refused",
        severities=(BLOCKER,),
        title="The target's kubelet refuses its configuration",
        meaning=(
            "kubeadm writes the KubeletConfiguration of the ConfigMap `kube-system/kubelet-config` to every "
            "node while it upgrades it. The target's kubelet was given that configuration and refuses it, so "
            "that it would not start on any node."
        ),
        cure=("Correct the field that is named in the ConfigMap."),
        sources=(rules.KUBELET_CONFIG_SOURCE,),
    ),
    Entry(
        id="kubelet-config-field-unknown",
        severities=(WARNING,),
        title="The target's kubelet ignores a field of its configuration",
        meaning=(
            "The KubeletConfiguration has a field that the target's kubelet does not know: one that was "
            "removed, or a misspelt one. The kubelet starts and acts as if it were not there."
        ),
        cure=("Take the field out of the ConfigMap `kube-system/kubelet-config`, and set what took its place."),
        sources=(rules.KUBELET_CONFIG_SOURCE,),
    ),
    Entry(
        id="target-program-not-asked",
        severities=(NOTE,),
        title="A program of the target could not be asked",
        meaning=(
            "The target's own program is the best source of what it knows. This one was not to be had; the "
            "evidence says why. Its flags were compared with a list only, and its feature gates and admission "
            "plug-ins were not judged."
        ),
        cure=(
            "Pull the images of the target to the first control-plane node beforehand, or let the module do "
            "so by `images: pull`. For the kubelet, see that the node reaches the package repository."
        ),
        sources=(),
    ),
    Entry(
        id="target-answer-missing",
        severities=(NOTE,),
        title="A program of the target was not asked for everything",
        meaning=(
            "A flag, a feature gate or an admission plug-in is in use which the help of the target's program "
            "does not list, and which the program was not asked for. The help hides some flags, and all gates "
            "of features that are generally available."
        ),
        cure=(
            "Run `target_programs` with the facts of all nodes, and where it can read the ConfigMaps "
            "`kubeadm-config`, `kubelet-config` and `kube-proxy`."
        ),
        sources=(),
    ),
)
