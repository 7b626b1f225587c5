#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: skew_check
short_description: Plan an upgrade of a kubeadm cluster and find what stands in its way
version_added: 0.1.0
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
description:
  - Reads the cluster through the API and decides which hops lead to O(kubernetes_version), which nodes are done
    already, and what would break, block or endanger the upgrade.
  - A cluster that an earlier run left half-upgraded is a normal input. A node is done when its running static pods and
    its kubelet say so, not because a command once returned 0.
  - Each API server is asked at its own advertise address for its version and for the deprecated APIs that it was asked
    for.
  - Nothing is changed.
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
    details: Nothing is changed.
  idempotent:
    support: full
options:
  kubernetes_version:
    description: The version to upgrade to, such as V(1.35.4).
    type: str
    required: true
  available_versions:
    description:
      - Versions that the package repositories offer.
      - Needed where the target is more than one minor ahead. The newest one of each minor between becomes a hop.
    type: list
    elements: str
    default: []
  workers:
    description:
      - V(each_hop) upgrades the workers in each hop.
      - V(last_hop) upgrades them in the last hop, and before only where their kubelets would fall further behind the
        control plane than the version skew policy allows.
    type: str
    choices: [each_hop, last_hop]
    default: each_hop
  nodes:
    description:
      - Results of M(evergreen.kubeadm.kubeadm_info), one for each node. What is not given is not judged.
    type: list
    elements: dict
    default: []
  inventory_nodes:
    description:
      - Names of all nodes that the run will touch. Compared with the nodes of the cluster where it is given.
    type: list
    elements: str
  control_plane_nodes:
    description:
      - Names of the control-plane nodes, in the order in which they are upgraded.
        Compared with the cluster's where it is given. Without it their names give the order.
    type: list
    elements: str
  accepted_findings:
    description:
      - Findings that do not count. They are returned in RV(accepted) with their reason.
    type: list
    elements: dict
    default: []
    suboptions:
      id:
        description: The RV(findings[].id).
        type: str
        required: true
      reason:
        description: Why it does not matter here.
        type: str
        required: true
      subject:
        description: The RV(findings[].subject). Without it, findings on any subject are accepted.
        type: str
  fail_on_blockers:
    description: Fail where a blocker is found that is not accepted.
    type: bool
    default: false
  timeout_s:
    description: Seconds to go on trying where the API server gives no answer.
    type: int
    default: 60
seealso:
  - module: evergreen.kubeadm.kubeadm_info
  - name: Version skew policy
    description: Which versions of Kubernetes' components go together.
    link: https://kubernetes.io/releases/version-skew-policy/
"""

EXAMPLES = r"""
- name: Plan the upgrade
  evergreen.kubeadm.skew_check:
    kubernetes_version: 1.35.4
    inventory_nodes: [control1, control2, control3, worker1]
    control_plane_nodes: [control1, control2, control3]
  delegate_to: localhost
  run_once: true
  register: plan

- name: Plan a way over several minors, and stop where something is in the way
  evergreen.kubeadm.skew_check:
    kubernetes_version: 1.36.3
    available_versions: [1.34.4, 1.35.3, 1.35.4, 1.36.3]
    workers: last_hop
    fail_on_blockers: true
    accepted_findings:
      - id: budget-never-allows
        subject: poddisruptionbudget/batch/nightly
        reason: The job is not running during the maintenance.
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
current:
  description: The version of the oldest API server; none where no API server was found.
  type: str
  returned: always
  sample: 1.34.4
target:
  description: The version to upgrade to.
  type: str
  returned: always
  sample: 1.35.4
upgrade_needed:
  description: Whether anything is left to do.
  type: bool
  returned: always
  sample: true
hops:
  description: The hops, in order. Empty where nothing is left to do, and where there is no way to the target.
  type: list
  elements: dict
  returned: always
  contains:
    from:
      description: The version that the control plane comes from.
      type: str
      returned: always
      sample: 1.34.4
    to:
      description: The version of this hop.
      type: str
      returned: always
      sample: 1.35.4
    control_plane:
      description: Control-plane nodes that are not done, in the order in which they are upgraded.
      type: list
      elements: str
      returned: always
      sample: [control1, control2]
    workers:
      description: Workers that are upgraded in this hop.
      type: list
      elements: str
      returned: always
      sample: [worker1]
    apply_needed:
      description: Whether the first of RV(hops[].control_plane) needs C(kubeadm upgrade apply), since C(kubeadm-config)
        or the addons are not at this version.
      type: bool
      returned: always
      sample: true
    etcd:
      description: The etcd minor before and after this hop; none where etcd is external.
      type: dict
      returned: always
      sample: {from_minor: "3.6", to_minor: "3.6"}
nodes:
  description: The nodes of the cluster, control plane first.
  type: list
  elements: dict
  returned: always
  contains:
    name:
      description: The node's name.
      type: str
      returned: always
      sample: control1
    role:
      description: V(control_plane) or V(worker).
      type: str
      returned: always
      sample: control_plane
    kubelet_version:
      description: What its kubelet reports.
      type: str
      returned: always
      sample: 1.34.4
    api_server_version:
      description: What its API server answered, else the image tag of the static pod; none on workers.
      type: str
      returned: always
      sample: 1.35.4
    components:
      description: Image tags of its control-plane static pods.
      type: dict
      returned: always
      sample: {kube-apiserver: 1.35.4, kube-controller-manager: 1.35.4, kube-scheduler: 1.35.4}
    etcd_version:
      description: Image tag of its etcd static pod, without the number of the image's build; none where it has none.
      type: str
      returned: always
      sample: 3.6.6
    ready:
      description: Whether the node is Ready.
      type: bool
      returned: always
      sample: true
    cordoned:
      description: Whether it is cordoned.
      type: bool
      returned: always
      sample: false
    cordoned_by:
      description: The run of this tool that cordoned it; none where none did.
      type: dict
      returned: always
      sample: {by: evergreen.kubeadm, run: 20260131T120000Z-4f1c, at: "2026-01-31T12:00:00.123Z"}
    done:
      description: Whether it is at the target.
      type: bool
      returned: always
      sample: false
    left:
      description: What of it is not.
      type: list
      elements: str
      returned: always
      sample: [kubelet v1.34.4]
