# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The archive of a node's files: a tar with a manifest.json that says what is in it and which snapshot it belongs to.

``manifest.json`` is the first entry, then each file is ``files`` and its path
on the node, so that ``tar -x --strip-components=1 -C /`` puts them back.
"""

from __future__ import annotations

import grp
import hashlib
import json
import os
import pwd
import tarfile
import typing as t
import zlib
from dataclasses import dataclass, field

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import Check, EtcdError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.node_files import MOST_BYTES, NodeFile, NodeFiles

FORMAT = 1
MANIFEST = "manifest.json"
_PREFIX = "files"
_MOST_TOTAL = 32 << 20
_MOST_SAID = 5


class ArchiveBroken(EtcdError):
    """An archive that must not be relied on."""


@dataclass
class VerifiedArchive:
    """What the verification of an archive found. `manifest` is empty where it could not be read."""

    manifest: dict[str, t.Any] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)


def blocks(files: NodeFiles, facts: t.Mapping[str, t.Any]) -> t.Iterator[bytes]:
    """The bytes of the archive. `facts` are the keys of manifest.json beside the files.

    Raises EtcdError where a file cannot be read, or where one has changed since
    the first was read: a set of two moments may not fit together.
    """
    entries, contents, seen = [], [], []
    total = 0
    for file in files.files:
        content, status = _read(file)
        total += len(content)
        if total > _MOST_TOTAL:
            raise EtcdError(f"The files of the node have more than {_MOST_TOTAL} bytes, which no configuration has.")
        entries.append(_entry(file, content, status))
        contents.append(content)
        seen.append((file, status.st_ino, status.st_mtime_ns, status.st_size))
    changed = [file.path for file, *before in seen if before != _identity(file)]
    if changed:
        raise EtcdError(
            f"{', '.join(changed[:_MOST_SAID])} changed while the files of the node were read.",
            hint="Run this again when nothing else changes the node.",
        )
    left_out = [{"path": path, "reason": reason} for path, reason in files.left_out]
    manifest = {
        "format": FORMAT,
        **facts,
        "certificates_dir": files.certificates_dir,
        "files": entries,
        "left_out": left_out,
    }
    text = (json.dumps(manifest, indent=2) + "\n").encode()
    yield from _member({"path": MANIFEST, "mode": "0600", "uid": 0, "gid": 0, "mtime": 0}, MANIFEST, text)
    for entry, content in zip(entries, contents):
        yield from _member(entry, _PREFIX + entry["path"], content)
    # Two empty blocks end a tar, and it is filled up to a whole record.
    yield b"\0" * tarfile.RECORDSIZE


def verify(stream: t.IO[bytes], *, name: str, sha256: str) -> VerifiedArchive:
    """Read the whole archive and compare each file with the manifest, and that with the snapshot `name` and `sha256`.

    `stream` is that of the tar, unpacked. An empty `sha256` is not compared.
    """
    found = VerifiedArchive()
    problems, files = _compare(stream, found)
    said = ", ".join(problems[:_MOST_SAID])
    if problems[_MOST_SAID:]:
        said += f" and {len(problems) - _MOST_SAID} more"
    found.checks.append(Check("archive", not problems, said or f"{files} files as {MANIFEST} says"))
    if found.manifest:
        snapshot = found.manifest.get("snapshot") or {}
        named, of = str(snapshot.get("name")), str(snapshot.get("sha256"))
        fits = named == name and sha256 in ("", of)
        found.checks.append(Check("archive_snapshot", fits, f"it belongs to {named} with SHA-256 {of}"))
    return found


def content(stream: t.IO[bytes], path: str) -> bytes:
    """What the node's file `path` held; empty where the archive, which has been verified, has no such file."""
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            found = tar.extractfile(member) if member.name == _PREFIX + path and member.isreg() else None
            if found:
                return found.read()
    return b""


