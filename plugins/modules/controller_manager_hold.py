#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: controller_manager_hold
short_description: Hold all controller managers of a cluster, and let them go on
version_added: 0.2.0
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
description:
  - Holds the Lease that a kube-controller-manager has to have to be at work. All of them then run and are healthy, and
    none reconciles anything. The leader of before ends its work within its renew deadline, 10 seconds, and its process,
    which its kubelet starts again.
  - Their manifests stay as they are, since C(kubeadm upgrade) needs them and their pods.
  - While they are held, pods that end are not made again, and a Service goes on sending to pods that are gone. Drain no
    node in that time.
  - A hold ends by itself after O(hold_s) where nobody renews it or gives it back.
extends_documentation_fragment:
  - evergreen.kubeadm._auth
  - evergreen.kubeadm._attributes
attributes:
  diff_mode:
    support: full
  idempotent:
    details: A hold of the same holder is renewed, which is no change.
options:
  state:
    description:
      - V(held) takes the Lease, or renews it, and waits until a leader of before has stopped.
      - V(released) gives back what this module holds, for whichever holder, and waits until a controller manager leads.
    type: str
    choices: [held, released]
    required: true
  holder:
    description: Who holds them, such as the id of a run. It stands in the Lease. Required with O(state=held).
    type: str
  hold_s:
    description: Seconds after which the controller managers go on where the hold is neither renewed nor released.
    type: int
    default: 1800
  timeout_s:
    description: Seconds for everything together.
    type: int
    default: 120
seealso:
  - module: evergreen.kubeadm.kubeadm_upgrade
"""

EXAMPLES = r"""
- name: Hold the controller managers
  evergreen.kubeadm.controller_manager_hold:
    state: held
    holder: change-4711
  delegate_to: localhost

- name: Let them go on
  evergreen.kubeadm.controller_manager_hold:
    state: released
  delegate_to: localhost
"""

RETURN = r"""
before:
  description: Who held the Lease before; empty where nobody did.
  type: str
  returned: success
  sample: cp1_0d5a1f3e-6d0f-4d6c-9d4e-7f0f3c1f2a11
after:
  description: Who holds it now. In check mode, who would; for V(released) that is not known before.
  type: str
  returned: success
  sample: evergreen-kubeadm/change-4711
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.auth import AUTH_ARGUMENT_SPEC, connect
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import ModuleBody, run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._hold import decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._hold.io import Hold

ARGUMENT_SPEC: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["held", "released"], "required": True},
    "holder": {"type": "str"},
    "hold_s": {"type": "int", "default": 1800},
    "timeout_s": {"type": "int", "default": 120},
}


def bring_about(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    hold = Hold(connect(params), Deadline(params["timeout_s"]))
    election = hold.election(strict=params["state"] == "held")
    lease = hold.read(election)
    before = after = decisions.holder_of(lease)
    if params["state"] == "held":
        # What stands against it is said in check mode, too.
        decisions.held(lease, params["holder"], params["hold_s"], "")
        after = f"{decisions.OURS}{params['holder']}"
        changed = before != after
        if not module.check_mode:
            hold.take(election, params["holder"], params["hold_s"])
    else:
        changed = decisions.is_ours(lease)
        if changed:
            after = "" if module.check_mode else hold.give_back(election)
    return {
        "changed": changed,
        "before": before,
        "after": after,
        "diff": {"before": {"holder": before}, "after": {"holder": after}},
    }


BODY = ModuleBody(
    bring_about,
    {
        "argument_spec": {**AUTH_ARGUMENT_SPEC, **ARGUMENT_SPEC},
        "required_if": [("state", "held", ("holder",))],
    },
)


def main() -> None:
    run_module(AnsibleModule(**BODY.spec, supports_check_mode=True), BODY.act, timed=BODY.timed)


if __name__ == "__main__":
    main()