unfinished:
  description: Names of the nodes that are not done, in the order of RV(nodes).
  type: list
  elements: str
  returned: always
  sample: [control1]
addons:
  description: Image tags of kube-proxy and CoreDNS, where the cluster has them.
  type: dict
  returned: always
  sample: {kube-proxy: 1.34.4, coredns: 1.12.1}
findings:
  description: What to know before, blockers first.
  type: list
  elements: dict
  returned: always
  contains:
    id:
      description: What kind of finding it is.
      type: str
      returned: always
      sample: budget-never-allows
    severity:
      description: V(blocker), V(warning) or V(note).
      type: str
      returned: always
      sample: blocker
    subject:
      description: What it is about.
      type: str
      returned: always
      sample: poddisruptionbudget/shop/cart
    evidence:
      description: What was seen.
      type: str
      returned: always
      sample: it wants 1 healthy pods of 1, so it never lets a pod go; it covers shop/cart-0 on worker1
    remedy:
      description: What to do.
      type: str
      returned: always
      sample: Run one replica more, or raise maxUnavailable for the time of the upgrade.
    source:
      description: Where the rule is from; may be empty.
      type: str
      returned: always
      sample: https://kubernetes.io/docs/tasks/run-application/configure-pdb/
accepted:
  description: Findings that O(accepted_findings) took out of RV(findings), each with its C(reason).
  type: list
  elements: dict
  returned: always
  sample: []
blockers:
  description: How many blockers are in RV(findings).
  type: int
  returned: always
  sample: 0
summary:
  description: The plan and the findings in sentences; findings that differ in their subject alone are one sentence.
  type: list
  elements: str
  returned: always
  sample: ["1.34.4 to 1.35.4: control plane control1, control2; workers worker1"]
started:
  description: When the task began.
  type: str
  returned: always
  sample: "2026-01-31T12:00:00.123Z"
finished:
  description: When the task ended.
  type: str
  returned: always
  sample: "2026-01-31T12:00:01.223Z"
duration_s:
  description: How many seconds it took.
  type: float
  returned: always
  sample: 1.1
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.auth import AUTH_ARGUMENT_SPEC, connect
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline, utc_now
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError, run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.io import ApiServers
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.decisions import decide
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.hosts import read_host
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import BLOCKER, Request
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.observe import Reader
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

ARGUMENT_SPEC: dict[str, t.Any] = {
    "kubernetes_version": {"type": "str", "required": True},
    "available_versions": {"type": "list", "elements": "str", "default": []},
    "workers": {"type": "str", "choices": ["each_hop", "last_hop"], "default": "each_hop"},
    "nodes": {"type": "list", "elements": "dict", "default": []},
    "inventory_nodes": {"type": "list", "elements": "str"},
    "control_plane_nodes": {"type": "list", "elements": "str"},
    "accepted_findings": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "id": {"type": "str", "required": True},
            "reason": {"type": "str", "required": True},
            "subject": {"type": "str"},
        },
    },
    "fail_on_blockers": {"type": "bool", "default": False},
    "timeout_s": {"type": "int", "default": 60},
}


def check(module: AnsibleModule) -> dict[str, t.Any]:
    """Read, decide, and shape the result."""
    params = module.params
    started, clock = utc_now(), time.monotonic()
    request = Request(
        target=Version.parse(params["kubernetes_version"]),
        available=[Version.parse(text) for text in params["available_versions"]],
        workers=params["workers"],
        inventory=params["inventory_nodes"],
        control_plane=params["control_plane_nodes"],
    )
    hosts = [host for host in (read_host(result) for result in params["nodes"]) if host is not None]
    cluster = Reader(connect(params), ApiServers(params), Deadline(params["timeout_s"])).read()
    verdict = decide(cluster, hosts, request, params["accepted_findings"], now=time.time())
    result: dict[str, t.Any] = {
        "changed": False,
        **verdict,
        "started": started,
        "finished": utc_now(),
        "duration_s": round(time.monotonic() - clock, 3),
    }
    if params["fail_on_blockers"] and verdict["blockers"]:
        told = [f for f in verdict["findings"] if f["severity"] == BLOCKER]
        shown = "; ".join(f"{f['id']} on {f['subject']}: {f['evidence']}" for f in told[:5])
        more = f"; and {len(told) - 5} more" if len(told) > 5 else ""
        raise EvergreenError(
            f"{len(told)} findings stand in the way of {verdict['target']}: {shown}{more}.",
            hint="Each finding has a remedy. One that does not matter here can be accepted by its id with a reason.",
            result=result,
        )
    return result


def main() -> None:
    module = AnsibleModule(argument_spec={**AUTH_ARGUMENT_SPEC, **ARGUMENT_SPEC}, supports_check_mode=True)
    run_module(module, check)


if __name__ == "__main__":
    main()
