#!/usr/bin/python
# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_member
short_description: Look at an etcd cluster, wait until it is healthy, or move the leader away from a node
version_added: 0.1.0
description:
  - Run it before and after a control-plane node is changed, so that an etcd member is taken away only from a cluster
    that can spare it, and never the leading one.
  - All members are asked, at the client URLs that they advertise.
  - Runs on a control-plane node as root. Python's standard library is all it needs.
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
  - evergreen.kubeadm._etcd
attributes:
  check_mode:
    details:
      - V(healthy) waits in check mode too, it only looks.
      - V(follower) says to whom the lead would go.
options:
  state:
    description:
      - V(observed) looks once and tells what it saw. It does not fail where a member does not answer or is not well.
      - V(healthy) waits until every member has started, answers, is no learner, follows the one leader in its term,
        serves a linearizable read, reports its version and is not behind; until no alarm is raised; and, with
        O(expected_members), until the members are just those.
      - V(follower) moves the lead from this node's member to the healthy voting member that is least behind. Nothing is
        done where this member does not lead, or is the only voting one.
    type: str
    choices: [observed, healthy, follower]
    required: true
  hash_kv:
    description:
      - When O(state=observed), also ask every member for the hash of its keys, all at one revision, to find members
        whose data differs. A member reads all of its keys for it, some seconds for a database of 2 GB.
    type: bool
    default: false
  expected_members:
    description: When O(state=healthy), the names of all members that there must be, no more and no less.
    type: list
    elements: str
    default: []
  max_index_gap:
    description: How many raft entries a member may be behind the newest that any member knows of.
    type: int
    default: 1000
  consecutive:
    description: When O(state=healthy), how many good looks in a row are needed.
    type: int
    default: 2
  interval_s:
    description: Seconds between two looks.
    type: float
    default: 2
  timeout_s:
    description: Seconds after which the task fails and says what is still missing.
    type: float
    default: 120
seealso:
  - module: evergreen.kubeadm.etcd_snapshot
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
"""

EXAMPLES = r"""
- name: See what state etcd is in, without waiting
  evergreen.kubeadm.etcd_member:
    state: observed
    hash_kv: true
  register: etcd

- name: Wait until all three members are there and well
  evergreen.kubeadm.etcd_member:
    state: healthy
    expected_members: [cp1, cp2, cp3]
    timeout_s: 300

- name: Let another member lead before this node is upgraded
  evergreen.kubeadm.etcd_member:
    state: follower
"""

RETURN = r"""
members:
  description: Every member as it was last seen. The keys from C(version) on are there where the member answered.
  type: list
  elements: dict
  returned: always, where it came to looking
  contains:
    id:
      description: Its id as etcd prints it, in hexadecimal.
      type: str
      sample: 8e9e05c52164694d
    name:
      description: Its name. Empty where it has never started.
      type: str
      sample: cp1
    client_urls:
      description: The URLs that it advertises.
      type: list
      elements: str
      sample: ["https://10.0.0.10:2379"]
    peer_urls:
      description: The URLs at which the other members reach it.
      type: list
      elements: str
      sample: ["https://10.0.0.10:2380"]
    learner:
      description: Whether it is a learner.
      type: bool
      sample: false
    leader:
      description: Whether it leads.
      type: bool
      sample: true
    local:
      description: Whether it is the member that the task asked first, this node's.
      type: bool
      sample: true
    problem:
      description: Why it did not answer or could not serve a read. Empty where it did.
      type: str
      sample: ""
    version:
      description: The version of its etcd.
      type: str
      sample: 3.6.5
    revision:
      description: The revision of its store.
      type: int
      sample: 48213
    raft_term:
      description: Its raft term.
      type: int
      sample: 7
    raft_index:
      description: The newest raft entry that it knows to be committed.
      type: int
      sample: 51234
    raft_applied_index:
      description: The raft entry that it applied last.
      type: int
      sample: 51234
    index_gap:
      description: How many raft entries it is behind the newest that any member knows of.
      type: int
      sample: 0
    db_size:
      description: Bytes of its database file.
      type: int
      sample: 21299200
    db_size_in_use:
      description: Bytes of it that hold data.
      type: int
      sample: 8122368
    db_size_quota:
      description:
        - Bytes that its database may grow to. 0 for the default of 2 GiB, and before etcd 3.6, which does not tell.
      type: int
      sample: 2147483648
    hash:
      description:
        - The hash of its keys, with O(hash_kv). The hashes of two members can be compared where their
          RV(members[].hash_revision) and RV(members[].hash_compact_revision) are equal.
      type: int
      sample: 1234567890
    hash_revision:
      description: The revision that the hash is of.
      type: int
      sample: 48213
    hash_compact_revision:
      description: The revision that its keys were compacted to.
      type: int
      sample: 47000
    hash_problem:
      description: Why it gave no hash, with O(hash_kv).
      type: str
      sample: "etcd at https://10.0.0.10:2379 did not answer: timed out."
