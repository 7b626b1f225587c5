#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade_stages
short_description: Decide how far a run walks a hop of an upgrade
version_added: 0.2.0
author: The evergreen.kubeadm contributors (@evergreen-kubeadm)
description:
  - Says which nodes each stage of the first hop of a plan acts on, where the run is to stop after a stage.
  - A stage is over when the plan shows it. A run that is to stop after a stage that is over acts on no node, and the
    same run without the stop goes on from there.
  - Runs on the controller and needs no connection to the host; the task needs no C(delegate_to).
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
options:
  hops:
    description: The C(hops) of M(evergreen.kubeadm.skew_check).
    type: list
    elements: dict
    required: true
  nodes:
    description: The C(nodes) of M(evergreen.kubeadm.skew_check).
    type: list
    elements: dict
    required: true
  stop_after:
    description:
      - The stage after which the run stops, in the order of the choices; V(none) walks the whole plan.
      - V(plan) changes nothing. V(backup) saves etcd. V(prepare) has packages and images on every node.
      - V(control_plane_first) is the first control-plane node, V(control_plane) all of them.
      - V(workers_first) is the first worker. A hop that moves no worker is walked, and the next one begun.
      - V(hop) is a hop as a whole.
    type: str
    choices: [none, plan, backup, prepare, control_plane_first, control_plane, workers_first, hop]
    default: none
  here:
    description: The names of the nodes that the run may act on.
    type: list
    elements: str
    required: true
  members:
    description: The names of the nodes with a member of etcd.
    type: list
    elements: str
    default: []
  kubelets_last:
    description: Whether the kubelets of the control plane are upgraded after its last node, all of them.
    type: bool
    default: false
  all_again:
    description: Whether each node of the control plane comes again after its last one, also without its kubelet.
    type: bool
    default: false
  hooks:
    description: The hooks that the user has tasks for, the keys of C(hooks) of M(evergreen.kubeadm.upgrade_hooks).
    type: list
    elements: str
    default: []
seealso:
  - module: evergreen.kubeadm.skew_check
"""

EXAMPLES = r"""
- name: See how far the first hop is walked
  evergreen.kubeadm.upgrade_stages:
    hops: "{{ plan.hops }}"
    nodes: "{{ plan.nodes }}"
    stop_after: control_plane_first
    here: "{{ plan.nodes | map(attribute='name') | list }}"
    members: [control1, control2, control3]
  register: stages
  run_once: true
"""

RETURN = r"""
stage:
  description: The stage of O(stop_after).
  returned: success
  type: str
  sample: control_plane_first
stops:
  description: Whether something of the plan is left for another run because of the stop.
  returned: success
  type: bool
  sample: true
message:
  description: What is left and how to go on; empty where nothing is.
  returned: success
  type: str
  sample: >-
    Stopped after the stage control_plane_first of the hop 1.34.4 to 1.35.4, as upgrade_stop_after asks. Still to do:
    control plane control2, control3; workers worker1.
groups:
  description:
    - The nodes that the run acts on, in the order of the plan. C(members) are those with a member of etcd, of which one
      is backed up, C(nodes) those that are prepared, C(control_plane_again) those of the control plane that come again
      after its last node.
  returned: success
  type: dict
  sample:
    members: [control1, control2, control3]
    nodes: [control1, control2, control3, worker1]
    control_plane: [control1]
    control_plane_again: []
    workers: []
pairs:
  description: The same as pairs of node and group.
  returned: success
  type: list
  elements: list
  sample: [[control1, members], [control1, nodes], [control1, control_plane]]
hooks:
  description:
    - Those of O(hooks) that run C(before) and C(after) each node of the groups C(control_plane), C(control_plane_again)
      and C(workers), in their order.
  returned: success
  type: dict
  sample: {control_plane: {control1: {before: [pre_control_plane], after: []}}, control_plane_again: {}, workers: {}}
kubelets:
  description: The nodes of the control plane whose kubelets are upgraded with them.
  returned: success
  type: list
  elements: str
  sample: [control1]
kubelets_again:
  description: Those whose kubelets are upgraded after the last node of the control plane.
  returned: success
  type: list
  elements: str
  sample: []
completes:
  description: What of V(control_plane), V(workers) and V(hop) is whole when these nodes are done.
  returned: success
  type: list
  elements: str
  sample: []
"""
