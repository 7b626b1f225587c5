#!/usr/bin/python
# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_diagnostics
short_description: Gather what a node says about a failure
version_added: 0.2.0
description:
  - Gathers the end of what the kubelet, the container runtime, the static pods, etcd and kubeadm say on a node, with
    room on its disks, processes, manifests and the kubelet's configuration, and writes it to files on the controller.
  - Picks the few lines that name a cause, such as a full disk, an unknown flag or an image that cannot be pulled.
  - Secrets are taken out on the node, before anything leaves it - private keys, tokens, passwords, keys of clouds and
    of registries, by their form and by their names, on command lines, in variables, in configuration and in logs.
  - Bounded in time and size. A source that cannot be read is a line of the result and costs none of the others.
  - A node that cannot be reached and files that cannot be written make a warning, and no failure, since the task that
    this one follows has failed already.
  - Runs on the node as root. Python's standard library is all it needs; the Kubernetes API is not asked.
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
attributes:
  check_mode:
    details: Everything is read and returned; no file is written.
  idempotent:
    details: Never reports a change, as the record of a failure is no part of what is managed.
options:
  dest:
    description:
      - The folder on the controller for the files of this node. It gets mode 0700, and the files 0600.
      - A path with C(..) in it is refused, so that no part of it leads elsewhere.
      - Without it nothing is written.
    type: path
  failure:
    description:
      - The message of the failure. Of a component that it names, such as V(kube-apiserver), the last error is given
        where no cause is found.
    type: str
    default: ""
  minutes:
    description: How far back logs are read.
    type: int
    default: 30
  since_s:
    description:
      - How many seconds ago began what failed. Nothing that the node said before is in RV(telling), as an earlier run
        on it has had failures of its own. The files have it all the same, as far back as O(minutes).
      - A number of seconds and no time of day, so that the clocks of the node and of the controller may differ.
      - Without it all that was read counts.
    type: float
    version_added: 0.2.0
  max_kib_each:
    description: The most of one source that is kept, in KiB, from its end.
    type: int
    default: 256
  max_kib:
    description: The most of all sources together, in KiB.
    type: int
    default: 4096
  timeout_s:
    description: Seconds after which the sources that are left are left out.
    type: float
    default: 60
seealso:
  - module: evergreen.kubeadm.kubeadm_info
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
"""

EXAMPLES = r"""
- name: Gather what the node says
  evergreen.kubeadm.node_diagnostics:
    dest: artifacts/diagnostics/{{ inventory_hostname }}
    failure: "{{ ansible_failed_result.msg }}"
  become: true

- name: Have only what was said in the last five minutes name a cause
  evergreen.kubeadm.node_diagnostics:
    since_s: 300
  become: true
"""

RETURN = r"""
telling:
  description: At most four lines that name a cause, the most certain one first.
  type: list
  elements: dict
  returned: success
  contains:
    kind:
      description:
        - The cause, one of V(disk_full), V(read_only), V(out_of_memory), V(unknown_flag), V(bad_configuration),
          V(image_pull), V(certificate), V(port_in_use), V(preflight), V(panic), V(etcd_storage), V(etcd_unreachable),
          V(runtime_down), V(network_plugin), V(disk_pressure), V(crash_loop), V(api_unreachable), V(error) and
          V(unreachable).
      type: str
      sample: disk_full
    source:
      description: The source that says it.
      type: str
      sample: kubelet.log
    line:
      description: What it says.
      type: str
      sample: "write /var/lib/etcd/member/wal/0.tmp: no space left on device"
    at:
      description: When it was said, in UTC; empty where the line does not say.
      type: str
      sample: "2026-01-31T12:00:00Z"
sources:
  description: What was read.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Its name, which is that of its file.
      type: str
      sample: kubelet.log
    bytes:
      description: How many bytes of it were kept.
      type: int
      sample: 40312
    left_out:
      description: How many bytes before them were left out.
      type: int
      sample: 0
    error:
      description: Why there is nothing of it; else empty.
      type: str
      sample: ""
since:
  description: From when on what the node said counts, by its own clock, in UTC; empty where all of it does.
  type: str
  returned: when the node was reached
  sample: "2026-01-31T11:58:20.123Z"
reached:
  description: Whether the node could be reached.
  type: bool
  returned: success
  sample: true
folder:
  description: The folder with the files; empty where none were written.
  type: str
  returned: success
  sample: /srv/upgrade/artifacts/diagnostics/20260131T120000Z-4f1c/cp1
started:
  description: When the task started, in UTC.
  type: str
  returned: when the node was reached
  sample: "2026-01-31T12:00:00.123Z"
finished:
  description: When it ended, in UTC.
  type: str
  returned: when the node was reached
  sample: "2026-01-31T12:00:03.456Z"
duration_s:
  description: Seconds that it took.
  type: float
  returned: when the node was reached
  sample: 3.333
"""

import re
import typing as t
from datetime import datetime, timedelta

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline, utc_at
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.gathering import gather
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.sources import sources
from ansible_collections.evergreen.kubeadm.plugins.module_utils._diagnostics.telling import (
    Source,
    component_in,
    telling,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError, run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node

ARGUMENT_SPEC: dict[str, t.Any] = {
    "dest": {"type": "path"},
    "failure": {"type": "str", "default": ""},
    "minutes": {"type": "int", "default": 30},
    "since_s": {"type": "float"},
    "max_kib_each": {"type": "int", "default": 256},
    "max_kib": {"type": "int", "default": 4096},
    "timeout_s": {"type": "float", "default": 60},
}


def look(module: AnsibleModule) -> dict[str, t.Any]:
    """Everything with its texts; the action plugin of the same name writes them down and leaves them out."""
    params = module.params
    for name in ("minutes", "max_kib_each", "max_kib"):
        if params[name] < 1:
            raise EvergreenError(f"{name} is {params[name]}; it must be at least 1.")
    # Before anything is gathered, which takes a while.
    now = datetime.now().astimezone()
    since = None if params["since_s"] is None else now - timedelta(seconds=max(0.0, params["since_s"]))
    found = gather(
        sources(Node(), params["minutes"]),
        most_each=params["max_kib_each"] << 10,
        most_all=params["max_kib"] << 10,
        deadline=Deadline(params["timeout_s"]),
    )
    told = telling(
        [Source(each.name, each.text, _local(each.written)) for each in found],
        datetime.now().astimezone(),
        component_in(params["failure"]),
        since,
    )
    return {
        "changed": False,
        "telling": [each.as_dict() for each in told],
        "sources": [each.as_dict() for each in found],
        "since": utc_at(since.timestamp()) if since else "",
        "texts": {re.sub(r"[^\w.-]", "_", each.name): each.text for each in found if each.text},
    }


def _local(moment: float | None) -> datetime | None:
    """A time of a file in the node's zone, which is that of kubeadm's own log."""
    return None if moment is None else datetime.fromtimestamp(moment).astimezone()


def main() -> None:
    run_module(AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True), look, timed=True)


if __name__ == "__main__":
    main()
