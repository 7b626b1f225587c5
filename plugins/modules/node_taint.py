#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_taint
short_description: Have new pods prefer nodes that are upgraded already
version_added: 0.2.0
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
description:
  - Puts the taint C(evergreen.kubeadm/outdated) with the effect C(PreferNoSchedule) on nodes that are yet to be
    upgraded, and takes it off. A pod that a drain moves then comes to an upgraded node where one fits, and does not
    have to move again.
  - The taint is soft. No pod is evicted by it, and where no other node fits the pod comes to a tainted one. A
    toleration is not needed.
  - This module knows the taint by its key and effect, and its value is the run that put it on. Other taints are never
    changed. A Node that somebody else changes at the same moment is read again.
  - It needs the rights to get, list and patch nodes.
extends_documentation_fragment:
  - evergreen.kubeadm._auth
  - evergreen.kubeadm._attributes
attributes:
  check_mode:
    details: The API server is asked with C(dryRun).
  diff_mode:
    support: full
options:
  name:
    description:
      - Names of the nodes.
      - Without it and with O(state=absent), all nodes. Required where O(state=present); it may be empty there with
        O(exclusive=true).
    type: list
    elements: str
  state:
    description:
      - V(present) puts the taint on, or has it name O(run_id) where it names another run.
      - V(absent) takes it off.
    type: str
    choices: [present, absent]
    default: present
  exclusive:
    description: With O(state=present), take the taint off all nodes that are not in O(name).
    type: bool
    default: false
  run_id:
    description:
      - Names the run in the value of the taint, where the rules are those of label values.
      - With O(state=absent), takes off the taints of this run alone; without it, those of any run.
    type: str
    default: ""
  timeout_s:
    description: Seconds to go on trying where the API server gives no answer or others change the Node.
    type: int
    default: 60
seealso:
  - module: evergreen.kubeadm.drain_node
  - name: Taints and tolerations
    description: What PreferNoSchedule does.
    link: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
"""

EXAMPLES = r"""
- name: Have pods prefer the nodes that are not going to be drained, and no others
  evergreen.kubeadm.node_taint:
    name: [worker1, worker2, worker3]
    exclusive: true
    run_id: "{{ upgrade_run_id }}"
  delegate_to: localhost
  run_once: true

- name: Let pods come to an upgraded node
  evergreen.kubeadm.node_taint:
    name: [worker1]
    state: absent
  delegate_to: localhost

- name: Leave none behind
  evergreen.kubeadm.node_taint:
    state: absent
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
actions:
  description: What was done to which node, or in check mode would be done. Nodes that were right are not in it.
  type: list
  elements: dict
  returned: always
  contains:
    node:
      description: The node.
      type: str
      returned: always
      sample: worker1
    action:
      description: V(added), V(updated), where the taint named another run, or V(removed).
      type: str
      returned: always
      sample: added
diff:
  description: All taints of the nodes in RV(actions), before and after.
  type: dict
  returned: always
  sample: {before: {worker1: []}, after: {worker1: ["evergreen.kubeadm/outdated=r1:PreferNoSchedule"]}}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.auth import AUTH_ARGUMENT_SPEC, connect
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.io import DrainApi
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError, ModuleBody, run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._taint.io import Tainting

ARGUMENT_SPEC: dict[str, t.Any] = {
    "name": {"type": "list", "elements": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "exclusive": {"type": "bool", "default": False},
    "run_id": {"type": "str", "default": ""},
    "timeout_s": {"type": "int", "default": 60},
}


def bring_about(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    names = params["name"]
    if names is not None and not all(name.strip() for name in names):
        raise EvergreenError("The option name must give the names of nodes, and one of them is empty.")
    deadline = Deadline(params["timeout_s"])
    work = Tainting(DrainApi(connect(params), deadline), deadline, run=params["run_id"], check_mode=module.check_mode)
    try:
        work.settle(params["state"], names, exclusive=params["exclusive"])
    except EvergreenError as error:
        # Nodes before the one that failed are changed.
        error.result = {**work.result(), **error.result}
        raise
    return work.result()


BODY = ModuleBody(
    bring_about,
    {
        "argument_spec": {**AUTH_ARGUMENT_SPEC, **ARGUMENT_SPEC},
        "required_if": [("state", "present", ("name",))],
    },
)


def main() -> None:
    run_module(AnsibleModule(**BODY.spec, supports_check_mode=True), BODY.act, timed=BODY.timed)


if __name__ == "__main__":
    main()
