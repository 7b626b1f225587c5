# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Whether a backup can be restored on these nodes, and how: pure."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils._plan.refusal import refusal
from ansible_collections.evergreen.kubeadm.plugins.module_utils._restore.model import (
    BLOCKER,
    BUMP,
    FINISHED,
    NOTE,
    PROVEN,
    STEPS,
    TOKEN,
    WARNING,
    Backup,
    Finding,
    NodeSeen,
    Note,
    Plan,
)

_MIB = 1 << 20
CONFIRMATION_LENGTH = 12


@dataclass(frozen=True)
class Options:
    """What the user has accepted, each by its own name."""

    without_revision_bump: bool = False
    without_node_files: bool = False
    gone_members: tuple[str, ...] = ()
    reserve: int = 256 * _MIB
    """Bytes that have to stay free."""


def plan(backup: Backup, nodes: t.Sequence[NodeSeen], options: Options, now: str) -> Plan:
    """The way to restore `backup` on `nodes`. `now` is RFC 3339 in UTC, for the name of a new restore."""
    newest = _newest_unfinished(nodes)
    token = newest["token"] if newest else f"{TOKEN}{re.sub(r'[^0-9TZ]', '', now)}"
    steps = {node["host"]: node["note"].get("step", "") if node["note"].get("token") == token else "" for node in nodes}
    initial_cluster = ",".join(f"{node['member']}={url}" for node in nodes for url in node["peer_urls"])
    bump = 0 if options.without_revision_bump else BUMP
    findings = [
        *_of_notes(backup, newest, initial_cluster),
        *_of_backup(backup, options),
        *_of_members(backup, nodes, options),
        *(found for node in nodes for found in _of_node(backup, node, options)),
    ]
    return Plan(
        token=token,
        confirmation=backup["plain_sha256"][:CONFIRMATION_LENGTH],
        initial_cluster=initial_cluster,
        members=[node["member"] for node in nodes],
        bump_revision=bump,
        resumed=newest is not None,
        stop=any(STEPS.index(step) < STEPS.index(PROVEN) for step in steps.values()),
        steps=steps,
        findings=findings,
        blockers=sum(found["severity"] == BLOCKER for found in findings),
        refusal=refusal(findings),
        summary=_summary(backup, nodes, token, newest, bump, findings),
    )


def _newest_unfinished(nodes: t.Sequence[NodeSeen]) -> Note | None:
    """The note of the restore that was begun last, where it is not finished on every node that knows of it."""
    notes = [node["note"] for node in nodes if node["note"].get("step", FINISHED) != FINISHED]
    return max(notes, key=lambda note: note["started"], default=None)


def _of_notes(backup: Backup, newest: Note | None, initial_cluster: str) -> t.Iterator[Finding]:
    if newest is None:
        return
    subject = newest["token"]
    if newest["sha256"] != backup["plain_sha256"]:
        yield _finding(
            "other-restore-unfinished",
            BLOCKER,
            subject,
            f"the restore of {newest['snapshot']}, begun {newest['started']}, is not finished",
            "Finish that one first, with that snapshot. Then this one can be restored.",
        )
    elif newest["initial_cluster"] != initial_cluster:
        yield _finding(
            "members-changed-since",
            BLOCKER,
            subject,
            f"the unfinished restore is for {newest['initial_cluster']}, the inventory now makes {initial_cluster}",
            "Finish it with the hosts that it was begun with.",
        )


def _of_backup(backup: Backup, options: Options) -> t.Iterator[Finding]:
    name = backup["path"]
    if not backup["has_archive"]:
        severity = WARNING if options.without_node_files else BLOCKER
        yield _finding(
            "no-node-files",
            severity,
            name,
            "no archive of the node's files is beside the snapshot, so the CAs and keys cannot be compared",
            "Put the archive beside it, or accept that with restore_without_node_files.",
        )
    taken = f"what the cluster did since {backup['taken']} is lost" if backup["taken"] else "its age is not known"
    yield _finding("data-loss", NOTE, name, taken, "Pods that were made since are removed by the kubelets.")


