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
  - Findings about many pods are told by namespace, and no more than 20 of one kind are told one by one.
  - Nothing is changed. docs/rbac/skew_check.yml has the rights that it needs.
extends_documentation_fragment:
  - evergreen.kubeadm._auth
  - evergreen.kubeadm._auth.timeout
  - evergreen.kubeadm._auth.findings
  - evergreen.kubeadm._attributes
options:
  kubernetes_version:
    description:
      - The version to upgrade to, such as V(1.35.4).
      - V(1.35) stands for the newest patch of that minor in O(available_versions), V(latest) for the newest version.
    type: str
    required: true
  available_versions:
    description:
      - Versions that the package repositories offer.
      - Needed where the target is more than one minor ahead. The newest one of each minor between becomes a hop.
      - M(evergreen.kubeadm.package_versions) asks the repositories.
    type: list
    elements: str
    default: []
  repository:
    description:
      - Where the run has packages from, and what became of asking there. A version of which nobody knows whether it is
        offered is a blocker where it was asked for, and a note where it was not.
      - Without this option, nothing is said of versions that O(available_versions) does not tell of.
    type: dict
    version_added: 0.2.0
    suboptions:
      url:
        description: The repository that the run names on the nodes; empty where they have their own.
        type: str
        default: ""
      key_fingerprint:
        description: The fingerprint of the key that is trusted, where one is named.
        type: str
        default: ""
      answers:
        description:
          - What became of it on each node that asked which versions there are, by its name.
          - Empty is an answer, anything else the reason why there was none.
        type: dict
        default: {}
  workers:
    description:
      - V(each_hop) upgrades the workers in each hop.
      - V(last_hop) upgrades them in the last hop, and before only where their kubelets would fall further behind the
        control plane than the version skew policy allows.
    type: str
    choices: [each_hop, last_hop]
    default: each_hop
  worker_groups:
    description:
      - Label selectors of workers, such as V(pool=batch). The workers that meet the first one are upgraded first, those
        that meet none last; one that meets several is in the first of them.
      - Name the group that matters least first.
    type: list
    elements: str
    default: []
  worker_order:
    description:
      - The order inside each group of O(worker_groups), or of all workers without groups. A node that an earlier run
        has begun always comes first.
      - V(emptiest) is the node with the fewest movable pods first, since the pods of the first one have to move twice;
        then by name.
      - V(inventory) is the order of O(inventory_nodes), or without it of O(nodes).
    type: str
    choices: [emptiest, inventory]
    default: emptiest
  patch_first:
    description:
      - Whether the newest patch of the present minor is a hop of its own before the next minor.
      - It restarts every control-plane node once more.
    type: bool
    default: false
  patch_without_drain:
    description:
      - Whether a kubelet that changes its patch alone is replaced with its pods on the node. The plan then counts no
        drain for it.
      - The option C(kubelet_patch_without_drain) of the role P(evergreen.kubeadm.kubelet#role) does it, where
        M(evergreen.kubeadm.kubelet_in_place) agrees on the node.
    type: bool
    default: false
    version_added: 0.2.0
  drain:
    description:
      - How the run drains, as the options of M(evergreen.kubeadm.drain_node) say it. What a drain would certainly stop
        at with them is a blocker.
      - The defaults are those of the role P(evergreen.kubeadm.kubelet#role).
    type: dict
    default: {}
    version_added: 0.2.0
    suboptions:
      ignore_daemonsets:
        description: Whether the pods of DaemonSets are left on the node.
        type: bool
        default: true
      delete_emptydir_data:
        description: Whether pods with C(emptyDir) volumes are removed.
        type: bool
        default: false
      force:
        description: Whether pods that no controller recreates are removed.
        type: bool
        default: false
      disable_eviction:
        description: Whether pods are deleted instead of evicted, past every budget.
        type: bool
        default: false
      surge_singletons:
        description:
          - Whether the pod of a Deployment with one replica is moved by a rollout.
          - ReplicaSets, Deployments and PersistentVolumeClaims are read then, as the optional role in
            docs/rbac/skew_check.yml allows.
        type: bool
        default: false
      wait_timeout:
        description: How many seconds the drain of a node may take.
        type: int
        default: 900
      pod_rules:
        description: What is done with which pods.
        type: list
        elements: dict
        default: []
        suboptions:
          selector:
            description: A label selector. Without it the rule fits all pods.
            type: str
            default: ""
          namespaces:
            description: Namespaces that the rule is about. Without it, all.
            type: list
            elements: str
          behaviour:
            description: V(evict) removes the pod, V(skip) leaves it, V(wait_completed) waits until it has ended.
            type: str
            choices: [evict, skip, wait_completed]
            default: evict
          order:
            description: Pods of a lower order leave first.
            type: int
            default: 0
  worker_serial:
    description:
      - How many workers of a hop are upgraded at the same time, as C(serial) of a play has it - a number, a percentage,
        or a list of them.
    type: list
    elements: str
    default: ["1"]
    version_added: 0.2.0
  etcd_bridges:
    description:
      - Tags of etcd images by the minor of etcd that they lead on from, such as V(3.5.26-0) under the key V(3.5).
      - Some minors of etcd may only be reached from a late patch of the one before. The default is the first patch that
        will do; your registry must have the image. An empty tag lets no image be used, and a finding says so.
    type: dict
    default: {}
  nodes:
    description:
      - Results of M(evergreen.kubeadm.kubeadm_info), one for each node. What is not given is not judged.
    type: list
    elements: dict
    default: []
  programs:
    description:
      - Results of M(evergreen.kubeadm.target_programs), of one host or several. Of those for another version than
        O(kubernetes_version) only the tag of the etcd image is looked at.
      - An etcd image that kubeadm of a version deploys needs no bridge before it where it is new enough itself.
      - What a program of the target says itself takes the place of the list of removed flags that this module has.
        Without it, feature gates and admission plug-ins are not judged.
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
  first_control_plane_node:
    description:
      - Name of the first control-plane node of the inventory, for RV(hops[].applies_on). The default is the first of
        O(control_plane_nodes).
      - It can be given where the names of the others are not known.
    type: str
    version_added: 0.2.0
  etcd_members:
    description:
      - Results of M(evergreen.kubeadm.etcd_member) with C(state=observed), one for each control-plane node, so that it
        is seen whether all of them see the same members. What is not given is not judged.
      - The data of the members is compared where they were asked with C(hash_kv).
    type: list
    elements: dict
    default: []
  backups:
    description:
      - Results of M(evergreen.kubeadm.etcd_snapshot) with C(state=saved) in check mode, by the names of the
        control-plane nodes, for what a run would stop at when it saves a backup. What is not given is not judged.
    type: dict
    default: {}
    version_added: 0.2.0
  without_backup:
    description: Whether the run saves no backup, which is a finding then.
    type: bool
    default: false
    version_added: 0.2.0
  addons:
    description:
      - Entries for the table of addons and the minors of Kubernetes that they support. An entry replaces that of the
        same name.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name, for the finding.
        type: str
        required: true
      image:
        description: The end of its image's name, without registry and tag, such as V(metallb/controller).
        type: str
        required: true
      versions:
        description: What its versions support.
        type: list
        elements: dict
        default: []
        suboptions:
          version:
            description: How the versions begin, such as V(0.14). The longest that fits counts.
            type: str
            required: true
          kubernetes_min:
            description: The first minor, such as V(1.32). Without it, any.
            type: str
          kubernetes_max:
            description: The last minor, such as V(1.35). Without it, any newer one.
            type: str
      source:
        description: Where this is published.
        type: str
        default: ""
  helm_releases:
    description:
      - Look into the deployed Helm releases for versions of APIs that the target does not serve. Needs the right to
        list the Secrets of all namespaces. Of their contents only C(apiVersion) and C(kind) are looked at.
    type: bool
    default: true
  rollback_safe:
    description:
      - Plan the first part of an upgrade that can be taken back. The control plane alone goes to the target and
        emulates the minor before (C(--emulated-version)); kubelets, workers, etcd and addons wait.
      - Where such an upgrade could not be taken back, a finding says so.
    type: bool
    default: false
    version_added: 0.2.0
  finalize:
    description:
      - Plan the second part, after which there is no way back. The emulation goes, and what waited is upgraded.
      - Without this and O(rollback_safe), a control plane that emulates is a finding.
    type: bool
    default: false
    version_added: 0.2.0
  skip_phases:
    description: Phases of C(kubeadm upgrade) that the run leaves out on control-plane nodes, such as V(addon/coredns).
    type: list
    elements: str
    default: []
    version_added: 0.2.0
  control_plane_ignored_checks:
    description: Preflight checks of kubeadm that the run ignores on control-plane nodes, such as V(SystemVerification).
    type: list
    elements: str
    default: []
    version_added: 0.2.0
  worker_ignored_checks:
    description: The same for workers.
    type: list
    elements: str
    default: []
    version_added: 0.2.0
  pool_label:
    description:
      - The label of worker nodes whose value names the pool that they belong to, for RV(cost).
      - Without it, and for nodes that do not have it, the workers are one pool. The control plane always is one.
    type: str
  soft_taint:
    description:
      - Whether the run keeps moved pods away from nodes that are yet to be drained, with
        M(evergreen.kubeadm.node_taint), for RV(cost.expected_moves).
    type: bool
    default: true
  journals:
    description:
      - Journals of earlier runs, as M(evergreen.kubeadm.upgrade_journal) writes them, on the host where this task runs.
        The seconds of their steps are what RV(cost.time) is made of.
      - Files that are not there, or cannot be read, are left out.
    type: list
    elements: path
    default: []
  settle_s:
    description:
      - For how many seconds one who waits looks again where RV(settling) says so, from the first look on. With V(0) it
        never does. This module itself does not wait.
    type: int
    default: 0
    version_added: 0.2.0
  settle_until:
    description: RV(settling.until) of the look before. Without it, this is the first one.
    type: float
    version_added: 0.2.0
  fail_on_blockers:
    description: Fail where a blocker is found that is not accepted.
    type: bool
    default: false
seealso:
  - module: evergreen.kubeadm.kubeadm_info
  - module: evergreen.kubeadm.package_versions
  - module: evergreen.kubeadm.etcd_bridge
  - module: evergreen.kubeadm.target_programs
  - module: evergreen.kubeadm.etcd_member
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

- name: Plan with what etcd says on each control-plane node, and with an addon of your own
  evergreen.kubeadm.skew_check:
    kubernetes_version: 1.35.4
    etcd_members: "{{ groups['kube_control_plane'] | map('extract', hostvars, 'etcd') | list }}"
    addons:
      - name: MetalLB
        image: metallb/controller
        versions:
          - version: "0.15"
            kubernetes_min: "1.32"
            kubernetes_max: "1.35"
        source: https://wiki.example.org/platform/metallb
  delegate_to: localhost
  run_once: true

- name: Plan a way over several minors, and stop where something is in the way
  evergreen.kubeadm.skew_check:
    kubernetes_version: 1.36.3
    available_versions: [1.34.4, 1.35.3, 1.35.4, 1.36.3]
    workers: last_hop
    etcd_bridges: {"3.5": 3.5.27-0}
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
  description:
    - Whether anything is left to do, be it only to take off the soft taint of an earlier run, to put back what a
      run left that was cut off (RV(cut_off)), or to remove the Lease of one that failed.
  type: bool
  returned: always
  sample: true
cut_off:
  description:
    - A run that has not given its lock (M(evergreen.kubeadm.upgrade_lock)) back, and cannot be at work any more. The
      lock has expired, or is of a process that is seen, from where this module runs, to be gone. None where there is
      no lock, or its run may be alive.
  type: dict
  returned: always
  contains:
    run_id: &run_id
      description: The run that was cut off.
      type: str
      returned: always
      sample: 20260131T120000Z-4f1c
    since: &since
      description: When it took the lock, on the clock of the API server; may be empty.
      type: str
      returned: always
      sample: "2026-01-31T12:00:00.000000Z"
    reason:
      description: By what it is known to have ended, V(expired) or V(controller_gone).
      type: str
      returned: always
      sample: controller_gone
  sample: null
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
      description: Workers that are upgraded in this hop, in the order in which they are.
      type: list
      elements: str
      returned: always
      sample: [worker1]
    kubelets:
      description: Nodes whose kubelets are upgraded in this hop, which are drained for that.
      type: list
      elements: str
      returned: always
      sample: [control1, control2, worker1]
    in_place:
      description: Those of RV(hops[].kubelets) that are not drained, by O(patch_without_drain).
      type: list
      elements: str
      returned: always
      sample: []
    kubelets_later:
      description: Those of RV(hops[].kubelets) of the control plane that reach the API by another address than that of
        the API server beside them, such as a load balancer's. They follow the last API server of the hop.
      type: list
      elements: str
      returned: always
      sample: []
    apply_needed:
      description: Whether the first of RV(hops[].control_plane) needs C(kubeadm upgrade apply), since C(kubeadm-config)
        or the addons are not at this version.
      type: bool
      returned: always
      sample: true
    applies_on:
      description:
        - The node that runs C(kubeadm upgrade apply), which is the first of RV(hops[].control_plane); none where all of
          them run C(kubeadm upgrade node).
        - It is that node where RV(hops[].apply_needed), and also where it is O(first_control_plane_node) and the
          version changes, so that what a killed run left undone is done as well.
      type: str
      returned: always
      sample: control1
    etcd:
      description: The etcd minor before and after this hop; none where etcd is external.
      type: dict
      returned: always
      sample: {from_minor: "3.6", to_minor: "3.6"}
    etcd_image_tag:
      description:
        - Tag of the etcd image that C(kubeadm-config) has to name for this hop; empty where kubeadm's own is right.
        - A hop of etcd alone has the same version in RV(hops[].from) and RV(hops[].to).
      type: str
      returned: always
      sample: ""
    rollback_safe:
      description: Whether this is the first part of an upgrade that can be taken back.
      type: bool
      returned: always
      sample: false
    extra_flags:
      description: Flags that the components get for the time until it is finalized, by component.
      type: dict
      returned: always
      sample: {}
    absent_addons:
      description:
        - Addons of kubeadm that the cluster does not have, V(kube-proxy) and V(coredns), where kubeadm of this version
          has a phase that deploys them and can be skipped.
      type: list
      elements: str
      returned: always
      sample: []
not_ready:
  description:
    - What was not ready when the upgrade began and what is only warned of or accepted, by the subject of its finding,
      with the names of nodes. M(evergreen.kubeadm.upgrade_lock) keeps it for the gates, which do not wait for it.
  type: dict
  returned: always
  sample: {"daemonset/kube-system/exporter": [worker1], "node/worker9": [worker9]}
way_back:
  description:
    - How far an upgrade is that can be taken back, by the flags of the running static pods. C(state) is V(none),
      V(soaking) where the whole control plane is at the target and emulates C(minor), or V(partial).
    - C(nodes) are the control-plane nodes that emulate.
  type: dict
  returned: always
  sample: {state: soaking, minor: "1.34", nodes: [control1]}
nodes:
  description: The nodes of the cluster, control plane first.
  type: list
  elements: dict
  returned: always
  contains:
    host:
      description: The host of the inventory that is this node, by O(inventory_hosts). Empty where it is not known.
      type: str
      returned: always
      sample: cp1
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
    stale_cordon_mark:
      description: Whether it has the mark of a cordon of this tool that is not there any more.
      type: bool
      returned: always
      sample: false
    tainted_by:
      description:
        - The run whose taint of M(evergreen.kubeadm.node_taint) it has, empty where that names none; none without the
          taint.
      type: str
      returned: always
      sample: 20260131T120000Z-4f1c
    movable_pods:
      description: How many pods a drain of it would move.
      type: int
      returned: always
      sample: 12
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
image_repository:
  description: Where kubeadm takes its images from, as C(kubeadm-config) says; empty where it says nothing.
  type: str
  returned: always
  sample: registry.k8s.io
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
      description:
        - What it is about. Where there are more than 20 findings of one id and severity, the last of them tells of all
          that are left, and its subject is how many these are, such as V(481 more).
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
    page:
      description: The page about findings of this RV(findings[].id), with what it means and what to do.
      type: str
      returned: always
      sample: https://github.com/evergreen-kubeadm/evergreen.kubeadm/blob/main/docs/findings/budget-never-allows.md
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
refusal:
  description: What each blocker is about and what was seen, in one sentence; empty where there is none.
  type: str
  returned: always
  sample: "1 blocker found, nothing was changed: node-not-ready (node/worker1): KubeletNotReady."
settling:
  description:
    - Whether to look again in a moment; none where the findings are to be taken as they are.
    - It is worth it within O(settle_s), where a run was cut off (RV(cut_off)), and all blockers are of kinds that can
      pass by themselves, such as a static pod that restarts. The page of a finding says whether it can.
  type: dict
  returned: always
  contains:
    run_id: *run_id
    since: *since
    why:
      description: Why it is looked at again, and at what, in sentences.
      type: str
      returned: always
      sample: "Run 20260131T120000Z-4f1c was cut off: its lock kube-system/evergreen-kubeadm-upgrade, taken at
        2026-01-31T12:00:00.000000Z, is of a process that is gone."
    wait_s:
      description: After how many seconds.
      type: int
      returned: always
      sample: 10
    until:
      description: When it is over, for O(settle_until) of the next look. A time of the monotonic clock of this host.
      type: float
      returned: always
      sample: 81422.01
  sample: null
cost:
  description:
    - What the plan costs.
    - Pods are those that a drain moves - not static ones, those of DaemonSets, or finished ones.
  type: dict
  returned: always
  contains:
    hops:
      description: How many nodes of each role a hop takes away, one after the other.
      type: list
      elements: dict
      returned: always
      sample: [{to: 1.35.4, control_plane: 3, workers: 2}]
    drains:
      description: How many drains that is, over all hops.
      type: int
      returned: always
      sample: 5
    in_place:
      description: How many kubelets are replaced with their pods on the node, over all hops.
      type: int
      returned: always
      sample: 0
    pods:
      description: How many pods are on the nodes that are drained.
      type: int
      returned: always
      sample: 34
    moves:
      description: How often pods move at the least, which is once for each hop that drains their node.
      type: int
      returned: always
      sample: 34
    expected_moves:
      description:
        - How often they move where the scheduler spreads the pods of a drained node evenly over the others of its
          pool; with O(soft_taint), over those that are not to be drained in this hop any more, where there are any.
          Some come to a node that is yet to be drained.
      type: float
      returned: always
      sample: 51.5
    pools:
      description: The same by pool of nodes; see O(pool_label).
      type: list
      elements: dict
      returned: always
      sample:
        - {name: workers, nodes: 2, drains: 2, pods: 20, moves: 20, expected_moves: 30.0}
    budgets:
      description:
        - PodDisruptionBudgets over these pods that hold a drain up, with C(budget), C(state), C(pods) and C(why).
        - A C(state) of V(never) lets no pod go by its numbers, V(waits) lets none go as things are, V(in_turn) has more
          of its pods on one node, or on the workers that are upgraded together, than may be away at once.
      type: list
      elements: dict
      returned: always
      sample:
        - budget: shop/cart
          state: in_turn
          pods: 6
          why: "3 of its pods are on worker1 and 1 may be away at once: 3 turns"
    singletons:
      description: Pods that nothing stands in for while they move, the longest first.
      type: list
      elements: dict
      returned: always
      contains:
        pod:
          description: The pod.
          type: str
          returned: always
          sample: shop/db-0
        owner:
          description: Its controller; none where it has none.
          type: str
          returned: always
          sample: StatefulSet/db
        node:
          description: The node that it is on.
          type: str
          returned: always
          sample: worker1
        times:
          description: In how many hops this node is drained.
          type: int
          returned: always
          sample: 1
        comes_back:
          description: Whether something makes it anew.
          type: bool
          returned: always
          sample: true
        start_s:
          description:
            - How many seconds it took from being scheduled to being Ready, by its conditions.
            - None where that cannot be told, as for a pod whose containers were started again.
          type: float
          returned: always
          sample: 12.0
        down_s:
          description: For about how long it is down each time; none where that cannot be told.
          type: float
          returned: always
          sample: 12.0
        grace_s:
          description:
            - For how many seconds more at the most, since the pod of a StatefulSet is made anew only when the old one
              has ended. V(0) for others.
          type: float
          returned: always
          sample: 30.0
    time:
      description: An estimate of how long the run takes, one node after the other.
      type: dict
      returned: always
      contains:
        seconds:
          description: The estimate.
          type: int
          returned: always
          sample: 950
        measured_share:
          description: Which share of it is from steps that were measured; the rest is guessed.
          type: float
          returned: always
          sample: 0.97
        runs:
          description: How many of O(journals) had entries.
          type: int
          returned: always
          sample: 1
        parts:
          description:
            - What it is made of, by step and C(kind) of node (V(first_control_plane), V(control_plane), V(worker)).
            - C(source) is V(measured), with the median of so many C(samples), or V(guess).
          type: list
          elements: dict
          returned: always
          sample:
            - step: drain
              kind: worker
              count: 2
              seconds_each: 14.2
              seconds: 28.4
              source: measured
              samples: 2
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

import gc
import os
import time
import typing as t
from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.auth import AUTH_ARGUMENT_SPEC, connect
from ansible_collections.evergreen.kubeadm.plugins.module_utils._controller import look
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.groups import POD_RULES, read_rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import Options
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.selectors import parse
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError, ModuleBody, run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.io import ApiServers
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.cut_off import cut_off_run, lock_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.decisions import recorded_controller
from ansible_collections.evergreen.kubeadm.plugins.module_utils._plan.cost import cost_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._plan.refusal import blockers_told
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report import journal
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.acceptance import ACCEPTED_FINDINGS
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.decisions import decide
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.drains import foresee
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.hosts import read_host
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import DRAIN, Repository, Request
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.objects import Wanted
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.observe import Reader
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.programs import etcd_images
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.settling import settle
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.state import node_states
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.targets import target_version
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

ARGUMENT_SPEC: dict[str, t.Any] = {
    "kubernetes_version": {"type": "str", "required": True},
    "available_versions": {"type": "list", "elements": "str", "default": []},
    "repository": {
        "type": "dict",
        "options": {
            "url": {"type": "str", "default": ""},
            "key_fingerprint": {"type": "str", "default": "", "no_log": False},
            "answers": {"type": "dict", "default": {}},
        },
    },
    "workers": {"type": "str", "choices": ["each_hop", "last_hop"], "default": "each_hop"},
    "worker_groups": {"type": "list", "elements": "str", "default": []},
    "worker_order": {"type": "str", "choices": ["emptiest", "inventory"], "default": "emptiest"},
    "patch_first": {"type": "bool", "default": False},
    "patch_without_drain": {"type": "bool", "default": False},
    "drain": {
        "type": "dict",
        "default": {},
        "options": {
            "ignore_daemonsets": {"type": "bool", "default": True},
            "delete_emptydir_data": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
            "disable_eviction": {"type": "bool", "default": False},
            "surge_singletons": {"type": "bool", "default": False},
            "wait_timeout": {"type": "int", "default": 900},
            "pod_rules": POD_RULES,
        },
    },
    "worker_serial": {"type": "list", "elements": "str", "default": ["1"]},
    "etcd_bridges": {"type": "dict", "default": {}},
    "nodes": {"type": "list", "elements": "dict", "default": []},
    "programs": {"type": "list", "elements": "dict", "default": []},
    "inventory_nodes": {"type": "list", "elements": "str"},
    "inventory_hosts": {"type": "dict", "default": {}},
    "control_plane_nodes": {"type": "list", "elements": "str"},
    "first_control_plane_node": {"type": "str"},
    "etcd_members": {"type": "list", "elements": "dict", "default": []},
    "backups": {"type": "dict", "default": {}},
    "without_backup": {"type": "bool", "default": False},
    "addons": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "image": {"type": "str", "required": True},
            "versions": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "version": {"type": "str", "required": True},
                    "kubernetes_min": {"type": "str"},
                    "kubernetes_max": {"type": "str"},
                },
            },
            "source": {"type": "str", "default": ""},
        },
    },
    "helm_releases": {"type": "bool", "default": True},
    "rollback_safe": {"type": "bool", "default": False},
    "finalize": {"type": "bool", "default": False},
    "skip_phases": {"type": "list", "elements": "str", "default": []},
    "control_plane_ignored_checks": {"type": "list", "elements": "str", "default": []},
    "worker_ignored_checks": {"type": "list", "elements": "str", "default": []},
    "accepted_findings": ACCEPTED_FINDINGS,
    "pool_label": {"type": "str"},
    "soft_taint": {"type": "bool", "default": True},
    "journals": {"type": "list", "elements": "path", "default": []},
    "settle_s": {"type": "int", "default": 0},
    "settle_until": {"type": "float"},
    "fail_on_blockers": {"type": "bool", "default": False},
    "timeout_s": {"type": "int", "default": 60},
}


