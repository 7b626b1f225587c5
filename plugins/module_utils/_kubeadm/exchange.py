# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The manifests that a control-plane node is to have, and the swap that brings them there.

Copies of the kubelet's files are made before kubeadm changes them. They are
complete or not there, so that an interrupted upgrade finds the old state.
"""

from __future__ import annotations

import difflib
import os
import shutil
import tempfile
import typing as t
import uuid
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state, _yamlread
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import compose, decisions, patches
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import node as node_paths
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.manifests import parse_static_pod
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import CONTROL_PLANE_COMPONENTS
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import VERBOSITY, container_words, logs_less
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods import kubelet, swap_unit
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pods.swap import (
    KeptFile,
    KubeletChange,
    Server,
    Swap,
    SwappedPod,
)

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.compose import NodeFacts
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import Evidence, JsonDict, Options
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node

STOP_ORDER = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
KUBELET_FILES = (node_paths.KUBELET_CONFIG, node_paths.KUBELET_FLAGS, node_paths.KUBELET_INSTANCE_CONFIG)
READY_S = 300.0
"""How long the new components may take. kubeadm gives each of them as much."""
_NEW, _OLD = f"{swap_unit.FOLDER}/new", f"{swap_unit.FOLDER}/old"
_KEPT = f"{_OLD}/kubelet-files"
_WILDCARDS = ("", "0.0.0.0", "::", "[::]")


@dataclass(frozen=True)
class Wanted:
    """The manifests that are wanted by component, and what makes them differ from those of kubeadm's configuration."""

    manifests: dict[str, str]
    facts: NodeFacts
    words: dict[str, list[str]]
    """Of the commands of components, beside the user's patches."""
    places: dict[str, int]
    """Which of the containers of a component's pod is its own: a patch may put another one before it."""

    @property
    def etcd_tag(self) -> str:
        return parse_static_pod(self.manifests.get("etcd", ""), "", "etcd").tag

    def write_patches(self, folder: str, user: str) -> str:
        """The folder of patches by which kubeadm writes these manifests: the user's, or `folder`, which is made.

        Raises PatchesError.
        """
        if self.folder(folder, user) == folder:
            patches.compose(folder, user, self.words, self.places)
        return self.folder(folder, user)

    def folder(self, ours: str, user: str) -> str:
        """The folder of patches, without making it."""
        return ours if any(self.words.values()) else user


def wanted(
    node: Node, kubeadm: str, cluster_configuration: str, options: Options, note: t.Callable[[str], object]
) -> Wanted:
    """What the installed kubeadm writes for the target.

    etcd is not among the manifests where it is external, or stays as it is.
    Raises ComposeError and PatchesError.
    """
    facts = compose.node_facts(node)
    if "control-plane" in options.skip_phases:
        return Wanted({}, facts, {}, {})
    pods, _foreign = node.static_pods()
    etcd = "etcd" in pods and options.etcd_upgrade and not options.rollback
    words = {name: [f"--{flag}={value}" for flag, value in more.items()] for name, more in options.extra_flags.items()}
    with tempfile.TemporaryDirectory(prefix="evergreen-kubeadm-") as place:

        def composed(folder: str) -> dict[str, str]:
            return compose.compose(
                kubeadm,
                cluster_configuration,
                facts,
                version=options.target,
                patches=folder,
                etcd=etcd,
                folder=f"{place}/manifests",
                note=note,
            )

        manifests = composed(options.patches)
        places = {}
        for name, text in manifests.items():
            places[name], container = own_container(text, name)
            more = words.setdefault(name, [])
            command = {"command": [*container_words(container), *more]}
            if name in CONTROL_PLANE_COMPONENTS and logs_less(command, options.verbosity):
                more.append(f"--{VERBOSITY}={options.verbosity}")
        found = Wanted(manifests, facts, words, places)
        if any(words.values()):
            manifests.update(composed(found.write_patches(f"{place}/patches", options.patches)))
    if etcd and decisions.is_newer(pods["etcd"].tag, found.etcd_tag):
        # kubeadm leaves it, too.
        del found.manifests["etcd"]
    return found


def own_container(manifest: str, component: str) -> tuple[int, JsonDict]:
    """The container of a static pod that is the component's, which has its name, and which of the containers it is."""
    containers = _yamlread.load_mapping(manifest)["spec"]["containers"]
    at = next((at for at, container in enumerate(containers) if container.get("name") == component), 0)
    return at, containers[at]


def differing(node: Node, manifests: t.Mapping[str, str]) -> list[str]:
    """The components whose live manifest is another pod than the wanted one."""
    return [name for name, text in manifests.items() if not _same(node.read(_live(name)) or "", text)]


