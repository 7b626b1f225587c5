# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Restart the kubelet with or without the flags of a time, and see it healthy."""

from __future__ import annotations

import http.client
import os
import typing as t
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import KUBELET_CONFIG, Node
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubelet_flags import decisions
from ansible_collections.evergreen.kubeadm.plugins.module_utils._systemd import systemctl

POLL_S = 0.2
HEALTHZ_PORT = 10248
"""The kubelet's default (KubeletConfiguration, healthzPort)."""


class KubeletFlagsError(EvergreenError):
    """A kubelet that could not be given flags, or did not come back."""


@dataclass(frozen=True)
class Seen:
    """The kubelet as it is: the running and the installed version, its command line, and whether a drop-in is there."""

    pid: int | None
    running: str
    installed: str
    command: tuple[str, ...]
    environment: str
    """What the environment file holds; empty where there is none."""


def look(node: Node) -> Seen:
    pid = node.kubelet_pid()
    command = (node.read_bytes(f"/proc/{pid}/cmdline") or b"") if pid else b""
    return Seen(
        pid,
        node.kubelet_running_version(pid) if pid else "",
        node.version_of("kubelet", "--version"),
        tuple(command.decode("utf-8", "replace").split("\0")[:-1]),
        node.read(decisions.ENVIRONMENT) or "",
    )


def base(node: Node, seen: Seen) -> str:
    """The node's own value of the variable."""
    kept = node.read(decisions.BASE)
    if kept is not None:
        return kept
    return decisions.variable((node.read_bytes(f"/proc/{seen.pid}/environ") or b"") if seen.pid else b"")


def raised(node: Node, seen: Seen, node_base: str, added: t.Sequence[str], verbosity: int) -> list[str]:
    """The words that are added, with the level of the log where the kubelet itself logs less."""
    own = decisions.without(seen.command, decisions.added(seen.environment, node_base))
    logging = node.yaml(KUBELET_CONFIG).get("logging") or {}
    return decisions.raised(added, verbosity, own, str(logging.get("verbosity") or ""))


def write(node_base: str, words: t.Sequence[str]) -> None:
    """Write the files and tell systemd. Raises KubeletFlagsError and SystemdError."""
    try:
        for path, text in (
            (decisions.BASE, node_base),
            (decisions.ENVIRONMENT, decisions.environment(node_base, words)),
            (decisions.DROP_IN, decisions.drop_in()),
        ):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            _node_state.replace(path, text.encode(), 0o644)
    except OSError as error:
        raise KubeletFlagsError(f"{error.filename} could not be written: {error.strerror}.") from None
    systemctl("daemon-reload")


def remove() -> None:
    """Remove what systemd reads, and tell it. Raises KubeletFlagsError."""
    _remove(decisions.DROP_IN, decisions.ENVIRONMENT)
    systemctl("daemon-reload")


def forget() -> None:
    """Remove what is left once the kubelet runs without the flags. Raises KubeletFlagsError."""
    _remove(decisions.BASE)


def is_left(node: Node) -> bool:
    """Whether the flags are still to be taken out, or a restart without them was not seen."""
    return any(node.exists(path) for path in (decisions.DROP_IN, decisions.ENVIRONMENT, decisions.BASE))


def _remove(*paths: str) -> None:
    try:
        for path in paths:
            if os.path.lexists(path):
                _node_state.remove(path)
    except OSError as error:
        raise KubeletFlagsError(f"{error.filename} could not be removed: {error.strerror}.") from None


def restart(node: Node, deadline: Deadline) -> Seen:
    """Restart the kubelet and wait until it says that it is healthy. Raises KubeletFlagsError."""
    systemctl("restart", "kubelet")
    port = int(node.yaml(KUBELET_CONFIG).get("healthzPort") or HEALTHZ_PORT)
    while True:
        seen = look(node)
        problem = _unhealthy(port) if seen.pid else "no kubelet runs"
        if not problem:
            return seen
        if deadline.expired():
            raise KubeletFlagsError(
                f"The kubelet was restarted and is not healthy after {deadline.seconds:g} s: {problem}.",
                hint="See journalctl --unit kubelet --lines 50 on this node.",
            )
        deadline.sleep(POLL_S)


def _unhealthy(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"its /healthz gives no answer ({error})"
    finally:
        connection.close()
    return "" if status == 200 else f"its /healthz says {status}"