def _of_members(backup: Backup, nodes: t.Sequence[NodeSeen], options: Options) -> t.Iterator[Finding]:
    names = [node["member"] for node in nodes if node["member"]]
    for name in sorted({name for name in names if names.count(name) > 1}):
        hosts = ", ".join(node["host"] for node in nodes if node["member"] == name)
        yield _finding(
            "member-twice",
            BLOCKER,
            hosts,
            f"both have the member {name}",
            "Name each node of the control plane once in the inventory.",
        )
    strangers = {name for node in nodes for name in node["live_members"]} - set(names)
    for name in sorted(strangers):
        gone = name in options.gone_members
        yield _finding(
            "member-outside-inventory",
            WARNING if gone else BLOCKER,
            name,
            "it is a member of etcd now, and no host of this run; its API server would go on with the old data",
            "See that its node never comes back as it is."
            if gone
            else "Add its host to the inventory, or name it in restore_gone_members where its node is lost for good.",
        )
    if backup["members"] and sorted(backup["members"]) != sorted(names):
        yield _finding(
            "members-differ",
            WARNING,
            ", ".join(names),
            f"the backup is of the members {', '.join(sorted(backup['members']))}",
            "The new cluster gets the members of the inventory. Nothing is to be done where that is what you want.",
        )


def _of_node(backup: Backup, node: NodeSeen, options: Options) -> t.Iterator[Finding]:
    host = node["host"]
    if node["problem"]:
        yield _finding(
            "no-etcd",
            BLOCKER,
            host,
            node["problem"],
            "A restore is for static pods of etcd on control-plane nodes. Restore an external etcd by its own means.",
        )
        return
    if node["wal_dir"]:
        yield _finding(
            "separate-wal",
            BLOCKER,
            host,
            f"etcd has its write-ahead log in a folder of its own, {node['wal_dir']}",
            "Such a member is restored by hand: etcdutl snapshot restore --wal-dir.",
        )
    yield from _of_programs(backup, node, options)
    yield from _of_versions(backup, node)
    for file in node["files"]:
        if file["state"] != "same":
            yield _finding(
                "files-differ",
                BLOCKER,
                host,
                f"{file['path']} {'is not there' if file['state'] == 'missing' else 'is not that of the backup'}",
                "What is stored under the one is of no use with the other. Put the file of the backup's archive in its "
                "place on every control-plane node.",
            )
    if node["missing_pods"]:
        yield _finding(
            "pod-missing",
            BLOCKER,
            host,
            f"it has no manifest of {', '.join(node['missing_pods'])}",
            "Repair the control plane of the node first: kubeadm init phase control-plane all.",
        )
    if not node["kubelet_runs"]:
        yield _finding(
            "kubelet-down",
            BLOCKER,
            host,
            "no kubelet runs, so no static pod can be stopped or started",
            "systemctl start kubelet, and see its log.",
        )


def _of_programs(backup: Backup, node: NodeSeen, options: Options) -> t.Iterator[Finding]:
    host, tool = node["host"], node["etcdutl"]
    if tool is None:
        yield _finding(
            "no-etcdutl",
            BLOCKER,
            host,
            node["etcdutl_problem"],
            "Install the etcdutl of your etcd's version there, and set restore_etcdutl where it is not in the PATH.",
        )
        return
    if _minor(tool["version"]) < _minor(backup["storage_version"]):
        yield _finding(
            "etcdutl-too-old",
            BLOCKER,
            host,
            f"etcdutl {tool['version']} is older than the snapshot's storage {backup['storage_version']}",
            "Install an etcdutl of that minor.",
        )
    if not tool["can_bump"] and not options.without_revision_bump:
        yield _finding(
            "no-revision-bump",
            BLOCKER,
            host,
            f"etcdutl {tool['version']} cannot raise the revision, so controllers and kubelets would go on with what "
            "they had seen",
            "Use an etcdutl of 3.6 or newer (restore_etcdutl), or accept that with restore_without_revision_bump and "
            "restart everything that watches the API.",
        )
    # etcdutl copies the database, grows it where it writes, and the snapshot itself is there, too.
    needed = 3 * backup["plain_size"] + options.reserve
    if not node["note"].get("step") and node["free_bytes"] < needed:
        yield _finding(
            "no-space",
            BLOCKER,
            host,
            f"{node['free_bytes'] // _MIB} MiB are free for {node['data_dir']}, {-(-needed // _MIB)} MiB are needed",
            "Make room. The data from before the restore is kept, and needs none.",
        )


