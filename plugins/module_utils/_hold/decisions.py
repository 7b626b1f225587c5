# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Holding the controller managers by the Lease that their leader needs: pure.

While somebody else holds that Lease, every controller manager runs, is healthy
and waits; its manifest is untouched, so that kubeadm finds what it looks for.
A candidate waits as many seconds as the Lease says from when it last saw it
change (client-go, tools/leaderelection): a hold ends by itself where nobody
gives it back.
"""

from __future__ import annotations

import copy
import typing as t
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import container_flags, leader_lease

Json = dict[str, t.Any]
COMPONENT = "kube-controller-manager"
OURS = "evergreen-kubeadm/"
RETRY_S = 2.0
"""How often a candidate looks, unless --leader-elect-retry-period says otherwise."""


class HoldError(EvergreenError):
    """Controller managers that cannot be held, or that did not come back."""


@dataclass(frozen=True)
class Election:
    """How the controller managers choose their leader."""

    namespace: str = "kube-system"
    name: str = COMPONENT
    renew_deadline_s: float = 10.0
    """How long a leader goes on after it could not renew."""


def election(pods: t.Sequence[Json]) -> Election:
    """From the flags of the running controller managers. Raises HoldError where holding would not stop them."""
    found = set()
    for pod in pods:
        flags = container_flags({"command": api.pod_arguments(pod)})
        where = f"{COMPONENT} on {api.node_of(pod)}"
        if flags.get("leader-elect", "true") == "false":
            raise HoldError(
                f"{where} runs with --leader-elect=false, so that nothing makes it wait.",
                hint="Let the controller managers elect a leader, as kubeadm does, or do not hold them.",
            )
        if flags.get("leader-elect-resource-lock", "leases") != "leases":
            raise HoldError(
                f"{where} elects its leader by {flags['leader-elect-resource-lock']} and not by a Lease.",
                hint="Do not hold the controller managers of this cluster.",
            )
        found.add(
            Election(
                *leader_lease(flags, COMPONENT),
                seconds(flags.get("leader-elect-renew-deadline", "10s")),
            )
        )
    if not found:
        raise HoldError(f"No static pod of {COMPONENT} was found.", hint="Is this a cluster of kubeadm?")
    if len({(each.namespace, each.name) for each in found}) > 1:
        raise HoldError(f"The pods of {COMPONENT} elect their leader by different Leases.")
    return max(found, key=lambda each: each.renew_deadline_s)


def seconds(text: str) -> float:
    """10.0 of Go's ``10s``, ``1m30s`` or ``1500ms``. Raises HoldError."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    total, number = 0.0, ""
    rest = text
    while rest:
        if rest[0].isdigit() or rest[0] == ".":
            number, rest = number + rest[0], rest[1:]
            continue
        unit = next((name for name in units if rest.startswith(name)), None)
        if unit is None or not number:
            raise HoldError(f"{text!r} is not a duration.")
        total, number, rest = total + float(number) * units[unit], "", rest[len(unit) :]
    if number:
        raise HoldError(f"{text!r} is not a duration: it has no unit.")
    return total


def holder_of(lease: Json | None) -> str:
    return str(((lease or {}).get("spec") or {}).get("holderIdentity") or "")


def is_ours(lease: Json | None) -> bool:
    """Whether a run of this tool holds it, whichever."""
    return holder_of(lease).startswith(OURS)


def held(lease: Json | None, holder: str, duration_s: int, now: str) -> Json:
    """The Lease to write so that `holder` has it. Raises HoldError where the API server hands it out itself."""
    if lease is None:
        raise HoldError(
            f"The Lease of the {COMPONENT} is not there.", hint="It is made by the first leader: has one ever run?"
        )
    if (lease.get("spec") or {}).get("strategy"):
        raise HoldError(
            "The leader is chosen by the API server (coordinated leader election), so that holding would be undone.",
            hint="Do not hold the controller managers of this cluster.",
        )
    identity = f"{OURS}{holder}"
    spec = (lease.get("spec") or {}).copy()
    if holder_of(lease) != identity:
        spec["acquireTime"] = now
        spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
    return _with_spec(lease, {**spec, "holderIdentity": identity, "leaseDurationSeconds": duration_s, "renewTime": now})


def released(lease: Json, now: str) -> Json:
    """The Lease as a leader leaves it that gives it up: the next candidate that looks takes it."""
    spec = (lease.get("spec") or {}).copy()
    return _with_spec(lease, {**spec, "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": now})


def _with_spec(lease: Json, spec: Json) -> Json:
    made = copy.deepcopy(lease)
    made["spec"] = spec
    made.get("metadata", {}).pop("managedFields", None)
    return made
