#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: availability_probe
short_description: Measure whether the API and services answer while an upgrade runs
version_added: 0.1.0
author: The evergreen.kubeadm contributors (@evergreen-kubeadm)
description:
  - Asks the API and any number of HTTP services at a steady rate, over a new connection for each request as a new
    client does, until it is told to stop. The rate is kept while requests hang.
  - It measures what a user meets, so run it from where users are, such as the controller, and through the balancer.
  - A probe that waits for a processor would count its own wait as a failure. So it asks the system to be served before
    other processes, which the system grants to root.
  - Start it in the background by C(async) and C(poll=0), and stop it by making its O(stop_file).
  - It ends by itself within a second of the end of the process O(controller), or where that cannot be seen from here,
    when O(heartbeat) was not touched for O(idle_limit_s), so that no probe is left behind by a run that was killed.
  - "Ansible does not allow C(async) in check mode: give the task the condition C(not ansible_check_mode)."
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
  - evergreen.kubeadm._auth
  - evergreen.kubeadm._controller
attributes:
  check_mode:
    details: Nothing is asked.
  idempotent:
    support: none
    details: Each run measures anew. It never reports a change.
options:
  api:
    description:
      - Ask the API for the namespace C(default) with the given credentials. An answer with status 200 is good.
      - Beside it, a watch of the upgrade lock in C(kube-system) is held, and the static pods of the control plane are
        listed once a second. A watch that breaks is resumed from the last resourceVersion that it saw. It has failed
        where that is not answered, or where the API server no longer has what happened since.
    type: bool
    default: true
  services:
    description:
      - The services to ask by GET. An answer with a status from 200 to 299 is good; a redirection is not.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name in the report.
        type: str
        required: true
      url:
        description: The URL, V(http) or V(https).
        type: str
        required: true
      validate_certs:
        description: Whether the certificate of an V(https) service is checked.
        type: bool
        default: true
      ca_cert:
        description: A file of certificate authorities for the check, instead of those of the system.
        type: path
  rate_per_s:
    description:
      - Requests a second to each target.
      - Each is a new connection, which costs the API server a TLS handshake. Ask less often where the cluster has
        little to spare.
    type: float
    default: 10
  timeout_s:
    description:
      - After this many seconds a request without a complete answer has failed. Name resolution, connection, TLS and
        answer share them.
    type: float
    default: 2
  output:
    description:
      - The file that gets one JSON line for each target and second, with C(time), C(target), C(requests), C(failed)
        and C(gap_s), and one for each failure, with C(time), C(target), C(error), C(message) and C(after_s).
      - It holds whole lines at any moment. An older file is kept beside it with the ending C(.1).
    type: path
  stop_file:
    description:
      - The probe ends when this file exists, and removes it.
      - Remove one that an earlier run may have left before the probe is started.
    type: path
  heartbeat:
    description:
      - A file that the run touches all the time, such as its journal.
    type: path
  idle_limit_s:
    description:
      - The probe ends when O(heartbeat) was not touched for this many seconds, unless the process O(controller) is seen
        alive.
    type: float
    default: 1800
  duration_s:
    description: The probe ends after this many seconds. With V(0) it measures for as long as the run takes.
    type: float
    default: 14400
seealso:
  - module: evergreen.kubeadm.upgrade_journal
  - module: evergreen.kubeadm.upgrade_report
"""

EXAMPLES = r"""
- name: Open the journal
  evergreen.kubeadm.upgrade_journal:
    path: /srv/upgrade/artifacts/upgrade-journal.jsonl
    event: run_started
  register: opened
  run_once: true

- name: Start the probe
  evergreen.kubeadm.availability_probe:
    kubeconfig: ~/.kube/config
    services:
      - name: web
        url: http://10.0.0.10:30080/
    output: /srv/upgrade/artifacts/upgrade-probe.jsonl
    stop_file: /srv/upgrade/artifacts/upgrade-probe.stop
    heartbeat: /srv/upgrade/artifacts/upgrade-journal.jsonl
    controller: "{{ opened.controller }}"
    duration_s: 0
  async: 31536000
  poll: 0
  register: probe
  delegate_to: localhost
  run_once: true
  when: not ansible_check_mode

- name: Stop the probe
  ansible.builtin.copy:
    content: ""
    dest: /srv/upgrade/artifacts/upgrade-probe.stop
    mode: "0644"
  delegate_to: localhost
  run_once: true

