# Copyright: (c) 2026, the evergreen.kubeadm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: may change in any release.
"""What kubeadm does with CoreDNS, as data, and a reader of a Corefile. Pure.

kubeadm checks a Corefile with github.com/coredns/corefile-migration whenever
its own CoreDNS is another one than the running one, and refuses plug-ins and
versions that this library does not know
(kubernetes cmd/kubeadm/app/phases/upgrade/preflight.go).
"""

from __future__ import annotations

import re

from ansible_collections.evergreen.kubeadm.plugins.module_utils._skew.model import Json

SOURCE = "https://github.com/coredns/corefile-migration"
MANIFEST_SOURCE = "https://github.com/kubernetes/kubernetes/blob/master/cmd/kubeadm/app/phases/addons/dns/manifests.go"

# CoreDNSVersion of cmd/kubeadm/app/constants/constants.go, by minor.
DEPLOYED = {33: "1.12.0", 34: "1.12.1", 35: "1.13.1", 36: "1.14.2", 37: "1.14.6"}
# Versions that the library can start from, up to the newest that was read.
KNOWN_VERSIONS = frozenset(
    {
        *("1.7.0", "1.7.1", "1.8.0", "1.8.3", "1.8.4", "1.8.5", "1.8.6", "1.8.7", "1.9.0", "1.9.1", "1.9.2", "1.9.3"),
        *("1.9.4", "1.10.0", "1.10.1", "1.11.0", "1.11.1", "1.11.3", "1.11.4", "1.12.0", "1.12.1", "1.12.2", "1.12.3"),
        *("1.12.4", "1.13.0", "1.13.1", "1.13.2", "1.14.0", "1.14.1", "1.14.2"),
    }
)
# Since CoreDNS 1.11.
KNOWN_PLUGINS = frozenset(
    {
        *("autopath", "cache", "errors", "forward", "health", "hosts", "k8s_external", "kubernetes", "loadbalance"),
        *("log", "loop", "prometheus", "ready", "reload", "rewrite", "transfer"),
    }
)

# What kubeadm writes into the pods of its Deployment; replicas it keeps as they are.
RESOURCES = {"limits": {"memory": "170Mi"}, "requests": {"cpu": "100m", "memory": "70Mi"}}
NODE_SELECTOR = {"kubernetes.io/os": "linux"}
TOLERATION_KEYS = frozenset(
    {"CriticalAddonsOnly", "node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"}
)
ARGUMENTS = ["-conf", "/etc/coredns/Corefile"]

_COMMENT = re.compile(r"(^|\s)#.*$")


def plugins_of(corefile: str) -> list[str]:
    """Names of the plug-ins in all server blocks and snippets, each once. What is imported cannot be seen."""
    found: list[str] = []
    depth = 0
    for line in corefile.splitlines():
        content = _COMMENT.sub("", line).strip()
        if not content:
            continue
        word = content.split()[0]
        if depth == 1 and word not in ("}", "import") and word not in found:
            found.append(word)
        depth += sum(1 for token in content.split() if token == "{") - sum(1 for t in content.split() if t == "}")
        # A brace may end a word, as in `example.org{`.
        depth += 1 if content.endswith("{") and content.split()[-1] != "{" else 0
    return found


def customised(deployment: Json) -> list[str]:
    """What of the Deployment is not as kubeadm writes it."""
    spec = ((deployment.get("spec") or {}).get("template") or {}).get("spec") or {}
    containers = spec.get("containers") or []
    main = next((entry for entry in containers if entry.get("name") == "coredns"), None)
    if main is None:
        return []
    found = []
    if (main.get("resources") or {}) != RESOURCES:
        found.append("resources")
    if (main.get("args") or []) != ARGUMENTS:
        found.append("args")
    if main.get("env"):
        found.append("env")
    if len(containers) > 1:
        found.append("more containers")
    if set(spec.get("affinity") or {}) != {"podAntiAffinity"} or not (spec["affinity"]["podAntiAffinity"] or {}).get(
        "preferredDuringSchedulingIgnoredDuringExecution"
    ):
        found.append("affinity")
    if (spec.get("nodeSelector") or {}) != NODE_SELECTOR:
        found.append("nodeSelector")
    if any(entry.get("key") not in TOLERATION_KEYS for entry in spec.get("tolerations") or []):
        found.append("tolerations")
    if spec.get("topologySpreadConstraints"):
        found.append("topologySpreadConstraints")
    return found
