# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Findings on etcd, from the results of etcd_member of the control-plane nodes. Pure, and tolerant of absent keys."""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    BLOCKER,
    NOTE,
    WARNING,
    Cluster,
    Finding,
    Json,
    NodeState,
    Request,
    finding,
    version_or_none,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import Plan
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.state import system_pods

MIB = 1 << 20
DEFAULT_QUOTA = 2 << 30
QUOTA_USED = 0.8
LEARNER_SOURCE = "https://etcd.io/blog/2025/upgrade_from_3.5_to_3.6_issue/"
ZOMBIE_SOURCE = "https://etcd.io/blog/2025/zombie_members_upgrade/"
SPACE_SOURCE = "https://etcd.io/docs/v3.6/op-guide/maintenance/#space-quota"
HASH_SOURCE = "https://etcd.io/docs/v3.6/op-guide/data_corruption/"
SIZE_SOURCE = "https://etcd.io/docs/v3.6/faq/#what-is-failure-tolerance"
SKEW_SOURCE = "https://etcd.io/docs/v3.6/upgrades/upgrade_3_6/"


def etcd_findings(cluster: Cluster, states: list[NodeState], request: Request) -> list[Finding]:
    """What speaks against taking a member away, and against a backup. Nothing where no result was given.

    An external etcd is none of a run that saves no backup of it.
    """
    looks = [result for result in request.etcd_members if isinstance(result, dict)]
    stacked = [state for state in states if state.is_control_plane and state.etcd]
    if not looks or (request.without_backup and not stacked):
        return []
    seen = [look for look in looks if look.get("members")]
    found = [_not_observed(look, external=not stacked) for look in looks if not look.get("members")]
    if not seen:
        return found
    views = {frozenset(str(row.get("id")) for row in look["members"]) for look in seen}
    if len(views) > 1:
        found.append(_views_differ(seen))
    # Where all see the same members, the look that reached most of them tells most.
    best = min(seen, key=lambda look: sum(1 for row in look["members"] if row.get("problem")))
    members: list[Json] = best["members"]
    if stacked:
        found += _membership(cluster, members, stacked)
    found += _each(members)
    found += _together(best, members)
    found += _space(cluster, members)
    # How many members there are is a question of what the run takes away.
    return found if stacked else [each for each in found if each["id"] != "etcd-member-count"]


def backup_findings(request: Request, plan: Plan) -> list[Finding]:
    """Whether the run saves a backup of etcd before it changes anything, and what would keep it from that."""
    if not plan.hops:
        return []
    if request.without_backup:
        return [
            finding(
                "backup-left-out",
                WARNING,
                "etcd",
                "no backup is made in this run, because of upgrade_without_backup or the tags of the run",
                "Save one before: ansible-playbook evergreen.kubeadm.backup. Or run without upgrade_without_backup and "
                "with the tag backup.",
            )
        ]
    found = []
    results = {name: result for name, result in request.backups.items() if isinstance(result, dict)}
    failed = {name: result for name, result in results.items() if not result.get("files")}
    for name, result in sorted(results.items()):
        if name in failed:
            found.append(_no_backup(name, result, every=len(failed) == len(results)))
        left_out = (result.get("archive") or {}).get("left_out") or []
        if left_out:
            said = ", ".join(f"{entry.get('path')} ({entry.get('reason')})" for entry in left_out)
            found.append(
                finding(
                    "backup-incomplete",
                    WARNING,
                    f"node/{name}",
                    f"a backup that is saved on this node does not have {said}",
                    "Keep a copy of what a restore on new machines needs with your backups, such as the key of an "
                    "external CA. Take a flag out that names a file which is not there.",
                )
            )
    return found


def _no_backup(name: str, result: Json, *, every: bool) -> Finding:
    return finding(
        "backup-not-possible",
        # The run saves one backup, on the node whose member can best be asked at that moment.
        BLOCKER if every else WARNING,
        f"node/{name}",
        f"a backup cannot be saved on this node: {result.get('msg') or 'it gave no result'}",
        "Mend that first. The options of the backup are those of the role etcd_backup. To go on without one: -e "
        "upgrade_without_backup=true",
    )


def _not_observed(look: Json, *, external: bool) -> Finding:
    checks = [str(check.get("seen")) for check in look.get("checks") or [] if not check.get("ok")]
    why = str(look.get("msg") or "; ".join(checks) or "the result has no members")
    return finding(
        "etcd-not-observed",
        BLOCKER,
        "etcd",
        f"a control-plane node could not ask etcd: {why}",
        "Check that its --etcd-servers can be reached from the node, and the certificates that the flags of its "
        "kube-apiserver name. To go on without a backup of it: -e upgrade_without_backup=true"
        if external
        else "On that node: crictl logs $(crictl ps -a -q --name etcd | head -1); and check the certificates that the "
        "flags of its manifest name.",
    )


