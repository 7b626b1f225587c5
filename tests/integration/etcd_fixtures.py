# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the snapshots of the unit tests anew: ``python tests/integration/etcd_fixtures.py``.

For each minor of etcd a member with TLS is started, filled, and saved by its
own ``etcdctl snapshot save``; ``snapshots.json`` gets what etcdutl says of the
file, that of the same version and that of 3.6. One more is the 3.6 database
with its list of free pages written, by bbolt's own tool: etcd does not write it.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import struct
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests/unit/plugins/module_utils/etcd/fixtures"
BBOLT = ("1.4.3", "1.23")


def main() -> None:
    sys.path[:0] = [str(ROOT), str(ROOT / ".collections")]
    from etcd_cluster import ETCD, GO, Cluster

    FIXTURES.mkdir(exist_ok=True)
    said: dict[str, t.Any] = {}
    with tempfile.TemporaryDirectory(prefix="evergreen-fixtures-") as work:
        for version in GO:
            cluster = Cluster(Path(work) / version, ["only"], version=version)
            try:
                cluster.start()
                fill(cluster)
                path = Path(work) / f"{version}.db"
                cluster.etcdctl(cluster.members[0], "snapshot", "save", str(path))
            finally:
                cluster.stop()
            said[version] = keep(path, version)
        listed = with_free_list(Path(work) / f"{ETCD}.db")
        said["free-list"] = keep(listed, ETCD)
    (FIXTURES / "snapshots.json").write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


def fill(cluster: t.Any) -> None:
    """120 keys, a large one, 3 deletions, one put again; a compaction of all that; a lease, and one more deletion."""
    only = cluster.members[0]

    def put(key: str, value: str, **more: t.Any) -> None:
        cluster.post(only, "kv/put", {"key": coded(key), "value": coded(value), **more})

    for number in range(120):
        put(f"/registry/pods/default/p{number:04}", f"pod {number} " * 25)
    put("/registry/configmaps/default/large", "large " * 5000)
    for number in (5, 6, 7):
        cluster.post(only, "kv/deleterange", {"key": coded(f"/registry/pods/default/p{number:04}")})
    put("/registry/pods/default/p0006", "again")
    cluster.post(only, "kv/compaction", {"revision": "126", "physical": True})
    cluster.post(only, "lease/grant", {"ID": "77", "TTL": "3600"})
    put("/registry/leases/default/holder", "me", lease="77")
    cluster.post(only, "kv/deleterange", {"key": coded("/registry/pods/default/p0008")})


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def keep(path: Path, version: str) -> dict[str, t.Any]:
    """Compress the snapshot into the fixtures; return what etcdutl says of it."""
    from etcd_cluster import ETCD, etcdutl_status

    (FIXTURES / f"{path.stem}.db.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    return {"same_version": etcdutl_status(str(path), version), ETCD: etcdutl_status(str(path))}


def with_free_list(snapshot: Path) -> Path:
    """The snapshot's database with a written list of free pages, and a digest that fits."""
    from lab import golang

    version, go = BBOLT
    program = golang.Program(
        *("bbolt", version, go, {"bbolt": "go.etcd.io/bbolt/cmd/bbolt"}), modules=(f"go.etcd.io/bbolt@v{version}",)
    )
    tool = golang.build(program, golang.cache_directory()) / "bbolt"
    plain, listed = snapshot.with_name("plain"), snapshot.with_name("free-list.db")
    plain.write_bytes(snapshot.read_bytes()[:-32])
    subprocess.run([tool, "surgery", "freelist", "rebuild", plain, "--output", listed], check=True)
    data = as_sent(listed.read_bytes())
    listed.write_bytes(data)
    subprocess.run([tool, "check", listed], check=True)
    listed.write_bytes(data + hashlib.sha256(data).digest())
    return listed


def as_sent(data: bytes) -> bytes:
    """A database with the newer of its meta pages in both places, as a snapshot has it (bbolt's Tx.WriteTo)."""
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.boltdb import fnv1a_64

    meta = max((data[at + 16 : at + 72] for at in (0, 4096)), key=lambda each: int.from_bytes(each[48:], "little"))
    transaction = int.from_bytes(meta[48:], "little")
    pages = []
    for number in (0, 1):
        content = meta[:48] + (transaction - number).to_bytes(8, "little")
        header = struct.pack("<QHHI", number, 4, 0, 0)
        pages.append((header + content + fnv1a_64(content).to_bytes(8, "little")).ljust(4096, b"\0"))
    return b"".join(pages) + data[8192:]


if __name__ == "__main__":
    main()
