#!/usr/bin/python

# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade_lock
short_description: Hold the one lock that keeps two upgrades of a cluster apart
version_added: 0.1.0
author:
  - The evergreen.kubeadm contributors (@evergreen-kubeadm)
description:
  - Holds or releases a C(coordination.k8s.io/v1) Lease, so that only one run changes the cluster at a time.
  - A lock that its holder did not renew for O(lease_seconds) has expired and is taken over by the next run that asks.
    Have this module renew it beside the run, by O(state=kept), and call it with O(state=renewed) before each change.
  - A lock says which process controls its holder's run (O(controller)). Where this module runs on the same machine, it
    sees whether that process is there. Where it is gone, as after a run that was killed, the lock is taken over at
    once. Where it is alive, the lock is never taken over, however old it is.
  - Two runs that ask at the same moment are told apart by the API server (C(resourceVersion)); exactly one gets it.
  - Whether a lock has expired is judged by the clock of the API server. The clocks of the controllers do not matter.
extends_documentation_fragment:
  - evergreen.kubeadm._auth
  - evergreen.kubeadm._controller
  - evergreen.kubeadm._attributes
attributes:
  check_mode:
    details: The lock is read and the decision is made; nothing is written.
  diff_mode:
    support: full
  idempotent:
    details: Renewing one's own lock sets its C(renewTime) and is not reported as a change.
