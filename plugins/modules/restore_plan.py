#!/usr/bin/python
# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_plan
short_description: Decide whether a backup can be restored on these control-plane nodes, and how
version_added: 0.1.0
description:
  - Compares what M(evergreen.kubeadm.etcd_restore) has seen of a backup and of every control-plane node, and returns
    the plan of the restore with everything that stands in its way.
  - Where a restore has been begun and not finished, the plan is to finish that one.
  - It decides on plain data, and asks nobody. It is run once, on the controller.
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
options:
  backup:
    description: What M(evergreen.kubeadm.etcd_restore) returned as C(backup).
    type: dict
    required: true
  nodes:
    description: What it returned as C(node), for every control-plane node.
    type: list
    elements: dict
    required: true
  without_revision_bump:
    description:
      - Whether to restore without raising the revision, for an C(etcdutl) that cannot.
      - Controllers, kubelets and addons that have seen later revisions go on with what they had seen then. All of them
        have to be restarted by hand.
    type: bool
    default: false
  without_node_files:
    description:
      - Whether to restore a snapshot that no archive of the node's files belongs to.
      - Then nobody can say whether the CAs and the keys of the nodes are those of the snapshot.
    type: bool
    default: false
  gone_members:
    description:
      - Members of the old cluster whose nodes are lost for good, so that they cannot be stopped.
      - A node of them that comes back serves the old data to whoever reaches it.
    type: list
    elements: str
    default: []
  min_free_mib:
    description: MiB that must stay free where the data is.
    type: int
    default: 256
seealso:
  - module: evergreen.kubeadm.etcd_restore
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
"""

EXAMPLES = r"""
- name: Plan the restore
  evergreen.kubeadm.restore_plan:
    backup: "{{ examined.backup }}"
    nodes: "{{ ansible_play_hosts | map('extract', hostvars, ['inspected', 'node']) | list }}"
  delegate_to: localhost
  run_once: true
  register: plan
"""

RETURN = r"""
token:
  description: The name of the restore, and the token of the new cluster.
  type: str
  returned: success
  sample: restore-20260131T120000123Z
confirmation:
  description: What has to be typed before anything is given up, the beginning of the snapshot's SHA-256.
  type: str
  returned: success
  sample: 0e5c5a3f2b8f
initial_cluster:
  description: The members of the new cluster.
  type: str
  returned: success
  sample: "cp1=https://10.0.0.10:2380,cp2=https://10.0.0.11:2380,cp3=https://10.0.0.12:2380"
members:
  description: Their names.
  type: list
  elements: str
  returned: success
  sample: [cp1, cp2, cp3]
bump_revision:
  description: By how much the revision is raised.
  type: int
  returned: success
  sample: 1000000000
resumed:
  description: Whether it goes on with a restore that was begun before.
  type: bool
  returned: success
  sample: false
stop:
  description: Whether the control plane still has to stand still for it.
  type: bool
  returned: success
  sample: true
steps:
  description: The step that each host has reached, empty before the first.
  type: dict
  returned: success
  sample: {"cp1": "prepared", "cp2": ""}
findings:
  description: What stands in the way or has to be known.
  type: list
  elements: dict
  returned: success
  contains:
    id:
      description: The kind.
      type: str
      sample: files-differ
    severity:
      description: V(blocker), V(warning) or V(note).
      type: str
      sample: blocker
    subject:
      description: The host, member or file.
      type: str
      sample: cp1
    evidence:
      description: What was seen.
      type: str
      sample: /etc/kubernetes/pki/ca.crt is not that of the backup
    remedy:
      description: What to do about it.
      type: str
      sample: Put the file of the backup's archive in its place on every control-plane node.
blockers:
  description: How many of them are blockers.
  type: int
  returned: success
  sample: 0
refusal:
  description: What each blocker is about and what was seen, in one sentence; empty where there is none.
  type: str
  returned: success
  sample: "1 blocker found, nothing was changed: pod-missing (cp1): it has no manifest of kube-apiserver."
summary:
  description: The plan and the findings in sentences.
  type: list
  elements: str
  returned: success
  sample: ["etcd starts as a new cluster with the members cp1, cp2, cp3."]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import utc_now
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError, run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._restore import decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._restore.model import Backup, NodeSeen


def run(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    options = decisions.Options(
        without_revision_bump=params["without_revision_bump"],
        without_node_files=params["without_node_files"],
        gone_members=tuple(params["gone_members"]),
        reserve=params["min_free_mib"] << 20,
    )
    require(params["backup"], Backup, "backup")
    for node in params["nodes"]:
        require(node, NodeSeen, "nodes")
    plan = decisions.plan(params["backup"], params["nodes"], options, utc_now())
    return {"changed": False, **plan}


def require(value: dict[str, t.Any], shape: type, option: str) -> None:
    """Raise EvergreenError where a key is missing: what is handed over is not what etcd_restore returned."""
    missing = sorted(set(shape.__annotations__) - set(value))
    if missing:
        raise EvergreenError(
            f"{option} lacks {', '.join(missing)}: it has to be what evergreen.kubeadm.etcd_restore returned."
        )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "backup": {"type": "dict", "required": True},
            "nodes": {"type": "list", "elements": "dict", "required": True},
            "without_revision_bump": {"type": "bool", "default": False},
            "without_node_files": {"type": "bool", "default": False},
            "gone_members": {"type": "list", "elements": "str", "default": []},
            "min_free_mib": {"type": "int", "default": 256},
        },
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
