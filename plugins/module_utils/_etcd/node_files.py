# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Which files of a control-plane node a restore needs beside the snapshot."""

from __future__ import annotations

import os
import stat
import typing as t
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import manifest
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import EtcdError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import (
    CERTIFICATES,
    certificates_dir,
    flag_values,
)

KUBERNETES = "/etc/kubernetes"
MANIFESTS = f"{KUBERNETES}/manifests"
PATCHES = f"{KUBERNETES}/patches"
KUBELET = tuple(f"/var/lib/kubelet/{name}" for name in ("config.yaml", "instance-config.yaml", "kubeadm-flags.env"))
ENCRYPTION_FLAG = "encryption-provider-config"
CA_KEYS = ("ca.key", "front-proxy-ca.key", "etcd/ca.key", "sa.key")
"""In the folder of the certificates."""
_NO_INPUTS = ("data-dir", "wal-dir", "audit-log-path", "log-file", "log-dir", "log-outputs", "root-dir")
"""Flags whose paths are written to: what is there is data or a log, not configuration."""
MOST_BYTES = 4 << 20
"""Of one file; configuration is far below, and all of it is held in memory at once."""
_HINT = "Run this on a control-plane node of kubeadm as root, or do without node_files."


class NodeFilesMissing(EtcdError):
    """What a restore needs cannot be had from this node."""


@dataclass(frozen=True)
class Named:
    """A file that a static pod names."""

    path: str
    """On the node."""
    by: str
    """``kube-apiserver --encryption-provider-config``."""
    required: bool = False


@dataclass(frozen=True)
class NodeFile:
    path: str
    """On the node. The file is at `source`, which differs where the node's file system is mounted elsewhere."""
    source: str
    by: str
    size: int


@dataclass(frozen=True)
class NodeFiles:
    """What is to be saved, ordered by path, and what is not although it is named: (path, reason)."""

    files: tuple[NodeFile, ...]
    left_out: tuple[tuple[str, str], ...]
    certificates_dir: str = CERTIFICATES

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def named_files(pod: t.Any) -> list[Named]:
    """The paths that the flags of a static pod's containers name, as the node names them, and its hostPath volumes.

    What a path leads to is not looked at: it may be a folder.
    """
    found: dict[str, Named] = {}
    if not _has_containers(pod):
        return []
    spec = pod["spec"]
    for container in (entry for entry in spec["containers"] if isinstance(entry, dict)):
        mounts = manifest.mounts_of(pod, container)
        for flag, value in flag_values(container):
            if flag in _NO_INPUTS:
                continue
            for path in _paths(value):
                named = Named(
                    os.path.normpath(manifest.on_host(path, mounts)),
                    f"{container.get('name')} --{flag}",
                    required=flag == ENCRYPTION_FLAG,
                )
                if named.path not in found or named.required:
                    found[named.path] = named
    for volume in spec.get("volumes") or ():
        path = str((volume.get("hostPath") or {}).get("path") or "") if isinstance(volume, dict) else ""
        if path:
            path = os.path.normpath(path)
            found.setdefault(path, Named(path, f"volume {volume.get('name')}"))
    return list(found.values())


def _paths(value: str) -> list[str]:
    """The absolute paths in the value of a flag: ``/a``, ``/a,/b:names`` or ``unix:///a``, which is none."""
    if "://" in value:
        return []
    return [path for word in value.split(",") for path in word.split(":") if path.startswith("/") and len(path) > 1]


