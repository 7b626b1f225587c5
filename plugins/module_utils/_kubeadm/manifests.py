# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Static pod manifests and image names."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _yamlread
from ansible_collections.evergreen.kubeadm.plugins.module_utils._kubeadm.model import StaticPod
from ansible_collections.evergreen.kubeadm.plugins.module_utils._loose_data import dict_of, dicts_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import container_flags, image_tag


def parse_static_pod(text: str, file: str, component: str) -> StaticPod:
    """Read one manifest. What cannot be read is returned with `error` set, so that it can be reported."""
    try:
        manifest = _yamlread.load_mapping(text)
    except _yamlread.UnreadableYaml as error:
        return StaticPod(file=file, component=component, error=str(error))
    spec = dict_of(manifest.get("spec"))
    containers = [c for c in spec.get("containers") or [] if isinstance(c, dict)]
    if manifest.get("kind") != "Pod" or not containers:
        return StaticPod(file=file, component=component, error="it is not a Pod with containers")
    # The container of a component has its name; a sidecar that a patch added has another.
    main = next((c for c in containers if c.get("name") == component), containers[0])
    image = str(main.get("image") or "")
    return StaticPod(
        file=file,
        component=component,
        name=str(dict_of(manifest.get("metadata")).get("name") or ""),
        image=image,
        tag=image_tag(image),
        flags=container_flags(main),
        api_references=api_references(spec),
        proxies=proxy_variables({str(e.get("name")): str(e.get("value") or "") for e in dicts_of(main.get("env"))}),
    )


def proxy_variables(variables: t.Mapping[str, str]) -> dict[str, str]:
    """Those that kubeadm copies from its own environment into the static pods that it writes (util/env.go)."""
    return {name: value for name, value in variables.items() if name.lower().endswith("_proxy") and value}


def copied_proxies(pods: t.Collection[t.Mapping[str, str]]) -> dict[str, str]:
    """The proxy variables that kubeadm gave to static pods, of which `pods` are all: it gives each pod the same ones.

    What only some of them have is set for these.
    """
    found = [*pods]
    return {n: value for n, value in (found[0] if found else {}).items() if all(pod.get(n) == value for pod in found)}


def api_references(spec: dict[str, t.Any]) -> list[str]:
    """The API objects that a pod spec needs: a static pod must have none.

    A kubelet from 1.34 on refuses them (kubernetes/kubernetes#131837).
    """
    found: list[str] = []
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        found.append(f"serviceaccount/{account}")
    found += [f"resourceclaim/{claim.get('name')}" for claim in dicts_of(spec.get("resourceClaims"))]
    for volume in dicts_of(spec.get("volumes")):
        for source in [volume, *dicts_of(dict_of(volume.get("projected")).get("sources"))]:
            found += _source_references(source)
    for container in dicts_of(spec.get("containers")) + dicts_of(spec.get("initContainers")):
        values = [dict_of(variable.get("valueFrom")) for variable in dicts_of(container.get("env"))]
        for value in values + dicts_of(container.get("envFrom")):
            for key, kind in (
                ("configMapKeyRef", "configmap"),
                ("secretKeyRef", "secret"),
                ("configMapRef", "configmap"),
                ("secretRef", "secret"),
            ):
                if isinstance(value.get(key), dict):
                    found.append(f"{kind}/{value[key].get('name')}")
    return sorted(set(found))


def _source_references(source: dict[str, t.Any]) -> list[str]:
    found: list[str] = []
    for key, kind, name in (
        ("secret", "secret", "secretName"),
        ("configMap", "configmap", "name"),
        ("persistentVolumeClaim", "persistentvolumeclaim", "claimName"),
        ("clusterTrustBundle", "clustertrustbundle", "name"),
    ):
        if isinstance(source.get(key), dict):
            found.append(f"{kind}/{source[key].get(name) or source[key].get('name')}")
    if "serviceAccountToken" in source:
        found.append("serviceaccount/default")
    return found
