# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Which node of a hop runs `kubeadm upgrade apply`: pure."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Request
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version


def applies_on(
    control_plane: Sequence[str], request: Request, *, apply_needed: bool, before: Version, to: Version
) -> str | None:
    """The node of the hop from `before` to `to` that applies; None where each has `kubeadm upgrade node`.

    Only the first of `control_plane` can. Where kubeadm-config and the addons are at `to` already, it does so if it is
    the first of the inventory as well: what a killed one left undone is then done. A hop of etcd alone changes nothing
    that is written there.
    """
    if not control_plane:
        return None
    first = control_plane[0]
    return first if apply_needed or (before != to and first == _first_of_inventory(request)) else None


def _first_of_inventory(request: Request) -> str | None:
    return request.first_control_plane or next(iter(request.control_plane or []), None)
