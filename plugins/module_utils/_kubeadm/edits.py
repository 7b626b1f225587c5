# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Where the live static pod manifests are not what the installed kubeadm writes: what an upgrade would change.

Only names are told, since values may be secret.
"""

from __future__ import annotations

import json
import re
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _emulation, _yamlread
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.api import NodeApi
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.compose import (
    ComposeError,
    compose,
    node_facts,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.kubeconfig import Kubeconfig
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import (
    CONTROL_PLANE_COMPONENTS,
    JsonDict,
    StaticPod,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._loose_data import dict_of, dicts_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import (
    container_words,
    flag_values,
    image_tag,
)

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.node import Node

_ADMIN = "/etc/kubernetes/admin.conf"
_REQUEST_S = 5.0
_RELEASE = re.compile(r"v?\d+\.\d+\.\d+(-((alpha|beta|rc)\.)?\d+)?")
# Another finding's, and what kubeadm join gives etcd, which kubeadm upgrade drops.
_IGNORED = {
    *((component, f"--{_emulation.FLAG}") for component in _emulation.COMPONENTS),
    ("etcd", "--initial-cluster"),
    ("etcd", "--initial-cluster-state"),
}
# A dry run does not make the users that this feature gate of kubeadm is about.
_ROOTLESS = "RootlessControlPlane"


class Edits(t.TypedDict):
    """Settings of one static pod by their names, such as ``--v``, ``environment GOGC`` or ``livenessProbe.httpGet``."""

    added: list[str]
    """In the live manifest alone."""
    changed: list[str]
    removed: list[str]
    """Written by kubeadm alone."""


def static_pod_edits(node: Node, patches: str, kubeadm_version: str) -> JsonDict | None:
    """``{error, pods}``: the Edits of each component that has any, or why they are not known. Does not raise.

    None where there is no kubeadm to ask: on a worker, and for the files of another machine. `patches` is the
    folder that kubeadm would be given.
    """
    if node.root != Path("/") or not node.is_control_plane():
        return None
    try:
        return {"error": "", "pods": _compared(node, patches, kubeadm_version)}
    except EvergreenError as error:
        return {"error": error.message, "pods": {}}
    except (OSError, ValueError) as error:
        return {"error": str(error), "pods": {}}


def _compared(node: Node, patches: str, kubeadm_version: str) -> dict[str, Edits]:
    pods, _foreign = node.static_pods()
    version = comparable_version(pods, kubeadm_version)
    text = node.read(_ADMIN)
    if text is None:
        raise ComposeError(f"{_ADMIN} cannot be read.")
    config = NodeApi(Kubeconfig.parse(text, _ADMIN)).cluster_configuration(_REQUEST_S)
    with tempfile.TemporaryDirectory(prefix="evergreen-kubeadm-") as place:
        written = compose(
            node.find("kubeadm"),
            json.dumps(config),
            node_facts(node),
            version=version or str(config.get("kubernetesVersion") or ""),
            patches=patches,
            etcd="etcd" in pods,
            folder=f"{place}/manifests",
        )
    rootless = bool(dict_of(config.get("featureGates")).get(_ROOTLESS))
    found = {
        component: edits_of(component, node.yaml(pods[component].file), _yamlread.load_mapping(text), rootless=rootless)
        for component, text in written.items()
        if component in pods and not pods[component].error
    }
    return {component: edits for component, edits in found.items() if any(edits.values())}


def comparable_version(pods: dict[str, StaticPod], kubeadm_version: str) -> str:
    """The version that the static pods have, empty where their tags are no releases. Raises ComposeError.

    kubeadm of another minor writes other manifests, which says nothing about edits.
    """
    if not kubeadm_version:
        raise ComposeError("kubeadm is not installed.")
    tags = sorted({pod.tag for name, pod in pods.items() if name in CONTROL_PLANE_COMPONENTS})
    releases = [tag for tag in tags if _RELEASE.fullmatch(tag)]
    if any(tag.lstrip("v").split(".")[:2] != kubeadm_version.split(".")[:2] for tag in releases):
        raise ComposeError(
            f"kubeadm is {kubeadm_version} and the static pods are {', '.join(releases)}: only a kubeadm of their "
            "minor tells what was edited."
        )
    return releases[-1] if releases else ""


def edits_of(component: str, live: JsonDict, written: JsonDict, *, rootless: bool = False) -> Edits:
    """The manifest on the node beside that of kubeadm. `rootless` is the feature gate RootlessControlPlane."""
    here, there = settings(component, live), settings(component, written)
    if _RELEASE.fullmatch(image_tag(here["image"])) and _repository(here["image"]) == _repository(there["image"]):
        there["image"] = here["image"]
    for name in {*here, *there}:
        if (component, name) in _IGNORED or (rootless and "securityContext" in name):
            here.pop(name, None)
            there.pop(name, None)
    return Edits(
        added=sorted({*here} - {*there}),
        changed=sorted(name for name in {*here} & {*there} if here[name] != there[name]),
        removed=sorted({*there} - {*here}),
    )


def _repository(image: str) -> str:
    return image if "@" in image else image[: len(image) - len(image_tag(image))]


def settings(component: str, pod: JsonDict) -> JsonDict:
    """Everything that a manifest says, by names that an operator recognises."""
    metadata, spec = dict_of(pod.get("metadata")), dict_of(pod.get("spec"))
    containers = dicts_of(spec.get("containers"))
    # A sidecar may come first.
    main = next((entry for entry in containers if entry.get("name") == component), next(iter(containers), {}))
    words = container_words(main)
    flags: dict[str, list[str]] = {}
    for name, value in flag_values(main):
        flags.setdefault(f"--{name}", []).append(value)
    volumes = {str(entry.get("name")): entry for entry in dicts_of(spec.get("volumes"))}
    mounts = dicts_of(main.get("volumeMounts"))
    used = {str(entry.get("name")) for entry in mounts}
    return {
        "image": str(main.get("image") or ""),
        "command": words[: next((at for at, word in enumerate(words) if word.startswith("-")), len(words))],
        **{name: sorted(values) for name, values in flags.items()},
        **{f"environment {entry.get('name')}": _flat({**entry, "name": None}) for entry in dicts_of(main.get("env"))},
        # The name of a volume means nothing.
        **{
            f"mount {entry.get('mountPath')}": [
                _flat({**entry, "name": None}),
                _flat({**volumes.get(str(entry.get("name")), {}), "name": None}),
            ]
            for entry in mounts
        },
        **{f"volume {name}": True for name in volumes if name not in used},
        **{f"port {entry.get('name') or entry.get('containerPort')}": entry for entry in dicts_of(main.get("ports"))},
        **{f"container {entry.get('name')}": entry for entry in containers if entry is not main},
        **{f"init container {entry.get('name')}": entry for entry in dicts_of(spec.get("initContainers"))},
        **{f"label {name}": value for name, value in dict_of(metadata.get("labels")).items()},
        **{f"annotation {name}": value for name, value in dict_of(metadata.get("annotations")).items()},
        **_flat(_without(main, "name", "image", "command", "args", "env", "volumeMounts", "ports")),
        **_flat(_without(spec, "containers", "initContainers", "volumes"), "spec."),
    }


def _without(part: JsonDict, *keys: str) -> JsonDict:
    return {key: value for key, value in part.items() if key not in keys}


def _flat(part: JsonDict, prefix: str = "") -> JsonDict:
    """Leaves by their paths. What is empty says nothing."""
    found: JsonDict = {}
    for key, value in part.items():
        if isinstance(value, dict):
            found.update(_flat(value, f"{prefix}{key}."))
        elif value not in (None, "", []):
            found[f"{prefix}{key}"] = value
    return found
