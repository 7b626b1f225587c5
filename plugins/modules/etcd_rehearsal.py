#!/usr/bin/python
# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_rehearsal
short_description: Restore a snapshot into a scratch etcd, read it back, compare it, and throw it away
version_added: 0.1.0
description:
  - Proves a backup by restoring it. C(etcdutl) makes a scratch folder of it, an C(etcd) starts on that, every key with
    its value is read back and compared with the records of the snapshot, and all of it is removed.
  - Nothing live is touched or asked. The scratch etcd listens on Unix sockets in a folder that only the user of the
    task can enter, runs at a lower priority, and ends with the module even when that is killed.
  - Runs on a control-plane node, where both programs are in the static pod of etcd, or on any other machine that has
    them. Python's standard library is all it needs.
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
attributes:
  check_mode:
    details: The snapshot is found and proven, and nothing is restored. RV(kinds) is empty then.
options:
  path:
    description:
      - The snapshot. It may be compressed, but not encrypted.
      - Without it, the newest one of O(directory) by its name.
    type: path
  directory:
    description: The folder of the backups.
    type: path
    default: /var/backups/etcd
  label:
    description: The label of the backups to look for in O(directory). Any when not set.
    type: str
  max_age_hours:
    description:
      - Fail where the newest backup is older than this by its name, before anything is restored.
      - A schedule of rehearsals then also tells when the backups have stopped.
    type: float
  etcd:
    description:
      - The path of C(etcd). When not set, it is looked for in the C(PATH), in the running static pod of etcd and in its
        image.
    type: path
  etcdutl:
    description: The path of C(etcdutl), likewise.
    type: path
  manifests:
    description: The folder of the static pods' manifests, where the one of etcd names the image.
    type: path
    default: /etc/kubernetes/manifests
  scratch:
    description:
      - The folder for everything that is written. Made with mode 0700 where it does not exist.
      - It needs room for two copies of the snapshot, three where that is compressed.
    type: path
    default: /var/lib/evergreen-kubeadm/rehearsal
  min_free_mib:
    description: MiB that must stay free there.
    type: int
    default: 256
  timeout_s:
    description: Seconds for C(etcdutl), and for the scratch etcd to answer.
    type: float
    default: 600
seealso:
  - module: evergreen.kubeadm.etcd_snapshot
  - module: evergreen.kubeadm.etcd_restore
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
"""

EXAMPLES = r"""
- name: Rehearse the restore of the newest backup, which must be of today
  evergreen.kubeadm.etcd_rehearsal:
    directory: /var/backups/etcd
    max_age_hours: 24

- name: Rehearse the restore of a copy on the controller
  evergreen.kubeadm.etcd_rehearsal:
    path: artifacts/backup/etcd-cp3-20260131T120000123Z.db
    etcd: /opt/etcd/etcd
    etcdutl: /opt/etcd/etcdutl
    scratch: "{{ lookup('ansible.builtin.env', 'HOME') }}/.cache/rehearsal"
  delegate_to: localhost
  become: false
"""

RETURN = r"""
path:
  description: The snapshot that was rehearsed.
  type: str
  returned: success
  sample: /var/backups/etcd/etcd-production-20260131T120000123Z.db
sha256:
  description: SHA-256 of its file.
  type: str
  returned: success
  sample: 0e5c5a3f2b8f0a1f6f1d1c3f2f7f5b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6
revision:
  description: Its revision.
  type: int
  returned: success
  sample: 48213
keys:
  description: Its live keys.
  type: int
  returned: success
  sample: 1204
kinds:
  description: How many keys of each kind came back, by the first two parts of their names.
  type: dict
  returned: success
  sample: {"/registry/pods": 41, "/registry/secrets": 12}
etcd_version:
  description: The version of the scratch etcd.
  type: str
  returned: success
  sample: 3.6.5
etcdutl_version:
  description: The version of C(etcdutl).
  type: str
  returned: success
  sample: 3.6.5
bump_revision:
  description: By how much the revision was raised, as a restore does it. 0 where this C(etcdutl) cannot.
  type: int
  returned: success
  sample: 1000000000
checks:
  description: Everything that was looked at. Also returned when one of them fails.
  type: list
  elements: dict
  returned: always, where it came to looking
  contains:
    name:
      description: What was looked at.
      type: str
      sample: restored_values
    ok:
      description: Whether it is as it must be.
      type: bool
      sample: true
    seen:
      description: The evidence.
      type: str
      sample: 1204 of 1204 are records of the snapshot
started:
  description: When the task started, in UTC.
  type: str
  returned: success
  sample: "2026-01-31T12:00:00.123Z"
finished:
  description: When it ended, in UTC.
  type: str
  returned: success
  sample: "2026-01-31T12:00:03.456Z"
duration_s:
  description: Seconds that it took.
  type: float
  returned: success
  sample: 3.333
"""

import os
import typing as t
from datetime import datetime, timezone

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import programs
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.manifest import ManifestError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._restore import inspecting, rehearsal
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.acting import KEPT


def run(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    path = os.path.abspath(params["path"] or rehearsal.newest(params["directory"], params["label"] or ""))
    if params["max_age_hours"] is not None:
        rehearsal.require_young(path, params["max_age_hours"], datetime.now(timezone.utc))
    wish = rehearsal.Wish(
        path=path,
        scratch=os.path.abspath(params["scratch"]),
        etcd=params["etcd"] or "",
        etcdutl=params["etcdutl"] or "",
        pod=pod_of(params["manifests"]),
        reserve=params["min_free_mib"] << 20,
    )
    result = rehearsal.rehearse(wish, Deadline(params["timeout_s"]), check_mode=module.check_mode)
    return {
        "changed": False,
        **result,
    }


def pod_of(manifests: str) -> programs.Pod:
    """The static pod of etcd here; an empty one where this is no control-plane node."""
    try:
        return inspecting.read_etcd(inspecting.Paths(manifests, KEPT)).as_program_pod()
    except ManifestError:
        return programs.Pod()


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path"},
            "directory": {"type": "path", "default": "/var/backups/etcd"},
            "label": {"type": "str"},
            "max_age_hours": {"type": "float"},
            "etcd": {"type": "path"},
            "etcdutl": {"type": "path"},
            "manifests": {"type": "path", "default": "/etc/kubernetes/manifests"},
            "scratch": {"type": "path", "default": rehearsal.SCRATCH},
            "min_free_mib": {"type": "int", "default": 256},
            "timeout_s": {"type": "float", "default": 600},
        },
        supports_check_mode=True,
    )
    run_module(module, run, timed=True)


if __name__ == "__main__":
    main()
