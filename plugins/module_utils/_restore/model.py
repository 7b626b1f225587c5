# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What a restore goes by: the backup, the nodes, and the notes that an unfinished restore has left on them.

All of it is plain data that goes from task to task, so the shapes are those of
the modules' results.
"""

from __future__ import annotations

import typing as t

JsonDict = dict[str, t.Any]

BLOCKER, WARNING, NOTE = "blocker", "warning", "note"

PREPARED, SWAPPED, PROVEN, FINISHED = "prepared", "swapped", "proven", "finished"
STEPS = ("", PREPARED, SWAPPED, PROVEN, FINISHED)
"""The steps of a restore on a node, as its note has them. The empty one is before the first."""

TOKEN = "restore-"
"""How the name of every restore begins; it is the token of its new cluster."""
CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
"""The static pods that stand still while etcd is restored."""
BUMP = 1_000_000_000
"""By how much the revision is raised: what etcd's documentation advises, above what a busy cluster makes in a week."""


class SharedFile(t.TypedDict):
    """A file that is the same on every control-plane node, and has to be that of the backup."""

    path: str
    sha256: str


class Backup(t.TypedDict):
    """A backup that has been verified."""

    path: str
    files: list[str]
    sha256: str
    """Of the file of the snapshot."""
    plain_sha256: str
    """Of the snapshot itself."""
    plain_size: int
    revision: int
    keys: int
    etcd_version: str
    storage_version: str
    """Empty before etcd 3.6."""
    has_archive: bool
    taken: str
    """RFC 3339 in UTC; empty where it is not known."""
    node: str
    members: list[str]
    kubernetes_version: str
    shared_files: list[SharedFile]


class ComparedFile(t.TypedDict):
    path: str
    state: str
    """``same``, ``differs`` or ``missing``."""


class Etcdutl(t.TypedDict):
    path: str
    version: str
    source: str
    can_bump: bool


class Note(t.TypedDict, total=False):
    """What a node remembers of a restore: see STEPS. Empty where there is none."""

    token: str
    sha256: str
    """plain_sha256 of the backup."""
    snapshot: str
    initial_cluster: str
    step: str
    started: str
    updated: str
    aside: str
    """Where the data from before the restore is kept."""
    expected_revision: int
    keys: int


class NodeSeen(t.TypedDict):
    """A control-plane node as it was looked at."""

    host: str
    member: str
    """The name of its etcd member; empty where the node has no manifest of etcd."""
    problem: str
    """Why the manifest of etcd could not be used; empty where it could."""
    peer_urls: list[str]
    data_dir: str
    wal_dir: str
    etcd_version: str
    kubernetes_version: str
    etcdutl: Etcdutl | None
    etcdutl_problem: str
    free_bytes: int
    data_bytes: int
    files: list[ComparedFile]
    missing_pods: list[str]
    kubelet_runs: bool
    live_members: list[str]
    """Empty where etcd did not answer."""
    note: Note


class Finding(t.TypedDict):
    id: str
    severity: str
    subject: str
    evidence: str
    remedy: str


class Plan(t.TypedDict):
    token: str
    confirmation: str
    """What has to be typed for the restore to begin."""
    initial_cluster: str
    members: list[str]
    bump_revision: int
    resumed: bool
    stop: bool
    """Whether the control plane still has to stand still."""
    steps: dict[str, str]
    """The step that each host has reached."""
    findings: list[Finding]
    blockers: int
    refusal: str
    """Empty where there is no blocker."""
    summary: list[str]
