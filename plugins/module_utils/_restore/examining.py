# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""A backup as a restore needs to know it: proven, and what its archive says of the cluster that it is of."""

from __future__ import annotations

import os
import re
import typing as t
import zlib

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import (
    archive,
    backup_names,
    manifest,
    node_files,
    packing,
    verifying,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import EtcdError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._restore.model import Backup, JsonDict, SharedFile
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import CERTIFICATES

SHARED = ("ca.crt", "front-proxy-ca.crt", "etcd/ca.crt", "sa.pub")
"""In the folder of kubeadm's certificates, the same on every control-plane node; each stands for its key as well."""
API_SERVER = f"{node_files.MANIFESTS}/kube-apiserver.yaml"
_TAG = re.compile(r":v?(\d+\.\d+\.\d+)")


def examine(path: str) -> Backup:
    """Prove the backup at `path` and read what it says of itself.

    Raises EtcdError where it is not good, or is encrypted: what is in it has to
    be seen before anything is given up for it.
    """
    if backup_names.is_encrypted(path):
        raise EtcdError(
            f"{path} is encrypted, and a restore needs to read it.",
            hint="Decrypt the snapshot and its .node.tar with your private key, such as with age --decrypt --identity "
            f"KEY --output {os.path.basename(backup_names.split_packed(path)[0])} FILE, and name the snapshot.",
        )
    proven = verifying.verify(path, "")
    bundle = proven["archive"]
    about: JsonDict = {}
    version = ""
    if bundle:
        about, version = _read(bundle["path"])
    own = backup_names.own_name(os.path.basename(path))
    return Backup(
        path=path,
        files=proven["files"],
        sha256=proven["sha256"],
        plain_sha256=proven["plain_sha256"],
        plain_size=_plain_size(path, proven["size"]),
        revision=proven["revision"],
        keys=proven["keys"],
        etcd_version=proven["etcd_version"],
        storage_version=proven["storage_version"],
        has_archive=bool(bundle),
        taken=str(about.get("time") or (own.taken.isoformat().replace("+00:00", "Z") if own else "")),
        node=str(about.get("node") or ""),
        members=[str(entry["name"]) for entry in about.get("members") or ()],
        kubernetes_version=version,
        shared_files=shared_files(about),
    )


def shared_files(about: t.Mapping[str, t.Any]) -> list[SharedFile]:
    """Of the files in a manifest.json, those that must be the same on all control-plane nodes, now and then."""
    # An archive that does not say its folder is of a release that knew one only.
    pki = str(about.get("certificates_dir") or CERTIFICATES)
    shared = {f"{pki}/{name}" for name in SHARED}
    return [
        SharedFile(path=str(entry["path"]), sha256=str(entry["sha256"]))
        for entry in about.get("files") or ()
        if entry["path"] in shared or str(entry.get("by", "")).endswith(f"--{node_files.ENCRYPTION_FLAG}")
    ]


def image_version(image: str) -> str:
    """``1.35.4`` of ``registry.k8s.io/kube-apiserver:v1.35.4``; empty where the tag is no version."""
    match = _TAG.search(image.rpartition("/")[2])
    return match[1] if match else ""


def image_of(text: str) -> str:
    """The image of the first container of the manifest `text`; empty where it cannot be read."""
    try:
        pod = manifest.read_pod(text)
        return str(pod["spec"]["containers"][0]["image"])
    except (manifest.ManifestError, KeyError, IndexError, TypeError):
        return ""


def _read(path: str) -> tuple[JsonDict, str]:
    """(manifest.json of the archive, the version of the API server whose manifest is in it)."""
    try:
        with packing.opened(path) as stream:
            about = archive.verify(stream, name="", sha256="").manifest
        with packing.opened(path) as stream:
            text = archive.content(stream, API_SERVER).decode("utf-8", "replace")
    except (OSError, EOFError, zlib.error) as error:
        raise archive.ArchiveBroken(f"The archive {path} could not be read: {error}.") from None
    return about, image_version(image_of(text))


def _plain_size(path: str, size: int) -> int:
    if not backup_names.split_packed(path)[1]:
        return size
    with packing.unpacked(path) as file:
        return os.fstat(file.fileno()).st_size