def collect(root: str) -> NodeFiles:
    """Look for the files below `root`, and read the static pods for the others that they name.

    Raises NodeFilesMissing where there is no PKI or no kube-apiserver, or where
    the file that secrets are encrypted with is not there: without it a snapshot
    is of no use.
    """
    found: dict[str, NodeFile] = {}
    left_out: dict[str, str] = {}

    def add(path: str, by: str) -> str:
        """Why `path` was not taken; empty where it was."""
        if path in found:
            return ""
        source = os.path.join(root, path.lstrip("/"))
        try:
            status = os.stat(source)
        except OSError as error:
            return error.strerror or "it cannot be read"
        if not stat.S_ISREG(status.st_mode):
            return "it is no regular file"
        if status.st_size > MOST_BYTES:
            return f"it has {status.st_size} bytes, more than any configuration"
        found[path] = NodeFile(path, source, by, status.st_size)
        return ""

    pki = _certificates_dir(root)
    for path in _tree(root, pki, set()):
        _note(left_out, path, add(path, "PKI"))
    if not found:
        raise NodeFilesMissing(f"{os.path.join(root, pki.lstrip('/'))} holds no file.", hint=_HINT)
    listed = [path for path in _names(root, KUBERNETES) if path.endswith(".conf")]
    for path in [*listed, *_tree(root, PATCHES, set()), *(path for path in KUBELET if _exists(root, path))]:
        _note(left_out, path, add(path, "configuration"))
    for path in _names(root, MANIFESTS):
        why = add(path, "static pod")
        if why:
            _note(left_out, path, why)
            continue
        for named in _named_in(root, path, left_out):
            why = add(named.path, named.by)
            if why and named.required:
                raise NodeFilesMissing(
                    f"{named.by} names {named.path}, which could not be read: {why}.",
                    hint="Without this file the snapshot cannot be restored to a working cluster.",
                )
            # Folders and sockets are what most volumes are; they say nothing about what is missing.
            if why and named.by.startswith("volume "):
                continue
            _note(left_out, named.path, why)
    if f"{MANIFESTS}/kube-apiserver.yaml" not in found:
        raise NodeFilesMissing(f"There is no {MANIFESTS}/kube-apiserver.yaml.", hint=_HINT)
    for path in (f"{pki}/{name}" for name in CA_KEYS):
        if path not in found and {path[: -len(".key")] + end for end in (".crt", ".pub")} & found.keys():
            _note(left_out, path, "it is not on this node")
    return NodeFiles(tuple(found[path] for path in sorted(found)), tuple(sorted(left_out.items())), pki)


def _certificates_dir(root: str) -> str:
    """The folder that kubeadm has its certificates and keys in, as the node names it."""
    flags: dict[str, dict[str, str]] = {}
    for component in ("kube-apiserver", "kube-controller-manager"):
        try:
            with open(os.path.join(root, f"{MANIFESTS}/{component}.yaml".lstrip("/")), encoding="utf-8") as file:
                pod = manifest.read_pod(file.read())
        except (manifest.ManifestError, UnicodeDecodeError, OSError):
            # What cannot be read is said where the files are collected.
            continue
        for container in pod["spec"]["containers"] if _has_containers(pod) else ():
            if isinstance(container, dict) and container.get("name") == component:
                mounts = manifest.mounts_of(pod, container)
                values = flag_values(container)
                flags[component] = {flag: os.path.normpath(manifest.on_host(value, mounts)) for flag, value in values}
    return certificates_dir(flags) or CERTIFICATES


def _named_in(root: str, path: str, left_out: dict[str, str]) -> list[Named]:
    if os.path.basename(path).startswith("."):
        return []
    try:
        with open(os.path.join(root, path.lstrip("/")), encoding="utf-8") as file:
            pod = manifest.read_pod(file.read())
        if not _has_containers(pod):
            raise manifest.ManifestError("It is not a Pod with containers.")
        return named_files(pod)
    except (manifest.ManifestError, UnicodeDecodeError, OSError) as error:
        if path == f"{MANIFESTS}/kube-apiserver.yaml":
            raise NodeFilesMissing(f"{path}: {error}", hint=_HINT) from None
        left_out[f"files named by {path}"] = "the manifest could not be read"
        return []


def _has_containers(pod: t.Any) -> bool:
    spec = pod.get("spec") if isinstance(pod, dict) else None
    return isinstance(spec, dict) and isinstance(spec.get("containers"), list)


def _note(left_out: dict[str, str], path: str, why: str) -> None:
    if why:
        left_out[path] = why


def _exists(root: str, path: str) -> bool:
    return os.path.exists(os.path.join(root, path.lstrip("/")))


def _names(root: str, path: str) -> list[str]:
    """The paths in a folder of the node that are no folders; none where it is not there."""
    place = os.path.join(root, path.lstrip("/"))
    try:
        names = sorted(os.listdir(place))
    except OSError:
        return []
    return [f"{path}/{name}" for name in names if not os.path.isdir(os.path.join(place, name))]


def _tree(root: str, path: str, seen: set[tuple[int, int]]) -> list[str]:
    """All paths below a folder of the node that are no folders. Links to folders are followed, each folder once."""
    place = os.path.join(root, path.lstrip("/"))
    try:
        status = os.stat(place)
        names = sorted(os.listdir(place))
    except OSError:
        return []
    if (status.st_dev, status.st_ino) in seen:
        return []
    seen.add((status.st_dev, status.st_ino))
    found = []
    for name in names:
        each = f"{path}/{name}"
        if os.path.isdir(os.path.join(place, name)):
            found += _tree(root, each, seen)
        else:
            found.append(each)
    return found
