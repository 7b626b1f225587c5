# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Entries of the findings on etcd."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue.model import Entry
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER, NOTE, WARNING

ENTRIES: tuple[Entry, ...] = (
    Entry(
        id="etcd-not-observed",
        severities=(BLOCKER,),
        title="A control-plane node could not ask etcd",
        meaning="The look at etcd from a control-plane node gave no list of members: its own member does not answer, "
        "or the certificates are not accepted. The upgrade of that node would wait for etcd in vain. An external etcd "
        "is asked for the backup that the run saves.",
        cure="On the node: `crictl ps -a --name etcd`, `crictl logs` of its container, and the certificates that the "
        "flags of its manifest name, below `/etc/kubernetes/pki/etcd` by default.",
        passes=True,
    ),
    Entry(
        id="backup-left-out",
        severities=(WARNING,),
        title="The run saves no backup",
        meaning="`upgrade_without_backup` is set, or the tags of the run leave the backup out. What the upgrade "
        "changes in etcd then cannot be taken back by a restore. The report of the run lists it as a bypass.",
        cure="Save a backup before: `ansible-playbook evergreen.kubeadm.backup`.",
    ),
    Entry(
        id="backup-not-possible",
        severities=(BLOCKER, WARNING),
        title="A backup cannot be saved on a control-plane node",
        meaning="The run saves a backup before it changes anything, and what it needs for that is not there: the "
        "member does not answer or is behind, the disk has no room, `age` or `gpg` refuses a key, or a file without "
        "which a snapshot is of no use is missing. It is a warning where another node can save one.",
        cure="Mend what the evidence names. To go on without a backup, set `upgrade_without_backup`; the report lists "
        "it.",
        passes=True,
    ),
    Entry(
        id="backup-incomplete",
        severities=(WARNING,),
        title="A file that belongs into the backup is not on the node",
        meaning="The archive of the node's files has the PKI and every file that the static pods name. What is named "
        "and not there is left out, such as the key of an external CA. Without the keys of the CAs the cluster cannot "
        "be built anew on other machines from this backup alone.",
        cure="Keep a copy of what is missing with your backups, or take the flag out that names it.",
    ),
    Entry(
        id="etcd-views-differ",
        severities=(BLOCKER,),
        title="The members do not agree who they are",
        meaning="Asked on different control-plane nodes, etcd names different members. A member was removed and runs "
        "on alone, or came back with old data. Each of the two may take writes that the other never sees.",
        cure="Stop here. Take a snapshot on each node, find out which one the API servers use, and join the others "
        "anew from it.",
        sources=("https://etcd.io/blog/2025/zombie_members_upgrade/",),
    ),
    Entry(
        id="etcd-member-unknown",
        severities=(
            BLOCKER,
            WARNING,
        ),
        title="A member of etcd is no control-plane node",
        meaning="A member has neither the name nor the peer address of a control-plane node of this cluster. Where it "
        "does not answer, it is a leftover of a node that was removed without `kubeadm reset`: it counts for "
        "the quorum, and kubeadm refuses to upgrade etcd while a member is down.",
        cure="If its node is gone for good: `etcdctl member remove <id>`. If it lives, find out who runs it: an "
        "upgrade does not touch it.",
        sources=(
            "https://etcd.io/blog/2025/zombie_members_upgrade/",
            "https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-upgrade/",
        ),
    ),
    Entry(
        id="etcd-member-missing",
        severities=(BLOCKER,),
        title="A control-plane node is no member of etcd",
        meaning="The node runs an etcd static pod, and the members do not know it. Its etcd was removed from the "
        "cluster, or is a cluster of its own, and its API server may read old data.",
        cure="Take the node out with `kubeadm reset` and join it anew with `kubeadm join --control-plane`.",
        sources=("https://etcd.io/blog/2025/zombie_members_upgrade/",),
    ),
    Entry(
        id="etcd-member-name",
        severities=(WARNING,),
        title="A member has the address of another node",
        meaning="The name of a member is that of one control-plane node, and its peer address that of another. "
        "kubeadm knows members by their peer address, and would change the wrong one.",
        cure="Find out whether a node was renamed, or an address given to another node. `etcdctl member update` "
        "corrects an address.",
    ),
    Entry(
        id="etcd-learner",
        severities=(BLOCKER,),
        title="A member of etcd is a learner",
        meaning="A learner has no vote. It is what a join that did not end leaves behind. Some releases of etcd "
        "turned voting members into learners when they were upgraded from 3.5 to 3.6, and the cluster then "
        "lost its quorum.",
        cure="If it is in step with the leader: `etcdctl member promote <id>`. Otherwise `etcdctl member remove "
        "<id>`, and join the node anew.",
        sources=("https://etcd.io/blog/2025/upgrade_from_3.5_to_3.6_issue/",),
    ),
    Entry(
        id="etcd-member-unstarted",
        severities=(BLOCKER,),
        title="A member of etcd has never started",
        meaning="The member was added and never came. It counts for the quorum: of three members with one that never "
        "started, no other may fail.",
        cure="End the join of its node, or `etcdctl member remove <id>`.",
    ),
    Entry(
        id="etcd-member-unhealthy",
        severities=(BLOCKER,),
        title="A member of etcd does not answer or cannot serve",
        meaning="A member gave no answer, or could not serve a read that needs a quorum. An upgrade takes one member "
        "after the other away; the rest must be more than half of all.",
        cure="On its node: `crictl logs` of the etcd container and `journalctl -u kubelet`. Check port 2380 "
        "between the control-plane nodes and the expiry of the peer certificates.",
        passes=True,
    ),
    Entry(
        id="etcd-no-leader",
        severities=(BLOCKER,),
        title="etcd has no leader",
        meaning="No member leads: there is no quorum, or an election is going on. Nothing can be written to the "
        "cluster.",
        cure="Bring back so many members that more than half of them reach each other on port 2380. Where more "
        "than half are lost for good, restore a snapshot; see backup-and-restore.md.",
        sources=("https://etcd.io/docs/v3.6/op-guide/recovery/",),
        passes=True,
    ),
    Entry(
        id="etcd-versions-differ",
        severities=(BLOCKER,),
        title="Members of etcd are more than one minor apart",
        meaning="etcd goes one minor at a time, with all members within one minor of each other.",
        cure="Bring the oldest member to the minor of the others before.",
        sources=("https://etcd.io/docs/v3.6/upgrades/upgrade_3_6/",),
    ),
    Entry(
        id="etcd-alarm",
        severities=(BLOCKER,),
        title="etcd has raised an alarm",
        meaning="`NOSPACE`: the database of a member has reached its quota, and etcd takes no writes but deletions. "
        "`CORRUPT`: the data of a member is not that of the others. etcd goes on with the alarm until "
        "somebody takes it back.",
        cure="For `NOSPACE`: compact, defragment one member after the other, then `etcdctl alarm disarm`; see the "
        "page on etcd's space quota.\n\n"
        "For `CORRUPT`: remove the member, empty its data directory and join it anew, then `etcdctl alarm "
        "disarm`.",
        sources=(
            "https://etcd.io/docs/v3.6/op-guide/maintenance/#space-quota",
            "https://etcd.io/docs/v3.6/op-guide/data_corruption/",
        ),
    ),
    Entry(
        id="etcd-hash-differs",
        severities=(BLOCKER,),
        title="Members of etcd do not hold the same data",
        meaning="The members hashed their keys at the same revision, and the hashes differ. One of them answers "
        "differently from the others for good. An upgrade that takes the right ones away leaves the wrong "
        "one.",
        cure="Take a snapshot of each member first. Remove the one whose hash is alone, empty its data directory "
        "and join it anew. With two different hashes of two members, compare the snapshots before you choose.",
        sources=("https://etcd.io/docs/v3.6/op-guide/data_corruption/",),
    ),
    Entry(
        id="etcd-nearly-full",
        severities=(WARNING,),
        title="The database of a member is near its quota",
        meaning="A member's database has more than 80 % of its quota, 2 GiB where none is set. At the quota etcd "
        "takes no writes, and the API with it. An upgrade writes more than usual: every evicted pod is "
        "several writes, and events.",
        cure="Where less of it is in use than it has: `etcdctl defrag` for one member after the other, the leader "
        "last, and not while an upgrade runs. Otherwise delete what is not needed, or set "
        "`quota-backend-bytes` in `etcd.local.extraArgs`, up to 8 GiB.",
        sources=("https://etcd.io/docs/v3.6/op-guide/maintenance/",),
    ),
    Entry(
        id="etcd-member-count",
        severities=(NOTE,),
        title="The number of members bears few failures",
        meaning="A single member takes the API away while it is upgraded. An even number of members bears no more "
        "failures than one member less, and of two members none may be away.",
        cure="Nothing for this upgrade. In the long run have three or five control-plane nodes.",
        sources=("https://etcd.io/docs/v3.6/faq/#what-is-failure-tolerance",),
    ),
)
