# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Entries of the findings on an upgrade that can be taken back, and on taking it back."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _emulation
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue.model import Entry
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER, NOTE

ETCD_DOWNGRADE = "https://etcd.io/docs/latest/downgrades/"

ENTRIES: tuple[Entry, ...] = (
    Entry(
        id="upgrade-not-finalized",
        severities=(BLOCKER,),
        title="An upgrade that can be taken back has not ended",
        meaning="The control plane runs new programs that emulate the minor before, with `--emulated-version` in the "
        "static pods and not in kubeadm-config. That is the first part of an upgrade with `upgrade_rollback_safe`. "
        "Which way it is to go is your decision, so that a run which is told neither does nothing. This finding "
        "cannot be accepted.",
        cure="See the [page on the way back](../rollback.md). `upgrade_finalize=true` ends the upgrade, after which "
        "there is no way back; `playbooks/rollback.yml` takes it back; `upgrade_rollback_safe=true` goes on with "
        "a first part that was cut.",
        sources=(_emulation.SOURCE,),
    ),
    Entry(
        id="finalize-too-early",
        severities=(BLOCKER,),
        title="Finalizing was asked for and the control plane is not upgraded",
        meaning="`upgrade_finalize` takes the emulation away and upgrades the rest, once every API server runs the "
        "target. Some do not yet. This finding cannot be accepted.",
        cure="Run the first part with `upgrade_rollback_safe=true` to its end, or upgrade in one go, with neither "
        "option.",
        sources=(_emulation.SOURCE,),
    ),
    Entry(
        id="rollback-not-possible",
        severities=(BLOCKER,),
        title="This upgrade could not be taken back",
        meaning="`upgrade_rollback_safe` was asked for, and what the evidence names makes a way back impossible: more "
        "than one hop, a minor that nothing emulates, flags of your own in kubeadm-config, or a component that "
        "already runs the new minor with all of its features. It is said before the start, since it would be too "
        "late afterwards. This finding cannot be accepted.",
        cure="Do what the remedy of the finding says, or upgrade without `upgrade_rollback_safe`: the way back is then "
        "a restore of the snapshot that the upgrade takes first.",
        sources=(_emulation.SOURCE,),
    ),
    Entry(
        id="etcd-waits-for-finalize",
        severities=(NOTE,),
        title="etcd keeps its version until the upgrade is finalized",
        meaning="The new kubeadm deploys another minor of etcd. A member whose data a newer minor has taken over does "
        "not become the older one again by its image, so that an upgrade which is to be taken back leaves etcd "
        "alone. API servers of the new version work with it.",
        cure="Nothing. Finalizing upgrades etcd.",
        sources=(ETCD_DOWNGRADE,),
    ),
    Entry(
        id="rollback-version",
        severities=(BLOCKER,),
        title="The control plane cannot go back to this version",
        meaning="The way back is to a version that is older than what runs, of the same minor or of the one before it. "
        "This finding cannot be accepted.",
        cure="Give the version that the control plane had before the upgrade. The journal and the report of the "
        "upgrade name it, and the kubelets that were not upgraded have it.",
        sources=(rules.SKEW_POLICY,),
    ),
    Entry(
        id="rollback-finalized",
        severities=(BLOCKER,),
        title="A component runs the newer minor without emulating the older one",
        meaning="The upgrade was not made with `upgrade_rollback_safe`, or it was finalized, wholly or on this node. "
        "Objects may have been stored that the older minor cannot read or would change. This finding cannot be "
        "accepted.",
        cure="Restore the snapshot that was taken before the upgrade; see [backup and restore]"
        "(../backup-and-restore.md). Where only some nodes were finalized, finalize the others.",
        sources=(_emulation.SOURCE,),
    ),
    Entry(
        id="rollback-kubelet-newer",
        severities=(BLOCKER,),
        title="A kubelet is newer than the control plane would be",
        meaning="A kubelet must not be newer than an API server that it can reach, so that kubelets are rolled back "
        "first. That of a control-plane node is rolled back together with its own API server, which is early enough "
        "only where `kubelet.conf` names no other API server or load balancer.",
        cure="Do what the remedy of the finding says: set `rollback_kubelets=true`, with which each of these nodes is "
        "drained; or roll the kubelets back in a run of their own first, with `rollback_control_plane=false` as well.",
        sources=(rules.SKEW_POLICY,),
    ),
    Entry(
        id="rollback-kubelet-too-old",
        severities=(BLOCKER,),
        title="A kubelet would be too old for the control plane",
        meaning="Kubelets alone were to go back, to a version that is further behind the API servers than the version "
        "skew policy allows.",
        cure="Choose a version within the policy, three minors behind the newest API server at the most.",
        sources=(rules.SKEW_POLICY,),
    ),
    Entry(
        id="rollback-etcd-newer",
        severities=(BLOCKER,),
        title="etcd is of a newer minor than the version before deploys",
        meaning="A member of etcd runs a minor that the kubeadm of the version to go back to does not know. etcd does "
        "not go back by its image.",
        cure="Where you know that the older API servers work with this etcd, accept the finding with that reason. "
        "Restore the snapshot otherwise.",
        sources=(ETCD_DOWNGRADE,),
    ),
    Entry(
        id="rollback-addon-newer",
        severities=(BLOCKER,),
        title="kube-proxy would be newer than the control plane",
        meaning="kube-proxy must not be newer than an API server. An upgrade that can be taken back leaves the addons "
        "at their versions, so that somebody else has upgraded this one.",
        cure="Put the image of the older version into the DaemonSet kube-proxy, wait until it is rolled out, then go "
        "back.",
        sources=(rules.SKEW_POLICY,),
    ),
)
