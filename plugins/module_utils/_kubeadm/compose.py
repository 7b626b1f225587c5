# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The static pod manifests of a node as an installed kubeadm writes them for a version, in a dry run.

kubeadm is the author of every manifest. Nothing below /etc/kubernetes is
changed, and the network is not used. Like ``kubeadm upgrade``, and unlike
``kubeadm join``, a dry run gives etcd no ``--initial-cluster-state`` and only
itself in ``--initial-cluster``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import typing as t
from dataclasses import dataclass

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _node_state, _yamlread
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import manifests
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm import node as node_paths
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import (
    CONTROL_PLANE_COMPONENTS,
    JsonDict,
    Line,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.output import error_lines
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.runner import environment, plain_text
from ansible_collections.evergreen.kubeadm.plugins.module_utils._loose_data import dict_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._redaction import redact
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import CERTIFICATES

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node

TIMEOUT_S = 60.0
"""A dry run takes 0.2 s on an idle node."""
_ENDPOINT = "kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint"
_UNKNOWN_GATE = re.compile(r"(\w+) is not a valid feature name")
# No manifest depends on it. Without one kubeadm looks for a runtime, and fails where it finds two.
_CRI_SOCKET = "unix:///run/containerd/containerd.sock"


class ComposeError(EvergreenError):
    """Manifests that kubeadm did not write."""


@dataclass(frozen=True)
class NodeFacts:
    """What kubeadm must know of a node to write its manifests."""

    name: str
    """Of the Node object."""
    advertise_address: str
    bind_port: int
    proxies: t.Mapping[str, str]
    """Proxy variables that kubeadm copies from its environment into each static pod."""


def node_facts(node: Node) -> NodeFacts:
    """From the live manifests, as kubeadm upgrade reads them from the mirror pods. Raises ComposeError."""
    pods, _foreign = node.static_pods()
    server = node.yaml(f"{node_paths.MANIFESTS}/kube-apiserver.yaml")
    endpoint = str(dict_of(dict_of(server.get("metadata")).get("annotations")).get(_ENDPOINT) or "")
    address, _colon, port = endpoint.rpartition(":")
    flags = pods["kube-apiserver"].flags if "kube-apiserver" in pods else {}
    address = address.strip("[]") or flags.get("advertise-address", "")
    port = port or flags.get("secure-port", "6443")
    if not address or not port.isdigit():
        raise ComposeError(
            f"The address of the API server of {node.node_name()} is not known: "
            f"{node_paths.MANIFESTS}/kube-apiserver.yaml is missing, or names none.",
            hint="Restore that manifest, from a backup or by kubeadm init phase control-plane apiserver.",
        )
    proxies = manifests.copied_proxies([pods[name].proxies for name in CONTROL_PLANE_COMPONENTS if name in pods])
    return NodeFacts(node.node_name(), address, int(port), proxies)


def compose(
    kubeadm: str,
    cluster_configuration: str,
    node: NodeFacts,
    *,
    version: str,
    patches: str,
    etcd: bool,
    folder: str,
    note: t.Callable[[str], object] = lambda _text: None,
) -> dict[str, str]:
    """The manifests of all components that kubeadm manages on the node, by component.

    `kubeadm` is the program, `cluster_configuration` the text in the ConfigMap
    kubeadm-config, `version` such as ``v1.35.4``, `patches` a folder of kubeadm
    patches or empty. `etcd` says whether etcd is stacked. `folder` is made for
    the dry run, readable for its owner only, and removed. `note` is told what
    differs from the configuration. Raises ComposeError.
    """
    try:
        cluster = _yamlread.load_mapping(cluster_configuration)
    except _yamlread.UnreadableYaml as error:
        raise ComposeError(f"The ClusterConfiguration in ConfigMap kube-system/kubeadm-config: {error}.") from None
    phases = [["control-plane", "all"], *([["etcd", "local"]] if etcd else [])]
    command = [*_without_certificates(str(cluster.get("certificatesDir") or CERTIFICATES)), kubeadm]
    try:
        _remove(folder)
        _node_state.make_folder(folder)
        for phase in phases:
            said = _dry_run(command, phase, configuration(cluster, node, version, patches), folder, node.proxies)
            unknown = set(_UNKNOWN_GATE.findall(said)) & {*dict_of(cluster.get("featureGates"))}
            if unknown:
                note(f"kubeadm does not know {', '.join(sorted(unknown))} in featureGates of kubeadm-config: left out.")
                cluster = _without_gates(cluster, unknown)
                said = _dry_run(command, phase, configuration(cluster, node, version, patches), folder, node.proxies)
            if said:
                raise ComposeError(
                    f"kubeadm does not write the manifests of {version} for {node.name}: {said}.",
                    hint="Correct what it names, in ConfigMap kube-system/kubeadm-config or in the patches.",
                )
        components = [*CONTROL_PLANE_COMPONENTS, *(["etcd"] if etcd else [])]
        return {component: _read(os.path.join(folder, f"{component}.yaml")) for component in components}
    except (OSError, subprocess.SubprocessError) as error:
        raise ComposeError(
            f"kubeadm does not write the manifests of {version} for {node.name}: {error}.",
            hint=f"See that {kubeadm} runs, and that the disk of {os.path.dirname(folder)} is not full.",
        ) from error
    finally:
        _remove(folder)


def configuration(cluster: JsonDict, node: NodeFacts, version: str, patches: str) -> str:
    """The file for ``--config``: the cluster's settings with another version, and the node's. JSON is YAML."""
    init = {
        "apiVersion": cluster.get("apiVersion"),
        "kind": "InitConfiguration",
        "localAPIEndpoint": {"advertiseAddress": node.advertise_address, "bindPort": node.bind_port},
        "nodeRegistration": {"name": node.name, "criSocket": _CRI_SOCKET},
        **({"patches": {"directory": patches}} if patches else {}),
    }
    documents = [{**cluster, "kubernetesVersion": version}, init]
    return "---\n".join(f"{json.dumps(document, indent=2)}\n" for document in documents)


def _without_gates(cluster: JsonDict, names: set[str]) -> JsonDict:
    gates = {name: value for name, value in dict_of(cluster.get("featureGates")).items() if name not in names}
    return {**cluster, "featureGates": gates}


def _without_certificates(folder: str) -> list[str]:
    """Words before a command that hide the folder from it where the key of the CA is elsewhere.

    For an external CA kubeadm init checks files that a node which joined has not, such as super-admin.conf. No
    manifest depends on what is in the folder.
    """
    if not os.path.exists(f"{folder}/ca.crt") or os.path.exists(f"{folder}/ca.key"):
        return []
    return ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o ro tmpfs "$0" && exec "$@"', folder]


def _dry_run(command: list[str], phase: list[str], config: str, folder: str, proxies: t.Mapping[str, str]) -> str:
    """Write manifests into `folder`. What kubeadm says where it fails; else empty. Raises OSError, SubprocessError."""
    path = os.path.join(folder, "kubeadm.yaml")
    _node_state.replace(path, config.encode())
    done = subprocess.run(
        [*command, "init", "phase", *phase, "--config", path, "--dry-run"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd="/",
        env={**environment(dict(proxies)), "LC_ALL": "C", "KUBEADM_INIT_DRYRUN_DIR": folder},
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode == 0:
        return ""
    lines = [Line(at=0.0, stream="stderr", text=plain_text(line)) for line in done.stderr.splitlines()]
    return redact(" | ".join(error_lines(lines))).rstrip(".") or f"exit code {done.returncode}"


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _remove(folder: str) -> None:
    if os.path.lexists(folder):
        shutil.rmtree(folder)
