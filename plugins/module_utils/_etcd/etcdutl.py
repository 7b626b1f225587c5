# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""etcdutl: what it says of a snapshot, and the data directory that it makes of one."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import EtcdError

_QUICK_S = 60.0
_SAID_LIMIT = 300


@dataclass(frozen=True)
class Membership:
    """The new cluster as one of its members has to know it."""

    name: str
    peer_urls: tuple[str, ...]
    initial_cluster: str
    """``cp1=https://10.0.0.10:2380,cp2=...``"""
    token: str


@dataclass(frozen=True)
class Told:
    """What ``etcdutl snapshot status`` says. Before 3.6 it counts all records as keys."""

    hash: int
    revision: int
    keys: int
    size: int
    version: str


def can_bump(program: str) -> bool:
    """Whether this etcdutl can raise the revision and mark the old ones as compacted.

    Without that, clients that have seen a revision past that of the snapshot
    go on with what they have, which is no longer so (etcd issue 16028).
    """
    done = _run(program, ["snapshot", "restore", "--help"], Deadline(_QUICK_S), "snapshot restore --help")
    return "--bump-revision" in done and "--mark-compacted" in done


def status(program: str, path: str, deadline: Deadline) -> Told:
    """Raises EtcdError where etcdutl does not accept the file."""
    text = _run(program, ["snapshot", "status", path, "--write-out=json"], deadline, "snapshot status")
    try:
        found = json.loads(text)
        return Told(
            int(found["hash"]),
            int(found["revision"]),
            int(found["totalKey"]),
            int(found["totalSize"]),
            str(found.get("version") or ""),
        )
    except (ValueError, KeyError, TypeError):
        raise EtcdError(f"etcdutl snapshot status did not answer in its JSON: {text[:200]!r}.") from None


def restore(
    program: str, path: str, data_dir: str, membership: Membership, bump_revision: int, deadline: Deadline
) -> None:
    """Make the new data directory `data_dir` of the snapshot `path`, whose SHA-256 etcdutl compares once more.

    `bump_revision` is by how much the revision is raised, with all below marked
    as compacted; 0 where it is not.
    """
    arguments = [
        "snapshot",
        "restore",
        path,
        f"--data-dir={data_dir}",
        f"--name={membership.name}",
        f"--initial-cluster={membership.initial_cluster}",
        f"--initial-cluster-token={membership.token}",
        f"--initial-advertise-peer-urls={','.join(membership.peer_urls)}",
    ]
    if bump_revision:
        arguments += [f"--bump-revision={bump_revision}", "--mark-compacted"]
    _run(program, arguments, deadline, "snapshot restore")


def _run(program: str, arguments: t.Sequence[str], deadline: Deadline, what: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ETCDCTL_", "ETCD_"))}
    try:
        done = subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=deadline.remaining(),
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EtcdError(f"etcdutl {what} did not end in time.") from None
    except OSError as error:
        raise EtcdError(f"{program} could not be started: {error.strerror}.") from None
    if done.returncode != 0:
        # What is wrong is said in one line among those of its log.
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        said = [line for line in lines if line.startswith("Error:")] or lines or [f"exit code {done.returncode}"]
        raise EtcdError(f"etcdutl {what} failed: {said[-1][:_SAID_LIMIT]}")
    return done.stdout
