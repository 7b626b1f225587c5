#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_packages
short_description: Install the packages of a Kubernetes version on a node
version_added: 0.2.0
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
description:
  - Installs packages by the package manager of the node, and holds them with apt. Nothing is restarted.
  - A kubelet whose program is not that of its package, as after a rollback of the node, is installed again.
  - Another package manager that runs at the same time is waited for.
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
  - evergreen.kubeadm._attributes.node
attributes:
  check_mode:
    details: Only what is installed is looked at, since the repository of the version may not be there yet.
options:
  kubernetes_version:
    description: The version of the packages, with three numbers.
    type: str
    required: true
  state:
    description:
      - V(prepared) installs kubeadm and kubectl, and downloads the kubelet.
      - V(present) installs the kubelet. The one that runs keeps running.
    type: str
    choices: [prepared, present]
    required: true
  package_manager:
    description: That of the node. M(evergreen.kubeadm.kubeadm_info) reports it.
    type: str
    choices: [apt, dnf, yum]
    required: true
  allow_downgrade:
    description: Whether an older version may take the place of a newer one.
    type: bool
    default: false
  timeout_s:
    description: Seconds for all of it.
    type: int
    default: 900
seealso:
  - module: evergreen.kubeadm.package_repository
"""

EXAMPLES = r"""
- name: Have the packages of the next version on the node
  evergreen.kubeadm.node_packages:
    kubernetes_version: 1.35.4
    state: prepared
    package_manager: apt
  become: true
"""

RETURN = r"""
started:
  description: When the module began, UTC.
  type: str
  returned: success
  sample: "2026-01-31T12:00:00.000Z"
finished:
  description: When the module ended, UTC.
  type: str
  returned: success
  sample: "2026-01-31T12:00:02.120Z"
duration_s:
  description: Seconds in between.
  type: float
  returned: success
  sample: 2.12
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node
from ansible_collections.evergreen.kubeadm.plugins.module_utils._packages.installed import KUBELET, Apt, Dnf
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

ARGUMENT_SPEC: dict[str, t.Any] = {
    "kubernetes_version": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["prepared", "present"], "required": True},
    "package_manager": {"type": "str", "choices": ["apt", "dnf", "yum"], "required": True},
    "allow_downgrade": {"type": "bool", "default": False},
    "timeout_s": {"type": "int", "default": 900},
}
TOOLS = ["kubeadm", "kubectl"]


def have(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    given: dict[str, t.Any] = {"downgrade": params["allow_downgrade"], "check_mode": module.check_mode}
    arguments = (Node(), str(Version.parse(params["kubernetes_version"])), Deadline(params["timeout_s"]))
    manager = params["package_manager"]
    packages = Apt(*arguments, **given) if manager == "apt" else Dnf(manager, *arguments, **given)
    prepare = params["state"] == "prepared"
    changed = packages.have(TOOLS, [KUBELET]) if prepare else packages.have([KUBELET], [])
    return {
        "changed": changed,
    }


def main() -> None:
    run_module(AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True), have, timed=True)


if __name__ == "__main__":
    main()
