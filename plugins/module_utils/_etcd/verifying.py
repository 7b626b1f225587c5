# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Prove a backup as it lies on a disk: the snapshot, and what belongs to it where that is beside it."""

from __future__ import annotations

import os
import typing as t
import zlib
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import (
    archive,
    backup_names,
    packing,
    part_file,
    sidecar,
    snapshot_file,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import Check
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.snapshot_file import SnapshotBroken


@dataclass
class Proof:
    """What the file of a snapshot was found to be. `snapshot` has the keys of `completing.facts`."""

    sha256: str
    """Of the file itself."""
    size: int
    snapshot: dict[str, t.Any]
    """Empty where it could not be read."""
    checks: list[Check]

    @property
    def ok(self) -> bool:
        return bool(self.snapshot) and all(check.ok for check in self.checks)


def prove(path: str) -> Proof:
    """Prove the file of one snapshot, plain or packed, by what it holds.

    The contents of an encrypted one cannot be seen. What stands for them is its
    sidecar: the ciphertext is the one that was made of a proven snapshot.
    Raises SnapshotBroken where the file cannot be read at all.
    """
    plain, packed = backup_names.split_packed(path)
    known = sidecar.read(plain + backup_names.SIDECAR)
    if backup_names.is_encrypted(path):
        return _prove_encrypted(path, known)
    if packed:
        with packing.unpacked(path) as file:
            found = snapshot_file.verify_open(file.fileno(), path)
        sha256, size = part_file.sha256_of(path)
    else:
        found = snapshot_file.verify(path)
        sha256, size = found.sha256, found.size
    checks = list(found.checks)
    if known:
        expected = known["snapshot"]["sha256"]
        checks.append(Check("sidecar", found.sha256 == expected, f"{found.sha256}, {expected} was encrypted"))
    contents = found.contents
    snapshot: dict[str, t.Any] = {}
    if contents:
        snapshot = {
            "sha256": found.sha256,
            "revision": contents.revision,
            "keys": contents.keys,
            "etcd_version": contents.storage_version or contents.cluster_version,
            "storage_version": contents.storage_version,
        }
    return Proof(sha256, size, snapshot, checks)


def _prove_encrypted(path: str, known: dict[str, t.Any] | None) -> Proof:
    name = os.path.basename(path)
    if known is None:
        raise SnapshotBroken(
            f"{path} is encrypted, and nothing beside it says what it must be.",
            hint=f"Put {os.path.basename(backup_names.split_packed(path)[0])}{backup_names.SIDECAR} beside it, or "
            "decrypt it and verify that.",
        )
    try:
        sha256, size = part_file.sha256_of(path)
    except OSError as error:
        raise SnapshotBroken(f"The snapshot {path} could not be read: {error.strerror}.") from None
    listed = any(row["name"] == name for row in known["files"])
    checks = [] if listed else [Check("sidecar", False, f"it does not list {name}")]
    return Proof(sha256, size, known["snapshot"], checks + sidecar.file_checks(os.path.dirname(path), known))


def verify(path: str, wanted: str) -> dict[str, t.Any]:
    """The keys of the module's result for the snapshot at `path`, whose SHA-256 must be `wanted` where that is set.

    Raises SnapshotBroken with all checks where one of them fails.
    """
    proof = prove(path)
    checks = list(proof.checks)
    if wanted:
        checks.append(Check("sha256", proof.sha256 == wanted, f"{proof.sha256}, expected {wanted}"))
    plain = backup_names.split_packed(path)[0]
    bundle, more = _archive(plain, str(proof.snapshot.get("sha256") or ""))
    checks += more
    rows = [check.as_dict() for check in checks]
    bad = [check for check in checks if not check.ok]
    if bad or not proof.snapshot:
        said = ", ".join(f"{check.name} ({check.seen})" for check in bad)
        raise SnapshotBroken(
            f"The snapshot {path} must not be relied on: {said}.",
            result={"checks": rows, "path": path, "sha256": proof.sha256, "size": proof.size},
        )
    beside = plain + backup_names.SIDECAR
    return {
        "changed": False,
        "path": path,
        "sha256": proof.sha256,
        "size": proof.size,
        "plain_sha256": proof.snapshot["sha256"],
        **{key: proof.snapshot[key] for key in ("revision", "keys", "etcd_version", "storage_version")},
        "archive": bundle,
        "files": [path, *([bundle["path"]] if bundle else []), *([beside] if os.path.exists(beside) else [])],
        "checks": rows,
    }


def _archive(plain: str, snapshot_sha256: str) -> tuple[dict[str, t.Any] | None, list[Check]]:
    """(what is to be said of the archive beside the snapshot `plain`, its checks); (None, []) where there is none."""
    found = [plain + backup_names.ARCHIVE + packed for packed in backup_names.PACKED]
    path = next((path for path in found if os.path.lexists(path)), None)
    if path is None:
        return None, []
    try:
        sha256, size = part_file.sha256_of(path)
        if backup_names.is_encrypted(path):
            # Its ciphertext is among those that the sidecar lists.
            known = sidecar.read(plain + backup_names.SIDECAR) or {}
            listed = any(row["name"] == os.path.basename(path) for row in known.get("files") or ())
            manifest = known.get("archive") or {}
            entries = [{"path": name} for name in manifest.get("files") or ()]
            manifest = {"files": entries, "left_out": manifest.get("left_out")}
            checks = [] if listed else [Check("archive", False, f"no sidecar lists {os.path.basename(path)}")]
        else:
            with packing.opened(path) as stream:
                verified = archive.verify(stream, name=os.path.basename(plain), sha256=snapshot_sha256)
            manifest, checks = verified.manifest, verified.checks
    except (OSError, EOFError, zlib.error) as error:
        raise archive.ArchiveBroken(f"The archive {path} could not be read: {error}.") from None
    return archive.as_result(path, size, sha256, manifest), checks
