# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""One look at a control-plane node before a restore. It changes nothing."""

from __future__ import annotations

import os
import tempfile
import typing as t
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state, _processes
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd import (
    etcdutl,
    manifest,
    observe,
    part_file,
    programs,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import Access, EtcdError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._restore import directories, examining, notes
from ansible_collections.evergreen.kubeadm.plugins.module_utils._restore.model import (
    CONTROL_PLANE,
    ComparedFile,
    Etcdutl,
    NodeSeen,
    SharedFile,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import container_words

ETCD = "etcd"


@dataclass(frozen=True)
class Paths:
    """Where things are on the node. The manifests of stopped static pods are in `kept`."""

    manifests: str
    kept: str
    state: str = _node_state.STATE
    etcdutl: str = ""
    """The option; empty where it is to be looked for."""

    @property
    def programs(self) -> str:
        """Where copies of etcd's programs go."""
        return os.path.join(self.state, "bin")


@dataclass(frozen=True)
class EtcdPod:
    """The static pod of etcd, wherever its manifest is now."""

    text: str
    flags: t.Mapping[str, str]
    access: Access
    words: tuple[str, ...]
    image: str

    @property
    def member(self) -> str:
        return self.flags.get("name", "")

    @property
    def peer_urls(self) -> list[str]:
        urls = self.flags.get("initial-advertise-peer-urls", "").split(",")
        return sorted(url.strip() for url in urls if url.strip())

    @property
    def wal_dir(self) -> str:
        return self.flags.get("wal-dir", "")

    def as_program_pod(self) -> programs.Pod:
        return programs.Pod(self.words, self.image)


def read_etcd(paths: Paths) -> EtcdPod:
    """Raises ManifestError where there is no manifest of etcd, or one that does not say what is needed."""
    text = _manifest(paths, ETCD)
    if text is None:
        raise manifest.ManifestError(f"There is no manifest of etcd in {paths.manifests} or {paths.kept}.")
    access = manifest.access_from_manifest(text)
    container = manifest.etcd_container(manifest.read_pod(text))
    pod = EtcdPod(
        text, manifest.flags_of(container), access, tuple(container_words(container)), str(container.get("image", ""))
    )
    for what, value in (
        ("--name", pod.member),
        ("--initial-advertise-peer-urls", pod.peer_urls),
        ("--data-dir", access.data_dir),
    ):
        if not value:
            raise manifest.ManifestError(f"The manifest of etcd has no {what}.")
    return pod


def inspect(host: str, paths: Paths, shared: t.Sequence[SharedFile]) -> NodeSeen:
    """What a plan has to know of this node. `shared` are the files that must be those of the backup."""
    seen = NodeSeen(
        host=host,
        member="",
        problem="",
        peer_urls=[],
        data_dir="",
        wal_dir="",
        etcd_version="",
        kubernetes_version=examining.image_version(examining.image_of(_manifest(paths, "kube-apiserver") or "")),
        etcdutl=None,
        etcdutl_problem="",
        free_bytes=0,
        data_bytes=0,
        files=[compare(file) for file in shared],
        missing_pods=[name for name in CONTROL_PLANE if _manifest(paths, name) is None],
        kubelet_runs=bool(_processes.named("kubelet")),
        live_members=[],
        note=notes.read(paths.state),
    )
    try:
        pod = read_etcd(paths)
    except manifest.ManifestError as error:
        seen["problem"] = error.message
        return seen
    seen["member"] = pod.member
    seen["peer_urls"] = pod.peer_urls
    seen["data_dir"] = pod.access.data_dir
    seen["wal_dir"] = pod.wal_dir
    seen["etcd_version"] = examining.image_version(pod.image)
    seen["free_bytes"] = part_file.free_bytes(os.path.dirname(pod.access.data_dir))
    seen["data_bytes"] = directories.size(pod.access.data_dir)
    seen["live_members"] = _live_members(pod.access)
    try:
        seen["etcdutl"] = _etcdutl(paths, pod)
    except EtcdError as error:
        seen["etcdutl_problem"] = error.message
    return seen


def compare(file: SharedFile) -> ComparedFile:
    try:
        sha256, _size = part_file.sha256_of(file["path"])
    except OSError:
        return ComparedFile(path=file["path"], state="missing")
    return ComparedFile(path=file["path"], state="same" if sha256 == file["sha256"] else "differs")


def _etcdutl(paths: Paths, pod: EtcdPod) -> Etcdutl:
    """What the etcdutl of this node is; a copy out of a container is thrown away again."""
    folder = paths.programs
    if os.path.isdir(folder):
        return _described(programs.find("etcdutl", paths.etcdutl, pod.as_program_pod(), folder))
    with tempfile.TemporaryDirectory(prefix="evergreen-kubeadm-", dir=os.path.dirname(paths.state)) as scratch:
        return _described(programs.find("etcdutl", paths.etcdutl, pod.as_program_pod(), scratch))


def _described(program: programs.Program) -> Etcdutl:
    return Etcdutl(
        path=program.path,
        version=program.version,
        source=program.source,
        can_bump=etcdutl.can_bump(program.path),
    )


def _live_members(access: Access) -> list[str]:
    """The members that this node's etcd knows of; none where it does not answer, as in a disaster."""
    try:
        client, _note = observe.open_client(access, {"route": "grpc"})
        return [member.label for member in client.members(observe.REQUEST_S)]
    except EtcdError:
        return []


def _manifest(paths: Paths, name: str) -> str | None:
    """The text of a static pod's manifest, the kubelet's or the one put aside; None where there is neither."""
    for folder in (paths.manifests, paths.kept):
        try:
            with open(os.path.join(folder, f"{name}.yaml"), encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise EtcdError(f"The manifest of {name} in {folder} could not be read: {error}.") from None
    return None
