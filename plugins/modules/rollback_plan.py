#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollback_plan
short_description: Plan the rollback of an upgrade and find what stands in its way
version_added: 0.2.0
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
description:
  - Reads the cluster through the API and decides which kubelets and which control-plane nodes have to be rolled back
    to O(kubernetes_version), in which order, and whether they can.
  - A control plane is rolled back one minor, and only while every component emulates that minor, as
    O(evergreen.kubeadm.skew_check#module:rollback_safe) plans it; or to another patch of its minor.
  - Kubelets of workers are rolled back before the control plane, since none may be newer than an API server; the
    kubelet of a control-plane node together with its control plane. Kubelets may also be rolled back alone, as far as
    the version skew policy allows.
  - What is rolled back already is left out, so that an interrupted rollback is resumed.
  - Nothing is changed. docs/rbac/skew_check.yml has the rights that it needs.
extends_documentation_fragment:
  - evergreen.kubeadm._auth
  - evergreen.kubeadm._auth.timeout
  - evergreen.kubeadm._auth.findings
  - evergreen.kubeadm._attributes
options:
  kubernetes_version:
    description: The version to roll back to, with three numbers.
    type: str
    required: true
  control_plane:
    description: Whether the control plane is rolled back.
    type: bool
    default: true
  kubelets:
    description: Whether kubelets that are newer are rolled back.
    type: bool
    default: false
  control_plane_nodes:
    description:
      - Names of the control-plane nodes in the order in which they are upgraded. The last one is rolled back first.
    type: list
    elements: str
    default: []
  kubelet_servers:
    description:
      - The API server in the C(kubelet.conf) of each node, by the name of the node. M(evergreen.kubeadm.kubeadm_info)
        reports it as RV(evergreen.kubeadm.kubeadm_info#module:info.kubelet_conf_server).
      - The kubelet of a control-plane node that is not known to ask its own API server alone has to be rolled back
        before the control plane, in a run of its own.
    type: dict
    default: {}
seealso:
  - module: evergreen.kubeadm.kubeadm_upgrade
  - module: evergreen.kubeadm.skew_check
"""

EXAMPLES = r"""
- name: See whether the control plane can be rolled back
  evergreen.kubeadm.rollback_plan:
    kubernetes_version: 1.34.4
  delegate_to: localhost
  register: plan

- name: Plan to roll the kubelets back alone
  evergreen.kubeadm.rollback_plan:
    kubernetes_version: 1.34.4
    control_plane: false
    kubelets: true
  delegate_to: localhost
"""

RETURN = r"""
current:
  description: The version of the newest API server; none where there is none.
  type: str
  returned: always
  sample: 1.35.4
target:
  description: The version to roll back to.
  type: str
  returned: always
  sample: 1.34.4
needed:
  description: Whether anything is left to roll back, or to clean up after an interrupted run (RV(cut_off)).
  type: bool
  returned: always
  sample: true
cut_off:
  description: A run that was cut off, as M(evergreen.kubeadm.skew_check) returns it; none where there is none.
  type: dict
  returned: always
  sample: null
kubelets:
  description: Nodes whose kubelets are rolled back.
  type: list
  elements: str
  returned: always
  sample: []
workers:
  description: Those of RV(kubelets) that are rolled back before the control plane, in this order.
  type: list
  elements: str
  returned: always
  sample: []
control_plane:
  description:
    - Control-plane nodes that are rolled back, in this order. The kubelet of one that is in RV(kubelets) is rolled back
      together with its control plane, or alone.
  type: list
  elements: str
  returned: always
  sample: [control3, control2, control1]
config_needed:
  description: Whether C(kubeadm-config) names another version.
  type: bool
  returned: always
  sample: true
image_repository:
  description: Where C(kubeadm-config) has images from; empty where it does not say.
  type: str
  returned: always
  sample: registry.k8s.io
hops:
  description: Always empty. It is there for what reads the plan of an upgrade.
  type: list
  elements: dict
  returned: always
  sample: []
nodes:
  description:
    - The nodes of the cluster, control plane first, with their versions and what they emulate. C(kubernetes_version)
      and C(extra_flags) of a control-plane node are what M(evergreen.kubeadm.kubeadm_upgrade) is to be given.
  type: list
  elements: dict
  returned: always
  sample:
    - host: cp1
      name: control1
      role: control_plane
      kubelet_version: 1.34.4
      api_server_version: 1.35.4
      components: {kube-apiserver: 1.35.4, kube-controller-manager: 1.35.4, kube-scheduler: 1.35.4}
      emulated: {kube-apiserver: "1.34", kube-controller-manager: "1.34", kube-scheduler: "1.34"}
      done: false
      kubernetes_version: 1.34.4
      extra_flags: {}
not_ready:
  description: What the gates of the rollback do not wait for, as M(evergreen.kubeadm.skew_check) returns it.
  type: dict
  returned: always
  sample: {}
findings:
  description: What stands in the way, as M(evergreen.kubeadm.skew_check) returns findings.
  type: list
  elements: dict
  returned: always
  sample: []
accepted:
  description: Findings that O(accepted_findings) accepts, each with its C(reason).
  type: list
  elements: dict
  returned: always
  sample: []
blockers:
  description: How many of RV(findings) are blockers.
  type: int
  returned: always
  sample: 0
refusal:
  description: What each blocker is about and what was seen, in one sentence; empty where there is none.
  type: str
  returned: always
  sample: ""
summary:
  description: The plan and the findings in sentences.
  type: list
  elements: str
  returned: always
  sample: ["rollback to 1.34.4: kubelets none; control plane control3, control2, control1"]
started:
  description: When the module began, UTC.
  type: str
  returned: always
  sample: "2026-01-31T12:00:00.000Z"
finished:
  description: When the module ended, UTC.
  type: str
  returned: always
  sample: "2026-01-31T12:00:01.000Z"
duration_s:
  description: Seconds in between.
  type: float
  returned: always
  sample: 1.0
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.auth import AUTH_ARGUMENT_SPEC, connect
from ansible_collections.evergreen.kubeadm.plugins.module_utils._controller import look
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError, ModuleBody, run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.io import ApiServers
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.cut_off import cut_off_run, lock_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.decisions import recorded_controller
from ansible_collections.evergreen.kubeadm.plugins.module_utils._rollback.plan import Request, make_plan
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.acceptance import ACCEPTED_FINDINGS
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.objects import Wanted
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.observe import Reader
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

ARGUMENT_SPEC: dict[str, t.Any] = {
    "kubernetes_version": {"type": "str", "required": True},
    "control_plane": {"type": "bool", "default": True},
    "kubelets": {"type": "bool", "default": False},
    "control_plane_nodes": {"type": "list", "elements": "str", "default": []},
    "inventory_hosts": {"type": "dict", "default": {}},
    "kubelet_servers": {"type": "dict", "default": {}},
    "accepted_findings": ACCEPTED_FINDINGS,
    "timeout_s": {"type": "int", "default": 60},
}


def plan(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    if not params["control_plane"] and not params["kubelets"]:
        raise EvergreenError(
            "Neither the control plane nor the kubelets are to be rolled back.", hint="Set control_plane or kubelets."
        )
    request = Request(
        target=Version.parse(params["kubernetes_version"]),
        control_plane=params["control_plane"],
        kubelets=params["kubelets"],
        order=params["control_plane_nodes"],
        hosts=params["inventory_hosts"],
        kubelet_servers=params["kubelet_servers"],
    )
    wanted = Wanted(request.target.minor, False)
    cluster = Reader(connect(params), ApiServers(params), Deadline(params["timeout_s"]), wanted).read()
    cut_off = cut_off_run(cluster.leases, look(recorded_controller(lock_of(cluster.leases))))
    return {
        "changed": False,
        **make_plan(cluster, request, params["accepted_findings"], cut_off, now=time.time()),
    }


BODY = ModuleBody(plan, {"argument_spec": {**AUTH_ARGUMENT_SPEC, **ARGUMENT_SPEC}}, timed=True)


def main() -> None:
    run_module(AnsibleModule(**BODY.spec, supports_check_mode=True), BODY.act, timed=BODY.timed)


if __name__ == "__main__":
    main()
