#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: control_plane_rollback
short_description: Take the control plane of a node back to the version that it had before an upgrade
version_added: 0.2.0
description:
  - Puts the image tag of the version into the manifests of kube-scheduler, kube-controller-manager and kube-apiserver,
    takes C(--emulated-version) out of their commands where C(kubeadm-config) does not have it, and waits for each
    before the next until it runs at that version, is ready and answers. etcd is left alone.
  - Within a minor any patch can be gone back to. Across a minor there is a way back only while each component emulates
    the minor before, as M(evergreen.kubeadm.kubeadm_upgrade) leaves it with C(--emulated-version) in C(extra_flags);
    what runs without it may have stored what the version before cannot read, and the task fails before it changes
    anything.
  - What is done is judged by evidence - the manifests, the running pods, and the version that the node's own API server
    reports - so that a task that was killed is ended by running it again.
  - Does not install packages, pull images or change C(kubeadm-config); M(evergreen.kubeadm.kubeadm_config) does the
    latter.
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: The diff has the image tags and the flags in question. The other flags of a component are not shown.
  idempotent:
    support: full
requirements:
  - root on the node
  - Python 3.9 or newer on the node, and nothing beyond its standard library
options:
  kubernetes_version:
    description: The version to go back to, with three numbers.
    type: str
    required: true
  kubeconfig:
    description: Kubeconfig on the node, for the evidence and to read C(kubeadm-config).
    type: path
    default: /etc/kubernetes/admin.conf
  timeout_s:
    description: Seconds for all three components together. At the end of it the task fails, and changes nothing more.
    type: int
    default: 600
seealso:
  - module: evergreen.kubeadm.rollback_plan
  - module: evergreen.kubeadm.kubeadm_upgrade
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
"""

EXAMPLES = r"""
- name: See what would be changed
  evergreen.kubeadm.control_plane_rollback:
    kubernetes_version: 1.34.4
  become: true
  check_mode: true
  diff: true

- name: Take the control plane of this node back
  evergreen.kubeadm.control_plane_rollback:
    kubernetes_version: 1.34.4
  become: true
"""

RETURN = r"""
node:
  description: Name of the node.
  type: str
  returned: when the node was looked at
  sample: cp1
from:
  description: Image tag in the manifest of the API server when the task began.
  type: str
  returned: when the node was looked at
  sample: v1.35.4
to:
  description: The version to go back to.
  type: str
  returned: when the node was looked at
  sample: v1.34.4
done:
  description: Whether nothing is missing. In check mode, whether nothing would be.
  type: bool
  returned: when the node was looked at
  sample: true
missing:
  description: What is not yet seen of the component at which the task stopped, in sentences.
  type: list
  elements: str
  returned: when the node was looked at
  sample: []
components:
  description:
    - The components in the order in which they go back. C(removed) are the words of the command that it loses, and
      C(changed) whether its manifest is written anew.
  type: list
  elements: dict
  returned: when the node was looked at
  sample:
    - {name: kube-scheduler, from: v1.35.4, to: v1.34.4, removed: ["--emulated-version=1.34"], changed: true}
started:
  description: When the module began, UTC.
  type: str
  returned: always
  sample: "2026-01-31T12:00:00.000Z"
finished:
  description: When the module ended, UTC.
  type: str
  returned: always
  sample: "2026-01-31T12:01:10.000Z"
duration_s:
  description: Seconds in between.
  type: float
  returned: always
  sample: 70.0
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline, utc_now
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError, run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node
from ansible_collections.evergreen.kubeadm.plugins.module_utils._rollback.node import NodeRollback
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

ARGUMENT_SPEC: dict[str, t.Any] = {
    "kubernetes_version": {"type": "str", "required": True},
    "kubeconfig": {"type": "path", "default": "/etc/kubernetes/admin.conf"},
    "timeout_s": {"type": "int", "default": 600},
}


def take_back(module: AnsibleModule) -> dict[str, t.Any]:
    started, begin = utc_now(), time.monotonic()

    def timed(result: dict[str, t.Any]) -> dict[str, t.Any]:
        duration_s = round(time.monotonic() - begin, 3)
        return {**result, "started": started, "finished": utc_now(), "duration_s": duration_s}

    params = module.params
    try:
        target = Version.parse(params["kubernetes_version"])
        rollback = NodeRollback(Node(), target, Deadline(params["timeout_s"]), params["kubeconfig"])
        return timed(rollback.take_back(check_mode=module.check_mode))
    except EvergreenError as error:
        error.result = timed(error.result)
        raise


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    run_module(module, take_back)


if __name__ == "__main__":
    main()
