#!/usr/bin/python
# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: static_pod_flags
short_description: Give components of the control plane flags for a time
version_added: 0.1.0
description:
  - Adds flags to the manifests of kube-apiserver, kube-controller-manager and kube-scheduler on a node, sees the
    components run with them, and takes out later what was added. A flag that is there already keeps its value.
  - What was added is noted in C(/var/lib/evergreen-kubeadm/static-pod-flags), by its purpose. Only that is ever taken
    out, and M(evergreen.kubeadm.kubeadm_upgrade) carries it over an upgrade.
  - A component restarts for it. One node at a time, and only while the others serve, is for the caller to see to.
  - Runs on the node as root. Python's standard library is all it needs.
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: The diff has the words that the commands gain and lose. The rest of a manifest may hold secrets.
  idempotent:
    support: full
options:
  name:
    description: The components.
    type: list
    elements: str
    choices: [kube-apiserver, kube-controller-manager, kube-scheduler]
    default: [kube-apiserver]
  state:
    description:
      - V(present) gives them the flags of O(purpose), and no others for that purpose.
      - V(absent) takes out what was added for O(purpose). A component that has nothing of it is left alone.
    type: str
    choices: [present, absent]
    default: present
  purpose:
    description: What the flags are for, in a word. Flags of another purpose are left alone.
    type: str
    required: true
  flags:
    description: Flags and their values, set where the component has no such flag.
    type: dict
    default: {}
  add_to:
    description:
      - Values for flags that take several and may be repeated, such as C(etcd-servers). Those that it lacks are added
        in one more occurrence of the flag.
    type: dict
    default: {}
  verbosity:
    description:
      - Level that the log of the components is raised to, by one more C(--v) after their own. One that logs as much or
        more by itself is left as it is.
      - V(0) raises nothing.
    type: int
    default: 0
  restart:
    description:
      - V(component) restarts a component where its manifest changes, and sees it run as the manifest says. When the old
        one has ended the kubelet is restarted, so that it starts the new one at once and not 10 to 15 s later. The
        containers of the node go on.
      - V(kubelet) writes the manifests while the kubelet is stopped, and starts the kubelet, with a changed manifest or
        without. It is for a kubelet of a new minor, which restarts every static pod of the node when it starts. The
        component of a changed manifest is asked to end before, as such a kubelet gives it a second only. It has to be
        ready again after, and an API server in any case.
      - V(none) restarts nothing and leaves the manifests as they are. The flags are noted, and come with the manifests
        that M(evergreen.kubeadm.kubeadm_upgrade) or M(evergreen.kubeadm.control_plane_rollback) writes next.
    type: str
    choices: [component, kubelet, none]
    default: component
  end_too:
    description:
      - Static pods that are asked to end after the component of a changed manifest, while the kubelet is stopped. It is
        for C(etcd), which a kubelet of a new minor restarts too. An API server that has begun to serve by then waits
        half a minute for the answer of an etcd that is gone.
    type: list
    elements: str
    default: []
  refuse_s:
    description:
      - Seconds for which the node refuses new connections to the component before this is asked to end, so that a
        balancer sends them to another. Those that are there go on. It ends when the component has ended, and systemd
        sees to that where this module is killed.
      - It is for an API server that has no C(shutdown-delay-duration) yet, and loses what comes in while it closes its
        port. Others end in order, and nothing is refused.
      - The node needs iptables, as the packages of the kubelet do, and C(systemd-run). Without them nothing is refused.
    type: float
    default: 0
  stop_s:
    description:
      - Seconds that the process of before has from when it closes its port, before it is killed. By then an API server
        has finished what it was asked; what is left are watches, which it would wait for until the kubelet kills it.
      - One that has C(shutdown-delay-duration) ends by itself, and is left to the kubelet.
    type: float
    default: 10
  timeout_s:
    description: Seconds for everything together.
    type: float
    default: 180
