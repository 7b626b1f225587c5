# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""Where this node's etcd member is and how it is reached, from its static pod manifest."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _yamlread
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError
from ansible_collections.evergreen.kubeadm.plugins.module_utils._etcd.model import Access
from ansible_collections.evergreen.kubeadm.plugins.module_utils._static_pod import (
    container_flags,
    container_words,
    etcd_servers,
)

DEFAULT_PATH = "/etc/kubernetes/manifests/etcd.yaml"
API_SERVER = "kube-apiserver"
"""Its manifest lies beside that of etcd, and names an external etcd."""
HEALTH_CLIENT = "healthcheck-client"
"""The client certificate that kubeadm makes for the probes of etcd, beside etcd's CA."""
_OPTIONS_HINT = "For an etcd that is not this node's static pod, set endpoint, ca_cert, client_cert and client_key."


class ManifestError(EvergreenError):
    """A manifest that could not be read, or does not say what is needed."""


def read_pod(text: str) -> t.Any:
    """The manifest `text` as plain data, its scalars as they are written. ManifestError names the line not read."""
    try:
        pod = _yamlread.load(text, typed=False)
    except _yamlread.UnreadableYaml as error:
        raise ManifestError(f"The manifest could not be read: {error}.") from None
    if pod is None:
        raise ManifestError("The manifest is empty.")
    return pod


def flags_of(container: t.Mapping[str, t.Any]) -> dict[str, str]:
    """What an etcd container is set to, by the names of its flags.

    ``ETCD_NAME`` in the environment holds for what no flag sets (etcd's
    documentation of configuration options).
    """
    from_environment = {
        str(entry["name"])[len("ETCD_") :].lower().replace("_", "-"): str(entry["value"])
        for entry in container.get("env") or ()
        if str(entry.get("name", "")).startswith("ETCD_") and entry.get("value") is not None
    }
    return {**from_environment, **container_flags(container)}


def etcd_container(pod: t.Any) -> dict[str, t.Any]:
    """The container that runs etcd: by name, by command, or the only one."""
    spec = pod.get("spec") if isinstance(pod, dict) else None
    containers = [entry for entry in (spec or {}).get("containers") or () if isinstance(entry, dict)]
    for entry in containers:
        if entry.get("name") == "etcd":
            return entry
    for entry in containers:
        words = container_words(entry)
        if words and os.path.basename(words[0]) == "etcd":
            return entry
    raise ManifestError("The manifest has no etcd container.", hint=_OPTIONS_HINT)


def mounts_of(pod: t.Mapping[str, t.Any], container: t.Mapping[str, t.Any]) -> tuple[tuple[str, str], ...]:
    """(path in the container, path on the host) of each host path volume, the longest container path first."""
    volumes = {
        entry.get("name"): (entry.get("hostPath") or {}).get("path")
        for entry in (pod.get("spec") or {}).get("volumes") or ()
    }
    pairs = [
        (str(entry.get("mountPath")).rstrip("/"), str(volumes[entry.get("name")]).rstrip("/"))
        for entry in container.get("volumeMounts") or ()
        if volumes.get(entry.get("name")) and not entry.get("subPath")
    ]
    return tuple(sorted(pairs, key=lambda pair: -len(pair[0])))


def on_host(path: str, mounts: t.Iterable[tuple[str, str]]) -> str:
    """`path` of the container as the host names it; itself where no volume holds it."""
    for inside, outside in mounts:
        if path == inside or path.startswith(inside + "/"):
            return outside + path[len(inside) :]
    return path


def in_container(path: str, mounts: t.Iterable[tuple[str, str]]) -> str | None:
    """`path` of the host as the container names it; None where the container does not see it."""
    for inside, outside in sorted(mounts, key=lambda pair: -len(pair[1])):
        if path == outside or path.startswith(outside + "/"):
            return inside + path[len(outside) :]
    return None


