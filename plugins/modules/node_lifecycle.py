#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_lifecycle
short_description: Tell by Events and conditions of a Node which step its upgrade is at
version_added: 0.2.0
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
description:
  - Writes an Event about a Node when its upgrade begins, when the node is drained, and when the upgrade is done or has
    failed, so that C(kubectl describe node), dashboards and alerts show it.
  - With O(conditions) it also sets the node conditions that KEP-5683 (node lifecycle conditions, alpha in Kubernetes
    1.37) names for drains and maintenance, and takes them away again. Before 1.37 they are conditions like any other,
    which any API server keeps; no version acts on them by itself.
  - An Event has a name that is made of run, node, step and version, so that the same one is never there twice.
  - A condition that somebody else has set is left alone, and is never taken away.
requirements:
  - kubernetes >= 24.2.0
  - PyYAML
extends_documentation_fragment:
  - evergreen.kubeadm._auth
  - evergreen.kubeadm._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
    details: As long as the API server keeps Events, by default for one hour.
options:
  step:
    description:
      - The step that the upgrade of the node is at.
      - V(planned) sets the condition C(MaintenancePlanned), for those who prepare before a node is drained.
      - V(begun) writes the Event C(UpgradeBegun), and sets C(MaintenanceInProgress) in the place of
        C(MaintenancePlanned).
      - V(draining) sets C(DrainInProgress).
      - V(drained) writes the Event C(NodeDrained), and sets C(Drained) in the place of C(DrainInProgress).
      - V(upgraded), V(failed) and V(set_aside) write the Events C(UpgradeSucceeded), C(UpgradeFailed) and
        C(UpgradeSetAside), and take all four conditions away. The last two are of the type C(Warning).
      - V(ended) takes all four conditions away, whatever O(conditions) is, also those that a run which was killed has
        left.
    type: str
    choices: [planned, begun, draining, drained, upgraded, failed, set_aside, ended]
    required: true
  nodes:
    description:
      - The names of the Nodes.
      - Required, except for O(step=ended), where none means every Node of the cluster.
    type: list
    elements: str
    default: []
  run_id:
    description: The run that the step belongs to. Each run has its own Events.
    type: str
    required: true
  kubernetes_version:
    description: The version that the node is upgraded to.
    type: str
    default: ""
  cause:
    description: What is to be said beside the step, such as why it failed. Secrets are taken out.
    type: str
    default: ""
  events:
    description: Whether Events are written.
    type: bool
    default: true
  conditions:
    description: Whether conditions are set.
    type: bool
    default: false
  reporting_instance:
    description: Who writes the Events, C(reportingInstance). The default is O(run_id).
    type: str
    default: ""
  timeout_s:
    description: Seconds to go on trying where the API server gives no answer.
    type: float
    default: 20
seealso:
  - module: evergreen.kubeadm.drain_node
"""

EXAMPLES = r"""
- name: Tell that the node is drained
  evergreen.kubeadm.node_lifecycle:
    step: drained
    nodes: [worker1]
    run_id: 20260131T120000Z-4f1c
    kubernetes_version: 1.35.4
    conditions: true
  delegate_to: localhost

- name: Take away the conditions that any run has left
  evergreen.kubeadm.node_lifecycle:
    step: ended
    run_id: 20260131T120000Z-4f1c
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
events:
  description: The Events of the step.
  type: list
  elements: dict
  returned: success
  contains:
    node:
      description: The Node that it is about.
      type: str
      sample: worker1
    name:
      description: Its name, in the namespace C(default).
      type: str
      sample: worker1.0f1e2d3c4b5a6978
    reason:
      description: Its reason.
      type: str
      sample: NodeDrained
    created:
      description: Whether it was not there before.
      type: bool
      sample: true
conditions:
  description: The conditions that the step is about, where something was done or somebody else's stands in the way.
  type: list
  elements: dict
  returned: success
  contains:
    node:
      description: The Node.
      type: str
      sample: worker1
    type:
      description: The type of the condition.
      type: str
      sample: Drained
    action:
      description: What was done, or in check mode would be. One of V(set), V(removed) and V(kept); V(kept) is somebody
        else's, which was left alone.
      type: str
      sample: set
started:
  description: When the task began, RFC 3339 in UTC.
  returned: success
  type: str
  sample: "2026-01-31T12:00:00.123Z"
finished:
  description: When the task ended.
  returned: success
  type: str
  sample: "2026-01-31T12:00:00.223Z"
duration_s:
  description: How many seconds it took.
  returned: success
  type: float
  sample: 0.1
"""

import time
import typing as t
from datetime import datetime, timezone

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.auth import AUTH_ARGUMENT_SPEC, connect
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline, utc_now
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError, run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lifecycle import decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lifecycle.io import Api

ARGUMENT_SPEC: dict[str, t.Any] = {
    "step": {"type": "str", "choices": list(decisions.STEPS), "required": True},
    "nodes": {"type": "list", "elements": "str", "default": []},
    "run_id": {"type": "str", "required": True},
    "kubernetes_version": {"type": "str", "default": ""},
    "cause": {"type": "str", "default": ""},
    "events": {"type": "bool", "default": True},
    "conditions": {"type": "bool", "default": False},
    "reporting_instance": {"type": "str", "default": ""},
    "timeout_s": {"type": "float", "default": 20},
}


def tell(module: AnsibleModule) -> dict[str, t.Any]:
    started, begin = utc_now(), time.monotonic()
    params = module.params
    step = params["step"]
    if not params["run_id"].strip():
        raise EvergreenError("The option run_id is empty; an Event must name its run.")
    if not params["nodes"] and step != "ended":
        raise EvergreenError(f"The option nodes is empty; step={step} is about certain Nodes.")
    run = decisions.Run(
        params["run_id"], params["kubernetes_version"], params["cause"], instance=params["reporting_instance"]
    )
    api = Api(connect(params), Deadline(params["timeout_s"]))
    found = [api.node(name) for name in dict.fromkeys(params["nodes"])] if params["nodes"] else api.nodes()
    events: list[dict[str, t.Any]] = []
    conditions: list[dict[str, t.Any]] = []
    for node in found:
        name = node["metadata"]["name"]
        now = datetime.now(timezone.utc)
        if params["conditions"] or step == "ended":
            changes, patch = decisions.condition_changes(node, step, run, now.strftime("%Y-%m-%dT%H:%M:%SZ"))
            if patch and not module.check_mode:
                api.patch_status(name, patch)
            conditions += [{"node": name, **change._asdict()} for change in changes]
        event = decisions.event(node, step, run, now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")) if params["events"] else None
        if event:
            its_name = event["metadata"]["name"]
            created = not api.has_event(its_name) if module.check_mode else api.create_event(event)
            events.append({"node": name, "name": its_name, "reason": event["reason"], "created": created})
    return {
        "changed": any(each["created"] for each in events) or any(each["action"] != "kept" for each in conditions),
        "events": events,
        "conditions": conditions,
        "started": started,
        "finished": utc_now(),
        "duration_s": round(time.monotonic() - begin, 3),
    }


def main() -> None:
    module = AnsibleModule(argument_spec={**AUTH_ARGUMENT_SPEC, **ARGUMENT_SPEC}, supports_check_mode=True)
    run_module(module, tell)


if __name__ == "__main__":
    main()
