# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Have the programs of a version and ask them: the work of target_programs, on one node."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _yamlread
from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._images import pulling
from ansible_collections.evergreen.kubeadm.plugins.module_utils._images.cri import ImageService
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import node as node_paths
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.api import NoAnswer as NoApiAnswer
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.api import NodeApi, Refused
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.info import collect
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.kubeconfig import Kubeconfig
from ansible_collections.evergreen.kubeadm.plugins.module_utils._packages.apt import NodeRepository, Wanted
from ansible_collections.evergreen.kubeadm.plugins.module_utils._programs import answers, asking
from ansible_collections.evergreen.kubeadm.plugins.module_utils._programs.images import ImageStore, NoImage
from ansible_collections.evergreen.kubeadm.plugins.module_utils._programs.packages import NotFetched, Packages
from ansible_collections.evergreen.kubeadm.plugins.module_utils._programs.used import Json, plain_gates, used_by_cluster

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node

# Room for two packages and their programs, and for those of three images.
NEEDED_BYTES = 1024 * 2**20
PREFIX = "evergreen-target-programs-"
_SECRET_KEYS = ("staticPodURLHeader",)


@dataclass
class Request:
    """What is asked for: the options of the module."""

    version: str
    """``1.35.4``."""
    binaries: dict[str, str] = field(default_factory=dict)
    download: bool = True
    repository_url: str = ""
    keyring: str = ""
    key_fingerprint: str = ""
    package_manager: str = ""
    images: str = "present"
    """``never``, ``present`` or ``pull``."""
    image_repository: str = ""
    kubeconfig: str = ""
    static_pods: list[Json] = field(default_factory=list)
    kubelet_flags: list[Json] = field(default_factory=list)
    kubelet_feature_gates: list[Json] = field(default_factory=list)
    scratch: str = "/var/lib"


@contextlib.contextmanager
def scratch_folder(parent: str) -> t.Iterator[Path]:
    """A folder that others may read, and that is removed in every ending. Raises EvergreenError."""
    _sweep(parent)
    # The task may be ended from outside, and what follows the yield must run then, too.
    before = signal.signal(signal.SIGTERM, _ended)
    umask = os.umask(0o022)
    try:
        folder = _make(parent)
        try:
            yield folder
        finally:
            _remove(folder)
    finally:
        os.umask(umask)
        signal.signal(signal.SIGTERM, before)


def _make(parent: str) -> Path:
    try:
        free = shutil.disk_usage(parent).free
        if free < NEEDED_BYTES:
            raise EvergreenError(
                f"{free // 2**20} MiB are free on {parent}, and {NEEDED_BYTES // 2**20} MiB are needed for a while.",
                hint="Free space, or name another folder in scratch; programs must be allowed to run there.",
            )
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        folder.chmod(0o755)
    except OSError as error:
        raise EvergreenError(
            f"No folder can be made in {parent}: {error.strerror}.", hint="Name another in scratch."
        ) from error
    return folder


def _ended(number: int, frame: object) -> t.NoReturn:
    del number, frame
    raise SystemExit(1)


def _remove(folder: Path) -> None:
    # What is still mounted is a read-only image; nothing below it can be removed, and nothing must be.
    if not any(path.is_mount() for path in folder.iterdir()):
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: str) -> None:
    """Remove what a task that was killed a day ago or earlier left behind."""
    for folder in Path(parent).glob(f"{PREFIX}*"):
        if folder.is_dir() and not folder.is_symlink() and time.time() - folder.stat().st_mtime > 86400:
            _remove(folder)


def _linked(path: Path, link: Path) -> bool:
    """Whether a file that everybody may run was linked; one of another file system cannot be."""
    if path.is_symlink() or path.stat().st_mode & 0o005 != 0o005:
        return False
    try:
        os.link(path, link)
    except OSError:
        return False
    return True