alarms:
  description: The alarms that are raised.
  type: list
  elements: dict
  returned: always, where it came to looking
  contains:
    alarm:
      description: V(NOSPACE) or V(CORRUPT).
      type: str
      sample: NOSPACE
    member:
      description: The name of the member that raised it.
      type: str
      sample: cp1
leader:
  description: The name of the leader. Empty where none was found.
  type: str
  returned: always, where it came to looking
  sample: cp1
snapshot_source:
  description: The member that a snapshot should be saved from, a follower where one is healthy and near enough.
  type: dict
  returned: when O(state=healthy) or O(state=observed), where it came to looking
  contains:
    name:
      description: Its name. Empty where no member is healthy.
      type: str
      sample: cp3
    why:
      description: Why it is this one.
      type: str
      sample: cp3 follows, and is 0 raft entries behind
moved_from:
  description: The name of the member that led before. Empty where nothing was or would be moved.
  type: str
  returned: when O(state=follower)
  sample: cp1
moved_to:
  description: The name of the member that leads now, or would in check mode. Empty where nothing was or would be moved.
  type: str
  returned: when O(state=follower)
  sample: cp2
note:
  description: Why the lead was moved there, or not at all.
  type: str
  returned: when O(state=follower)
  sample: cp1 does not lead
looks:
  description: How many times the cluster was looked at.
  type: int
  returned: always, where it came to looking
  sample: 2
route:
  description: The route that was taken, V(grpc), V(gateway) or V(etcdctl).
  type: str
  returned: success
  sample: grpc
checks:
  description: What the last look found.
  type: list
  elements: dict
  returned: when O(state=healthy) or O(state=observed)
  contains:
    name:
      description: What was looked at, V(cluster), V(leader), V(alarms), V(expected_members) or C(member NAME).
      type: str
      sample: member cp2
    ok:
      description: Whether it is as it must be.
      type: bool
      sample: true
    seen:
      description: The evidence.
      type: str
      sample: follower, version 3.6.5, 0 raft entries behind
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
  sample: 2.041
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import manifest, observe, waiting


def run(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    deadline = Deadline(params["timeout_s"])
    access = observe.choose_server(manifest.find_access(params), params)
    client, _note = observe.open_client(access, params)
    if params["state"] == "observed":
        result = waiting.observed(
            client, access, deadline, max_index_gap=params["max_index_gap"], hashes=params["hash_kv"]
        )
    elif params["state"] == "healthy":
        result = waiting.healthy(
            client,
            access,
            deadline,
            max_index_gap=params["max_index_gap"],
            expected_members=params["expected_members"],
            consecutive=params["consecutive"],
            interval_s=params["interval_s"],
        )
    else:
        result = waiting.follower(
            client,
            access,
            deadline,
            max_index_gap=params["max_index_gap"],
            interval_s=params["interval_s"],
            check_mode=module.check_mode,
        )
    return {
        **result,
        "route": client.route,
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["observed", "healthy", "follower"], "required": True},
            "hash_kv": {"type": "bool", "default": False},
            "expected_members": {"type": "list", "elements": "str", "default": []},
            "max_index_gap": {"type": "int", "default": 1000},
            "consecutive": {"type": "int", "default": 2},
            "interval_s": {"type": "float", "default": 2},
            "timeout_s": {"type": "float", "default": 120},
            **observe.ARGUMENT_SPEC,
        },
        required_together=[("client_cert", "client_key")],
        supports_check_mode=True,
    )
    run_module(module, run, timed=True)


if __name__ == "__main__":
    main()
