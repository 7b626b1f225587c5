# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Stop and start static pods by their manifests, and wait for what the kubelet makes of it.

A manifest that is put aside is written and synced there before the kubelet's
is removed, so that a node that loses its power has at least one of them.
"""

from __future__ import annotations

import os
import time
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state, _processes, _yamlread
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods import decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.decisions import Manifest, StaticPodError

KEPT = f"{_node_state.STATE}/static-pods"
POLL_S = 0.25
SETTLE_S = 2.0
"""How long no process may be seen. The kubelet starts one that ends until it has noticed that the manifest is gone."""


@dataclass
class Pod:
    """A static pod, and what is done with it."""

    manifest: Manifest
    words: list[str]
    action: str
    pids: tuple[int, ...] = ()

    def as_result(self) -> dict[str, t.Any]:
        return {
            "name": self.manifest.name,
            "manifest": self.manifest.live_path,
            "kept": self.manifest.kept_path,
            "action": self.action,
            "pids": list(self.pids),
        }


def look(names: t.Sequence[str], state: str, folder: str, kept: str) -> list[Pod]:
    """The static pods, and what is to be done with each for `state`. Raises StaticPodError before anything is done."""
    pods = []
    for name in names:
        live_path, kept_path = os.path.join(folder, f"{name}.yaml"), os.path.join(kept, f"{name}.yaml")
        manifest = Manifest(name, live_path, kept_path, _content(live_path), _content(kept_path))
        action = decisions.decide(state, manifest)
        content = manifest.live if manifest.live is not None else manifest.kept or b""
        try:
            pod = _yamlread.load(content.decode(), typed=False)
        except (_yamlread.UnreadableYaml, UnicodeDecodeError) as error:
            raise StaticPodError(f"The manifest of {name} could not be read: {error}.") from None
        words = decisions.words_of(pod, name)
        pods.append(Pod(manifest, words, action, tuple(_processes.running(words))))
    return pods


def stop(pods: t.Sequence[Pod], deadline: Deadline) -> list[Pod]:
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
        left = {pod.manifest.name: _processes.running(pod.words) for pod in pods}
        now = time.monotonic()
        if any(left.values()):
            gone_since = None
        elif gone_since is None:
            gone_since = now
        if gone_since is not None and now - gone_since >= SETTLE_S:
            return [replace(pod, pids=()) for pod in pods]
        if deadline.expired():
            still = ", ".join(f"{name} (process {pids[0]})" for name, pids in left.items() if pids)
            raise StaticPodError(
                f"{still or 'A static pod'} did not stay stopped within {deadline.seconds:g} s after the manifest was "
                "put aside.",
                hint="See whether the kubelet runs (systemctl status kubelet) and what its log says. The manifests are "
                f"in {os.path.dirname(pods[0].manifest.kept_path)}.",
            )
        deadline.sleep(POLL_S)


def start(pods: t.Sequence[Pod], deadline: Deadline) -> list[Pod]:
    """Put the manifests back and wait until each has a process."""
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
        seen = [replace(pod, pids=tuple(_processes.running(pod.words))) for pod in pods]
        missing = [pod.manifest.name for pod in seen if not pod.pids]
        if not missing:
            return seen
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