class TargetPrograms:
    """The programs of one version, on one node."""

    def __init__(self, node: Node, request: Request, scratch: Path, deadline: Deadline) -> None:
        self.node = node
        self.request = request
        self.scratch = scratch
        self.deadline = deadline
        self.notes: list[str] = []
        self.changed = False
        self._paths: dict[str, Path] = {}
        self._why: dict[str, str] = {}
        for name, path in request.binaries.items():
            self._take(name, Path(path))

    def ask(self, *, check_mode: bool) -> Json:
        """Everything, in the shape of the module's RETURN block."""
        info = collect(self.node)
        cluster = self._cluster_configs()
        self._find_packages(str(info.get("package_manager") or ""))
        images = self._images(cluster["ClusterConfiguration"])
        self._find_images(images, info, check_mode=check_mode)
        kubelet_configs = [
            cluster["kubelet"],
            info["kubelet"]["config"],
            *({"featureGates": plain_gates(gates)} for gates in self.request.kubelet_feature_gates),
        ]
        used = used_by_cluster(
            static_pods=[info["static_pods"], *self.request.static_pods],
            kubelet_flags=[*info["kubelet"]["flags"], *self.request.kubelet_flags],
            kubelet_configs=kubelet_configs,
            cluster_config=cluster["ClusterConfiguration"],
            kube_proxy_config=cluster["config.conf"],
        )
        programs = {name: self._ask(name, used[name]) for name in asking.ASKED}
        return {
            "changed": self.changed,
            "kubernetes_version": self.request.version,
            "programs": programs,
            "images": images,
            "kubelet_config": self._kubelet_config(cluster["kubelet"], info["kubelet"]["config"]),
            "kube_proxy_feature_gates": plain_gates(cluster["config.conf"].get("featureGates")),
            "notes": self.notes,
        }

    def _program(self, name: str) -> asking.Program | None:
        path = self._paths.get(name)
        return asking.Program(name, path, self.scratch) if path else None

    def _ask(self, name: str, used: asking.Used) -> Json:
        program = self._program(name)
        if program is None:
            return asking.not_asked(self._why.get(name, "it was not looked for"))
        try:
            return asking.ask(program, used)
        except asking.NoAnswer as error:
            return asking.not_asked(str(error))

    # -- what the cluster is configured with

    def _cluster_configs(self) -> dict[str, Json]:
        """ClusterConfiguration, kubelet and config.conf of their ConfigMaps; empty where they cannot be read."""
        wanted = {"ClusterConfiguration": "kubeadm-config", "kubelet": "kubelet-config", "config.conf": "kube-proxy"}
        found: dict[str, Json] = {key: {} for key in wanted}
        path = self.request.kubeconfig or "/etc/kubernetes/admin.conf"
        text = self.node.read(path)
        if text is None:
            self.notes.append(f"{path} cannot be read: the configurations in the cluster were not looked at.")
            return found
        try:
            api = NodeApi(Kubeconfig.parse(text, path), root=self.node.root)
        except ValueError as error:
            self.notes.append(f"{path}: {error}: the configurations in the cluster were not looked at.")
            return found
        for key, name in wanted.items():
            try:
                config_map = api.get(f"/api/v1/namespaces/kube-system/configmaps/{name}", self.deadline.clip(10.0))
                found[key] = _yamlread.load_mapping(str((config_map.get("data") or {}).get(key) or ""))
            except (NoApiAnswer, Refused, _yamlread.UnreadableYaml) as error:
                self.notes.append(f"The ConfigMap kube-system/{name} was not read: {error}")
        for secret in _SECRET_KEYS:
            found["kubelet"].pop(secret, None)
        return found

    # -- where the programs are

    def _take(self, name: str, path: Path) -> None:
        """A program that was named: as nobody one may not be able to reach it where it is. Raises EvergreenError."""
        folder = self.scratch / "bin"
        folder.mkdir(mode=0o755, exist_ok=True)
        try:
            if not _linked(path, folder / name):
                shutil.copyfile(path, folder / name)
                (folder / name).chmod(0o755)
        except OSError as error:
            raise EvergreenError(
                f"{path}, which binaries names for {name}, cannot be read: {error.strerror}."
            ) from error
        self._paths[name] = folder / name

    def _find_packages(self, manager: str) -> None:
        """kubeadm and the kubelet: named by an option, installed already, or from their packages."""
        missing = []
        for name, arguments in (("kubeadm", ("version", "-o", "short")), ("kubelet", ("--version",))):
            if name in self._paths:
                continue
            if self.node.version_of(name, *arguments) == self.request.version:
                self._paths[name] = Path(self.node.find(name))
            else:
                missing.append(name)
        if not missing:
            return
        if not self.request.download:
            self._why.update(
                dict.fromkeys(missing, "it is not installed, and its package was not asked for: download is false")
            )
            return
        manager = self.request.package_manager or manager
        wanted = Wanted(
            url=self.request.repository_url,
            package_format="deb" if manager == "apt" else "rpm",
            sources_list="",
            keyring=self.request.keyring,
            fingerprint=self.request.key_fingerprint,
        )
        repository = NodeRepository(self.node, wanted, self.deadline, check_mode=True)
        packages = Packages(self.scratch, wanted.url, repository, self.deadline)
        try:
            self._paths.update(packages.fetch(manager, missing, self.request.version))
        except NotFetched as error:
            self._why.update(dict.fromkeys(missing, str(error)))

    def _images(self, cluster_config: Json) -> list[dict[str, str]]:
        """The images that the target's kubeadm would use; empty where there is no such kubeadm."""
        kubeadm = self._program("kubeadm")
        if kubeadm is None:
            self.notes.append(f"No kubeadm {self.request.version}: {self._why.get('kubeadm', 'not looked for')}.")
            return []
        arguments = ["config", "images", "list", "--kubernetes-version", f"v{self.request.version}"]
        repository = self.request.image_repository or str(cluster_config.get("imageRepository") or "")
        try:
            said = kubeadm.say(*arguments, *(["--image-repository", repository] if repository else []))
        except asking.NoAnswer as error:
            self.notes.append(f"kubeadm was not asked for its images: {error}.")
            return []
        return answers.image_list(said)

    def _find_images(self, images: list[dict[str, str]], info: Json, *, check_mode: bool) -> None:
        """The programs of the control plane and kube-proxy, from images of the node."""
        wanted = [name for name in asking.ASKED if name != "kubelet" and name not in self._paths]
        if not wanted:
            return
        runtime = info["container_runtime"]
        ctr = self.node.find("ctr")
        why = ""
        if self.request.images == "never":
            why = "images is never"
        elif runtime["name"] != "containerd" or not ctr:
            why = "programs are read from the images of containerd only, by its ctr"
        elif not images:
            why = "it is not known which image has it"
        if why:
            self._why.update(dict.fromkeys(wanted, why))
            return
        if self.request.images == "pull" and not check_mode:
            self._pull(runtime["socket"], [entry["image"] for entry in images])
        store = ImageStore(ctr, runtime["socket"], self.scratch, self.deadline)
        references = {entry["name"]: entry["image"] for entry in images}
        for name in wanted:
            try:
                self._paths[name] = store.program(references.get(name, name), name)
            except (NoImage, OSError) as error:
                self._why[name] = str(error)

    def _pull(self, socket: str, images: list[str]) -> None:
        """What the upgrade would pull later, without what is there."""
        service, name = ImageService(socket), self.node.node_name()
        try:
            missing = pulling.missing(service, images)
            for _image, _seconds in pulling.pull(service, missing, name, pulling.BOUNDS, self.deadline):
                self.changed = True
        except EvergreenError as error:
            self.notes.append(error.message)

    # -- the kubelet's configuration

    def _kubelet_config(self, of_cluster: Json, of_node: Json) -> Json:
        """What the target's kubelet says of the configuration that kubeadm will give it."""
        source = "configmap/kube-system/kubelet-config" if of_cluster else node_paths.KUBELET_CONFIG
        config = of_cluster or of_node
        unasked: Json = {"asked": False, "source": source, "unknown_fields": [], "errors": []}
        kubelet = self._program("kubelet")
        if kubelet is None or not config:
            return unasked
        try:
            answer = kubelet.configuration(config)
        except asking.NoAnswer:
            return unasked
        return unasked if answer is None else {"asked": True, "source": source, **answer}
