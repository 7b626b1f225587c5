# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods as the API describes them, for tables of cases."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import PodRecord

Json = dict[str, t.Any]

READY = [{"type": "Ready", "status": "True"}]
UNREADY = [{"type": "Ready", "status": "False"}]


def owned_by(kind: str, name: str = "web", api_version: str = "apps/v1", controller: bool = True) -> list[Json]:
    return [{"kind": kind, "name": name, "apiVersion": api_version, "controller": controller}]


def pod(
    name: str = "p",
    *,
    owners: list[Json] | None = None,
    phase: str = "Running",
    empty_dir: bool = False,
    conditions: list[Json] | None = None,
    labels: Json | None = None,
    tolerations: list[Json] | None = None,
    grace: int = 30,
    **metadata: t.Any,
) -> Json:
    volumes: list[Json] = [{"name": "host", "hostPath": {"path": "/"}}]
    if empty_dir:
        volumes.append({"name": "cache", "emptyDir": {}})
    found = {"namespace": "n", "name": name, "uid": f"uid-{name}", "labels": labels or {}, **metadata}
    if owners:
        found["ownerReferences"] = owners
    return {
        "metadata": found,
        "spec": {"volumes": volumes, "tolerations": tolerations or [], "terminationGracePeriodSeconds": grace},
        "status": {"phase": phase, "conditions": READY if conditions is None else conditions},
    }


TERMINATING: Json = {"deletionTimestamp": "2026-01-31T12:00:00Z", "deletionGracePeriodSeconds": 30}


def record(found: Json, decision: str = "evict") -> PodRecord:
    return PodRecord(pod=found, node="w1", decision=decision)
