# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Entries of the findings on the plan."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue.model import Entry
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER, NOTE, WARNING

ENTRIES: tuple[Entry, ...] = (
    Entry(
        id="control-plane-unknown",
        severities=(BLOCKER,),
        title="No API server was found",
        meaning="No node with the label `node-role.kubernetes.io/control-plane` shows a static pod of kube-apiserver, "
        "so that nobody can tell where the cluster is and where its way begins. There is no plan, and this "
        "finding cannot be accepted.",
        cure="Check that the cluster was made by kubeadm, that its control-plane nodes carry the label, and that "
        "the credentials may list nodes and the pods of kube-system: `kubectl get nodes` and `kubectl -n "
        "kube-system get pods -l component=kube-apiserver`.",
        sources=(rules.SKEW_POLICY,),
        passes=True,
    ),
    Entry(
        id="other-major",
        severities=(BLOCKER,),
        title="The target is of another major version",
        meaning="The target and the running API servers differ in the first number of their versions. No rule says "
        "how to go from the one to the other. This finding cannot be accepted.",
        cure="Give a target of the cluster's own major version, such as `1.36.3`.",
        sources=(rules.SKEW_POLICY,),
    ),
    Entry(
        id="downgrade",
        severities=(BLOCKER,),
        title="The target is older than what runs",
        meaning="An API server already runs a newer version than the target. Kubernetes does not support the way "
        "back: newer servers may have stored objects in versions that older ones cannot read. This finding "
        "cannot be accepted.",
        cure="Give a target that is at least as new as the newest API server. This is also how an upgrade that "
        "stopped half-way is ended: with the version that it was begun with.\n\n"
        "To return to the state before an upgrade, restore the etcd snapshot of that time; see "
        "backup-and-restore.md.",
        sources=(rules.SKEW_POLICY,),
    ),
    Entry(
        id="intermediate-version-unknown",
        severities=(BLOCKER,),
        title="The way passes through a minor of which no version is known",
        meaning="An API server goes one minor at a time, also where there is only one of it. Between the running "
        "version and the target there are minors of which `available_versions` names no release. This finding "
        "cannot be accepted.",
        cure="Upgrade to the newest patch of the next minor first, or give the plan the versions that your package "
        "repositories offer, in `available_versions` (`preflight_available_versions` of the role preflight).",
        sources=(rules.SKEW_POLICY,),
    ),
    Entry(
        id="version-not-offered",
        severities=(BLOCKER, NOTE),
        title="It is not sure that a version can be installed",
        meaning="A blocker has one of two causes. Either the package repositories were asked, or `available_versions` "
        "names what they offer, and a version that the plan goes to is not among them. Or the node that is "
        "named was to ask them and got no answer, so that nobody knows: the run would stop on each node when "
        "it prepares it.\n\nA note says that nobody asked, since `preflight_ask_repositories` or "
        "`node_prepare_manage_repository` is false, or since the plan was made without the nodes.",
        cure="Choose one of the versions that the evidence names. Where the version is right, see why it is not "
        "offered: a mirror that is behind, or a `preflight_available_versions` that leaves it out. Where there "
        "was no answer, see that the node reaches the address: its name, its route, and its proxy, which is that "
        "of apt's configuration or of `node_prepare_environment`. Another mirror is named in "
        "`node_prepare_repository_url`. Where the nodes have sources of their own with the version, say so: "
        "`node_prepare_manage_repository=false`.",
    ),
    Entry(
        id="repository-plain-http",
        severities=(WARNING,),
        title="The package repository is asked over plain http",
        meaning="The run fetches the key of the repository from the repository, on nodes that do not have a valid one "
        "yet. Over plain http, whoever is between can give another key and other packages, which are "
        "installed as root. Packages alone would be safe, since the key vouches for them.",
        cure="Use https in `node_prepare_repository_url`, or name the fingerprint of the key in "
        "`node_prepare_key_fingerprint`: any other key is refused then.",
    ),
    Entry(
        id="acceptance-unused",
        severities=(NOTE,),
        title="An accepted finding was not found",
        meaning="`accepted_findings` accepts a finding that this cluster does not have: it was cured since, or its id "
        "or subject has a typing error. An acceptance with an error leaves the finding that it was meant for "
        "in force.",
        cure="Take the acceptance out, or correct it.",
    ),
    Entry(
        id="release-change",
        severities=(
            WARNING,
            NOTE,
        ),
        title="A minor on the way changes something that concerns this cluster",
        meaning="The subject is the minor. The evidence says what changes and which objects of this cluster it "
        "concerns. Changes that concern nothing in the cluster are not shown, and neither is what another "
        "finding says.\n\n"
        "A warning is a change after which something stops working; a note is one that should be known "
        "before.",
        cure="The remedy names the step. Take it before the hop to that minor. Read the release notes of the minor "
        "as well: only what can be told from the API is shown here.",
        sources=("https://kubernetes.io/releases/",),
    ),
)
