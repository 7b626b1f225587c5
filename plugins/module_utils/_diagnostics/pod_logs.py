# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Where the logs of a node's own pods are: those that the kubelet has, and those kept of pods that are gone."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._node_state import STATE

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node

POD_LOGS = "/var/log/pods"
KEPT = f"{STATE}/swap/logs"
"""A folder for each swap that restored the old state (`_static_pods.log_capture`)."""
OF_ONE_CONTAINER = 2
"""The newest logs of a container that count: of the run that goes on and of the one that ended before it."""
# The kubelet gives a static pod a hash as its UID, and the API server all others a UUID.
STATIC_POD = re.compile(r"^kube-system_(?P<pod>.+)_(?P<uid>[0-9a-f]{32})$")
SYSTEM_POD = re.compile(r"^kube-system_(?P<pod>kube-proxy-[a-z0-9]+|coredns-[a-z0-9-]+)_[0-9a-f-]{36}$")


class PodLog(t.NamedTuple):
    """One log of one container, with a name of its own on the node."""

    name: str
    path: str
    written: float
    """When it was last written, seconds since the epoch."""


def pod_logs(node: Node, *pods: re.Pattern[str]) -> list[PodLog]:
    """The newest logs of the containers of pods whose folder one of `pods` matches; of each container at most two."""
    found: list[PodLog] = []
    for folder in node.names(POD_LOGS):
        match = next((each for each in (pattern.match(folder) for pattern in pods) if each), None)
        if not match:
            continue
        uid = folder.rpartition("_")[2][:8]
        for container in node.names(f"{POD_LOGS}/{folder}"):
            place = f"{POD_LOGS}/{folder}/{container}"
            paths = [f"{place}/{name}" for name in node.names(place) if name.endswith(".log")]
            of = f"pod-{match['pod']}-{uid}-{container}"
            for path in sorted(paths, key=node.modified)[-OF_ONE_CONTAINER:]:
                found.append(PodLog(f"{of}-{os.path.basename(path)}", path, node.modified(path)))
    return found


def kept_logs(node: Node) -> list[PodLog]:
    """The ends of logs of components that did not start in the last swap, and of the kubelet's at that time."""
    folders = sorted((f"{KEPT}/{name}" for name in node.names(KEPT)), key=node.modified)
    return [
        PodLog(f"swap-{name}", f"{folder}/{name}", node.modified(f"{folder}/{name}"))
        for folder in folders[-1:]
        for name in node.names(folder)
        if name.endswith(".log")
    ]
