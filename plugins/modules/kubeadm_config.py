#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_config
short_description: Set the Kubernetes version in kubeadm-config
version_added: 0.2.0
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
description:
  - Sets C(kubernetesVersion) of the ClusterConfiguration in the ConfigMap C(kube-system/kubeadm-config).
  - C(kubeadm upgrade apply) sets it in an upgrade, and nothing of kubeadm sets it back. C(kubeadm join) and C(kubeadm
    upgrade node) bring a node to the version that stands there.
  - Where somebody else changes the ConfigMap at the same moment, nothing is written and the task fails.
extends_documentation_fragment:
  - evergreen.kubeadm._auth
  - evergreen.kubeadm._auth.timeout
  - evergreen.kubeadm._attributes
attributes:
  diff_mode:
    support: full
options:
  kubernetes_version:
    description: The version, with three numbers.
    type: str
    required: true
seealso:
  - module: evergreen.kubeadm.rollback_plan
  - module: evergreen.kubeadm.etcd_bridge
"""

EXAMPLES = r"""
- name: Let kubeadm deploy the version that the control plane went back to
  evergreen.kubeadm.kubeadm_config:
    kubernetes_version: 1.34.4
  delegate_to: localhost
"""

RETURN = r"""
before:
  description: The version that stood there.
  type: str
  returned: success
  sample: v1.35.4
after:
  description: The version that stands there now. In check mode, that would.
  type: str
  returned: success
  sample: v1.34.4
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.auth import AUTH_ARGUMENT_SPEC, connect
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import ModuleBody, run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd_bridge.io import Store
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

ARGUMENT_SPEC: dict[str, t.Any] = {
    "kubernetes_version": {"type": "str", "required": True},
    "timeout_s": {"type": "int", "default": 60},
}


def bring_about(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    wanted = Version.parse(params["kubernetes_version"]).tag
    store = Store(connect(params), Deadline(params["timeout_s"]))
    configuration = store.configuration()
    before = str(configuration.get("kubernetesVersion") or "")
    if before != wanted and not module.check_mode:
        store.write_configuration({**configuration, "kubernetesVersion": wanted})
    return {
        "changed": before != wanted,
        "before": before,
        "after": wanted,
        "diff": {"before": {"kubernetesVersion": before}, "after": {"kubernetesVersion": wanted}},
    }


BODY = ModuleBody(bring_about, {"argument_spec": {**AUTH_ARGUMENT_SPEC, **ARGUMENT_SPEC}})


def main() -> None:
    run_module(AnsibleModule(**BODY.spec, supports_check_mode=True), BODY.act, timed=BODY.timed)


if __name__ == "__main__":
    main()
