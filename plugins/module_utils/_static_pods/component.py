# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""A static pod of the control plane as its manifest describes it: its processes, and whether it is ready."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _yamlread
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import container_flags
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods import asking, processes
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.swap import SwapError

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.swap import Swap

API_SERVER = "kube-apiserver"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Component:
    """Raises SwapError where the manifest cannot be read. `addresses` are the API server's own."""

    def __init__(self, name: str, path: str, addresses: t.Sequence[str]) -> None:
        self.name = name
        try:
            with open(path, encoding="utf-8") as file:
                manifest = _yamlread.load(file.read(), typed=False)
        except (OSError, ValueError) as error:
            raise SwapError(f"The manifest {path} could not be read: {error}.") from None
        by_name = {str(container.get("name")): container for container in asking.containers(manifest)}
        if not by_name:
            raise SwapError(f"The manifest {path} has no containers.")
        main = name if name in by_name else next(iter(by_name))
        metadata = manifest.get("metadata") or {}
        self.flags = container_flags(by_name[main])
        self.pod = processes.StaticPod(metadata.get("namespace") or "default", metadata.get("name") or name, main)
        self.requests = asking.requests(manifest, addresses)

    def answers(self) -> bool:
        return all(asking.answers(request) for request in self.requests)

    def listens(self) -> bool:
        """Whether it answers a request over the network."""
        return any(request.kind != asking.PROCESS and asking.answers(request) for request in self.requests)

    def ready(self) -> bool:
        return bool(self.pod.runs()) and self.answers()

    def shutdown_delay(self) -> float:
        """Seconds for which an API server serves after SIGTERM, while it says that it is not ready."""
        value = self.flags.get("shutdown-delay-duration", "")
        return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(value))


def components(swap: Swap) -> list[Component]:
    """By the manifests that are in place now."""
    return [Component(pod.name, pod.manifest, swap.server.addresses if swap.server else ()) for pod in swap.pods]
