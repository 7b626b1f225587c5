# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Findings on the flags of a node's kubelet, by the target's kubelet or by the list of removed flags: pure."""

from __future__ import annotations

from ansible_collections.evergreen.kubeadm.plugins.module_utils._programs.used import gates_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import rules
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import (
    BLOCKER,
    NOTE,
    WARNING,
    Finding,
    Host,
    Json,
    finding,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.programs import (
    KNOWN,
    LOCKED,
    UNKNOWN,
    UNSURE,
    Program,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version


def kubelet_flag_findings(
    host: Host, running: Version | None, ahead: list[Version], kubelet: Program | None, unsure: set[tuple[str, str]]
) -> list[Finding]:
    """`ahead` are the versions that the node goes through; `kubelet` is that of the last, where it was asked.

    `unsure` takes what the kubelet should have been asked for.
    """
    found = []
    for entry in host.kubelet_flags:
        name = str(entry.get("name", ""))
        if not name:
            continue
        found += _flag(host, entry, name, running, ahead, kubelet, unsure)
        if name == "feature-gates" and kubelet is not None:
            found += _gates(host, entry, kubelet, unsure)
    return found


def _flag(
    host: Host,
    entry: Json,
    name: str,
    running: Version | None,
    ahead: list[Version],
    kubelet: Program | None,
    unsure: set[tuple[str, str]],
) -> list[Finding]:
    place = _place(entry)
    target = ahead[-1]
    said = kubelet.flag(name) if kubelet else UNSURE
    if kubelet is not None and said == KNOWN:
        return _deprecated(host, entry, name, kubelet)
    source = ""
    if kubelet is not None and said == UNKNOWN:
        why = f"kubelet {kubelet.version} was asked and does not know it"
    else:
        rule = rules.removed_flag("kubelet", name, target.minor)
        if rule is None or (running is not None and running.minor >= rule.since):
            if kubelet is not None:
                unsure.add((kubelet.name, f"--{name}"))
            return []
        why = f"a kubelet from 1.{rule.since} on does not start with it, by the list of removed flags"
        source = rule.source
    minors = [version.minor for version in ahead]
    strips = rules.STRIPPED_BY_KUBEADM.get(name)
    stripped = strips in minors and place == rules.KUBEADM_FLAGS_FILE
    return [
        finding(
            "kubelet-flag-removed",
            WARNING if stripped else BLOCKER,
            f"node/{host.name}",
            f"--{name} in {place}; {why}",
            f"Nothing: kubeadm 1.{strips} takes it out while it upgrades the node."
            if stripped
            else f"Take it out of {place} before the new kubelet is started.",
            source,
        )
    ]


def _deprecated(host: Host, entry: Json, name: str, kubelet: Program) -> list[Finding]:
    # kubeadm looks after its own file.
    if name not in kubelet.deprecated_flags or _file(entry) == rules.KUBEADM_FLAGS_FILE:
        return []
    return [
        finding(
            "kubelet-flag-deprecated",
            NOTE,
            f"node/{host.name}",
            f"--{name} in {_place(entry)}; kubelet {kubelet.version} knows it and calls it deprecated",
            "Set the field of the KubeletConfiguration instead, before a later version drops the flag: "
            f"{kubelet.deprecated_flags[name] or 'see kubelet --help'}",
            rules.KUBELET_CONFIG_SOURCE,
        )
    ]


def _gates(host: Host, entry: Json, kubelet: Program, unsure: set[tuple[str, str]]) -> list[Finding]:
    found = []
    for name, value in sorted(gates_of(str(entry.get("value", ""))).items()):
        said = kubelet.gate(name, value)
        if said == UNSURE:
            unsure.add((kubelet.name, f"feature gate {name}"))
        elif said in (UNKNOWN, LOCKED):
            text = f"{name}={str(value).lower()}"
            why = "does not know this feature gate" if said == UNKNOWN else f"does not take {text}: the gate is locked"
            found.append(
                finding(
                    "feature-gate-unknown" if said == UNKNOWN else "feature-gate-locked",
                    BLOCKER,
                    f"node/{host.name}",
                    f"--feature-gates={text} in {_place(entry)}; kubelet {kubelet.version} was asked and {why}",
                    f"Take it out of {_place(entry)} before the new kubelet is started.",
                    rules.FEATURE_GATES_SOURCE,
                )
            )
    return found


def _file(entry: Json) -> str:
    return str(entry.get("file", ""))


def _place(entry: Json) -> str:
    return _file(entry) or "an unknown place"
