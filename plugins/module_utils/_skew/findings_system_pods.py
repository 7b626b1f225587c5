# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Findings on pods of kube-system that are not ready, and what the gates of the run do not wait for: pure."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.baseline import Before, Trouble, lasting_troubles
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock import decisions as lock
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.cut_off import lock_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.acceptance import Accepted
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.folding import some
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    BLOCKER,
    WARNING,
    Cluster,
    Finding,
    finding,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.state import system_pods

ADDONS = ("daemonset/kube-system/kube-proxy", "deployment/kube-system/coredns")
"""Workloads that kubeadm upgrades itself, and that a run proves."""


def system_pod_findings(cluster: Cluster, now: float, *, wait: bool = True) -> list[Finding]:
    """With `wait` those that the gates of the run wait for are blockers."""
    began, record = lock.not_ready_before(lock_of(cluster.leases)) or ("", None)
    before = Before(record or {})
    pods = {api.name_of(pod): pod for pod in system_pods(cluster)}
    found = []
    for subject, troubles in _by_subject(cluster, now).items():
        if not wait:
            waited, why = [], ""
        elif record is None:
            waited = troubles if subject in ADDONS else []
            why = "the upgrade replaces it, so its gates wait for it"
        else:
            waited = [trouble for trouble in troubles if not before.has(pods[trouble.pod])]
            why = f"it was ready when the upgrade began at {began}, so its gates wait for it"
        first = (waited or troubles)[0]
        since = f" not ready since {first.since}" if first.since else ""
        evidence = f"{some([trouble.pod for trouble in waited or troubles])}{since}: {first.seen}"
        see = f"kubectl -n kube-system describe pod {first.pod}"
        if waited:
            remedy = (
                f"Repair it, see: {see}. Where it has nothing to do with the upgrade, accept this finding with its "
                f"subject {subject}: the gates then do not wait for it."
            )
            found.append(finding("system-pod-not-ready", BLOCKER, subject, f"{evidence}; {why}", remedy))
        else:
            remedy = f"Nothing for the upgrade: its gates will not wait for it. To repair it, see: {see}"
            found.append(finding("system-pod-not-ready", WARNING, subject, evidence, remedy))
    return found


def not_ready_before(
    cluster: Cluster, findings: t.Sequence[Finding], accepted: t.Sequence[Accepted], now: float
) -> lock.NotReady:
    """What the gates do not wait for: what an unfinished upgrade found when it began, and what stops no run now."""
    known = lock.not_ready_before(lock_of(cluster.leases))
    record = dict(known[1]) if known else {}
    troubles = _by_subject(cluster, now)
    for entry in [*accepted, *(entry for entry in findings if entry["severity"] != BLOCKER)]:
        subject = entry["subject"]
        if entry["id"] == "node-not-ready":
            record[subject] = [subject.partition("/")[2]]
        elif entry["id"] == "system-pod-not-ready":
            old, new = record.get(subject, []), [trouble.node for trouble in troubles[subject]]
            # Only the pods of a DaemonSet stay on their nodes; of others the number counts.
            record[subject] = sorted({*old, *new}) if subject.startswith("daemonset/") else max(old, new, key=len)
    return record


def _by_subject(cluster: Cluster, now: float) -> dict[str, list[Trouble]]:
    """By the clock of the cluster, which the newest renewal among the Leases tells."""
    moment = lock.newest_renewal(cluster.leases) or datetime.fromtimestamp(now, timezone.utc)
    # A pod may wait for the node that an earlier run left cordoned, which this one uncordons.
    cordoned = any(api.cordoned_by(node) for node in cluster.nodes)
    found: dict[str, list[Trouble]] = {}
    for trouble in lasting_troubles(cluster.nodes, cluster.pods, moment):
        if cordoned and not trouble.node:
            continue
        found.setdefault(trouble.subject, []).append(trouble)
    return found