def local_url(urls: str) -> str:
    """The URL of ``--listen-client-urls`` to ask from this very node: loopback before others, TLS before plain.

    An unspecified address (``0.0.0.0``, ``::``) is asked on loopback.
    """
    listed = [url.strip() for url in urls.split(",") if url.strip().startswith(("https://", "http://"))]
    reachable = [url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:") for url in listed]
    if not reachable:
        raise ManifestError(f"etcd's --listen-client-urls {urls!r} names no client URL.", hint=_OPTIONS_HINT)

    def rank(url: str) -> tuple[bool, bool]:
        loopback = url.split("//", 1)[1].startswith(("127.", "localhost", "[::1]"))
        return (not url.startswith("https://"), not loopback)

    return min(reachable, key=rank)


def access_from_manifest(text: str, exists: t.Callable[[str], bool] = os.path.exists) -> Access:
    """How to reach the member that the manifest `text` describes.

    The client certificate is kubeadm's health check client where its files
    exist beside the CA, else the member's own server certificate, which kubeadm
    issues for client use as well.
    """
    pod = read_pod(text)
    container = etcd_container(pod)
    flags = flags_of(container)
    if "config-file" in flags:
        raise ManifestError(
            f"etcd takes its settings from {flags['config-file']}, where flags have no meaning.", hint=_OPTIONS_HINT
        )
    mounts = mounts_of(pod, container)
    ca_cert = on_host(flags.get("trusted-ca-file", ""), mounts)
    client_cert = on_host(flags.get("cert-file", ""), mounts)
    client_key = on_host(flags.get("key-file", ""), mounts)
    beside = os.path.join(os.path.dirname(ca_cert), HEALTH_CLIENT)
    if ca_cert and exists(beside + ".crt") and exists(beside + ".key"):
        client_cert, client_key = beside + ".crt", beside + ".key"
    return Access(
        endpoint=local_url(flags.get("listen-client-urls", "") or "http://localhost:2379"),
        ca_cert=ca_cert,
        client_cert=client_cert,
        client_key=client_key,
        name=flags.get("name", ""),
        data_dir=on_host(flags.get("data-dir", ""), mounts),
        mounts=mounts,
    )


def access_from_api_server(text: str) -> Access:
    """How the kube-apiserver with the manifest `text` reaches an external etcd, by its own client certificate."""
    pod = read_pod(text)
    spec = pod.get("spec") if isinstance(pod, dict) else None
    containers = [entry for entry in (spec or {}).get("containers") or () if isinstance(entry, dict)]
    container = next((entry for entry in containers if entry.get("name") == API_SERVER), None)
    if container is None:
        raise ManifestError(f"The manifest has no container {API_SERVER}.", hint=_OPTIONS_HINT)
    flags = container_flags(container)
    servers = etcd_servers(flags)
    if not servers:
        raise ManifestError(f"{API_SERVER} has no --etcd-servers.", hint=_OPTIONS_HINT)
    mounts = mounts_of(pod, container)
    ca_cert, client_cert, client_key = (
        on_host(flags.get(name, ""), mounts) for name in ("etcd-cafile", "etcd-certfile", "etcd-keyfile")
    )
    return Access(servers[0], ca_cert=ca_cert, client_cert=client_cert, client_key=client_key, servers=tuple(servers))


def find_access(params: t.Mapping[str, t.Any]) -> Access:
    """How to reach the member: from the options, and for what they leave open from the manifest.

    Where there is no manifest of etcd, the one of kube-apiserver beside it says how an external etcd is reached.
    `params` has ``manifest``, ``endpoint``, ``ca_cert``, ``client_cert`` and
    ``client_key``. With `endpoint` the manifest is not needed and not read.
    """
    given = {key: params.get(key) or "" for key in ("ca_cert", "client_cert", "client_key")}
    if bool(given["client_cert"]) != bool(given["client_key"]):
        raise ManifestError("client_cert and client_key belong together: set both, or none.")
    endpoint = params.get("endpoint")
    if endpoint:
        if not endpoint.startswith(("https://", "http://")) or "," in endpoint:
            raise ManifestError(f"endpoint {endpoint!r} is not one URL such as https://10.0.0.10:2379.")
        return Access(
            endpoint=endpoint.rstrip("/"),
            ca_cert=given["ca_cert"],
            client_cert=given["client_cert"],
            client_key=given["client_key"],
        )
    path = params.get("manifest") or DEFAULT_PATH
    api_server = os.path.join(os.path.dirname(path), f"{API_SERVER}.yaml")
    external = not os.path.lexists(path) and os.path.lexists(api_server)
    try:
        with open(api_server if external else path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise ManifestError(
            f"The manifest of etcd's static pod, {path}, could not be read: {error.strerror}.",
            hint=f"Run this on a control-plane node, as root. {_OPTIONS_HINT}",
        ) from None
    found = access_from_api_server(text) if external else access_from_manifest(text)
    return dataclasses.replace(
        found,
        ca_cert=given["ca_cert"] or found.ca_cert,
        client_cert=given["client_cert"] or found.client_cert,
        client_key=given["client_key"] or found.client_key,
    )
