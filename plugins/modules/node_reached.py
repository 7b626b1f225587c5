#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_reached
short_description: Fail where a node cannot be reached
version_added: 0.2.0
author: The evergreen.kubeadm contributors (@evergreen-kubeadm)
description:
  - Makes a host that cannot be reached a failure. Ansible drops such a host, runs no C(rescue) for it, and ends the
    playbook at once where it was the only host of its batch.
  - Without O(results), the host is asked for an answer. With it, nobody is asked, and the task fails where a task
    before it could not reach its host and went on, since it has C(ignore_unreachable).
  - The modules of this collection that C(upgrade.yml) and C(rollback.yml) run on nodes need no such task. During a run,
    as long as the variable C(upgrade_run_id) is there, they fail by themselves where their host cannot be reached,
    unless the task has C(ignore_unreachable). Elsewhere they are unreachable, as any module.
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
options:
  results:
    description: What tasks with C(ignore_unreachable) registered.
    type: list
    elements: dict
seealso:
  - module: ansible.builtin.ping
"""

EXAMPLES = r"""
- name: Install the kubelet
  ansible.builtin.apt:
    name: kubelet=1.35.4-*
  register: installed
  ignore_unreachable: true

- name: Stop where the node could not be reached
  evergreen.kubeadm.node_reached:
    results: ["{{ installed }}"]

- name: See whether the node answers
  evergreen.kubeadm.node_reached:
"""

RETURN = r"""
reached:
  description: Whether the host could be reached.
  type: bool
  returned: always
  sample: true
"""
