#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_bridge
short_description: Have kubeadm deploy a certain etcd for one hop of an upgrade
version_added: 0.2.0
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
description:
  - Sets C(etcd.local.imageTag) in the ConfigMap C(kubeadm-config), so that the next C(kubeadm upgrade) on each
    control-plane node brings its member to that version of etcd, and takes it out again.
  - Some minors of etcd may only be reached from a late patch of the one before, which no version of kubeadm deploys by
    itself. M(evergreen.kubeadm.skew_check) says which image a hop needs.
  - What was set is recorded in the ConfigMap C(kube-system/evergreen-kubeadm-etcd-bridge). Only that is ever taken out;
    an image that somebody else named stays.
  - No member is changed by this module.
extends_documentation_fragment:
  - evergreen.kubeadm._auth
  - evergreen.kubeadm._auth.timeout
  - evergreen.kubeadm._attributes
attributes:
  diff_mode:
    support: full
options:
  state:
    description:
      - V(present) sets the tag, V(absent) takes out one that this module has set.
    type: str
    choices: [present, absent]
    default: present
  image_tag:
    description:
      - Tag of the etcd image, such as V(3.5.26-0), in the repository of kubeadm's images.
      - Required where O(state=present).
    type: str
seealso:
  - module: evergreen.kubeadm.skew_check
  - module: evergreen.kubeadm.kubeadm_upgrade
"""

EXAMPLES = r"""
- name: Let the members pass 3.5.26 on the way to 3.6
  evergreen.kubeadm.etcd_bridge:
    image_tag: 3.5.26-0
  delegate_to: localhost
  run_once: true

- name: Let kubeadm choose its own etcd again
  evergreen.kubeadm.etcd_bridge:
    state: absent
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
before:
  description: The tag that stood in kubeadm-config; empty where kubeadm took its own etcd.
  type: str
  returned: always
  sample: ""
after:
  description: The tag that stands there now, or would.
  type: str
  returned: always
  sample: 3.5.26-0
recorded:
  description: The tag that is recorded as set by this module; empty where there is none.
  type: str
  returned: always
  sample: 3.5.26-0
diff:
  description: The tag before and after.
  type: dict
  returned: always
  sample: {before: {imageTag: ""}, after: {imageTag: 3.5.26-0}}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.auth import AUTH_ARGUMENT_SPEC, connect
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError, ModuleBody, run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd_bridge import decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd_bridge.io import Store
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import version_or_none

ARGUMENT_SPEC: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "image_tag": {"type": "str"},
    "timeout_s": {"type": "int", "default": 60},
}


def bring_about(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    tag = params["image_tag"] or ""
    if params["state"] == "present" and version_or_none(tag) is None:
        raise EvergreenError(
            f"The image_tag {tag!r} is no version of etcd.", hint="Write it as the registry has it: 3.5.26-0."
        )
    store = Store(connect(params), Deadline(params["timeout_s"]))
    configuration, recorded = store.configuration(), store.record()
    before = decisions.image_tag(configuration)
    if params["state"] == "present":
        if not decisions.has_stacked_etcd(configuration):
            raise EvergreenError("The etcd of this cluster is external, and kubeadm deploys none.")
        change = decisions.set_bridge(configuration, recorded, tag)
    else:
        change = decisions.remove_bridge(configuration, recorded)
    if not module.check_mode:
        if change.record:
            store.write_record(change.record)
        if change.configuration is not None:
            store.write_configuration(change.configuration)
        if change.record == "":
            store.remove_record()
    after = before if change.configuration is None else decisions.image_tag(change.configuration)
    return {
        "changed": change.configuration is not None or change.record is not None,
        "before": before,
        "after": after,
        "recorded": recorded if change.record is None else change.record,
        "diff": {"before": {"imageTag": before}, "after": {"imageTag": after}},
    }


BODY = ModuleBody(
    bring_about,
    {
        "argument_spec": {**AUTH_ARGUMENT_SPEC, **ARGUMENT_SPEC},
        "required_if": [("state", "present", ("image_tag",))],
    },
)


def main() -> None:
    run_module(AnsibleModule(**BODY.spec, supports_check_mode=True), BODY.act, timed=BODY.timed)


if __name__ == "__main__":
    main()
