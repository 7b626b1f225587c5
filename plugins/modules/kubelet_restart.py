#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubelet_restart
short_description: Restart the kubelet of a node and wait until it is healthy
version_added: 0.2.0
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
description:
  - Has systemd read its units anew, restarts the kubelet, and asks it on the node itself whether it is healthy.
  - For nodes without a control plane. There, M(evergreen.kubeadm.kubeadm_upgrade) restarts the kubelet together with
    the static pods.
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
  - evergreen.kubeadm._attributes.node
attributes:
  idempotent:
    support: none
    details: Each call restarts it.
options:
  timeout_s:
    description: Seconds until the kubelet must be healthy.
    type: int
    default: 120
seealso:
  - module: evergreen.kubeadm.cluster_gate
"""

EXAMPLES = r"""
- name: Restart the kubelet
  evergreen.kubeadm.kubelet_restart:
  become: true
  register: restarted

- name: Wait until the API has heard of it
  evergreen.kubeadm.cluster_gate:
    node: worker1
    conditions: [node_ready, node_heartbeat]
    heartbeat_after: "{{ restarted.restarted_at }}"
  delegate_to: localhost
"""

RETURN = r"""
version:
  description: The version of the kubelet that runs now. Empty in check mode.
  type: str
  returned: success
  sample: 1.35.4
restarted_at:
  description: When it was restarted, by the clock of the node, UTC.
  type: str
  returned: success
  sample: "2026-01-31T12:00:00.000Z"
started:
  description: When the module began, UTC.
  type: str
  returned: always
  sample: "2026-01-31T12:00:00.000Z"
finished:
  description: When the module ended, UTC.
  type: str
  returned: always
  sample: "2026-01-31T12:00:01.120Z"
duration_s:
  description: Seconds in between.
  type: float
  returned: always
  sample: 1.12
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline, utc_now
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.kubelet_service import restart
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node


def do(module: AnsibleModule) -> dict[str, t.Any]:
    version, restarted_at = (
        ("", utc_now()) if module.check_mode else restart(Node(), Deadline(module.params["timeout_s"]))
    )
    return {"changed": True, "version": version, "restarted_at": restarted_at}


def main() -> None:
    spec = {"timeout_s": {"type": "int", "default": 120}}
    run_module(AnsibleModule(argument_spec=spec, supports_check_mode=True), do, timed=True)


if __name__ == "__main__":
    main()
