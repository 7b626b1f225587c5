#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drain_node
short_description: Drain, cordon or uncordon nodes of a Kubernetes cluster
version_added: 0.1.0
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
description:
  - Cordons nodes and evicts their pods by the eviction API, in parallel, and waits until the pods are gone.
  - Which pods are removed follows C(kubectl drain). Where one may not be removed, the task fails before the first
    eviction, names all of them, and takes its cordon back.
  - An eviction that a budget does not allow or a webhook denies is tried again, as is one that an API server did not
    answer, until the one deadline of O(delete_options.wait_timeout). The other pods go meanwhile. A deadline that
    passes is a failure that names the pods that are left, and why.
  - A pod that comes back although the node is cordoned is left there with a warning, as that of a DaemonSet is.
  - Each eviction names the UID of its pod, so that a pod with the same name that was made elsewhere is never evicted.
  - A cordon is noted in the annotation C(evergreen.kubeadm/cordoned-by) of the Node, so that any later run knows which
    cordons were made by this module.
extends_documentation_fragment:
  - evergreen.kubeadm._auth
  - evergreen.kubeadm._attributes
attributes:
  check_mode:
    details:
      - The API server is asked by evictions with C(dryRun), which budgets and admission webhooks answer as they would
        answer real ones. Each of them is judged alone, so that a budget that allows one of two evictions lets both
        pass; RV(budgets) tells that the second one will wait.
      - Fails where the real run would fail before the end of its waits, and warns of budgets that let no pod go as
        they are.
  diff_mode:
    support: full
options:
  name:
    description: The names of the Node objects. They are all cordoned first, and then drained one after the other.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(drained) cordons the nodes and removes their pods.
      - V(cordoned) keeps new pods away.
      - V(uncordoned) lets new pods come. The soft taint of M(evergreen.kubeadm.node_taint) is removed as well.
      - V(drain), V(cordon) and V(uncordon) are the same, as C(kubernetes.core.k8s_drain) calls them.
    type: str
    choices: [cordoned, drained, uncordoned, cordon, drain, uncordon]
    default: drained
  only_own:
    description:
      - With O(state=uncordoned), uncordon only what this module cordoned, in whatever run.
      - A node that somebody else cordoned is left as it is, with a warning.
    type: bool
    default: true
  run_id:
    description: Names the run in the annotation of a cordon.
    type: str
    default: ""
  pod_selectors:
    description:
      - Label selectors, such as C(app=web) or C(tier!=system). Only pods that meet all of them are removed.
    type: list
    elements: str
    default: []
  pod_rules:
    description:
      - What to do with which pods, with O(state=drained). The first rule that fits a pod counts; a pod that none fits
        is evicted, with the order 0.
      - The label C(cluster.x-k8s.io/drain) of a pod, V(skip) or V(wait-completed), wins over the rules.
      - The pods of DaemonSets and static pods are left alone as ever.
    type: list
    elements: dict
    default: []
    suboptions:
      selector:
        description: A label selector, such as C(app=web,tier in (front, back)). Without it the rule fits all pods.
        type: str
        default: ""
      namespaces:
        description: Namespaces that the rule is about. Without it, all.
        type: list
        elements: str
      behaviour:
        description:
          - V(evict) removes the pod.
          - V(skip) leaves it on the node.
          - V(wait_completed) waits until it has ended by itself, such as the pod of a job.
        type: str
        choices: [evict, skip, wait_completed]
        default: evict
      order:
        description: Pods of a lower order leave first, and all of them are gone before those of the next order go.
        type: int
        default: 0
  order_by_priority:
    description: Within an order, pods of a lower priority (C(spec.priority)) leave first.
    type: bool
    default: false
  surge_singletons:
    description:
      - Move the pod of a Deployment with one replica by a rollout, so that its new pod is Ready elsewhere before the
        old one stops. The template of the Deployment gets the annotation that C(kubectl rollout restart) sets.
      - Where its strategy, its volumes or its ports do not allow that, RV(pods[].reason) says why, and the pod is
        evicted.
      - A rollout that gets stuck is a failure. The old pod runs on then.
    type: bool
    default: false
  wait_for_volume_detach:
    description:
      - Wait until no volume is attached to the node but those of pods that stay there, after all others are gone.
    type: bool
    default: false
  unreachable_timeout:
    description:
      - Where the control plane hears nothing of the node's kubelet, do not wait longer than so many seconds for a pod
        that was asked to stop. Without it the drain waits until its deadline, and fails.
      - Dangerous. Such a pod may still be running, and nothing is deleted by force. RV(pods[].outcome) is V(abandoned),
        with a warning.
    type: int
  delete_options:
    description: How pods are removed, with O(state=drained).
    type: dict
    default: {}
    suboptions:
      ignore_daemonsets:
        description: Leave the pods of DaemonSets on the node, instead of failing because of them.
        type: bool
        default: false
      delete_emptydir_data:
        description:
          - Remove pods with C(emptyDir) volumes, whose data is lost then.
          - Those in memory, and those that the pod's annotation
            C(cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes) names, need no such leave.
        type: bool
        default: false
      force:
        description: Remove pods that no controller recreates.
        type: bool
        default: false
      disable_eviction:
        description:
          - Delete pods instead of evicting them, which no PodDisruptionBudget can prevent.
          - Dangerous. It takes down what the budgets protect.
        type: bool
        default: false
      terminate_grace_period:
        description:
          - How many seconds pods have to stop. With V(0) they are removed at once, without being asked to stop.
          - Without it, or with a negative number, each pod has its own grace period.
        type: int
      wait_timeout:
        description:
          - How many seconds the whole task may take. There is no way to wait without end.
          - With V(0) each pod is evicted by one request, and a pod that is not gone then is a failure.
        type: int
        default: 600
      wait_sleep:
        description:
          - How many seconds after an eviction that was refused for a time it is tried again. Where a webhook denies
            it again and again, the pauses grow to 30 seconds.
          - Where a budget refused it, it is tried again as soon as the status of the budget allows it, and one pod of
            the budget after so many seconds in any case.
        type: int
        default: 5
      max_parallel:
        description: How many eviction requests may be under way at the same time.
        type: int
        default: 10