def _views_differ(seen: list[Json]) -> Finding:
    told = sorted({", ".join(sorted(_label(row) for row in look["members"])) for look in seen})
    return finding(
        "etcd-views-differ",
        BLOCKER,
        "etcd",
        f"the members do not agree who they are: {' / '.join(told)}",
        "Take a snapshot of each, and repair the membership before anything else: etcdctl member list on each "
        "control-plane node.",
        ZOMBIE_SOURCE,
    )


def _label(row: Json) -> str:
    return str(row.get("name") or f"(not started, id {row.get('id')})")


def _membership(cluster: Cluster, members: list[Json], stacked: list[NodeState]) -> list[Finding]:
    """Whether the members are exactly the control-plane nodes, by name and by peer address."""
    nodes = {api.name_of(node): node for node in cluster.nodes}
    owner: dict[str, str] = {}
    for state in stacked:
        owner[state.name] = state.name
        for address in (nodes.get(state.name, {}).get("status") or {}).get("addresses") or []:
            owner[str(address.get("address"))] = state.name
    found = []
    present = set()
    for row in members:
        name = str(row.get("name") or "")
        hosts = [urlsplit(str(url)).hostname or "" for url in row.get("peer_urls") or []]
        by_address = next((owner[host] for host in hosts if host in owner), None)
        node = name if name in owner else by_address
        if node is None:
            found.append(_stranger(row, hosts))
            continue
        present.add(node)
        if name and by_address and by_address != name:
            found.append(
                finding(
                    "etcd-member-name",
                    WARNING,
                    f"etcd/{name}",
                    f"its peer address {', '.join(hosts)} is that of the node {by_address}",
                    "Find out whether a node was renamed or an address went to another node. kubeadm knows a member "
                    "by its peer address.",
                    ZOMBIE_SOURCE,
                )
            )
    for state in stacked:
        if state.name not in present:
            found.append(
                finding(
                    "etcd-member-missing",
                    BLOCKER,
                    f"node/{state.name}",
                    "the node runs an etcd static pod, and the cluster of etcd has no such member",
                    "Its etcd was removed from the cluster or is one of its own. Take the node out (kubeadm reset) and "
                    "join it anew (kubeadm join --control-plane).",
                    ZOMBIE_SOURCE,
                )
            )
    return found


def _stranger(row: Json, hosts: list[str]) -> Finding:
    dead = bool(row.get("problem"))
    return finding(
        "etcd-member-unknown",
        BLOCKER if dead else WARNING,
        f"etcd/{_label(row)}",
        f"a member at {', '.join(hosts) or 'no address'} that is no control-plane node"
        + (f", and does not answer: {row['problem']}" if dead else ""),
        f"If its node is gone for good: etcdctl member remove {row.get('id')}. It counts for the quorum until then.",
        ZOMBIE_SOURCE,
    )


def _each(members: list[Json]) -> list[Finding]:
    found = []
    for row in members:
        subject = f"etcd/{_label(row)}"
        if row.get("learner"):
            found.append(
                finding(
                    "etcd-learner",
                    BLOCKER,
                    subject,
                    "the member is a learner, without a vote",
                    f"If it is in step: etcdctl member promote {row.get('id')}. If its join failed: etcdctl member "
                    f"remove {row.get('id')}, and join the node anew.",
                    LEARNER_SOURCE,
                )
            )
        if not row.get("name"):
            found.append(
                finding(
                    "etcd-member-unstarted",
                    BLOCKER,
                    subject,
                    "the member was added and has never started",
                    f"End the join of its node, or: etcdctl member remove {row.get('id')}",
                    ZOMBIE_SOURCE,
                )
            )
        # A learner serves no reads by itself, and has its finding above.
        elif row.get("problem") and not row.get("learner"):
            found.append(
                finding(
                    "etcd-member-unhealthy",
                    BLOCKER,
                    subject,
                    str(row["problem"]),
                    "Bring it back before: an upgrade takes one member after the other away, and the others must be "
                    f"enough. On its node: crictl logs $(crictl ps -a -q --name etcd | head -1), for {_label(row)}.",
                )
            )
    return found


