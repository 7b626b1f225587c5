# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The names of the files of a backup: a snapshot, and what belongs to it.

All of them begin with the snapshot's own name, ``etcd-LABEL-STAMP.db`` where
this collection chose it, and end with what was made of it.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from datetime import datetime, timezone

PART = ".part"
ARCHIVE = ".node.tar"
"""The files of the node."""
SIDECAR = ".json"
"""What was known of the snapshot when its files were encrypted."""
GZIP = ".gz"
AGE = ".age"
GPG = ".gpg"
PACKED = tuple(gzip + key for gzip in ("", GZIP) for key in ("", AGE, GPG))
"""How a file may be packed: compressed first, then encrypted."""
SUFFIXES = (*PACKED, *(ARCHIVE + packed for packed in PACKED), SIDECAR)
"""The ends of all names that belong to one snapshot."""

_ENDS = "|".join(re.escape(suffix) for suffix in sorted(SUFFIXES, key=len, reverse=True) if suffix)
_OWN = re.compile(
    rf"(?P<name>etcd-(?P<label>[A-Za-z0-9._-]+)-(?P<stamp>\d{{8}}T\d{{9}}Z)\.db)(?P<suffix>{_ENDS})?", re.ASCII
)


@dataclass(frozen=True)
class OwnName:
    """A file name that this collection chose, taken apart."""

    name: str
    """The name of the snapshot that the file belongs to: ``etcd-LABEL-STAMP.db``."""
    label: str
    taken: datetime
    suffix: str
    """One of SUFFIXES; empty for the plain snapshot."""

    @property
    def is_snapshot(self) -> bool:
        return self.suffix in PACKED


def clean_label(label: str) -> str:
    """`label` as it stands in a file's name: odd characters become ``_``."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", label) or "node"


def default_name(label: str, utc: str) -> str:
    """``etcd-LABEL-20260131T120000123Z.db`` from a timestamp of `utc_now`."""
    return f"etcd-{clean_label(label)}-{re.sub(r'[-:.]', '', utc)}.db"


def own_name(name: str) -> OwnName | None:
    """The file `name` taken apart; None where it is not one that this collection chooses."""
    match = _OWN.fullmatch(name)
    if match is None:
        return None
    stamp = match["stamp"]
    try:
        taken = datetime.strptime(stamp[:15] + stamp[15:18] + "000", "%Y%m%dT%H%M%S%f").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    return OwnName(match["name"], match["label"], taken, match["suffix"] or "")


def split_packed(path: str) -> tuple[str, str]:
    """(`path` without what packing put behind it, that): ``("a.db", ".gz.age")`` of ``a.db.gz.age``."""
    for packed in sorted(PACKED, key=len, reverse=True):
        if packed and path.endswith(packed):
            return path[: -len(packed)], packed
    return path, ""


def is_encrypted(path: str) -> bool:
    return path.endswith((AGE, GPG))


def stale_parts(names: t.Iterable[str], own: str) -> list[str]:
    """Which of a directory's `names` are left over from killed saves: of default names, and of the file name `own`.

    ``.part.part`` is what etcdctl leaves when it is told to write a ``.part``.
    """
    pattern = re.compile(rf"(?:etcd-.+\.db|{re.escape(own)})(?:{_ENDS})?(?:\.part){{1,2}}")
    return sorted(name for name in names if pattern.fullmatch(name))