seealso:
  - name: Safely drain a node
    description: What draining does to workloads, in the documentation of Kubernetes.
    link: https://kubernetes.io/docs/tasks/administer-cluster/safely-drain-node/
notes:
  - Needs the verbs C(get) and C(patch) on nodes, C(list) and C(watch) on pods, C(create) on C(pods/eviction), C(get) on
    daemonsets, C(list) and C(watch) on poddisruptionbudgets; with O(delete_options.disable_eviction) also C(delete) on
    pods; with O(surge_singletons) also C(get) on replicasets and persistentvolumeclaims, C(get) and C(patch) on
    deployments; with O(wait_for_volume_detach) also C(list) on volumeattachments and C(get) on persistentvolumeclaims.
    The file docs/rbac/drain_node.yml of the collection has them as ClusterRoles.
"""

EXAMPLES = r"""
- name: Drain a worker before its kubelet is upgraded
  evergreen.kubeadm.drain_node:
    name: worker1
    run_id: "{{ upgrade_run_id }}"
    delete_options:
      ignore_daemonsets: true
      delete_emptydir_data: true
      wait_timeout: 900
  delegate_to: localhost

- name: Drain in the order that the workloads need, and keep single pods up
  evergreen.kubeadm.drain_node:
    name: worker1
    pod_rules:
      - selector: app.kubernetes.io/component=runner
        behaviour: wait_completed
      - selector: app=rook-ceph-osd
        namespaces: [rook-ceph]
        order: 100
    surge_singletons: true
    wait_for_volume_detach: true
    delete_options:
      ignore_daemonsets: true
      delete_emptydir_data: true
  delegate_to: localhost

- name: See what a drain would do, and which budgets would hold it up
  evergreen.kubeadm.drain_node:
    name: worker1
    delete_options:
      ignore_daemonsets: true
  check_mode: true
  delegate_to: localhost
  register: foreseen

- name: Let pods come back, unless somebody else had cordoned the node before
  evergreen.kubeadm.drain_node:
    name: worker1
    state: uncordoned
  delegate_to: localhost
"""

RETURN = r"""
nodes:
  description: The nodes that were looked at.
  type: list
  elements: str
  returned: always
  sample: [worker1]
node:
  description: The node, where it is only one.
  type: str
  returned: always
  sample: worker1
cordoned_by_us:
  description: Whether all of the nodes are cordoned now, by this module in this or an earlier run.
  type: bool
  returned: always
  sample: true
