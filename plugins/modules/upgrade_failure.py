#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade_failure
short_description: Judge what the failure of a node means for the run
version_added: 0.2.0
author: The evergreen.kubeadm contributors (@evergreen-kubeadm)
description:
  - For a C(rescue). Decides whether the run stops or goes on without the task's host, and words what failed with the
    cause that the node itself names.
  - The run stops where the host cannot be spared, as a control-plane node never can. A worker is set aside as long as
    all hosts that failed in this run are no more than O(max_failed_workers).
  - Nothing is changed and nobody is asked. Secrets are in no text that is returned.
  - Runs on the controller and needs no connection to the host; the task needs no C(delegate_to).
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
options:
  task:
    description: The name of the task that failed, C(ansible_failed_task.name).
    type: str
    default: ""
  result:
    description: Its result, C(ansible_failed_result).
    type: dict
    default: {}
  can_be_spared:
    description:
      - Whether the run can do without the host, as it can without a worker whose own turn it is. Where it cannot, the
        run stops.
    type: bool
    required: true
  others:
    description: The hosts that failed in this run, those that were set aside and those that fail at the same time.
    type: list
    elements: str
    default: []
  max_failed_workers:
    description: How many workers may fail.
    type: int
    default: 0
  telling:
    description: The lines that M(evergreen.kubeadm.node_diagnostics) picked.
    type: list
    elements: dict
    default: []
  folder:
    description: Where its files are, to be named.
    type: str
    default: ""
seealso:
  - module: evergreen.kubeadm.node_diagnostics
"""

EXAMPLES = r"""
- name: Judge the failure
  evergreen.kubeadm.upgrade_failure:
    task: "{{ ansible_failed_task.name }}"
    result: "{{ ansible_failed_result }}"
    can_be_spared: true
    max_failed_workers: 1
  register: verdict
"""

RETURN = r"""
action:
  description: V(stop) or V(set_aside).
  type: str
  returned: success
  sample: set_aside
reason:
  description: Why; empty where the host cannot be spared.
  type: str
  returned: success
  sample: 1 of at most 1 workers that may fail (upgrade_max_failed_workers).
cause:
  description: The message of the task that failed.
  type: str
  returned: success
  sample: "kubelet_version of worker2: kubelet reports v1.34.4, expected v1.35.4."
hint:
  description: What it said to do next; empty where it said nothing.
  type: str
  returned: success
  sample: ""
says:
  description: What the node says about it.
  type: list
  elements: str
  returned: success
  sample: ["kubelet.log: no space left on device"]
sentence:
  description: All of this in words.
  type: str
  returned: success
  sample: "Install the kubelet with apt on worker2 failed: ... The node says: kubelet.log: no space left on device."
"""