def _compare(stream: t.IO[bytes], found: VerifiedArchive) -> tuple[list[str], int]:
    """(what is wrong, how many files were read)."""
    problems: list[str] = []
    expected: dict[str, dict[str, t.Any]] = {}
    files = 0
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isreg() and member.size <= _MOST_TOTAL else None
                data = content.read() if content else b""
                if not found.manifest:
                    found.manifest = _manifest(member.name, data)
                    expected = {_PREFIX + entry["path"]: entry for entry in found.manifest["files"]}
                    continue
                entry = expected.pop(member.name, None)
                problems += _differences(member, data, entry)
                files += 1
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, KeyError, TypeError) as error:
        problems.append(f"it cannot be read: {type(error).__name__}")
    if not found.manifest and not problems:
        problems.append(f"it has no {MANIFEST}")
    problems += [f"{entry['path']} is missing" for entry in expected.values()]
    return problems, files


def _manifest(name: str, data: bytes) -> dict[str, t.Any]:
    """The manifest. ValueError, KeyError or TypeError where it is none that can be read."""
    if name != MANIFEST:
        raise ValueError(f"the first entry is not {MANIFEST}")
    manifest = json.loads(data)
    if manifest["format"] != FORMAT or not all(isinstance(entry["path"], str) for entry in manifest["files"]):
        raise ValueError(f"it is of format {manifest['format']}")
    return t.cast("dict[str, t.Any]", manifest)


def _differences(member: tarfile.TarInfo, data: bytes, entry: dict[str, t.Any] | None) -> list[str]:
    if entry is None:
        return [f"{member.name} is not in {MANIFEST}"]
    seen = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "mode": f"{member.mode:04o}",
        "uid": member.uid,
        "gid": member.gid,
    }
    wrong = [key for key, value in seen.items() if entry.get(key) != value]
    return [f"{entry['path']} differs in {', '.join(wrong)}"] if wrong else []


def _read(file: NodeFile) -> tuple[bytes, os.stat_result]:
    try:
        with open(file.source, "rb") as opened:
            content = opened.read(MOST_BYTES + 1)
            status = os.fstat(opened.fileno())
    except OSError as error:
        raise EtcdError(f"{file.path} could not be read: {error.strerror}.") from None
    if len(content) > MOST_BYTES:
        raise EtcdError(f"{file.path} has grown to more than {MOST_BYTES} bytes.")
    return content, status


def _identity(file: NodeFile) -> list[int]:
    try:
        status = os.stat(file.source)
    except OSError:
        return []
    return [status.st_ino, status.st_mtime_ns, status.st_size]


def _entry(file: NodeFile, content: bytes, status: os.stat_result) -> dict[str, t.Any]:
    entry = {
        "path": file.path,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "mode": f"{status.st_mode & 0o7777:04o}",
        "uid": status.st_uid,
        "gid": status.st_gid,
        "owner": _name_of(lambda: pwd.getpwuid(status.st_uid).pw_name),
        "group": _name_of(lambda: grp.getgrgid(status.st_gid).gr_name),
        "mtime": int(status.st_mtime),
        "by": file.by,
    }
    if os.path.islink(file.source):
        entry["link"] = os.readlink(file.source)
    return entry


def _name_of(look_up: t.Callable[[], str]) -> str:
    try:
        return look_up()
    except KeyError:
        return ""


def _member(entry: t.Mapping[str, t.Any], name: str, content: bytes) -> t.Iterator[bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.mode = int(entry["mode"], 8)
    info.uid, info.gid = entry["uid"], entry["gid"]
    info.uname, info.gname = entry.get("owner", "root"), entry.get("group", "root")
    info.mtime = entry["mtime"]
    yield info.tobuf(tarfile.PAX_FORMAT)
    yield content
    yield b"\0" * (-len(content) % tarfile.BLOCKSIZE)


def size_of(files: NodeFiles) -> int:
    """At least how many bytes the archive of `files` can have, for a look at the free space."""
    each = 4 * tarfile.BLOCKSIZE + 512
    return files.size + (len(files.files) + 1) * each + tarfile.RECORDSIZE


def as_result(path: str, size: int, sha256: str, manifest: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What a module returns of an archive: names and figures, never a content."""
    return {
        "path": path,
        "size": size,
        "sha256": sha256,
        "files": [entry["path"] for entry in manifest.get("files") or ()],
        "left_out": list(manifest.get("left_out") or ()),
    }