cordons:
  description: The state of each node, in check mode as it would be.
  type: list
  elements: dict
  returned: always
  contains:
    node: &node
      description: The node.
      type: str
      returned: always
      sample: worker1
    unschedulable:
      description: Whether it is cordoned.
      type: bool
      returned: always
      sample: true
    by_us:
      description: Whether this module cordoned it, in this or an earlier run.
      type: bool
      returned: always
      sample: true
    run:
      description: The O(run_id) of the run that cordoned it, where it was this module.
      type: str
      returned: always
      sample: 20260131T120000Z-4f1c
    at:
      description: When, where it was this module.
      type: str
      returned: always
      sample: "2026-01-31T12:00:00.123Z"
    changed:
      description: Whether this task changed it.
      type: bool
      returned: always
      sample: true
pods:
  description:
    - Every pod of the nodes that O(pod_selectors) select, and what became of it. Empty unless O(state=drained).
  type: list
  elements: dict
  returned: always
  contains:
    node:
      description: The node that it was on.
      type: str
      returned: always
      sample: worker1
    namespace:
      description: Its namespace.
      type: str
      returned: always
      sample: shop
    name:
      description: Its name.
      type: str
      returned: always
      sample: web-7c9d8b6f5-x2x7k
    uid:
      description: Its UID.
      type: str
      returned: always
      sample: 0b2a4f6e-9d1c-4b57-8a55-0f6f2b1f9c11
    owner:
      description: Kind and name of its controller; none where it has none.
      type: str
      returned: always
      sample: ReplicaSet/web-7c9d8b6f5
    decision:
      description:
        - V(evict), V(surge) for one that a rollout moves, V(wait) for one that was terminating already,
          V(wait_completed) for one that ends by itself, V(skip) for static pods, those of DaemonSets and those that a
          label or a rule leaves alone, V(returns) for one that came after the cordon and tolerates it, or whose
          workload came back twice, or V(refuse) for one that may not be removed.
      type: str
      returned: always
      sample: evict
    order:
      description: The order that it leaves in; see O(pod_rules[].order).
      type: int
      returned: always
      sample: 0
    reason:
      description: Why.
      type: str
      returned: always
      sample: movable
    warnings:
      description: What is lost with it.
      type: list
      elements: str
      returned: always
      sample: [the data of its emptyDir volumes is lost]
    outcome:
      description:
        - V(gone), V(evicted) for one that is not gone yet, V(completed), V(abandoned) for one whose kubelet is
          unreachable, V(failed), or V(untouched). In check mode V(would_be_evicted), V(would_be_surged) or
          V(would_wait).
      type: str
      returned: always
      sample: gone
    attempts:
      description: How many evictions were tried; for one that a rollout moves, whether one was begun.
      type: int
      returned: always
      sample: 2
    surged_at:
      description: When the rollout that moves it was begun.
      type: str
      returned: always
      sample: "2026-01-31T12:00:05.323Z"
    evicted_at:
      description: When its eviction was accepted.
      type: str
      returned: always
      sample: "2026-01-31T12:00:05.323Z"
    gone_at:
      description: When it was seen to be gone.
      type: str
      returned: always
      sample: "2026-01-31T12:00:09.923Z"
    blocked_by:
      description: What last stood in the way of its eviction; none where nothing did.
      type: dict
      returned: always
      contains:
        kind:
          description:
            - V(budget), V(webhook), V(namespace) for one that is being deleted, V(flow_control), V(api_server),
              V(rollout), or V(refused) for any other refusal.
          type: str
          returned: always
          sample: budget
        name:
          description: The name of the budget or webhook, where it is known.
          type: str
          returned: always
          sample: web
        message:
          description: What the API server said.
          type: str
          returned: always
          sample: The disruption budget web needs 2 healthy pods and has 2 currently
        healthy:
          description: How many pods the budget has.
          type: int
          returned: always
          sample: 2
        needed:
          description: How many it needs.
          type: int
          returned: always
          sample: 2
