# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the integration tests. What needs a cluster asks for `cluster`; nothing starts before."""

from __future__ import annotations

import itertools
import typing as t

import pytest

import drain_place
import tunnel_place
from harness.cluster import Cluster
from harness.objects import namespace

_numbers = itertools.count(1)
# A file is one worker's, so that what takes longest begins first.
LONGEST = ("test_swap.py", "test_hooks.py", "test_failed_worker.py", "test_unreachable.py", "test_plan_and_drain.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONGEST)))


# pytest looks for the fixtures of all test files here.
place = drain_place.place
nothing_from_the_environment = tunnel_place.nothing_from_the_environment


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Cluster]:
    """One control plane for the whole run. Tests keep apart by their own namespaces and nodes."""
    made = Cluster(tmp_path_factory.mktemp("cluster") / "c")
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def unique() -> str:
    """A name that no other test of this run has."""
    return f"t{next(_numbers)}"


@pytest.fixture
def fresh_namespace(cluster: Cluster, unique: str) -> str:
    """A namespace of the test's own."""
    cluster.apply(namespace(unique))
    return unique
