#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubelet_in_place
short_description: Tell whether a kubelet can be replaced with its pods on the node
version_added: 0.2.0
description:
  - Looks at the kubelet that runs, not at the one that is installed or that the API shows, and says whether a new one
    changes its patch alone. Then the new one restarts no container.
  - It changes nothing. Whether pods are left on the node is for the user to decide.
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
  - evergreen.kubeadm._attributes.node
options:
  kubernetes_version:
    description: The version of the new kubelet, with three numbers.
    type: str
    required: true
  root:
    description: The folder that the node's files are in.
    type: path
    default: /
seealso:
  - module: evergreen.kubeadm.kubeadm_info
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
"""

EXAMPLES = r"""
- name: See whether only the patch of the kubelet changes
  evergreen.kubeadm.kubelet_in_place:
    kubernetes_version: 1.35.4
  become: true
  register: kubelet

- name: Drain the node where it must be
  evergreen.kubeadm.drain_node:
    name: worker1
  delegate_to: localhost
  when: not kubelet.in_place
"""

RETURN = r"""
in_place:
  description: Whether it can be replaced with its pods on the node.
  type: bool
  returned: success
  sample: true
running_version:
  description: The version of the kubelet that runs. Empty where none was found.
  type: str
  returned: success
  sample: 1.35.2
reason:
  description: Why it can be replaced so, or why not.
  type: str
  returned: success
  sample: only the patch changes, from 1.35.2 to 1.35.4
notes:
  description: What happens to the pods all the same, in sentences.
  type: list
  elements: str
  returned: success
  sample: []
started:
  description: When the module began, UTC.
  type: str
  returned: success
  sample: "2026-01-31T12:00:00.000Z"
finished:
  description: When the module ended, UTC.
  type: str
  returned: success
  sample: "2026-01-31T12:00:00.120Z"
duration_s:
  description: Seconds in between.
  type: float
  returned: success
  sample: 0.12
"""

import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.in_place import decide
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node


def look(module: AnsibleModule) -> dict[str, t.Any]:
    node = Node(Path(module.params["root"]))
    pid = node.kubelet_pid()
    running = node.kubelet_running_version(pid) if pid else ""
    found = decide(running, module.params["kubernetes_version"])
    return {
        "changed": False,
        **found._asdict(),
        "running_version": running,
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "kubernetes_version": {"type": "str", "required": True},
            "root": {"type": "path", "default": "/"},
        },
        supports_check_mode=True,
    )
    run_module(module, look, timed=True)


if __name__ == "__main__":
    main()
