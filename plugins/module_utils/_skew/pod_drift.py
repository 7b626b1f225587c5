# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""A running static pod beside what kubeadm would write, but for its flags: pure.

Only names are told, since values may be secret. What the API server, its
admission or the kubelet add to a mirror pod is no difference.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate import model as api
from ansible_collections.evergreen.kubeadm.plugins.module_utils._loose_data import dict_of, dicts_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew import kubeadm_pods as kubeadm
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.findings_addons import (
    DEFAULT_REPOSITORY,
    repository_of,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Json
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import image_tag

# Tags of releases. That a node has another release than kubeadm-config says is told elsewhere.
_RELEASE = re.compile(r"v\d+\.\d+\.\d+(-(alpha|beta|rc)\.\d+)?")
_ETCD_RELEASE = re.compile(r"\d+\.\d+\.\d+(-(alpha|beta|rc)\.\d+)?-\d+")


class Drift(t.NamedTuple):
    edited: list[str]
    """What the upgrade takes away or puts back, such as ``environment: GOGC``."""
    behind: list[str]
    """What kubeadm-config has and the pod has not."""


def pod_drift(component: str, pod: Json, config: Json, copied: t.Collection[str] | None = None) -> Drift:
    """`config` is the ClusterConfiguration, `copied` are the proxy variables that the run keeps; None is all."""
    spec = dict_of(pod.get("spec"))
    containers = dicts_of(spec.get("containers"))
    main = next((entry for entry in containers if entry.get("name") == component), None)
    main = main if main is not None else next(iter(containers), {})
    environment, behind = _environment(component, main, config, copied)
    mounts = _mounts(component, spec, main, config)
    edited = [
        *environment,
        *mounts.edited,
        *_resources(component, pod, main),
        *_probes(component, main),
        *_containers(spec, main),
        *_image(component, main, config),
        *_metadata(component, pod),
        *_fields(spec, main, rootless=bool(dict_of(config.get("featureGates")).get(kubeadm.ROOTLESS))),
    ]
    return Drift(edited, [*behind, *mounts.behind])


def _named(what: str, names: t.Iterable[str]) -> list[str]:
    found = sorted(set(names))
    return [f"{what}: {', '.join(found)}"] if found else []


def _environment(
    component: str, main: Json, config: Json, copied: t.Collection[str] | None
) -> tuple[list[str], list[str]]:
    live = {str(entry.get("name")): _variable(entry) for entry in dicts_of(main.get("env"))}
    extra = {
        str(entry.get("name")): _variable(entry)
        for entry in dicts_of(kubeadm.part_of(config, component).get("extraEnvs"))
    }
    edited = [
        name
        for name, value in live.items()
        if (value != extra[name] if name in extra else not _is_kept(component, name, copied))
    ]
    return _named("environment", edited), _named("environment", set(extra) - set(live))


def _is_kept(component: str, name: str, copied: t.Collection[str] | None) -> bool:
    return kubeadm.may_be_proxy(component, name) and (copied is None or name in copied)


def _variable(entry: Json) -> t.Any:
    source = dict_of(entry.get("valueFrom"))
    if not source:
        return str(entry.get("value") or "")
    # A default of the API server.
    return {
        kind: {key: value for key, value in dict_of(where).items() if (kind, key) != ("fieldRef", "apiVersion")}
        for kind, where in source.items()
    }


def _mounts(component: str, spec: Json, main: Json, config: Json) -> Drift:
    volumes = {str(entry.get("name")): entry for entry in dicts_of(spec.get("volumes"))}
    mounted = dicts_of(main.get("volumeMounts"))
    live = [_mount(entry, volumes) for entry in mounted]
    extra = kubeadm.extra_mounts(component, config)
    own = {name: mount for name, mount in kubeadm.own_mounts(component, config).items() if name not in extra}
    optional = kubeadm.optional_mounts(component, config)
    known = {*own.values(), *extra.values(), *(mount for name, mount in optional.items() if name not in extra)}
    paths = {mount.path for mount in live}
    used = {str(entry.get("name")) for entry in mounted}
    edited = [
        *_named("mounts", (mount.path for mount in live if mount not in known)),
        *_named("volumes", (name for name in volumes if name not in used)),
        *_named("without the mounts", (mount.path for mount in own.values() if mount.path not in paths)),
    ]
    return Drift(edited, _named("mounts", (mount.path for mount in extra.values() if mount.path not in paths)))


def _mount(entry: Json, volumes: dict[str, Json]) -> kubeadm.Mount:
    host = dict_of(dict_of(volumes.get(str(entry.get("name")))).get("hostPath"))
    path = str(host.get("path") or "")
    if path and entry.get("subPath"):
        path = f"{path}/{entry['subPath']}"
    return kubeadm.Mount(path, str(entry.get("mountPath") or ""), bool(entry.get("readOnly")))


def _resources(component: str, pod: Json, main: Json) -> list[str]:
    resources = dict_of(main.get("resources"))
    requests, limits = dict_of(resources.get("requests")), dict_of(resources.get("limits"))
    expected = kubeadm.REQUESTS[component]
    found = [f"resources.requests.{name}" for name, value in expected.items() if requests.get(name) != value]
    if kubeadm.LIMIT_RANGER not in api.annotations_of(pod):
        found += [f"resources.limits.{name}" for name in limits]
        # The API server requests what is limited.
        others = [name for name in requests if name not in expected and requests[name] != limits.get(name)]
        found += [f"resources.requests.{name}" for name in others]
    return sorted(found)


def _probes(component: str, main: Json) -> list[str]:
    found = []
    paths = kubeadm.PROBE_PATHS[component]
    for probe, settings in kubeadm.PROBES.items():
        live = dict_of(main.get(probe))
        if not live:
            required = probe in paths and (probe != "readinessProbe" or component == "kube-apiserver")
            found += [f"without {probe}"] if required else []
            continue
        asked = dict_of(live.get("httpGet")).get("path")
        if probe not in paths or asked is None:
            found.append(probe)
            continue
        if asked != paths[probe] and asked not in kubeadm.OLDER_PROBE_PATHS:
            found.append(f"{probe}.httpGet.path")
        found += [f"{probe}.{name}" for name, value in settings.items() if value not in (None, live.get(name) or 0)]
    return found


def _containers(spec: Json, main: Json) -> list[str]:
    others = [str(entry.get("name")) for entry in dicts_of(spec.get("containers")) if entry is not main]
    before = [str(entry.get("name")) for entry in dicts_of(spec.get("initContainers"))]
    ports = [
        str(entry.get("name") or entry.get("containerPort"))
        for entry in dicts_of(main.get("ports"))
        if entry.get("name") != kubeadm.PROBE_PORT
    ]
    return [*_named("containers", others), *_named("init containers", before), *_named("ports", ports)]


def _image(component: str, main: Json, config: Json) -> list[str]:
    image = str(main.get("image") or "")
    version = str(config.get("kubernetesVersion") or "")
    part = kubeadm.part_of(config, component)
    own = part.get("imageRepository") if component == "etcd" else None
    repository = str(own or config.get("imageRepository") or DEFAULT_REPOSITORY)
    tag = image_tag(image)
    configured = str(part.get("imageTag") or "") if component == "etcd" else version.replace("+", "_")
    release = _ETCD_RELEASE if component == "etcd" else _RELEASE
    found = []
    # Builds of CI are from a place of their own.
    if "+" not in version and repository_of(image) != f"{repository}/{component}":
        found.append("repository of the image")
    if tag != configured and not release.fullmatch(tag):
        found.append("tag of the image")
    if "@" in image:
        found.append("digest of the image")
    return found


def _metadata(component: str, pod: Json) -> list[str]:
    written = {"component": component, "tier": "control-plane"}
    labels = [
        name
        for name, value in api.labels(pod).items()
        if (value != written[name] if name in written else name not in kubeadm.COPIED_LABELS)
    ]
    annotations = [
        name
        for name in api.annotations_of(pod)
        if not name.startswith(kubeadm.OWN_PREFIXES) and name != kubeadm.LIMIT_RANGER
    ]
    return [
        *_named("labels", (name for name in labels if not name.startswith(kubeadm.OWN_PREFIXES))),
        *_named("annotations", annotations),
    ]


def _fields(spec: Json, main: Json, *, rootless: bool) -> list[str]:
    found = [name for name, value in kubeadm.POD_FIELDS.items() if spec.get(name) != value]
    found += [name for name, value in kubeadm.POD_DEFAULTS.items() if spec.get(name, value) != value]
    found += [name for name in kubeadm.POD_UNKNOWN if spec.get(name)]
    found += [name for name in kubeadm.CONTAINER_UNKNOWN if main.get(name)]
    if not rootless:
        live = dict_of(spec.get("securityContext"))
        keys = {*live, *kubeadm.POD_SECURITY}
        found += [f"securityContext.{key}" for key in keys if live.get(key) != kubeadm.POD_SECURITY.get(key)]
        found += ["securityContext of the container"] if main.get("securityContext") else []
    return sorted(found)
