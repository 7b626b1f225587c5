# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Every kind of finding that there is."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue import (
    addons,
    cluster,
    config,
    control_plane,
    etcd,
    hosts,
    hosts_machine,
    hosts_packages,
    objects,
    plan,
    programs,
    way_back,
    workloads,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.catalogue.model import Entry

# In the order of the index of docs/findings.
AREAS: dict[str, tuple[Entry, ...]] = {
    "The plan": plan.ENTRIES,
    "The cluster": cluster.ENTRIES,
    "Configuration of kubeadm and kubelet": config.ENTRIES,
    "Control plane": control_plane.ENTRIES,
    "The way back": way_back.ENTRIES,
    "etcd": etcd.ENTRIES,
    "Nodes": (*hosts.ENTRIES, *hosts_machine.ENTRIES, *hosts_packages.ENTRIES),
    "What the target's programs know": programs.ENTRIES,
    "Workloads": workloads.ENTRIES,
    "Objects": objects.ENTRIES,
    "Addons": addons.ENTRIES,
}
ENTRIES: tuple[Entry, ...] = tuple(entry for entries in AREAS.values() for entry in entries)
