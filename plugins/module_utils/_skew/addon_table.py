# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Addons and the Kubernetes minors that their makers say they support, as data.

Only what is published as a table is here. `read` is the day that the table
was read; what was published later is not known. The option `addons` of
skew_check adds to it, and replaces an entry of the same name.
"""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Json


class Support(t.NamedTuple):
    """The versions of an addon that begin with `version`, and the first and last minor 1.x that they support.

    A `last` of None is every minor since the first.
    """

    version: str
    first: int
    last: int | None


class Addon(t.NamedTuple):
    """`images` are the ends of its images' names, without registry and tag."""

    name: str
    images: tuple[str, ...]
    versions: tuple[Support, ...]
    source: str
    read: str


ADDONS = (
    Addon(
        "Calico",
        ("calico/node",),
        (
            Support("3.29", 29, 32),
            Support("3.30", 31, 35),
            Support("3.31", 32, 35),
            Support("3.32", 34, 36),
        ),
        "https://docs.tigera.io/calico/latest/getting-started/kubernetes/requirements",
        "2026-08-21",
    ),
    Addon(
        "Cilium",
        ("cilium/cilium",),
        (Support("1.18", 30, 33),),
        "https://github.com/cilium/cilium/blob/v1.18.14/Documentation/network/kubernetes/compatibility.rst",
        "2026-11-21",
    ),
    Addon(
        "cert-manager",
        ("jetstack/cert-manager-controller",),
        (
            Support("1.12", 22, 32),
            Support("1.14", 24, 31),
            Support("1.15", 25, 32),
            Support("1.16", 25, 32),
            Support("1.17", 29, 33),
            Support("1.18", 29, 33),
            Support("1.19", 31, 35),
            Support("1.20", 32, 35),
            Support("1.21", 33, 36),
        ),
        "https://cert-manager.io/docs/releases/",
        "2026-08-22",
    ),
    Addon(
        "ingress-nginx",
        ("ingress-nginx/controller",),
        (
            Support("1.10", 26, 30),
            Support("1.11", 26, 30),
            Support("1.12", 28, 32),
            Support("1.13", 29, 33),
            Support("1.14", 30, 34),
            Support("1.15", 31, 35),
        ),
        "https://github.com/kubernetes/ingress-nginx#supported-versions-table",
        "2026-03-20",
    ),
    Addon(
        "metrics-server",
        ("metrics-server/metrics-server",),
        (
            Support("0.6", 25, None),
            Support("0.7", 27, None),
            Support("0.8", 31, None),
            Support("0.9", 34, None),
        ),
        "https://github.com/kubernetes-sigs/metrics-server#compatibility-matrix",
        "2026-08-04",
    ),
    Addon(
        "Ceph CSI",
        ("cephcsi/cephcsi",),
        (Support("3.11", 26, 29), Support("3.12", 29, 31)),
        "https://github.com/ceph/ceph-csi#known-to-work-co-platforms",
        "2024-10-22",
    ),
    Addon(
        "NFS CSI driver",
        ("sig-storage/nfsplugin",),
        (Support("4.11", 21, None), Support("4.12", 21, None), Support("4.13", 21, None)),
        "https://github.com/kubernetes-csi/csi-driver-nfs#container-images--kubernetes-compatibility",
        "2026-08-22",
    ),
)


def with_added(entries: t.Sequence[Json]) -> list[Addon]:
    """The table, with the operator's entries in front; each replaces the one of its name."""
    added = [_added(entry) for entry in entries]
    names = {addon.name.lower() for addon in added}
    return [*added, *(addon for addon in ADDONS if addon.name.lower() not in names)]


def _added(entry: Json) -> Addon:
    versions = []
    for row in entry.get("versions") or []:
        first, last = row.get("kubernetes_min"), row.get("kubernetes_max")
        versions.append(Support(str(row["version"]), _minor(first) or 0, _minor(last)))
    return Addon(str(entry["name"]), (str(entry["image"]),), tuple(versions), str(entry.get("source") or ""), "")


def _minor(text: object) -> int | None:
    if text in (None, ""):
        return None
    major, _dot, minor = str(text).lstrip("v").partition(".")
    if major != "1" or not minor.isdigit():
        raise EvergreenError(f"{text!r} is not a minor of Kubernetes.", hint="Write it as 1.35, in quotes.")
    return int(minor)
