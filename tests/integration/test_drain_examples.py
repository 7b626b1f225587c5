# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples in the documentation of drain_node, run as they stand."""

from __future__ import annotations

import json
import typing as t

import pytest
import yaml

from ansible_collections.evergreen.kubeadm.plugins.modules import drain_node
from drain_place import Place
from harness.modules import run_module

Json = dict[str, t.Any]
MODULE = "evergreen.kubeadm.drain_node"
EXAMPLES: list[Json] = yaml.safe_load(drain_node.EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["name"] for example in EXAMPLES])
def test_example(place: Place, example: Json) -> None:
    place.web(2)
    place.add_node(place.second)
    if example[MODULE].get("state") == "uncordoned":
        place.drain()
    # A test has nodes of its own, and the run its name; all else is as documented.
    text = json.dumps(example[MODULE]).replace("worker1", place.first).replace("{{ upgrade_run_id }}", "r1")
    check_mode = bool(example.get("check_mode"))
    result = run_module("drain_node", {**place.cluster.params, **json.loads(text)}, check_mode=check_mode)
    assert not result.get("failed") and result["changed"], result
    assert result["node"] == place.first
    if check_mode:
        assert len(place.pods(place.first)) == 2 and not place.is_cordoned()
    elif example[MODULE].get("state") == "uncordoned":
        assert not place.is_cordoned()
    else:
        assert place.pods(place.first) == [] and place.is_cordoned()
