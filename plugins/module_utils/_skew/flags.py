# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Flags of the control plane: those that a program runs with, and those that kubeadm-config gives it. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._programs.used import component_args
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Json
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.programs import UNKNOWN, UNSURE, Program
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import flag_values
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

Flags = dict[str, list[str]]


def flags_of(arguments: list[str]) -> Flags:
    """All values of each flag of a command line."""
    return _by_name(flag_values({"command": arguments}))


def configured_flags(config: Json | None, component: str) -> Flags:
    """All values of each of a component's extraArgs."""
    return _by_name(component_args(config, component))


class Verdict(t.NamedTuple):
    """Why a flag is gone in the target, and where that is from; or that nobody knows."""

    why: str = ""
    source: str = ""
    unsure: bool = False


def gone(component: str, name: str, target: Version, program: Program | None) -> Verdict:
    """Whether the target's component starts with a flag: by what it said itself, else by the list of removed flags."""
    said = program.flag(name) if program else UNSURE
    if program and said == UNKNOWN:
        return Verdict(f"{component} {program.version} was asked and does not know it")
    if said != UNSURE:
        return Verdict()
    rule = rules.removed_flag(component, name, target.minor)
    if rule is None:
        return Verdict(unsure=program is not None)
    return Verdict(f"removed in 1.{rule.since}, by the list of removed flags", rule.source)


def _by_name(found: list[tuple[str, str]]) -> Flags:
    flags: Flags = {}
    for name, value in found:
        flags.setdefault(name, []).append(value)
    return flags
