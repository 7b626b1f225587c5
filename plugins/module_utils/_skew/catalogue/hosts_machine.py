# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Entries of the findings on nodes: the machine beneath."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue.model import Entry
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER, NOTE, WARNING

ENTRIES: tuple[Entry, ...] = (
    Entry(
        id="cgroup-v1",
        severities=(BLOCKER, WARNING),
        title="The node runs on cgroup v1",
        meaning=(
            "The kernel of this node gives the kubelet version 1 of control groups. A kubelet from 1.35 on "
            "does not start on it, and kubeadm's preflight check `SystemVerification` fails.\n\n"
            "With `failCgroupV1: false` in the ConfigMap `kube-system/kubelet-config` the kubelet starts once "
            "more. The finding is a warning then, if the run ignores that check on the node."
        ),
        cure=(
            "Boot the node with version 2: add `systemd.unified_cgroup_hierarchy=1` to the kernel's command "
            "line where the distribution does not do so by itself, and see that `stat -fc %T /sys/fs/cgroup` "
            "says `cgroup2fs`. Drain the node before.\n\n"
            "To put it off, set `failCgroupV1: false` in the KubeletConfiguration of the ConfigMap before the "
            "upgrade, and name `SystemVerification` in `control_plane_ignore_preflight_errors` and "
            "`worker_ignore_preflight_errors`."
        ),
        sources=(rules.CGROUP_V1_SOURCE,),
    ),
    Entry(
        id="swap-on",
        severities=(WARNING, NOTE),
        title="Swap is on",
        meaning=(
            "The kernel uses swap. Unless the kubelet is told otherwise it does not start then, and an "
            "upgrade restarts it. Where `failSwapOn: false` is set, swap is wanted, and this is a note."
        ),
        cure=(
            "Turn it off by `swapoff -a` and take it out of `/etc/fstab`, or set `failSwapOn: false` in the "
            "ConfigMap `kube-system/kubelet-config`."
        ),
        sources=("https://kubernetes.io/docs/concepts/cluster-administration/swap-memory-management/",),
    ),
    Entry(
        id="kernel-too-old",
        severities=(BLOCKER, WARNING),
        title="The kernel is older than kubeadm supports",
        meaning=(
            "kubeadm's preflight check SystemVerification names the kernels that Kubernetes is tested with, and the "
            "one "
            "of this node is older than the oldest of them. `kubeadm upgrade` makes the check since 1.33. kubeadm 1.33 "
            "fails on a kernel before 4.19, such as the 4.18 of Enterprise Linux 8: a hop through 1.33 is a blocker, "
            "unless the run ignores the check. kubeadm from 1.34 on goes on with a warning. What may "
            "fail later are single features: recursive read-only mounts, user namespaces, nftables, pressure "
            "stall information.\n\n"
            "Distributions bring features of newer kernels into older ones. The number alone does not prove "
            "that something is missing."
        ),
        cure=(
            "Boot a newer kernel of the distribution while the node is drained. Where the distribution "
            "vouches for its kernel with this version of Kubernetes, there is nothing to do, but for the hop to 1.33: "
            "name `SystemVerification` in `control_plane_ignore_preflight_errors` or `worker_ignore_preflight_errors`."
        ),
        sources=(rules.KERNEL_SOURCE, "https://kubernetes.io/docs/reference/node/kernel-version-requirements/"),
    ),
    Entry(
        id="kernel-config-unreadable",
        severities=(BLOCKER, NOTE),
        title="kubeadm cannot read the configuration of the kernel",
        meaning=(
            "kubeadm's preflight check SystemVerification, which `kubeadm upgrade` makes since 1.33, reads with what "
            "options the running kernel was built. It looks at `/proc/config.gz`, `/boot/config-<release>` and some "
            "other places, and fails where the file is in none of them, as in a container of LXC."
        ),
        cure=(
            "Put the file of the distribution into `/boot`, or load the kernel's module `configs`. Where neither can "
            "be "
            "had, name `SystemVerification` in `control_plane_ignore_preflight_errors` or "
            "`worker_ignore_preflight_errors`."
        ),
        sources=(rules.KERNEL_SOURCE, "https://github.com/kubernetes/kubeadm/issues/3114"),
    ),
    Entry(
        id="disk-too-small",
        severities=(BLOCKER,),
        title="There is no room for kubeadm's copy of etcd",
        meaning=(
            "Before kubeadm changes etcd it copies etcd's whole data directory to `/etc/kubernetes/tmp`. The "
            "file system of that folder has less free space than twice the size of the database. A file "
            "system that runs full in that moment can take etcd, the API server and the kubelet with it."
        ),
        cure=(
            "Free space. Copies of earlier upgrades lie in `/etc/kubernetes/tmp` and are never removed by "
            "kubeadm. A database that is much larger than its contents becomes smaller by `etcdctl defrag`, "
            "one member after the other."
        ),
        sources=(rules.ETCD_COPY_SOURCE,),
    ),
    Entry(
        id="disk-too-small-for-images",
        severities=(WARNING,),
        title="There may be no room for the new images",
        meaning=(
            "The images of the new version are pulled while the old ones still run. On the disk of the "
            "container runtime less is free than they need. The kubelet then removes images that nobody uses, "
            "and where that is not enough it evicts pods.\n\n"
            "The size that is needed is reckoned from the images of the community, for a control-plane node "
            "and for a worker."
        ),
        cure=("Remove images that nobody uses: `crictl rmi --prune`. Or make the file system larger."),
        sources=(rules.IMAGES_SOURCE,),
    ),
    Entry(
        id="inodes-few",
        severities=(WARNING,),
        title="Few inodes are free",
        meaning=(
            "A file system has nearly as many files as it can hold, although there may be space. Unpacking an "
            "image or a package then fails with `No space left on device`. The kubelet evicts pods below 5 % "
            "of free inodes."
        ),
        cure=(
            "Find where the files are, for example by `du --inodes -xd3 / | sort -n`, and remove what nobody "
            "needs. Images are often most of it: `crictl rmi --prune`."
        ),
        sources=(rules.INODES_SOURCE,),
    ),
    Entry(
        id="upgrade-leftovers",
        severities=(NOTE,),
        title="Earlier upgrades left copies behind",
        meaning=(
            "kubeadm keeps a copy of etcd's data directory, of the manifests and of the kubelet's "
            "configuration in `/etc/kubernetes/tmp` at each upgrade, and never removes them."
        ),
        cure=(
            "Remove the folders of upgrades that you will not go back behind: `rm -r "
            "/etc/kubernetes/tmp/kubeadm-backup-etcd-*`. Keep the newest until the next backup of etcd is "
            "verified. They hold all Secrets of the cluster."
        ),
        sources=(rules.ETCD_COPY_SOURCE,),
    ),
    Entry(
        id="clock-not-synchronised",
        severities=(WARNING,),
        title="The clock of the node is not synchronised",
        meaning=(
            "The kernel keeps note of whether a time service steers its clock, which `timedatectl` shows as "
            "`System clock synchronized`. Here none does. The clock will drift: certificates that are made on "
            "one node are not valid yet on another, leases pass to and fro, and etcd warns."
        ),
        cure=(
            "Start a time service, such as chrony or systemd-timesyncd, and see that its servers can be "
            "reached: `chronyc sources`, `timedatectl timesync-status`."
        ),
        sources=(rules.CLOCK_SOURCE,),
    ),
    Entry(
        id="clock-differs",
        severities=(WARNING,),
        title="The clock of the node is wrong, or the controller's is",
        meaning=(
            "Hosts are read one after the other, so that two clocks cannot simply be compared. What is "
            "certain is the order: a node is asked, then it answers, then the answer is judged. A node whose "
            "clock shows a time before it was asked is behind, and one whose clock shows a time after the "
            "judgement is ahead. The evidence says by how much at least; it may be more.\n\n"
            "Behind is measured against the controller, ahead against the host that runs `skew_check`."
        ),
        cure=(
            "Look at both clocks. Start a time service on the host that is wrong, and set its clock once: "
            "`chronyc makestep`."
        ),
        sources=(rules.CLOCK_SOURCE,),
    ),
    Entry(
        id="container-runtime-old",
        severities=(BLOCKER, NOTE),
        title="The container runtime does not tell its cgroup driver",
        meaning=(
            "The kubelet asks the runtime which cgroup driver it uses. containerd before 2.0 and CRI-O before "
            "1.28 cannot answer. Until 1.37 the kubelet falls back to its own configuration; from 1.38 on it "
            "does not start."
        ),
        cure=("Upgrade the runtime while the node is drained, before the version that needs it."),
        sources=(rules.RUNTIME_CONFIG_SOURCE,),
    ),
    Entry(
        id="sandbox-image-not-pinned",
        severities=(WARNING, NOTE),
        title="The image of the pods' sandboxes is not pinned",
        meaning=(
            "Each pod has a sandbox, whose image (`pause`) the runtime names in its configuration. The kubelet "
            "removes images that it sees no container of when the disk fills. Until 1.34 it spares the image of "
            "`--pod-infra-container-image`; that flag is gone in 1.35, and only an image that the runtime reports as "
            "pinned is spared. containerd pins the one that it pulled itself, from 1.7.3 on, and CRI-O pins its own. "
            "One that was imported, or that an older containerd pulled, may not be: days after a green upgrade no pod "
            "starts where it cannot be pulled again.\n\nA note says that the runtime did not tell, or that the image "
            "of its configuration is not on the node."
        ),
        cure=(
            "`ctr -n k8s.io images label IMAGE io.cri-containerd.pinned=pinned`, on every node that is named; "
            "containerd from 1.6.25 and 1.7.10 on goes by that label. Upgrade an older one. For CRI-O, "
            "`pinned_images` in its configuration. `crictl images --pinned` shows it."
        ),
        sources=(rules.PINNED_SANDBOX_SOURCE, "https://github.com/containerd/containerd/pull/9382"),
    ),
)
