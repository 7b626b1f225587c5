# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What the states of etcd_snapshot do, for the module and for the program that a timer runs."""

from __future__ import annotations

import os
import socket
import typing as t
from datetime import datetime, timezone

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline, utc_now
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import (
    backup_names,
    encryption,
    manifest,
    observe,
    packing,
    pruning,
    retention,
    saving,
    snapshot_file,
    verifying,
)

OPTIONS: dict[str, dict[str, t.Any]] = {
    "path": {"type": "path"},
    "directory": {"type": "path", "default": "/var/backups/etcd"},
    "label": {"type": "str"},
    "keep_last": {"type": "int"},
    "keep_days": {"type": "float"},
    "sha256": {"type": "str"},
    "require_follower": {"type": "bool", "default": False},
    "max_index_gap": {"type": "int", "default": 1000},
    "node_files": {"type": "bool", "default": False},
    "root": {"type": "path", "default": "/"},
    "compression": {"type": "str", "choices": ["none", "gzip"], "default": "none"},
    "age_recipients": {"type": "list", "elements": "str"},
    "gpg_recipients": {"type": "list", "elements": "str"},
    "min_free_mib": {"type": "int", "default": 256},
    "timeout_s": {"type": "float", "default": 1800},
    **observe.ARGUMENT_SPEC,
}
"""The options of the states, as an argument spec."""


def verified(params: dict[str, t.Any], _check_mode: bool) -> dict[str, t.Any]:
    return verifying.verify(params["path"], (params["sha256"] or "").strip().lower())


def saved(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    deadline = Deadline(params["timeout_s"])
    access = observe.choose_server(manifest.find_access(params), params)
    label = backup_names.clean_label(params["label"] or access.name or socket.gethostname())
    path = params["path"] or os.path.join(params["directory"], backup_names.default_name(label, utc_now()))
    wish = saving.Wish(
        path=os.path.abspath(path),
        reserve=params["min_free_mib"] << 20,
        max_index_gap=params["max_index_gap"],
        require_follower=params["require_follower"],
        node_root=params["root"] if params["node_files"] else None,
        packing=packing.Packing(
            params["compression"] == "gzip",
            encryption.find(params["age_recipients"] or (), params["gpg_recipients"] or ()),
        ),
    )
    client, note = observe.open_client(access, params)
    planned = saving.plan(client, access, wish)
    status = planned.status
    result: dict[str, t.Any] = {
        "changed": True,
        "path": planned.order.paths()[0],
        "label": label,
        "member": {
            "id": f"{status.member_id:x}",
            "name": planned.member.member.name,
            "leader": status.leader == status.member_id,
            "version": status.version,
        },
        "etcd_version": status.version,
        "route": client.route,
        "route_note": note,
    }
    if check_mode:
        return {
            **result,
            "sha256": "",
            "plain_sha256": "",
            "size": status.db_size + snapshot_file.DIGEST_SIZE,
            "revision": status.revision,
            "keys": None,
            "storage_version": "",
            "removed": planned.stale,
            "mib_per_s": None,
            "archive": planned.order.archive(),
            "files": planned.order.paths(),
            "checksums": {},
            "checks": [check.as_dict() for check in planned.checks],
        }
    done = saving.save(client, access, wish, planned, deadline)
    return {**result, **done.result()}


def pruned(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    rules = retention.Rules(params["keep_last"], params["keep_days"])
    directory = os.path.abspath(params["directory"])
    now = datetime.now(timezone.utc)
    return pruning.prune(directory, rules, label=params["label"] or "", now=now, check_mode=check_mode).result()


def warnings(result: dict[str, t.Any]) -> list[str]:
    """What belongs into the backup that was saved and is not in it, in words."""
    left_out = (result.get("archive") or {}).get("left_out")
    if not left_out:
        return []
    keys = any(os.path.basename(entry["path"]) in ("ca.key", "front-proxy-ca.key") for entry in left_out)
    said = ", ".join(f"{entry['path']} ({entry['reason']})" for entry in left_out)
    what = "This is a backup without all CA keys" if keys else "This backup is not complete"
    return [f"{what}: {said}. Keep what a restore on new machines needs of it elsewhere."]


STATES = {"saved": saved, "verified": verified, "pruned": pruned}
MODULE_SPEC: dict[str, dict[str, t.Any]] = {
    # What is fetched is so by the action plugin: a node has one end of the copy only.
    "state": {"type": "str", "choices": [*STATES, "fetched"], "default": "saved"},
    "checksums": {"type": "dict"},
    **OPTIONS,
}
"""The argument spec of the module."""
