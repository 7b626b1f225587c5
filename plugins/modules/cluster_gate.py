#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_gate
short_description: Wait until a cluster or one of its nodes is fit for the next step
version_added: 0.1.0
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
description:
  - Looks at the cluster again and again until every condition was met in O(consecutive) looks in a row.
    Fails at the deadline and names each condition that is not met, with what was seen instead.
  - Conditions are those that this module knows, and O(gates) of your own, on any object of the API, an HTTP address,
    a query of Prometheus or a command.
  - Conditions are judged by evidence. Each API server is asked directly at its own advertise address, since an answer
    that came through a load balancer says nothing about the other servers.
  - Nothing is changed. A request that gets no answer, as happens while an API server restarts, is a bad look and no
    failure.
requirements:
  - jmespath, where a gate has an expression
extends_documentation_fragment:
  - evergreen.kubeadm._auth
  - evergreen.kubeadm._attributes
attributes:
  check_mode:
    details:
      - One look is taken and reported in RV(ready) and RV(checks). It does not wait and does not fail, because the
        steps that would meet the conditions are not taken in check mode either.
      - The commands of O(gates) are not run, as nobody knows whether they change something. Their checks say so, and
        RV(ready) is V(false) then.
options:
  conditions:
    description:
      - V(node_ready) - the Node is Ready.
      - V(node_heartbeat) - the kubelet renewed the node's Lease since O(heartbeat_after).
        A Node still counts as Ready for some time after its kubelet died.
      - V(kubelet_version) - the kubelet reports O(kubernetes_version).
      - V(control_plane_ready) - the static pods of kube-apiserver, kube-controller-manager and kube-scheduler are
        Ready, with images of O(kubernetes_version) where that is given.
      - V(etcd_ready) - the static pod of etcd is Ready. Met where etcd is external.
      - V(api_servers_ready) - every API server of the cluster, not only the one of O(node), answers 200 at its own
        C(/readyz).
      - V(api_version) - the API server of O(node), or each one without it, reports O(kubernetes_version).
      - V(system_pods_ready) - all pods of C(kube-system) on the node are Ready, and none of its DaemonSets misses its
        pod there.
      - V(kube_proxy_updated) - no update of the DaemonSet kube-proxy is under way. While its pod is replaced, a node
        sends requests to endpoints that a drain removed. An update that cannot go on, because of a node that is not
        Ready or a pod of kube-proxy that was not ready before the upgrade, is not waited for.
      - V(workloads_ready) - Deployments, StatefulSets and DaemonSets are available, whatever nodes they are on.
      - Without any, O(gates) must have one.
    type: list
    elements: str
    default: []
    choices:
      - node_ready
      - node_heartbeat
      - kubelet_version
      - control_plane_ready
      - etcd_ready
      - api_servers_ready
      - api_version
      - system_pods_ready
      - kube_proxy_updated
      - workloads_ready
  gates:
    description:
      - Gates of your own. Each is looked at as the conditions are, and each must let through at the same time.
      - Where one does not, RV(checks) and the error say what was seen. Headers and texts that look like secrets are
        in neither.
      - Each has exactly one of O(gates[].object), O(gates[].http), O(gates[].prometheus) and O(gates[].command).
      - An expression is one of JMESPath (U(https://jmespath.org/)). It lets through what JMESPath counts as true,
        which is all but V(false), V(null) and an empty text, list or object. A number is always true, so compare it.
    type: list
    elements: dict
    default: []
    version_added: 0.1.0
    suboptions:
      name:
        description: What it is called in results. Each has its own.
        type: str
        required: true
      object:
        description: Objects of the API. At least one must be there, and the expression must be true for each.
        type: dict
        suboptions:
          api_version:
            description: Group and version, such as V(apps/v1).
            type: str
            required: true
          kind:
            description: The kind, such as V(Deployment).
            type: str
            required: true
          namespace:
            description: The namespace. Without it and without O(gates[].object.name), objects of all namespaces.
            type: str
          name:
            description: The name of one object.
            type: str
          label_selector:
            description: Which objects. Without it and O(gates[].object.name), all of them.
            type: str
          expression:
            description: A JMESPath expression on the object.
            type: str
            required: true
      http:
        description: The answer to a GET. Redirects are not followed.
        type: dict
        suboptions:
          <<: &request
            url:
              description:
                - The address. It must not hold a user or password.
                - It is shown in results without its query.
              type: str
              required: true
            headers:
              description:
                - Headers to send, such as C(Authorization). Tokens belong here and not into the address.
                - Their values are hidden wherever they occur in the result.
              type: dict
            validate_certs:
              description: Whether the certificate of the server must be one that is trusted and that names it.
              type: bool
              default: true
            ca_path:
              description: A file with certificates to trust, where the task runs.
              type: path
            timeout_s:
              description: Seconds to wait for the answer.
              type: float
              default: 10
          status:
            description: Which statuses let through.
            type: list
            elements: int
            default: [200]
          expression:
            description: A JMESPath expression on the body, which must be JSON then.
            type: str
      prometheus:
        description:
          - The answer of Prometheus, or of something with its HTTP API, to an instant query.
          - Exactly one of O(gates[].prometheus.expect) and O(gates[].prometheus.expression).
        type: dict
        suboptions:
          <<: *request
          query:
            description: The query in PromQL, whose result is an instant vector or a scalar.
            type: str
            required: true
          expect:
            description: Whether there must be V(empty) - no sample, or V(non_empty) - at least one.
            type: str
            choices: [empty, non_empty]
          expression:
            description:
              - A JMESPath expression that must be true for each sample, of which there must be one at least.
              - A sample is an object of C(metric), C(value) (a number) and C(time), so that an expression may be
                C(value < `5`).
            type: str
      command:
        description: A command that must end with 0. It runs where the task runs, without a shell, and should only look.
        type: dict
        suboptions:
          argv:
            description: The program and its arguments. They are shown in the result of the task.
            type: list
            elements: str
            required: true
          timeout_s:
            description: Seconds until it is killed, with what it started.
            type: float
            default: 60
  hold_s:
    description:
      - For how many seconds every look must be good before the gate lets through, beside O(consecutive).
      - It counts within O(timeout_s), and means nothing with O(timeout_s=0).
    type: float
    default: 0
    version_added: 0.1.0
  node:
    description:
      - The name of the Node that the conditions are judged on.
      - Without it they are judged on all nodes, and those of the control plane on all control-plane nodes.
    type: str
  ignore_nodes:
    description:
      - Nodes that V(node_ready), V(node_heartbeat), V(kubelet_version) and V(system_pods_ready) leave out, such as
        those that a run has set aside.
      - Every API server counts, wherever it is.
    type: list
    elements: str
    default: []
    version_added: 0.2.0
  kubernetes_version:
    description:
      - The version that must be running, such as V(1.35.4).
      - Required for the conditions V(kubelet_version) and V(api_version).
    type: str
  heartbeat_after:
    description:
      - The time, by the clock of the node, after which V(node_heartbeat) must have been renewed, such as
        RV(evergreen.kubeadm.kubeadm_upgrade#module:kubelet_restarted). RFC 3339 in UTC.
      - Without it, the first look of this gate counts, and the next renewal takes up to 10 seconds.
    type: str
    default: ""
  workload_namespaces:
    description: The namespaces that V(workloads_ready) is judged in; all of them where the list is empty.
    type: list
    elements: str
    default: []
  ignore_workloads:
    description:
      - Workloads that V(workloads_ready) leaves out, as C(namespace/name), such as those that were not available
        before.
    type: list
    elements: str
    default: []
  timeout_s:
    description: Seconds until the wait fails. With V(0), one look decides.
    type: int
    default: 300
  interval_s:
    description: Seconds between two looks.
    type: float
    default: 2
  consecutive:
    description: How many looks in a row must be good.
    type: int
    default: 2
notes:
  - Where this module runs must reach the advertise address of each API server for V(api_servers_ready) and
    V(api_version). Where only a load balancer can be reached, delegate the task to a control-plane node.
"""

EXAMPLES = r"""
- name: Wait until the control-plane node runs the new version
  evergreen.kubeadm.cluster_gate:
    node: control1
    kubernetes_version: 1.35.4
    conditions:
      - node_ready
      - control_plane_ready
      - etcd_ready
      - api_servers_ready
      - api_version
    timeout_s: 600
  delegate_to: localhost

- name: Wait until the worker is back with its new kubelet
  evergreen.kubeadm.cluster_gate:
    node: worker1
    kubernetes_version: 1.35.4
    conditions: [node_ready, node_heartbeat, kubelet_version, system_pods_ready]
  delegate_to: localhost

- name: Go on when storage, shop and alerts have been well for a minute
  evergreen.kubeadm.cluster_gate:
    gates:
      - name: ceph
        object:
          api_version: ceph.rook.io/v1
          kind: CephCluster
          namespace: rook-ceph
          expression: status.ceph.health == 'HEALTH_OK'
      - name: shop
        http:
          url: https://shop.example.org/healthz
          expression: status == 'ok'
      - name: no alert fires
        prometheus:
          url: https://prometheus.example.org
          query: ALERTS{alertstate="firing", severity="critical"}
          expect: empty
          headers:
            Authorization: "Bearer {{ prometheus_token }}"
      - name: nobody is deploying
        command:
          argv: [/usr/local/bin/no-deployment-runs]
    hold_s: 60
    timeout_s: 900
  delegate_to: localhost
"""

RETURN = r"""
ready:
  description: Whether every condition was met often enough.
  type: bool
  returned: always
  sample: true
checks:
  description: What the last look found, condition by condition.
  type: list
  elements: dict
  returned: always
  contains:
    name:
      description: The condition, or C(gate) and the name of one of O(gates).
      type: str
      returned: always
      sample: api_servers_ready
    subject:
      description: What it was judged on.
      type: str
      returned: always
      sample: control2 (192.0.2.12:6443)
    ok:
      description: Whether it was met.
      type: bool
      returned: always
      sample: true
    seen:
      description: What was there.
      type: str
      returned: always
      sample: "/readyz: 200 ok"
looks:
  description: How many looks were taken.
  type: int
  returned: always
  sample: 2
started:
  description: When the wait began.
  type: str
  returned: always
  sample: "2026-01-31T12:00:00.123Z"
finished:
  description: When the wait ended.
  type: str
  returned: always
  sample: "2026-01-31T12:00:02.223Z"
duration_s:
  description: How many seconds it took.
  type: float
  returned: always
  sample: 2.1
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.auth import AUTH_ARGUMENT_SPEC, connect
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError, ModuleBody, run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.decisions import (
    CONDITIONS,
    VERSIONED,
    Wanted,
    judge,
    sentence,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.gates import GATE_OPTIONS, OBJECT, read_gates
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.gates_io import GateLooks
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.io import ApiServers, Observer
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.waiting import wait_until_good
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

ARGUMENT_SPEC: dict[str, t.Any] = {
    "conditions": {"type": "list", "elements": "str", "default": [], "choices": list(CONDITIONS)},
    "gates": GATE_OPTIONS,
    "hold_s": {"type": "float", "default": 0},
    "node": {"type": "str"},
    "kubernetes_version": {"type": "str"},
    "ignore_nodes": {"type": "list", "elements": "str", "default": []},
    "heartbeat_after": {"type": "str", "default": ""},
    "workload_namespaces": {"type": "list", "elements": "str", "default": []},
    "ignore_workloads": {"type": "list", "elements": "str", "default": []},
    "timeout_s": {"type": "int", "default": 300},
    "interval_s": {"type": "float", "default": 2},
    "consecutive": {"type": "int", "default": 2},
}


def what_is_wanted(params: dict[str, t.Any]) -> Wanted:
    """The options as a Wanted; an EvergreenError names what does not fit together."""
    if not params["conditions"] and not params["gates"]:
        raise EvergreenError("The lists of conditions and gates are empty; a gate without conditions proves nothing.")
    if params["consecutive"] < 1 or min(params["interval_s"], params["timeout_s"], params["hold_s"]) < 0:
        raise EvergreenError("consecutive must be at least 1, and interval_s, timeout_s and hold_s at least 0.")
    if params["hold_s"] > params["timeout_s"] > 0:
        raise EvergreenError(
            f"What must hold for {params['hold_s']:g} s cannot do so within the timeout_s of {params['timeout_s']}."
        )
    version = params["kubernetes_version"]
    needing = [name for name in params["conditions"] if name in VERSIONED]
    if needing and not version:
        raise EvergreenError(f"The conditions {', '.join(needing)} need the option kubernetes_version.")
    return Wanted(
        conditions=tuple(dict.fromkeys(params["conditions"])),
        node=params["node"] or None,
        version=Version.parse(version) if version else None,
        workload_namespaces=tuple(params["workload_namespaces"]),
        ignored_workloads=frozenset(params["ignore_workloads"]),
        ignored_nodes=frozenset(params["ignore_nodes"]),
        heartbeat_after=params["heartbeat_after"],
    )


def pass_gate(module: AnsibleModule) -> dict[str, t.Any]:
    """Wait, and prove or fail."""
    params = module.params
    wanted = what_is_wanted(params)
    deadline = Deadline(0 if module.check_mode else params["timeout_s"])
    gates = read_gates(params["gates"])
    # A gate on other things than the cluster needs no way to its API.
    needs_api = bool(wanted.conditions) or any(gate.kind == OBJECT for gate in gates)
    client = connect(params) if needs_api else None
    observer = Observer(client, ApiServers(params), wanted, deadline) if client else None
    looks = GateLooks(gates, client, deadline, check_mode=module.check_mode)
    outcome = wait_until_good(
        lambda: [*(judge(wanted, observer.look()) if observer else []), *looks.look()],
        deadline=deadline,
        consecutive=params["consecutive"],
        interval_s=params["interval_s"],
        hold_s=params["hold_s"],
    )
    result = {
        "changed": False,
        "ready": outcome.ready,
        "checks": outcome.checks,
        "looks": outcome.looks,
    }
    if outcome.ready or module.check_mode:
        return result
    where = f"node {wanted.node}" if wanted.node else "the cluster" if wanted.conditions else "something"
    left = sentence(outcome.checks)
    held = f" over {params['hold_s']:g} s" if params["hold_s"] else ""
    why = left or f"the last {outcome.streak} looks were good, {params['consecutive']} in a row{held} are needed"
    raise EvergreenError(
        f"After {params['timeout_s']} s and {outcome.looks} looks {where} is not as it must be: {why}.", result=result
    )


BODY = ModuleBody(pass_gate, {"argument_spec": {**AUTH_ARGUMENT_SPEC, **ARGUMENT_SPEC}}, timed=True)


def main() -> None:
    run_module(AnsibleModule(**BODY.spec, supports_check_mode=True), BODY.act, timed=BODY.timed)


if __name__ == "__main__":
    main()
