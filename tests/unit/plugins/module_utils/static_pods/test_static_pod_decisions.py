# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done with the manifest of a static pod, and which command line is its own."""

from __future__ import annotations

import typing as t

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


def pod(**container: t.Any) -> dict[str, t.Any]:
    return {"spec": {"containers": [{"name": "x", **container}]}}


def test_words() -> None:
    assert decisions.words_of(pod(command=["etcd", "--name=cp1"]), "etcd") == ["etcd", "--name=cp1"]
    assert decisions.words_of(pod(command=["etcd"], args=["--v", 2]), "etcd") == ["etcd", "--v", "2"]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        pytest.param(None, "not that of a pod", id="nothing"),
        pytest.param({"spec": {"containers": []}}, "not that of a pod", id="no container"),
        pytest.param({"spec": {"containers": [{}, {}]}}, "not that of a pod", id="two of them"),
        pytest.param(pod(args=["--v=2"]), "has no command", id="the image's own command"),
        pytest.param(pod(command=["etcd", "--name=$(NAME)"]), "has variables", id="a variable"),
    ],
)
def test_words_that_cannot_be_told(entry: t.Any, said: str) -> None:
    with pytest.raises(StaticPodError, match=said):
        decisions.words_of(entry, "etcd")


def test_which_end_in_order() -> None:
    assert decisions.ends_in_order(["kube-apiserver", "--shutdown-delay-duration=5s"])
    assert not decisions.ends_in_order(["kube-apiserver", "--shutdown-send-retry-after=true"])
