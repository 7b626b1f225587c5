# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""How far an upgrade is that can be taken back, by the flags of the running static pods: pure."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _emulation
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import NodeState
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

NONE, PARTIAL, SOAKING = "none", "partial", "soaking"


class WayBack(t.TypedDict):
    """`state` is NONE, PARTIAL or SOAKING; `minor` is the one that is emulated, such as ``1.34``, or empty.

    `nodes` names the control-plane nodes with a component that emulates.
    """

    state: str
    minor: str
    nodes: list[str]


def way_back(states: list[NodeState], target: Version) -> WayBack:
    """SOAKING where every component of the control plane runs `target` and emulates the same minor."""
    planes = [state for state in states if state.is_control_plane]
    minors = {minor for state in planes for minor in _minors(state)}
    nodes = [state.name for state in planes if state.emulated]
    if not nodes:
        return WayBack(state=NONE, minor="", nodes=[])
    whole = len(minors) == 1 and not any(soak_left(state, target, min(minors)) for state in planes)
    return WayBack(
        state=SOAKING if whole else PARTIAL,
        minor=f"{target.major}.{min(minors)}" if minors else "",
        nodes=nodes,
    )


def minor_to_keep(states: list[NodeState]) -> int | None:
    """The minor that the oldest API server offers, which is the one to be able to go back to."""
    minors = []
    for state in states:
        if state.is_control_plane and state.api_server is not None:
            emulated = _emulation.emulated_minor(state.emulated.get("kube-apiserver"))
            minors.append(state.api_server.minor if emulated is None else emulated)
    return min(minors, default=None)


def soak_left(state: NodeState, target: Version, minor: int) -> list[str]:
    """What of a control-plane node is not at `target` or does not emulate 1.`minor`. Its kubelet waits, and is well.

    Within a minor there is nothing to emulate.
    """
    left = [
        f"{component} {version.tag if version else 'unknown'}"
        for component, version in state.components.items()
        if version != target
    ]
    if minor != target.minor:
        left += [
            f"{component} does not emulate 1.{minor}"
            for component in state.components
            if _emulation.emulated_minor(state.emulated.get(component)) != minor
        ]
    if state.cordoned_by is not None:
        left.append("still cordoned by an earlier run")
    return left


def flags_for(minor: int | None, target: Version) -> dict[str, dict[str, str]]:
    """The flags that the components get in an upgrade that can be taken back; none within a minor."""
    return {} if minor is None or minor == target.minor else _emulation.flags_to_add(minor)


def _minors(state: NodeState) -> list[int]:
    found = [_emulation.emulated_minor(value) for value in state.emulated.values()]
    return [minor for minor in found if minor is not None]
