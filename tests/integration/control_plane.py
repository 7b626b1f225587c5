# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kubeadm control plane shows in the API, on the harness: labelled nodes and mirror pods of static pods."""

from __future__ import annotations

import functools
import types
import typing as t
from contextlib import contextmanager, suppress
from pathlib import Path

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import ApiStatusError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._gate.model import ENDPOINT_ANNOTATION
from ansible_collections.evergreen.kubeadm.tests.unit.plugins.module_utils.kubeadm.mirror import mirror
from harness.cluster import NEVER_READY, Cluster
from harness.objects import node
from harness.process import Process, free_ports, wait_for
from lab import golang

COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
LABEL = {"node-role.kubernetes.io/control-plane": ""}
PODS = "/api/v1/namespaces/kube-system/pods"


def task(spec: dict[str, t.Any], params: dict[str, t.Any], *, check_mode: bool = False) -> t.Any:
    """What a module's action reads of its AnsibleModule, with the defaults of its own options filled in."""
    defaults = {name: option.get("default") for name, option in spec.items()}
    return types.SimpleNamespace(params={**defaults, **params}, check_mode=check_mode)


def static_pod(
    component: str, on: str, tag: str, *, address: str = "", ready: bool = True, flags: tuple[str, ...] = ()
) -> dict[str, t.Any]:
    """The mirror pod that a kubelet shows of kubeadm's static pod, with another tag and these flags alone."""
    made = mirror(component, on)
    annotations = made["metadata"]["annotations"]
    annotations.pop(ENDPOINT_ANNOTATION, None)
    if address:
        annotations[ENDPOINT_ANNOTATION] = address
    if not ready:
        annotations[NEVER_READY] = "yes"
    made["spec"]["containers"][0].update(image=f"registry.k8s.io/{component}:{tag}", command=[component, *flags])
    return made


def show(cluster: Cluster, made: dict[str, t.Any]) -> None:
    """Create the pod anew, as a kubelet does when its manifest changed, and wait until it has a status.

    One that goes away meanwhile is created again, as a kubelet does too.
    """
    path = f"{PODS}/{made['metadata']['name']}"
    remove(cluster, path)
    cluster.apply(made)

    def runs() -> bool:
        try:
            return bool(cluster.client.get(path)["status"].get("podIP"))
        except ApiStatusError as error:
            if error.status != 404:
                raise
            cluster.apply(made)
            return False

    wait_for(f"{path} runs", runs)


def remove(cluster: Cluster, path: str) -> None:
    """Delete at once, and wait until it is gone."""
    with suppress(ApiStatusError):
        cluster.client.request("DELETE", path, body={"gracePeriodSeconds": 0})

    def gone() -> bool:
        try:
            cluster.client.get(path)
        except ApiStatusError as error:
            return error.status == 404
        return False

    wait_for(f"{path} is gone", gone)


@contextmanager
def control_plane(
    cluster: Cluster, nodes: dict[str, tuple[str, str]], *, etcd: str | None = "3.6.5-0", kubelet: str = "v1.34.4"
) -> t.Iterator[None]:
    """Control-plane nodes ``{name: (image tag, advertise address)}``, taken away again at the end."""
    servers = "https://127.0.0.1:2379" if etcd else "https://etcd.example:2379"
    try:
        for name, (tag, address) in nodes.items():
            cluster.apply(node(name, labels=LABEL, kubelet_version=kubelet))
            for component in COMPONENTS:
                flags = (f"--etcd-servers={servers}",) if component == "kube-apiserver" else ()
                show(
                    cluster,
                    static_pod(
                        component, name, tag, address=address if component == "kube-apiserver" else "", flags=flags
                    ),
                )
            if etcd:
                show(cluster, static_pod("etcd", name, etcd))
            wait_for(f"node {name} is ready", functools.partial(_ready, cluster, name))
        yield
    finally:
        for name in nodes:
            for component in (*COMPONENTS, "etcd"):
                remove(cluster, f"{PODS}/{component}-{name}")
            remove(cluster, f"/api/v1/nodes/{name}")


def _ready(cluster: Cluster, name: str) -> bool:
    conditions = cluster.client.get(f"/api/v1/nodes/{name}")["status"].get("conditions") or []
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def second_api_server(cluster: Cluster, place: Path) -> tuple[Process, str]:
    """A kube-apiserver 1.35.4 on the etcd of the 1.34.4 one, not started, and its address: an upgrade half done."""
    kubernetes = golang.build(golang.kubernetes("1.35.4", "1.25"), golang.cache_directory())
    port = free_ports(1)[0]
    arguments = [
        f"--secure-port={port}" if word.startswith("--secure-port=") else word
        for word in cluster.api_server.arguments[1:]
    ]
    return Process([kubernetes / "kube-apiserver", *arguments], place / "second.log"), f"127.0.0.1:{port}"