seealso:
  - module: evergreen.kubeadm.kubeadm_upgrade
  - module: evergreen.kubeadm.static_pods
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
"""

EXAMPLES = r"""
- name: Have the API server end in order, and know every member of etcd
  evergreen.kubeadm.static_pod_flags:
    name: kube-apiserver
    purpose: graceful
    flags:
      shutdown-delay-duration: 5s
      shutdown-watch-termination-grace-period: 5s
      shutdown-send-retry-after: "true"
    add_to:
      etcd-servers:
        - https://192.0.2.12:2379
        - https://192.0.2.13:2379
  become: true

- name: Have the others log more as soon as kubeadm has written their manifests
  evergreen.kubeadm.static_pod_flags:
    name: [kube-controller-manager, kube-scheduler]
    purpose: graceful
    verbosity: 4
    restart: none
  become: true

- name: Take all of it out again
  evergreen.kubeadm.static_pod_flags:
    name: [kube-apiserver, kube-controller-manager, kube-scheduler]
    purpose: graceful
    state: absent
  become: true
"""

RETURN = r"""
components:
  description:
    - The components, in the order of O(name). C(added) and C(removed) are the words that their commands gain and lose,
      or would, and C(noted) all that they now have for a time, by purpose.
    - C(kept) are flags that were wanted and that the component has with a value of its own, which stayed.
  type: list
  elements: dict
  returned: success
  sample:
    - name: kube-apiserver
      added: ["--shutdown-send-retry-after=true"]
      removed: []
      kept: {"shutdown-delay-duration": "20s"}
      noted: {"graceful": ["--shutdown-send-retry-after=true"]}
restarted:
  description: Whether a component, or the kubelet with all of them, was restarted, or would be.
  type: bool
  returned: success
  sample: true
started:
  description: When the task started, in UTC.
  type: str
  returned: success
  sample: "2026-01-31T12:00:00.123Z"
finished:
  description: When it ended, in UTC.
  type: str
  returned: success
  sample: "2026-01-31T12:00:14.456Z"
duration_s:
  description: Seconds in between.
  type: float
  returned: success
  sample: 14.333