budgets:
  description: The PodDisruptionBudgets that have a say in this drain, judged before the first eviction.
  type: list
  elements: dict
  returned: always
  contains:
    namespace: &namespace
      description: The namespace.
      type: str
      returned: always
      sample: shop
    name:
      description: The name.
      type: str
      returned: always
      sample: web
    verdict:
      description:
        - V(free), V(will_wait), or V(can_never_succeed) where it lets no pod go by its numbers, until somebody changes
          it or the labels of its pods.
      type: str
      returned: always
      sample: will_wait
    reason:
      description: Why.
      type: str
      returned: always
      sample: 1 of 2 needed disruptions are allowed at a time
    advice:
      description: What helps, where something must be done.
      type: str
      returned: always
      sample: Run one replica more, or lower minAvailable for the time of the drain.
    unhealthy_pods:
      description: Those of RV(budgets[].pods) that are not Ready.
      type: list
      elements: str
      returned: always
      sample: []
    unhealthy_pod_eviction_policy:
      description:
        - V(IfHealthyBudget) lets a pod that is not Ready go where the budget has all pods that it needs, V(AlwaysAllow)
          in any case.
      type: str
      returned: always
      sample: IfHealthyBudget
    pods:
      description: The pods that it protects and that are to be evicted.
      type: list
      elements: str
      returned: always
      sample: [web-7c9d8b6f5-x2x7k, web-7c9d8b6f5-9s8kq]
    disruptions_allowed:
      description: How many evictions it allows now.
      type: int
      returned: always
      sample: 1
    current_healthy:
      description: How many pods are healthy.
      type: int
      returned: always
      sample: 3
    desired_healthy:
      description: How many must be.
      type: int
      returned: always
      sample: 2
    expected_pods:
      description: How many there should be.
      type: int
      returned: always
      sample: 3
volumes:
  description: The volumes that were attached to the nodes after their pods had gone, with O(wait_for_volume_detach).
  type: list
  elements: dict
  returned: always
  contains:
    node: *node
    volume:
      description: The PersistentVolume.
      type: str
      returned: always
      sample: pvc-0b2a4f6e-9d1c-4b57-8a55-0f6f2b1f9c11
    attachment:
      description: The VolumeAttachment.
      type: str
      returned: always
      sample: csi-8f1c
    detach_error:
      description: What the CSI driver said last; none where it said nothing.
      type: str
      returned: always
      sample: the volume is in use
    detached_at:
      description: When it was seen to be detached; none where it is not.
      type: str
      returned: always
      sample: "2026-01-31T12:00:12.523Z"
left:
  description: The pods that should be gone and are not.
  type: list
  elements: dict
  returned: always
  contains:
    node: *node
    namespace: *namespace
    name:
      description: The name.
      type: str
      returned: always
      sample: web-7c9d8b6f5-x2x7k
    reason:
      description: Why it is still there.
      type: str
      returned: always
      sample: The disruption budget web needs 2 healthy pods and has 2 currently
totals:
  description: How many pods there were, by decision and by outcome, and how many evictions were tried.
  type: dict
  returned: always
  sample:
    pods: 12
    evict: 10
    surge: 0
    wait: 0
    wait_completed: 0
    skip: 2
    returns: 0
    refuse: 0
    evicted: 10
    gone: 10
    completed: 0
    abandoned: 0
    failed: 0
    attempts: 11
diff:
  description: Cordons and pods before and after.
  type: dict
  returned: always
  sample:
    before: {worker1: {unschedulable: false, by_us: false, run: null, at: null, pods: [shop/web-7c9d8b6f5-x2x7k]}}
    after: {worker1: {unschedulable: true, by_us: true, run: r1, at: "2026-01-31T12:00:00.123Z", pods: []}}
started:
  description: When the task began.
  type: str
  returned: always
  sample: "2026-01-31T12:00:00.123Z"
finished:
  description: When the task ended.
  type: str
  returned: always
  sample: "2026-01-31T12:00:09.923Z"
duration_s:
  description: How many seconds it took.
  type: float
  returned: always
  sample: 9.8
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.auth import AUTH_ARGUMENT_SPEC, connect
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.groups import POD_RULES, read_rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.io import DrainApi
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import Options
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.selectors import parse
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.work import Work, reported
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError, ModuleBody, run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._taint.io import Tainting

