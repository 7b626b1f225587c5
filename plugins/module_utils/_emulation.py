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

import typing as t

COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
FLAG = "emulated-version"
OLDEST = 31
"""The oldest minor that anything emulates, so that 1.32 is the first that can be taken back."""
EMULATED_MINORS = 3
"""How many minors back a component emulates."""
SOURCE = "https://kubernetes.io/docs/concepts/cluster-administration/compatibility-version/"

Flags = t.Mapping[str, str]


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


def added_words(flags: Flags, configured: t.Collection[str]) -> list[str]:
    """Words of a component's command by which it emulates, where kubeadm-config (`configured`) has not that flag."""
    return [f"--{FLAG}={flags[FLAG]}"] if FLAG in flags and FLAG not in configured else []


def left_over(
    components: t.Collection[str], emulated: t.Mapping[str, str], wanted: t.Mapping[str, t.Mapping[str, t.Any]]
) -> list[str]:
    """Where components of a node do not emulate what they are to, in sentences.

    `emulated` are the values in the manifests, without those that
    kubeadm-config sets, and `wanted` the flags that this upgrade adds.
    """
    found = []
    for component in COMPONENTS:
        now, to = emulated.get(component), wanted.get(component, {}).get(FLAG)
        if component in components and emulated_minor(now) != emulated_minor(None if to is None else str(to)):
            found.append(f"{component} has {_said(now)}, and is to have {_said(to)}")
    return found


def _said(value: t.Any) -> str:
    return f"no --{FLAG}" if value is None else f"--{FLAG}={value}"
