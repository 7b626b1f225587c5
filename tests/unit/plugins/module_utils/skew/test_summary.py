# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import NOTE, WARNING, finding
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.plan import Hop
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.summary import grouped, summary

SWAP = [finding("swap-on", WARNING, f"node/{name}", "swap is on", "Turn it off.") for name in ("w1", "w2", "w1")]
OTHER = finding("swap-on", WARNING, "node/w3", "swap is on, 2 GiB", "Turn it off.")
NOTED = finding("new-minor", NOTE, "cluster", "1.35 is new", "Read its notes.", "https://kubernetes.io/")


def hop(**changed: object) -> Hop:
    base: dict[str, object] = {"from": "1.34.4", "to": "1.35.4", "control_plane": ["cp1", "cp2"], "workers": ["w1"]}
    return t.cast("Hop", {**base, "apply_needed": True, "etcd": None, **changed})


def test_findings_that_differ_in_their_subject_alone_are_one() -> None:
    groups = grouped([SWAP[0], NOTED, SWAP[1], OTHER, SWAP[2]])
    assert [(group["id"], group["subjects"]) for group in groups] == [
        ("swap-on", ["node/w1", "node/w2"]),
        ("new-minor", ["cluster"]),
        ("swap-on", ["node/w3"]),
    ]
    assert groups[1]["source"] == "https://kubernetes.io/"


def test_a_finding_of_another_origin_may_lack_everything() -> None:
    assert grouped([{}, {"subject": "node/w1"}]) == [
        {"id": "", "severity": "", "evidence": "", "remedy": "", "source": "", "subjects": ["node/w1"]}
    ]


def test_the_sentences_of_a_plan() -> None:
    lines = summary("1.35.4", [hop(), hop(control_plane=[], workers=[])], [SWAP[0], SWAP[1], NOTED], needed=True)
    assert lines == [
        "1.34.4 to 1.35.4: control plane cp1, cp2; workers w1",
        "1.34.4 to 1.35.4: control plane done; workers none",
        "warning swap-on (node/w1, node/w2): swap is on. Turn it off.",
        "note new-minor (cluster): 1.35 is new. Read its notes.",
    ]


def test_the_soft_taint_of_an_earlier_run_is_something_to_do() -> None:
    assert summary("1.35.4", [], [], needed=True, leftovers=["w1", "w2"]) == [
        "The soft taint of an earlier run is to be taken off w1, w2."
    ]
    assert len(summary("1.35.4", [hop()], [], needed=True, leftovers=["w1"])) == 1


def test_where_nothing_is_to_be_done_that_is_said_first() -> None:
    assert summary("1.35.4", [], [NOTED], needed=False)[0] == "Nothing to do: the cluster is at 1.35.4."