ARGUMENT_SPEC: dict[str, t.Any] = {
    "name": {"type": "list", "elements": "str", "required": True},
    "state": {
        "type": "str",
        "choices": ["cordoned", "drained", "uncordoned", "cordon", "drain", "uncordon"],
        "default": "drained",
    },
    "only_own": {"type": "bool", "default": True},
    "run_id": {"type": "str", "default": ""},
    "pod_selectors": {"type": "list", "elements": "str", "default": []},
    "pod_rules": POD_RULES,
    "order_by_priority": {"type": "bool", "default": False},
    "surge_singletons": {"type": "bool", "default": False},
    "wait_for_volume_detach": {"type": "bool", "default": False},
    "unreachable_timeout": {"type": "int"},
    "delete_options": {
        "type": "dict",
        "default": {},
        "options": {
            "ignore_daemonsets": {"type": "bool", "default": False},
            "delete_emptydir_data": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
            "disable_eviction": {"type": "bool", "default": False},
            "terminate_grace_period": {"type": "int"},
            "wait_timeout": {"type": "int", "default": 600},
            "wait_sleep": {"type": "int", "default": 5},
            "max_parallel": {"type": "int", "default": 10},
        },
    },
}


# k8s_drain's words for the states.
STATES = {"cordon": "cordoned", "drain": "drained", "uncordon": "uncordoned"}
DRAIN_ONLY = ("order_by_priority", "surge_singletons", "wait_for_volume_detach")


def options_from(params: dict[str, t.Any], state: str) -> Options:
    """The module's options as the drain wants them; an EvergreenError names what does not fit."""
    given = {name: value for name, value in params["delete_options"].items() if value is not None}
    grace = given.pop("terminate_grace_period", -1)
    selector = ",".join(params["pod_selectors"])
    parse(selector)
    options = Options(
        **given,
        **{name: params[name] for name in DRAIN_ONLY if name != "order_by_priority"},
        by_priority=params["order_by_priority"],
        unreachable_timeout=params["unreachable_timeout"],
        grace=grace if grace >= 0 else None,
        pod_selector=selector,
        rules=read_rules(params["pod_rules"]),
    )
    numbers = (options.wait_timeout, options.wait_sleep, options.unreachable_timeout or 0)
    if min(numbers) < 0 or options.max_parallel < 1:
        raise EvergreenError(
            "wait_timeout, wait_sleep and unreachable_timeout must be at least 0, and max_parallel at least 1."
        )
    idle = [name for name in DRAIN_ONLY if params[name]] if state != "drained" else []
    if idle:
        raise EvergreenError(f"{' and '.join(idle)} say how to drain, and the state is {state}.")
    if options.wait_for_volume_detach and selector:
        raise EvergreenError(
            "wait_for_volume_detach waits for the volumes of all pods, and pod_selectors leaves some pods on the node; "
            "give one of the two."
        )
    return options


def work_on_nodes(module: AnsibleModule) -> dict[str, t.Any]:
    """Bring the nodes into the wanted state, or fail with what there is to say."""
    params = module.params
    names = list(dict.fromkeys(params["name"]))
    if not all(name.strip() for name in names) or not names:
        raise EvergreenError("The option name must give the names of nodes, and one of them is empty.")
    state = STATES.get(params["state"], params["state"])
    options = options_from(params, state)
    client = connect(params)
    deadline = Deadline(options.wait_timeout)
    api = DrainApi(client, deadline)
    work = Work(api, options, deadline, run_id=params["run_id"], check_mode=module.check_mode)
    taints = Tainting(api, deadline, run="", check_mode=module.check_mode)

    def uncordon() -> None:
        taints.settle("absent", names, exclusive=False)
        work.uncordon(names, only_own=params["only_own"])

    action = {"cordoned": lambda: work.cordon(names), "drained": lambda: work.drain(names), "uncordoned": uncordon}
    try:
        result = reported(work, action[state])
        tainted = taints.result()
        for side, nodes in tainted["diff"].items():
            for name, words in nodes.items():
                result["diff"][side][name]["taints"] = words
        return {**result, "changed": result["changed"] or tainted["changed"]}
    finally:
        for text in work.warnings():
            module.warn(text)


BODY = ModuleBody(work_on_nodes, {"argument_spec": {**AUTH_ARGUMENT_SPEC, **ARGUMENT_SPEC}}, timed=True)


def main() -> None:
    run_module(AnsibleModule(**BODY.spec, supports_check_mode=True), BODY.act, timed=BODY.timed)


if __name__ == "__main__":
    main()
