# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which volumes hold a drained node."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.volumes import attached, claims_that_stay, told
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.drain.objects import pod, record

Json = dict[str, t.Any]


def attachment(name: str, node: str, volume: str | None, error: str = "") -> Json:
    return {
        "metadata": {"name": name},
        "spec": {"nodeName": node, "source": {"persistentVolumeName": volume} if volume else {}},
        "status": {"attached": True, **({"detachError": {"message": error}} if error else {})},
    }


def test_only_those_of_the_node() -> None:
    found = attached(
        [attachment("c2", "w1", "pv-2", "in use"), attachment("c3", "w2", "pv-3"), attachment("c1", "w1", None)], "w1"
    )
    assert [(entry["attachment"], entry["volume"], entry["detach_error"]) for entry in found] == [
        ("c1", None, None),
        ("c2", "pv-2", "in use"),
    ]
    assert told(found) == "c1; pv-2 (in use)"


def test_claims_of_pods_that_stay() -> None:
    records = [record(pod(name), decision) for name, decision in (("a", "skip"), ("b", "evict"), ("c", "refuse"))]
    for each in records:
        each.pod["spec"]["volumes"] = [
            {"name": "d", "persistentVolumeClaim": {"claimName": each.pod["metadata"]["name"]}}
        ]
    assert claims_that_stay(records, "w1") == {("n", "a"), ("n", "c")}
    assert claims_that_stay(records, "w2") == set()
