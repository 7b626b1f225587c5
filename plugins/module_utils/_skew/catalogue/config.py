# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Entries of the findings on kubeadm's configuration."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue.model import Entry
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER, NOTE, WARNING

ENTRIES: tuple[Entry, ...] = (
    Entry(
        id="kubeadm-config-missing",
        severities=(BLOCKER,),
        title="The cluster has no kubeadm configuration",
        meaning="`kubeadm upgrade` takes the settings of the cluster from the ConfigMap `kubeadm-config` in "
        "kube-system, and there is none, or it has no ClusterConfiguration.",
        cure="On a control-plane node, with the cluster's settings in a file: `kubeadm init phase upload-config "
        "kubeadm --config <file>`. Be sure of the networks, the endpoint and the extraArgs in it: the next "
        "upgrade writes the manifests from them.",
        sources=("https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-init-phase/",),
    ),
    Entry(
        id="kubeadm-config-version",
        severities=(BLOCKER,),
        title="The target's kubeadm cannot read the configuration",
        meaning="kubeadm-config is in a version of kubeadm's API that the kubeadm of the target does not know any "
        "more.",
        cure="With the last kubeadm that knows it: `kubeadm config migrate --old-config <old> --new-config <new>`, "
        "then `kubeadm init phase upload-config kubeadm --config <new>`.",
        sources=(rules.CONFIG_SOURCE,),
    ),
    Entry(
        id="kubeadm-config-differs",
        severities=(NOTE,),
        title="kubeadm-config names another version than the one that runs",
        meaning="`kubernetesVersion` in kubeadm-config is that of none of the API servers. An upgrade of the first "
        "control-plane node that did not end leaves it so.",
        cure="Nothing: `kubeadm upgrade apply` writes it anew.",
    ),
    Entry(
        id="etcd-external",
        severities=(NOTE,),
        title="etcd is external",
        meaning="etcd does not run as static pods of the control-plane nodes. kubeadm only checks its version and "
        "does not upgrade it, and nor does this collection. A run saves a snapshot of it all the same, from a "
        "control-plane node and with the client certificate of its kube-apiserver.",
        cure="Bring etcd to a version that the target supports before, one member at a time, with a snapshot.",
        sources=("https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-upgrade/",),
    ),
    Entry(
        id="etcd-bridge",
        severities=(NOTE,),
        title="The run goes over an etcd between two",
        meaning="The members of etcd are too old for the etcd that a later hop brings, so the plan takes them to a "
        "late patch of their minor first: in the hop before where there is one, else in a hop of etcd alone. The "
        "evidence names the image and the reason.\n\n"
        "The run sets `etcd.local.imageTag` in kubeadm-config for that hop, records that in a ConfigMap beside it, and "
        "takes it out in the next one.",
        cure="Nothing, where your registry has the image: it is pulled before anything is changed. Another tag is "
        "named in `etcd_bridges` (`preflight_etcd_bridges` of the role preflight).",
        sources=tuple(rule.source for rule in rules.ETCD_RULES),
    ),
    Entry(
        id="etcd-pinned",
        severities=(WARNING,),
        title="kubeadm-config names the etcd image",
        meaning="Somebody has set `etcd.local.imageTag` in kubeadm-config. kubeadm deploys that etcd with every "
        "version of Kubernetes, so that etcd is not upgraded, and at some time is older than the API server supports. "
        "The run does not change a tag that it did not set.",
        cure="Take `etcd.local.imageTag` out of the ClusterConfiguration (`kubectl -n kube-system edit configmap "
        "kubeadm-config`), unless this etcd is kept on purpose.",
        sources=("https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/",),
    ),
    Entry(
        id="etcd-before-3.6",
        severities=(BLOCKER,),
        title="A member of etcd is too old for the step to 3.6",
        meaning="Removed members can come back to life when etcd goes from 3.5 to 3.6, as members that count for the "
        "quorum and do not exist. Only 3.5.26 and newer clear them away before. Earlier releases of 3.5 also "
        "turn voting members into learners on the way.\n\n"
        "The patches of Kubernetes 1.33 and older bring no etcd that is new enough, so a run goes over an image "
        "between. This is found where none may be used: `etcd_bridges` names an empty tag or one that is too old, or "
        "the control plane is of mixed versions, so that no hop of etcd alone can come first.",
        cure="Name an image of etcd 3.5.26 or newer that your registry has in `etcd_bridges` "
        '(`preflight_etcd_bridges` of the role preflight), such as `{"3.5": "3.5.26-0"}`. In a control plane of '
        "mixed versions, end the upgrade that was begun, to the version that its newest node has.\n\n"
        "Accept it only once you are sure that the members are exactly the control-plane nodes and that none "
        "is a learner.",
        sources=(
            "https://etcd.io/blog/2025/zombie_members_upgrade/",
            "https://etcd.io/blog/2025/upgrade_from_3.5_to_3.6_issue/",
        ),
    ),
    Entry(
        id="etcd-before-3.7",
        severities=(BLOCKER,),
        title="A member of etcd is too old for the step to 3.7",
        meaning="While etcd goes from 3.6 to 3.7 members of both run together. Members older than 3.6.11 do not go "
        "together with 3.7. A run goes over an image between; this is found where none may be used: `etcd_bridges` "
        "names an empty tag or one that is too old, or the control plane is of mixed versions.",
        cure="Name an image of etcd 3.6.11 or newer that your registry has in `etcd_bridges` "
        "(`preflight_etcd_bridges` of the role preflight), or upgrade to the newest patch of the present minor of "
        "Kubernetes first, which brings a newer 3.6. In a control plane of mixed versions, end the upgrade that was "
        "begun, to the version that its newest node has.",
        sources=("https://etcd.io/docs/v3.7/upgrades/upgrade_3_7/",),
    ),
)
