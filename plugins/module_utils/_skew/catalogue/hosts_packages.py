# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Entries of the findings on nodes: packages and repositories."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue.model import Entry
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER, NOTE, WARNING

ENTRIES: tuple[Entry, ...] = (
    Entry(
        id="package-newer-than-target",
        severities=(BLOCKER,),
        title="An installed package is newer than the next version",
        meaning=(
            "A package of this node is newer than the version that it is to go to next. Package managers do "
            "not go back by themselves, so that the installation would fail."
        ),
        cure=(
            "Choose that newer version as the target. Or install the older package by hand: `apt-get install "
            "--allow-downgrades --allow-change-held-packages kubeadm=VERSION-*`. Do not go back with a "
            "kubelet to an older minor while the node runs pods."
        ),
        sources=(rules.PACKAGES_SOURCE,),
    ),
    Entry(
        id="package-sources-broken",
        severities=(BLOCKER,),
        title="apt cannot read its sources",
        meaning=(
            "A file of `/etc/apt/sources.list.d` has an error, or two entries name one repository with different keys "
            "(`Signed-By`). apt then reads none of its sources and installs nothing: neither the run nor unattended "
            "upgrades."
        ),
        cure=(
            "Correct or remove the entry that the evidence names. `apt-get indextargets` reads all sources without "
            "asking any of them, and ends with the same error until then."
        ),
        sources=(rules.APT_SOURCES_SOURCE,),
    ),
    Entry(
        id="kubelet-not-restarted",
        severities=(WARNING,),
        title="The installed kubelet is not the running one",
        meaning=(
            "A new package of the kubelet was installed and the kubelet was not restarted: an upgrade was "
            "killed between the two, or something else upgrades packages. The next restart of the node or of "
            "the kubelet changes its version without a drain. Where the new one is of a later minor than the "
            "API server, the node may not come back."
        ),
        cure=(
            "The run restarts the kubelet in its turn. To be safe until then, do not reboot the node, and see "
            "what installed the package: `/var/log/apt/history.log`, `dnf history`."
        ),
        sources=(rules.PACKAGES_SOURCE, rules.SKEW_POLICY),
    ),
    Entry(
        id="packages-differ",
        severities=(WARNING,),
        title="The packages of the node are of different minors",
        meaning=(
            "kubeadm, kubelet and kubectl are not of one minor, and not as a run of this tool leaves them "
            "while it prepares a node. Somebody began an upgrade by hand, or upgraded some of them only."
        ),
        cure=(
            "The run installs all three. Hold them, so that nothing else does: `apt-mark hold kubeadm kubelet kubectl`."
        ),
        sources=(rules.PACKAGES_SOURCE,),
    ),
    Entry(
        id="packages-not-held",
        severities=(NOTE,),
        title="Packages are not held",
        meaning=(
            "Any upgrade of the system takes kubeadm, kubelet or kubectl along: by hand, or by unattended "
            "upgrades. A kubelet can become newer than the API server that way."
        ),
        cure=(
            "`apt-mark hold kubeadm kubelet kubectl`, or `exclude=` in the repository's file with dnf. This "
            "tool holds the packages of a node that it has upgraded with apt."
        ),
        sources=(rules.PACKAGES_SOURCE,),
    ),
    Entry(
        id="repository-legacy",
        severities=(WARNING,),
        title="A package repository does not exist any more",
        meaning=(
            "apt.kubernetes.io and yum.kubernetes.io were frozen in September 2023 and ended in March 2024. A "
            "package manager that still asks there reports errors, and may fail altogether when it reads its "
            "lists. The run reads the lists of its own repository alone, and is not stopped."
        ),
        cure=(
            "Remove the entry, and its key. Each minor has a repository of its own below "
            "`https://pkgs.k8s.io/core:/stable:/`."
        ),
        sources=(rules.REPOSITORY_SOURCE,),
    ),
    Entry(
        id="repository-of-another-minor",
        severities=(WARNING,),
        title="The package repository is for another minor",
        meaning=(
            "Each minor has a repository of its own. This node has those of minors that it is neither at nor "
            "going to, so that it gets no patches, and the target's packages are not found there."
        ),
        cure=(
            "The run names the repository of each version in its own file, where no other file does, unless "
            "`node_prepare_manage_repository` is false. Then change the minor in the address yourself before "
            "each hop."
        ),
        sources=(rules.REPOSITORY_SOURCE,),
    ),
    Entry(
        id="repository-key-expired",
        severities=(WARNING,),
        title="The key of the package repository has expired",
        meaning=(
            "The OpenPGP key in the file that the repository trusts has expired, or was revoked. The package "
            "manager refuses the repository's lists. The key itself was prolonged by the community more than "
            "once; the copy on the node is old."
        ),
        cure=(
            "Fetch `Release.key` of the target's repository anew into that file. The run does so for the source that "
            "it uses, unless `node_prepare_manage_repository` is false; where the repository has another key by now, "
            "`node_prepare_key_fingerprint` has to name it."
        ),
        sources=(rules.REPOSITORY_KEY_SOURCE,),
    ),
    Entry(
        id="repository-key-expires-soon",
        severities=(NOTE,),
        title="The key of the package repository expires soon",
        meaning=(
            "The OpenPGP key in the file that the repository trusts expires within 30 days. An upgrade today "
            "is not in danger."
        ),
        cure=("Fetch `Release.key` anew once the community has prolonged it."),
        sources=(rules.REPOSITORY_KEY_SOURCE,),
    ),
)
