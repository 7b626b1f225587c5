#!/usr/bin/python
# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: static_pods
short_description: Stop and start static pods of a node
version_added: 0.1.0
description:
  - Stops a static pod by putting its manifest aside, and starts it by putting the manifest back, as the documentation
    of Kubernetes and etcd asks for where the control plane has to stand still.
  - What counts are the processes of the pod's containers. V(stopped) waits until none is left and none comes back,
    V(running) waits until the container that is named as the manifest has one. They are found by the UID of the pod,
    whatever containers, variables and hooks the manifest has. Neither the API nor the container runtime is asked.
  - A manifest is written and synced to its new place before it is removed from the old one, so a node that loses its
    power in between has it still.
  - Runs on the node as root. Python's standard library is all it needs.
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
options:
  names:
    description: The static pods, by the names of their manifests without C(.yaml), such as V(kube-apiserver).
    type: list
    elements: str
    required: true
  state:
    description: Whether they are to be V(stopped) or V(running).
    type: str
    choices: [stopped, running]
    required: true
  manifests:
    description: The folder of the manifests, the kubelet's C(staticPodPath).
    type: path
    default: /etc/kubernetes/manifests
  kept_in:
    description: The folder where manifests are put aside. Made with mode 0700 where it does not exist.
    type: path
    default: /var/lib/evergreen-kubeadm/static-pods
  timeout_s:
    description: Seconds after which the task fails and says which static pod is not as it was to be.
    type: float
    default: 180
seealso:
  - module: evergreen.kubeadm.etcd_restore
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
"""

EXAMPLES = r"""
- name: Stop the API server of this node
  evergreen.kubeadm.static_pods:
    names: [kube-apiserver]
    state: stopped

- name: Start it again
  evergreen.kubeadm.static_pods:
    names: [kube-apiserver]
    state: running
"""

RETURN = r"""
pods:
  description: The static pods, in the order of O(names).
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Its name.
      type: str
      sample: kube-apiserver
    manifest:
      description: Where the kubelet reads its manifest.
      type: str
      sample: /etc/kubernetes/manifests/kube-apiserver.yaml
    kept:
      description: Where its manifest is while the pod is stopped.
      type: str
      sample: /var/lib/evergreen-kubeadm/static-pods/kube-apiserver.yaml
    action:
      description:
        - What was done, or would be in check mode - V(put aside), V(put back), V(forget) for a copy that was left over
          beside the manifest, or empty where nothing was.
      type: str
      sample: put aside
    pids:
      description: The processes of all its containers at the end, in check mode now.
      type: list
      elements: int
      sample: []
started:
  description: When the task started, in UTC.
  type: str
  returned: success
  sample: "2026-01-31T12:00:00.123Z"
finished:
  description: When it ended, in UTC.
  type: str
  returned: success
  sample: "2026-01-31T12:00:01.456Z"
duration_s:
  description: Seconds that it took.
  type: float
  returned: success
  sample: 12.041
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError, run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods import acting, swap_unit
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.decisions import StaticPodError


def run(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    state = params["state"]
    deadline = Deadline(params["timeout_s"])
    swap = swap_unit.running()
    if swap:
        raise StaticPodError(
            f"Static pods of this node are being replaced ({swap['purpose']}): {swap['step']}.",
            hint=f"Wait until systemctl status {swap_unit.UNIT} shows that it has ended, then run this again.",
        )
    pods = acting.look(params["names"], state, params["manifests"], params["kept_in"])
    changed = any(pod.action for pod in pods)
    if not module.check_mode:
        try:
            (acting.stop if state == "stopped" else acting.start)(pods, deadline)
        except EvergreenError as error:
            error.result.setdefault("changed", changed)
            raise
    return {
        "changed": changed,
        "pods": [pod.as_result() for pod in pods],
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": ["stopped", "running"], "required": True},
            "manifests": {"type": "path", "default": "/etc/kubernetes/manifests"},
            "kept_in": {"type": "path", "default": acting.KEPT},
            "timeout_s": {"type": "float", "default": 180},
        },
        supports_check_mode=True,
    )
    run_module(module, run, timed=True)


if __name__ == "__main__":
    main()
