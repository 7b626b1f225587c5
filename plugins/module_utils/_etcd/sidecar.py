# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What stays readable beside encrypted files: their hashes, and what was proven before they were encrypted."""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import part_file
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import Check
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.part_file import Written
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.snapshot_file import SnapshotBroken

FORMAT = 1
_MOST_BYTES = 4 << 20
JsonDict = dict[str, t.Any]


def text(known: t.Mapping[str, t.Any], files: t.Iterable[Written]) -> bytes:
    """The sidecar for encrypted `files`; `known` is what was known of the snapshot. It holds no secret."""
    rows = [{"name": os.path.basename(file.path), "sha256": file.sha256, "size": file.size} for file in files]
    return (json.dumps({"format": FORMAT, **known, "files": rows}, indent=2) + "\n").encode()


def read(path: str) -> JsonDict | None:
    """The sidecar at `path`; None where there is none. Raises SnapshotBroken where it cannot be read."""
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read(_MOST_BYTES))
        _require_shape(found)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SnapshotBroken(f"{path} could not be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError):
        raise SnapshotBroken(f"{path} is not what was written beside an encrypted snapshot.") from None
    return t.cast("JsonDict", found)


def _require_shape(found: JsonDict) -> None:
    """Raise ValueError, KeyError or TypeError where what is needed is not there."""
    if found["format"] != FORMAT:
        raise ValueError(found["format"])
    snapshot = found["snapshot"]
    names = [snapshot["name"], *(row["name"] for row in found["files"])]
    # A name is looked for in the folder of the sidecar, and nowhere else.
    if any(not isinstance(name, str) or os.path.basename(name) != name or name in ("", ".", "..") for name in names):
        raise ValueError("a name is none")
    for key in ("revision", "keys", "size"):
        int(snapshot[key])
    for key in ("sha256", "etcd_version", "storage_version"):
        str(snapshot[key])


def file_checks(directory: str, found: JsonDict) -> list[Check]:
    """Whether each file that a sidecar in `directory` lists is as it was written."""
    return [_file_check(os.path.join(directory, row["name"]), row) for row in found["files"]]


def _file_check(path: str, row: t.Mapping[str, t.Any]) -> Check:
    name = f"ciphertext {row['name']}"
    try:
        sha256, size = part_file.sha256_of(path)
    except OSError as error:
        return Check(name, False, f"it could not be read: {error.strerror}")
    same = (sha256, size) == (row.get("sha256"), row.get("size"))
    return Check(name, same, f"SHA-256 {sha256}, {'as' if same else 'not as'} it was written")