def manifest_diff(node: Node, manifests: t.Mapping[str, str]) -> str:
    """The lines that change in the live manifests, without secrets."""
    lines: list[str] = []
    for name in differing(node, manifests):
        live, new = (node.read(_live(name)) or "").splitlines(), manifests[name].splitlines()
        # All of the file, so that what belongs to the value of a variable is known as such.
        whole = len(live) + len(new)
        lines += difflib.unified_diff(live, new, _live(name), "new manifest", lineterm="", n=whole)
    return decisions.without_secrets("\n".join(lines))


def _same(live: str, new: str) -> bool:
    try:
        return live == new or _yamlread.load(live) == _yamlread.load(new)
    except _yamlread.UnreadableYaml:
        return False


def _live(component: str) -> str:
    return f"{node_paths.MANIFESTS}/{component}.yaml"


def keep_kubelet_files(node: Node) -> None:
    """Keep copies of the kubelet's files, in one step. Raises OSError."""
    part = str(node.path(f"{_KEPT}.part"))
    shutil.rmtree(part, ignore_errors=True)
    _node_state.make_folder(part)
    for path in KUBELET_FILES:
        content = node.read_bytes(path)
        if content is not None:
            _node_state.replace(os.path.join(part, os.path.basename(path)), content, _mode(node, path))
    os.rename(part, node.path(_KEPT))
    _node_state.sync_folder(os.path.dirname(part))


def restore_kubelet_files(node: Node) -> None:
    """Restore the kubelet's files from their copies, where an upgrade ended before its swap. Raises OSError."""
    for kept in _kept_files(node) if node.exists(_KEPT) else ():
        content = node.read_bytes(kept.kept)
        if content is None:
            _node_state.remove(str(node.path(kept.path)))
        elif content != node.read_bytes(kept.path):
            _node_state.replace(str(node.path(kept.path)), content, _mode(node, kept.kept))
    forget_kubelet_files(node)


def forget_kubelet_files(node: Node) -> None:
    """Remove the copies. Raises OSError."""
    place, part = str(node.path(_KEPT)), str(node.path(f"{_KEPT}.part"))
    shutil.rmtree(part, ignore_errors=True)
    if os.path.exists(place):
        # By its name it is complete, which it is no longer in a moment.
        os.rename(place, part)
        shutil.rmtree(part)


def kubelet_texts(node: Node) -> list[bytes | None]:
    """What the kubelet's files hold."""
    return [node.read_bytes(path) for path in KUBELET_FILES]


def _kept_files(node: Node) -> tuple[KeptFile, ...]:
    places = {path: f"{_KEPT}/{os.path.basename(path)}" for path in KUBELET_FILES}
    return tuple(KeptFile(path, kept if node.exists(kept) else "") for path, kept in places.items())


def stage(node: Node, goal: Wanted, node_addresses: t.Sequence[str], seen: Evidence, options: Options) -> Swap:
    """Write the new manifests beside the live ones, and the old kubelet where another one is installed.

    A kubelet of another version restarts every static pod, so all of them are
    in the swap then. Else those are that change. Raises OSError and SwapError.
    """
    manifests, facts = goal.manifests, goal.facts
    kubelet_changes = decisions.kubelet_changes(seen)
    pods, _foreign = node.static_pods()
    changed = differing(node, manifests)
    names = [name for name in STOP_ORDER if name in pods and (kubelet_changes or name in changed)]
    for folder in (_NEW, _OLD):
        _node_state.make_folder(str(node.path(folder)))
    for name in names:
        content = manifests[name].encode() if name in changed else node.read_bytes(_live(name)) or b""
        _node_state.replace(str(node.path(f"{_NEW}/{name}.yaml")), content, _mode(node, _live(name)))
    binary, kept_binary = node.find("kubelet"), ""
    if kubelet_changes and seen.kubelet_running_version:
        kept_binary = f"{_OLD}/kubelet"
        kubelet.keep(binary, kept_binary)
    flags = pods["kube-apiserver"].flags
    server = Server(addresses(flags, facts.advertise_address, node_addresses), facts.bind_port)
    return Swap(
        swap_id=uuid.uuid4().hex,
        purpose=options.target,
        pods=tuple(SwappedPod(n, _live(n), f"{_NEW}/{n}.yaml", f"{_OLD}/{n}.yaml") for n in names),
        server=server if "kube-apiserver" in names else None,
        notice_s=options.notice_s,
        grace_s=options.grace_s,
        ready_s=READY_S,
        kubelet=KubeletChange(binary, kept_binary, _kept_files(node)),
    )


def addresses(flags: t.Mapping[str, str], advertised: str, of_node: t.Sequence[str]) -> tuple[str, ...]:
    """The addresses by which clients reach this node's API server, and no address of a load balancer on the node."""
    bound = flags.get("bind-address", "")
    if bound not in _WILDCARDS:
        return (bound.strip("[]"),)
    return tuple(dict.fromkeys([advertised, *of_node]))


def _mode(node: Node, path: str) -> int:
    try:
        return node.path(path).stat().st_mode & 0o777
    except OSError:
        return 0o600
