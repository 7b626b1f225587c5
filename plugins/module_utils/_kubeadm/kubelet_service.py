# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Restart the kubelet of a node, and see it healthy."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import utc_now
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.kubelet_config import merged
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import KUBELET_CONFIG
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods import asking
from ansible_collections.evergreen.kubeadm.plugins.module_utils._systemd import systemctl

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import JsonDict
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node

POLL_S = 0.2
HEALTHZ_PORT = 10248
"""The kubelet's default (KubeletConfiguration, healthzPort)."""

_OWN = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where a kubelet that listens everywhere is asked."""


class KubeletError(EvergreenError):
    """A kubelet that did not come back."""


def restart(node: Node, deadline: Deadline) -> str:
    """Restart the kubelet and wait until it says that it is healthy; when it was restarted.

    Raises EvergreenError.
    """
    systemctl("daemon-reload")
    systemctl("restart", "kubelet")
    restarted = utc_now()
    flags, _unset = node.kubelet_flags()
    health = health_request(merged(node.yaml(KUBELET_CONFIG), node.kubelet_drop_ins(flags)))
    while True:
        pid = node.kubelet_pid()
        if pid and asking.answers(health):
            return restarted
        if deadline.expired():
            problem = "its /healthz does not say so" if pid else "it does not run"
            raise KubeletError(
                f"The kubelet was restarted and is not healthy after {deadline.seconds:g} s: {problem}.",
                hint="See journalctl --unit kubelet --lines 50 on this node.",
            )
        deadline.sleep(POLL_S)


def health_request(config: JsonDict) -> asking.Request:
    """How the kubelet of a KubeletConfiguration is asked whether it is healthy. Port 0 is off: it only has to run."""
    port = config.get("healthzPort")
    port = HEALTHZ_PORT if port is None else int(port)
    if not port:
        return asking.Request("kubelet", asking.PROCESS)
    host = str(config.get("healthzBindAddress") or "127.0.0.1")
    return asking.Request("kubelet", asking.HTTP, (_OWN.get(host, host),), port, "/healthz")