"""

import contextlib
import os
import time
import typing as t
from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline, utc_now
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import node as node_paths
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.component import Component
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods import flagging, flags, refusing
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.decisions import ends_in_order
from ansible_collections.evergreen.kubeadm.plugins.module_utils._systemd import SystemdError, systemctl

API_SERVER = "kube-apiserver"
COMPONENTS = [API_SERVER, "kube-controller-manager", "kube-scheduler"]

Both = list[tuple[flagging.Target, flags.Change]]


def run(module: AnsibleModule) -> dict[str, t.Any]:
    started, begin = utc_now(), time.monotonic()
    params = module.params
    deadline = Deadline(params["timeout_s"])
    targets = [flagging.look(name, node_paths.MANIFESTS) for name in names_of(params)]
    changes = [decide(target, params) for target in targets]
    both = list(zip(targets, changes))
    by_kubelet = params["restart"] == "kubelet"
    if not module.check_mode:
        if by_kubelet:
            restart_with_kubelet(both, params, deadline)
        for target, change in both if not by_kubelet else []:
            if params["restart"] == "none":
                flagging.write(target, change)
            # Also where the manifest was right already: a task that was killed may not have seen it run.
            elif params["state"] == "present" or changes_anything(target, change):
                restart(target, change, params, deadline)
    return {
        "changed": by_kubelet or any(changes_anything(target, change) for target, change in both),
        "components": [
            {
                "name": target.name,
                "added": change.added,
                "removed": change.removed,
                "kept": change.kept,
                "noted": change.note,
            }
            for target, change in both
        ],
        "restarted": by_kubelet or any(change.text != target.text for target, change in both),
        "diff": [
            {
                "before_header": os.path.basename(target.manifest),
                "after_header": os.path.basename(target.manifest),
                "before": "".join(f"{word}\n" for word in change.removed),
                "after": "".join(f"{word}\n" for word in change.added),
            }
            for target, change in both
            if change.text != target.text
        ],
        "started": started,
        "finished": utc_now(),
        "duration_s": round(time.monotonic() - begin, 3),
    }


def names_of(params: dict[str, t.Any]) -> list[str]:
    """The components that are to be looked at: where nothing was added, nothing is to be taken out."""
    names = list(dict.fromkeys(params["name"]))
    if params["state"] == "absent" and params["restart"] == "component":
        return [name for name in names if os.path.lexists(flagging.note_of(name))]
    return names


def decide(target: flagging.Target, params: dict[str, t.Any]) -> flags.Change:
    """What is to become of one manifest and its note. Raises StaticPodError where it cannot be changed."""
    if params["state"] == "absent" and params["restart"] != "none":
        return flags.take_out(target.text, target.noted, params["purpose"])
    wanted = flags.Wanted()
    if params["state"] == "present":
        wanted = flags.Wanted(
            {name: str(value) for name, value in params["flags"].items()},
            {name: [str(value) for value in values] for name, values in params["add_to"].items()},
            params["verbosity"],
        )
    act = flags.note_only if params["restart"] == "none" else flags.add
    return act(target.text, target.noted, params["purpose"], wanted)


def restart_with_kubelet(both: Both, params: dict[str, t.Any], deadline: Deadline) -> None:
    """Write the manifests while the kubelet is stopped. Raises StaticPodError and SystemdError."""
    changing = [target for target, change in both if change.text != target.text]
    systemctl("stop", "kubelet")
    try:
        for target, change in both:
            flagging.write(target, change)
        # The API server last of the components: the others give their leases up by it.
        last = [flagging.look(name, node_paths.MANIFESTS) for name in params["end_too"] if changing]
        for target in [*sorted(changing, key=lambda each: each.name == API_SERVER), *last]:
            flagging.end(target, params["stop_s"], deadline)
    finally:
        systemctl("start", "kubelet")
    for target, change in both:
        if change.text != target.text or target.name == API_SERVER:
            flagging.wait_ready(_component(_changed(target, change)), target.name, deadline)


def restart(target: flagging.Target, change: flags.Change, params: dict[str, t.Any], deadline: Deadline) -> None:
    """Write the manifest, and see the component end and run. Raises StaticPodError at the deadline."""
    new = _changed(target, change)
    component = _component(new)
    with contextlib.ExitStack() as stack:
        refuse = params["refuse_s"] > 0 and change.text != target.text and not ends_in_order(target.words())
        if refuse and stack.enter_context(refusing.connections(component.port)):
            deadline.sleep(params["refuse_s"])
        flagging.write(target, change)
        flagging.see_it_end(target, new, component.port, params["stop_s"], deadline)
        if change.text != target.text:
            # It would ask only 10 to 15 s later whether the old one has ended (see `_kubeadm.waking`). Where systemd
            # does not do it, that is waited for.
            with contextlib.suppress(SystemdError):
                systemctl("restart", "kubelet")
    flagging.see_it_run(new, component, deadline)


def changes_anything(target: flagging.Target, change: flags.Change) -> bool:
    return change.text != target.text or change.note != target.noted


def _changed(target: flagging.Target, change: flags.Change) -> flagging.Target:
    return replace(target, text=change.text, noted=change.note)


def _component(pod: flagging.Target) -> Component:
    server = pod if pod.name == API_SERVER else flagging.look(API_SERVER, node_paths.MANIFESTS)
    return Component(Node(), pod.name, pod.words(), server.words())


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "choices": COMPONENTS, "default": COMPONENTS[:1]},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "purpose": {"type": "str", "required": True},
            "flags": {"type": "dict", "default": {}},
            "add_to": {"type": "dict", "default": {}},
            "verbosity": {"type": "int", "default": 0},
            "restart": {"type": "str", "choices": ["component", "kubelet", "none"], "default": "component"},
            "end_too": {"type": "list", "elements": "str", "default": []},
            "refuse_s": {"type": "float", "default": 0},
            "stop_s": {"type": "float", "default": 10},
            "timeout_s": {"type": "float", "default": 180},
        },
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
