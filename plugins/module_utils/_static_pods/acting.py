# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Stop and start static pods by their manifests, and wait until the kubelet has followed.

A manifest that is put aside is written and synced there before the kubelet's
is removed, so that a node that loses its power has at least one of them.
"""

from __future__ import annotations

import os
import time
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods import decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.component import Component
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.decisions import Manifest, StaticPodError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.processes import PLACE, Place, StaticPod

KEPT = f"{_node_state.STATE}/static-pods"
POLL_S = 0.25
SETTLE_S = 2.0
"""How long no process may be seen. The kubelet starts one that ends until it has noticed that the manifest is gone."""


@dataclass
class Pod:
    """A static pod, and what is done with it."""

    manifest: Manifest
    pod: StaticPod
    action: str

    def pids(self) -> list[int]:
        """Its processes, in all of its containers."""
        return sorted(process.pid for process in self.pod.processes())

    def as_result(self) -> dict[str, t.Any]:
        return {
            "name": self.manifest.name,
            "manifest": self.manifest.live_path,
            "kept": self.manifest.kept_path,
            "action": self.action,
            "pids": self.pids(),
        }


def look(names: t.Sequence[str], state: str, folder: str, kept: str, place: Place = PLACE) -> list[Pod]:
    """The static pods, and what is to be done with each for `state`.

    Raises StaticPodError and SwapError before anything is done.
    """
    pods = []
    for name in names:
        live_path, kept_path = os.path.join(folder, f"{name}.yaml"), os.path.join(kept, f"{name}.yaml")
        manifest = Manifest(name, live_path, kept_path, _content(live_path), _content(kept_path))
        action = decisions.decide(state, manifest)
        component = Component(name, live_path if manifest.live is not None else kept_path, ())
        pod = Pod(manifest, replace(component.pod, place=place), action)
        if component.listens() and not pod.pids():
            raise StaticPodError(
                f"{name} answers, and its processes are not found by the logs of its pod in {place.pod_logs}.",
                hint="The kubelet makes that folder when it starts a pod. See whether something removed it.",
            )
        pods.append(pod)
    return pods


def stop(pods: t.Sequence[Pod], deadline: Deadline) -> None:
    """Put the manifests aside and wait until the processes are gone, for a while."""
    for pod in pods:
        if pod.action != decisions.PUT_ASIDE:
            continue
        try:
            _node_state.make_folder(os.path.dirname(pod.manifest.kept_path))
            _node_state.replace(pod.manifest.kept_path, pod.manifest.live or b"")
            _node_state.remove(pod.manifest.live_path)
        except OSError as error:
            raise StaticPodError(
                f"The manifest {pod.manifest.live_path} could not be put aside: {error.strerror}."
            ) from None
    gone_since = None
    while True:
        left = {pod.manifest.name: pod.pids() for pod in pods}
        now = time.monotonic()
        if any(left.values()):
            gone_since = None
        elif gone_since is None:
            gone_since = now
        if gone_since is not None and now - gone_since >= SETTLE_S:
            return
        if deadline.expired():
            still = ", ".join(f"{name} (process {pids[0]})" for name, pids in left.items() if pids)
            raise StaticPodError(
                f"{still or 'A static pod'} did not stay stopped within {deadline.seconds:g} s after the manifest was "
                "put aside.",
                hint="See whether the kubelet runs (systemctl status kubelet) and what its log says. The manifests are "
                f"in {os.path.dirname(pods[0].manifest.kept_path)}.",
            )
        deadline.sleep(POLL_S)


def start(pods: t.Sequence[Pod], deadline: Deadline) -> None:
    """Put the manifests back and wait until the main container of each runs."""
    for pod in pods:
        try:
            if pod.action == decisions.PUT_BACK:
                _node_state.replace(pod.manifest.live_path, pod.manifest.kept or b"")
            if pod.action in (decisions.PUT_BACK, decisions.FORGET):
                _node_state.remove(pod.manifest.kept_path)
        except OSError as error:
            raise StaticPodError(
                f"The manifest {pod.manifest.kept_path} could not be put back to {pod.manifest.live_path}: "
                f"{error.strerror}."
            ) from None
    while True:
        missing = [pod.manifest.name for pod in pods if not pod.pod.runs()]
        if not missing:
            return
        if deadline.expired():
            raise StaticPodError(
                f"{', '.join(missing)} did not run within {deadline.seconds:g} s after the manifest was put back.",
                hint="See what the kubelet and the container runtime say: journalctl --unit kubelet, crictl ps --all.",
            )
        deadline.sleep(POLL_S)


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StaticPodError(f"{path} could not be read: {error.strerror}.", hint="Run this as root.") from None
