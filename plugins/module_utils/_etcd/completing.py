# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What belongs to a proven snapshot is made beside it, and then all of it gets its names, the snapshot last.

So whoever finds a file with the name of a snapshot finds everything that was
saved with it.
"""

from __future__ import annotations

import os
import socket
import typing as t
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline, utc_now
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import (
    archive,
    backup_names,
    packing,
    part_file,
    sidecar,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import Check, Status, View
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.node_files import NodeFiles
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.packing import NOTHING, Packing
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.part_file import Written
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.snapshot_file import Verified

JsonDict = dict[str, t.Any]


@dataclass(frozen=True)
class Order:
    """What is to be made of a snapshot that is to be at `path`."""

    path: str
    reserve: int
    """Bytes that have to stay free."""
    node_files: NodeFiles | None = None
    packing: Packing = NOTHING

    def paths(self) -> list[str]:
        """The files that there will be, the snapshot first."""
        packed = self.packing.suffix
        return [
            self.path + packed,
            *([self.path + backup_names.ARCHIVE + packed] if self.node_files else []),
            *([self.path + backup_names.SIDECAR] if self.packing.encryption else []),
        ]

    def archive(self) -> JsonDict | None:
        """What will be said of the archive, as far as it is known; None where there is none."""
        if not self.node_files:
            return None
        files = [{"path": file.path} for file in self.node_files.files]
        left_out = [{"path": path, "reason": reason} for path, reason in self.node_files.left_out]
        path = self.path + backup_names.ARCHIVE + self.packing.suffix
        return archive.as_result(path, 0, "", {"files": files, "left_out": left_out})


@dataclass(frozen=True)
class Completed:
    """All files of a backup, with their final paths."""

    snapshot: Written
    plain_sha256: str
    archive: Written | None
    archive_manifest: JsonDict
    files: list[Written]
    checks: list[Check]

    def result(self) -> JsonDict:
        """The keys of the module's result that are about the files."""
        bundle = self.archive
        return {
            "path": self.snapshot.path,
            "sha256": self.snapshot.sha256,
            "size": self.snapshot.size,
            "plain_sha256": self.plain_sha256,
            "archive": archive.as_result(bundle.path, bundle.size, bundle.sha256, self.archive_manifest)
            if bundle
            else None,
            "files": [file.path for file in self.files],
            "checksums": {file.path: file.sha256 for file in self.files},
        }


def room(order: Order, plain: int) -> int:
    """How many bytes the files of a backup need while they are made, with a snapshot of `plain` bytes."""
    return packing.room(order.packing, plain + (archive.size_of(order.node_files) if order.node_files else 0))


def facts(path: str, found: Verified, status: Status, view: View) -> JsonDict:
    """What is known of the snapshot that is to be at `path`: plain data for manifests, without a secret."""
    contents = found.contents
    return {
        "snapshot": {
            "name": os.path.basename(path),
            "sha256": found.sha256,
            "size": found.size,
            "revision": contents.revision if contents else 0,
            "keys": contents.keys if contents else 0,
            "etcd_version": status.version,
            "storage_version": contents.storage_version if contents else "",
            "cluster_id": f"{status.cluster_id:x}",
        },
        "members": [
            {
                "id": f"{seen.member.id:x}",
                "name": seen.member.name,
                "peer_urls": list(seen.member.peer_urls),
                "client_urls": list(seen.member.client_urls),
                "learner": seen.member.learner,
                "version": seen.status.version if seen.status else "",
            }
            for seen in view.members
        ],
        "node": socket.gethostname(),
        "time": utc_now(),
    }


def complete(order: Order, found: Verified, known: JsonDict, deadline: Deadline) -> Completed:
    """Make the rest of the backup from the proven ``.part`` of the snapshot, and publish all of it.

    Leaves none of its files where anything fails, except the snapshot's part,
    which is the caller's until then.
    """
    plain = [Written(order.path, found.size, found.sha256)]
    manifest: JsonDict = {}
    checks: list[Check] = []
    made: list[str] = []
    try:
        if order.node_files:
            made.append(order.path + backup_names.ARCHIVE + backup_names.PART)
            bundle, manifest, more = _archive(made[-1], order, order.node_files, known, deadline)
            plain.append(bundle)
            checks += more
        files = plain
        if order.packing.suffix:
            files, more = _pack(plain, order, made, deadline)
            checks += more
        _require(checks, order.path)
        extra = _sidecar(files, manifest, order, known, made, deadline)
        # The name of the snapshot is given last.
        part_file.publish([file.path + backup_names.PART for file in (*files[1:], *extra, files[0])])
    except BaseException:
        for path in made:
            part_file.remove(path)
        raise
    if files is not plain:
        for file in plain:
            part_file.remove(file.path + backup_names.PART)
    return Completed(files[0], found.sha256, files[1] if files[1:] else None, manifest, [*files, *extra], checks)


def _pack(
    plain: t.Sequence[Written], order: Order, made: list[str], deadline: Deadline
) -> tuple[list[Written], list[Check]]:
    files: list[Written] = []
    checks: list[Check] = []
    for file in plain:
        made.append(file.path + order.packing.suffix + backup_names.PART)
        packed, more = packing.pack(
            file.path + backup_names.PART, file, order.packing, reserve=order.reserve, deadline=deadline
        )
        files.append(packed)
        checks += more
    return files, checks


def _sidecar(
    files: t.Sequence[Written], manifest: JsonDict, order: Order, known: JsonDict, made: list[str], deadline: Deadline
) -> list[Written]:
    if not order.packing.encryption:
        return []
    path = order.path + backup_names.SIDECAR
    made.append(path + backup_names.PART)
    names = [entry["path"] for entry in manifest.get("files") or ()]
    bundle = {"archive": {"files": names, "left_out": manifest["left_out"]}} if manifest else {}
    text = sidecar.text({**known, **bundle}, files)
    written = part_file.write(made[-1], [text], reserve=order.reserve, deadline=deadline)
    return [Written(path, written.size, written.sha256)]


def _archive(
    part: str, order: Order, files: NodeFiles, known: JsonDict, deadline: Deadline
) -> tuple[Written, JsonDict, list[Check]]:
    """Write the archive to `part` and read it back."""
    written = part_file.write(part, archive.blocks(files, known), reserve=order.reserve, deadline=deadline)
    snapshot = known["snapshot"]
    with open(part, "rb") as stream:
        verified = archive.verify(stream, name=snapshot["name"], sha256=snapshot["sha256"])
    sha256, size = part_file.sha256_of(part)
    same = (sha256, size) == (written.sha256, written.size)
    checks = [*verified.checks, Check("archive_on_disk", same, f"{size} bytes, {'as' if same else 'not as'} written")]
    return Written(part[: -len(backup_names.PART)], size, sha256), verified.manifest, checks


def _require(checks: t.Sequence[Check], path: str) -> None:
    bad = [check for check in checks if not check.ok]
    if bad:
        said = ", ".join(f"{check.name} ({check.seen})" for check in bad)
        raise archive.ArchiveBroken(
            f"What belongs to {path} is not good and was removed with it: {said}.",
            result={"checks": [check.as_dict() for check in checks]},
        )
