#!/usr/bin/python
# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_restore
short_description: The steps of restoring stacked etcd from a snapshot, on each control-plane node
version_added: 0.1.0
description:
  - Each state is one step of a restore. The role P(evergreen.kubeadm.restore#role) runs them in their order on all
    control-plane nodes, and M(evergreen.kubeadm.restore_plan) decides whether and how. Between them the static pods are
    stopped and started by M(evergreen.kubeadm.static_pods).
  - A node keeps a note of the step that it has reached, so that a restore that was cut anywhere goes on where it was.
  - Runs on a control-plane node as root. Python's standard library is all it needs, and C(etcdutl), which is looked for
    in the C(PATH), in the running static pod of etcd and in its image.
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
options:
  state:
    description:
      - V(examined) proves the backup O(path) and returns what a plan has to know of it. It can run anywhere.
      - V(inspected) returns what a plan has to know of this node.
      - V(prepared) makes the new data of the snapshot O(path) beside the old, with C(etcdutl snapshot restore). etcd
        goes on serving.
      - V(swapped) puts the new data in the place of the old, which is kept. It refuses while a process has the
        database open.
      - V(proven) waits until the member answers, and compares its revision and its count of keys with those of the
        snapshot. It is for the time in which no API server runs.
      - V(finished) forgets what only the restore needed.
    type: str
    choices: [examined, inspected, prepared, swapped, proven, finished]
    required: true
  path:
    description: The snapshot, for V(examined) and V(prepared). It may be compressed, but not encrypted.
    type: path
  host:
    description: What this node is called in the plan, for V(inspected).
    type: str
    default: ""
  shared_files:
    description: The files that have to be those of the backup, for V(inspected), as V(examined) returns them.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The path on the node.
        type: path
        required: true
      sha256:
        description: The SHA-256 that the file must have.
        type: str
        required: true
  token:
    description: The name of the restore, for all steps from V(prepared) on. It is the token of the new cluster.
    type: str
  initial_cluster:
    description: The members of the new cluster, for V(prepared), as C(etcdutl --initial-cluster) takes them.
    type: str
  bump_revision:
    description:
      - By how much the revision is raised, for V(prepared), with all below marked as compacted. 0 is not at all.
      - Clients of the API that have seen revisions past the snapshot's would go on with what they have otherwise.
    type: int
    default: 1000000000
  etcdutl:
    description: The path of C(etcdutl), where it is not to be looked for.
    type: path
  manifests:
    description: The folder of the static pods' manifests.
    type: path
    default: /etc/kubernetes/manifests
  kept_in:
    description: The folder where manifests of stopped static pods are.
    type: path
    default: /var/lib/evergreen-kubeadm/static-pods
  state_directory:
    description: The folder of the note.
    type: path
    default: /var/lib/evergreen-kubeadm
  min_free_mib:
    description: MiB that must stay free on the file system of the data, for V(prepared).
    type: int
    default: 256
  timeout_s:
    description: Seconds for the whole step.
    type: float
    default: 600
seealso:
  - module: evergreen.kubeadm.restore_plan
  - module: evergreen.kubeadm.static_pods
  - module: evergreen.kubeadm.etcd_snapshot
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
"""

EXAMPLES = r"""
- name: Prove a backup and read what it is of
  evergreen.kubeadm.etcd_restore:
    state: examined
    path: artifacts/backup/etcd-cp3-20260131T120000123Z.db
  delegate_to: localhost
  register: examined

- name: Look at the node
  evergreen.kubeadm.etcd_restore:
    state: inspected
    host: "{{ inventory_hostname }}"
    shared_files: "{{ examined.backup.shared_files }}"
  register: inspected

- name: Make the new data beside the old
  evergreen.kubeadm.etcd_restore:
    state: prepared
    path: /var/lib/evergreen-kubeadm/restore/etcd-cp3-20260131T120000123Z.db
    token: "{{ plan.token }}"
    initial_cluster: "{{ plan.initial_cluster }}"
"""

RETURN = r"""
backup:
  description: What is known of the backup.
  type: dict
  returned: when O(state=examined)
  contains:
    path:
      description: The snapshot.
      type: str
      sample: artifacts/backup/etcd-cp3-20260131T120000123Z.db
    files:
      description: All of its files.
      type: list
      elements: str
      sample: [artifacts/backup/etcd-cp3-20260131T120000123Z.db]
    sha256:
      description: SHA-256 of the file of the snapshot.
      type: str
      sample: 0e5c5a3f2b8f0a1f6f1d1c3f2f7f5b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6
    plain_sha256:
      description: SHA-256 of the snapshot itself, not compressed.
      type: str
      sample: 0e5c5a3f2b8f0a1f6f1d1c3f2f7f5b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6
    plain_size:
      description: Bytes of the snapshot itself.
      type: int
      sample: 21299232
    revision:
      description: Its revision.
      type: int
      sample: 48213
    keys:
      description: Its live keys.
      type: int
      sample: 1204
    etcd_version:
      description: The version of the storage, or of the cluster before etcd 3.6.
      type: str
      sample: 3.6.0
    storage_version:
      description: The version of the storage. Empty before etcd 3.6.
      type: str
      sample: 3.6.0
    has_archive:
      description: Whether the archive of the node's files is beside it.
      type: bool
      sample: true
    taken:
      description: When it was taken, in UTC. Empty where that is not known.
      type: str
      sample: "2026-01-31T12:00:00.123Z"
    node:
      description: The node that it was taken on. Empty where that is not known.
      type: str
      sample: cp3
    members:
      description: The members of the cluster that it is of.
      type: list
      elements: str
      sample: [cp1, cp2, cp3]
    kubernetes_version:
      description: The version of the API server at that time. Empty where that is not known.
      type: str
      sample: 1.34.4
    shared_files:
      description: The files of the archive that have to be the same on every control-plane node.
      type: list
      elements: dict
      contains:
        path:
          description: The path.
          type: str
          sample: /etc/kubernetes/pki/ca.crt
        sha256:
          description: Its SHA-256.
          type: str
          sample: 5c5a3f2b8f0a1f6f1d1c3f2f7f5b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e60e
node:
  description: What is known of the node.
  type: dict
  returned: when O(state=inspected)
  contains:
    host:
      description: The O(host).
      type: str
      sample: cp1
    member:
      description: The name of its etcd member. Empty where it has none.
      type: str
      sample: cp1
    problem:
      description: Why the manifest of etcd could not be used. Empty where it could.
      type: str
      sample: ""
    peer_urls:
      description: The peer URLs of the member.
      type: list
      elements: str
      sample: ["https://10.0.0.10:2380"]
    data_dir:
      description: Its data directory.
      type: str
      sample: /var/lib/etcd
    wal_dir:
      description: The folder of its write-ahead log, where that is a folder of its own.
      type: str
      sample: ""
    etcd_version:
      description: The version of etcd by the tag of its image.
      type: str
      sample: 3.6.5
    kubernetes_version:
      description: The version of the API server by the tag of its image.
      type: str
      sample: 1.34.4
    etcdutl:
      description: The C(etcdutl) that was found. Null where none was.
      type: dict
      contains:
        path:
          description: Its path.
          type: str
          sample: /usr/local/bin/etcdutl
        version:
          description: Its version.
          type: str
          sample: 3.6.5
        source:
          description: Where it was found.
          type: str
          sample: the static pod of etcd
        can_bump:
          description: Whether it can raise the revision.
          type: bool
          sample: true
    etcdutl_problem:
      description: Why there is none. Empty where there is one.
      type: str
      sample: ""
    free_bytes:
      description: Bytes that are free where the data is.
      type: int
      sample: 21474836480
    data_bytes:
      description: Bytes of the data of now.
      type: int
      sample: 85196800
    files:
      description: The O(shared_files), each with V(same), V(differs) or V(missing) as its C(state).
      type: list
      elements: dict
      sample: [{"path": "/etc/kubernetes/pki/ca.crt", "state": "same"}]
    missing_pods:
      description: The static pods of the control plane that have no manifest.
      type: list
      elements: str
      sample: []
    kubelet_runs:
      description: Whether a kubelet runs.
      type: bool
      sample: true
    live_members:
      description: The members that this node's etcd knows of. Empty where it does not answer.
      type: list
      elements: str
      sample: [cp1, cp2, cp3]
    note:
      description: The note of the last restore. Empty where there was none.
      type: dict
      sample: {}
note:
  description: The note of this restore, as it is after the step.
  type: dict
  returned: when O(state) is V(prepared), V(swapped), V(proven) or V(finished)
  contains:
    token:
      description: The name of the restore.
      type: str
      sample: restore-20260131T120000123Z
    step:
      description: The step that the node has reached.
      type: str
      sample: prepared
    aside:
      description: Where the data from before the restore is kept, from V(swapped) on.
      type: str
      sample: /var/lib/etcd-before-restore-20260131T120000123Z
    expected_revision:
      description: The revision that the restored member has at first.
      type: int
      sample: 1000048213
    keys:
      description: The live keys that it has at first.
      type: int
      sample: 1204
started:
  description: When the task started, in UTC.
  type: str
  returned: success
  sample: "2026-01-31T12:00:00.123Z"
finished:
  description: When it ended, in UTC.
  type: str
  returned: success
  sample: "2026-01-31T12:00:01.456Z"
duration_s:
  description: Seconds that it took.
  type: float
  returned: success
  sample: 1.333
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._restore import examining, inspecting, notes, working
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.acting import KEPT


def run(module: AnsibleModule) -> dict[str, t.Any]:
    return STATES[module.params["state"]](module.params, module.check_mode)


def examined(params: dict[str, t.Any], _check_mode: bool) -> dict[str, t.Any]:
    return {"changed": False, "backup": examining.examine(os.path.abspath(params["path"]))}


def inspected(params: dict[str, t.Any], _check_mode: bool) -> dict[str, t.Any]:
    return {"changed": False, "node": inspecting.inspect(params["host"], _paths(params), params["shared_files"])}


def step(
    take: t.Callable[..., dict[str, t.Any]], params: dict[str, t.Any], check_mode: bool, *more: t.Any
) -> dict[str, t.Any]:
    """One step on this node, while no other one is under way."""
    paths = _paths(params)
    if check_mode:
        return take(_order(params), paths, *more, check_mode=True)
    with notes.Locked(paths.state, Deadline(params["timeout_s"])):
        return take(_order(params), paths, *more, check_mode=False)


def prepared(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    return step(working.prepare, params, check_mode, Deadline(params["timeout_s"]))


def swapped(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    return step(working.swap, params, check_mode)


def proven(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    return step(working.prove, params, check_mode, Deadline(params["timeout_s"]))


def finished(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    return step(working.finish, params, check_mode)


STATES = {
    "examined": examined,
    "inspected": inspected,
    "prepared": prepared,
    "swapped": swapped,
    "proven": proven,
    "finished": finished,
}


def _order(params: dict[str, t.Any]) -> working.Order:
    return working.Order(
        token=params["token"],
        path=os.path.abspath(params["path"] or ""),
        initial_cluster=params["initial_cluster"] or "",
        bump_revision=params["bump_revision"],
        reserve=params["min_free_mib"] << 20,
    )


def _paths(params: dict[str, t.Any]) -> inspecting.Paths:
    return inspecting.Paths(params["manifests"], params["kept_in"], params["state_directory"], params["etcdutl"] or "")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": list(STATES), "required": True},
            "path": {"type": "path"},
            "host": {"type": "str", "default": ""},
            "shared_files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "path", "required": True},
                    "sha256": {"type": "str", "required": True},
                },
            },
            "token": {"type": "str", "no_log": False},
            "initial_cluster": {"type": "str"},
            "bump_revision": {"type": "int", "default": 1000000000},
            "etcdutl": {"type": "path"},
            "manifests": {"type": "path", "default": "/etc/kubernetes/manifests"},
            "kept_in": {"type": "path", "default": KEPT},
            "state_directory": {"type": "path", "default": _node_state.STATE},
            "min_free_mib": {"type": "int", "default": 256},
            "timeout_s": {"type": "float", "default": 600},
        },
        required_if=[
            ("state", "examined", ["path"]),
            ("state", "prepared", ["path", "token", "initial_cluster"]),
            ("state", "swapped", ["token"]),
            ("state", "proven", ["token"]),
            ("state", "finished", ["token"]),
        ],
        supports_check_mode=True,
    )
    run_module(module, run, timed=True)


if __name__ == "__main__":
    main()