def _together(look: Json, members: list[Json]) -> list[Finding]:
    """What the members show beside each other."""
    found = []
    if not look.get("leader"):
        found.append(
            finding(
                "etcd-no-leader",
                BLOCKER,
                "etcd",
                "no member leads",
                "Bring a quorum of the members back: more than half of them must reach each other on port 2380.",
            )
        )
    versions = {_label(row): version_or_none(str(row.get("version") or "")) for row in members}
    known = [version for version in versions.values() if version]
    if known and (max(known).major, max(known).minor - min(known).minor) > (min(known).major, 1):
        told = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()) if version)
        found.append(
            finding(
                "etcd-versions-differ",
                BLOCKER,
                "etcd",
                f"members are more than one minor apart: {told}",
                "Bring the oldest member to the minor of the others first.",
                SKEW_SOURCE,
            )
        )
    for alarm in look.get("alarms") or []:
        full = alarm.get("alarm") == "NOSPACE"
        found.append(
            finding(
                "etcd-alarm",
                BLOCKER,
                f"etcd/{alarm.get('member')}",
                f"alarm {alarm.get('alarm')}: " + ("no write is taken" if full else "its data is not that of the rest"),
                "Compact, defragment each member, then: etcdctl alarm disarm"
                if full
                else "Remove this member, empty its data directory and join it anew, then: etcdctl alarm disarm",
                SPACE_SOURCE if full else HASH_SOURCE,
            )
        )
    found += _hashes(members)
    voting = [row for row in members if not row.get("learner")]
    if len(voting) == 1:
        found.append(
            finding(
                "etcd-member-count",
                NOTE,
                "etcd",
                "there is one member: the API is away while it is upgraded, and its disk is the only copy",
                "Nothing for this upgrade, which saves a snapshot before. Three members stay up while one is away.",
                SIZE_SOURCE,
            )
        )
    elif len(voting) % 2 == 0:
        found.append(
            finding(
                "etcd-member-count",
                NOTE,
                "etcd",
                f"{len(voting)} members bear the loss of no more of them than {len(voting) - 1} would",
                "Add a control-plane node, or take one away."
                + (" With two, each member that is upgraded stops all writes." if len(voting) == 2 else ""),
                SIZE_SOURCE,
            )
        )
    return found


def _hashes(members: list[Json]) -> list[Finding]:
    """Hashes that are of the same revisions and differ."""
    by_span: dict[tuple[t.Any, t.Any], dict[int, list[str]]] = {}
    for row in members:
        if row.get("hash") is not None:
            span = (row.get("hash_revision"), row.get("hash_compact_revision"))
            by_span.setdefault(span, {}).setdefault(int(row["hash"]), []).append(_label(row))
    return [
        finding(
            "etcd-hash-differs",
            BLOCKER,
            "etcd",
            f"at revision {revision} the members do not hold the same data: "
            + " / ".join(sorted(", ".join(sorted(names)) for names in by_hash.values())),
            "Take a snapshot of each. Remove the member that is alone with its hash, empty its data directory, and "
            "join it anew.",
            HASH_SOURCE,
        )
        for (revision, _compacted), by_hash in sorted(by_span.items(), key=str)
        if len(by_hash) > 1
    ]


def _space(cluster: Cluster, members: list[Json]) -> list[Finding]:
    pods = api.static_pods(system_pods(cluster), "etcd")
    found = []
    for row in members:
        size, used = int(row.get("db_size") or 0), int(row.get("db_size_in_use") or 0)
        name = str(row.get("name") or "")
        quota = int(row.get("db_size_quota") or 0) or _quota_flag(pods.get(name)) or DEFAULT_QUOTA
        # A negative quota is none.
        if quota < 0 or size < quota * QUOTA_USED:
            continue
        found.append(
            finding(
                "etcd-nearly-full",
                WARNING,
                f"etcd/{_label(row)}",
                f"the database has {size // MIB} MiB of a quota of {quota // MIB} MiB, {used // MIB} MiB are in use; "
                "at the quota etcd takes no writes",
                "Defragment this member (etcdctl defrag), one member after the other and the leader last"
                if used < quota * QUOTA_USED
                else "Delete what is not needed, such as events and old Helm releases, or raise quota-backend-bytes in "
                "etcd.local.extraArgs.",
                SPACE_SOURCE,
            )
        )
    return found


def _quota_flag(pod: Json | None) -> int:
    """The quota that the static pod sets, 0 where it sets none: before 3.6 a member does not tell."""
    text = api.flag(api.pod_arguments(pod), "quota-backend-bytes") if pod else None
    try:
        return int(text or 0)
    except ValueError:
        return 0
