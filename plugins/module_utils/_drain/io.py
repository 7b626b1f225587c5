# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The requests that a drain makes, each tried again while nobody answers."""

from __future__ import annotations

import typing as t
from urllib.parse import quote

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import (
    MERGE_PATCH,
    ApiStatusError,
    Client,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.retry import retrying
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.cordon import FIELD_MANAGER
from ansible_collections.evergreen.kubeadm.plugins.module_utils._drain.model import Json, Options, daemon_set_of
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline

REQUEST_TIMEOUT_S = 30.0
PODS = "/api/v1/pods"

_COLLECTIONS = {
    "ReplicaSet": "/apis/apps/v1/namespaces/{namespace}/replicasets",
    "Deployment": "/apis/apps/v1/namespaces/{namespace}/deployments",
    "PersistentVolumeClaim": "/api/v1/namespaces/{namespace}/persistentvolumeclaims",
}

_Answer = t.TypeVar("_Answer")


class Conflict(Exception):
    """Somebody else changed the Node since it was read."""


class DrainApi:
    """Reads and writes for one drain; waits end at `deadline`."""

    def __init__(self, client: Client, deadline: Deadline) -> None:
        self._client = client
        self._deadline = deadline

    def node(self, name: str) -> Json:
        try:
            return self._get(_node_path(name), f"reading node {name}")
        except ApiStatusError as error:
            # Something else than an API server may answer 404 to everything.
            if error.status == 404 and (error.body.get("details") or {}).get("kind") == "nodes":
                raise EvergreenError(
                    f"There is no node {name} in the cluster.", hint="Give the name of the Node object."
                ) from error
            raise

    def nodes(self) -> list[Json]:
        return self._retrying(
            lambda: self._client.list("/api/v1/nodes", timeout_s=self._timeout()), "listing the nodes"
        )

    def patch_node(self, name: str, patch: Json, what: str, *, dry_run: bool = False) -> Json:
        """Raises Conflict where the Node changed since it was read."""
        query = {"fieldManager": FIELD_MANAGER, **({"dryRun": "All"} if dry_run else {})}
        try:
            return self._retrying(
                lambda: self._client.patch(
                    _node_path(name), patch, MERGE_PATCH, query=query, timeout_s=self._timeout()
                ),
                what,
            )
        except ApiStatusError as error:
            if error.status == 409:
                raise Conflict from error
            raise

    def pods(self, node: str, selector: str = "") -> tuple[list[Json], str]:
        """The pods of the node, and the resourceVersion that a watch begins at."""
        query = {**pods_query(node), **({"labelSelector": selector} if selector else {})}
        return self._retrying(
            lambda: self._client.list_with_version(PODS, query, timeout_s=self._timeout()),
            f"listing the pods of {node}",
        )

    def list_pods_once(self, node: str) -> tuple[list[Json], str]:
        """As `pods`, in one try and without a selector."""
        return self._client.list_with_version(PODS, pods_query(node), timeout_s=self._timeout())

    def watch_pods(self, node: str, version: str, timeout_s: float) -> Iterator[Json]:
        return self._client.watch(PODS, pods_query(node), version, timeout_s)

    def node_once(self, name: str) -> Json:
        """As `node`, in one try."""
        return self._client.get(_node_path(name), timeout_s=self._timeout())

    def list_budgets_once(self, namespace: str | None) -> tuple[list[Json], str]:
        """The PodDisruptionBudgets of a namespace, or of all, in one try."""
        return self._client.list_with_version(_budgets_path(namespace), timeout_s=self._timeout())

    def watch_budgets(self, namespace: str | None, version: str, timeout_s: float) -> Iterator[Json]:
        return self._client.watch(_budgets_path(namespace), None, version, timeout_s)

    def existing_daemon_sets(self, pods: Iterable[Json]) -> set[tuple[str, str]]:
        """Those DaemonSets that control `pods` and exist."""
        wanted = {found for found in map(daemon_set_of, pods) if found}
        return {each for each in wanted if self._exists(each)}

    def budgets(self) -> tuple[list[Json], str]:
        """All PodDisruptionBudgets, and the resourceVersion that a watch begins at."""
        return self._retrying(
            lambda: self._client.list_with_version(_budgets_path(None), timeout_s=self._timeout()),
            "listing the PodDisruptionBudgets",
        )

    def remove(self, pod: Json, options: Options, *, dry_run: bool = False) -> None:
        """Evict the pod of this very UID, or delete it with ``disable_eviction``; one try.

        Raises ApiStatusError and ApiUnreachable.
        """
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{quote(metadata['namespace'])}/pods/{quote(metadata['name'])}"
        delete_options: Json = {"preconditions": {"uid": metadata["uid"]}}
        if options.grace is not None:
            delete_options["gracePeriodSeconds"] = options.grace
        if dry_run:
            delete_options["dryRun"] = ["All"]
        if options.disable_eviction:
            body = {"apiVersion": "v1", "kind": "DeleteOptions", **delete_options}
            self._client.request("DELETE", path, body=body, timeout_s=self._timeout())
            return
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"namespace": metadata["namespace"], "name": metadata["name"]},
            "deleteOptions": delete_options,
        }
        self._client.request("POST", f"{path}/eviction", body=body, timeout_s=self._timeout())

    def find(self, kind: str, namespace: str, name: str) -> Json | None:
        """A ReplicaSet, Deployment or PersistentVolumeClaim; None where it is gone."""
        collection = _COLLECTIONS[kind].format(namespace=quote(namespace))
        try:
            return self._get(f"{collection}/{quote(name)}", f"reading {kind} {namespace}/{name}")
        except ApiStatusError as error:
            if error.status == 404:
                return None
            raise

    def patch_deployment(self, namespace: str, name: str, patch: Json) -> Json:
        """Raises Conflict where the Deployment changed since it was read."""
        path = f"{_COLLECTIONS['Deployment'].format(namespace=quote(namespace))}/{quote(name)}"
        query = {"fieldManager": FIELD_MANAGER}
        try:
            return self._retrying(
                lambda: self._client.patch(path, patch, MERGE_PATCH, query=query, timeout_s=self._timeout()),
                f"restarting Deployment {namespace}/{name}",
            )
        except ApiStatusError as error:
            if error.status == 409:
                raise Conflict from error
            raise

    def volume_attachments(self) -> list[Json]:
        return self._retrying(
            lambda: self._client.list("/apis/storage.k8s.io/v1/volumeattachments", timeout_s=self._timeout()),
            "listing the VolumeAttachments",
        )

    def _exists(self, daemon_set: tuple[str, str]) -> bool:
        namespace, name = daemon_set
        path = f"/apis/apps/v1/namespaces/{quote(namespace)}/daemonsets/{quote(name)}"
        try:
            self._get(path, f"reading DaemonSet {namespace}/{name}")
        except ApiStatusError as error:
            if error.status == 404:
                return False
            raise
        return True

    def _get(self, path: str, what: str) -> Json:
        return self._retrying(lambda: self._client.get(path, timeout_s=self._timeout()), what)

    def _timeout(self) -> float:
        # A task with wait_timeout 0 still has to make its requests.
        return max(2.0, self._deadline.clip(REQUEST_TIMEOUT_S))

    def _retrying(self, call: Callable[[], _Answer], what: str) -> _Answer:
        return retrying(call, self._deadline, what=what)


def pods_query(node: str) -> dict[str, str]:
    return {"fieldSelector": f"spec.nodeName={node}"}


def _budgets_path(namespace: str | None) -> str:
    scope = f"/namespaces/{quote(namespace)}" if namespace else ""
    return f"/apis/policy/v1{scope}/poddisruptionbudgets"


def _node_path(name: str) -> str:
    return f"/api/v1/nodes/{quote(name, safe='')}"
