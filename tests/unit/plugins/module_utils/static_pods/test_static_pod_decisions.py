# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done with the manifest of a static pod."""

from __future__ import annotations

import pytest

from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods import decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.decisions import Manifest, StaticPodError


def manifest(live: bytes | None, kept: bytes | None) -> Manifest:
    return Manifest("etcd", "/manifests/etcd.yaml", "/kept/etcd.yaml", live, kept)


@pytest.mark.parametrize(
    ("live", "kept", "stopped", "running"),
    [
        (b"a", None, "put aside", ""),
        (None, b"a", "", "put back"),
        (b"a", b"a", "put aside", "forget"),
    ],
)
def test_decide(live: bytes | None, kept: bytes | None, stopped: str, running: str) -> None:
    assert decisions.decide("stopped", manifest(live, kept)) == stopped
    assert decisions.decide("running", manifest(live, kept)) == running


@pytest.mark.parametrize("state", ["stopped", "running"])
@pytest.mark.parametrize(
    ("live", "kept", "said"), [(None, None, "There is no manifest of etcd"), (b"a", b"b", "are different manifests")]
)
def test_what_is_refused(state: str, live: bytes | None, kept: bytes | None, said: str) -> None:
    with pytest.raises(StaticPodError, match=said):
        decisions.decide(state, manifest(live, kept))
