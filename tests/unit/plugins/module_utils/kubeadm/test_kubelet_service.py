# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a kubelet is asked whether it is healthy."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.kubelet_service import health_request


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, ("HTTP", ("127.0.0.1",), 10248)),
        ({"healthzPort": 10250, "healthzBindAddress": "192.0.2.4"}, ("HTTP", ("192.0.2.4",), 10250)),
        ({"healthzBindAddress": "::1"}, ("HTTP", ("::1",), 10248)),
        ({"healthzBindAddress": "0.0.0.0"}, ("HTTP", ("127.0.0.1",), 10248)),
        ({"healthzBindAddress": "::"}, ("HTTP", ("::1",), 10248)),
        ({"healthzPort": 0}, ("process", (), 0)),
    ],
)
def test_health_request(config: dict[str, t.Any], expected: tuple[str, tuple[str, ...], int]) -> None:
    found = health_request(config)
    assert (found.kind, found.hosts, found.port) == expected
