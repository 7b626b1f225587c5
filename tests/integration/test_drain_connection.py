# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A drain whose connections to the API server are cut, or fall silent."""

from __future__ import annotations

import time
import typing as t

import pytest

from drain_place import Place
from harness.cluster import Cluster
from harness.process import wait_for
from harness.tcp_proxy import TcpProxy


@pytest.fixture
def proxy(cluster: Cluster) -> t.Iterator[TcpProxy]:
    with TcpProxy(cluster.url) as made:
        yield made


def test_a_watch_that_is_cut_is_taken_up_again(place: Place, proxy: TcpProxy) -> None:
    place.web(3, annotations={"evergreen.test/stop-after": "6s"})
    place.add_node(place.second)
    drain = place.start_drain(auth={"host": proxy.url})
    wait_for("all pods stop", lambda: len(place.stopping()) == 3)
    # The watch at least; idle connections of the pool may be there too. Not at once: a pod stops
    # before the answer to its eviction has come, and a lost answer is another case.
    cuts = []
    for _time in range(3):
        time.sleep(1.3)
        cuts.append(proxy.cut())
    assert place.pods(place.first) != [], "the pods were gone before the watch was cut"
    assert all(cuts), f"there was nothing to cut: {cuts}"
    result = drain.result()
    assert not result.get("failed") and result["totals"]["gone"] == 3, result
    assert result["totals"]["evicted"] == 3 and result["totals"]["attempts"] == 3
    assert result["duration_s"] < 12


@pytest.mark.parametrize("stop_after", ["1s", "6s"], ids=["gone when asked again", "stopping when asked again"])
def test_an_eviction_whose_answer_is_lost_is_ours_all_the_same(place: Place, proxy: TcpProxy, stop_after: str) -> None:
    place.web(1, annotations={"evergreen.test/stop-after": stop_after})
    place.budget("web", 0, minAvailable=1)
    place.add_node(place.second)
    drain = place.start_drain(auth={"host": proxy.url})
    wait_for("the node is cordoned", place.is_cordoned)
    time.sleep(2)
    assert place.stopping() == []
    proxy.hold_answers()
    place.drop_budget("web")
    # A pod that stops fast may be gone before it was seen stopping.
    wait_for("the eviction is carried out", lambda: place.stopping() or place.pods(place.first) == [])
    if stop_after == "1s":
        wait_for("the pod is gone", lambda: place.pods(place.first) == [])
    proxy.cut()
    proxy.pass_answers()
    result = drain.result()
    assert not result.get("failed") and result["totals"]["gone"] == 1, result
    assert result["pods"][0]["evicted_at"] and result["totals"]["evicted"] == 1, result
    assert len(place.pods()) == 1 and place.stopping() == []


def test_an_api_server_that_falls_silent_is_named_at_the_deadline(place: Place, proxy: TcpProxy) -> None:
    place.web(1, annotations={"evergreen.test/stop-after": "2s"})
    place.add_node(place.second)
    drain = place.start_drain(auth={"host": proxy.url}, wait_timeout=6)
    wait_for("the pod stops", place.stopping)
    proxy.hold_answers()
    result = drain.result()
    proxy.cut()
    # The pod is gone by now, and nobody could tell the task.
    assert result["failed"] and result["changed"], result
    assert result["left"][0]["reason"].startswith("terminating")
    assert result["duration_s"] < 20
    assert place.drain()["totals"]["pods"] == 0
