# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Layers of a KubeletConfiguration: drop-ins of the kubelet, and patches of kubeadm. Pure."""

from __future__ import annotations

import re

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _yamlread
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import JsonDict
from ansible_collections.evergreen.kubeadm.plugins.module_utils._loose_data import dict_of, dicts_of

_PATCH_FILE = re.compile(r"kubeletconfiguration[^.+\n]*(?:\+(?P<type>strategic|merge|json))?[^+]*\.(?:json|yaml)")
_DOCUMENT = re.compile(r"^---(?:[ \t].*)?$", re.MULTILINE)


def merged(base: JsonDict, patch: JsonDict, *, keep_null: bool = False) -> JsonDict:
    """A JSON merge patch (RFC 7386), as the kubelet lays a drop-in over its configuration: lists are replaced.

    With `keep_null` the result is a patch again, that of both one after the other.
    """
    result = dict(base)
    for key, value in patch.items():
        if isinstance(value, dict):
            result[key] = merged(dict_of(result.get(key)), value, keep_null=keep_null)
        elif value is None and not keep_null:
            result.pop(key, None)
        else:
            result[key] = value
    return result


def patches_of(name: str, text: str) -> list[JsonDict]:
    """``{type, patch}`` of each document of a file in a folder of kubeadm's patches; empty for another target."""
    found = _PATCH_FILE.fullmatch(name)
    patches = []
    for document in _DOCUMENT.split(text) if found else []:
        try:
            patch = _yamlread.load(document)
        except _yamlread.UnreadableYaml:
            continue
        if patch:
            patches.append({"type": (found and found["type"]) or "strategic", "patch": patch})
    return patches


def patched(config: JsonDict, patches: list[JsonDict]) -> JsonDict:
    """The configuration with `patches_of` files in their order."""
    for entry in patches:
        if entry.get("type") != "json":
            config = merged(config, dict_of(entry.get("patch")))
            continue
        for operation in dicts_of(entry.get("patch")):
            value = None if operation.get("op") == "remove" else operation.get("value")
            for key in reversed(str(operation.get("path", "")).strip("/").split("/")):
                value = {key.replace("~1", "/").replace("~0", "~"): value}
            config = merged(config, dict_of(value))
    return config
