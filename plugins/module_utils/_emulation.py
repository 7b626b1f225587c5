# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The emulated version of control-plane components, by which an upgrade can be taken back: pure.

A component that emulates the minor before its own offers the APIs and features
of that minor and stores nothing that it could not read (KEP-4330). The flags
stand in the static pod manifests alone and never in kubeadm-config, so that
they are told from those of an operator, and the next run of kubeadm without
them takes them away.
"""

from __future__ import annotations

COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
FLAG = "emulated-version"
OLDEST = 31
"""The oldest minor that anything emulates, so that 1.32 is the first that can be taken back."""
EMULATED_MINORS = 3
"""How many minors back a component emulates."""
SOURCE = "https://kubernetes.io/docs/concepts/cluster-administration/compatibility-version/"


def emulated_minor(value: str | None) -> int | None:
    """34 of ``1.34`` or ``kube=1.34,wardle=1.2``; None where the value sets none for Kubernetes."""
    for part in (value or "").split(","):
        component, equals, version = part.strip().rpartition("=")
        if equals and component.strip() != "kube":
            continue
        _major, dot, minor = version.strip().lstrip("v").partition(".")
        number = minor.partition(".")[0]
        if dot and number.isdigit():
            return int(number)
    return None


def flags_to_add(minor: int) -> dict[str, dict[str, str]]:
    """The flags with which the components emulate 1.`minor`, by component."""
    return {component: {FLAG: f"1.{minor}"} for component in COMPONENTS}
