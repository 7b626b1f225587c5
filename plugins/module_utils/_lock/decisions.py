# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Who holds the upgrade lock, and what may be done with it: pure functions on the JSON of a Lease.

The Lease is ``coordination.k8s.io/v1``. Its holder is free to act until
``renewTime + leaseDurationSeconds``; after that anybody may take it over
(https://kubernetes.io/docs/concepts/architecture/leases/). All times are those
of the API server, so that contenders need no common clock of their own.
Before that time it may be taken over only where the process that controls the
holder's run is seen to be gone, and never while that is seen alive.
"""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

from ansible_collections.evergreen.kubeadm.plugins.module_utils._controller import ALIVE, GONE, UNKNOWN, complete
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import parse_time

NAMESPACE, NAME = "kube-system", "evergreen-kubeadm-upgrade"
"""Of the Lease, unless told otherwise."""
EXPIRED, CONTROLLER_GONE = "expired", "controller_gone"
"""Why a lock may be taken over."""
PURPOSE_ANNOTATION = "evergreen.kubeadm/purpose"
CONTROLLER_ANNOTATION = "evergreen.kubeadm/controller"
NOT_READY_ANNOTATION = "evergreen.kubeadm/not-ready-before"

NotReady = dict[str, list[str]]
"""The nodes of each workload that was not ready when an upgrade began, and ``node/NAME`` with its name."""


class LockState(t.TypedDict):
    """A Lease as people read it. Times are RFC 3339 in UTC, None where the Lease does not say."""

    holder: str | None
    purpose: str | None
    acquired_at: str | None
    renewed_at: str | None
    expires_at: str | None
    lease_seconds: int | None
    transitions: int
    controller: dict[str, t.Any] | None


class Decision(t.NamedTuple):
    """What to do next.

    `action` is one of ``create``, ``acquire`` (a Lease that nobody holds),
    ``renew`` (our own), ``take_over`` (the holder's time is over or its
    controller is gone), ``refuse`` (somebody else's), ``lost`` (not ours any
    more), ``delete``, ``leave`` (a Lease that nobody holds) and ``none``. `reason` is why it is taken over:
    ``expired`` or ``controller_gone``.
    """

    action: str
    body: dict[str, t.Any] | None = None
    previous_holder: str | None = None
    reason: str | None = None


def micro_time(moment: datetime) -> str:
    """A moment as ``MicroTime``: the API refuses other than six digits."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def describe(lease: dict[str, t.Any] | None) -> LockState:
    """The state of the lock for results and messages; `lease` of None is a lock that nobody holds."""
    spec = (lease or {}).get("spec") or {}
    metadata = (lease or {}).get("metadata") or {}
    expires = _expiry(spec)
    return LockState(
        holder=spec.get("holderIdentity") or None,
        purpose=(metadata.get("annotations") or {}).get(PURPOSE_ANNOTATION),
        acquired_at=spec.get("acquireTime"),
        renewed_at=spec.get("renewTime"),
        expires_at=micro_time(expires) if expires else None,
        lease_seconds=spec.get("leaseDurationSeconds"),
        transitions=spec.get("leaseTransitions") or 0,
        controller=recorded_controller(lease) or None,
    )


def recorded_controller(lease: dict[str, t.Any] | None) -> dict[str, t.Any]:
    """The identity of the process that controls the holder's run; empty where the Lease does not say."""
    annotations = ((lease or {}).get("metadata") or {}).get("annotations") or {}
    try:
        return complete(json.loads(annotations.get(CONTROLLER_ANNOTATION) or "null"))
    except ValueError:
        return {}


def not_ready_before(lease: dict[str, t.Any] | None) -> tuple[str, NotReady] | None:
    """When the upgrade began that is not at its end, and what was not ready then; None where no record is left."""
    annotations = ((lease or {}).get("metadata") or {}).get("annotations") or {}
    try:
        found = json.loads(annotations.get(NOT_READY_ANNOTATION) or "null")
        return str(found["at"]), {str(key): [str(node) for node in nodes] for key, nodes in found["not_ready"].items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def is_left(lease: dict[str, t.Any] | None) -> bool:
    """Whether it is there for the record alone: nobody holds it, and the upgrade was not at its end."""
    held = ((lease or {}).get("spec") or {}).get("holderIdentity")
    return not held and not_ready_before(lease) is not None


def is_expired(lease: dict[str, t.Any], now: datetime) -> bool:
    """Whether the holder's time is over.

    A Lease with a holder but without times was not written by this tool and
    never ends by itself: it counts as held.
    """
    expires = _expiry(lease.get("spec") or {})
    return expires is not None and now >= expires


def why_ended(lease: dict[str, t.Any], now: datetime | None, holder_controller: str) -> str | None:
    """Why the holder's run counts as ended; None where it may be at work.

    `holder_controller` says whether the process that controls it is ``alive``,
    ``gone`` or ``unknown``. One that is seen at work has not ended, whatever
    the time. Without a time nothing has expired.
    """
    if holder_controller == ALIVE:
        return None
    if now is not None and is_expired(lease, now):
        return EXPIRED
    return CONTROLLER_GONE if holder_controller == GONE else None


def newest_renewal(leases: t.Iterable[dict[str, t.Any]]) -> datetime | None:
    """The latest time that any of these Leases was renewed: it is that late at least."""
    times = (parse_time((lease.get("spec") or {}).get("renewTime")) for lease in leases)
    return max((moment for moment in times if moment), default=None)


def decide_held(
    lease: dict[str, t.Any] | None,
    *,
    identity: tuple[str, str],
    holder: str,
    lease_seconds: int,
    purpose: str | None,
    now: datetime,
    controller: Mapping[str, t.Any] | None = None,
    holder_controller: str = UNKNOWN,
    not_ready: NotReady | None = None,
) -> Decision:
    """What makes `holder` hold the lock. `identity` is the namespace and name of the Lease, `now` the server's time.

    `controller` is the process that controls our run, and `holder_controller`
    says whether that which the Lease names is ``alive``, ``gone`` or ``unknown``.
    `not_ready` replaces what the Lease says of that, but not since when.
    The body of an update keeps ``metadata.resourceVersion``, so that the
    server answers 409 where anybody else was faster.
    """
    stamp = micro_time(now)
    notes = _notes(purpose, controller)
    if not_ready is not None:
        before = not_ready_before(lease)
        record = {"at": before[0] if before else stamp, "not_ready": not_ready}
        notes[NOT_READY_ANNOTATION] = json.dumps(record, sort_keys=True)
    fresh = {
        "holderIdentity": holder,
        "leaseDurationSeconds": lease_seconds,
        "acquireTime": stamp,
        "renewTime": stamp,
        "leaseTransitions": 0,
    }
    if lease is None:
        metadata: dict[str, t.Any] = {"namespace": identity[0], "name": identity[1]}
        if notes:
            metadata["annotations"] = notes
        return Decision("create", {**_KIND, "metadata": metadata, "spec": fresh})
    spec = lease.get("spec") or {}
    found = spec.get("holderIdentity") or None
    transitions = spec.get("leaseTransitions") or 0
    if found == holder:
        renewed = {**spec, "renewTime": stamp, "leaseDurationSeconds": lease_seconds}
        return Decision("renew", _updated(lease, renewed, notes))
    if found is None:
        return Decision("acquire", _updated(lease, {**fresh, "leaseTransitions": transitions + 1}, notes))
    reason = why_ended(lease, now, holder_controller)
    if reason:
        body = _updated(lease, {**fresh, "leaseTransitions": transitions + 1}, notes)
        return Decision("take_over", body, previous_holder=found, reason=reason)
    return Decision("refuse", previous_holder=found)


def decide_renewed(
    lease: dict[str, t.Any] | None,
    *,
    identity: tuple[str, str],
    holder: str,
    lease_seconds: int,
    purpose: str | None,
    now: datetime,
    controller: Mapping[str, t.Any] | None = None,
) -> Decision:
    """What renews the lock of `holder`, and nothing else.

    A lock that was lost meanwhile is not acquired again: what was observed
    while it was held no longer counts.
    """
    found = ((lease or {}).get("spec") or {}).get("holderIdentity") or None
    if found != holder:
        return Decision("lost", previous_holder=found)
    return decide_held(
        lease,
        identity=identity,
        holder=holder,
        lease_seconds=lease_seconds,
        purpose=purpose,
        now=now,
        controller=controller,
    )


def decide_released(lease: dict[str, t.Any] | None, *, holder: str, force: bool, unfinished: bool = False) -> Decision:
    """What gives the lock back. Another holder's Lease stays, expired or not, unless `force`.

    Where the upgrade is `unfinished`, what was not ready before it stays for
    the run that resumes it. The preconditions make the server refuse the deletion where the Lease was
    replaced or renewed since it was read.
    """
    if lease is None:
        return Decision("none")
    found = (lease.get("spec") or {}).get("holderIdentity") or None
    if found is not None and found != holder and not force:
        return Decision("none", previous_holder=found)
    if unfinished and not_ready_before(lease):
        spec = {"leaseTransitions": (lease.get("spec") or {}).get("leaseTransitions") or 0}
        return Decision("leave" if found else "none", _updated(lease, spec, {}), previous_holder=found)
    metadata = lease.get("metadata") or {}
    preconditions = {key: metadata[key] for key in ("uid", "resourceVersion") if metadata.get(key)}
    body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
    return Decision("delete", body, previous_holder=found)


def refusal(
    state: LockState, *, identity: tuple[str, str], now: datetime, holder_controller: str = UNKNOWN
) -> tuple[str, str]:
    """The message and the hint for a lock that somebody else holds."""
    namespace, name = identity
    purpose = f" for {state['purpose']}" if state["purpose"] else ""
    expires = parse_time(state["expires_at"])
    if expires is None:
        until = "it has no expiry"
    else:
        left = round((expires - now).total_seconds())
        until = f"it expires at {state['expires_at']}, in {left} s" if left > 0 else f"it expired {-left} s ago"
    message = (
        f"The upgrade lock {namespace}/{name} is held by {state['holder']}{purpose} since {state['acquired_at']}, "
        f"last renewed {state['renewed_at']}; {until}. "
    )
    by = state["controller"]
    if by is None:
        message += "It does not say which process controls that run."
        hint = "Wait for that run to end. If it is dead, its lock is taken over once it has expired."
    elif holder_controller == ALIVE:
        message += (
            f"The process that controls that run, {by['pid']} on {by['host']}, is alive, so its lock is not taken."
        )
        hint = (
            f"Wait for that run to end, or end that process: the next run that begins on {by['host']} then takes the "
            "lock over at once."
        )
    else:
        message += (
            f"The process that controls that run is {by['pid']} on {by['host']}; whether it is alive cannot be seen "
            "from here."
        )
        hint = (
            "Wait for that run to end. If it is dead, its lock is taken over once it has expired, or at once by a run "
            f"that begins on {by['host']}, where that can be seen."
        )
    return message, (
        f"{hint} To release it in another way, make sure that nothing of that run is still at work, then run: "
        f"kubectl -n {namespace} delete lease {name}"
    )


def loss(state: LockState, *, identity: tuple[str, str], holder: str) -> tuple[str, str]:
    """The message and the hint for a lock that `holder` was to renew and has no more."""
    if state["holder"]:
        now_held = f"it is held by {state['holder']} since {state['acquired_at']}"
    else:
        now_held = "nobody holds it, so it was released or deleted"
    message = f"The upgrade lock {identity[0]}/{identity[1]} is no longer held by {holder}: {now_held}."
    hint = (
        "Another run may have changed the cluster meanwhile. When no other run is at work, start this one again: it "
        "observes anew, and what is done is skipped."
    )
    return message, hint


_KIND = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}


def _expiry(spec: dict[str, t.Any]) -> datetime | None:
    renewed = parse_time(spec.get("renewTime")) or parse_time(spec.get("acquireTime"))
    seconds = spec.get("leaseDurationSeconds")
    return renewed + timedelta(seconds=seconds) if renewed and seconds is not None else None


def _notes(purpose: str | None, controller: Mapping[str, t.Any] | None) -> dict[str, str]:
    """The annotations by which a holder says what it is."""
    identity = complete(controller)
    return {
        **({PURPOSE_ANNOTATION: purpose} if purpose else {}),
        **({CONTROLLER_ANNOTATION: json.dumps(identity, sort_keys=True)} if identity else {}),
    }


def _updated(lease: dict[str, t.Any], spec: dict[str, t.Any], notes: Mapping[str, str]) -> dict[str, t.Any]:
    """`lease` with `spec` and `notes`; what its last holder noted of itself stays only with that holder."""
    metadata = dict(lease.get("metadata") or {})
    metadata.pop("managedFields", None)
    own = spec.get("holderIdentity") == (lease.get("spec") or {}).get("holderIdentity")
    dropped = () if own else (PURPOSE_ANNOTATION, CONTROLLER_ANNOTATION)
    kept = {key: value for key, value in (metadata.get("annotations") or {}).items() if key not in dropped}
    metadata["annotations"] = {**kept, **notes}
    return {**_KIND, "metadata": metadata, "spec": spec}
