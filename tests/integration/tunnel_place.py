# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of ssh_tunnel share."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api import auth
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import ApiUnreachable

Json = dict[str, t.Any]

# Nothing listens there: enough for tests that end at the SSH server.
NOWHERE = {"host": "https://127.0.0.1:1", "api_key": "none"}


@pytest.fixture
def nothing_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key, agent or kubeconfig of whoever runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "SSH_AUTH_SOCK"):
        monkeypatch.delenv(name, raising=False)


def refused(params: Json) -> ApiUnreachable:
    """The error of what cannot be reached, whether the connection or a request meets it."""
    with pytest.raises(ApiUnreachable) as caught:
        auth.connect(params).get("/version", timeout_s=5)
    return caught.value