- name: Wait for its result
  ansible.builtin.async_status:
    jid: "{{ probe.ansible_job_id }}"
  register: availability
  until: availability is finished
  retries: 20
  delay: 1
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
targets:
  description:
    - What each target answered, by name; the API is V(api), its watch V(api/watch) and its list V(api/list), a service
      V(service/NAME). The requests of the watch are those that opened it, and its gaps the times without it.
    - C(requests) and C(failed) count. C(longest_gap_s) is the longest time in seconds between two good answers, or
      from the start to the first or from the last to the end.
    - C(failures) are the first 20, each with C(time), C(error), C(message) and C(after_s), the seconds since the
      request began. C(errors) counts them by class.
    - The classes are V(timeout), V(refused), V(reset), V(closed) (the connection ended without a whole answer),
      V(tls), V(name_resolution), V(network), V(protocol), V(saturated) (all earlier requests still hang in the
      system), and V(http_403) and the like for an answer with a status that is not good; V(http_410) is a watch that
      could not be resumed.
  returned: success
  type: dict
  sample: {"api": {"requests": 8000, "failed": 0, "longest_gap_s": 0.12, "failures": [], "errors": {}}}
ended_by:
  description:
    - What ended the probe, V(stop_file), V(signal), V(duration), V(idle), V(controller) where the process
      O(controller) is gone, V(parent) where the process that started it is gone, V(replaced) where another probe began
      to write to the same O(output), or V(check_mode).
  returned: success
  type: str
  sample: stop_file
longest_late_s:
  description:
    - By how many seconds the probe itself was too late with a request, at worst. On a busy machine a gap of that
      length can be the probe's own.
  returned: success
  type: float
  sample: 0.004
output:
  description: The file with the lines.
  returned: when O(output) is given
  type: str
  sample: /srv/upgrade/artifacts/upgrade-probe.jsonl
started:
  description: When the probe began, RFC 3339 in UTC.
  returned: success
  type: str
  sample: "2026-01-31T12:00:00.123Z"
finished:
  description: When the probe ended, RFC 3339 in UTC.
  returned: success
  type: str
  sample: "2026-01-31T12:06:40.456Z"
duration_s:
  description: For how long the probe ran, in seconds.
  returned: success
  type: float
  sample: 400.333
"""

import contextlib
import os
import signal
import threading
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.auth import AUTH_ARGUMENT_SPEC, connect
from ansible_collections.evergreen.kubeadm.plugins.module_utils._controller import CONTROLLER_OPTION
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError, run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report import probe
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.request import Target
from ansible_collections.evergreen.kubeadm.plugins.module_utils._report.targets import api_targets, service_target

NICE = -10

ARGUMENT_SPEC: dict[str, t.Any] = {
    "api": {"type": "bool", "default": True},
    "services": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "url": {"type": "str", "required": True},
            "validate_certs": {"type": "bool", "default": True},
            "ca_cert": {"type": "path"},
        },
    },
    "rate_per_s": {"type": "float", "default": 10},
    "timeout_s": {"type": "float", "default": 2},
    "output": {"type": "path"},
    "stop_file": {"type": "path"},
    "heartbeat": {"type": "path"},
    "controller": CONTROLLER_OPTION,
    "idle_limit_s": {"type": "float", "default": 1800},
    "duration_s": {"type": "float", "default": 14400},
}


def targets(options: dict[str, t.Any], stop: threading.Event) -> list[Target]:
    names = [service["name"] for service in options["services"]]
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise EvergreenError(f"Two services have the name {double[0]!r}.", hint="Give each service a name of its own.")
    found = api_targets(connect(options), stop) if options["api"] else []
    found += [service_target(service) for service in options["services"]]
    if not found:
        raise EvergreenError("There is nothing to ask.", hint="Set api to true or name a service.")
    return found


def be_served_first() -> None:
    """Before other processes of the host, where the system grants it.

    Linux shares the processors between sessions first, and inside of one by nice values (autogroups, sched(7)). So
    without a terminal, whose Ctrl-C it would no longer hear, it takes a session of its own.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    if _has_terminal():
        return
    with contextlib.suppress(OSError):
        if os.getsid(0) != os.getpid():
            os.setsid()
        with open("/proc/self/autogroup", "w", encoding="ascii") as file:
            file.write(str(NICE))


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def measure(module: AnsibleModule) -> dict[str, t.Any]:
    options = module.params
    for name in ("rate_per_s", "timeout_s"):
        if options[name] <= 0:
            raise EvergreenError(f"The option {name} is {options[name]:g}, and must be more than 0.")
    be_served_first()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: stop.set())
    asked = targets(options, stop)
    settings = probe.Settings(**{name: options[name] for name in probe.Settings._fields})
    if module.check_mode:
        seen: dict[str, t.Any] = {"targets": {}, "ended_by": "check_mode", "longest_late_s": 0.0}
    else:
        try:
            seen = probe.run(asked, settings, stop)
        except OSError as error:
            raise EvergreenError(f"The probe cannot write {options['output']}: {error}.") from error
    if seen["ended_by"] == "stop_file":
        with contextlib.suppress(FileNotFoundError):
            os.unlink(options["stop_file"])
    return {
        "changed": False,
        **seen,
        **({"output": options["output"]} if options["output"] else {}),
    }


def main() -> None:
    module = AnsibleModule(argument_spec={**AUTH_ARGUMENT_SPEC, **ARGUMENT_SPEC}, supports_check_mode=True)
    run_module(module, measure, timed=True)


if __name__ == "__main__":
    main()
