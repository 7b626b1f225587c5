# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What a program of Kubernetes says of itself: readers of its help and of its errors. Pure.

The help does not list everything that a program takes. Flags may be hidden, and
feature gates are shown while they are alpha or beta only. So whatever is in use
and not in the help is asked for by itself: a program that does not know a flag
or a gate says so before it does anything else.
"""

from __future__ import annotations

import re
import typing as t

_FLAG = re.compile(r"^ {2,8}(?:-\w, )?--(?P<name>[A-Za-z0-9][\w.-]*)(?P<rest>.*)$", re.MULTILINE)
_DEPRECATED = re.compile(r"\bDEPRECATED: ?(?P<why>[^()]*)")
_GATE = re.compile(r"\b(?P<name>[A-Z]\w+)=true\|false \((?P<stage>[A-Z]+) - default=(?P<default>true|false)\)")
_PLUGINS = re.compile(r"Comma-delimited list of admission plugins: (?P<names>[\w, ]+)\.")
_IMAGE = re.compile(r"^(?P<image>[\w.:/-]+/(?P<name>[\w.-]+):(?P<tag>[\w.-]+))$", re.MULTILINE)
_UNKNOWN_FIELD = re.compile(r'unknown field \\?"(?P<name>[^"\\]+)\\?"')
_INVALID = re.compile(
    r"invalid configuration: (?P<what>.*?)(?=, invalid configuration: |, kubelet is configured|\], path|$)"
)
_CONFIG_FAILED = re.compile(r"(?:panic: |failed to load kubelet config file, )(?P<what>.*)")

KNOWN, UNKNOWN, LOCKED = "known", "unknown", "locked"

# Values that no kubelet and no kube-proxy accepts: what is asked with a configuration must never start.
KUBELET_GUARDS: dict[str, t.Any] = {"eventBurst": -1, "healthzPort": 70000}
KUBE_PROXY_GUARDS: dict[str, t.Any] = {"mode": "evergreen-asks", "healthzBindAddress": "nowhere"}


class Gate(t.TypedDict):
    """A feature gate that the help lists."""

    stage: str
    default: bool


class Help(t.TypedDict):
    """What ``--help`` lists."""

    flags: list[str]
    deprecated_flags: dict[str, str]
    feature_gates: dict[str, Gate]
    admission_plugins: list[str]


def read_help(text: str) -> Help:
    """Of any program of Kubernetes. Everything is empty where the text is no help."""
    flags: list[str] = []
    deprecated: dict[str, str] = {}
    for entry in _FLAG.finditer(text):
        flags.append(entry["name"])
        why = _DEPRECATED.search(entry["rest"])
        if why:
            deprecated[entry["name"]] = why["why"].strip()
    plugins = _PLUGINS.search(text)
    return Help(
        flags=sorted(set(flags)),
        deprecated_flags=deprecated,
        feature_gates={
            found["name"]: Gate(stage=found["stage"], default=found["default"] == "true")
            for found in _GATE.finditer(text)
        },
        admission_plugins=plugins["names"].split(", ") if plugins else [],
    )


def flag_answer(text: str, name: str) -> str:
    """What a program said that was called with ``--name``."""
    return UNKNOWN if re.search(rf"unknown flag: --{re.escape(name)}(?![\w.-])", text) else KNOWN


def gate_answer(text: str, name: str) -> str:
    """What a program said that was called with a feature gate."""
    if re.search(rf"unrecognized feature gate: {re.escape(name)}\b", text):
        return UNKNOWN
    return LOCKED if re.search(rf"cannot set feature gate {re.escape(name)} to ", text) else KNOWN


def image_list(text: str) -> list[dict[str, str]]:
    """``{name, image, tag}`` of each line of ``kubeadm config images list``."""
    return [{"name": found["name"], "image": found["image"], "tag": found["tag"]} for found in _IMAGE.finditer(text)]


class ConfigAnswer(t.TypedDict):
    """What a kubelet said of a KubeletConfiguration."""

    unknown_fields: list[str]
    errors: list[str]


def kubelet_config_answer(text: str) -> ConfigAnswer:
    """Of a kubelet that was given a configuration with KUBELET_GUARDS in it.

    Gates are asked for one by one, and the cgroup version is that of the node: neither is an error here.
    """
    errors: list[str] = []
    for line in text.splitlines():
        if "failed to validate kubelet configuration" in line:
            errors += [found["what"].strip() for found in _INVALID.finditer(line)]
        elif not line.startswith((" ", "\t")):
            failed = _CONFIG_FAILED.search(line)
            errors += [failed["what"].strip().strip('"')] if failed else []
    return ConfigAnswer(
        unknown_fields=sorted({found["name"] for found in _UNKNOWN_FIELD.finditer(text)}),
        errors=[
            error for error in errors if not error.startswith((*KUBELET_GUARDS, "kubelet is")) and not _gate(error)
        ],
    )


def _gate(error: str) -> bool:
    return "feature gate" in error


def was_guarded(text: str) -> bool:
    """Whether the kubelet came as far as to refuse the guards: only then it has read the whole configuration."""
    return any(f"invalid configuration: {name}" in text for name in KUBELET_GUARDS)
