# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What the states of etcd_member do: one look, and the two waits, for a healthy cluster and for another leader."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import decisions, observe
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import Access, EtcdError, View


def observed(
    client: observe.Client, access: Access, deadline: Deadline, *, max_index_gap: int, hashes: bool
) -> dict[str, t.Any]:
    """One look, whatever it shows; with the hash of every member that answers where `hashes` is set."""
    view = observe.look(client, access, max(deadline.clip(observe.REQUEST_S), 1.0))
    if hashes:
        view = observe.with_hashes(client, access, view, max(deadline.clip(observe.HASH_S), 1.0))
    return {
        **_facts(view),
        "looks": 1,
        "checks": [check.as_dict() for check in decisions.health_checks(view, max_index_gap=max_index_gap)],
        "snapshot_source": decisions.snapshot_source(view, max_index_gap=max_index_gap)._asdict(),
        "changed": False,
    }


def healthy(
    client: observe.Client,
    access: Access,
    deadline: Deadline,
    *,
    max_index_gap: int,
    expected_members: t.Sequence[str],
    consecutive: int,
    interval_s: float,
) -> dict[str, t.Any]:
    """Look until `consecutive` looks in a row are good; raise EtcdError with the last look at the deadline."""
    good = 0
    looks = 0
    while True:
        # At least one whole look, however short the deadline is.
        view = observe.look(client, access, max(deadline.clip(observe.REQUEST_S), 1.0))
        looks += 1
        checks = decisions.health_checks(view, max_index_gap=max_index_gap, expected_members=expected_members)
        bad = [check for check in checks if not check.ok]
        good = 0 if bad else good + 1
        result = {
            **_facts(view),
            "looks": looks,
            "checks": [check.as_dict() for check in checks],
            "snapshot_source": decisions.snapshot_source(view, max_index_gap=max_index_gap)._asdict(),
            "changed": False,
        }
        if good >= max(1, consecutive):
            return result
        if deadline.expired():
            said = ", ".join(f"{check.name} ({check.seen})" for check in bad)
            raise EtcdError(
                f"etcd was not healthy within {deadline.seconds:g} s: "
                f"{said or f'only {good} of {consecutive} good looks in a row'}.",
                result=result,
            )
        deadline.sleep(interval_s)


def follower(
    client: observe.Client,
    access: Access,
    deadline: Deadline,
    *,
    max_index_gap: int,
    interval_s: float,
    check_mode: bool,
) -> dict[str, t.Any]:
    """Make another member lead; what the members say afterwards counts, not the answer to the request."""
    looks = 0
    moved_from = why = ""
    while True:
        view = observe.look(client, access, max(deadline.clip(observe.REQUEST_S), 1.0))
        looks += 1
        wanted = decisions.decide_transfer(view, max_index_gap=max_index_gap)
        leader, local, target = view.leader, view.local, wanted.target
        away = wanted.possible and target is None
        result: dict[str, t.Any] = {
            **_facts(view),
            "looks": looks,
            "moved_from": moved_from,
            "moved_to": leader.member.name if leader and moved_from and away else "",
            "note": why or wanted.note,
            "changed": bool(moved_from) and away,
        }
        if away and (leader or not moved_from):
            return result
        said = wanted.note
        if target is not None and local is not None:
            if check_mode:
                return {**result, "changed": True, "moved_from": local.member.name, "moved_to": target.name}
            moved_from, why = local.member.name, wanted.note
            try:
                client.move_leader(target.id, max(deadline.clip(observe.REQUEST_S * 2), 1.0))
            except EtcdError as error:
                # The lead may have moved all the same, or an election come between: the next look tells.
                said = error.message
            else:
                if not deadline.expired():
                    continue
        if deadline.expired():
            raise EtcdError(
                f"The lead could not be moved from this node's member within {deadline.seconds:g} s: {said}",
                result=result,
            )
        deadline.sleep(interval_s)


def _facts(view: View) -> dict[str, t.Any]:
    leader = view.leader
    return {
        "members": decisions.member_rows(view),
        "alarms": decisions.alarm_rows(view),
        "leader": leader.member.name if leader else "",
    }
