#!/usr/bin/python
# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubelet_flags
short_description: Give the kubelet flags for a time
version_added: 0.1.0
description:
  - Restarts the kubelet with more flags, such as C(sync-frequency), and without them later. A restart of the same
    version restarts no container.
  - The flags are in a drop-in of the unit below C(/run), so that a node that boots has none of them, whatever became of
    the run that set them. Nothing that kubeadm or the administrator wrote is changed.
  - The unit must start the kubelet with C($KUBELET_EXTRA_ARGS), as kubeadm's packages do. Where it does not, the
    kubelet stays as it is, and RV(note) says so.
  - A kubelet of another version than the installed one is never restarted by this module. It would be an upgrade.
  - Runs on the node as root. Python's standard library is all it needs.
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - V(restarted) restarts the kubelet each time.
options:
  state:
    description:
      - Whether the kubelet is to have O(flags), or is to be without any that this module gave it.
      - V(known) restarts nothing. Where the kubelet has such flags, it leaves those that the installed kubelet does not
        know out of its next start, which would fail with them. O(verbosity) comes with that start.
      - V(restarted) restarts the kubelet with the flags that it has. One whose API server was away asks for its pods
        anew after ever longer pauses (client-go, C(Reflector)), up to a minute, until it was there for two minutes. A
        restarted one asks at once.
    type: str
    choices: [present, absent, known, restarted]
    default: present
  flags:
    description:
      - Flags without their dashes, and their values. Those that C(kubelet --help) does not name are left out.
    type: dict
    default: {}
  verbosity:
    description:
      - Level that the kubelet's log is raised to, by one more flag C(v) after its own. One that logs as much or more by
        its own flags or configuration is left as it is.
      - V(0) raises nothing.
    type: int
    default: 0
  timeout_s:
    description: Seconds for the kubelet to be healthy again.
    type: float
    default: 60
seealso:
  - module: evergreen.kubeadm.static_pod_flags
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
"""

EXAMPLES = r"""
- name: Have the kubelet look after its static pods every second
  evergreen.kubeadm.kubelet_flags:
    flags:
      sync-frequency: 1s
      file-check-frequency: 1s
  become: true

- name: Have it ask for its pods at once, after its API server was away
  evergreen.kubeadm.kubelet_flags:
    state: restarted
  become: true

- name: Have it as it was
  evergreen.kubeadm.kubelet_flags:
    state: absent
  become: true
"""

RETURN = r"""
applied:
  description: Whether the kubelet has just the flags that it was to have, or would have.
  type: bool
  returned: success
  sample: true
restarted:
  description: Whether it was restarted, or would be.
  type: bool
  returned: success
  sample: true
unknown:
  description: Flags that the installed kubelet does not know.
  type: list
  elements: str
  returned: success
  sample: []
note:
  description: Why the flags were not applied, in a sentence. Empty where they were.
  type: str
  returned: success
  sample: ""
started:
  description: When the task started, in UTC.
  type: str
  returned: success
  sample: "2026-01-31T12:00:00.123Z"
finished:
  description: When it ended, in UTC.
  type: str
  returned: success
  sample: "2026-01-31T12:00:02.456Z"
duration_s:
  description: Seconds in between.
  type: float
  returned: success
  sample: 2.333
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline, utc_now
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubelet_flags import acting, decisions

NOT_USED = f"The unit of the kubelet does not use ${decisions.VARIABLE}."


def run(module: AnsibleModule) -> dict[str, t.Any]:
    started, begin = utc_now(), time.monotonic()
    act = {"present": present, "absent": absent, "known": known, "restarted": restarted}[module.params["state"]]
    return {
        "unknown": [],
        "note": "",
        **act(module, Node(), Deadline(module.params["timeout_s"])),
        "started": started,
        "finished": utc_now(),
        "duration_s": round(time.monotonic() - begin, 3),
    }


def present(module: AnsibleModule, node: Node, deadline: Deadline) -> dict[str, t.Any]:
    seen = acting.look(node)
    flags = {name: str(value) for name, value in module.params["flags"].items()}
    node_base = acting.base(node, seen)
    wanted = acting.raised(node, seen, node_base, decisions.words(flags), module.params["verbosity"])
    words, unknown = decisions.split(wanted, node.output("kubelet", "--help"))
    written = seen.environment == decisions.environment(node_base, words)
    if written and decisions.in_use(seen.command, words):
        return {"changed": False, "applied": True, "restarted": False, "unknown": unknown}
    note = decisions.hindrance(seen.running, seen.installed)
    if note:
        return {"changed": False, "applied": False, "restarted": False, "unknown": unknown, "note": note}
    if not module.check_mode:
        acting.write(node_base, words)
        seen = acting.restart(node, deadline)
        if not decisions.in_use(seen.command, words):
            acting.remove()
            acting.forget()
            return {"changed": True, "applied": False, "restarted": True, "unknown": unknown, "note": NOT_USED}
    return {"changed": True, "applied": True, "restarted": True, "unknown": unknown}


def absent(module: AnsibleModule, node: Node, deadline: Deadline) -> dict[str, t.Any]:
    if not acting.is_left(node):
        return {"changed": False, "applied": True, "restarted": False}
    seen = acting.look(node)
    note = decisions.hindrance(seen.running, seen.installed)
    if not module.check_mode:
        acting.remove()
        if not note:
            acting.restart(node, deadline)
            acting.forget()
    return {"changed": True, "applied": not note, "restarted": not note, "note": note}


def known(module: AnsibleModule, node: Node, _deadline: Deadline) -> dict[str, t.Any]:
    seen = acting.look(node)
    node_base = acting.base(node, seen)
    now = decisions.added(seen.environment, node_base)
    wanted = acting.raised(node, seen, node_base, now, module.params["verbosity"])
    words, unknown = decisions.split(wanted, node.output("kubelet", "--help"))
    if words != now and not module.check_mode:
        acting.write(node_base, words)
    return {"changed": words != now, "applied": True, "restarted": False, "unknown": unknown}


def restarted(module: AnsibleModule, node: Node, deadline: Deadline) -> dict[str, t.Any]:
    seen = acting.look(node)
    note = decisions.hindrance(seen.running, seen.installed)
    if not note and not module.check_mode:
        acting.restart(node, deadline)
    return {"changed": not note, "applied": not note, "restarted": not note, "note": note}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent", "known", "restarted"], "default": "present"},
            "flags": {"type": "dict", "default": {}},
            "verbosity": {"type": "int", "default": 0},
            "timeout_s": {"type": "float", "default": 60},
        },
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
