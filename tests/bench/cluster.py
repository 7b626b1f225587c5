# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The harness' cluster, whose API server logs the requests of the tools, each of which is a user."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from bench.audit import AuditLog, policy
from harness.cluster import Cluster
from harness.process import wait_for

GROUP = "bench"
RBAC = "rbac.authorization.k8s.io"


class AuditedCluster(Cluster):
    """As Cluster, with a kubeconfig for each of `users`, who are cluster admins, and an audit log of what they do."""

    def __init__(self, place: Path, users: t.Iterable[str]) -> None:
        super().__init__(place)
        names = list(users)
        (place / "audit-policy.json").write_text(json.dumps(policy(names)))
        self.api_server.arguments += [
            f"--audit-policy-file={place / 'audit-policy.json'}",
            f"--audit-log-path={place / 'audit.log'}",
        ]
        self.audit_log = AuditLog(place / "audit.log")
        self.kubeconfigs = {name: self._kubeconfig_of(name) for name in names}

    def start(self) -> None:
        super().start()
        self._bind()

    def _bind(self) -> None:
        """Make the users cluster admins. Those of system:masters would be exempt from flow control."""
        wait_for(
            "the role cluster-admin",
            lambda: self.client.get(f"/apis/{RBAC}/v1/clusterroles/cluster-admin"),
            pause_s=0.2,
        )
        self.apply(
            {
                "apiVersion": f"{RBAC}/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": GROUP},
                "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
                "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": GROUP}],
            }
        )

    def _kubeconfig_of(self, user: str) -> Path:
        """A token on a command line would be in the process list."""
        config = json.loads(self.kubeconfig.read_text())
        config["users"][0]["user"]["token"] = self.add_user(user, GROUP)["api_key"]
        path = self.place / f"{user}.conf"
        path.touch(mode=0o600)
        path.write_text(json.dumps(config))
        return path