options:
  state:
    description:
      - V(held) acquires the lock, renews it where O(holder) has it already, and takes it over where it has expired or
        the process that controls its holder's run is gone. It fails where somebody else holds it, and names the holder.
        It does not take it from a run whose process is seen alive.
      - V(renewed) renews the lock where O(holder) has it, and fails where O(holder) does not have it any more, also
        where nobody has it. In check mode V(held) writes nothing, so there V(renewed) finds nothing to renew and fails.
      - V(kept) renews the lock three times in O(lease_seconds), in the background by C(async) and C(poll=0). It ends
        when O(holder) does not have the lock any more, and within a second of the end of the process O(controller).
        Where that process cannot be seen, it ends when O(idle_limit_s) is over. A server that does not answer is asked
        again.
      - V(released) deletes the lock where O(holder) has it, or leaves it without a holder (O(unfinished)). Somebody
        else's lock is left alone, and that is no failure, so that a clean-up step never hides the error that made the
        run end.
    type: str
    choices: [held, renewed, kept, released]
    default: held
  holder:
    description:
      - Who holds the lock. It must tell one run from another, and stay the same for all tasks of a run,
        such as a run identifier, an C(@) and the host name of the controller.
    type: str
    required: true
  lease_seconds:
    description:
      - How long the lock is held without being renewed. Choose more than the longest time between two renewals.
    type: int
    default: 300
  idle_limit_s:
    description:
      - With O(state=kept), for how many seconds the run may not have renewed the lock by O(state=renewed), where its
        process cannot be seen from the machine that this module runs on.
    type: float
    default: 14400
  heartbeat:
    description:
      - With O(state=kept), a file that is touched at each renewal, such as the option C(heartbeat) of
        M(evergreen.kubeadm.availability_probe).
    type: path
  purpose:
    description:
      - What the lock is held for, such as C(upgrade to 1.35.4). Whoever meets the lock is told.
    type: str
  not_ready:
    description:
      - With O(state=held), what is not ready before the upgrade begins, as
        RV(evergreen.kubeadm.skew_check#module:not_ready) has it. M(evergreen.kubeadm.cluster_gate) reads it from the
        Lease and does not wait for it.
      - Without it, what the Lease says of it already stays.
    type: dict
    version_added: 0.2.0
  unfinished:
    description:
      - With O(state=released), whether the upgrade is not at its end. What O(not_ready) has put into the Lease then
        stays for the run that resumes the upgrade, in a Lease that nobody holds.
      - Once that upgrade is given up, delete the Lease.
    type: bool
    default: false
    version_added: 0.2.0
  namespace:
    description: The namespace of the Lease.
    type: str
    default: kube-system
  name:
    description: The name of the Lease.
    type: str
    default: evergreen-kubeadm-upgrade
  force_release:
    description:
      - With O(state=released), delete the lock whoever holds it, expired or not.
      - Dangerous. Where the other run is alive, two runs then change the cluster at the same time.
    type: bool
    default: false
  timeout_s:
    description:
      - Seconds to go on trying where the API server gives no answer. A lock that is held by somebody else is not waited
        for.
    type: int
    default: 60
seealso:
  - name: Leases
    description: The Lease objects of Kubernetes.
    link: https://kubernetes.io/docs/concepts/architecture/leases/
"""

EXAMPLES = r"""
- name: See which process controls the run
  evergreen.kubeadm.upgrade_journal:
    event: note
  register: run
  run_once: true

- name: Hold the lock, or fail and name the holder
  evergreen.kubeadm.upgrade_lock:
    state: held
    holder: "{{ upgrade_run_id }}@controller1"
    purpose: upgrade to 1.35.4
    controller: "{{ run.controller }}"
  run_once: true
  delegate_to: localhost

- name: Renew it while the run is alive
  evergreen.kubeadm.upgrade_lock:
    state: kept
    holder: "{{ upgrade_run_id }}@controller1"
    controller: "{{ run.controller }}"
  async: 31536000
  poll: 0
  run_once: true
  delegate_to: localhost

- name: Renew it before the next node, or fail
  evergreen.kubeadm.upgrade_lock:
    state: renewed
    holder: "{{ upgrade_run_id }}@controller1"
  delegate_to: localhost

- name: Give it back
  evergreen.kubeadm.upgrade_lock:
    state: released
    holder: "{{ upgrade_run_id }}@controller1"
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
action:
  description:
    - What was done, or in check mode would be done. One of V(acquired), V(renewed), V(taken_over), V(released),
      V(force_released) and V(none).
  type: str
  returned: success
  sample: acquired
ended_by:
  description: With O(state=kept), what ended it, V(controller), V(idle), V(lost) or in check mode V(check_mode).
  type: str
  returned: with O(state=kept)
  sample: controller
held:
  description: Whether O(holder) holds the lock now, or in check mode would hold it.
  type: bool
  returned: always
  sample: true
lock:
  description: The lock as it is now, or in check mode would be. Times are those of the API server.
  type: dict
  returned: always
  contains:
    holder:
      description: Who holds it; none where nobody does.
      type: str
      returned: always
      sample: 20260131T120000Z-4f1c@controller1
    purpose:
      description: What it is held for.
      type: str
      returned: always
      sample: upgrade to 1.35.4
    acquired_at:
      description: Since when.
      type: str
      returned: always
      sample: "2026-01-31T12:00:00.000000Z"
    renewed_at:
      description: When it was last renewed.
      type: str
      returned: always
      sample: "2026-01-31T12:20:00.000000Z"
    expires_at:
      description: When anybody may take it over.
      type: str
      returned: always
      sample: "2026-01-31T13:20:00.000000Z"
    lease_seconds:
      description: How long it is held without being renewed.
      type: int
      returned: always
      sample: 3600
    transitions:
      description: How often it went from one holder to another.
      type: int
      returned: always
      sample: 0
    controller:
      description: The process that controls the holder's run, in the shape of O(controller); none where the lock does
        not say.
      type: dict
      returned: always
      sample: {"host": "controller1", "boot_id": "6f3c1b1e-8f9e-4f0a-9a55-0a5d5a3c2b11",
        "pid_namespace": "pid:[4026531836]", "pid": 4711, "started": 8142201}
previous_holder:
  description: Whose lock was taken over, whose lock was force-released, or who holds the lock that was left alone by
    O(state=released) or that made O(state=held) or O(state=renewed) fail. None in all other cases.
  type: str
  returned: always
  sample: 20260130T080000Z-77aa@controller2
reason:
  description: Why the lock was taken over, V(expired) or V(controller_gone). None where it was not.
  type: str
  returned: always
  sample: controller_gone
holder_controller:
  description:
    - Whether the process that controls the run of the holder that was found is there, V(alive), V(gone) or
      V(unknown), as seen from where this module ran. V(unknown) also where nobody held the lock.
  type: str
  returned: always
  sample: gone
resumed:
  description: Whether the Lease that was found keeps what was not ready before an upgrade that is not at its end.
  type: bool
  returned: always
  sample: false
server_time:
  description: The clock of the API server when the decision was made, to the second.
  type: str
  returned: always
  sample: "2026-01-31T12:20:00.000000Z"
started:
  description: When the task began, on the clock of the host that ran this module.
  type: str
  returned: success
  sample: "2026-01-31T12:20:00.123Z"
finished:
  description: When the task ended.
  type: str
  returned: success
  sample: "2026-01-31T12:20:00.223Z"
duration_s:
  description: How many seconds it took.
  type: float
  returned: success
  sample: 0.1
"""

import typing as t
from datetime import datetime

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.auth import AUTH_ARGUMENT_SPEC, connect
from ansible_collections.evergreen.kubeadm.plugins.module_utils._controller import CONTROLLER_OPTION, UNKNOWN, look
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError, ModuleBody, run_module
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock import keeper
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.decisions import (
    NAME,
    NAMESPACE,
    Decision,
    decide_held,
    decide_released,
    decide_renewed,
    describe,
    loss,
    micro_time,
    not_ready_before,
    recorded_controller,
    refusal,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._lock.io import LeaseStore, LostRace

ARGUMENT_SPEC: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["held", "renewed", "kept", "released"], "default": "held"},
    "holder": {"type": "str", "required": True},
    "lease_seconds": {"type": "int", "default": 300},
    "idle_limit_s": {"type": "float", "default": 14400},
    "heartbeat": {"type": "path"},
    "purpose": {"type": "str"},
    "not_ready": {"type": "dict"},
    "unfinished": {"type": "bool", "default": False},
    "controller": CONTROLLER_OPTION,
    "namespace": {"type": "str", "default": NAMESPACE},
    "name": {"type": "str", "default": NAME},
    "force_release": {"type": "bool", "default": False},
    "timeout_s": {"type": "int", "default": 60},
}

_DONE = {
    "create": "acquired",
    "acquire": "acquired",
    "renew": "renewed",
    "take_over": "taken_over",
    "delete": "released",
    "leave": "released",
    "none": "none",
}


def settle(module: AnsibleModule) -> dict[str, t.Any]:
    """Read, decide and write until nobody else came between."""
    params = module.params
    if not params["holder"].strip():
        raise EvergreenError("The option holder is empty; a lock must name who holds it.")
    if params["lease_seconds"] < 1:
        raise EvergreenError(f"lease_seconds is {params['lease_seconds']}; it must be at least 1.")
    if params["force_release"] and params["state"] != "released":
        raise EvergreenError("force_release needs state=released; a lock that somebody else holds is never acquired.")
    if params["state"] == "kept":
        return kept(params, check_mode=module.check_mode)
    deadline = Deadline(params["timeout_s"])
    store = LeaseStore(connect(params), params["namespace"], params["name"], deadline)
    while True:
        try:
            return settle_once(store, params, check_mode=module.check_mode)
        except LostRace:
            if deadline.expired():
                raise EvergreenError(
                    f"The upgrade lock {params['namespace']}/{params['name']} was changed by others each time it was "
                    f"to be written, for {params['timeout_s']} s.",
                    hint="Find out who is contending for it.",
                ) from None
            deadline.sleep(0.05)


def kept(params: dict[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
    """Renew the lock until the run ends or loses it."""
    if check_mode:
        return {"changed": False, "ended_by": "check_mode"}
    client = connect(params)

    def open_store() -> LeaseStore:
        return LeaseStore(client, params["namespace"], params["name"], Deadline(params["timeout_s"]))

    def decide_kept(lease: dict[str, t.Any] | None, store: LeaseStore) -> Decision:
        return decide(lease, {**params, "state": "renewed"}, store.server_time(), UNKNOWN)

    to = keeper.Settings(**{name: params[name] for name in keeper.Settings._fields})
    return {"changed": False, "ended_by": keeper.keep(open_store, decide_kept, to)}


def settle_once(store: LeaseStore, params: dict[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
    """One round. Raises LostRace where the Lease changed between reading and writing."""
    identity = (params["namespace"], params["name"])
    lease = store.read()
    now = store.server_time()
    holder_controller = look(recorded_controller(lease))
    decision = decide(lease, params, now, holder_controller)
    before = describe(lease)
    common = {
        "server_time": micro_time(now),
        "previous_holder": decision.previous_holder,
        "reason": decision.reason,
        "holder_controller": holder_controller,
        "resumed": not_ready_before(lease) is not None,
    }
    if decision.action in ("refuse", "lost"):
        if decision.action == "lost":
            message, hint = loss(before, identity=identity, holder=params["holder"])
        else:
            message, hint = refusal(before, identity=identity, now=now, holder_controller=holder_controller)
        raise EvergreenError(message, hint=hint, result={**common, "held": False, "lock": before})
    if decision.action == "none":
        after = before
    elif decision.action == "delete":
        after = describe(None)
    else:
        after = describe(decision.body)
    if decision.action != "none" and not check_mode:
        written = store.write(decision)
        after = after if decision.action == "delete" else describe(written)
    action = _DONE[decision.action]
    if decision.action in ("delete", "leave"):
        foreign = decision.previous_holder not in (None, params["holder"])
        action = "force_released" if foreign else "released"
        common["previous_holder"] = decision.previous_holder if foreign else None
    return {
        **common,
        "changed": action not in ("none", "renewed"),
        "action": action,
        "held": after["holder"] == params["holder"],
        "lock": after,
        "diff": {"before": before, "after": after},
    }


def decide(lease: dict[str, t.Any] | None, params: dict[str, t.Any], now: datetime, holder_controller: str) -> Decision:
    """The decision for the wanted state."""
    holder = params["holder"]
    if params["state"] == "released":
        return decide_released(lease, holder=holder, force=params["force_release"], unfinished=params["unfinished"])
    wanted = {
        "identity": (params["namespace"], params["name"]),
        "holder": holder,
        "lease_seconds": params["lease_seconds"],
        "purpose": params["purpose"],
        "now": now,
        "controller": params["controller"],
    }
    if params["state"] == "renewed":
        return decide_renewed(lease, **wanted)
    return decide_held(lease, **wanted, holder_controller=holder_controller, not_ready=params["not_ready"])


BODY = ModuleBody(settle, {"argument_spec": {**AUTH_ARGUMENT_SPEC, **ARGUMENT_SPEC}}, timed=True)


def main() -> None:
    run_module(AnsibleModule(**BODY.spec, supports_check_mode=True), BODY.act, timed=BODY.timed)


if __name__ == "__main__":
    main()
