# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Results of target_programs, as the skew check judges by them: pure, and tolerant."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.evergreen.kubeadm.plugins.module_utils._programs.answers import KNOWN, LOCKED, UNKNOWN
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Json, version_or_none
from ansible_collections.evergreen.kubeadm.plugins.module_utils._versions import Version

UNSURE = "unsure"
"""The program was asked, and this is neither in its help nor among what it was asked for."""


@dataclass
class Program:
    """What one program of the target answered."""

    name: str
    version: Version
    error: str = ""
    """Why it was not asked; empty where it was."""
    flags: frozenset[str] = frozenset()
    deprecated_flags: dict[str, str] = field(default_factory=dict)
    gates: frozenset[str] = frozenset()
    plugins: frozenset[str] = frozenset()
    asked_flags: dict[str, str] = field(default_factory=dict)
    asked_gates: dict[str, str] = field(default_factory=dict)

    def flag(self, name: str) -> str:
        """KNOWN, UNKNOWN or UNSURE."""
        return KNOWN if name in self.flags else self.asked_flags.get(name, UNSURE)

    def gate(self, name: str, value: bool) -> str:
        """KNOWN, UNKNOWN, LOCKED or UNSURE."""
        said = self.asked_gates.get(f"{name}={str(value).lower()}")
        if said is None and self.asked_gates.get(f"{name}={str(not value).lower()}") == UNKNOWN:
            return UNKNOWN
        return said or (KNOWN if name in self.gates else UNSURE)

    def plugin(self, name: str) -> str:
        """KNOWN, UNKNOWN or UNSURE. The help lists every plug-in."""
        if not self.plugins:
            return UNSURE
        return KNOWN if name in self.plugins else UNKNOWN


@dataclass
class Programs:
    """The programs of the target; one that is not in `asked` gave no answer."""

    asked: dict[str, Program] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    """Programs that could not be asked, and why."""
    kubelet_config: Json = field(default_factory=dict)
    kube_proxy_gates: dict[str, bool] = field(default_factory=dict)


def read_programs(results: list[Json], target: Version) -> Programs:
    """Of the results for `target`; of several that have a program, the first that was asked counts."""
    found = Programs()
    for result in results:
        if version_or_none(str(result.get("kubernetes_version") or "")) != target:
            continue
        for name, answer in (result.get("programs") or {}).items():
            if answer.get("error"):
                found.errors.setdefault(name, str(answer["error"]))
            else:
                found.asked.setdefault(name, _program(name, target, answer))
        config = result.get("kubelet_config") or {}
        if config.get("asked") and not found.kubelet_config:
            found.kubelet_config = config
        found.kube_proxy_gates.update(result.get("kube_proxy_feature_gates") or {})
    found.errors = {name: why for name, why in found.errors.items() if name not in found.asked}
    return found


def etcd_images(results: list[Json]) -> dict[str, str]:
    """Tags of the etcd image by the Kubernetes version whose kubeadm deploys it."""
    found: dict[str, str] = {}
    for result in results:
        version = version_or_none(str(result.get("kubernetes_version") or ""))
        for image in result.get("images") or []:
            if version is not None and image.get("name") == "etcd" and image.get("tag"):
                found.setdefault(str(version), str(image["tag"]))
    return found


def _program(name: str, version: Version, answer: Json) -> Program:
    return Program(
        name=name,
        version=version,
        flags=frozenset(answer.get("flags") or ()),
        deprecated_flags=dict(answer.get("deprecated_flags") or {}),
        gates=frozenset(answer.get("feature_gates") or ()),
        plugins=frozenset(answer.get("admission_plugins") or ()),
        asked_flags=dict(answer.get("asked_flags") or {}),
        asked_gates=dict(answer.get("asked_feature_gates") or {}),
    )


__all__ = ["KNOWN", "LOCKED", "UNKNOWN", "UNSURE", "Program", "Programs", "etcd_images", "read_programs"]
