#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade_journal
short_description: Write one line of the journal of an upgrade run
version_added: 0.1.0
author: The evergreen.kubeadm contributors (@evergreen-kubeadm)
description:
  - Appends one JSON object, with the time and the name of the task's host, to a file on the controller.
  - From this file M(evergreen.kubeadm.upgrade_report) makes the report, also of a run that was killed; and
    M(evergreen.kubeadm.availability_probe) sees by it that the run is still alive.
  - It tells which process controls the run, so that M(evergreen.kubeadm.upgrade_lock) and
    M(evergreen.kubeadm.availability_probe) can see at once that it is gone.
  - A line is locked, written at once and synchronised to disk, so any number of hosts may write together.
  - Runs on the controller and needs no connection to the host; the task needs no C(delegate_to).
extends_documentation_fragment:
  - evergreen.kubeadm._attributes
attributes:
  check_mode:
    details: Nothing is written. It fails where nothing can be.
  idempotent:
    support: none
    details: Each call writes a line, and none reports a change, as the record of a run is no part of what is managed.
options:
  path:
    description:
      - The journal. Its directory is made where it does not exist.
      - Where it is empty nothing is written, so that roles can be used without a journal.
    type: path
    default: ""
  event:
    description:
      - What happened.
      - V(run_started) begins a new journal; an older file is kept beside it with the ending C(.1).
        O(data) holds C(run_id), C(from) and C(to).
      - V(run_finished) ends it. V(run_failed) ends it with C(message), C(hint) and C(step) in O(data).
        V(run_stopped) ends one that was to stop after a stage, with C(stage) and C(message) in O(data).
      - V(plan) records C(hops), C(findings), C(nodes) (a list of C(name), C(role), C(version), C(movable_pods)
        (how many pods a drain of it would move), and C(host) where the inventory calls the node something else), and
        C(movable_pods) where the number of all of them is known otherwise, in O(data).
      - V(hop) records that a hop began, with C(number), C(from), C(to) and C(etcd_image_tag) in O(data).
      - V(step) with O(name) begins that step on the host and ends the host's step before it.
        One that begins where the last one of the same name has finished is its next part.
        Without O(name), O(status=finished) or O(status=failed) ends the host's last one; a finished one may have the
        C(version) that the node was seen to run in O(data), for reports of runs that come to no V(verified), and
        C(restarts), how often static pods were started. While a journal is open, the modules of this collection that a
        run uses on its nodes note their steps themselves.
      - V(evictions) records that a drain ended, with its C(node) and the C(pods) that M(evergreen.kubeadm.drain_node)
        returned, in O(data).
      - V(finding) records one finding, V(bypass) a check that was passed over (C(name), C(reason), C(value)),
        V(verified) the C(nodes) as they were seen at the end, V(note) anything else.
      - V(set_aside) records that the run went on without the host, with C(node), C(step), C(message), C(hint), C(says),
        C(diagnostics) (a folder) and C(serving) (whether it takes pods) in O(data).
    type: str
    required: true
    choices:
      - run_started
      - run_finished
      - run_failed
      - run_stopped
      - plan
      - hop
      - step
      - evictions
      - finding
      - bypass
      - verified
      - set_aside
      - note
  name:
    description:
      - The name of the step, for O(event=step); a short title for other events.
    type: str
  status:
    description:
      - How the step stands. A step that has only a name is V(started).
    type: str
    choices:
      - started
      - finished
      - failed
  data:
    description:
      - What belongs to the event. A failed step has C(message) and C(hint).
      - Values under the name of a secret, private keys and bearer tokens are replaced by C((hidden)).
    type: dict
    default: {}
seealso:
  - module: evergreen.kubeadm.upgrade_report
  - module: evergreen.kubeadm.availability_probe
"""

EXAMPLES = r"""
- name: Begin the journal
  evergreen.kubeadm.upgrade_journal:
    path: artifacts/upgrade-journal.jsonl
    event: run_started
    data:
      run_id: 20260131-1200
      from: v1.34.4
      to: v1.35.4
  run_once: true

- name: Record that the drain begins
  evergreen.kubeadm.upgrade_journal:
    path: artifacts/upgrade-journal.jsonl
    event: step
    name: drain

- name: Record that the node is done
  evergreen.kubeadm.upgrade_journal:
    path: artifacts/upgrade-journal.jsonl
    event: step
    status: finished
"""

RETURN = r"""
path:
  description: The journal.
  returned: success
  type: str
  sample: /srv/upgrade/artifacts/upgrade-journal.jsonl
entry:
  description: The entry as it was written, or would be written outside of check mode.
  returned: success
  type: dict
  sample: {"time": "2026-01-31T12:00:00.123Z", "host": "cp1", "event": "step", "name": "drain"}
controller:
  description:
    - The process that controls the run, such as C(ansible-playbook), for the option C(controller) of other modules.
      It is the same for each task of a run.
    - Empty where the system does not say, as those without C(/proc).
  returned: success
  type: dict
  contains:
    host:
      description: The node name of its machine.
      type: str
      returned: where the system says it
      sample: controller1
    boot_id:
      description: The identifier of that machine's boot.
      type: str
      returned: where the system says it
      sample: 6f3c1b1e-8f9e-4f0a-9a55-0a5d5a3c2b11
    pid_namespace:
      description: The process namespace that it runs in, by which containers differ.
      type: str
      returned: where the system says it
      sample: "pid:[4026531836]"
    pid:
      description: Its process identifier.
      type: int
      returned: where the system says it
      sample: 4711
    started:
      description: When it began, in clock ticks since that boot.
      type: int
      returned: where the system says it
      sample: 8142201
started:
  description: When the task began, RFC 3339 in UTC.
  returned: success
  type: str
  sample: "2026-01-31T12:00:00.123Z"
finished:
  description: When the task ended, RFC 3339 in UTC.
  returned: success
  type: str
  sample: "2026-01-31T12:00:00.125Z"
duration_s:
  description: How long the task took, in seconds.
  returned: success
  type: float
  sample: 0.002
"""
