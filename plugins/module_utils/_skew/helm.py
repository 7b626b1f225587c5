# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Which kinds of objects a Helm release holds, out of the Secret that Helm keeps of it. Pure.

The contents of a release never leave this file: only apiVersion and kind do.
https://helm.sh/docs/topics/advanced/#storage-backends
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import typing as t
import zlib

from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Json, RemovedUse
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.removed_apis import gone_at

SELECTOR = "owner=helm,status=deployed"
SECRET_TYPE = "helm.sh/release.v1"
# A release is at most 1 MiB packed. What is larger than this unpacked is no chart.
_UNPACKED_LIMIT = 64 << 20
_GZIP = b"\x1f\x8b"
_DOCUMENT = re.compile(r"^---.*$", re.MULTILINE)
_FIELD = re.compile(r"^(apiVersion|kind):[ \t]*[\"']?([^\s\"'#]+)", re.MULTILINE)


class Release(t.NamedTuple):
    """A revision of a release, and the (apiVersion, kind) of its objects."""

    namespace: str
    name: str
    revision: int
    kinds: frozenset[tuple[str, str]]


def read_release(secret: Json) -> Release | None:
    """What a Secret of Helm holds; None where it is none, or cannot be read."""
    data = (secret.get("data") or {}).get("release")
    labels = api.labels(secret)
    if secret.get("type") != SECRET_TYPE or not data:
        return None
    revision = str(labels.get("version", ""))
    try:
        packed = base64.b64decode(base64.b64decode(data))
        text = zlib.decompressobj(31).decompress(packed, _UNPACKED_LIMIT) if packed.startswith(_GZIP) else packed
        manifest = json.loads(text)["manifest"]
    except (binascii.Error, zlib.error, ValueError, KeyError, TypeError):
        return None
    return Release(
        namespace=str((secret.get("metadata") or {}).get("namespace", "")),
        name=str(labels.get("name") or api.name_of(secret)),
        revision=int(revision) if revision.isdigit() else 0,
        kinds=kinds_of(str(manifest)),
    )


def kinds_of(manifest: str) -> frozenset[tuple[str, str]]:
    """(apiVersion, kind) of the documents, by their top-level lines: a YAML reader takes seconds for some charts."""
    found = set()
    for document in _DOCUMENT.split(manifest):
        fields = dict(_FIELD.findall(document))
        if "apiVersion" in fields and "kind" in fields:
            found.add((fields["apiVersion"], fields["kind"]))
    return frozenset(found)


def removed_uses(releases: t.Iterable[Release], target_minor: int) -> list[RemovedUse]:
    """Uses of versions that are not served at the target, in the newest revision of each release."""
    newest: dict[tuple[str, str], Release] = {}
    for release in releases:
        key = (release.namespace, release.name)
        if key not in newest or newest[key].revision < release.revision:
            newest[key] = release
    found = []
    for release in newest.values():
        for api_version, kind in sorted(release.kinds):
            removed = gone_at(target_minor, api_version, kind)
            if removed is not None:
                where = f"{release.namespace}/{release.name}"
                found.append(
                    RemovedUse(api_version=api_version, kind=kind, removed=removed, where=where, by="Helm release")
                )
    return found