def _of_versions(backup: Backup, node: NodeSeen) -> t.Iterator[Finding]:
    host = node["host"]
    stored = _minor(backup["storage_version"] or backup["etcd_version"])
    runs = _minor(node["etcd_version"])
    if runs and stored and runs < stored:
        yield _finding(
            "etcd-too-old",
            BLOCKER,
            host,
            f"etcd {node['etcd_version']} cannot read what etcd {_text(stored)} has stored",
            f"Run etcd {_text(stored)} on every member first.",
        )
    if runs and stored and runs > (stored[0], stored[1] + 1):
        yield _finding(
            "etcd-skips-a-minor",
            BLOCKER,
            host,
            f"etcd {node['etcd_version']} reads what etcd {_text((runs[0], runs[1] - 1))} has stored, and this is of "
            f"{_text(stored)}",
            "etcd is upgraded one minor at a time. Run an older one on every member first.",
        )
    wrote, reads = _minor(backup["kubernetes_version"]), _minor(node["kubernetes_version"])
    if wrote and reads and reads < wrote:
        yield _finding(
            "kubernetes-too-old",
            BLOCKER,
            host,
            f"its API server is of {node['kubernetes_version']}, the backup of {backup['kubernetes_version']}, which "
            "may have stored what this one does not know",
            f"Run the control plane at {_text(wrote)} first.",
        )
    if wrote and reads and reads > wrote:
        yield _finding(
            "kubernetes-newer",
            WARNING,
            host,
            f"its API server is of {node['kubernetes_version']}, the backup of {backup['kubernetes_version']}",
            "See that nothing was stored in a version of an API that is gone by now.",
        )


def _summary(
    backup: Backup,
    nodes: t.Sequence[NodeSeen],
    token: str,
    newest: Note | None,
    bump: int,
    findings: t.Sequence[Finding],
) -> list[str]:
    """What will be done, in sentences; then a line a finding."""
    hosts = ", ".join(node["host"] for node in nodes)
    size = backup["plain_size"] / _MIB
    taken = f"taken {backup['taken'] or 'at an unknown time'} on {backup['node'] or 'an unknown node'}"
    what = f"revision {backup['revision']}, {backup['keys']} keys, {size:.1f} MiB, {taken}"
    lines = [f"Restore {backup['path']} ({what}) on {hosts}."]
    if newest is not None:
        reached = ", ".join(
            f"{node['host']} {node['note'].get('step') if node['note'].get('token') == token else 'not begun'}"
            for node in nodes
        )
        lines.append(f"It goes on with {token}, which was begun {newest['started']}: {reached}.")
    lines += [
        (
            "The API servers, controller managers and schedulers of all these nodes stop, then etcd does. Pods go on "
            "running, and nothing can be changed until the end."
        ),
        f"etcd starts as a new cluster with the members {_joined(node['member'] for node in nodes)}.",
        f"Its revision is raised by {bump}, so every client reads anew." if bump else "Its revision is NOT raised.",
        f"The data of now is kept beside the new one, {_joined(node['data_dir'] for node in nodes)}.",
    ]
    lines += [
        f"{found['severity']} {found['id']} ({found['subject']}): {found['evidence']}. {found['remedy']}"
        for found in findings
    ]
    return lines


def _joined(texts: t.Iterable[str]) -> str:
    return ", ".join(sorted({text for text in texts if text}))


def _finding(id: str, severity: str, subject: str, evidence: str, remedy: str) -> Finding:
    return Finding(id=id, severity=severity, subject=subject, evidence=evidence, remedy=remedy)


def _minor(version: str) -> tuple[int, int] | tuple[()]:
    """(3, 6) of ``3.6.5-0`` or ``v3.6``; () where it is not known, which is less than any."""
    match = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else ()


def _text(minor: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in minor)
