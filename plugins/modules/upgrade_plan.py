#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade_plan
short_description: Show the plan of an upgrade and write it down
version_added: 0.1.0
author: The evergreen.kubeadm contributors (@evergreen-kubeadm)
description:
  - Prints what M(evergreen.kubeadm.skew_check) found as tables for people - the hops, what they cost, the findings -
    and writes it as JSON and as Markdown.
  - There are colours where Ansible has them. C(NO_COLOR), C(ANSIBLE_NOCOLOR), C(ANSIBLE_FORCE_COLOR) and an output that
    is no terminal count as everywhere in Ansible.
  - Runs on the controller and needs no connection to the host; the task needs no C(delegate_to).
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
attributes:
  check_mode:
    details: The plan is shown, and no file is written.
  idempotent:
    details: The same plan gives the same files. When the plan was made is in neither.
options:
  plan:
    description: The result of M(evergreen.kubeadm.skew_check).
    type: dict
    required: true
  json_path:
    description:
      - Where the plan goes as JSON, with the keys that M(evergreen.kubeadm.skew_check) returns.
      - Its directory is made where it does not exist, and the file is replaced as a whole.
    type: path
  markdown_path:
    description: Where the plan goes as a page of Markdown, in the same way.
    type: path
seealso:
  - module: evergreen.kubeadm.skew_check
"""

EXAMPLES = r"""
- name: Plan the upgrade
  evergreen.kubeadm.skew_check:
    kubernetes_version: 1.35.4
  delegate_to: localhost
  run_once: true
  register: plan

- name: Show the plan and write it down
  evergreen.kubeadm.upgrade_plan:
    plan: "{{ plan }}"
    json_path: artifacts/upgrade-plan.json
    markdown_path: artifacts/upgrade-plan.md
  run_once: true
"""

RETURN = r"""
verdict:
  description: Whether an upgrade could start, in a sentence.
  returned: success
  type: str
  sample: "1 blocker in the way of 1.35.4: budget-never-allows."
json_path:
  description: The file of the plan as JSON; none where it was not asked for.
  returned: success
  type: str
  sample: /srv/upgrade/artifacts/upgrade-plan.json
markdown_path:
  description: The file of the plan as Markdown; none where it was not asked for.
  returned: success
  type: str
  sample: /srv/upgrade/artifacts/upgrade-plan.md
"""
