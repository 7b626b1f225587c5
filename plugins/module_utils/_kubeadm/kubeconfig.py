# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""The parts of a kubeconfig that a node's own credentials use."""

from __future__ import annotations

import base64
import binascii
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.evergreen.kubeadm.plugins.module_utils import _yamlread


@dataclass(frozen=True, repr=False)
class Kubeconfig:
    """The cluster and user of a kubeconfig's current context. It holds a private key: never put it in a result."""

    path: str
    server: str
    cluster: dict[str, t.Any]
    user: dict[str, t.Any]

    @classmethod
    def parse(cls, text: str, path: str) -> Kubeconfig:
        """Read a kubeconfig. Raises ValueError (UnreadableYaml is one) where it names no cluster or user."""
        config = _yamlread.load_mapping(text)
        current = str(config.get("current-context") or "")
        context = _named(config, "contexts", current, "context")
        cluster = _named(config, "clusters", str(context.get("cluster") or ""), "cluster")
        user = _named(config, "users", str(context.get("user") or ""), "user")
        if not cluster.get("server"):
            raise ValueError(f"{path} names no API server for its context {current!r}")
        return cls(path=path, server=str(cluster["server"]), cluster=cluster, user=user)

    def ca_pem(self, root: Path = Path("/")) -> str:
        """The CA certificates of the cluster as PEM text; empty where it has none. Raises ValueError."""
        return self._pem(self.cluster, "certificate-authority", root)

    def client_certificate_pem(self, root: Path = Path("/")) -> str:
        """The client certificate as PEM text; empty where it has none. Raises ValueError."""
        return self._pem(self.user, "client-certificate", root)

    def client_key_pem(self, root: Path = Path("/")) -> str:
        """The client's private key as PEM text; empty where it has none. Raises ValueError."""
        return self._pem(self.user, "client-key", root)

    def _pem(self, section: dict[str, t.Any], key: str, root: Path) -> str:
        data = section.get(f"{key}-data")
        if data:
            try:
                return base64.b64decode(str(data)).decode("ascii")
            except (binascii.Error, UnicodeDecodeError):
                raise ValueError(f"{key}-data in {self.path} is not base64 of PEM text") from None
        name = str(section.get(key) or "")
        if not name:
            return ""
        try:
            # client-go: a relative name is relative to the kubeconfig's own folder.
            return (root / (Path(self.path).parent / name).as_posix().lstrip("/")).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{key} {name}, which {self.path} refers to, cannot be read: {error}") from None


def _named(config: dict[str, t.Any], listing: str, name: str, key: str) -> dict[str, t.Any]:
    for item in config.get(listing) or []:
        if isinstance(item, dict) and item.get("name") == name and isinstance(item.get(key), dict):
            return t.cast("dict[str, t.Any]", item[key])
    return {}
