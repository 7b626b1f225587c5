# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests that take minutes and gigabytes: `make test-large`. They use what the integration tests have."""

from __future__ import annotations

import typing as t

import pytest

from etcd_cluster import LargeCluster


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[LargeCluster]:
    with LargeCluster(tmp_path_factory.mktemp("large")) as made:
        made.start()
        yield made
