# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""kubeadm-config and the record of a bridge on the API server."""

from __future__ import annotations

import typing as t

from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.client import (
    MERGE_PATCH,
    ApiStatusError,
    Client,
)
from ansible_collections.evergreen.kubeadm.plugins.module_utils._api.retry import retrying
from ansible_collections.evergreen.kubeadm.plugins.module_utils._errors import EvergreenError

if t.TYPE_CHECKING:
    from ansible_collections.evergreen.kubeadm.plugins.module_utils._deadline import Deadline

Json = dict[str, t.Any]

CONFIG_MAPS = "/api/v1/namespaces/kube-system/configmaps"
KUBEADM_CONFIG = f"{CONFIG_MAPS}/kubeadm-config"
KEY = "ClusterConfiguration"
RECORD = "evergreen-kubeadm-etcd-bridge"
RECORD_KEY = "imageTag"
REQUEST_TIMEOUT_S = 30.0


class Store:
    """Reads and writes; every call is retried until `deadline` where the server gave no answer."""

    def __init__(self, client: Client, deadline: Deadline) -> None:
        self._client = client
        self._deadline = deadline
        self._version = ""

    def configuration(self) -> Json:
        """The ClusterConfiguration. Raises EvergreenError where there is none."""
        import yaml

        found = self._read(KUBEADM_CONFIG)
        try:
            configuration = yaml.safe_load(((found or {}).get("data") or {}).get(KEY) or "")
        except yaml.YAMLError as error:
            raise EvergreenError(f"The {KEY} in kubeadm-config is not YAML: {error}.") from error
        if not found or not isinstance(configuration, dict):
            raise EvergreenError(
                f"There is no {KEY} in the ConfigMap kube-system/kubeadm-config.",
                hint="See the finding kubeadm-config-missing of skew_check.",
            )
        self._version = str((found.get("metadata") or {}).get("resourceVersion") or "")
        return configuration

    def record(self) -> str:
        """The image tag that the record names; empty where there is no record."""
        return recorded_tag(self._read(f"{CONFIG_MAPS}/{RECORD}"))

    def write_configuration(self, configuration: Json) -> None:
        """Raises EvergreenError where somebody changed it since it was read."""
        import yaml

        # kubeadm writes its keys in this order, too.
        text = yaml.safe_dump(configuration, default_flow_style=False, sort_keys=True)
        patch = {"metadata": {"resourceVersion": self._version}, "data": {KEY: text}}
        try:
            self._call("PATCH", KUBEADM_CONFIG, patch, MERGE_PATCH)
        except ApiStatusError as error:
            if error.status != 409:
                raise
            if self.configuration() != configuration:
                raise EvergreenError(
                    "kubeadm-config was changed by somebody else at the same moment; nothing was written.",
                    hint="Run this again.",
                ) from error

    def write_record(self, tag: str) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": RECORD, "namespace": "kube-system"},
            "data": {RECORD_KEY: tag},
        }
        try:
            self._call("POST", CONFIG_MAPS, body)
        except ApiStatusError as error:
            if error.status != 409:
                raise
            self._call("PATCH", f"{CONFIG_MAPS}/{RECORD}", {"data": {RECORD_KEY: tag}}, MERGE_PATCH)

    def remove_record(self) -> None:
        try:
            self._call("DELETE", f"{CONFIG_MAPS}/{RECORD}", None)
        except ApiStatusError as error:
            if error.status != 404:
                raise

    def _read(self, path: str) -> Json | None:
        try:
            return self._call("GET", path, None)
        except ApiStatusError as error:
            if error.status == 404:
                return None
            raise

    def _call(self, method: str, path: str, body: Json | None, content_type: str | None = None) -> Json:
        return retrying(
            lambda: self._client.request(
                method,
                path,
                body=body,
                content_type=content_type,
                timeout_s=max(2.0, self._deadline.clip(REQUEST_TIMEOUT_S)),
            ),
            self._deadline,
            what=f"{method} {path}",
        )


def recorded_tag(config_map: Json | None) -> str:
    """The image tag in the record; empty without one."""
    return str(((config_map or {}).get("data") or {}).get(RECORD_KEY) or "")