def drain_options(given: dict[str, t.Any]) -> Options:
    """The options of a drain that change what is judged of it."""
    known = {name: value for name, value in given.items() if value is not None}
    rules = read_rules(known.pop("pod_rules", []))
    return replace(DRAIN, rules=rules, **known)


def check(module: AnsibleModule) -> dict[str, t.Any]:
    """Read, decide, and shape the result."""
    params = module.params
    # Millions of small objects are read and kept until the process ends, which is soon. Looking for cycles among them
    # again and again would take most of the time, and more of it the larger the cluster is.
    gc.disable()
    if params["rollback_safe"] and params["finalize"]:
        raise EvergreenError(
            "rollback_safe and finalize were both given, and they are the two parts of an upgrade.",
            hint="Give the one that is to be next.",
        )
    available = [Version.parse(text) for text in params["available_versions"]]
    repository = Repository(**params["repository"]) if params["repository"] else None
    unanswered = [error for error in repository.answers.values() if error] if repository else []
    hosts = [host for host in (read_host(result) for result in params["nodes"]) if host is not None]
    request = Request(
        target=target_version(params["kubernetes_version"], available, "; ".join(sorted(set(unanswered)))),
        available=available,
        repository=repository,
        workers=params["workers"],
        worker_order=params["worker_order"],
        worker_groups=[parse(selector) for selector in params["worker_groups"]],
        places=params["inventory_nodes"] or [host.name for host in hosts],
        patch_first=params["patch_first"],
        patch_without_drain=params["patch_without_drain"],
        etcd_bridges={str(minor): str(tag or "") for minor, tag in params["etcd_bridges"].items()},
        inventory=params["inventory_nodes"],
        inventory_hosts=params["inventory_hosts"],
        control_plane=params["control_plane_nodes"],
        first_control_plane=params["first_control_plane_node"],
        etcd_images=etcd_images(params["programs"]),
        etcd_members=params["etcd_members"],
        backups=params["backups"],
        without_backup=params["without_backup"],
        addons=params["addons"],
        rollback_safe=params["rollback_safe"],
        finalize=params["finalize"],
        drain=drain_options(params["drain"]),
        worker_serial=params["worker_serial"],
        skip_phases=params["skip_phases"],
        ignored_checks={
            "control_plane": params["control_plane_ignored_checks"],
            "worker": params["worker_ignored_checks"],
        },
    )
    wanted = Wanted(request.target.minor, params["helm_releases"], request.drain.surge_singletons)
    cluster = Reader(connect(params), ApiServers(params), Deadline(params["timeout_s"]), wanted).read()
    cut_off = cut_off_run(cluster.leases, look(recorded_controller(lock_of(cluster.leases))))
    verdict = decide(
        cluster,
        hosts,
        request,
        params["accepted_findings"],
        now=time.time(),
        programs=params["programs"],
        cut_off=cut_off,
    )
    result: dict[str, t.Any] = {
        "changed": False,
        **verdict,
        "settling": settle(
            verdict["findings"],
            cut_off,
            now=time.monotonic(),
            within_s=params["settle_s"],
            until=params["settle_until"],
        ),
        "cost": cost_of(
            cluster,
            node_states(cluster),
            verdict["hops"],
            judged_budgets=foresee(cluster, verdict["hops"], request).budgets,
            pool_label=params["pool_label"],
            soft_taint=params["soft_taint"],
            backup=not params["without_backup"],
            journals=[journal.read(path) for path in params["journals"] if os.access(path, os.R_OK)],
        ),
    }
    if params["fail_on_blockers"] and verdict["blockers"]:
        told = blockers_told(verdict["findings"])
        raise EvergreenError(
            f"{verdict['blockers']} findings stand in the way of {verdict['target']}: {told}.",
            hint="Each finding has a remedy. One that does not matter here can be accepted by its id with a reason.",
            result=result,
        )
    return result


BODY = ModuleBody(check, {"argument_spec": {**AUTH_ARGUMENT_SPEC, **ARGUMENT_SPEC}}, timed=True)


def main() -> None:
    run_module(AnsibleModule(**BODY.spec, supports_check_mode=True), BODY.act, timed=BODY.timed)


if __name__ == "__main__":
    main()
