# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Prove a backup as it lies on a disk: the snapshot, and what belongs to it where that is beside it."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import (
    archive,
    backup_names,
    part_file,
    snapshot_file,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import Check
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.snapshot_file import SnapshotBroken


def verify(path: str, wanted: str) -> dict[str, t.Any]:
    """The keys of the module's result for the snapshot at `path`, whose SHA-256 must be `wanted` where that is set.

    Raises SnapshotBroken with all checks where one of them fails.
    """
    found = snapshot_file.verify(path)
    checks = list(found.checks)
    if wanted:
        checks.append(Check("sha256", found.sha256 == wanted, f"{found.sha256}, expected {wanted}"))
    bundle = None
    beside = path + backup_names.ARCHIVE
    if os.path.lexists(beside):
        try:
            with open(beside, "rb") as stream:
                verified = archive.verify(stream, name=os.path.basename(path), sha256=found.sha256)
            sha256, size = part_file.sha256_of(beside)
        except OSError as error:
            raise archive.ArchiveBroken(f"The archive {beside} could not be read: {error.strerror}.") from None
        checks += verified.checks
        bundle = archive.as_result(beside, size, sha256, verified.manifest)
    rows = [check.as_dict() for check in checks]
    bad = [check for check in checks if not check.ok]
    if bad or found.contents is None:
        said = ", ".join(f"{check.name} ({check.seen})" for check in bad)
        raise SnapshotBroken(
            f"The snapshot {path} must not be relied on: {said}.",
            result={"checks": rows, "path": path, "sha256": found.sha256, "size": found.size},
        )
    contents = found.contents
    return {
        "changed": False,
        "path": path,
        "sha256": found.sha256,
        "size": found.size,
        "revision": contents.revision,
        "keys": contents.keys,
        "etcd_version": contents.storage_version or contents.cluster_version,
        "storage_version": contents.storage_version,
        "archive": bundle,
        "files": [path, *([beside] if bundle else [])],
        "checks": rows,
    }
