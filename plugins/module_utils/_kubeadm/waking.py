# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Have the kubelet start a changed static pod when the old one has ended, not 10 to 15 s later.

A kubelet that is given a changed static pod ends the old one first. Whether that
has ended it asks again after its back-off period of 10 s and up to half of it
more (backOffPeriod in pkg/kubelet/kubelet.go, workerBackOffPeriodJitterFactor
in pod_workers.go), or at once when anything else makes it look at the pod: a
change of the mirror pod does. So as long as a manifest is new and the mirror
pod is not, the mirror pod is given an annotation every second. The annotation
goes with it: the kubelet deletes the mirror pod before it makes the new one.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
import typing as t
from collections.abc import Mapping

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import MANIFESTS

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.api import NodeApi
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import MirrorPod
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node

ANNOTATION = "evergreen.kubeadm/looked-at"
_PAUSE_S = 1.0
_REQUEST_S = 3.0


def left_behind(
    old_manifests: Mapping[str, str],
    manifests: Mapping[str, str],
    old_mirrors: Mapping[str, str],
    mirrors: Mapping[str, str],
) -> list[str]:
    """The components whose manifest is another one than before, and whose mirror pod is not. Pure.

    All are by component: a digest of the file, and the hash that the kubelet
    wrote to the mirror pod. A manifest that is away is no other one.
    """
    return sorted(
        component
        for component, digest in manifests.items()
        if old_manifests.get(component, digest) != digest
        and old_mirrors.get(component)
        and mirrors.get(component) == old_mirrors[component]
    )


class Waker:
    """Does so beside kubeadm, as long as its ``with`` lasts. What cannot be asked is asked again a second later."""

    def __init__(self, node: Node, api: t.Callable[[], NodeApi], mirrors: Mapping[str, MirrorPod] | None) -> None:
        """`mirrors` are the mirror pods before kubeadm is run. `api` gives credentials that may change pods."""
        self._node = node
        self._name = node.node_name()
        self._api = api
        self._old_manifests = self._manifests()
        self._old_mirrors = {component: pod.config_hash for component, pod in (mirrors or {}).items()}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="waker", daemon=True)

    def __enter__(self) -> Waker:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        # One look is one request, and one for each component.
        self._thread.join(5 * _REQUEST_S)

    def _manifests(self) -> dict[str, str]:
        texts = {name: self._node.read(f"{MANIFESTS}/{name}") for name in self._node.names(MANIFESTS)}
        return {
            name[: -len(".yaml")]: hashlib.sha256(text.encode()).hexdigest()
            for name, text in texts.items()
            if text and name.endswith(".yaml")
        }

    def _work(self) -> None:
        while not self._over.wait(_PAUSE_S):
            # The API server that is asked may be the one that is replaced; the credentials may be renewed just now.
            with contextlib.suppress(EvergreenError):
                self._look()

    def _look(self) -> None:
        manifests = self._manifests()
        # As long as kubeadm has changed none, nobody is asked.
        if not left_behind(self._old_manifests, manifests, self._old_mirrors, self._old_mirrors):
            return
        api = self._api()
        mirrors = {name: pod.config_hash for name, pod in api.mirror_pods(self._name, _REQUEST_S).items()}
        for component in left_behind(self._old_manifests, manifests, self._old_mirrors, mirrors):
            api.annotate_pod(f"{component}-{self._name}", {ANNOTATION: f"{time.time():.0f}"}, _REQUEST_S)
